"""The events that windows become under thresholds, and which of them are false alarms.

They are found and counted as after a prediction: windows get labels as in `predict_segments`, are
merged as in `merge_segments`, and events are compared as in `segment_report`.
"""

from dataclasses import dataclass

import numpy as np
import pandas as pd

from skdaf._segments.events import events_of, overlapped
from skdaf._segments.merge import merged
from skdaf._segments.multilabel import one_row_per_label
from skdaf._segments.tables import COLUMNS, SAME_TIME, probability_columns

_TIMES = ["start", "end"]


@dataclass(frozen=True)
class ClassCounts:
    """The events of a class under some thresholds.

    The peak of an event is the highest probability of its windows: the event disappears above it.

    Parameters
    ----------
    n_true : int
        The number of true events.
    found_peaks : ndarray
        For each true event that is found, the peak of the predicted events that overlap it.
    false_peaks : ndarray
        The peak of each false alarm.
    kept : ndarray
        The probabilities of the windows that have the label, sorted.
    """

    n_true: int
    found_peaks: np.ndarray
    false_peaks: np.ndarray
    kept: np.ndarray

    @property
    def n_found(self):
        """Return the number of true events that a predicted one overlaps."""
        return len(self.found_peaks)

    @property
    def n_false(self):
        """Return the number of false alarms."""
        return len(self.false_peaks)


class Recordings:
    """Annotated recordings, and what their windows become under thresholds.

    Parameters
    ----------
    pairs : list of pairs of DataFrames
        The true events of each recording, with labels as text, and all rows of its prediction.
    classes : list of str
        The classes to count.
    merging : dict
        Parameters of `merge_segments` other than `background`.
    """

    def __init__(self, pairs, classes, merging):
        self.classes, self._merging = classes, merging
        self._true = [{x: events_of(events, x) for x in classes} for events, _ in pairs]
        self.tables = [_with_text_labels(rows, classes) for _, rows in pairs]
        self._columns = dict(zip(classes, probability_columns(classes), strict=True))
        ends = [(t.start.min(), t.end.max()) for t in self.tables if len(t)]
        self.hours = sum(end - start for start, end in ends) / 3600

    def segments(self, thresholds):
        """Return the merged segments of each recording under a dict of thresholds."""
        return [merged(self._labeled(x, thresholds), **self._merging) for x in self.tables]

    def count(self, thresholds):
        """Return the `ClassCounts` of each class under a dict of thresholds."""
        labeled = [self._labeled(table, thresholds) for table in self.tables]
        merged_tables = [merged(table, **self._merging) for table in labeled]
        return {
            label: _joined_counts(
                [
                    _count(true[label], events_of(events, label), _windows_of(rows, label, column))
                    for true, events, rows in zip(self._true, merged_tables, labeled, strict=True)
                ]
            )
            for label, column in self._columns.items()
        }

    def _labeled(self, table, thresholds):
        """Return the rows of a table with the labels that the thresholds give."""
        if not thresholds:
            return table
        # In the order of the columns, which is that of the classes: `winners` prefers the first.
        labels = sorted(thresholds, key=lambda x: table.columns.get_loc(self._columns[x]))
        values = table[[self._columns[label] for label in labels]].to_numpy()
        limits = np.array([thresholds[label] for label in labels]).astype(values.dtype)
        reached = values >= limits
        if self._merging["multilabel"]:
            return _with_several_labels(table, labels, reached)
        ratios = np.where(reached, values / limits, -1)
        winners = np.array(labels, dtype=object)[ratios.argmax(axis=1)]
        others = table.label.where(~table.label.isin(labels), None)
        return table.assign(label=np.where(reached.any(axis=1), winners, others))


def _with_text_labels(rows, classes):
    """Return the columns that matter, with labels as text; missing ones are None."""
    labels = [None if pd.isna(label) else str(label) for label in rows.label]
    names = probability_columns(dict.fromkeys([*classes, *[x for x in labels if x is not None]]))
    columns = [name for name in rows.columns if str(name) in names]
    rows = rows[[*COLUMNS, *columns]].set_axis([*COLUMNS, *map(str, columns)], axis="columns")
    return rows.assign(label=pd.Series(labels, dtype=object, index=rows.index))


def _with_several_labels(table, labels, reached):
    """Return a row for each label of each window, where some labels have thresholds."""
    numbers = table.groupby(_TIMES).ngroup().to_numpy()
    firsts = np.unique(numbers, return_index=True)[1]
    names = list(dict.fromkeys([*labels, *table.label.dropna()]))
    present = np.zeros((len(firsts), len(names)), dtype=bool)
    codes = pd.Categorical(table.label, names).codes
    present[numbers[codes >= 0], codes[codes >= 0]] = True
    present[:, : len(labels)] = reached[firsts]
    windows = table.iloc[firsts].drop(columns="label").reset_index(drop=True)
    return one_row_per_label(windows, present, np.array(names, dtype=object))


def _windows_of(rows, label, column):
    """Return the spans and the probabilities of the windows with a label."""
    own = rows[rows.label == label]
    return own[_TIMES].to_numpy(float), own[column].to_numpy()


def _count(true, predicted, windows):
    """Return the `ClassCounts` of one recording."""
    spans, probabilities = windows
    peaks = _peaks(predicted, spans, probabilities, probabilities.min(initial=1))
    is_found, is_true = overlapped(true, predicted), overlapped(predicted, true)
    found_peaks = _peaks(true[is_found], predicted, peaks, 0)
    return ClassCounts(len(true), found_peaks, peaks[~is_true], probabilities)


def _peaks(events, spans, values, default):
    """Return the largest value of the spans that overlap each event; `default` without any.

    Events are sorted and do not overlap.
    """
    peaks = np.full(len(events), -np.inf)
    if len(events) and len(spans):
        firsts = np.searchsorted(events[:, 1], spans[:, 0] + SAME_TIME)
        counts = np.searchsorted(events[:, 0], spans[:, 1] - SAME_TIME) - firsts
        counts = np.maximum(counts, 0)
        offsets = np.cumsum(counts) - counts
        places = np.arange(counts.sum()) + np.repeat(firsts - offsets, counts)
        np.maximum.at(peaks, places, np.repeat(values, counts))
    return np.where(np.isfinite(peaks), peaks, default)


def _joined_counts(parts):
    return ClassCounts(
        sum(part.n_true for part in parts),
        *(
            np.concatenate([getattr(part, name) for part in parts])
            for name in ("found_peaks", "false_peaks")
        ),
        np.sort(np.concatenate([part.kept for part in parts])),
    )

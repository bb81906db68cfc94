"""tune_thresholds: choose thresholds on annotated recordings."""

import warnings
from collections.abc import Sequence
from functools import cached_property
from numbers import Real
from typing import Any

import numpy as np
import pandas as pd
from sklearn.utils._param_validation import Interval

from skdaf._core.arrays import plain_scalar
from skdaf._core.public import public
from skdaf._core.typing import PathLike
from skdaf._core.validation import validate_params
from skdaf._segments.detections import Recordings
from skdaf._segments.false_alarms import n_allowed, tightened
from skdaf._segments.merge import MERGING_CONSTRAINTS, without_labels
from skdaf._segments.reading import checked_table
from skdaf._segments.tables import (
    COLUMNS,
    as_texts,
    check_segments,
    paired,
    probability_columns,
    unused_name,
)
from skdaf._segments.thresholds import contains
from skdaf._segments.window_lengths import warn_about_long_durations

# In seconds: tables may be rounded.
_SAME_DURATION = 0.01

# After merging, each threshold takes the time of a `merge_segments`.
_MAX_COMPARED = 50


@public
@validate_params(
    MERGING_CONSTRAINTS
    | {
        "max_false_alarms_per_hour": [Interval(Real, 0, None, closed="left"), None],
        "multilabel": ["boolean"],
        "return_counts": ["boolean"],
    }
)
def tune_thresholds(
    true: pd.DataFrame | PathLike | Sequence[pd.DataFrame | PathLike],
    predicted: pd.DataFrame | Sequence[pd.DataFrame],
    *,
    background: Any = None,
    max_false_alarms_per_hour: float | None = None,
    smooth: float = 0.0,
    min_duration: float = 0.0,
    drop_shorter_than: float = 0.0,
    multilabel: bool = False,
    return_counts: bool = False,
) -> Any:
    """Choose the threshold of each class on annotated recordings: best F1, or few false alarms.

    A window contains a class if segments of the class cover at least half of the window (time that
    several of them cover counts once), or the window covers at least half of one of them. For each
    class of the true segments by itself, the threshold is the probability above which windows must
    be taken for it so that F1 over all windows is highest. Of equally good thresholds, the highest
    is chosen.

    With `max_false_alarms_per_hour`, thresholds only make a prediction stricter: they are raised
    until all classes together make at most this many false alarms, and as many events as possible
    are still found. (If ``predict`` of the classifier does not return the most probable class, a
    threshold can also add detections. They are counted.)

    Use recordings that the classifier was not trained on, otherwise the thresholds do not fit new
    ones. They belong to one classifier: tune them again after each training.

    Parameters
    ----------
    true : pandas.DataFrame, str, os.PathLike, or list of them
        The true segments of a recording, or of several, with the columns `start`, `end` (s) and
        `label`, or the paths of files for `read_segments`. All events must be annotated.
    predicted : pandas.DataFrame or list of them
        The windows of the same recordings, as `predict_segments` returns them without a
        `threshold`, with a column of probabilities for each class.
    background : label or list of labels, default=None
        Labels that are not events, compared as text. They get no threshold.
    max_false_alarms_per_hour : float, default=None
        The largest number of false alarms of all classes together per hour, instead of the best F1.
        As in `segment_report` after `merge_segments`, a false alarm is a predicted event that
        overlaps no true event of its class.
    smooth, min_duration, drop_shorter_than : float, default=0.0
        The parameters of `merge_segments` that you will use with the thresholds, in seconds, so
        that they fit the events after merging. For the best F1, merged segments of a class then
        decide which windows are taken for it, and at most 50 thresholds are compared.
    multilabel : bool, default=False
        Whether segments with different labels can cover the same time, as in `merge_segments`.
    return_counts : bool, default=False
        Whether to return, too, what the thresholds change.

    Returns
    -------
    thresholds : dict of str to float
        The threshold of each class that occurs in `true`, for the parameter `threshold` of
        `predict_segments`. The keys are classes as text. With `max_false_alarms_per_hour`, it has
        the classes that need a threshold, and is empty if none does. These thresholds are at least
        0.5: below that, a class could win windows in which another one is more probable.
    counts : pandas.DataFrame
        Only if `return_counts`. A row per class and, as the last one, ``(all)`` (with a ``_``
        appended if a class is called so): the `threshold` (NaN without one), the number of true
        events (`n_true`), how many of them predicted events overlap (`n_found`), `n_false_alarms`
        and `false_alarms_per_hour`, all of these with the thresholds; and `n_found_before`,
        `n_false_alarms_before` and `false_alarms_per_hour_before` without them.

    Raises
    ------
    TypeError
        If a table is not one, or `background` is not a label.
    ValueError
        If the numbers of tables differ, `true` has no segments, `predicted` has no column of
        probabilities for a class, a probability is missing or infinite, or
        `max_false_alarms_per_hour` is negative.

    Warns
    -----
    UserWarning
        If no window contains a class, or if `predicted` has a column of probabilities for a class
        that neither occurs in `true` nor is background. Such a class gets no threshold, so
        `predict_segments` gives its label to windows for which it is predicted and no other class
        reaches its threshold; with `max_false_alarms_per_hour`, all of its events are
        false alarms. Also if the rows of `predicted` have different durations, as after
        `merge_segments`: thresholds are for windows. With `max_false_alarms_per_hour`, also if the
        recordings are so short that the limit allows no false alarm in them, if the limit cannot be
        met, or if a class is not found any more.

    See Also
    --------
    predict_segments : Its parameter `threshold` takes the result.
    sklearn.model_selection.TunedThresholdClassifierCV : The same for two classes of clips.

    Notes
    -----
    A limit is shared among the classes step by step. A step raises the threshold of the class in
    which this costs the fewest true events for each false alarm that it removes, just enough to
    remove one (in long recordings, 2 % of all), and the events are counted again. Of the steps
    within the limit, the one with the most events is taken, and of these the first. So a larger
    limit never finds fewer events in the same recordings, and the order of recordings and classes
    does not matter.

    Examples
    --------
    >>> import pandas as pd
    >>> from skdaf import tune_thresholds
    >>> true = pd.DataFrame({"start": [2.0], "end": [4.0], "label": ["bird"]})
    >>> windows = pd.DataFrame({"start": [0.0, 2.0, 4.0], "end": [2.0, 4.0, 6.0], "label": "wind"})
    >>> windows["bird"] = [0.1, 0.4, 0.2]
    >>> tune_thresholds(true, windows)
    {'bird': 0.4}

    Without a threshold, three events in these twelve seconds would be one hit and two false alarms.
    At most one of these is 300 per hour:

    >>> windows = pd.DataFrame({"start": [0.0, 2.0, 6.0, 10.0], "label": "bird"})
    >>> windows["end"] = windows.start + [1, 2, 2, 2]
    >>> windows["bird"] = [0.6, 0.9, 0.7, 0.8]
    >>> tune_thresholds(true, windows.iloc[1:], max_false_alarms_per_hour=360)
    {'bird': 0.8}
    """
    background = as_texts(background, "background")
    merging = {"smooth": smooth, "min_duration": min_duration}
    merging |= {"drop_shorter_than": drop_shorter_than, "multilabel": multilabel}
    tuning = _Tuning(true, predicted, background, merging)
    if max_false_alarms_per_hour is None:
        thresholds = tuning.with_best_f1()
    else:
        thresholds = tuning.within_limit(max_false_alarms_per_hour)
    durations = {name: value for name, value in merging.items() if name != "multilabel"}
    warn_about_long_durations(durations, tuning.longest, stacklevel=4)
    for problem in tuning.problems:
        # The decorator that checks parameters is in between.
        warnings.warn(problem, stacklevel=3)
    return (thresholds, tuning.counts(thresholds)) if return_counts else thresholds


class _Tuning:
    """Annotated recordings and their windows.

    Attributes
    ----------
    problems : list of str
        What to warn of.
    longest : float
        The duration of the longest recording, in seconds.
    """

    def __init__(self, true, predicted, background, merging):
        self.problems = []
        self._pairs = _pairs(true, predicted, background)
        self._annotated = sorted({x for events, _ in self._pairs for x in events.label})
        if not self._annotated:
            raise ValueError("true has no segments of a class that is not background.")
        if not all(_are_windows(windows) for _, windows in self._pairs):
            self.problems.append(
                "The rows of predicted have different durations, as after merge_segments. The "
                "thresholds apply to windows: pass the table that predict_segments returns."
            )
        tables = [windows for _, windows in self._pairs]
        self.longest = max(t.end.max() - t.start.min() if len(t) else 0.0 for t in tables)
        self._others = _other_classes(tables, [*self._annotated, *background])
        labels = {str(x) for windows in tables for x in windows.label.dropna()}
        self._classes = sorted({*self._annotated, *labels} - {*background})
        self._merging = merging
        for i, windows in enumerate(tables):
            name = "predicted" if len(tables) == 1 else f"predicted[{i}]"
            _check_probabilities(windows, self._classes, name)

    def with_best_f1(self):
        """Return the threshold of each annotated class that has the best F1."""
        pairs = [(events, _once(windows)) for events, windows in self._pairs]
        if any(value for name, value in self._merging.items() if name != "multilabel"):
            thresholds = {x: self._best_f1_of_segments(pairs, x) for x in self._annotated}
        else:
            thresholds = {label: _best_f1(pairs, label) for label in self._annotated}
        empty = [label for label, threshold in thresholds.items() if threshold is None]
        if empty:
            self.problems.append(
                f"No window contains the classes {empty} with a probability above 0, so they get "
                "no threshold."
            )
        if self._others:
            self.problems.append(
                f"The classes {self._others} have probabilities in predicted but no segments in "
                "true, so they get no threshold: predict_segments gives the label of such a class "
                "to windows for which it is predicted and no other class reaches its threshold. If "
                "they are no events, add them to background=."
            )
        return {label: value for label, value in thresholds.items() if value is not None}

    def within_limit(self, max_per_hour):
        """Return thresholds with at most this many false alarms of all classes per hour."""
        if self._others:
            self.problems.append(
                f"The classes {self._others} have probabilities in predicted but no segments in "
                "true, so all of their events are false alarms. If they are no events, add them to "
                "background=."
            )
        recordings = self._recordings
        step, is_met = tightened(recordings, max_per_hour)
        limit = f"max_false_alarms_per_hour={max_per_hour:g}"
        if n_allowed(recordings.hours, max_per_hour) == 0 < max_per_hour:
            self.problems.append(
                f"The recordings are {recordings.hours:.2g} h long; {limit} allows 0 false alarms "
                f"in them. Tune on at least {1 / max_per_hour:.2g} h."
            )
        if not is_met:
            self.problems.append(
                f"{limit} cannot be met: {step.n_false} false alarms in {recordings.hours:.2g} h "
                "have a probability of 1."
            )
        before = recordings.count({})
        lost = [x for x, one in step.counts.items() if one.n_found == 0 < before[x].n_found]
        if lost:
            self.problems.append(f"With {limit}, no event of the classes {lost} is found any more.")
        return dict(sorted(step.thresholds.items()))

    def counts(self, thresholds):
        """Return the table of what the thresholds change."""
        before, after = (self._recordings.count(one) for one in ({}, thresholds))
        hours = self._recordings.hours
        rows = [
            [thresholds.get(x), after[x].n_true, *_numbers(after[x]), *_numbers(before[x])]
            for x in self._classes
        ]
        names = ["n_found", "n_false_alarms"]
        names = ["threshold", "n_true", *names, *[f"{name}_before" for name in names]]
        table = pd.DataFrame(rows, self._classes, names).astype({"threshold": float})
        total = unused_name("(all)", self._classes)
        table.loc[total] = table.sum()
        table.loc[total, "threshold"] = np.nan
        table = table.astype({name: int for name in names if name != "threshold"})
        for when in ("", "_before"):
            rates = table[f"n_false_alarms{when}"] / hours
            place = table.columns.get_loc(f"n_false_alarms{when}") + 1
            table.insert(place, f"false_alarms_per_hour{when}", rates)
        return table

    def _best_f1_of_segments(self, pairs, label):
        """Return the threshold of a class with the best F1 after merging, None if none has one."""
        is_positive = np.concatenate([contains(w, events, label) for events, w in pairs])
        probabilities = [_probabilities(windows, label) for _, windows in pairs]
        best = 0.0, None
        for threshold in _some(np.unique(np.concatenate(probabilities))):
            found = self._recordings.segments({label: threshold})
            is_found = np.concatenate(
                [contains(w, table, label) for (_, w), table in zip(pairs, found, strict=True)]
            )
            n_both = int((is_positive & is_found).sum())
            f1 = 2 * n_both / max(1, is_positive.sum() + is_found.sum())
            best = max(best, (f1, threshold)) if f1 > 0 else best
        return best[1]

    @cached_property
    def _recordings(self):
        for label in self._classes:
            for _, windows in self._pairs:
                _probabilities(windows, label)
        return Recordings(self._pairs, self._classes, self._merging)


def _some(values):
    """Return at most `_MAX_COMPARED` of the sorted values that are above 0, also the largest."""
    values = values[values > 0]
    places = np.linspace(0, len(values) - 1, min(len(values), _MAX_COMPARED)).round().astype(int)
    return values[places].tolist()


def _numbers(counts):
    return counts.n_found, counts.n_false


def _pairs(true, predicted, background):
    """Return pairs of checked tables: the events of a recording and the rows of its windows."""
    pairs = []
    for events, windows in paired(true, predicted):
        events = checked_table(events, "true")
        events = events.assign(label=events.label.astype(str))
        windows = check_segments(windows, "predicted", unlabeled=True)
        pairs.append((without_labels(events, background), windows))
    return pairs


def _once(windows):
    """Return a row for each window. With several labels per clip, it has a row for each."""
    return windows.drop_duplicates(["start", "end"], ignore_index=True)


def _are_windows(table):
    """Return whether all rows have the same duration; only the last one may be shorter."""
    if len(table) == 0:
        return True
    table = _once(table)
    durations = (table.end - table.start).to_numpy()
    is_shorter = durations < durations[0] - _SAME_DURATION
    return not is_shorter[:-1].any() and (durations < durations[0] + _SAME_DURATION).all()


def _other_classes(tables, labels):
    """Return the names of the columns of probabilities that belong to none of the labels."""
    known = {name for label in labels for name in probability_columns([label])} | {*COLUMNS}
    return sorted(
        {
            str(name)
            for table in tables
            for name, values in table.select_dtypes("number").items()
            if str(name) not in known and values.between(0, 1).all()
        }
    )


def _probabilities(windows, label):
    (column,) = probability_columns([label])
    candidates = [name for name in windows.columns if str(name) == column]
    if len(candidates) != 1:
        raise ValueError(
            f"predicted must have a column of probabilities {column!r} for the class "
            f"{plain_scalar(label)!r}, as predict_segments returns it, got the columns "
            f"{list(windows.columns)}."
        )
    values = windows[candidates[0]].to_numpy()
    # In the precision of the table, in which `winners` compares.
    return values if values.dtype.kind == "f" else values.astype(float)


def _check_probabilities(windows, classes, name):
    """Raise ValueError for a missing or infinite probability; windows can lack columns."""
    columns = probability_columns(classes)
    for column in (x for x in windows.columns if str(x) in columns):
        values = pd.to_numeric(windows[column], errors="coerce").to_numpy(float, na_value=np.nan)
        if not np.isfinite(values).all():
            row = int(np.isfinite(values).argmin())
            start, end = windows.start[row], windows.end[row]
            raise ValueError(
                f"{name}: the probabilities of {str(column)!r} must be numbers, got {values[row]} "
                f"for the window from {start:g} s to {end:g} s."
            )


def _best_f1(pairs, label):
    """Return the threshold with the highest F1, None if no positive window has a probability."""
    is_positive = np.concatenate([contains(windows, events, label) for events, windows in pairs])
    probabilities = np.concatenate([_probabilities(windows, label) for _, windows in pairs])
    order = np.argsort(-probabilities, kind="stable")
    probabilities, n_hits = probabilities[order], np.cumsum(is_positive[order])
    f1 = 2 * n_hits / (np.arange(1, len(order) + 1) + n_hits[-1:])
    # Windows of the same probability are detected together; nothing is detected at zero.
    is_last = np.append(probabilities[1:] != probabilities[:-1], True)[: len(order)]
    f1 = np.where(is_last & (probabilities > 0), f1, 0)
    return float(probabilities[f1.argmax()]) if f1.any() else None

"""merge_segments: resolve overlaps, smooth labels, join neighbors."""

import warnings
from heapq import heapify, heappop, heappush
from numbers import Real
from typing import Any

import numpy as np
import pandas as pd
from scipy.sparse import csc_array
from sklearn.utils._param_validation import Interval

from skdaf._core.public import public
from skdaf._core.validation import validate_params
from skdaf._segments.tables import (
    COLUMNS,
    N_DECIMALS,
    SAME_TIME,
    as_texts,
    check_segments,
    labeled,
    probability_columns,
)


@public
@validate_params(
    {
        "min_duration": [Interval(Real, 0, None, closed="left")],
        "smooth": [Interval(Real, 0, None, closed="left")],
    }
)
def merge_segments(
    segments: pd.DataFrame,
    *,
    min_duration: float = 0.0,
    smooth: float = 0.0,
    background: Any = None,
) -> pd.DataFrame:
    """Join neighboring segments with the same label, optionally after smoothing.

    The steps, in this order:

    1. Overlaps are resolved. Each instant gets one of the labels of the segments that cover it: the
       label with the highest mean probability if every label of the table has a column of
       probabilities, else the most frequent one. Ties go to the label that comes first in the
       table.
    2. `smooth`: a segment gets the label with the most time within `smooth` seconds around its
       middle. If there is a tie, it keeps its label. For windows of equal length and two labels,
       this is a median filter.
    3. Neighbors that touch and have the same label become one segment.
    4. `min_duration`: the shortest segment below this duration is joined with the longer of the
       neighbors that it touches (the earlier one if they are equally long). This is repeated until
       no short segment is left.
    5. `background`: segments with this label are dropped.

    Rows without a label are not segments: the windows in which `predict_segments` found no class
    above its `threshold` become gaps, unless another window that covers the same time has a label.

    Gaps do not change: nothing is joined or moved across a gap, although smoothing counts the
    labels on the other side. A short segment between two gaps does not change either.

    Parameters
    ----------
    segments : pandas.DataFrame
        With the columns `start`, `end` (s) and `label`, as returned by `predict_segments` and
        `read_segments`.
    min_duration : float, default=0.0
        The shortest segment to keep, in seconds.
    smooth : float, default=0.0
        Length of the smoothing window in seconds, an odd multiple of the step of the predictions.
        Values up to the step change nothing.
    background : label or list of labels, default=None
        Labels of segments that are not events, compared as text. They take part in all other steps:
        they are smoothed, and absorb events that are too short.

    Returns
    -------
    merged : pandas.DataFrame
        `start`, `end` and `label`, sorted by time and without overlaps, and the numeric columns of
        `segments`, averaged over the time of each segment. Smoothing does not change probabilities,
        so the highest one may belong to another label.

    Raises
    ------
    TypeError
        If `segments` is not a table, or `background` is not a label.
    ValueError
        If a column, a start or an end is missing, a segment has no duration, or a parameter is
        negative.

    Warns
    -----
    UserWarning
        If a background label is neither a label of the table nor the name of a column of it.

    Examples
    --------
    >>> import pandas as pd
    >>> from skdaf import merge_segments
    >>> segments = pd.DataFrame({"start": range(6), "end": range(1, 7), "label": [*"aabaac"]})
    >>> merge_segments(segments)
       start  end label
    0    0.0  2.0     a
    1    2.0  3.0     b
    2    3.0  5.0     a
    3    5.0  6.0     c
    >>> merge_segments(segments, min_duration=1.5)
       start  end label
    0    0.0  6.0     a
    >>> merge_segments(segments, background="a")
       start  end label
    0    2.0  3.0     b
    1    5.0  6.0     c
    """
    dropped = as_texts(background, "background")
    table = labeled(check_segments(segments, "segments", unlabeled=True))
    _warn_of_unknown(dropped, table)
    pieces = without_overlaps(table)
    pieces = pieces[[*COLUMNS, *_numeric_columns(pieces)]]
    if len(pieces) == 0:
        return pieces
    if smooth:
        pieces = pieces.assign(label=_smoothed(pieces, smooth))
    pieces = _joined(pieces)
    if min_duration:
        pieces = _joined(pieces.assign(label=_without_short(pieces, min_duration)))
    return without_labels(pieces, dropped) if dropped else pieces


def _warn_of_unknown(background, table):
    """Warn of background labels that the table does not have, as they may be misspelled."""
    labels = {str(label) for label in table.label.unique()}
    # A class may have a column of probabilities without being the label of any window.
    columns = {str(name) for name in table.columns}
    names = dict(zip(background, probability_columns(background), strict=True))
    unknown = [label for label in background if label not in labels and names[label] not in columns]
    if labels and unknown:
        warnings.warn(
            f"No segment has the background label {unknown}: the labels are {sorted(labels)}.",
            # The decorator that checks parameters is in between.
            stacklevel=4,
        )


def without_labels(table, texts):
    """Return the segments whose labels, as text, are not among `texts`."""
    return table[~table.label.astype(str).isin(texts)].reset_index(drop=True)


def has_probabilities(table):
    """Return whether every label of a table has a column of probabilities."""
    columns = probability_columns(table.label.unique())
    return set(columns) <= set(_numeric_columns(table)) and table[columns].notna().all(axis=None)


def _numeric_columns(table):
    others = table.drop(columns=COLUMNS)
    return list(others.select_dtypes("number").columns)


def without_overlaps(table):
    """Split a table, sorted by time, into consecutive pieces."""
    starts, ends = table.start.to_numpy(), table.end.to_numpy()
    if (starts[1:] >= ends[:-1]).all():
        return table
    edges = np.unique(np.concatenate([starts, ends]))
    covers = _coverage(edges, starts, ends)
    n_covering = covers.sum(axis=1)
    names = _numeric_columns(table)
    means = covers @ table[names].to_numpy(float) / np.maximum(n_covering, 1)[:, None]
    pieces = pd.DataFrame({"start": edges[:-1], "end": edges[1:], "label": _winners(table, covers)})
    pieces[names] = means
    return pieces[n_covering > 0].reset_index(drop=True)


def _coverage(edges, starts, ends):
    """Return a matrix (pieces between edges, segments) that is 1 where a segment covers a piece."""
    firsts, lasts = np.searchsorted(edges, starts), np.searchsorted(edges, ends)
    counts = lasts - firsts
    offsets = np.concatenate([[0], np.cumsum(counts)])
    pieces = np.arange(offsets[-1]) + np.repeat(firsts - offsets[:-1], counts)
    shape = len(edges) - 1, len(starts)
    return csc_array((np.ones(len(pieces)), pieces, offsets), shape=shape)


def _winners(table, covers):
    """Choose each piece's label among those of the segments that cover it."""
    codes, labels = pd.factorize(table.label)
    columns = probability_columns(labels)
    with_probabilities = has_probabilities(table)
    best = np.full(covers.shape[0], -np.inf)
    winners = np.zeros(covers.shape[0], dtype=int)
    # Label by label, to avoid a matrix of all labels times the windows of a whole day.
    for code, column in enumerate(columns):
        votes = covers @ (codes == code).astype(float)
        score = covers @ table[column].to_numpy(float) if with_probabilities else votes
        wins = (votes > 0) & (score > best)
        best[wins], winners[wins] = score[wins], code
    return labels.take(winners)


def _smoothed(pieces, smooth):
    """Return for each piece the label with the most time around its middle."""
    codes, labels = pd.factorize(pieces.label)
    starts, ends = pieces.start.to_numpy(), pieces.end.to_numpy()
    middles = (starts + ends) / 2
    best, winners = np.zeros(len(pieces)), codes.copy()
    for code in range(len(labels)):
        has_label = codes == code
        time = _time_before(middles + smooth / 2, starts[has_label], ends[has_label])
        time -= _time_before(middles - smooth / 2, starts[has_label], ends[has_label])
        # Rounding must not decide a tie: a piece keeps its own label, else the first one wins.
        time += SAME_TIME * has_label
        wins = time > best + SAME_TIME / 2
        best[wins], winners[wins] = time[wins], code
    return labels.take(winners)


def _time_before(instants, starts, ends):
    """Return the total time of consecutive segments before each instant."""
    durations = ends - starts
    sums = np.cumsum(durations)
    knots = np.column_stack([starts, ends]).ravel()
    return np.interp(instants, knots, np.column_stack([sums - durations, sums]).ravel())


def _joined(pieces):
    """Join neighbors that touch and have the same label."""
    starts, ends = pieces.start.to_numpy(), pieces.end.to_numpy()
    codes, _ = pd.factorize(pieces.label)
    is_first = np.ones(len(pieces), dtype=bool)
    is_first[1:] = (np.diff(codes) != 0) | ~_touch(ends[:-1], starts[1:])
    firsts = np.flatnonzero(is_first)
    lasts = np.append(firsts[1:], len(pieces)) - 1
    joined = pieces.iloc[firsts].reset_index(drop=True)
    joined["end"] = ends[lasts]
    names = _numeric_columns(pieces)
    weights = (ends - starts)[:, None]
    sums = np.add.reduceat(pieces[names].to_numpy(float) * weights, firsts)
    joined[names] = sums / np.add.reduceat(weights, firsts)
    return joined


def _touch(end, start):
    return start - end < SAME_TIME


def _without_short(pieces, min_duration):
    """Return labels such that no segment is too short, except between gaps."""
    codes, labels = pd.factorize(pieces.label)
    runs = _Runs(pieces.start.tolist(), pieces.end.tolist(), codes.tolist())
    short = [(runs.length(i), i) for i in range(len(codes)) if runs.length(i) < min_duration]
    heapify(short)
    while short:
        length, run = heappop(short)
        # The run may have been joined with another one since it was added.
        if not runs.exists[run] or length != runs.length(run):
            continue
        if runs.join_longer_neighbor(run) and runs.length(run) < min_duration:
            heappush(short, (runs.length(run), run))
    return labels.take(runs.final_codes())


class _Runs:
    """Segments, sorted by time, that can be joined; each has links to those that it touches."""

    def __init__(self, starts, ends, codes):
        self.starts, self.ends, self.codes = starts, ends, codes
        self.origins = list(starts)
        self.exists = [True] * len(codes)
        touches = [_touch(end, start) for end, start in zip(ends, starts[1:], strict=False)]
        self.before = [None] + [i if touch else None for i, touch in enumerate(touches)]
        self.after = [i + 1 if touch else None for i, touch in enumerate(touches)] + [None]

    def length(self, run):
        # Durations that differ only by rounding errors must compare as equal.
        return round(self.ends[run] - self.starts[run], N_DECIMALS)

    def join_longer_neighbor(self, run):
        """Join a run with its longer neighbor and use its label; return False without neighbors."""
        neighbors = [i for i in (self.before[run], self.after[run]) if i is not None]
        if not neighbors:
            return False
        self.codes[run] = self.codes[max(neighbors, key=self.length)]
        for other in neighbors:
            if self.codes[other] == self.codes[run]:
                self._absorb(run, other)
        return True

    def _absorb(self, run, other):
        self.exists[other] = False
        if other == self.before[run]:
            self.starts[run] = self.starts[other]
            self.before[run] = self.before[other]
            if self.before[run] is not None:
                self.after[self.before[run]] = run
        else:
            self.ends[run] = self.ends[other]
            self.after[run] = self.after[other]
            if self.after[run] is not None:
                self.before[self.after[run]] = run

    def final_codes(self):
        """Return the final label of each original run."""
        remaining = np.flatnonzero(self.exists)
        remaining = remaining[np.argsort(np.array(self.starts)[remaining])]
        starts = np.array(self.starts)[remaining]
        positions = np.searchsorted(starts, self.origins, side="right") - 1
        return np.array(self.codes)[remaining][positions]

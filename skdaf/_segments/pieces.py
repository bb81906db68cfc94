"""The steps of `merge_segments`: resolve overlaps, smooth labels, join neighbors, drop short ones.

Pieces are the rows of a table of segments, sorted by time, that do not overlap.
"""

from heapq import heapify, heappop, heappush

import numpy as np
import pandas as pd
from scipy.sparse import csc_array, csr_array

from skdaf._segments.tables import (
    COLUMNS,
    SAME_TIME,
    is_long_enough,
    probability_columns,
    whole_microseconds,
)


def has_probabilities(table):
    """Return whether every label of a table has a column of probabilities."""
    columns = probability_columns(table.label.unique())
    return set(columns) <= set(numeric_columns(table)) and table[columns].notna().all(axis=None)


def numeric_columns(table):
    others = table.drop(columns=COLUMNS)
    return list(others.select_dtypes("number").columns)


def without_overlaps(table):
    """Split a table, sorted by time, into consecutive pieces."""
    starts, ends = table.start.to_numpy(), table.end.to_numpy()
    if (starts[1:] >= ends[:-1]).all():
        return table
    edges = np.unique(np.concatenate([starts, ends]))
    covers = coverage(edges, starts, ends)
    codes, labels = pd.factorize(table.label)
    winners = _winners(table, covers, codes, labels)
    pieces = pd.DataFrame({"start": edges[:-1], "end": edges[1:], "label": labels.take(winners)})
    pieces[numeric_columns(table)] = highest_values(table, _of_winners(covers, codes, winners))
    return pieces[covers.sum(axis=1) > 0].reset_index(drop=True)


def coverage(edges, starts, ends):
    """Return a matrix (pieces between edges, segments) that is 1 where a segment covers a piece."""
    firsts, lasts = np.searchsorted(edges, starts), np.searchsorted(edges, ends)
    counts = lasts - firsts
    offsets = np.concatenate([[0], np.cumsum(counts)])
    pieces = np.arange(offsets[-1]) + np.repeat(firsts - offsets[:-1], counts)
    shape = len(edges) - 1, len(starts)
    return csc_array((np.ones(len(pieces)), pieces, offsets), shape=shape)


def highest_values(table, covers):
    """Return the highest values of the numeric columns over the segments that cover each piece."""
    names, covers = numeric_columns(table), covers.tocsr()
    highest = np.zeros((covers.shape[0], len(names)))
    is_covered = np.diff(covers.indptr) > 0
    firsts = covers.indptr[:-1][is_covered]
    # Column by column, as in `_winners`.
    for column, name in enumerate(names if len(firsts) else ()):
        values = table[name].to_numpy(float)[covers.indices]
        highest[is_covered, column] = np.maximum.reduceat(values, firsts)
    return highest


def _of_winners(covers, codes, winners):
    """Return a matrix like that of `coverage`, only of segments with the labels of the pieces."""
    covers = covers.tocoo()
    keep = codes[covers.col] == winners[covers.row]
    places = covers.row[keep], covers.col[keep]
    return csr_array((covers.data[keep], places), shape=covers.shape)


def _winners(table, covers, codes, labels):
    """Return the code of each piece's label, one of those of the segments that cover it."""
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
    return winners


def smoothed(pieces, smooth):
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


def joined(pieces):
    """Join neighbors that touch and have the same label."""
    starts, ends = pieces.start.to_numpy(), pieces.end.to_numpy()
    codes, _ = pd.factorize(pieces.label)
    is_first = np.ones(len(pieces), dtype=bool)
    is_first[1:] = (np.diff(codes) != 0) | ~_touch(ends[:-1], starts[1:])
    firsts = np.flatnonzero(is_first)
    lasts = np.append(firsts[1:], len(pieces)) - 1
    runs = pieces.iloc[firsts].reset_index(drop=True)
    runs["end"] = ends[lasts]
    names = numeric_columns(pieces)
    runs[names] = np.maximum.reduceat(pieces[names].to_numpy(float), firsts)
    return runs


def _touch(end, start):
    return start - end < SAME_TIME


def without_short(pieces, min_duration):
    """Return labels such that no segment is too short, except between gaps."""
    codes, labels = pd.factorize(pieces.label)
    runs = _Runs(pieces.start.tolist(), pieces.end.tolist(), codes.tolist())
    short = [(runs.length(i), i) for i in range(len(codes)) if runs.is_short(i, min_duration)]
    heapify(short)
    while short:
        length, run = heappop(short)
        # The run may have been joined with another one since it was added.
        if not runs.exists[run] or length != runs.length(run):
            continue
        if runs.join_longer_neighbor(run) and runs.is_short(run, min_duration):
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
        return whole_microseconds(self.ends[run] - self.starts[run])

    def is_short(self, run, min_duration):
        return not is_long_enough(self.starts[run], self.ends[run], min_duration)

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

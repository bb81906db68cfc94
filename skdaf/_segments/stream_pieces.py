"""The steps of `merge_stream`: those of `merge_segments`, for rows that arrive one by one.

Each step has a method `feed(pieces, now)`, which takes the next pieces in order of time and returns
those that later ones can no longer change. `now` is the time up to which the pieces are complete:
all later ones start then or later. At the end, it is infinite.
"""

from collections import deque
from itertools import pairwise

import numpy as np
import pandas as pd

from skdaf._segments.pieces import without_short
from skdaf._segments.stream_rows import Row
from skdaf._segments.tables import SAME_TIME, is_long_enough


class Overlaps:
    """Splits rows into pieces between the times at which a row starts or ends.

    Parameters
    ----------
    make_piece : callable
        It gets the start and the end of a piece, and the rows that cover it in their order, and
        returns the piece.
    """

    def __init__(self, make_piece):
        self._make_piece = make_piece
        self._rows, self._edge = [], 0.0

    def feed(self, rows, now):
        """Return the pieces that are complete, and the time up to which they are."""
        self._rows += rows
        edges = {edge for row in self._rows for edge in (row.start, row.end)}
        edges = sorted(edge for edge in edges | {self._edge} if self._edge <= edge <= now)
        pieces = []
        for start, end in pairwise(edges):
            covering = [row for row in self._rows if row.start <= start and row.end >= end]
            if covering:
                pieces.append(self._make_piece(start, end, covering))
        self._edge = edges[-1] if edges else self._edge
        self._rows = [row for row in self._rows if row.end > self._edge]
        waiting = (max(row.start, self._edge) for row in self._rows)
        return pieces, min(waiting, default=now)


def highest_values(rows):
    """Return the highest values of the numbers of rows."""
    if len(rows) == 1:
        return rows[0].values
    return np.max([row.values for row in rows], axis=0).tolist()


def _total(values):
    """Return a sum in the order of the values, as matrix products compute it."""
    total = 0.0
    for value in values:
        total += value
    return total


def winner(rows, reader):
    """Return one of the labels of rows that cover the same time, as `merge_segments` does."""
    candidates = {row.label for row in rows}
    if len(candidates) == 1:
        return rows[0].label
    columns, best, found = reader.columns_of_labels(), -np.inf, None
    for label in sorted(candidates, key=reader.labels.__getitem__):
        if columns is None:
            score = sum(row.label == label for row in rows)
        else:
            score = _total(row.values[columns[label]] for row in rows)
        if score > best:
            best, found = score, label
    return found


class Smoother:
    """Gives each piece the label with the most time around its middle; 0 changes nothing."""

    def __init__(self, smooth):
        self._half = smooth / 2
        self._pieces, self._n_done, self._order = deque(), 0, {}

    def feed(self, pieces, now):
        """Return the pieces whose surroundings are complete, and the time up to which they are."""
        if not self._half:
            return pieces, now
        for piece in pieces:
            self._order.setdefault(piece.label, len(self._order))
            self._pieces.append(piece)
        found = []
        while self._n_done < len(self._pieces):
            piece = self._pieces[self._n_done]
            middle = (piece.start + piece.end) / 2
            if middle + self._half > now:
                return found, piece.start
            while self._pieces[0].end < middle - self._half:
                self._pieces.popleft()
                self._n_done -= 1
            label = self._most_time(piece, middle - self._half, middle + self._half)
            found.append(Row(piece.start, piece.end, label, piece.values))
            self._n_done += 1
        return found, now

    def _most_time(self, piece, start, end):
        """Return the label with the most time in an interval; the piece's own one if tied."""
        # As in `pieces.smoothed`, rounding must not decide a tie.
        times = {piece.label: SAME_TIME}
        for other in self._pieces:
            if other.start >= end:
                break
            time = min(other.end, end) - max(other.start, start)
            times[other.label] = times.get(other.label, 0.0) + max(0.0, time)
        best, found = 0.0, piece.label
        for label in sorted(times, key=self._order.__getitem__):
            if times[label] > best + SAME_TIME / 2:
                best, found = times[label], label
        return found


class Joiner:
    """Joins neighbors that touch and have the same label.

    Attributes
    ----------
    run : Row or None
        The last segment, which may still become longer.
    """

    def __init__(self):
        self.run = None

    def feed(self, pieces, now):
        """Return the segments that cannot become longer, and the time up to which they are."""
        found = []
        for piece in pieces:
            if self.run and self.run.label == piece.label and touch(self.run, piece.start):
                self.run.end = piece.end
                self.run.values = highest_values([self.run, piece])
            else:
                found += self._finished()
                self.run = Row(piece.start, piece.end, piece.label, piece.values)
        if self.run and not touch(self.run, now):
            found += self._finished()
        return found, now if self.run is None else self.run.start

    def _finished(self):
        run, self.run = self.run, None
        return [] if run is None else [run]


def touch(run, start):
    """Return whether a segment touches one that starts later."""
    return start - run.end < SAME_TIME


class ShortRemover:
    """Joins segments that are too short with the longer neighbor; 0 changes nothing.

    Two neighbors of which neither is too short keep their labels, and nothing on one side of the
    boundary between them has an effect on the other side. The same is true for gaps. So everything
    before the last such boundary is final. What comes after it has to wait.
    """

    def __init__(self, min_duration):
        self._min_duration = min_duration
        self._runs, self._n_searched = [], 1

    def feed(self, runs, now, current):
        """Return the segments that cannot change any more.

        Parameters
        ----------
        runs : list of Row
            The next segments, whose neighbors have other labels or do not touch them.
        now : float
        current : Row or None
            The segment after them, which may still become longer.
        """
        if not self._min_duration:
            return runs
        self._runs += runs
        n_final = self._last_boundary(now, current)
        final, self._runs = self._runs[:n_final], self._runs[n_final:]
        self._n_searched = max(1, len(self._runs))
        return self._joined(final) if final else []

    def _last_boundary(self, now, current):
        """Return the number of segments before the last boundary that nothing crosses."""
        if self._runs:
            last = self._runs[-1]
            follows = not touch(last, now) if current is None else self._divides(last, current)
            if follows:
                return len(self._runs)
        for i in range(len(self._runs) - 1, self._n_searched - 1, -1):
            if self._divides(self._runs[i - 1], self._runs[i]):
                return i
        return 0

    def _divides(self, run, other):
        is_short = (self._is_short(one) for one in (run, other))
        return not touch(run, other.start) or not any(is_short)

    def _is_short(self, run):
        return not is_long_enough(run.start, run.end, self._min_duration)

    def _joined(self, runs):
        labels = list(dict.fromkeys(run.label for run in runs))
        codes = [labels.index(run.label) for run in runs]
        rows = [(run.start, run.end, code) for run, code in zip(runs, codes, strict=True)]
        table = pd.DataFrame(rows, columns=["start", "end", "label"])
        found = without_short(table, self._min_duration)
        pieces = [
            Row(run.start, run.end, labels[code], run.values)
            for run, code in zip(runs, found, strict=True)
        ]
        return Joiner().feed(pieces, np.inf)[0]

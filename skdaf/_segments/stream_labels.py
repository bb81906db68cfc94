"""Combine the steps of `merge_stream`, for one label at each instant and for several."""

from copy import deepcopy

from skdaf._segments.stream_pieces import (
    Joiner,
    Overlaps,
    ShortRemover,
    Smoother,
    highest_values,
    winner,
)
from skdaf._segments.stream_rows import Row


class _Track:
    """Smooths labels, joins neighbors and removes short segments."""

    def __init__(self, smooth, min_duration):
        self._smoother, self._joiner = Smoother(smooth), Joiner()
        self._remover = ShortRemover(min_duration)

    def feed(self, pieces, now):
        """Return the segments that later pieces can no longer change."""
        pieces, now = self._smoother.feed(pieces, now)
        runs, _ = self._joiner.feed(pieces, now)
        return self._remover.feed(runs, now, self._joiner.run)


class OneLabel:
    """Merges rows so that each instant has one label; rows without a label are gaps.

    Parameters
    ----------
    reader : RowReader
    smooth, min_duration : float
        As in `merge_segments`.
    """

    def __init__(self, reader, smooth, min_duration):
        self._reader = reader
        self._overlaps = Overlaps(self._piece)
        self._track = _Track(smooth, min_duration)

    def feed(self, rows, now):
        """Return the segments that later rows can no longer change."""
        rows = [row for row in rows if row.label is not None]
        for row in rows:
            self._reader.add_label(row.label)
        return self._track.feed(*self._overlaps.feed(rows, now))

    def _piece(self, start, end, rows):
        label = winner(rows, self._reader)
        return Row(start, end, label, highest_values([row for row in rows if row.label == label]))


class SeveralLabels:
    """Merges the rows of each label by itself; all rows are time in which labels are possible.

    Parameters
    ----------
    reader : RowReader
    smooth, min_duration : float
        As in `merge_segments`, for the two cases that a label is present or absent.
    """

    def __init__(self, reader, smooth, min_duration):
        self._reader = reader
        self._overlaps = Overlaps(self._piece)
        # Labels that did not occur yet are absent: all of them have the same past.
        self._absent, self._tracks = _Track(smooth, min_duration), {}

    def feed(self, rows, now):
        """Return the segments that later rows can no longer change."""
        for row in rows:
            if row.label is not None:
                self._reader.add_label(row.label)
        pieces, now = self._overlaps.feed(rows, now)
        found = []
        for piece in pieces:
            for label in piece.label:
                if label not in self._tracks:
                    self._tracks[label] = deepcopy(self._absent)
            found += self._feed_tracks([piece], piece.end)
        found += self._feed_tracks([], now)
        numbers = self._reader.labels
        return sorted(found, key=lambda run: (run.start, run.end, numbers[run.label]))

    def _feed_tracks(self, pieces, now):
        self._absent.feed([Row(p.start, p.end, False, p.values) for p in pieces], now)
        found = []
        for label, track in self._tracks.items():
            own = [
                Row(p.start, p.end, label in p.label, p.label.get(label, p.values)) for p in pieces
            ]
            runs = track.feed(own, now)
            found += [Row(run.start, run.end, label, run.values) for run in runs if run.label]
        return found

    def _piece(self, start, end, rows):
        """Return a piece whose label is a dict: the highest numbers for each label."""
        labels = dict.fromkeys(row.label for row in rows if row.label is not None)
        own = {x: highest_values([row for row in rows if row.label == x]) for x in labels}
        return Row(start, end, own, highest_values(rows))

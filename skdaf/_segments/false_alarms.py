"""The lowest threshold of a class with at most a given number of false alarms."""

from bisect import bisect_left, bisect_right

import numpy as np

from skdaf._segments.events import events_of, overlapped
from skdaf._segments.tables import SAME_TIME


def lowest_threshold(pairs, label, columns, max_per_hour):
    """Return the lowest threshold of a class with few false alarms, and whether there is one.

    False alarms are counted as in `segment_report`: windows that touch are one event, and it is a
    false alarm if it overlaps no true event. Fewer windows can make more false alarms, because one
    event falls apart. Thus, the number must not be exceeded at any higher threshold either.

    Parameters
    ----------
    pairs : list of pairs of DataFrames
        The events of each recording and its windows, sorted by time.
    label : str
    columns : list of ndarray
        The probabilities of the class in the windows of each recording.
    max_per_hour : float

    Returns
    -------
    threshold : float or None
        If even the most probable windows make too many false alarms, a threshold above their
        probability, but at most 1. None if there are no windows with a probability.
    is_met : bool
        Whether windows reach the threshold.
    """
    probabilities = np.concatenate(columns)
    spans, is_true, hours = _on_one_timeline(pairs, label)
    largest = max_per_hour * hours
    runs, best, highest = _Runs(), None, probabilities.max(initial=0)
    if not highest > 0:
        return None, False
    order = np.argsort(-probabilities, kind="stable")
    # Windows of the same probability are detected together; nothing is detected at zero.
    order = order[probabilities[order] > 0]
    edges = np.flatnonzero(np.diff(probabilities[order])) + 1
    for rows in np.split(order, edges):
        for row in rows:
            runs.add(*spans[row].tolist(), bool(is_true[row]))
        if runs.n_false > largest + SAME_TIME:
            break
        best = float(probabilities[rows[0]])
    if best is None:
        return min(1.0, float(np.nextafter(highest, highest + 1))), False
    return best, True


def _on_one_timeline(pairs, label):
    """Return the windows of all recordings one after the other, which are true, and the hours."""
    spans, is_true, offset, hours = [], [], 0.0, 0.0
    for events, windows in pairs:
        own = windows[["start", "end"]].to_numpy(float)
        is_true.append(overlapped(own, events_of(events, label)))
        spans.append(own + offset)
        if len(own):
            # Windows of different recordings must not touch.
            offset += own.max() + 1
            hours += (own.max() - own.min()) / 3600
    return np.concatenate(spans), np.concatenate(is_true), hours


class _Runs:
    """Windows, joined where they touch, and how many of the runs contain no true event."""

    def __init__(self):
        self._starts, self._ends, self._are_true = [], [], []
        self.n_false = 0

    def add(self, start, end, is_true):
        first = bisect_right(self._ends, start - SAME_TIME)
        last = bisect_left(self._starts, end + SAME_TIME)
        joined = self._are_true[first:last]
        if joined:
            start, end = min(start, self._starts[first]), max(end, self._ends[last - 1])
        self.n_false -= joined.count(False)
        is_true = is_true or any(joined)
        self.n_false += not is_true
        for values, value in (
            (self._starts, start),
            (self._ends, end),
            (self._are_true, is_true),
        ):
            values[first:last] = [value]

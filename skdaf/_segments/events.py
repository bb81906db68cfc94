"""Scores of events: which events were found, and how many false alarms there are per hour.

An event is a segment of a class that is not background. A predicted event is a hit if it has the
class of a true event, starts within `collar` of it, and ends within `collar` or `END_SHARE` of the
duration of the true event, whichever is more. Each event is used once, and as many as possible are
paired: these are the hits of the event-based metrics of sed_eval, with its optimal matching.

Overlaps are counted besides, because a detector can find all events and yet miss their boundaries.
"""

import numpy as np
import pandas as pd
from scipy.sparse import csr_matrix
from scipy.sparse.csgraph import maximum_bipartite_matching

from skdaf._segments.tables import SAME_TIME, at_most

END_SHARE = 0.2


def event_scores(pairs, collar, duration):
    """Return a table of the scores of each class, and a dict of those of all classes together.

    Parameters
    ----------
    pairs : list of pairs of DataFrames
        The true and the predicted events of each recording, with labels as text, sorted by time.
    collar, duration : float
        In seconds; `duration` is that of all recordings together.
    """
    classes = sorted({label for pair in pairs for table in pair for label in table.label})
    counts = [
        np.sum([_counts(*(events_of(t, label) for t in pair), collar) for pair in pairs], axis=0)
        for label in classes
    ]
    counts = np.array(counts, dtype=int).reshape(-1, 5)
    columns = _scores(*counts.T, duration)
    overall = _scores(*counts.sum(axis=0)[:, None], duration)
    return pd.DataFrame(columns, index=classes), {
        name: values[0].item() for name, values in overall.items()
    }


def _scores(n_hits, n_true, n_predicted, n_found, n_correct, duration):
    with np.errstate(invalid="ignore"):  # 0 / 0 is NaN
        return {
            "precision": n_hits / n_predicted,
            "recall": n_hits / n_true,
            "f1": 2 * n_hits / (n_true + n_predicted),
            "n_true": n_true,
            "n_predicted": n_predicted,
            "false_alarms_per_hour": (n_predicted - n_correct) * 3600 / duration,
            "overlap_precision": n_correct / n_predicted,
            "overlap_recall": n_found / n_true,
        }


def _counts(true, predicted, collar):
    """Return how many events of a class are hits, true, predicted, and overlap one another.

    The latter are two numbers: of true events, and of predicted ones.
    """
    overlaps = (int(overlapped(*pair).sum()) for pair in ((true, predicted), (predicted, true)))
    return count_hits(true, predicted, collar), len(true), len(predicted), *overlaps


def events_of(table, label):
    """Return an array of the starts and ends of a class; those that touch are one event."""
    spans = table.loc[table.label == label, ["start", "end"]].to_numpy()
    if len(spans) == 0:
        return spans
    ends = np.maximum.accumulate(spans[:, 1])
    firsts = np.flatnonzero(np.append(True, spans[1:, 0] - ends[:-1] >= SAME_TIME))
    return np.column_stack([spans[firsts, 0], np.maximum.reduceat(spans[:, 1], firsts)])


def overlapped(events, others):
    """Return which events overlap one of the others; both are sorted and have no overlaps."""
    if len(others) == 0:
        return np.zeros(len(events), dtype=bool)
    # The last other event that starts before the end of an event.
    places = np.searchsorted(others[:, 0], events[:, 1] - SAME_TIME) - 1
    return (places >= 0) & (others[places, 1] - SAME_TIME > events[:, 0])


def count_hits(true, predicted, collar):
    """Return the largest number of pairs of true and predicted events that match."""
    starts = predicted[:, 0]
    firsts = np.searchsorted(starts, true[:, 0] - collar - SAME_TIME)
    lasts = np.searchsorted(starts, true[:, 0] + collar + SAME_TIME, side="right")
    n_near = lasts - firsts
    rows = np.repeat(np.arange(len(true)), n_near)
    columns = np.arange(n_near.sum()) + np.repeat(lasts - np.cumsum(n_near), n_near)
    late_starts, late_ends = np.abs(predicted[columns] - true[rows]).T
    allowed = np.maximum(collar, END_SHARE * np.diff(true)[:, 0])
    is_match = at_most(late_starts, collar) & at_most(late_ends, allowed[rows])
    if not is_match.any():
        return 0
    pairs = rows[is_match], columns[is_match]
    graph = csr_matrix((np.ones(len(pairs[0]), bool), pairs), (len(true), len(predicted)))
    return int((maximum_bipartite_matching(graph, perm_type="column") >= 0).sum())

"""Scores of boundaries: which changes of the label were found."""

import numpy as np

from skdaf._segments.tables import SAME_TIME, at_most


def boundary_scores(counts):
    """Return precision, recall and F1 of the boundaries of recordings, from `count_boundaries`."""
    n_hits, n_found, n_expected = np.sum(counts, axis=0).tolist()
    return (
        _share(n_hits, n_found),
        _share(n_hits, n_expected),
        _share(2 * n_hits, n_found + n_expected),
    )


def count_boundaries(true, predicted, tolerance):
    """Return how many boundaries inside the labeled time are hits, predicted, and true."""
    first, last = true.start.iloc[0], true.end.iloc[-1]

    def inside(instants):
        is_near = at_most(instants - first, tolerance) | at_most(last - instants, tolerance)
        return instants[~is_near]

    expected, found = inside(_boundaries(true)), inside(_boundaries(predicted))
    found = found[at_most(_distances(found, true), tolerance)]
    return count_matches(expected, found, tolerance), len(found), len(expected)


def _boundaries(table):
    instants = np.unique(table[["start", "end"]])
    return instants[np.append(True, np.diff(instants) >= SAME_TIME)[: len(instants)]]


def _distances(instants, table):
    """Return the distance of each instant from the nearest segment of a table; 0 inside one."""
    starts, ends = table.start.to_numpy(), table.end.to_numpy()
    places = np.searchsorted(starts, instants, side="right")
    since_last = instants - np.append(-np.inf, ends)[places]
    to_next = np.append(starts, np.inf)[places] - instants
    return np.clip(np.minimum(since_last, to_next), 0, None)


def count_matches(first, second, tolerance):
    """Count the pairs of matching instants, using each instant once.

    Repeatedly pairing the earliest two that match gives the largest number of pairs.
    """
    first, second = first.tolist(), second.tolist()
    n_pairs = i = j = 0
    while i < len(first) and j < len(second):
        difference = first[i] - second[j]
        n_pairs += at_most(abs(difference), tolerance)
        i, j = i + at_most(difference, tolerance), j + at_most(-difference, tolerance)
    return n_pairs


def _share(part, whole):
    return part / whole if whole else float("nan")

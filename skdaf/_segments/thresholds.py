"""Thresholds: which windows get a label, and which windows contain a class."""

from collections.abc import Mapping
from numbers import Real

import numpy as np

from skdaf._core.arrays import plain_scalar
from skdaf._core.validation import StrictInterval
from skdaf._segments.events import events_of
from skdaf._segments.tables import at_most

_TIMES = ["start", "end"]

_PROBABILITY = StrictInterval(Real, 0, 1, closed="right")


def check_threshold(threshold, classes):
    """Return one threshold per class (NaN for classes without one), or None.

    Parameters
    ----------
    threshold : float, dict or None
        One threshold for all classes, or a dict of thresholds. Its keys are compared with the
        classes as text.
    classes : array of shape (n_classes,)
        The classes, in the order of the columns of probabilities.
    """
    if threshold is None:
        return None
    texts = [str(label) for label in classes]
    if not isinstance(threshold, Mapping):
        return np.full(len(texts), float(threshold))
    given = {str(label): value for label, value in threshold.items()}
    unknown = [label for label in given if label not in texts]
    if unknown:
        raise ValueError(
            f"threshold has values for {unknown}, which are not classes of the estimator: "
            f"its classes are {texts}."
        )
    for label, value in given.items():
        if not _PROBABILITY.is_satisfied_by(value):
            raise ValueError(
                f"threshold[{label!r}] must be a probability, 0 < threshold <= 1, got "
                f"{plain_scalar(value)!r}." + _hint_of_percent(value)
            )
    return np.array([given.get(text, np.nan) for text in texts], dtype=float)


def _hint_of_percent(value):
    is_percent = isinstance(value, Real) and 2 <= value <= 100
    return f" Did you mean {value / 100:g}?" if is_percent else ""


def winners(probabilities, thresholds, predicted):
    """Return the index of the class of each window; -1 if no class reaches its threshold.

    Of several classes that reach their thresholds, the one with the largest ratio of probability
    to threshold wins, and of equal ones the first. A class without a threshold (NaN) wins if it is
    the predicted class and none reaches a threshold.

    Parameters
    ----------
    probabilities : ndarray of shape (n_windows, n_classes)
    thresholds : ndarray of shape (n_classes,)
    predicted : ndarray of shape (n_windows,)
        The index of the class that the classifier predicts, which need not be the most probable
        one.
    """
    # In the precision of the table, so that users who compare its columns get the same windows.
    thresholds = thresholds.astype(probabilities.dtype)
    reached = probabilities >= thresholds
    ratios = np.where(reached, probabilities / thresholds, -1)
    others = np.where(np.isnan(thresholds)[predicted], predicted, -1)
    return np.where(reached.any(axis=1), ratios.argmax(axis=1), others)


def contains(windows, events, label):
    """Return which windows contain a class."""
    return coverage(windows, events, label)[1]


def coverage(windows, events, label):
    """Return how many seconds of each window a class covers, and which windows contain it.

    Time that several events of the class cover counts once. Both tables are sorted by time.
    """
    times = windows[_TIMES].to_numpy(float)
    covered = _covered_seconds(times, events_of(events, label))
    is_half_covered = at_most(np.diff(times)[:, 0] / 2, covered) & (covered > 0)
    spans = events.loc[events.label == label, _TIMES].to_numpy(float)
    return covered, is_half_covered | _cover_half(times, spans)


def _covered_seconds(windows, spans):
    """Return how many seconds of each window are in spans, which do not overlap."""
    firsts = np.searchsorted(spans[:, 1], windows[:, 0], side="right")
    lasts = np.searchsorted(spans[:, 0], windows[:, 1])
    rows, places = _pairs(firsts, lasts)
    return np.bincount(rows, _overlap(windows[rows], spans[places]), minlength=len(windows))


def _cover_half(windows, spans):
    """Return which windows cover at least half of one of the spans."""
    is_in = np.zeros(len(windows), dtype=bool)
    halves = np.diff(spans)[:, 0] / 2
    # Longer spans would have many windows.
    spans = spans[at_most(halves, np.diff(windows).max(initial=0))]
    firsts = np.searchsorted(np.maximum.accumulate(windows[:, 1]), spans[:, 0], side="right")
    rows, places = _pairs(firsts, np.searchsorted(windows[:, 0], spans[:, 1]))
    overlap = _overlap(windows[places], spans[rows])
    is_half = at_most(np.diff(spans)[rows, 0] / 2, overlap) & (overlap > 0)
    is_in[places[is_half]] = True
    return is_in


def _pairs(firsts, lasts):
    """Return two arrays: a number for each range, and the places in it, one after the other."""
    counts = np.maximum(lasts - firsts, 0)
    rows = np.repeat(np.arange(len(counts)), counts)
    return rows, np.arange(len(rows)) + np.repeat(firsts - np.cumsum(counts) + counts, counts)


def _overlap(first, second):
    return np.minimum(first[:, 1], second[:, 1]) - np.maximum(first[:, 0], second[:, 0])

"""Thresholds: which windows get a label, and which windows contain a class."""

from collections.abc import Mapping
from numbers import Real

import numpy as np

from skdaf._core.validation import StrictInterval
from skdaf._segments.tables import SAME_TIME

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
                f"threshold[{label!r}] must be a probability, 0 < threshold <= 1, got {value!r}."
                + _hint_of_percent(value)
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
    """Return how many seconds of each window a class covers, and which windows contain it."""
    spans = events.loc[events.label == label, ["start", "end"]].to_numpy()
    covered, is_positive = np.zeros(len(windows)), np.zeros(len(windows), dtype=bool)
    starts, ends = windows.start.to_numpy(), windows.end.to_numpy()
    for start, end in spans:
        overlap = np.clip(np.minimum(ends, end) - np.maximum(starts, start), 0, None)
        covered += overlap
        # Rounding must not decide about exactly half.
        is_positive |= overlap >= (end - start) / 2 - SAME_TIME
    return covered, is_positive | (covered >= (ends - starts) / 2 - SAME_TIME)

"""Thresholds: which windows get a label, and tune_thresholds, which chooses them."""

import warnings
from collections.abc import Mapping, Sequence
from numbers import Real
from typing import Any

import numpy as np
import pandas as pd
from sklearn.utils._param_validation import Interval

from skdaf._core.public import public
from skdaf._core.typing import PathLike
from skdaf._core.validation import StrictInterval, validate_params
from skdaf._segments.false_alarms import lowest_threshold
from skdaf._segments.merge import without_labels
from skdaf._segments.reading import checked_table
from skdaf._segments.tables import (
    COLUMNS,
    SAME_TIME,
    as_texts,
    check_segments,
    paired,
    probability_columns,
)

# In seconds: tables may be rounded.
_SAME_DURATION = 0.01

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
            )
    return np.array([given.get(text, np.nan) for text in texts], dtype=float)


def winners(probabilities, thresholds):
    """Return the index of the class of each window; -1 if no class reaches its threshold.

    Of several classes that reach their thresholds, the one with the largest ratio of probability
    to threshold wins. A class without a threshold (NaN) wins if it is the most probable class and
    none reaches a threshold.
    """
    # In the precision of the table, so that users who compare its columns get the same windows.
    thresholds = thresholds.astype(probabilities.dtype)
    reached = probabilities >= thresholds
    ratios = np.where(reached, probabilities / thresholds, -1)
    most_probable = probabilities.argmax(axis=1)
    others = np.where(np.isnan(thresholds)[most_probable], most_probable, -1)
    return np.where(reached.any(axis=1), ratios.argmax(axis=1), others)


@public
@validate_params(
    {"max_false_alarms_per_hour": [Interval(Real, 0, None, closed="left"), None]},
)
def tune_thresholds(
    true: pd.DataFrame | PathLike | Sequence[pd.DataFrame | PathLike],
    predicted: pd.DataFrame | Sequence[pd.DataFrame],
    *,
    background: Any = None,
    max_false_alarms_per_hour: float | None = None,
) -> dict[str, float]:
    """Choose the threshold of each class on annotated recordings: best F1, or few false alarms.

    The classes are those of the true segments. A window contains a class if segments of the class
    cover at least half of the window, or the window covers at least half of one of them. For each
    class by itself, the threshold is the probability above which windows must be taken for it so
    that F1 over all windows is highest. Of equally good thresholds, the highest is chosen.

    With `max_false_alarms_per_hour`, it is the lowest threshold with at most this many false
    alarms, so that as many events as possible are found.

    Use recordings that the classifier was not trained on, otherwise the thresholds do not fit new
    ones.

    Parameters
    ----------
    true : pandas.DataFrame, str, os.PathLike, or list of them
        The true segments of a recording, or of several, with the columns `start`, `end` (s) and
        `label`, or the paths of files for `read_segments`. All events must be annotated.
    predicted : pandas.DataFrame or list of them
        The windows of the same recordings, as returned by `predict_segments`, with a column of
        probabilities for each class.
    background : label or list of labels, default=None
        Labels that are not events, compared as text. They get no threshold.
    max_false_alarms_per_hour : float, default=None
        The largest number of false alarms of each class per hour, instead of the best F1. As in
        `segment_report`, windows of a class that touch or overlap are one event, which is a false
        alarm if it overlaps no true event of the class. The number is not exceeded at any higher
        threshold either. Smoothing, `min_duration` and other classes that win a window usually
        remove some of the false alarms that are counted here.

    Returns
    -------
    thresholds : dict of str to float
        The threshold of each class that occurs in `true`, for the parameter `threshold` of
        `predict_segments`. The keys are classes as text.

    Raises
    ------
    TypeError
        If a table is not one, or `background` is not a label.
    ValueError
        If the numbers of tables differ, `true` has no segments, `predicted` has no column of
        probabilities for a class, or `max_false_alarms_per_hour` is negative.

    Warns
    -----
    UserWarning
        If no window contains a class, or if `predicted` has a column of probabilities for a class
        that neither occurs in `true` nor is background. Such a class gets no threshold, so
        `predict_segments` gives its label to windows in which it is the most probable class and no
        other class reaches its threshold. Also if the rows of `predicted` have different durations,
        as after `merge_segments`: thresholds are for windows. Also if the most probable windows of
        a class already make too many false alarms: its threshold is then above their probability.

    See Also
    --------
    predict_segments : Its parameter `threshold` takes the result.
    sklearn.model_selection.TunedThresholdClassifierCV : The same for two classes of clips.

    Examples
    --------
    >>> import pandas as pd
    >>> from skdaf import tune_thresholds
    >>> true = pd.DataFrame({"start": [2.0], "end": [4.0], "label": ["bird"]})
    >>> windows = pd.DataFrame({"start": [0.0, 2.0, 4.0], "end": [2.0, 4.0, 6.0], "label": "wind"})
    >>> windows["bird"] = [0.1, 0.4, 0.2]
    >>> tune_thresholds(true, windows)
    {'bird': 0.4}

    One false alarm in these ten seconds, which is 360 per hour:

    >>> windows = windows.assign(start=[0.0, 4.0, 8.0], end=[2.0, 6.0, 10.0])
    >>> tune_thresholds(true.assign(end=6.0), windows, max_false_alarms_per_hour=360)
    {'bird': 0.2}
    """
    background = as_texts(background, "background")
    pairs = _pairs(true, predicted, background)
    if not all(_are_windows(windows) for _, windows in pairs):
        warnings.warn(
            "The rows of predicted have different durations, as after merge_segments. The "
            "thresholds apply to windows: pass the table that predict_segments returns.",
            # The decorator that checks parameters is in between.
            stacklevel=3,
        )
    classes = sorted({label for events, _ in pairs for label in events.label})
    if not classes:
        raise ValueError("true has no segments of a class that is not background.")
    columns = {label: [_probabilities(table, label) for _, table in pairs] for label in classes}
    if max_false_alarms_per_hour is None:
        thresholds = {label: _best_f1(pairs, label, columns[label]) for label in classes}
    else:
        thresholds = _with_few_false_alarms(pairs, columns, max_false_alarms_per_hour)
    empty = [label for label, threshold in thresholds.items() if threshold is None]
    if empty:
        warnings.warn(
            f"No window contains the classes {empty} with a probability above 0, so they get no "
            "threshold.",
            stacklevel=3,
        )
    others = _other_classes([windows for _, windows in pairs], [*classes, *background])
    if others:
        warnings.warn(
            f"The classes {others} have probabilities in predicted but no segments in true, so "
            "they get no threshold: predict_segments gives the label of such a class to windows in "
            "which it is the most probable one and no other class reaches its threshold. If they "
            "are no events, add them to background=.",
            stacklevel=3,
        )
    return {label: value for label, value in thresholds.items() if value is not None}


def _pairs(true, predicted, background):
    """Return pairs of checked tables: the events of a recording and its windows."""
    pairs = []
    for events, windows in paired(true, predicted):
        events = checked_table(events, "true")
        events = events.assign(label=events.label.astype(str))
        windows = check_segments(windows, "predicted", unlabeled=True)
        # With several labels per clip, a window has a row for each.
        windows = windows.drop_duplicates(["start", "end"], ignore_index=True)
        pairs.append((without_labels(events, background), windows))
    return pairs


def _are_windows(table):
    """Return whether all rows have the same duration; only the last one may be shorter."""
    if len(table) == 0:
        return True
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


def contains(windows, events, label):
    """Return which windows contain a class."""
    spans = events.loc[events.label == label, ["start", "end"]].to_numpy()
    covered, is_positive = np.zeros(len(windows)), np.zeros(len(windows), dtype=bool)
    starts, ends = windows.start.to_numpy(), windows.end.to_numpy()
    for start, end in spans:
        overlap = np.clip(np.minimum(ends, end) - np.maximum(starts, start), 0, None)
        covered += overlap
        # Rounding must not decide about exactly half.
        is_positive |= overlap >= (end - start) / 2 - SAME_TIME
    return is_positive | (covered >= (ends - starts) / 2 - SAME_TIME)


def _probabilities(windows, label):
    (column,) = probability_columns([label])
    candidates = [name for name in windows.columns if str(name) == column]
    if len(candidates) != 1:
        raise ValueError(
            f"predicted must have a column of probabilities {column!r} for the class {label!r}, as "
            f"predict_segments returns it, got the columns {list(windows.columns)}."
        )
    values = windows[candidates[0]].to_numpy()
    # In the precision of the table, in which `winners` compares.
    return values if values.dtype.kind == "f" else values.astype(float)


def _best_f1(pairs, label, columns):
    """Return the threshold with the highest F1, None if no positive window has a probability."""
    is_positive = np.concatenate([contains(windows, events, label) for events, windows in pairs])
    probabilities = np.concatenate(columns)
    order = np.argsort(-probabilities, kind="stable")
    probabilities, n_hits = probabilities[order], np.cumsum(is_positive[order])
    f1 = 2 * n_hits / (np.arange(1, len(order) + 1) + n_hits[-1:])
    # Windows of the same probability are detected together; nothing is detected at zero.
    is_last = np.append(probabilities[1:] != probabilities[:-1], True)[: len(order)]
    f1 = np.where(is_last & (probabilities > 0), f1, 0)
    return float(probabilities[f1.argmax()]) if f1.any() else None


def _with_few_false_alarms(pairs, columns, max_per_hour):
    """Return the lowest threshold of each class with few false alarms; None for empty classes."""
    thresholds, too_many = {}, []
    for label, own in columns.items():
        thresholds[label], is_met = lowest_threshold(pairs, label, own, max_per_hour)
        if thresholds[label] is not None and not is_met:
            too_many.append(label)
    if too_many:
        warnings.warn(
            f"Even the most probable windows of the classes {too_many} make more than "
            f"max_false_alarms_per_hour={max_per_hour:g}, so their thresholds are higher than all "
            "their probabilities, or 1: nothing, or almost nothing, is detected.",
            stacklevel=4,
        )
    return thresholds

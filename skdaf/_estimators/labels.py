"""Labels of clips: encode them as numbers, and weight their classes."""

import os
from datetime import datetime
from difflib import get_close_matches
from numbers import Real
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray
from sklearn.utils import column_or_1d
from sklearn.utils._missing import is_pandas_na
from sklearn.utils.class_weight import compute_class_weight
from sklearn.utils.multiclass import check_classification_targets
from sklearn.utils.validation import assert_all_finite

from skdaf._core.arrays import as_array, plain_scalar

# Messages name at most this many labels.
_MAX_NAMES = 10


class EncodedLabels(NamedTuple):
    """The labels of clips, in the form that training needs.

    Attributes
    ----------
    classes : ndarray of shape (n_classes,)
        The labels that occur, sorted.
    targets : ndarray of shape (n_clips,), int64
        The index in `classes` of each clip's label.
    class_weights : ndarray of shape (n_classes,), float32
        The weight of each class in the loss; the mean over all clips is one.
    counts : ndarray of shape (n_classes,)
        The number of clips of each class, or the sum of their weights.
    """

    classes: NDArray
    targets: NDArray[np.int64]
    class_weights: NDArray[np.float32]
    counts: NDArray[np.float64]


def encode_labels(y, n_clips, class_weight, estimator_name, sample_weight=None):
    """Check labels and return them as `EncodedLabels`.

    Parameters
    ----------
    y : array-like of shape (n_clips,)
    n_clips : int
    class_weight : dict, "balanced", "sqrt" or None
    estimator_name : str
        For error messages.
    sample_weight : ndarray of shape (n_clips,), default=None
        Clips count as often as their weights say.

    Raises
    ------
    ValueError
        If there is not one label per clip, or fewer than two classes.
    """
    if y is None:
        raise ValueError(f"{estimator_name} requires y to be passed, but the target y is None.")
    y = _check_labels(y, "y")
    if len(y) != n_clips:
        raise ValueError(
            f"Found input variables with inconsistent numbers of samples: {[n_clips, len(y)]}"
        )
    classes, targets = np.unique(y, return_inverse=True)
    counts = np.bincount(targets, sample_weight)
    if np.count_nonzero(counts) < 2:
        with_weights = "" if sample_weight is None else " with a sample_weight above zero"
        raise ValueError(
            f"{estimator_name} needs clips of at least 2 classes, but the data contains "
            f"only one class{with_weights}: {classes.tolist()[counts.argmax()]!r}."
        )
    weights = _class_weights(class_weight, classes, counts)
    return EncodedLabels(classes, targets.astype(np.int64), weights, counts)


def encode_known_labels(y, classes, n_clips, name="y_val", known_from="y", advice=""):
    """Return the index in `classes` of each label of clips; a label that is not there is an error.

    `name` is what `y` is called in errors, and `known_from` the parameter with the known labels.
    Errors about unknown labels end with `advice`.
    """
    # Whether they are classes is known; a few clips of many classes would look like other numbers.
    y = _as_labels(y, name)
    if len(y) != n_clips:
        raise ValueError(f"{name} must contain {n_clips} labels, one per clip, got {len(y)}.")
    unknown = sorted(set(y.tolist()) - set(classes.tolist()), key=str)
    if unknown and isinstance(unknown[0], str) and os.path.isfile(unknown[0]):
        raise ValueError(
            f"{name} contains files, such as {unknown[0]!r}: pass the files first, and then the "
            "labels."
        )
    if unknown:
        raise ValueError(
            f"{name} contains labels that {known_from} does not: {unknown[:5]}. Expected: "
            f"{classes.tolist()}. {advice}".rstrip()
        )
    return np.searchsorted(classes, y).astype(np.int64)


def encode_partial_labels(y, classes, n_clips, class_weight, sample_weight, counts_before):
    """Return some clips of a stream as `EncodedLabels`; some of `classes` may be missing.

    The class weights are those of all clips so far: `counts_before` counts the earlier ones.
    """
    if y is None:
        raise ValueError("partial_fit requires y to be passed, but the target y is None.")
    targets = encode_known_labels(y, classes, n_clips, "y", "classes", ADD_CLASSES)
    counts = counts_before + np.bincount(targets, sample_weight, minlength=len(classes))
    weights = _class_weights(class_weight, classes, counts)
    return EncodedLabels(classes, targets, weights, counts)


# How to continue where the classes of a fitted network have to stay the same.
ADD_CLASSES = (
    "To add classes, fit a new estimator with pretrained=FrozenEstimator(this one) to clips of all "
    "classes, the old and the new ones."
)


def check_classes(classes, known=None):
    """Return the classes for `partial_fit`, sorted.

    Parameters
    ----------
    classes : array-like of shape (n_classes,) or None
    known : ndarray of shape (n_classes,), default=None
        The classes of the previous call; None in the first one.

    Raises
    ------
    ValueError
        If they differ, if there are fewer than two, or if they are missing in the first call.
    """
    if classes is None:
        if known is None:
            raise ValueError("classes must be passed on the first call to partial_fit.")
        return known
    check_none_missing(classes, "classes")
    found = np.unique(column_or_1d(as_array(classes)))
    if known is not None and not np.array_equal(found, known):
        raise ValueError(
            f"`classes={found.tolist()}` is not the same as on last call to partial_fit, was: "
            f"{known.tolist()}. {ADD_CLASSES}"
        )
    if len(found) < 2:
        raise ValueError(f"classes must contain at least 2 classes, got {found.tolist()}.")
    return found


def check_same_classes(classes, known):
    """Raise ValueError if the classes differ from those of the fit that `warm_start` continues."""
    if not np.array_equal(classes, known):
        raise ValueError(
            "warm_start can only be used where `y` has the same classes as in the previous call to "
            f"fit. Previously got {known.tolist()}, `y` has {classes.tolist()}. {ADD_CLASSES}"
        )


def _as_labels(y, name):
    """Return labels as a one-dimensional array, without missing values."""
    y = as_array(y)
    if getattr(getattr(y, "dtype", None), "kind", "") == "T":
        # scikit-learn does not know NumPy's strings of any length.
        y = y.astype(object)
    check_none_missing(y, name)
    _check_no_lists(y, name)
    shape = getattr(y, "shape", ())
    if len(shape) == 2 and shape[1] > 1:
        raise ValueError(f"{name} must have one label per clip, got the shape {tuple(shape)}.")
    y = column_or_1d(y, warn=True)
    assert_all_finite(y, input_name=name)
    return y


def _check_labels(y, name):
    """Return labels as a one-dimensional array; raise ValueError if they are not classes."""
    y = _as_labels(y, name)
    try:
        check_classification_targets(y)
    except ValueError as error:
        hint = " For numbers, use CNNAudioRegressor." if y.dtype.kind == "f" else ""
        raise ValueError(f"{error}{hint}") from error
    return y


def _check_no_lists(y, name):
    """Raise ValueError if the labels are lists of labels."""
    if isinstance(y, np.ndarray) and y.shape[1:] == (1,):
        return  # a column with one label per clip
    rows = y if isinstance(y, (list, tuple)) else getattr(y, "tolist", list)()
    lists = [row for row in rows if isinstance(row, (list, tuple, set, frozenset))]
    if any(isinstance(item, str) for row in lists for item in row) or len(set(map(len, lists))) > 1:
        raise ValueError(
            f"{name} contains lists of labels, such as {str(lists[0])[:60]}. For several labels "
            f"per clip, pass an indicator: MultiLabelBinarizer().fit_transform({name})."
        )


def check_none_missing(y, name, kind="label"):
    """Raise ValueError if a value is None, NaN or NA: as strings, they would become classes."""
    labels = np.asarray(y, dtype=object)
    n_rows = len(labels) if labels.ndim else 1
    is_bad = np.array([_is_missing(label) for label in labels.ravel()], dtype=bool)
    rows = np.flatnonzero(is_bad.reshape(n_rows, -1).any(axis=1)) if len(is_bad) else is_bad
    if len(rows):
        raise ValueError(
            f"Input {name} contains NaN, None or NA in {len(rows)} of {n_rows} rows (first in "
            f"row {rows[0]}): each clip needs a {kind}."
        )


def _is_missing(label):
    if label is None or is_pandas_na(label):
        return True
    # Not-a-number and not-a-time differ from themselves.
    return isinstance(label, (float, datetime, np.generic)) and bool(label != label)


def check_keys_of_weights(class_weight, labels):
    """Raise ValueError if a dict of class weights has keys that are no label."""
    labels = [plain_scalar(label) for label in labels]
    unknown = [plain_scalar(key) for key in class_weight if key not in labels]
    if not unknown:
        return
    keys = f"the key {unknown[0]!r}, which is no label"
    if len(unknown) > 1:
        keys = f"the keys {_listed(unknown)}, which are no labels"
    raise ValueError(
        f"class_weight has {keys}: the labels are {_listed(labels)}.{_hint(unknown[0], labels)}"
    )


def _listed(values):
    more = f" and {len(values) - _MAX_NAMES} more" if len(values) > _MAX_NAMES else ""
    return ", ".join(map(repr, values[:_MAX_NAMES])) + more


def _hint(key, labels):
    """Return a sentence that says which key may be meant."""
    # A number that is similar to another is hardly a typing error.
    texts = [label for label in labels if isinstance(key, str) or isinstance(label, str)]
    by_text = {str(label).lower(): label for label in texts}
    close = get_close_matches(str(key).lower(), by_text, n=1)
    if close:
        return f" Did you mean {by_text[close[0]]!r}?"
    if isinstance(key, str) and labels == [*range(len(labels))]:
        return " A VotingClassifier numbers the classes, in sorted order: use these numbers."
    return ""


def check_weights_of_classes(class_weight):
    """Raise ValueError unless the values of a dict of class weights are weights."""
    for label, weight in class_weight.items():
        if not (isinstance(weight, Real) and 0 <= weight < np.inf):
            raise ValueError(
                f"class_weight[{plain_scalar(label)!r}] must be a number that is at least 0, got "
                f"{plain_scalar(weight)!r}."
            )


def _class_weights(class_weight, classes, counts):
    """Return one weight per class; with "balanced" or "sqrt", those without clips have none."""
    if class_weight in ("balanced", "sqrt"):
        weights = counts.sum() / np.count_nonzero(counts) / np.where(counts, counts, np.inf)
        weights = np.sqrt(weights) if class_weight == "sqrt" else weights
    else:
        class_weight = class_weight or {}
        check_weights_of_classes(class_weight)
        # As in scikit-learn, other keys do no harm if they are not instead of the right ones.
        if any(label not in class_weight for label in classes.tolist()):
            check_keys_of_weights(class_weight, classes.tolist())
        weights = compute_class_weight(class_weight, classes=classes, y=classes)
    # The mean weight of the clips must be one, whether labels are blended or not.
    weights = weights * (counts.sum() / (weights * counts).sum())
    return weights.astype(np.float32)

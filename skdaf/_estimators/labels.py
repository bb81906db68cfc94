"""Labels of clips: encode them as numbers, weight their classes, split them."""

from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray
from sklearn.model_selection import train_test_split
from sklearn.utils import column_or_1d
from sklearn.utils.class_weight import compute_class_weight
from sklearn.utils.multiclass import check_classification_targets
from sklearn.utils.validation import assert_all_finite

from skdaf._core.arrays import as_array


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
    """

    classes: NDArray
    targets: NDArray[np.int64]
    class_weights: NDArray[np.float32]


def encode_labels(y, n_clips, class_weight, estimator_name):
    """Check labels and return them as `EncodedLabels`.

    Raises
    ------
    ValueError
        If there is not one label per clip, or fewer than two classes.
    """
    if y is None:
        raise ValueError(f"{estimator_name} requires y to be passed, but the target y is None.")
    y = column_or_1d(as_array(y), warn=True)
    assert_all_finite(y, input_name="y")
    check_classification_targets(y)
    if len(y) != n_clips:
        raise ValueError(
            f"Found input variables with inconsistent numbers of samples: {[n_clips, len(y)]}"
        )
    classes, targets = np.unique(y, return_inverse=True)
    if len(classes) < 2:
        raise ValueError(
            f"{estimator_name} needs clips of at least 2 classes, but the data contains "
            f"only one class: {classes.tolist()[0]!r}."
        )
    weights = _class_weights(class_weight, classes, y)
    # The mean weight of the clips must be one, whether labels are blended or not.
    weights = weights / weights[targets].mean()
    return EncodedLabels(classes, targets.astype(np.int64), weights.astype(np.float32))


def _class_weights(class_weight, classes, y):
    if class_weight == "sqrt":
        return np.sqrt(compute_class_weight("balanced", classes=classes, y=y))
    return compute_class_weight(class_weight, classes=classes, y=y)


def split_stratified(targets, n_held_out, random_state):
    """Return the rows to train on, and the held-out rows (None if there are too few clips)."""
    rows = np.arange(len(targets))
    if n_held_out == 0 or np.bincount(targets).min() < 2:
        return rows, None
    return train_test_split(rows, test_size=n_held_out, stratify=targets, random_state=random_state)

"""Several labels per clip: check and encode indicator matrices, and weight their labels."""

from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray
from scipy.sparse import issparse
from sklearn.utils.validation import assert_all_finite

from skdaf._audio.columns import column_names
from skdaf._core.arrays import as_array
from skdaf._core.user_warnings import warn_user
from skdaf._estimators.labels import (
    ADD_CLASSES,
    check_keys_of_weights,
    check_none_missing,
    check_weights_of_classes,
)

# A message names at most this many labels.
_MAX_NAMES = 10


class EncodedIndicator(NamedTuple):
    """The labels of clips that may have several of them, in the form that training needs.

    Attributes
    ----------
    classes : ndarray of shape (n_labels,)
        The names of the columns of a table, if all are text or all are integers; else their
        positions.
    targets : ndarray of shape (n_clips, n_labels), float32
        1 where a clip has a label, else 0.
    class_weights : ndarray of shape (2, n_labels), float32
        The weights, in the loss, of a label that is absent and of one that is present; the mean
        over all clips and labels is one.
    dtype : str
        The data type of the values in `y`.
    is_sparse : bool
        Whether `y` is a sparse matrix.
    counts : ndarray of shape (1 + n_labels,)
        The number of clips, and the number of those with each label, both weighted.
    """

    classes: NDArray
    targets: NDArray[np.float32]
    class_weights: NDArray[np.float32]
    dtype: str
    is_sparse: bool
    counts: NDArray[np.float64]


def has_several_columns(y):
    """Return whether `y` is a table, matrix or nested list with more than one column."""
    shape = np.shape(y) if hasattr(y, "shape") else _shape_of_list(y)
    return len(shape) == 2 and shape[1] > 1


def encode_indicator(y, n_clips, class_weight, estimator_name, sample_weight=None):
    """Check an indicator matrix and return it as `EncodedIndicator`.

    Parameters
    ----------
    y : array-like, sparse matrix or table of shape (n_clips, n_labels)
        1 (or True) where a clip has a label, else 0 (or False).
    n_clips, class_weight, estimator_name, sample_weight
        As in `encode_labels`. A dict of class weights has the weights of labels that are present,
        relative to absent ones.

    Warns
    -----
    UserWarning
        If all clips have a label, or none has it.
    """
    values, names = _check_indicator(y, "y", n_clips)
    n_used = n_clips if sample_weight is None else np.count_nonzero(sample_weight)
    if n_used < 2:
        raise ValueError(f"{estimator_name} needs at least 2 clips to train on, got 1 sample.")
    classes = np.arange(values.shape[1]) if names is None else np.array(names)
    targets = values.astype(np.float32)
    counts = _counts(targets, sample_weight)
    _warn_of_constants(classes, counts)
    class_weights = _weights_of_labels(class_weight, classes, counts)
    return EncodedIndicator(classes, targets, class_weights, _type_of(values), issparse(y), counts)


def encode_partial_indicator(y, classes, known, n_clips, class_weight, sample_weight, before):
    """Return some clips of a stream as `EncodedIndicator`.

    Parameters
    ----------
    classes : array-like of shape (n_labels,) or None
        The labels, in the order of the columns of `y`.
    known : ndarray of shape (n_labels,) or None
        The labels of the previous call; None in the first one.
    before : ndarray of shape (1 + n_labels,), or 0
        The counts of earlier clips: the class weights are those of all clips so far.
    """
    if classes is None and known is None:
        raise ValueError("classes must be passed on the first call to partial_fit.")
    if classes is None:
        classes = known
    classes = np.asarray(as_array(classes))
    if known is not None and not np.array_equal(classes, known):
        raise ValueError(
            f"`classes={classes.tolist()}` is not the same as on last call to partial_fit, was: "
            f"{known.tolist()}. {ADD_CLASSES}"
        )
    values, names = _check_indicator(y, "y", n_clips)
    if len(set(classes.tolist())) < len(classes):
        raise ValueError(f"classes contains a label twice: {classes.tolist()[:_MAX_NAMES]}.")
    if values.shape[1] != len(classes) or _are_others(names, classes):
        raise ValueError(
            f"y must have a column for each of the {len(classes)} classes, in the same order: "
            f"expected {classes.tolist()[:_MAX_NAMES]}, got {names or values.shape[1]}."
        )
    targets = values.astype(np.float32)
    counts = before + _counts(targets, sample_weight)
    weights = _weights_of_labels(class_weight, classes, counts)
    return EncodedIndicator(classes, targets, weights, _type_of(values), issparse(y), counts)


def encode_known_indicator(y, encoded, n_clips):
    """Return the targets of clips for validation, which have the same labels as those in `y`."""
    labels = encoded.classes.tolist()
    n_columns = np.shape(y)[1] if has_several_columns(y) else 1
    if n_columns != len(labels):
        raise ValueError(
            f"y_val must have {len(labels)} columns, one per label, as y does, got {n_columns}."
        )
    values, names = _check_indicator(y, "y_val", n_clips)
    if _are_others(names, encoded.classes):
        raise ValueError(
            f"y_val must have the columns of y, in the same order: expected {labels[:_MAX_NAMES]}, "
            f"got {names[:_MAX_NAMES]}."
        )
    return values.astype(np.float32)


def label_sets(targets, n_min):
    """Return the number of the set of labels of each clip; rare sets have a number in common.

    Parameters
    ----------
    targets : ndarray of shape (n_clips, n_labels)
    n_min : float
        A set of fewer clips is rare.
    """
    sets, counts = np.unique(targets, axis=0, return_inverse=True, return_counts=True)[1:]
    sets = sets.reshape(-1)
    sets[counts[sets] < n_min] = -1
    if np.count_nonzero(sets == -1) < 2:
        # A single clip cannot be both in training and held out.
        sets[sets == -1] = counts.argmax()
    return np.unique(sets, return_inverse=True)[1]


def _check_indicator(y, name, n_clips):
    """Return the values of an indicator as an array, and the names of its columns or None."""
    names = _names_of_labels(y)
    if names is not None and len(set(names)) < len(names):
        raise ValueError(f"{name} has several columns with the same name: {names[:_MAX_NAMES]}.")
    values = y.toarray() if issparse(y) else _dense(as_array(y), name)
    if len(values) != n_clips:
        raise ValueError(
            f"Found input variables with inconsistent numbers of samples: {[n_clips, len(values)]}"
        )
    _check_zeros_and_ones(values, name)
    return values, names


def _names_of_labels(y):
    """Return the names of the columns of a table if they can be the names of classes, else None."""
    names = column_names(y)
    for kind in (str, (int, np.integer)):
        if names is not None and all(isinstance(column, kind) for column in names):
            return names
    return None


def _are_others(names, classes):
    """Return whether the names of columns, or None, are not those of classes."""
    if names is None or classes.dtype.kind not in ("UO" if isinstance(names[0], str) else "iu"):
        return False
    return names != classes.tolist()


def _type_of(values):
    """Return the name of a data type, in the byte order of this machine."""
    return str(values.dtype.newbyteorder("="))


def _dense(y, name):
    check_none_missing(y, name, kind="value for each label")
    lengths = {np.size(row) for row in y} if isinstance(y, (list, tuple)) else ()
    if len(lengths) > 1:
        raise ValueError(f"{name} must have rows of the same length, got {sorted(lengths)[:5]}.")
    values = np.asarray(y)
    if values.dtype.kind == "O":
        # Tables with columns of different types of numbers.
        values = np.array(values.tolist())
    if values.dtype.kind == "f":
        assert_all_finite(values, input_name=name)
    return values


def _check_zeros_and_ones(values, name):
    if values.dtype.kind in "biuf" and np.isin(values, (0, 1)).all():
        return
    found = np.unique(values.astype(str))
    bad = [value for value in found.tolist() if value not in ("0", "1", "0.0", "1.0")]
    found = f"{bad[:5]}" if bad else f"text, such as {found.tolist()[0]!r}"
    raise ValueError(
        f"{name} has the shape {values.shape}. With several columns, it must be a multilabel "
        f"indicator: 1 where a clip has a label, else 0, but it contains {found}. For one label "
        "per clip, pass one column; for several numbers per clip, use CNNAudioRegressor."
    )


def _shape_of_list(y):
    """Return (n_rows, n_columns) if a list contains lists of numbers, else ()."""
    first = y[0] if isinstance(y, (list, tuple)) and len(y) else None
    is_row = isinstance(first, (list, tuple, np.ndarray)) and np.asarray(first).dtype.kind in "biuf"
    return (len(y), np.size(first)) if is_row else ()


def _counts(targets, sample_weight):
    """Return the number of clips, and the number of clips with each label."""
    weights = np.ones(len(targets)) if sample_weight is None else sample_weight
    return np.concatenate([[weights.sum()], weights @ targets])


def _warn_of_constants(classes, counts):
    total, *counts = counts
    constant = {
        "all clips have": classes[np.isclose(counts, total)].tolist(),
        "no clip has": classes[np.equal(counts, 0)].tolist(),
    }
    for who, labels in constant.items():
        if labels:
            rest = f" and {len(labels) - _MAX_NAMES} more" if len(labels) > _MAX_NAMES else ""
            warn_user(
                f"There is nothing to learn about the labels that {who}: {labels[:_MAX_NAMES]}"
                f"{rest}."
            )


def _weights_of_labels(class_weight, classes, counts):
    """Return the weights of labels that are absent and present, of shape (2, n_labels)."""
    total, counts = counts[0], counts[1:]
    counts = np.array([total - counts, counts])
    if class_weight in ("balanced", "sqrt"):
        # As if each label were a problem of two classes. Constant labels have no effect.
        weights = total / 2 / np.where(counts > 0, counts, total / 2)
        weights = np.sqrt(weights) if class_weight == "sqrt" else weights
    else:
        weights = np.ones(counts.shape)
        if class_weight is not None:
            weights[1] = _given_weights(class_weight, classes)
    return (weights * (counts.sum() / (weights * counts).sum())).astype(np.float32)


def _given_weights(class_weight, classes):
    labels = classes.tolist()
    check_keys_of_weights(class_weight, labels)
    check_weights_of_classes(class_weight)
    return [class_weight.get(label, 1.0) for label in labels]

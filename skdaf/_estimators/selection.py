"""Which clips train a network and how often, and which are held out."""

from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray
from sklearn.utils import _safe_indexing
from sklearn.utils.validation import _check_sample_weight

from skdaf._core.arrays import as_array, blocks
from skdaf._estimators.fitting import count_held_out
from skdaf._estimators.labels import check_none_missing
from skdaf._training.sampling import draw_by_weight

# Integer weights with a higher mean are treated as relative weights: repeating each clip so often
# would make epochs very long.
_MAX_REPEATS = 100


class ClipData(NamedTuple):
    """What `fit` got for each clip, without clips whose weight is zero.

    Attributes
    ----------
    clips, y : sequence of length n_clips
    targets : ndarray of length n_clips, or None
    weights : ndarray of shape (n_clips,) or None
        Above zero.
    groups : ndarray of shape (n_clips,) or None
        Numbers of groups.
    """

    clips: Any
    y: Any
    targets: NDArray | None
    weights: NDArray[np.float64] | None
    groups: NDArray[np.integer] | None

    def without_zeros(self):
        """Leave out clips with a weight of zero."""
        if self.weights is None or self.weights.all():
            return self
        rows = np.flatnonzero(self.weights)
        return ClipData(*(v if v is None else _safe_indexing(v, rows) for v in self))


class Selection(NamedTuple):
    """The rows of clips to train on and to hold out.

    Attributes
    ----------
    train_rows : ndarray of int
        A row that is to be repeated occurs several times.
    train_weights : ndarray of shape (n_train_rows,) or None
        How often to draw each row in an epoch, on average; None if each of them once.
    validation_rows : ndarray of int or None
    """

    train_rows: NDArray[np.integer]
    train_weights: NDArray[np.float64] | None
    validation_rows: NDArray[np.integer] | None


def check_weights(sample_weight, clips):
    """Return weights as an array; None if they are not given.

    Raises
    ------
    ValueError
        If there is not one finite weight of at least 0 per clip, or if all are 0.
    """
    if sample_weight is None:
        return None
    weights = _check_sample_weight(as_array(sample_weight), clips, dtype=np.float64)
    if (weights < 0).any():
        row = int(np.flatnonzero(weights < 0)[0])
        raise ValueError(
            f"sample_weight must not be negative, but row {row} contains {weights[row]:g}."
        )
    if not weights.any():
        raise ValueError("sample_weight must contain a weight above zero, but all are zero.")
    return weights


def encode_groups(groups, n_clips):
    """Return the number of the group of each clip; None if groups are not given."""
    if groups is None:
        return None
    groups = as_array(groups)
    if np.shape(groups) != (n_clips,):
        raise ValueError(
            f"groups must contain one value per clip, in the shape ({n_clips},), got "
            f"{np.shape(groups)}."
        )
    check_none_missing(groups, "groups", "group")
    return np.unique(np.asarray(groups), return_inverse=True)[1]


def check_validation_data(estimator, X_val, y_val):
    """Check that the user's clips for validation have targets, and are used."""
    if (X_val is None) != (y_val is None):
        missing = "X_val" if X_val is None else "y_val"
        raise ValueError(f"X_val and y_val belong together, but {missing} is None.")
    if X_val is not None and estimator.early_stopping is False:
        raise ValueError("X_val has no effect with early_stopping=False.")


def select(estimator, order, rng, data, *, classes=None, n_validation=0, hold_out=True):
    """Hold out clips if the estimator wants that, and repeat or weight the others.

    Parameters
    ----------
    estimator : NetworkEstimator
    order : ndarray of int
        The rows of clips, in an order that does not depend on the order of X.
    rng : RandomState
    data : ClipData
    classes : ndarray of shape (n_clips,), default=None
        The classes to stratify by.
    n_validation : int, default=0
        Number of clips that the user gave for validation; then no others are held out.
    hold_out : bool, default=True
        Whether clips may be held out.

    Returns
    -------
    Selection
    """
    weights = data.weights
    if n_validation:
        rows, held_out = order, np.arange(n_validation)
    else:
        n_classes = 2 if classes is None else len(np.unique(classes))
        n_held_out = count_held_out(estimator, len(order), n_classes) if hold_out else 0
        rows, held_out = _split(order, n_held_out, classes, data.groups, rng)
    if weights is None:
        return Selection(rows, None, held_out)
    if held_out is not None and not n_validation:
        held_out = draw_by_weight(held_out, _scaled(weights[held_out]), offset=0.5)
    if _are_repeats(weights):
        return Selection(np.repeat(rows, weights[rows].astype(int)), None, held_out)
    return Selection(rows, _scaled(weights[rows]), held_out)


def content_order(spectrograms, targets=None):
    """Return the rows in an order that depends only on their contents.

    Therefore a fit does not depend on the order of its clips, and clips with integer weights equal
    repeated clips.
    """
    n_values = int(np.prod(spectrograms.shape[1:]))
    direction = np.random.default_rng(0).standard_normal(n_values)
    # Sums of one row at a time do not depend on its place.
    keys = [
        np.add.reduce(np.multiply(row.reshape(-1), direction, dtype=np.float64))
        for block in blocks(spectrograms)
        for row in block
    ]
    columns = () if targets is None else np.reshape(targets, (len(targets), -1)).T
    return np.lexsort((*columns, keys))


def _are_repeats(weights):
    return not np.mod(weights, 1).any() and weights.mean() <= _MAX_REPEATS


def _scaled(weights):
    return weights / weights.mean()


def _split(rows, n_held_out, classes, groups, rng):
    """Return the rows to train on, and the held-out rows (None if there are too few clips)."""
    if n_held_out == 0 or _size_of_rarest(classes) < 2:
        return rows, None
    if groups is not None:
        return _split_groups(rows, n_held_out, classes, groups, rng)
    from sklearn.model_selection import train_test_split  # not at the top: predictions do without

    stratify = None if classes is None else classes[rows]
    return train_test_split(rows, test_size=n_held_out, stratify=stratify, random_state=rng)


def _size_of_rarest(classes):
    return np.inf if classes is None else np.unique(classes, return_counts=True)[1].min()


def _split_groups(rows, n_held_out, classes, groups, rng):
    """Hold out whole groups, with about as many clips, and leave clips of all classes to train."""
    from sklearn.model_selection import StratifiedGroupKFold

    groups = groups[rows]
    classes = np.zeros(len(rows), dtype=int) if classes is None else classes[rows]
    n_groups, rarest = len(np.unique(groups)), np.unique(classes, return_counts=True)[1].min()
    n_parts = max(2, min(round(len(rows) / n_held_out), n_groups, rarest))
    n_classes = len(np.unique(classes))
    parts = StratifiedGroupKFold(n_parts, shuffle=True, random_state=rng)
    splits = [
        split
        for split in (parts.split(rows, classes, groups) if n_groups > 1 else ())
        if len(split[1]) and len(np.unique(classes[split[0]])) == n_classes
    ]
    if not splits:
        raise ValueError(
            f"None of the {n_groups} groups in groups can be held out: clips of each class must "
            "remain in the others. Pass X_val and y_val, or set early_stopping=False."
        )
    train, held_out = min(splits, key=lambda split: abs(len(split[1]) - n_held_out))
    return rows[train], rows[held_out]

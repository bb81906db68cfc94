"""Numbers to learn from clips: check them, and standardize them for training."""

from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray
from sklearn.utils import check_array

from skdaf._core.arrays import as_array

# Targets whose deviation is a smaller share of their mean are constant, except for rounding.
_ROUNDING = 1e-14

# The squares of larger targets might overflow.
_MAX_TARGET = 1e150


class EncodedNumbers(NamedTuple):
    """Targets with zero mean and unit variance, and how to return to their units.

    Attributes
    ----------
    targets : ndarray of shape (n_clips, n_targets), float32
    mean, scale : ndarray of shape (n_targets,)
        The scale of a constant target is 0.
    is_single : bool
        Whether y has one dimension.
    """

    targets: NDArray[np.float32]
    mean: NDArray[np.float64]
    scale: NDArray[np.float64]
    is_single: bool


def encode_numbers(y, n_clips, estimator_name, sample_weight=None):
    """Check numbers and return them as `EncodedNumbers`.

    Parameters
    ----------
    y : array-like of shape (n_clips,) or (n_clips, n_targets)
    n_clips : int
    estimator_name : str
        For error messages.
    sample_weight : ndarray of shape (n_clips,), default=None
        Weights of the clips in the means and variances.

    Raises
    ------
    ValueError
        If the numbers are not finite, or do not have one of these shapes, or if there are fewer
        than two clips.
    """
    numbers = _check_numbers(y, n_clips, "y", estimator_name)
    n_used = n_clips if sample_weight is None else np.count_nonzero(sample_weight)
    if n_used < 2:
        raise ValueError(f"{estimator_name} needs at least 2 clips to train on, got 1 sample.")
    targets = numbers.reshape(n_clips, -1)
    # A constant target is predicted exactly, whatever the network returns.
    mean, scale = _mean_and_scale(targets, sample_weight)
    return EncodedNumbers(_standardized(targets, mean, scale), mean, scale, numbers.ndim == 1)


def encode_known_numbers(y, known, n_clips, estimator_name, name="y_val", known_from="y"):
    """Return numbers standardized as others were, whose mean and scale `known` contains.

    `name` is what `y` is called in errors, and `known_from` what the others are called.
    """
    targets = _check_numbers(y, n_clips, name, estimator_name).reshape(n_clips, -1)
    if targets.shape[1] != len(known.mean):
        raise ValueError(
            f"{name} must contain {len(known.mean)} targets per clip, as {known_from} does, got "
            f"{targets.shape[1]}."
        )
    return _standardized(targets, known.mean, known.scale)


def encode_later_numbers(y, known, n_clips, estimator_name):
    """Return numbers as `EncodedNumbers`, with the mean and scale of an earlier call.

    Raises
    ------
    ValueError
        If they have another number of targets, or if a target that was constant now varies.
    """
    before = "y of the previous call"
    targets = encode_known_numbers(y, known, n_clips, estimator_name, "y", before)
    varies = (np.abs(targets) > _ROUNDING * np.abs(known.mean)).any(axis=0)
    unknown = np.flatnonzero(varies & (known.scale == 0))
    if len(unknown):
        raise ValueError(
            f"Training cannot continue with other values of target {unknown[0]}: it was always "
            f"{known.mean[unknown[0]]:g} in the previous fit, so its scale is unknown. Fit again "
            "with warm_start=False."
        )
    return known._replace(targets=targets)


def encode_first_numbers(y, n_clips, estimator_name, sample_weight=None):
    """Return the numbers of a first call of `partial_fit` as `EncodedNumbers`.

    There may be a single clip, and a target that is constant may vary in later calls. Its scale is
    then its absolute value, or 1 if that is 0.
    """
    numbers = _check_numbers(y, n_clips, "y", estimator_name)
    targets = numbers.reshape(n_clips, -1)
    mean, scale = _mean_and_scale(targets, sample_weight)
    scale = np.where(scale > 0, scale, np.abs(mean))
    scale = np.where(scale > 0, scale, 1.0)
    return EncodedNumbers(_standardized(targets, mean, scale), mean, scale, numbers.ndim == 1)


def _mean_and_scale(targets, sample_weight):
    """Return the mean and the standard deviation of each target; 0 if it is constant."""
    mean = np.average(targets, axis=0, weights=sample_weight)
    scale = np.sqrt(np.average((targets - mean) ** 2, axis=0, weights=sample_weight))
    scale[scale <= _ROUNDING * np.abs(mean)] = 0.0
    return mean, scale


def _standardized(targets, mean, scale):
    return ((targets - mean) / np.where(scale > 0, scale, 1.0)).astype(np.float32)


def _check_numbers(y, n_clips, name, estimator_name):
    """Return targets as float64 of shape (n_clips,) or (n_clips, n_targets)."""
    if y is None:
        raise ValueError(f"{estimator_name} requires y to be passed, but the target y is None.")
    y = as_array(y)
    _check_no_times(y, name)
    try:
        numbers = check_array(
            y, ensure_2d=False, dtype=np.float64, input_name=name, estimator=estimator_name
        )
    except ValueError as error:
        if "could not convert string" not in str(error):
            raise
        raise ValueError(f"{name} must contain numbers: {error}.") from error
    if numbers.ndim > 2 or len(numbers) != n_clips:
        raise ValueError(
            f"Found input variables with inconsistent numbers of samples: {name} must have shape "
            f"({n_clips},) or ({n_clips}, n_targets), got {numbers.shape}."
        )
    largest = np.abs(numbers).max()
    if largest > _MAX_TARGET:
        raise ValueError(f"{name} contains values that are too large: {largest:g}.")
    return numbers


def _check_no_times(y, name):
    """Raise TypeError for dates and durations, whose unit would decide about the numbers."""
    kind = getattr(getattr(y, "dtype", None), "kind", "")
    if kind in ("m", "M"):
        raise TypeError(
            f"{name} contains dates or durations ({y.dtype}), but targets are numbers: convert "
            "them first, for example with .dt.total_seconds()."
        )

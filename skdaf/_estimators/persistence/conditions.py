"""Conditions that the values in a model file must satisfy."""

import numpy as np


def require(condition, problem):
    """Raise ValueError with a description of the problem, unless a condition is true."""
    if not condition:
        raise ValueError(f"it has {problem}")


def is_integers(array, shape):
    """Return whether a value is an array of integers with the given shape."""
    return isinstance(array, np.ndarray) and array.dtype.kind in "iu" and array.shape == shape


def is_within(indices, n):
    """Return whether all indices are at least 0 and less than n."""
    return not indices.size or (indices.min() >= 0 and indices.max() < n)

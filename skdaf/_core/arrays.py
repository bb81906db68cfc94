"""Convert tensors of other libraries to NumPy arrays, and split large arrays into blocks."""

import sys

import numpy as np

# The size of a block of a large array.
_BYTES_PER_BLOCK = 2**24


def as_array(values):
    """Return a tensor as a NumPy array, and anything else unchanged.

    Tensors may be on any device and may require gradients. Memory is shared if possible. torch is
    not imported here, because a program that has a tensor has already imported it.
    """
    torch = sys.modules.get("torch")
    if torch is not None and isinstance(values, getattr(torch, "Tensor", ())):
        return _array_of_tensor(values, torch)
    # Arrays of JAX, CuPy and others have this method; tables of pandas and polars do not.
    if hasattr(values, "__dlpack__") and not isinstance(values, np.ndarray):
        return np.asarray(values)
    return values


def _array_of_tensor(tensor, torch):
    if tensor.layout is not torch.strided or tensor.device.type == "meta":
        raise TypeError(
            f"Tensors with layout={tensor.layout} on device={str(tensor.device)!r} are not "
            "supported: expected a dense tensor that contains values."
        )
    tensor = tensor.detach().cpu().resolve_conj().resolve_neg()
    try:
        return tensor.numpy()
    except TypeError:  # NumPy has no bfloat16 and float8
        return tensor.float().numpy()


def plain_scalar(value):
    """Return a scalar of NumPy as Python's own type, and anything else unchanged.

    Messages use it, because 'dog' as an item of an array is shown as "np.str_('dog')".
    """
    return value.item() if isinstance(value, np.generic) else value


def is_scalar(value):
    """Return whether a value is a single number or a zero-dimensional array."""
    if isinstance(value, (bool, str, bytes)):
        return False
    return isinstance(value, (int, float)) or getattr(value, "ndim", None) == 0


def is_array_like(value):
    """Return whether a value is a list of numbers, or an array or tensor with at least one axis."""
    if isinstance(value, (list, tuple)):
        return len(value) > 0 and (is_scalar(value[0]) or is_array_like(value[0]))
    return getattr(value, "ndim", 0) > 0


def blocks(array):
    """Yield blocks of rows, limited in size, of an array; an empty array is a single block."""
    n_rows = max(1, _BYTES_PER_BLOCK * len(array) // max(1, array.nbytes))
    for first in range(0, max(1, len(array)), n_rows):
        yield array[first : first + n_rows]

"""Short texts for parameters and data that are equal for equal things only, in every process."""

import functools
import os
from hashlib import blake2b
from types import BuiltinFunctionType, CodeType, FunctionType, MethodType

import joblib
import numpy as np

from skdaf._core.arrays import blocks

_PLAIN = (type(None), bool, int, float, complex, str, bytes, type(...))


def describe(value):
    """Return a text for a parameter: readable where that is short.

    Functions are told apart by their own code and what it encloses, not by what they call.

    Raises
    ------
    TypeError
        If it would not be known again in another process.
    """
    for kinds, text in _TEXTS:
        if isinstance(value, kinds):
            return text(value)
    try:
        text = f"{_name(type(value))} {joblib.hash(value)}"
    except Exception as error:
        raise TypeError(
            f"{value!r} cannot be told from others in another process: {error}"
        ) from error
    call = type(value).__call__ if callable(value) else None
    return f"{text} {_of_function(call)}" if isinstance(call, FunctionType) else text


def describe_rows(rows, dtype=None):
    """Return a text for an array that may be larger than memory: its shape, and a digest.

    With `dtype` it is that of the rows as they read in that type.
    """
    digest = blake2b(digest_size=8)
    for block in blocks(rows):
        digest.update(np.asarray(block, dtype=dtype).tobytes())
    return f"{tuple(rows.shape)} {digest.hexdigest()}"


def digest_of(text, size=8):
    """Return a short name for a text."""
    return blake2b(text.encode("utf-8", "surrogatepass"), digest_size=size).hexdigest()


def _name(thing):
    return f"{thing.__module__}.{thing.__qualname__}"


def _of_array(array):
    if array.dtype == object:
        return describe(array.tolist())
    return f"{array.dtype.str} {describe_rows(np.atleast_1d(array))}"


def _of_sequence(values):
    return f"({', '.join(map(describe, values))})"


def _of_set(values):
    return f"{{{', '.join(sorted(map(describe, values)))}}}"


def _of_dict(values):
    # Sorted: two dicts are equal in whatever order their keys came.
    pairs = sorted(f"{describe(key)}: {describe(value)}" for key, value in values.items())
    return f"{{{', '.join(pairs)}}}"


def _of_function(function):
    enclosed = [_content(cell) for cell in function.__closure__ or ()]
    parts = (function.__code__, function.__defaults__, function.__kwdefaults__, enclosed)
    return f"{_name(function)} {digest_of(describe(parts))}"


def _content(cell):
    try:
        return cell.cell_contents
    except ValueError:
        return ...  # of a name that is not bound yet


def _of_code(code):
    # Neither file names nor line numbers: code that moves stays the same.
    parts = (code.co_code, code.co_names, code.co_varnames, code.co_freevars, code.co_consts)
    return digest_of(describe(parts))


def _of_random_state(state):
    return f"RandomState {digest_of(describe(state.get_state()))}"


_TEXTS = [
    (np.generic, lambda value: describe(value.item())),
    (_PLAIN, repr),
    (os.PathLike, lambda path: repr(os.fspath(path))),
    ((list, tuple), _of_sequence),
    ((set, frozenset), _of_set),
    (dict, _of_dict),
    (np.ndarray, _of_array),
    (np.random.RandomState, _of_random_state),
    ((type, BuiltinFunctionType), _name),
    (CodeType, _of_code),
    (FunctionType, _of_function),
    (MethodType, lambda method: describe((method.__func__, method.__self__))),
    (functools.partial, lambda it: describe((it.func, it.args, it.keywords))),
]

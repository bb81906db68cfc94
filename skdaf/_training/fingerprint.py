"""Strings that identify parameters and data: equal values give equal strings in every process."""

import functools
import os
import sys
from collections.abc import Callable
from hashlib import blake2b
from types import BuiltinFunctionType, CodeType, FunctionType, MethodType
from typing import Any

import joblib
import numpy as np
import torch
from numpy.typing import DTypeLike
from torch import nn

from skdaf._core.arrays import blocks

_PLAIN = (type(None), bool, int, float, complex, str, bytes, type(...))

# Libraries whose classes are identified by their names alone.
_LIBRARIES = {*sys.stdlib_module_names, "numpy", "scipy", "sklearn", "skdaf", "torch"}


def describe(value: Any) -> str:
    """Return a string that identifies a parameter; short values stay readable.

    A function is identified by its own code and the variables that it captures, not by the
    functions that it calls; a class by the code and constants in its body and in its bases.

    Raises
    ------
    TypeError
        If no string would identify the value in another process.
    """
    for kinds, describe_kind in _KINDS:
        if isinstance(value, kinds):
            return describe_kind(value)
    try:
        digest = joblib.hash(value)
    except Exception as error:
        raise TypeError(f"{value!r} cannot be identified in another process: {error}") from error
    kind = _describe_class(type(value)) if callable(value) else _name(type(value))
    return f"{kind} {digest}"


def describe_rows(rows: Any, dtype: DTypeLike | None = None) -> str:
    """Return the shape and a digest of an array, which may be larger than memory.

    With `dtype`, values are converted to it first.
    """
    digest = blake2b(digest_size=8)
    for block in blocks(rows):
        digest.update(np.asarray(block, dtype=dtype).tobytes())
    return f"{tuple(rows.shape)} {digest.hexdigest()}"


def digest_of(text: str, size: int = 8) -> str:
    """Return a digest of a string in hexadecimal; `size` is in bytes."""
    return blake2b(text.encode("utf-8", "surrogatepass"), digest_size=size).hexdigest()


def _name(thing):
    return f"{thing.__module__}.{thing.__qualname__}"


def _describe_array(array):
    if array.dtype == object:
        return describe(array.tolist())
    return f"{array.dtype.str} {describe_rows(np.atleast_1d(array))}"


def _describe_sequence(values):
    return f"({', '.join(map(describe, values))})"


def _describe_set(values):
    return f"{{{', '.join(sorted(map(describe, values)))}}}"


def _describe_dict(values):
    # Sorted, because dicts are equal whatever the order of their keys.
    pairs = sorted(f"{describe(key)}: {describe(value)}" for key, value in values.items())
    return f"{{{', '.join(pairs)}}}"


def _describe_function(function):
    captured = [_cell_contents(cell) for cell in function.__closure__ or ()]
    parts = (function.__code__, function.__defaults__, function.__kwdefaults__, captured)
    return f"{_name(function)} {digest_of(describe(parts))}"


def _describe_class(kind):
    bodies = [
        [
            (name, text)
            for name, thing in _members_of_body(base)
            if (text := _describe_member(name, thing))
        ]
        for base in kind.__mro__
        if base.__module__.partition(".")[0] not in _LIBRARIES
    ]
    return f"{_name(kind)} {digest_of(repr(bodies))}" if bodies else _name(kind)


def _members_of_body(kind):
    """Yield the names and values in the body of a class.

    When the first optimizer of a class is created, torch wraps its `step`, even if it is inherited.
    """
    for name, thing in vars(kind).items():
        original = _without_hooks(thing)
        if original is thing or original is not _without_hooks(
            getattr(super(kind, kind), name, None)
        ):
            yield name, original


def _without_hooks(step):
    return getattr(step, "__wrapped__", step) if getattr(step, "hooked", False) else step


def _describe_member(name, thing):
    """Return a string that identifies a method or a constant of a class; None for the rest."""
    thing = getattr(thing, "fget" if isinstance(thing, property) else "__func__", thing)
    if isinstance(thing, FunctionType):
        # Not what it captures, because that may be the class itself.
        return describe((thing.__code__, thing.__defaults__, thing.__kwdefaults__))
    is_constant = isinstance(thing, _PLAIN) and not name.startswith("__")
    return repr(thing) if is_constant else None


def _describe_tensor(tensor):
    return _describe_array(tensor.detach().cpu().numpy())


def _describe_module(module):
    """Return a string for a module of torch: its classes, tensors and plain attributes."""
    tensors = dict([*module.named_parameters(), *module.named_buffers()])
    parts = [
        (name, _describe_class(type(part)), _public_attributes(part))
        for name, part in module.named_modules()
    ]
    return f"{_name(type(module))} {digest_of(describe((tensors, parts)))}"


def _public_attributes(thing):
    return {name: value for name, value in vars(thing).items() if not name.startswith("_")}


def _cell_contents(cell):
    try:
        return cell.cell_contents
    except ValueError:
        return ...  # the captured variable has no value yet


def _describe_code(code):
    # Without file names and line numbers, so that code may move.
    parts = (code.co_code, code.co_names, code.co_varnames, code.co_freevars, code.co_consts)
    return digest_of(describe(parts))


def _describe_random_state(state):
    return f"RandomState {digest_of(describe(state.get_state()))}"


def _describe_method(method):
    return describe((method.__func__, method.__self__))


def _describe_partial(partial):
    return describe((partial.func, partial.args, partial.keywords))


# The first entry with a matching type is used.
_KINDS: list[tuple[Any, Callable[[Any], str]]] = [
    (np.generic, lambda value: describe(value.item())),
    (_PLAIN, repr),
    (os.PathLike, lambda path: repr(os.fspath(path))),
    ((list, tuple), _describe_sequence),
    ((set, frozenset), _describe_set),
    (dict, _describe_dict),
    (np.ndarray, _describe_array),
    (np.random.RandomState, _describe_random_state),
    (type, _describe_class),
    (BuiltinFunctionType, _name),
    (CodeType, _describe_code),
    (FunctionType, _describe_function),
    (MethodType, _describe_method),
    (functools.partial, _describe_partial),
    (torch.Tensor, _describe_tensor),
    (nn.Module, _describe_module),
]

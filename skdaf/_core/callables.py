"""The names and parameters of functions and classes that users pass as parameters."""

import functools
from collections.abc import Callable, Mapping
from inspect import Parameter, signature
from typing import Any

_BY_NAME = (Parameter.POSITIONAL_OR_KEYWORD, Parameter.KEYWORD_ONLY)


def name_of(function: Callable[..., Any]) -> str:
    """Return the name of a callable for messages."""
    if isinstance(function, functools.partial):
        return name_of(function.func)
    return getattr(function, "__name__", type(function).__name__)


def parameters_of(function: Callable[..., Any]) -> Mapping[str, Parameter]:
    """Return the parameters of a callable; some callables written in C do not describe theirs."""
    try:
        return signature(function).parameters
    except (TypeError, ValueError):
        return signature(lambda *args, **options: None).parameters


def takes_argument(function: Callable[..., Any], name: str) -> bool:
    """Return whether a callable has a parameter of this name that a `partial` does not set yet."""
    if isinstance(function, functools.partial) and name in function.keywords:
        return False
    parameter = parameters_of(function).get(name)
    return parameter is not None and is_keyword(parameter)


def is_keyword(parameter: Parameter) -> bool:
    """Return whether a parameter can be passed by its name."""
    return parameter.kind in _BY_NAME

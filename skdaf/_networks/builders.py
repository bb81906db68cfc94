"""Call a user's function or class that builds a network, with the arguments that it accepts.

The sizes `input_shape` and `n_outputs` are passed by name if the signature names them, or as the
first two arguments. The other arguments, the options, are passed by name if they are set. If not,
the defaults of the callable hold; it gets None for options of the library that it requires, or that
it collects, as in ``build(input_shape, n_outputs, **options)``.
"""

import difflib
from collections.abc import Callable, Iterable, Mapping
from inspect import Parameter, signature
from typing import Any

from torch import nn

from skdaf._core.callables import is_keyword, name_of, parameters_of
from skdaf._networks.architectures import Shape

Builder = Callable[..., nn.Module]

_SIZES = ("input_shape", "n_outputs")
# The parameters of classifiers and regressors that describe a network.
_OPTIONS = ("channels", "kernel_size", "hidden_units", "dropout")
_BY_POSITION = (Parameter.POSITIONAL_ONLY, Parameter.POSITIONAL_OR_KEYWORD)


def option_names(builder: Builder, given: Iterable[str] = ()) -> list[str]:
    """Return the names of the options in the signature of a builder.

    Parameters
    ----------
    builder : callable
    given : iterable of str
        The options that are set. A parameter that is set is an option and not a size.
    """
    parameters = parameters_of(builder)
    sizes = {*_SIZES, *(_sizes_by_position(parameters, given) or ())}
    return [name for name, p in parameters.items() if is_keyword(p) and name not in sizes]


def receives_n_outputs(builder: Builder, options: Iterable[str]) -> bool:
    """Return whether a builder is told the number of outputs."""
    parameters = parameters_of(builder)
    is_by_position = _sizes_by_position(parameters, options) is not None
    return is_by_position or _is_keyword(parameters, "n_outputs")


def check_options_of(builder: Builder, options: Iterable[str]) -> None:
    """Check that a builder accepts options.

    Raises
    ------
    ValueError
        If it does not; the message names these options and those that it accepts.
    """
    parameters = parameters_of(builder)
    options, known = list(options), option_names(builder, options)
    unknown = [name for name in options if name not in known]
    if _takes_any_name(parameters):
        unknown = [name for name in unknown if name in parameters or name in _SIZES]
    if not unknown:
        return
    close = [
        match for name in unknown for match in difflib.get_close_matches(str(name), known, n=1)
    ]
    accepted = f"it accepts {', '.join(known)}." if known else "it accepts no options."
    hint = f" Did you mean {' or '.join(close)}?" if close else ""
    raise ValueError(
        f"network={name_of(builder)} does not accept {', '.join(map(repr, unknown))}: "
        f"{accepted}{hint}"
    )


def call_builder(
    builder: Builder, input_shape: Shape, n_outputs: int, options: Mapping[str, Any]
) -> Any:
    """Return what a builder builds.

    Raises
    ------
    ValueError
        If it does not accept an option, needs another one, or fails.
    """
    check_options_of(builder, options)
    parameters = parameters_of(builder)
    sizes = dict(zip(_SIZES, (tuple(input_shape), n_outputs), strict=True))
    is_by_position = _sizes_by_position(parameters, options) is not None
    args = list(sizes.values()) if is_by_position else []
    named = {name: sizes[name] for name in _SIZES if _is_keyword(parameters, name)}
    named = {} if is_by_position else named
    gets_all = is_by_position or len(named) == len(sizes)
    missing = [name for name in _OPTIONS if name not in options]
    unset = {name: None for name in missing if _needs(parameters, name, gets_all)}
    kwargs = {**named, **unset, **options}
    _check_complete(builder, args, kwargs)
    try:
        return builder(*args, **kwargs)
    except Exception as error:  # the code of a user may raise anything
        raise ValueError(
            f"network={name_of(builder)} failed for spectrograms of {input_shape[0]} frames and "
            f"{input_shape[1]} bins, and {n_outputs} outputs ({type(error).__name__}: {error})."
        ) from error


def _check_complete(builder, args, kwargs):
    """Raise ValueError if the signature of a builder requires other arguments, too."""
    try:
        described = signature(builder)
    except (TypeError, ValueError):
        return
    try:
        described.bind(*args, **kwargs)
    except TypeError as error:
        raise ValueError(
            f"network={name_of(builder)} cannot be called: {error}. The parameters input_shape and "
            "n_outputs are passed by these names, or as the first two arguments; set others with "
            "network__name=value, or give them defaults."
        ) from None


def _sizes_by_position(parameters, options):
    """Return the names of the first two parameters if they are the sizes, else None."""
    first = [p for p in parameters.values() if p.kind in _BY_POSITION][:2]
    names = [p.name for p in first]
    takes_more = any(p.kind is Parameter.VAR_POSITIONAL for p in parameters.values())
    others = set(parameters) - set(names)
    are_sizes = (
        (len(first) == 2 or takes_more)
        and all(p.default is p.empty and p.name not in options for p in first)
        and names[:1] != ["n_outputs"]
        and names[1:] != ["input_shape"]
        and others.isdisjoint(_SIZES)
    )
    return names if are_sizes else None


def _needs(parameters, name, gets_all):
    """Return whether a builder must get an option that is not set."""
    own = parameters.get(name)
    if own is None:
        return gets_all and _takes_any_name(parameters)
    return is_keyword(own) and own.default is own.empty


def _is_keyword(parameters, name):
    return name in parameters and is_keyword(parameters[name])


def _takes_any_name(parameters):
    return any(p.kind is Parameter.VAR_KEYWORD for p in parameters.values())

"""Checks and defaults of parameters for which `_parameter_constraints` are not enough."""

from collections.abc import Callable, Sequence
from inspect import signature
from typing import Any, Literal, TypeAlias

from torch import nn

from skdaf._core.callables import name_of, takes_argument
from skdaf._core.estimator import is_positive_count
from skdaf._networks.builders import check_options_of

_Augmentation: TypeAlias = (
    Literal["equalize", "mask", "mixup", "noise", "shift", "stretch", "warp", "zoom"]
    | Callable[..., Any]
)
# The parameter `augment`.
Augmentations: TypeAlias = _Augmentation | Sequence[_Augmentation] | None


def with_nested_default(estimator, params, name, default):
    """Return parameters for `set_params`, with a nested estimator in place of None if needed.

    Parameters
    ----------
    estimator : estimator
    params : dict
        The parameters that are about to be set.
    name : str
        The parameter for the nested estimator.
    default : callable
        Called without arguments to create the nested estimator that None means. It is added to
        `params` if these set one of its parameters while the nested estimator is None.
    """
    sets_nested = any(key.startswith(f"{name}__") for key in params)
    if sets_nested and params.get(name, getattr(estimator, name)) is None:
        return {**params, name: default()}
    return params


def positive_integers(name, values):
    """Return the value of a parameter as a tuple of positive integers, or None."""
    if values is None:
        return None
    if not all(is_positive_count(value) for value in values):
        raise ValueError(f"{name} must contain integers greater than 0, got {values!r}.")
    return tuple(int(value) for value in values)


def check_builder(estimator):
    """Check the parameters `network`, `network_params` and `n_networks` of an estimator.

    Raises
    ------
    TypeError
        If `network` is an instance of nn.Module, which every fit would change.
    ValueError
        If the network does not accept an option, or cannot be built several times side by side.
    """
    network, n_networks = estimator.network, estimator.n_networks
    if isinstance(network, nn.Module):
        raise TypeError(
            "network must be 'cnn', 'daf', or a function or class that returns a new nn.Module for "
            f"each fit, got a network that is already built: {type(network).__name__}."
        )
    if callable(network):
        check_options_of(network, builder_options(estimator))
    elif estimator.network_params:
        name = next(iter(estimator.network_params))
        raise ValueError(not_a_callable(network, name))
    if network != "cnn" and n_networks > 1:
        raise ValueError(
            f"n_networks={n_networks} needs network='cnn', got network={network!r}: other networks "
            "are trained alone."
        )


def not_a_callable(network, name):
    """Return a message about a parameter of a network that is chosen by name."""
    return (
        f"network__{name} needs a function or class as network, got network={network!r}, which has "
        "the parameters channels, kernel_size, hidden_units and dropout of the estimator."
    )


def builder_options(estimator):
    """Return the options that are set for a callable `network`."""
    own = estimator._network_options()
    params = dict(estimator.network_params or {})
    twice = [name for name in params if own.get(name) is not None]
    if twice:
        raise ValueError(
            f"{twice[0]} is set twice: {twice[0]}={own[twice[0]]!r} and "
            f"network__{twice[0]}={params[twice[0]]!r}."
        )
    return {**{name: value for name, value in own.items() if value is not None}, **params}


def check_used(estimator, name, arguments):
    """Check that a callable takes the values of other parameters, if these are not the defaults.

    Parameters
    ----------
    estimator : estimator
    name : str
        The parameter that may be a callable.
    arguments : dict
        The names that its argument may have, by the name of the parameter that it comes from.
    """
    function = getattr(estimator, name)
    if not callable(function):
        return
    defaults = signature(type(estimator).__init__).parameters
    for parameter, names in arguments.items():
        value = getattr(estimator, parameter)
        is_set = value not in (None, 0) and value != defaults[parameter].default
        if is_set and not any(takes_argument(function, argument) for argument in names):
            raise ValueError(
                f"{parameter}={value!r} has no effect, because {name}={name_of(function)} has no "
                f"parameter {' or '.join(map(repr, names))}, or a functools.partial sets it."
            )


def conv_options(channels, kernel_size):
    """Return the options of conv blocks for `build_network`, checked."""
    if kernel_size is not None and kernel_size % 2 == 0:
        raise ValueError(f"kernel_size must be odd, got {kernel_size}.")
    channels = positive_integers("channels", channels)
    if channels == ():
        raise ValueError("channels must name at least one conv block, got an empty sequence.")
    return {"channels": channels, "kernel_size": kernel_size}

"""Checks and defaults of parameters for which `_parameter_constraints` are not enough."""

from collections.abc import Callable, Sequence
from typing import Any, Literal, TypeAlias

from torch import nn

from skdaf._core.estimator import is_positive_count

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


def check_builder(network, n_networks):
    """Check that a classifier can build `n_networks` of the parameter `network`.

    Raises
    ------
    TypeError
        If it is an instance of nn.Module, which every fit would change.
    ValueError
        If it cannot be built several times side by side.
    """
    if isinstance(network, nn.Module):
        raise TypeError(
            "network must be 'cnn', 'daf' or a function build(input_shape, n_outputs, **options) "
            "that returns a new nn.Sequential for each fit, got a network that is already built: "
            f"{type(network).__name__}."
        )
    if network != "cnn" and n_networks > 1:
        raise ValueError(
            f"n_networks={n_networks} needs network='cnn', got network={network!r}: other networks "
            "are trained alone."
        )


def conv_options(channels, kernel_size):
    """Return the options of conv blocks for `build_network`, checked."""
    if kernel_size is not None and kernel_size % 2 == 0:
        raise ValueError(f"kernel_size must be odd, got {kernel_size}.")
    channels = positive_integers("channels", channels)
    if channels == ():
        raise ValueError("channels must name at least one conv block, got an empty sequence.")
    return {"channels": channels, "kernel_size": kernel_size}

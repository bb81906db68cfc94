"""The loss of a user, in place of the loss of an objective."""

from collections.abc import Callable, Mapping
from dataclasses import replace
from typing import Any

import torch

from skdaf._core.callables import name_of, takes_argument
from skdaf._training.objectives import Objective, all_networks


def with_loss(
    objective: Objective, function: Callable[..., Any], arguments: Mapping[str, Any]
) -> Objective:
    """Return an objective with another loss.

    Parameters
    ----------
    objective : Objective
    function : callable
        ``function(outputs, targets)`` returns the mean loss of a batch as a scalar tensor.
    arguments : dict
        Further arguments, by name, for functions that have parameters with these names. Arrays
        become tensors.

    Raises
    ------
    TypeError
        If `function` is a class.
    """
    if isinstance(function, type):
        name = name_of(function)
        raise TypeError(f"loss={name} is a class: pass an instance, such as {name}().")
    accepted = {name: value for name, value in arguments.items() if takes_argument(function, name)}

    def loss(outputs, targets):
        outputs, targets = all_networks(outputs, targets)
        named = {name: _as_argument(value, outputs.device) for name, value in accepted.items()}
        try:
            value = function(outputs.float(), targets, **named)
        except Exception as error:  # the code of a user may raise anything
            raise ValueError(
                f"loss={name_of(function)} failed for outputs of shape {tuple(outputs.shape)} and "
                f"targets of shape {tuple(targets.shape)} ({type(error).__name__}: {error})."
            ) from error
        _check(value, function)
        return value

    return replace(objective, loss=loss)


def _as_argument(value, device):
    return value if isinstance(value, (bool, int, float)) else torch.tensor(value, device=device)


def _check(value, function):
    """Raise an error unless a loss returned a scalar that training can minimize."""
    name = f"loss={name_of(function)}"
    if not isinstance(value, torch.Tensor):
        raise TypeError(f"{name} must return a scalar tensor, got {type(value).__name__}.")
    if value.ndim:
        raise ValueError(
            f"{name} must return a scalar tensor, the mean over all clips, got shape "
            f"{tuple(value.shape)}."
        )
    if torch.is_grad_enabled() and not value.requires_grad:
        raise ValueError(f"{name} must return a tensor that depends on the outputs of the network.")

"""Weights of networks as plain arrays."""

from collections.abc import Iterable, Mapping

import numpy as np
import torch
from numpy.typing import NDArray
from torch import nn


def get_weights(network: nn.Module) -> dict[str, NDArray]:
    """Return copies of all parameters and running statistics as arrays."""
    weights = network.state_dict()
    return dict(zip(weights, to_arrays(weights.values()), strict=True))


def set_weights(network: nn.Module, weights: Mapping[str, NDArray]) -> None:
    """Load arrays from `get_weights` into a network."""
    network.load_state_dict({name: torch.tensor(array) for name, array in weights.items()})


def replace_weights(network: nn.Module, weights: Mapping[str, NDArray]) -> None:
    """Replace the weights of a network, which may be on the meta device, with copies of arrays.

    Those of convolutions get the memory format of networks that are built by name.
    """
    copies = {}
    for name, weight in network.state_dict().items():
        copy = torch.tensor(weights[name], dtype=weight.dtype)
        is_map = copy.ndim == 4
        copies[name] = copy.to(memory_format=torch.channels_last) if is_map else copy
    network.load_state_dict(copies, assign=True)


def to_arrays(tensors: Iterable[torch.Tensor]) -> list[NDArray]:
    """Return copies of tensors as arrays."""
    # In C order, so that the bytes do not depend on the memory format of a tensor.
    return [np.array(tensor.detach().cpu().numpy(), order="C") for tensor in tensors]


@torch.no_grad()
def load_arrays(tensors: Iterable[torch.Tensor], arrays: Iterable[NDArray]) -> None:
    """Copy arrays from `to_arrays` into tensors of the same shapes."""
    for tensor, array in zip(tensors, arrays, strict=True):
        if tensor.shape != array.shape:
            raise ValueError(f"expected an array of shape {tuple(tensor.shape)}, got {array.shape}")
        tensor.copy_(torch.tensor(array))


def copy_layers(source: nn.Module, target: nn.Module, names: Iterable[str]) -> None:
    """Copy the weights of the named layers from one network to another."""
    for name in names:
        getattr(target, name).load_state_dict(getattr(source, name).state_dict())

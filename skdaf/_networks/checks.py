"""Limits on the size of a network and on its work, checked before memory is taken.

They protect from typing errors in parameters and from model files of strangers.
"""

from collections.abc import Mapping
from contextlib import suppress
from typing import Any

import torch
from torch import nn

from skdaf._core.limits import (
    MAX_ACTIVATIONS,
    MAX_BLOCKS,
    MAX_KERNEL_SIZE,
    MAX_MULTIPLICATIONS,
    MAX_UNITS,
    MAX_WEIGHTS,
    check_at_most,
    check_size,
)


def check_options(input_shape: tuple[int, int], n_outputs: int, options: Mapping[str, Any]) -> None:
    """Raise ValueError if a number that a builder gets is too large."""
    check_size(*input_shape)
    check_at_most(n_outputs, MAX_UNITS, "The number of outputs")
    for name in ("channels", "hidden_units"):
        sizes = options.get(name) or ()
        check_at_most(len(sizes), MAX_BLOCKS, f"The number of {name}")
        check_at_most(max(sizes, default=0), MAX_UNITS, name)
    check_at_most(options.get("kernel_size") or 0, MAX_KERNEL_SIZE, "kernel_size")


def check_weights(network: nn.Module, name: str) -> None:
    """Raise ValueError if a network, which may be on the meta device, has too many weights."""
    n_weights = sum(weights.numel() for weights in network.parameters())
    check_at_most(n_weights, MAX_WEIGHTS, f"The number of weights of network={name!r}")


def check_work(network: nn.Module, name: str, input_shape: tuple[int, int]) -> None:
    """Raise ValueError if one clip would fill the memory of a network or take it hours."""
    n_outputs, n_multiplications = _cost_per_clip(network, input_shape)
    check_at_most(n_outputs, MAX_ACTIVATIONS, f"The outputs of a part of network={name!r}")
    check_at_most(
        n_multiplications, MAX_MULTIPLICATIONS, f"The work of network={name!r} for a clip"
    )


def _cost_per_clip(network, input_shape):
    """Return the most outputs of any part of a network, and all multiplications, for one clip.

    An empty batch shows the shapes of all outputs at no cost.
    """
    costs = [(0, 0)]

    def count(module, _, output):
        n_weights_per_output = sum(w[0].numel() for w in module.parameters(recurse=False))
        n_outputs = output.shape[1:].numel()
        costs.append((n_outputs, n_outputs * n_weights_per_output))

    parts = [module for module in network.modules() if not list(module.children())]
    hooks = [part.register_forward_hook(count) for part in parts]
    was_training = network.training
    # A spectrogram may be too small for a network: its first real call reports that.
    with torch.inference_mode(), suppress(RuntimeError):
        network.eval()(torch.zeros(0, 1, *input_shape))
    network.train(was_training)
    for hook in hooks:
        hook.remove()
    n_outputs, n_multiplications = zip(*costs, strict=True)
    return max(n_outputs), sum(n_multiplications)

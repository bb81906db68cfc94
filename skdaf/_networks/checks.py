"""Limits on the size and the computing time of networks, checked before memory is allocated.

They protect against typos in parameters and against untrusted model files.
"""

from contextlib import suppress

import torch
from torch import nn

from skdaf._core.limits import (
    MAX_ACTIVATIONS,
    MAX_MULTIPLICATIONS,
    MAX_WEIGHTS,
    check_at_most,
)


def check_weights(network: nn.Module, name: str) -> None:
    """Raise ValueError if a network, which may be on the meta device, has too many weights."""
    n_weights = sum(weights.numel() for weights in network.parameters())
    check_at_most(n_weights, MAX_WEIGHTS, f"The number of weights of network={name!r}")


def check_work(network: nn.Module, name: str, input_shape: tuple[int, int]) -> None:
    """Raise ValueError if a network would exhaust the memory or take hours for one clip."""
    n_outputs, n_multiplications = _cost_per_clip(network, input_shape)
    what = f"The number of outputs of a module of network={name!r}, per clip,"
    check_at_most(n_outputs, MAX_ACTIVATIONS, what)
    what = f"The number of multiplications of network={name!r}, per clip,"
    check_at_most(n_multiplications, MAX_MULTIPLICATIONS, what)


def _cost_per_clip(network, input_shape):
    """Return the largest number of outputs of a module, and the total of multiplications, per clip.

    An empty batch gives the shapes of all outputs at no cost.
    """
    costs = [(0, 0)]

    def count(module, _, output):
        n_weights_per_output = sum(w[0].numel() for w in module.parameters(recurse=False))
        n_outputs = output.shape[1:].numel()
        costs.append((n_outputs, n_outputs * n_weights_per_output))

    modules = [module for module in network.modules() if not list(module.children())]
    hooks = [module.register_forward_hook(count) for module in modules]
    was_training = network.training
    # A spectrogram may be too small for a network. The first real call reports that.
    with torch.inference_mode(), suppress(RuntimeError):
        network.eval()(torch.zeros(0, 1, *input_shape))
    network.train(was_training)
    for hook in hooks:
        hook.remove()
    n_outputs, n_multiplications = zip(*costs, strict=True)
    return max(n_outputs), sum(n_multiplications)

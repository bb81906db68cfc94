"""Build networks by name, and rebuild saved ones.

An *architecture* is a dict of the arguments of `build_network`: "network" (a name or a builder),
"input_shape", "n_outputs" and "options". A saved network consists of its architecture and weights.
"""

import threading
from collections.abc import Mapping
from contextlib import contextmanager
from inspect import signature
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from torch import nn

from skdaf._networks.architectures import Shape, build_autoencoder, build_cnn, build_daf
from skdaf._networks.builders import Builder, call_builder
from skdaf._networks.checks import check_weights, check_work
from skdaf._networks.custom import as_layers
from skdaf._networks.device import single_torch_thread
from skdaf._networks.layers import replace_dropout
from skdaf._networks.legacy import build_legacy_autoencoder, build_legacy_daf
from skdaf._networks.sizes import check_options, is_option, is_size
from skdaf._networks.transfer import ENCODERS, build_on_encoder
from skdaf._networks.weights import replace_weights, set_weights

NETWORKS = {"cnn": build_cnn, "daf": build_daf}

# Networks that users cannot choose, but that saved models refer to by name.
_OTHER_NETWORKS = {
    "autoencoder": build_autoencoder,
    "on encoder": build_on_encoder,
    "legacy autoencoder": build_legacy_autoencoder,
    "legacy daf": build_legacy_daf,
}

# Reentrant, because the function of a user may load a model to use its layers.
_build_lock = threading.RLock()


def build_network(
    network: str | Builder,
    input_shape: Shape,
    n_outputs: int,
    options: Mapping[str, Any],
    seed: int = 0,
) -> nn.Sequential:
    """Build a network by name or with a builder, with initial weights drawn from `seed`.

    Parameters
    ----------
    network : str or callable
        A key of `NETWORKS`, or a function or class that returns an `nn.Module`; see
        `builders.call_builder` for its arguments, and `custom.as_layers` for its layers.
    input_shape : tuple of (n_frames, n_bins)
    n_outputs : int
    options : dict
        Keyword arguments of the builder.
    seed : int

    Returns
    -------
    nn.Sequential

    Raises
    ------
    ValueError
        If a network chosen by name would exhaust the memory, or need hours for one clip; or if a
        builder fails, or its module has other outputs.
    TypeError
        If a builder returns anything but an `nn.Module`.
    """
    if callable(network):
        with _seeded(seed), single_torch_thread:
            custom = call_builder(network, input_shape, n_outputs, options)
            return as_layers(custom, network, input_shape, n_outputs, options)
    _check_size(network, input_shape, n_outputs, options)
    with _seeded(seed):
        built = _builder(network)(tuple(input_shape), n_outputs, **options)
    check_work(built, network, input_shape)
    replace_dropout(built)
    # torch's annotations lack this parameter.
    return built.to(memory_format=torch.channels_last)  # type: ignore[call-overload]


def restore_network(
    weights: Mapping[str, NDArray], architecture: Mapping[str, Any]
) -> nn.Sequential:
    """Build a network, and load weights that come from `get_weights`.

    The architecture may come from a file. A network chosen by name is only built if `weights` have
    the required shapes, so a small file cannot request a large network.
    """
    if isinstance(architecture["network"], str):
        return _restore_named(weights, **architecture).eval()
    network = build_network(**architecture)
    set_weights(network, weights)
    return network.eval()


def _restore_named(weights, network, input_shape, n_outputs, options):
    """Build a network chosen by name once, from its weights: no initial weights are drawn."""
    built = _build_on_meta(network, input_shape, n_outputs, options)
    expected = {name: tuple(weight.shape) for name, weight in built.state_dict().items()}
    found = {name: np.shape(array) for name, array in weights.items()}
    wrong = sorted(dict(expected.items() ^ found.items()))
    if wrong:
        raise ValueError(
            f"The weight {wrong[0]!r} has the shape {found.get(wrong[0])}, but the network "
            f"needs {expected.get(wrong[0])}."
        )
    check_options(input_shape, n_outputs, options)
    check_weights(built, network)
    replace_weights(built, weights)
    check_work(built, network, input_shape)
    replace_dropout(built)
    return built


def weight_shapes(
    network: str, input_shape: Shape, n_outputs: int, options: Mapping[str, Any]
) -> dict[str, tuple[tuple[int, ...], torch.dtype]]:
    """Return the (shape, type) of each weight of a network, without creating any weights."""
    built = _build_on_meta(network, input_shape, n_outputs, options)
    return {name: (tuple(w.shape), w.dtype) for name, w in built.state_dict().items()}


def layer_names(network: nn.Sequential) -> list[str]:
    """Return the names of the layers, first to last."""
    # The same module may occur several times in a network.
    modules = network.named_modules(remove_duplicate=False)
    return [name for name, _ in modules if name and "." not in name]


def output_shapes(network: nn.Sequential, input_shape: Shape) -> list[tuple[int, ...]]:
    """Return the shape of the output of each layer for one clip."""
    shapes: list[tuple[int, ...]] = []
    hooks = [
        layer.register_forward_hook(lambda _, __, outputs: shapes.append(tuple(outputs.shape[1:])))
        for layer in network
    ]
    was_training = network.training
    try:
        with torch.inference_mode():
            network.eval()(torch.zeros(1, 1, *input_shape))
    finally:
        network.train(was_training)
        for hook in hooks:
            hook.remove()
    return shapes


def check_architecture(architecture: Any) -> None:
    """Check that a value from a file is the architecture of a network chosen by name.

    Raises
    ------
    ValueError
        If it is anything else, or if the network would be too large.
    """
    names = {"network", "input_shape", "n_outputs", "options"}
    is_complete = type(architecture) is dict and set(architecture) == names
    if not is_complete or architecture["network"] not in [*NETWORKS, *_OTHER_NETWORKS]:
        raise ValueError("the description of its network is damaged")
    options, shape = architecture["options"], architecture["input_shape"]
    known = signature(_builder(architecture["network"])).parameters
    if (
        type(options) is not dict
        or not options.keys() <= known.keys()
        or not all(map(_is_option, options, options.values()))
    ):
        raise ValueError("the options of its network are damaged")
    is_shape = type(shape) in (tuple, list) and len(shape) == 2 and all(map(is_size, shape))
    if not is_shape or not is_size(architecture["n_outputs"]):
        raise ValueError("the sizes of its network are damaged")
    _check_size(**architecture)


def _builder(name):
    return (NETWORKS | _OTHER_NETWORKS)[name]


def _build_on_meta(network, input_shape, n_outputs, options):
    """Build a network on the meta device: its weights have shapes, but take no memory."""
    with torch.device("meta"):
        return _builder(network)(tuple(input_shape), n_outputs, **options)


@contextmanager
def _seeded(seed):
    """Draw initial weights from a seed, and restore torch's global generator afterwards."""
    with _build_lock, torch.random.fork_rng(devices=[]):
        torch.manual_seed(seed)
        yield


def _check_size(network, input_shape, n_outputs, options):
    """Raise ValueError if a network chosen by name would be too large, without creating it."""
    check_options(input_shape, n_outputs, options)
    check_weights(_build_on_meta(network, input_shape, n_outputs, options), network)


def _is_option(name, value):
    return value in ENCODERS if name == "encoder" else is_option(name, value)

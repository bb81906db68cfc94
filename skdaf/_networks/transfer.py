"""Classifiers that start from another, trained network.

An architecture is a dict of the arguments of `building.build_network`: "network", "input_shape",
"n_outputs" and "options".
"""

from collections import OrderedDict
from collections.abc import Mapping, Sequence
from typing import Any

from torch import nn

from skdaf._networks.architectures import Shape, build_encoder, cnn_head
from skdaf._networks.layers import ParallelLinear
from skdaf._networks.legacy import build_legacy_encoder

# The encoder of each autoencoder.
ENCODERS = {"autoencoder": build_encoder, "legacy autoencoder": build_legacy_encoder}


def is_autoencoder(architecture: Mapping[str, Any]) -> bool:
    """Return whether an architecture describes an autoencoder."""
    network = architecture["network"]
    return isinstance(network, str) and network in ENCODERS


def transferred_architecture(
    source: Mapping[str, Any], n_outputs: int, options: Mapping[str, Any]
) -> dict[str, Any]:
    """Return the architecture of a classifier that starts from another network.

    Parameters
    ----------
    source : dict
        The architecture of the other network.
    n_outputs : int
    options : dict
        Options of the layers after the encoder, used if the other network is an autoencoder.
    """
    architecture = {**source, "n_outputs": n_outputs}
    if is_autoencoder(source):
        architecture["network"] = "on encoder"
        # The options of the conv layers come from the source.
        architecture["options"] = {
            **options,
            **source["options"],
            "n_maps": source["n_outputs"],
            "encoder": source["network"],
        }
    elif source["network"] == "legacy daf":
        # A new output layer has no activation on its logits.
        architecture["network"] = "daf"
    return architecture


def build_on_encoder(
    input_shape: Shape,
    n_outputs: int,
    *,
    n_maps: int,
    encoder: str = "autoencoder",
    channels: Sequence[int] | None = None,
    kernel_size: int | None = None,
    hidden_units: Sequence[int] | None = None,
    dropout: float | None = None,
) -> nn.Sequential:
    """Build a classifier whose conv layers are the encoder of an autoencoder."""
    channels = (16, 32, 64, 128) if channels is None else channels
    layers, size = ENCODERS[encoder](input_shape, n_maps, channels, kernel_size or 3)
    head = cnn_head(n_maps, size, n_outputs, hidden_units, dropout)
    return nn.Sequential(OrderedDict(layers + head))


def count_conv_layers(network: nn.Sequential) -> int:
    """Return how many layers come before the first dense one."""
    for number, layer in enumerate(network):
        if any(isinstance(module, (nn.Linear, ParallelLinear)) for module in layer.modules()):
            return number
    return len(network)

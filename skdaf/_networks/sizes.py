"""Options and layer sizes of networks that are chosen by name, without building them.

This file does not import torch, which takes longer than everything that the command `skdaf info`
does with these sizes.
"""

import math
from collections.abc import Mapping, Sequence
from typing import Any, NamedTuple

from skdaf._core.limits import (
    MAX_BLOCKS,
    MAX_KERNEL_SIZE,
    MAX_UNITS,
    check_at_most,
    check_size,
)

Size = tuple[int, int]

# Weights of a batch norm layer that are not trained.
_STATISTICS = ("running_mean", "running_var", "num_batches_tracked")


class LayerSizes(NamedTuple):
    """The sizes of a layer.

    Attributes
    ----------
    name : str
    n_outputs : int
        The number of outputs for one clip.
    weights : dict
        The shape of each weight by its name in the layer, with the statistics of batch norm.
    """

    name: str
    n_outputs: int
    weights: dict[str, tuple[int, ...]]

    @property
    def n_parameters(self) -> int:
        """The number of weights that training changes."""
        shapes = self.weights.items()
        return sum(math.prod(shape) for name, shape in shapes if not name.endswith(_STATISTICS))


def is_size(value: object) -> bool:
    """Return whether a value from a file is a positive integer."""
    return type(value) is int and value > 0


def is_option(name: str, value: Any) -> bool:
    """Return whether a value from a file can be an option of a network that is chosen by name."""
    if value is None:
        return name in ("channels", "kernel_size", "hidden_units", "dropout")
    if name in ("channels", "hidden_units"):
        return type(value) in (tuple, list) and all(map(is_size, value))
    if name == "dropout":
        return type(value) in (int, float) and 0 <= value < 1
    return name in ("kernel_size", "n_maps", "n_networks") and is_size(value)


def check_options(input_shape: tuple[int, int], n_outputs: int, options: Mapping[str, Any]) -> None:
    """Raise ValueError if a size in the arguments of a builder is too large."""
    check_size(*input_shape)
    check_at_most(n_outputs, MAX_UNITS, "The number of outputs")
    for name in ("channels", "hidden_units"):
        sizes = options.get(name) or ()
        check_at_most(len(sizes), MAX_BLOCKS, f"The number of {name}")
        check_at_most(max(sizes, default=0), MAX_UNITS, name)
    check_at_most(options.get("kernel_size") or 0, MAX_KERNEL_SIZE, "kernel_size")
    check_at_most(options.get("n_networks") or 0, MAX_BLOCKS, "n_networks")


def halving_steps(size: Sequence[int]) -> tuple[int, ...]:
    """Return the steps that halve each side that is longer than one."""
    return tuple(2 if side > 1 else 1 for side in size)


def size_after_pooling(size: Sequence[int]) -> tuple[int, ...]:
    """Return the size of maps after the pooling in a conv block."""
    return tuple(side // step for side, step in zip(size, halving_steps(size), strict=True))


def size_after_stride(size: Sequence[int]) -> tuple[int, ...]:
    """Return the size of maps after a convolution with an odd kernel that halves them."""
    return tuple(-(-side // step) for side, step in zip(size, halving_steps(size), strict=True))


def sizes_before_pooling(size: Sequence[int], n_blocks: int) -> list[tuple[int, ...]]:
    """Return the input size of the pooling in each conv block, first to last."""
    sizes = [tuple(size)]
    while len(sizes) < n_blocks:
        sizes.append(size_after_pooling(sizes[-1]))
    return sizes


def layer_sizes(
    network: str, input_shape: Size, n_outputs: int, options: Mapping[str, Any]
) -> list[LayerSizes] | None:
    """Return the sizes of the layers of a network; None if only building it shows them.

    The parameters are those of `building.build_network`.
    """
    describe = {"cnn": _cnn, "daf": _daf, "autoencoder": _autoencoder}.get(network)
    given = {name: value for name, value in options.items() if value is not None}
    # The sizes of maps after an even kernel follow other rules; users cannot choose one.
    if describe is None or given.get("kernel_size", 1) % 2 == 0:
        return None
    given.pop("dropout", None)
    return describe(tuple(input_shape), n_outputs, **given)


def _cnn(
    size, n_outputs, channels=(16, 32, 64, 128), kernel_size=3, hidden_units=(128,), n_networks=1
):
    layers, n_in = [], 1
    for number, n_out in enumerate(channels, 1):
        size = size_after_stride(size) if number == 1 else size_after_pooling(size)
        maps = n_out * n_networks, n_in, kernel_size
        layers.append(_conv_block(f"conv{number}", *maps, size))
        n_in = n_out
    n_in = channels[-1] * (size[1] + 2)
    return layers + _dense_blocks(n_in, hidden_units, n_outputs, n_networks)


def _daf(size, n_outputs, channels=(32, 64, 128, 256), kernel_size=5, hidden_units=(1024, 256)):
    layers, size = _pooled_blocks(size, channels, kernel_size)
    return layers + _dense_blocks(channels[-1] * math.prod(size), hidden_units, n_outputs)


def _autoencoder(size, n_outputs, channels=(16, 32, 64, 128), kernel_size=3):
    layers, embedding_size = _pooled_blocks(size, channels, kernel_size)
    weights = _conv(n_outputs, channels[-1], 1)
    layers.append(LayerSizes("embedding", n_outputs * math.prod(embedding_size), weights))
    n_in, sizes = n_outputs, sizes_before_pooling(size, len(channels))
    for number, (n_out, after) in enumerate(zip(channels[::-1], sizes[::-1], strict=True), 1):
        layers.append(_conv_block(f"deconv{number}", n_out, n_in, kernel_size, after))
        n_in = n_out
    return [*layers, LayerSizes("output", math.prod(size), _conv(1, n_in, kernel_size))]


def _pooled_blocks(size, channels, kernel_size):
    layers, n_in = [], 1
    for number, n_out in enumerate(channels, 1):
        size = size_after_pooling(size)
        layers.append(_conv_block(f"conv{number}", n_out, n_in, kernel_size, size))
        n_in = n_out
    return layers, size


def _conv_block(name, n_out, n_in, kernel_size, size):
    weights = _conv(n_out, n_in, kernel_size, "conv.")
    for part in ("weight", "bias", *_STATISTICS):
        weights[f"norm.{part}"] = () if part == "num_batches_tracked" else (n_out,)
    return LayerSizes(name, n_out * math.prod(size), weights)


def _conv(n_out, n_in, kernel_size, prefix=""):
    shape = n_out, n_in, kernel_size, kernel_size
    return {f"{prefix}weight": shape, f"{prefix}bias": (n_out,)}


def _dense_blocks(n_in, units, n_outputs, n_networks=1):
    layers = []
    for number, n_out in enumerate((*units, n_outputs), 1):
        is_output = number > len(units)
        weights = {
            "linear.weight": (n_out * n_networks, n_in),
            "linear.bias": (n_out * n_networks,),
        }
        name = "output" if is_output else f"dense{number}"
        layers.append(LayerSizes(name, n_out if is_output else n_out * n_networks, weights))
        n_in = n_out
    return layers

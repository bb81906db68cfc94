"""Sizes of networks, without building them."""

import math

import pytest

from skdaf._networks.building import build_network, layer_names, output_shapes
from skdaf._networks.sizes import layer_sizes

OPTIONS = {
    "cnn": [
        {},
        {"channels": (3,), "hidden_units": (), "kernel_size": 5},
        {"channels": (4, 6), "hidden_units": (5, 3), "dropout": 0.0, "n_networks": 2},
        {"channels": None, "kernel_size": None, "hidden_units": None, "dropout": None},
    ],
    "daf": [{"channels": (3, 4), "hidden_units": (6,)}, {"channels": (2,), "kernel_size": 3}],
    "autoencoder": [{"channels": (3, 5)}, {"channels": (2, 3, 4), "kernel_size": 5}],
}
CASES = [(name, options) for name, several in OPTIONS.items() for options in several]


@pytest.mark.parametrize("shape", [(1, 1), (1, 9), (21, 40), (50, 3)])
@pytest.mark.parametrize(("name", "options"), CASES)
def test_sizes_are_those_of_the_built_network(name, options, shape):
    built = build_network(name, shape, 3, options)
    sizes = layer_sizes(name, shape, 3, options)
    assert [layer.name for layer in sizes] == layer_names(built)
    n_outputs = [math.prod(outputs) for outputs in output_shapes(built, shape)]
    assert [layer.n_outputs for layer in sizes] == n_outputs
    for described, layer in zip(sizes, built, strict=True):
        assert described.weights == {n: tuple(w.shape) for n, w in layer.state_dict().items()}
        assert described.n_parameters == sum(w.numel() for w in layer.parameters())


def test_sizes_of_other_networks_are_unknown():
    assert layer_sizes("legacy daf", (9, 9), 2, {}) is None
    assert layer_sizes("cnn", (9, 9), 2, {"kernel_size": 4}) is None

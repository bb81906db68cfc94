"""Modules of any kind become layers, and compute the same as before."""

import copy
import functools

import pytest
import torch
from own_networks import Backbone, Flattened, LogProbabilities, ResidualNetwork
from torch import nn

from skdaf._networks.building import build_network, layer_names, output_shapes
from skdaf._networks.layers import Dropout
from skdaf._networks.weights import get_weights

pytestmark = pytest.mark.oldest

SHAPE = (12, 10)


def build(builder, n_outputs=3, seed=0, **options):
    return build_network(builder, SHAPE, n_outputs, options, seed)


def batch(n=4):
    return torch.randn(n, 1, *SHAPE, generator=torch.Generator().manual_seed(1))


def returning(module):
    """Return a builder that returns a module, which the outputs must match."""
    return lambda n_outputs: module


class Calls(nn.Module):
    """A module whose forward is a function of its three layers and the input."""

    def __init__(self, function):
        super().__init__()
        self.function = function
        self.first, self.second = (nn.Linear(120, 3, bias=False) for _ in range(2))
        self.square = nn.Linear(3, 3)

    def forward(self, x):
        return self.function(self, x.flatten(1))


@pytest.mark.parametrize(
    ("builder", "names"),
    [
        (ResidualNetwork, ["body", "output"]),
        (functools.partial(ResidualNetwork, width=3), ["body", "output"]),
        (Flattened, ["body", "output"]),
        (Backbone, ["body", "output"]),
        (LogProbabilities, ["network"]),
        (lambda n_outputs: nn.Sequential(nn.Flatten(), nn.Linear(120, n_outputs)), ["0", "1"]),
        (lambda: nn.Sequential(nn.Flatten(), nn.Linear(120, 7)), ["0", "1", "output"]),
        (lambda: nn.Sequential(nn.Flatten(), nn.Linear(120, 3)), ["0", "1"]),
        (
            lambda: nn.Sequential(nn.Flatten(), nn.Linear(120, 3), nn.ReLU()),
            ["0", "1", "2", "output"],
        ),
    ],
)
def test_every_module_has_layers_that_return_the_outputs(builder, names):
    network = build(builder)
    assert type(network) is nn.Sequential
    assert network.training
    assert layer_names(network) == names
    assert network(batch()).shape == (4, 3)
    assert network.eval()(batch(1)).shape == (1, 3)
    assert [len(shape) for shape in output_shapes(network, SHAPE)][-1] == 1
    for parameter in network.parameters():
        assert parameter.requires_grad
    network(batch()).sum().backward()


@pytest.mark.parametrize("builder", [ResidualNetwork, Flattened, LogProbabilities])
def test_layers_compute_what_the_module_computes(builder):
    with torch.random.fork_rng():
        torch.manual_seed(0)
        module = builder(**({"input_shape": SHAPE} if builder is Flattened else {}), n_outputs=3)
    module(batch())
    module.eval()
    network = build(returning(module)).eval()
    torch.testing.assert_close(network(batch()), module(batch()))


def test_the_body_returns_the_features_before_the_last_layer():
    network = build(ResidualNetwork, width=4).eval()
    assert network[:1](batch()).shape == (4, 16)
    assert isinstance(network.output, nn.Linear)
    assert isinstance(network.body.fc, nn.Identity)
    torch.testing.assert_close(network.body(batch()), network.body.features(batch()))
    names = {name.split(".")[0] for name in get_weights(network)}
    assert names == {"body", "output"}


@pytest.mark.parametrize(
    ("function", "is_split"),
    [
        (lambda m, x: m.first(x), True),
        (lambda m, x: m.square(m.first(x)), True),
        (lambda m, x: m.first(x) + m.second(x), False),
        (lambda m, x: torch.relu_(m.first(x)), False),
        (lambda m, x: m.square(m.square(m.first(x))), False),
        (lambda m, x: m.first(x) * 1.0, False),
        (lambda m, x: m.first(x + m.first.weight.sum()), False),
    ],
)
def test_only_a_layer_whose_outputs_are_returned_unchanged_is_the_output(function, is_split):
    module = Calls(function)
    # Outputs that are all zero say nothing about the layer that they come from.
    nn.init.zeros_(module.first.weight)
    nn.init.zeros_(module.second.weight)
    expected = module.eval()(batch())
    network = build(returning(module)).eval()
    assert layer_names(network) == (["body", "output"] if is_split else ["network"])
    torch.testing.assert_close(network(batch()), expected)


def test_a_layer_that_has_two_names_is_taken_out_under_both():
    module = ResidualNetwork(3)
    module.head = module.fc
    network = build(returning(module))
    assert not [name for name in get_weights(network) if "fc" in name or "head" in name]


def test_the_module_of_the_user_is_not_changed():
    module = ResidualNetwork(3, dropout=0.5)
    before = copy.deepcopy(module.state_dict())
    network = build(returning(module))
    with torch.no_grad():
        network.output.weight.zero_()
    assert all(torch.equal(tensor, before[name]) for name, tensor in module.state_dict().items())
    assert type(module.dropout) is nn.Dropout
    assert type(network.body.dropout) is Dropout


def test_the_same_seed_gives_the_same_weights_of_layers_of_unknown_size():
    first, again, other = (get_weights(build(Flattened, seed=seed)) for seed in (1, 1, 2))
    assert all((first[name] == again[name]).all() for name in first)
    assert not all((first[name] == other[name]).all() for name in first)


def test_a_subclass_of_sequential_is_sliced_whatever_its_constructor_is():
    class Own(nn.Sequential):
        def __init__(self, n_outputs):
            super().__init__(nn.Flatten(), nn.Linear(120, 5), nn.Linear(5, n_outputs))

    network = build(Own)
    assert network[:2](batch()).shape == (4, 5)


def test_a_module_that_occurs_twice_is_two_layers():
    relu = nn.ReLU()
    build_it = returning(nn.Sequential(nn.Flatten(), relu, nn.Linear(120, 3), relu))
    assert layer_names(build(build_it)) == ["0", "1", "2", "3"]


@pytest.mark.parametrize("kind", [nn.Dropout1d, nn.Dropout2d, nn.Dropout3d])
def test_whole_channels_are_dropped_from_an_own_generator(kind):
    drop = build(returning(nn.Sequential(kind(0.5), nn.Flatten(), nn.Linear(120, 3))))[0]
    drop.generator = torch.Generator().manual_seed(0)
    state = torch.get_rng_state()
    y = drop.train()(torch.ones(50, 8, 5, 6))
    assert torch.equal(torch.get_rng_state(), state)
    per_channel = y.flatten(2)
    assert (per_channel == per_channel[..., :1]).all()
    assert 0.4 < (per_channel[..., 0] == 0).float().mean() < 0.6
    assert y.mean().item() == pytest.approx(1, abs=0.15)


class InTraining(ResidualNetwork):
    def forward(self, x):
        outputs = super().forward(x)
        return (outputs, outputs) if self.training else outputs


class Squeezed(ResidualNetwork):
    def forward(self, x):
        return super().forward(x).squeeze()


@pytest.mark.parametrize(
    ("builder", "error", "message"),
    [
        (lambda n_outputs: None, TypeError, "must return an nn.Module .*got NoneType"),
        (lambda n_outputs: ResidualNetwork, TypeError, "got type"),
        (
            lambda n_outputs: ResidualNetwork(n_outputs + 1),
            ValueError,
            "must return 3 outputs .*got 4",
        ),
        (
            lambda n_outputs: nn.Conv2d(1, 3, 1),
            ValueError,
            r"got torch.float32 of shape \(3, 3, 12, 10\)",
        ),
        (lambda n_outputs: nn.Unflatten(1, (1, 1)), ValueError, r"shape \(3, 1, 1, 12, 10\)"),
        (lambda n_outputs: nn.Sequential(), ValueError, r"of shape \(3, 1, 12, 10\)"),
        (
            lambda n_outputs: nn.Flatten(0, 1),
            ValueError,
            r"got torch.float32 of shape \(3, 12, 10\)",
        ),
        (lambda n_outputs: nn.Linear(9, 3), ValueError, r"fails for input of shape .*RuntimeError"),
        (lambda n_outputs: 1 / 0, ValueError, "ZeroDivisionError"),
        (Squeezed, ValueError, r"of shape \(3,\) for input of shape \(1, 1, 12, 10\)"),
        (InTraining, TypeError, "In training, .*got tuple"),
    ],
)
def test_other_results_are_errors_that_name_the_network(builder, error, message):
    with pytest.raises(error, match=message) as info:
        build(builder)
    assert "network=" in str(info.value)

"""Networks in evaluation mode, applied without calling their modules."""

import numpy as np
import pytest
import torch
from torch import nn
from torch.nn.modules.module import register_module_forward_hook

from skdaf._networks.building import NETWORKS, build_network
from skdaf._networks.forward import forward, is_training
from skdaf._networks.inference import apply_network

SHAPE = (19, 12)
SIZES = {"channels": (3, 4)}


def inputs(n_clips=3):
    return torch.randn(n_clips, 1, *SHAPE, generator=torch.Generator().manual_seed(0))


@pytest.fixture
def network():
    return build_network("cnn", SHAPE, 3, SIZES).eval()


@pytest.mark.parametrize("n_clips", [1, 3])
@pytest.mark.parametrize(
    ("name", "options"),
    [(name, {}) for name in (*NETWORKS, "autoencoder")] + [("cnn", {"n_networks": 2})],
)
@torch.inference_mode()
def test_outputs_have_the_bytes_of_the_modules(name, options, n_clips):
    network = build_network(name, SHAPE, 3, SIZES | options)
    network(inputs(8))  # batch norm gets statistics
    network.eval()
    assert torch.equal(forward(network, inputs(n_clips)), network(inputs(n_clips)))
    for n_layers in range(1, len(network)):
        expected = network[:n_layers](inputs(n_clips))
        assert torch.equal(forward(network, inputs(n_clips), n_layers), expected)


class Doubled(nn.Linear):
    """A layer of a user."""

    def forward(self, x):
        return 2 * super().forward(x)


@torch.inference_mode()
def test_other_layers_are_called():
    network = nn.Sequential(
        nn.Conv2d(1, 2, 3, padding="same", padding_mode="circular"),
        nn.BatchNorm2d(2, track_running_stats=False),
        nn.BatchNorm2d(2, momentum=None, affine=False),
        nn.Conv2d(2, 3, (3, 5), padding="same", bias=False),
        nn.MaxPool2d(3, stride=2, padding=1, ceil_mode=True),
        nn.LeakyReLU(),
        nn.Flatten(start_dim=1, end_dim=2),
        nn.Dropout(0.5),
        nn.LazyLinear(4),
        Doubled(4, 3),
    )
    network.eval()(inputs())
    assert torch.equal(forward(network, inputs()), network(inputs()))


@torch.inference_mode()
def test_hooks_run_and_can_change_outputs(network):
    before = forward(network, inputs())
    calls = []
    hooks = [
        network.conv2.conv.register_forward_pre_hook(lambda *_: calls.append("conv2")),
        network.dense1.register_forward_hook(lambda *_: calls.append("dense1")),
        network.output.linear.register_forward_hook(lambda module, args, output: output + 1),
    ]
    assert torch.equal(forward(network, inputs()), before + 1)
    assert calls == ["conv2", "dense1"]
    for hook in hooks:
        hook.remove()
    with register_module_forward_hook(lambda module, args, output: calls.append(module)):
        assert torch.equal(forward(network, inputs()), before)
        assert torch.equal(forward(network, inputs(), 1), network[:1](inputs()))
    assert network.conv1.norm in calls


@torch.inference_mode()
def test_a_method_set_on_one_layer_is_called(network):
    network.output.linear.forward = lambda x: x[:, :3] * 0
    assert not forward(network, inputs()).any()


def test_changes_of_weights_take_effect_at_once(network):
    rows = inputs().squeeze(1).numpy()
    before = apply_network(network, rows, "cpu")
    network.output.linear.bias.data += 1  # invisible to torch's counters of changes
    np.testing.assert_allclose(apply_network(network, rows, "cpu"), before + 1, rtol=1e-5)
    network.conv1.norm.running_mean.detach().numpy()[:] = 5
    assert abs(apply_network(network, rows, "cpu") - before - 1).max() > 1e-3


def test_any_layer_can_be_in_training_mode(network):
    assert not is_training(network)
    network.conv2.norm.train()
    assert is_training(network)
    apply_network(network, np.zeros((1, *SHAPE)), "cpu")
    assert not is_training(network)


def keep_as_buffer(layer, name):
    """Keep a weight from training, as users do: it is no parameter any more."""
    tensor = getattr(layer, name).data
    delattr(layer, name)
    layer.register_buffer(name, tensor)


def keep_training(layer):
    """Let a layer stay in training mode, as users do for dropout in predictions."""
    layer.training, layer.train = True, lambda mode=True: layer


@pytest.mark.parametrize(
    ("place", "change"),
    [
        *((place, keep_as_buffer) for place in ("conv2.conv", "conv2.norm", "output.linear")),
        *((place, keep_training) for place in ("conv2.norm", "dense1.dropout")),
    ],
)
def test_layers_that_users_have_changed_are_called(network, place, change):
    layer, rows = network.get_submodule(place), inputs(2).squeeze(1).numpy()
    before = apply_network(network, rows, "cpu")
    if change is keep_training:
        keep_training(layer)
        assert not np.array_equal(apply_network(network, rows, "cpu"), before)
    else:
        for name in ("weight", "bias"):
            keep_as_buffer(layer, name)
            assert np.array_equal(apply_network(network, rows, "cpu"), before)

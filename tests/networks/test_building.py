import numpy as np
import pytest
import torch
from torch import nn

from skdaf._networks.building import (
    NETWORKS,
    build_network,
    check_architecture,
    layer_names,
    weight_shapes,
)
from skdaf._networks.layers import Dropout, seed_dropout
from skdaf._networks.transfer import is_autoencoder, transferred_architecture
from skdaf._networks.weights import copy_layers, get_weights, set_weights

pytestmark = pytest.mark.oldest

SIZES = [(1, 1), (1, 64), (43, 1), (2, 3), (17, 5), (43, 64), (101, 128)]


def outputs(network, size, n_clips=3):
    torch.manual_seed(0)
    return network.eval()(torch.randn(n_clips, 1, *size))


@pytest.mark.parametrize("size", SIZES)
@pytest.mark.parametrize("name", NETWORKS)
def test_any_size_of_at_least_one_frame_and_bin_returns_logits(name, size):
    logits = outputs(build_network(name, size, 4, {}), size)
    assert logits.shape == (3, 4)
    assert torch.isfinite(logits).all()


@pytest.mark.parametrize("name", NETWORKS)
def test_layers_are_named_conv_blocks_then_dense_blocks_then_a_plain_output(name):
    network = build_network(name, (43, 64), 4, {})
    names = layer_names(network)
    assert names[:4] == ["conv1", "conv2", "conv3", "conv4"]
    assert names[-1] == "output"
    assert all(name.startswith("dense") for name in names[4:-1])
    assert isinstance(network[-1][-1], nn.Linear)


def test_daf_has_the_seven_layers_and_sizes_of_the_original():
    network = build_network("daf", (22, 128), 10, {})
    assert len(network) == 7
    assert [block.conv.out_channels for block in network[:4]] == [32, 64, 128, 256]
    assert all(block.conv.kernel_size == (5, 5) for block in network[:4])
    # 22 frames and 128 bins, halved four times, leave 1 x 8.
    assert network.dense1.linear.in_features == 256 * 1 * 8
    assert [layer.linear.out_features for layer in network[4:]] == [1024, 256, 10]
    assert [network.dense1.dropout.p, network.dense2.dropout.p] == [0.75, 0.5]
    assert not hasattr(network.output, "dropout")


def test_every_layer_can_be_the_last_one():
    network = build_network("cnn", (43, 64), 4, {}).eval()
    for n_layers in range(1, len(network) + 1):
        assert outputs(network[:n_layers], (43, 64)).flatten(1).shape[0] == 3


def test_the_size_of_cnn_does_not_depend_on_the_length_of_clips():
    short, long = (get_weights(build_network("cnn", (n, 64), 4, {})) for n in (40, 400))
    assert {k: v.shape for k, v in short.items()} == {k: v.shape for k, v in long.items()}


@pytest.mark.parametrize("name", NETWORKS)
def test_options_reach_the_layers(name):
    options = {"channels": (3, 5), "kernel_size": 7, "hidden_units": (6, 9, 4), "dropout": 0.25}
    network = build_network(name, (20, 20), 2, options)
    assert [block.conv.out_channels for block in network[:2]] == [3, 5]
    assert network.conv1.conv.kernel_size == (7, 7)
    assert [layer.linear.out_features for layer in network[2:]] == [6, 9, 4, 2]
    assert network.dense1.dropout.p == 0.25


@pytest.mark.parametrize("name", NETWORKS)
def test_without_hidden_units_the_output_follows_the_conv_blocks(name):
    network = build_network(name, (20, 20), 2, {"hidden_units": ()})
    assert layer_names(network)[-2:] == ["conv4", "output"]
    assert outputs(network, (20, 20)).shape == (3, 2)


def part_of_network(weights, number, n_networks):
    """Return the weights of one of several parallel networks, as those of a network alone."""
    parts = {}
    for name, array in weights.items():
        n_rows = len(array) // n_networks if array.ndim else None
        # The count of batches has no dimension and belongs to all networks.
        parts[name] = array if n_rows is None else array[n_rows * number :][:n_rows]
    return parts


@pytest.mark.parametrize("options", [{}, {"hidden_units": (6, 5)}, {"hidden_units": ()}])
def test_parallel_networks_are_networks_alone_whose_outputs_are_averaged(options):
    size, options = (43, 20), {"channels": (3, 4, 5), **options}
    together = build_network("cnn", size, 4, {**options, "n_networks": 3}, seed=1)
    weights = get_weights(together)
    alone = []
    for number in range(3):
        network = build_network("cnn", size, 4, options)
        set_weights(network, part_of_network(weights, number, 3))
        alone.append(outputs(network, size))
    assert not torch.allclose(alone[0], alone[1], atol=1e-3)
    torch.testing.assert_close(outputs(together, size), torch.stack(alone).mean(dim=0))
    # In training, each network has a loss of its own.
    assert together.train()(torch.randn(8, 1, *size)).shape == (8, 3, 4)


@pytest.mark.parametrize(
    ("name", "n_networks", "message"),
    [
        ("cnn", 101, "n_networks must be at most"),
        ("cnn", 0, "the options of its network are damaged"),
        ("daf", 2, "the options of its network are damaged"),
    ],
)
def test_architectures_from_files_have_options_of_their_network(name, n_networks, message):
    architecture = {"network": name, "input_shape": (20, 20), "n_outputs": 2, "options": {}}
    check_architecture(architecture)
    architecture["options"] = {"n_networks": n_networks}
    with pytest.raises(ValueError, match=message):
        check_architecture(architecture)


def test_parallel_networks_learn_nothing_from_each_other():
    together = build_network("cnn", (20, 20), 2, {"channels": (3, 4), "n_networks": 3})
    together.train()(torch.randn(8, 1, 20, 20))[:, 1].sum().backward()
    for name, parameter in together.named_parameters():
        rows = parameter.grad.flatten(1).abs().sum(1) if parameter.ndim > 1 else parameter.grad
        first, second, third = rows.unflatten(0, (3, -1)).unbind()
        assert not first.any(), name
        assert not third.any(), name
        # A bias before batch norm has no effect.
        assert second.any() or name.endswith("conv.bias")


def test_the_same_seed_gives_the_same_weights_and_another_seed_others():
    first, again, other = (
        get_weights(build_network("cnn", (20, 20), 3, {}, seed)) for seed in (1, 1, 2)
    )
    assert all(np.array_equal(first[name], again[name]) for name in first)
    assert not np.array_equal(first["conv1.conv.weight"], other["conv1.conv.weight"])


def test_building_does_not_change_the_global_generator():
    torch.manual_seed(3)
    expected = torch.rand(4)
    torch.manual_seed(3)
    build_network("daf", (20, 20), 3, {}, seed=7)
    assert torch.equal(torch.rand(4), expected)


def test_weights_can_be_restored_from_arrays():
    source, target = (build_network("cnn", (20, 20), 3, {}, seed) for seed in (1, 2))
    assert not torch.equal(outputs(source, (20, 20)), outputs(target, (20, 20)))
    set_weights(target, get_weights(source))
    assert torch.equal(outputs(source, (20, 20)), outputs(target, (20, 20)))


def test_weights_are_plain_arrays_that_share_no_memory():
    network = build_network("cnn", (20, 20), 3, {})
    weights = get_weights(network)
    assert all(type(array) is np.ndarray and array.flags.c_contiguous for array in weights.values())
    weights["output.linear.bias"][:] = 9
    assert not (network.output.linear.bias == 9).any()


def test_a_callable_builds_the_network():
    def build(input_shape, n_outputs, **options):
        return nn.Sequential(nn.Flatten(), nn.Dropout(0.5), nn.Linear(20 * 20, n_outputs))

    network = build_network(build, (20, 20), 3, {})
    assert outputs(network, (20, 20)).shape == (3, 3)
    assert isinstance(network[1], Dropout)


class TestDropout:
    def test_drops_the_given_share_and_keeps_the_mean(self):
        layer = Dropout(0.3).train()
        seed_dropout(layer, 0, "cpu")
        x = torch.ones(200, 500)
        y = layer(x)
        assert (y == 0).float().mean().item() == pytest.approx(0.3, abs=0.01)
        assert y.mean().item() == pytest.approx(1.0, abs=0.01)

    def test_does_nothing_in_evaluation_mode(self):
        x = torch.randn(5, 5)
        assert torch.equal(Dropout(0.9).eval()(x), x)

    def test_draws_from_its_own_generator(self):
        layer = Dropout(0.5).train()
        results = []
        for _ in range(2):
            seed_dropout(layer, 4, "cpu")
            before = torch.get_rng_state()
            results.append(layer(torch.ones(10, 10)))
            assert torch.equal(torch.get_rng_state(), before)
        assert torch.equal(*results)


def architecture(network, input_shape=(22, 128), n_outputs=3, **options):
    return {
        "network": network,
        "input_shape": input_shape,
        "n_outputs": n_outputs,
        "options": options,
    }


@pytest.mark.parametrize("name", ["cnn", "daf", "autoencoder", "legacy daf", "legacy autoencoder"])
def test_weight_shapes_match_the_built_network(name):
    described = architecture(name, channels=(2, 3, 4, 5))
    expected = build_network(**described).state_dict()
    before = torch.get_rng_state()
    found = weight_shapes(**described)
    assert torch.equal(torch.get_rng_state(), before)
    assert found == {name: (tuple(w.shape), w.dtype) for name, w in expected.items()}


def test_weight_shapes_take_no_memory():
    described = architecture("daf", (2**20, 2**10), hidden_units=(2**20,))
    assert weight_shapes(**described)["dense1.linear.weight"][0] == (2**20, 2**30)


@pytest.mark.parametrize("size", [(16, 16), (22, 128), (37, 51)])
def test_the_legacy_autoencoder_returns_the_size_of_its_input(size):
    network = build_network("legacy autoencoder", size, 3, {"channels": (2, 3, 4)})
    assert outputs(network, size).shape == (3, 1, *size)
    n_encoder = layer_names(network).index("embedding") + 1
    embedding = outputs(network[:n_encoder], size)
    assert embedding.shape == (3, 3, size[0] // 16, size[1] // 16)


def test_the_legacy_daf_has_an_activation_on_its_logits():
    old, new = (build_network(name, (22, 128), 10, {}) for name in ("legacy daf", "daf"))
    assert list(old.state_dict()) == list(new.state_dict())
    set_weights(new, get_weights(old))
    logits = outputs(new, (22, 128))
    torch.testing.assert_close(outputs(old, (22, 128)), nn.functional.leaky_relu(logits))


def test_a_classifier_that_starts_from_another_network_has_a_plain_output():
    assert transferred_architecture(architecture("daf"), 5, {}) == architecture("daf", n_outputs=5)
    assert transferred_architecture(architecture("legacy daf"), 5, {}) == architecture(
        "daf", n_outputs=5
    )


@pytest.mark.parametrize("name", ["autoencoder", "legacy autoencoder"])
def test_a_classifier_can_start_from_an_encoder(name):
    source = architecture(name, channels=(2, 3, 4), kernel_size=5)
    assert is_autoencoder(source)
    described = transferred_architecture(source, 5, {"hidden_units": (6,), "channels": None})
    encoder, classifier = build_network(**source), build_network(**described)
    names = layer_names(classifier)[:-2]
    assert names == layer_names(encoder)[: len(names)]
    copy_layers(encoder, classifier, names)
    n_layers = len(names)
    torch.testing.assert_close(
        outputs(classifier[:n_layers], (22, 128)), outputs(encoder[:n_layers], (22, 128))
    )
    assert outputs(classifier, (22, 128)).shape == (3, 5)

"""Saliency maps show the part of the input that decides."""

from collections import OrderedDict

import numpy as np
import pytest
import torch
from torch import nn

from skdaf._networks.saliency import saliency_layer, saliency_maps

pytestmark = pytest.mark.oldest


def two_band_network(low=slice(2, 4), high=slice(10, 12), n_frames=12, n_bins=16):
    """Return a network whose logits are the mean levels in two bands."""
    dense = nn.Linear(n_frames * n_bins, 2, bias=False)
    with torch.no_grad():
        weights = torch.zeros(2, n_frames, n_bins)
        weights[0, :, low] = 1.0
        weights[1, :, high] = 1.0
        dense.weight[:] = weights.reshape(2, -1)
    conv = nn.Conv2d(1, 1, 1, bias=False)
    conv.weight.data[:] = 1.0
    layers = {"conv1": conv, "output": nn.Sequential(nn.Flatten(), dense)}
    return nn.Sequential(OrderedDict(layers))


@pytest.fixture
def spectrogram():
    return np.random.default_rng(0).uniform(0.5, 1.0, (1, 12, 16)).astype(np.float32)


@pytest.mark.parametrize(("number", "band"), [(0, slice(2, 4)), (1, slice(10, 12))])
def test_only_the_band_that_decides_is_salient(spectrogram, number, band):
    [saliency] = saliency_maps(two_band_network(), spectrogram, [number], 0)
    expected = np.zeros((12, 16))
    expected[:, band] = spectrogram[0][:, band]
    np.testing.assert_allclose(saliency, expected / expected.max(), atol=1e-6)


def test_a_single_value_that_decides_is_salient(spectrogram):
    network = two_band_network()
    spectrogram[:] = 0.0
    spectrogram[0, 7, 3] = 1.0
    [saliency] = saliency_maps(network, spectrogram, [0], 0)
    assert np.argwhere(saliency > 0.5).tolist() == [[7, 3]]


def test_averaged_gradients_do_not_show_the_band(spectrogram):
    [saliency] = saliency_maps(two_band_network(), spectrogram, [0], 0, average_gradients=True)
    np.testing.assert_allclose(saliency, spectrogram[0] / spectrogram.max(), atol=1e-6)


def test_both_methods_agree_where_the_network_averages_over_frames_and_bins():
    torch.manual_seed(0)
    head = nn.Sequential(nn.AdaptiveAvgPool2d(1), nn.Flatten(), nn.Linear(4, 3))
    network = nn.Sequential(
        OrderedDict(conv1=nn.Sequential(nn.Conv2d(1, 4, 3), nn.ReLU()), output=head)
    )
    spectrograms = np.random.default_rng(0).standard_normal((3, 20, 24))
    both = [
        saliency_maps(network, spectrograms, [0, 1, 2], 0, average_gradients=averaged)
        for averaged in (False, True)
    ]
    np.testing.assert_allclose(*both, atol=1e-5)


def test_evidence_against_a_class_is_not_shown(spectrogram):
    network = two_band_network()
    network.output[1].weight.data *= -1
    assert not saliency_maps(network, spectrogram, [0], 0).any()


def test_maps_have_the_size_of_the_input_and_a_maximum_of_one():
    network = nn.Sequential(
        OrderedDict(
            conv1=nn.Sequential(nn.Conv2d(1, 4, 3, stride=3, padding=1), nn.ReLU()),
            output=nn.Sequential(nn.Flatten(), nn.LazyLinear(2)),
        )
    )
    spectrograms = np.random.default_rng(0).standard_normal((2, 17, 23))
    network(torch.zeros(1, 1, 17, 23))
    maps = saliency_maps(network, spectrograms, [0, 1], 0)
    assert maps.shape == (2, 17, 23)
    np.testing.assert_allclose(maps.max(axis=(1, 2)), 1.0)
    assert maps.min() >= 0


def test_the_map_of_a_clip_does_not_depend_on_other_clips():
    network = two_band_network()
    spectrograms = np.random.default_rng(0).uniform(size=(3, 12, 16))
    together = saliency_maps(network, spectrograms, [0, 1, 0], 0)
    np.testing.assert_array_equal(together[2], saliency_maps(network, spectrograms[2:], [0], 0)[0])


def test_parameters_keep_no_gradients(spectrogram):
    network = two_band_network()
    saliency_maps(network, spectrogram, [0], 0)
    assert all(parameter.grad is None for parameter in network.parameters())


def test_a_layer_without_maps_is_an_error(spectrogram):
    with pytest.raises(ValueError, match="'output'"):
        saliency_maps(two_band_network(), spectrogram, [0], 1)


@pytest.mark.parametrize(
    ("n_convs", "size", "expected"), [(4, (64, 64), 2), (3, (9, 64), 0), (2, (200, 200), 1)]
)
def test_the_deepest_layer_that_is_not_too_coarse_is_chosen(n_convs, size, expected):
    convs = [(f"conv{i}", nn.MaxPool2d(2)) for i in range(n_convs)]
    network = nn.Sequential(OrderedDict([*convs, ("output", nn.Flatten())]))
    assert saliency_layer(network, size) == expected


def test_small_inputs_have_a_layer_to_explain_too():
    network = nn.Sequential(OrderedDict(conv1=nn.Conv2d(1, 2, 1), output=nn.Flatten()))
    assert saliency_layer(network, (1, 3)) == 0


def test_a_network_without_maps_is_an_error():
    network = nn.Sequential(OrderedDict(dense=nn.Flatten(), output=nn.Linear(4, 2)))
    with pytest.raises(ValueError, match=r"\['dense', 'output'\]"):
        saliency_layer(network, (2, 2))

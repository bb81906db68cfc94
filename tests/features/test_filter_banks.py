"""The mel scale and the filter banks."""

import numpy as np
import pytest
from helpers import tone
from scipy import fft
from spectrograms import compute_one, make_settings, make_sounds

from skdaf._features.filter_banks import (
    count_empty_bands,
    hz_to_mel,
    mel_blocks,
    mel_edges,
    mel_filter_bank,
    mel_to_hz,
)

pytestmark = pytest.mark.oldest


@pytest.mark.parametrize(
    ("frequency", "mel"), [(0.0, 0.0), (200.0, 3.0), (1000.0, 15.0), (6400.0, 42.0)]
)
def test_mel_scale_at_known_points(frequency, mel):
    assert hz_to_mel(frequency) == pytest.approx(mel, abs=1e-12)
    assert mel_to_hz(mel) == pytest.approx(frequency, abs=1e-9)


def test_mel_scale_inverts_and_rises():
    frequencies = np.linspace(0.0, 24000.0, 2001)
    mels = hz_to_mel(frequencies)
    assert (np.diff(mels) > 0).all()
    np.testing.assert_allclose(mel_to_hz(mels), frequencies, rtol=1e-12, atol=1e-9)


def test_a_tone_at_the_center_of_a_band_is_loudest_there():
    settings = make_settings(n_mels=40, window_length=1024, fmin=100.0)
    centers = mel_edges(settings.n_mels, settings.fmin, settings.fmax)[1:-1]
    for band, center in enumerate(centers):
        levels = compute_one(tone(center), settings)[10:-10]
        np.testing.assert_array_equal(levels.argmax(axis=1), band)


@pytest.mark.parametrize("n_mels", [1, 13, 64, 128])
def test_banded_product_is_the_dense_filter_bank(n_mels):
    settings = make_settings(n_mels=n_mels, fmin=60.0, fmax=7000.0)
    dense = np.zeros((settings.n_fft // 2 + 1, n_mels), np.float32)
    for frequencies, bands, weights in mel_blocks(settings):
        dense[frequencies, bands] += weights
    np.testing.assert_array_equal(dense, mel_filter_bank(settings).astype(np.float32))


def test_levels_are_those_of_the_definition_in_double_precision():
    settings = make_settings(22050, n_mels=40, window_length=500, hop_length=300)
    samples = make_sounds(22050, 3000)["noise"].astype(float)
    padded = np.pad(samples, settings.n_fft // 2)
    hann = 0.5 - 0.5 * np.cos(2 * np.pi * np.arange(500) / 500)
    hann = np.pad(hann, (settings.n_fft - 500) // 2)
    frames = [padded[k * 300 : k * 300 + settings.n_fft] * hann for k in range(11)]
    power = np.abs(fft.rfft(frames)) ** 2 @ mel_filter_bank(settings)
    expected = 10 * np.log10(power / power.max())
    np.testing.assert_allclose(compute_one(samples, settings), expected, atol=1e-3)


@pytest.mark.parametrize(
    ("changes", "some_are_empty"),
    [({}, False), ({"window_length": 128}, True), ({"n_mels": 200}, True), ({"n_mels": 1}, False)],
)
def test_empty_bands_are_those_between_two_frequencies(changes, some_are_empty):
    settings = make_settings(**changes)
    edges = mel_edges(settings.n_mels, settings.fmin, settings.fmax)
    frequencies = np.arange(settings.n_fft // 2 + 1) * 16000 / settings.n_fft
    n_empty = sum(
        not ((low < frequencies) & (frequencies < high)).any()
        for low, high in zip(edges[:-2], edges[2:], strict=True)
    )
    assert count_empty_bands(settings) == n_empty
    assert (n_empty > 0) == some_are_empty


@pytest.mark.parametrize("window_length", range(1, 600, 7))
def test_transform_is_even_and_barely_longer_than_the_window(window_length):
    n_fft = make_settings(window_length=window_length).n_fft
    assert n_fft % 2 == 0
    assert window_length <= n_fft <= 1.15 * window_length + 2

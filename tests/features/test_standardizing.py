"""Softening, mean subtraction and standardizing."""

import numpy as np
import pytest
from spectrograms import compute_one, make_settings, make_sounds

from skdaf._features.standardizing import (
    share_to_subtract,
    soften_levels,
    standardization,
    write_standardized,
)

pytestmark = pytest.mark.oldest


@pytest.mark.parametrize("features", ["mel", "mfcc", "mel+chroma"])
def test_standardization_gives_zero_mean_and_unit_variance(features):
    spectrogram = compute_one(make_sounds(16000)["chirp"], make_settings(features=features))
    (mean,), (scale,) = standardization(spectrogram, [slice(0, len(spectrogram))])
    standardized = ((spectrogram - mean) / scale).astype(float)
    assert standardized.mean() == pytest.approx(0.0, abs=1e-4)
    assert standardized.std() == pytest.approx(1.0, abs=1e-4)


def test_levels_near_the_peak_stay_and_deep_ones_come_closer():
    levels = np.array([[0.0, -12.3, -50.0], [-50.1, -60.0, -80.0]], np.float32)
    before = levels.copy()
    expected = [[0.0, -12.3, -50.0], [-50.03, -53.0, -59.0]]
    np.testing.assert_allclose(soften_levels(levels), expected, rtol=1e-6)
    np.testing.assert_array_equal(levels, before)
    levels.flags.writeable = False
    assert soften_levels(levels).dtype == np.float32


@pytest.mark.parametrize("level", [0.0, -80.0])
def test_standardized_silence_is_zero(level):
    spectrogram = np.full((20, 8), level, np.float32)
    (mean,), (scale,) = standardization(spectrogram, [slice(0, len(spectrogram))])
    np.testing.assert_array_equal((spectrogram - mean) / scale, 0.0)
    assert scale == 1.0


def standardized(spectrogram, *, mean_subtraction=0.0, soften=False):
    rows = np.empty((1, *spectrogram.shape), np.float32)
    write_standardized(
        [spectrogram],
        rows,
        lambda levels, _: levels,
        padding=None,
        mean_subtraction=mean_subtraction,
        soften=soften,
    )
    return rows[0]


def random_levels(n_frames=50, n_bins=8, seed=0):
    rng = np.random.default_rng(seed)
    return rng.uniform(-60, 0, (n_frames, n_bins)).astype(np.float32)


@pytest.mark.parametrize("share", [0.0, 0.3, 1.0])
@pytest.mark.parametrize("soften", [False, True])
def test_each_bin_loses_a_share_of_its_mean(share, soften):
    levels = random_levels()
    before = levels.copy()
    plain = (soften_levels(levels) if soften else levels).astype(float)
    expected = plain - share * plain.mean(axis=0)
    expected = (expected - expected.mean()) / expected.std()
    written = standardized(levels, mean_subtraction=share, soften=soften)
    np.testing.assert_allclose(written, expected, atol=1e-5)
    np.testing.assert_array_equal(levels, before)


def test_full_subtraction_cancels_a_microphone():
    # A filter adds the same number of dB to each frame of a band.
    levels = random_levels()
    filtered = levels + np.linspace(-10, 10, 8, dtype=np.float32)
    np.testing.assert_allclose(
        standardized(filtered, mean_subtraction=1.0),
        standardized(levels, mean_subtraction=1.0),
        atol=1e-5,
    )
    distances = [
        np.abs(
            standardized(filtered, mean_subtraction=share)
            - standardized(levels, mean_subtraction=share)
        ).mean()
        for share in (0.0, 0.5, 1.0)
    ]
    assert distances[0] > 1.5 * distances[1] > 0 == pytest.approx(distances[2], abs=1e-5)


def test_padding_loses_the_same_as_the_clip():
    levels, padding = random_levels(), np.full(8, -50.0, np.float32)
    row = np.empty((60, 8), np.float32)

    def pad(spectrogram, frame):
        return np.concatenate([spectrogram, np.repeat(frame[None], 10, axis=0)])

    write_standardized(
        [levels], row[None], pad, padding=padding, mean_subtraction=0.5, soften=False
    )
    expected = levels - 0.5 * levels.mean(axis=0)
    silence = padding - 0.5 * levels.mean(axis=0)
    np.testing.assert_allclose(row[:50], (expected - expected.mean()) / expected.std(), atol=1e-5)
    np.testing.assert_allclose(
        row[50:], np.tile((silence - expected.mean()) / expected.std(), (10, 1)), atol=1e-5
    )


def test_the_share_grows_with_the_length_of_clips():
    assert share_to_subtract(0.0) == 0.0
    assert share_to_subtract(3.0) == 0.5
    shares = [share_to_subtract(seconds) for seconds in (0.1, 1, 10, 1000)]
    assert shares == sorted(shares)
    assert shares[-1] < 1.0


@pytest.mark.parametrize("n_bins", [1, 3, 8, 40])
@pytest.mark.parametrize("pads", [False, True])
def test_a_clip_alone_gives_the_same_bytes_at_every_place(n_bins, pads):
    rng = np.random.default_rng(0)
    padding = np.full(n_bins, -80.0, np.float32) if pads else None
    own = random_levels(37, n_bins)

    def rows_of(spectrograms):
        rows = np.empty((len(spectrograms), 1, n_bins), np.float32)
        write_standardized(
            spectrograms,
            rows,
            lambda levels, _: levels[:1],
            padding=padding,
            mean_subtraction=0.4,
            soften=True,
        )
        return rows

    alone = rows_of([own]).tobytes()
    for n_before in range(1, 20):
        others = [random_levels(n, n_bins, n) for n in rng.integers(1, 300, 3)]
        others[1] = others[1][:n_before]
        rows = rows_of([others[0], others[1], own, others[2], own])
        assert rows[2].tobytes() == rows[4].tobytes() == alone

"""Resizing, padding, softening and standardizing."""

import numpy as np
import pytest
from spectrograms import compute_one, make_settings, make_sounds

from skdaf._features.resizing import (
    pad_or_cut,
    resize,
    resize_matrix,
    soften_levels,
    squeezed_length,
    standardization,
)
from skdaf._features.spectrogram import silent_frame

pytestmark = pytest.mark.oldest


SIZES = [(1, 1), (1, 5), (7, 1), (2, 3), (3, 2), (9, 4), (10, 23), (100, 101), (101, 100)]
SIZES += [(37, 1000), (1000, 37), (101, 1), (64, 32), (50, 150)]


@pytest.mark.parametrize(("n_in", "n_out"), SIZES)
def test_resize_is_the_bicubic_one_of_pillow(pillow, n_in, n_out):
    spectrogram = np.random.default_rng(n_in).uniform(-80, 0, (n_in, 6)).astype(np.float32)
    expected = pillow.fromarray(spectrogram).resize((6, n_out), pillow.Resampling.BICUBIC)
    resized = resize(spectrogram, n_out)
    assert resized.dtype == np.float32
    # Measured: 3e-5 of 80.
    np.testing.assert_allclose(resized, np.asarray(expected), atol=2e-4)


@pytest.mark.parametrize(("n_in", "n_out"), SIZES)
def test_resize_weights_sum_to_one_and_keep_constants(n_in, n_out):
    np.testing.assert_allclose(resize_matrix(n_in, n_out).sum(axis=1), 1.0, rtol=1e-6)
    constant = np.full((n_in, 3), -42.5, np.float32)
    np.testing.assert_allclose(resize(constant, n_out), -42.5, rtol=1e-6)


def test_long_spectrograms_are_squeezed_to_250_frames_or_a_quarter():
    lengths = [squeezed_length(n) for n in (1, 250, 251, 500, 1003, 1004, 4000)]
    assert lengths == [1, 250, 250, 250, 250, 251, 1000]


def test_resize_to_the_same_length_is_the_identity():
    spectrogram = np.random.default_rng(0).standard_normal((17, 5)).astype(np.float32)
    np.testing.assert_array_equal(resize(spectrogram, 17), spectrogram)
    np.testing.assert_array_equal(resize_matrix(17, 17).toarray(), np.eye(17))


@pytest.mark.parametrize(("n_in", "n_out"), SIZES)
def test_resize_commutes_with_time_reversal(n_in, n_out):
    spectrogram = np.random.default_rng(1).standard_normal((n_in, 4)).astype(np.float32)
    np.testing.assert_allclose(
        resize(spectrogram[::-1], n_out), resize(spectrogram, n_out)[::-1], atol=1e-5
    )


def test_pad_appends_silence_and_keeps_the_rest():
    spectrogram = np.random.default_rng(0).standard_normal((4, 3)).astype(np.float32)
    silence = np.array([-1.0, -2.0, -3.0], np.float32)
    padded = pad_or_cut(spectrogram, 6, silence)
    np.testing.assert_array_equal(padded[:4], spectrogram)
    np.testing.assert_array_equal(padded[4:], [silence, silence])
    assert padded.dtype == np.float32


@pytest.mark.parametrize("n_frames", [1, 3, 4])
def test_cut_drops_the_end(n_frames):
    spectrogram = np.random.default_rng(0).standard_normal((4, 3)).astype(np.float32)
    silence = np.zeros(3, np.float32)
    np.testing.assert_array_equal(
        pad_or_cut(spectrogram, n_frames, silence), spectrogram[:n_frames]
    )


@pytest.mark.parametrize("features", ["mel", "mfcc", "mel+chroma"])
@pytest.mark.parametrize("top_db", [60.0, 80.0])
def test_silent_frame_is_what_silence_after_a_sound_looks_like(features, top_db):
    settings = make_settings(features=features, top_db=top_db)
    sound = np.concatenate([make_sounds(16000, 4000)["noise"], np.zeros(16000)])
    np.testing.assert_allclose(silent_frame(settings), compute_one(sound, settings)[-5], atol=1e-3)


def test_silent_frame_without_top_db_is_quieter_than_80_db():
    frame = silent_frame(make_settings(top_db=None))
    assert frame.shape == (64,)
    np.testing.assert_array_equal(frame, -100.0)


@pytest.mark.parametrize("features", ["mel", "mfcc", "mel+chroma"])
def test_standardization_gives_zero_mean_and_unit_variance(features):
    spectrogram = compute_one(make_sounds(16000)["chirp"], make_settings(features=features))
    mean, scale = standardization(spectrogram)
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
    mean, scale = standardization(spectrogram)
    np.testing.assert_array_equal((spectrogram - mean) / scale, 0.0)
    assert scale == 1.0

"""The common length: how it is chosen, resizing, tiling, padding."""

import numpy as np
import pytest
from spectrograms import compute_one, make_settings, make_sounds

from skdaf._features.resizing import (
    CommonLength,
    pad_or_cut,
    resize,
    resize_matrix,
    squeezed_length,
    tile_or_cut,
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


@pytest.mark.parametrize(("n_own", "n_frames"), [(3, 3), (3, 4), (3, 10), (1, 5)])
def test_tile_repeats_from_the_beginning(n_own, n_frames):
    spectrogram = np.random.default_rng(0).standard_normal((n_own, 2)).astype(np.float32)
    tiled = tile_or_cut(spectrogram, n_frames)
    assert tiled.shape == (n_frames, 2)
    for frame in range(n_frames):
        np.testing.assert_array_equal(tiled[frame], spectrogram[frame % n_own])


def test_tile_cuts_the_middle_out():
    spectrogram = np.arange(20.0).reshape(10, 2)
    np.testing.assert_array_equal(tile_or_cut(spectrogram, 4), spectrogram[3:7])
    np.testing.assert_array_equal(tile_or_cut(spectrogram, 3), spectrogram[3:6])


@pytest.mark.parametrize(
    ("lengths", "expected"),
    [
        ([50] * 20, "resize"),
        ([30, 40, 60, 80, 100], "resize"),
        ([10] * 10 + [30] * 10, "resize"),
        ([10] * 10 + [50] * 10, "tile"),
        ([100] * 99 + [60_000], "resize"),  # one outlier does not count
        ([7], "resize"),
    ],
)
def test_lengths_that_differ_a_lot_are_tiled(lengths, expected):
    assert CommonLength.choose("auto", None, lengths).method == expected
    assert CommonLength.choose("auto", 33, lengths).method == expected


@pytest.mark.parametrize(
    ("length", "n_frames", "lengths", "expected"),
    [
        ("resize", None, [100, 600, 700], CommonLength("resize", 250)),
        ("tile", None, [100, 600, 700], CommonLength("tile", 250, 600 / 250)),
        ("tile", None, [100, 200, 700], CommonLength("tile", 200)),
        ("tile", 80, [100, 600, 700], CommonLength("tile", 80, 600 / 80)),
        ("tile", 800, [100, 600, 700], CommonLength("tile", 800)),
        ("resize", 80, [100, 600, 700], CommonLength("resize", 80)),
        ("pad", None, [100, 600, 700], CommonLength("pad", 700)),
    ],
)
def test_only_what_is_not_given_is_chosen(length, n_frames, lengths, expected):
    assert CommonLength.choose(length, n_frames, lengths) == expected


@pytest.mark.parametrize("n_own", [1, 40, 250, 600, 1001])
def test_tile_squeezes_all_clips_by_the_same_factor(n_own):
    # A pattern with a period of 20 frames keeps the same period in clips of all lengths.
    common = CommonLength("tile", 100, 2.0)
    wave = np.sin(2 * np.pi * np.arange(n_own) / 20)[:, None].astype(np.float32)
    tiled = common.apply(wave)
    assert tiled.shape == (100, 1)
    if n_own >= 40:
        spectrum = np.abs(np.fft.rfft(tiled[: min(100, n_own // 20 * 10), 0]))
        period = min(100, n_own // 20 * 10) / spectrum.argmax()
        assert period == pytest.approx(10.0, rel=0.05)

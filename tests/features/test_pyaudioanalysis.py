"""Features of frames and of clips, compared with pyAudioAnalysis on the same samples."""

import importlib
import sys
import tracemalloc
import warnings
from unittest.mock import MagicMock

import numpy as np
import pytest

from skdaf import load_audio
from skdaf._features.pyaudioanalysis import (
    PyAudioAnalysisSettings,
    compute_features,
    short_term_features,
)
from skdaf._features.pyaudioanalysis_filter_banks import part_edges, spectral_weights

# Relative, and absolute for features that are zero except for rounding.
# Measured: 7e-13 absolute at worst, with values up to 120.
TOLERANCE = {"rtol": 1e-6, "atol": 1e-11}

RATES = [8000, 16000, 22050, 44100, 48000]

# (window, step) in seconds: the usual one, overlaps, gaps, odd lengths, and few long frames.
FRAMES = [
    (0.05, 0.05),
    (0.05, 0.025),
    (0.0433, 0.0137),
    (0.0301, 0.0611),
    (0.02513, 0.01),
    (0.25, 0.25),
]


@pytest.fixture(scope="module")
def mid_term(pyaudioanalysis):
    """Its module MidTermFeatures, without the packages for file formats that it imports."""
    with pytest.MonkeyPatch.context() as patch, warnings.catch_warnings():
        warnings.simplefilter("ignore")
        patch.setattr(sys, "path", list(sys.path))
        for name in ("aifc", "eyed3", "pydub"):
            patch.setitem(sys.modules, name, MagicMock())
        yield importlib.import_module("pyAudioAnalysis.MidTermFeatures")


def settings_for(
    sampling_rate=16000, window=0.05, step=0.05, mid_window=1.0, mid_step=1.0, deltas=True
):
    return PyAudioAnalysisSettings.from_seconds(
        sampling_rate, window, step, mid_window, mid_step, deltas
    )


def library_frames(pyaudioanalysis, clip, settings):
    """Call the library with 16-bit samples, as its own reader returns them."""
    with np.errstate(all="ignore"):
        return pyaudioanalysis.feature_extraction(
            clip.astype(float) * 2**15,
            settings.sampling_rate,
            settings.window,
            settings.step,
            settings.deltas,
        )


def library_clip(mid_term, clip, rate, window, step, mid_window, mid_step):
    """Do the same as its `directory_feature_extraction` with the samples of one file."""
    with np.errstate(all="ignore"):
        statistics, _, names = mid_term.mid_feature_extraction(
            clip.astype(float) * 2**15,
            rate,
            round(mid_window * rate),
            round(mid_step * rate),
            round(rate * window),
            round(rate * step),
        )
    return statistics.T.mean(axis=0), names


def white_noise(seed, n_samples):
    return np.random.default_rng(seed).standard_normal(n_samples).astype(np.float32)


def sounds(rate, duration=0.4):
    """Return one clip for each case that the formulas treat differently."""
    n = int(rate * duration)
    t = np.arange(n) / rate
    chord = sum(np.sin(2 * np.pi * f * t) * np.exp(-3 * t) / f for f in (220, 277.2, 329.6, 440))
    clips = {
        "noise": 0.1 * white_noise(0, n),
        "music": 50 * chord + 0.01 * white_noise(1, n),
        "silence": np.zeros(n),
        "direct current": np.full(n, 0.3),
        "silence, then noise": np.where(t < 0.2, 0, white_noise(2, n)),
        "noise off center, then silence": np.where(t < 0.2, 0.2 * white_noise(3, n) + 0.5, 0.123),
        "far beyond full scale": 1e4 * white_noise(4, n),
        "almost nothing": 1e-30 * white_noise(5, n),
        "one step of 16 bits": np.round(white_noise(6, n)) / 2**15,
        "clicks": np.arange(n) % 977 == 5,
        "one click": np.arange(n) == 3,
        "square": np.sign(np.sin(2 * np.pi * 100 * t)),
        "tone of whole periods": np.sin(2 * np.pi * np.arange(n) / 20),
        "sweep": np.sin(2 * np.pi * (50 * t + rate / 4 * t * t / duration)),
        "highest frequency": np.where(np.arange(n) % 2, 0.5, -0.5),
        "ramp": np.linspace(-1, 1, n),
    }
    return {kind: clip.astype(np.float32) for kind, clip in clips.items()}


# --- frames ---


@pytest.mark.parametrize("rate", RATES)
@pytest.mark.parametrize(("window", "step"), FRAMES)
def test_frames_equal_the_library(pyaudioanalysis, rate, window, step):
    clips = sounds(rate)
    settings = settings_for(rate, window, step)
    features, n_frames = short_term_features(list(clips.values()), settings)
    parts = np.split(features, np.cumsum(n_frames)[:-1])
    for (kind, clip), part in zip(clips.items(), parts, strict=True):
        expected, names = library_frames(pyaudioanalysis, clip, settings)
        np.testing.assert_allclose(part, expected.T, **TOLERANCE, err_msg=kind)
        assert settings.short_term_names == names


@pytest.mark.parametrize("window", [2, 3, 9, 10, 19, 20, 21, 101, 173, 174, 199, 331, 401, 1009])
def test_short_and_odd_windows_equal_the_library(pyaudioanalysis, window):
    """At 8 kHz, the library fails with 4 to 173 samples."""
    settings = PyAudioAnalysisSettings(8000, window, 7 + window // 2, 10, 10, True)
    clip = white_noise(window, 3000)
    (features, _) = short_term_features([clip], settings)
    assert np.isfinite(features).all()
    if 4 <= window < 174:
        with pytest.raises((IndexError, ValueError)):
            library_frames(pyaudioanalysis, clip, settings)
        # Only chroma fails: compare the rest.
        expected = frames_without_chroma(pyaudioanalysis, clip, settings)
        features, expected = np.delete(features, CHROMA, axis=1), np.delete(expected, CHROMA, 0)
    else:
        expected, _ = library_frames(pyaudioanalysis, clip, settings)
    np.testing.assert_allclose(features, expected.T, **TOLERANCE)


CHROMA = np.r_[21:34, 34 + 21 : 68]


def frames_without_chroma(pyaudioanalysis, clip, settings):
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(
            pyaudioanalysis, "chroma_features", lambda *arguments: ([], np.zeros((12, 1)))
        )
        return library_frames(pyaudioanalysis, clip, settings)[0]


@pytest.mark.parametrize(("rate", "window"), [(8000, 160), (16000, 160), (44100, 220), (8000, 40)])
def test_chroma_of_short_windows_ignores_semitones_that_do_not_fit(rate, window):
    """The library fails: different lengths in an assignment, or an index out of range."""
    n = window // 2
    clip = np.sin(2 * np.pi * 300 / rate * np.arange(4 * window)).astype(np.float32)
    settings = PyAudioAnalysisSettings(rate, window, window, 10, 10, False)
    features, _ = short_term_features([clip], settings)
    frames = (clip - clip.astype(float).mean()).reshape(4, window)
    powers = np.abs(np.fft.rfft(frames)[:, :n]) ** 2
    semitones = np.round(12 * np.log2((np.arange(n) + 1) * rate / (2 * n) / 27.5)).astype(int)
    table = np.zeros((4, n))
    for f in np.flatnonzero(semitones < n):
        table[:, semitones[f]] = powers[:, f]
    table /= [(semitones == s).sum() for s in semitones]
    chroma = np.stack([table[:, k::12].sum(axis=1) for k in range(12)], axis=1)
    chroma /= powers.sum(axis=1, keepdims=True)
    np.testing.assert_allclose(features[:, 21:33], chroma, rtol=1e-6, atol=1e-9)
    np.testing.assert_allclose(features[:, 33], chroma.std(axis=1), rtol=1e-6, atol=1e-9)


def test_sampling_rates_too_low_for_the_filters(pyaudioanalysis):
    """The library fails below 6,856 Hz; the features without filters are equal."""
    settings = PyAudioAnalysisSettings(4000, 400, 400, 1, 1, False)
    clip = white_noise(0, 4000)
    features, _ = short_term_features([clip], settings)
    assert np.isfinite(features).all()
    with pytest.raises(IndexError):
        pyaudioanalysis.mfcc_filter_banks(4000, 200)
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(pyaudioanalysis, "mfcc_filter_banks", lambda *a: (np.zeros((40, 200)), None))
        expected, _ = library_frames(pyaudioanalysis, clip, settings)
    without = np.r_[:8, 21:34]
    np.testing.assert_allclose(features[:, without], expected[without].T, **TOLERANCE)


def test_without_deltas_it_is_the_first_half(pyaudioanalysis):
    clip = white_noise(0, 16000)
    settings = settings_for(deltas=False)
    features, _ = short_term_features([clip], settings)
    assert features.shape == (20, 34)
    expected, names = library_frames(pyaudioanalysis, clip, settings)
    np.testing.assert_allclose(features, expected.T, **TOLERANCE)
    assert settings.short_term_names == names
    with_deltas, _ = short_term_features([clip], settings_for())
    np.testing.assert_array_equal(features, with_deltas[:, :34])


def test_first_frames_have_no_flux_and_no_deltas():
    clips = [white_noise(i, 3000 + i) for i in range(5)]
    features, n_frames = short_term_features(clips, settings_for())
    firsts = np.cumsum(n_frames) - n_frames
    assert list(n_frames) == [3] * 5
    np.testing.assert_array_equal(features[firsts, 6], 0)
    np.testing.assert_array_equal(features[firsts, 34:], 0)
    others = np.setdiff1d(np.arange(len(features)), firsts)
    assert (features[others, 6] > 0).all()


def test_frames_do_not_depend_on_other_clips():
    """With more frames than are computed together, and clips of all lengths."""
    clips = [white_noise(i, n) for i, n in enumerate([1, 799, 800, 801, 100_000, 5, 64_000])]
    settings = settings_for(step=0.01)
    together, n_frames = short_term_features(clips, settings)
    alone = [short_term_features([clip], settings)[0] for clip in clips]
    assert [len(part) for part in alone] == list(n_frames)
    assert together.tobytes() == np.vstack(alone).tobytes()


def test_16_bit_samples_are_the_same_as_floats():
    """All bytes, whatever the types of the other clips and for values up to full scale."""
    clips = [np.random.default_rng(i).integers(-(2**15), 2**15, 4000 + i) for i in range(4)]
    clips = [clip.astype(np.int16) for clip in clips] + [np.full(900, -(2**15), np.int16)]
    floats = [clip.astype(np.float32) / np.float32(2**15) for clip in clips]
    expected = compute_features(floats, settings_for())
    for mixed in (clips, [*floats[:2], *clips[2:]]):
        assert compute_features(mixed, settings_for()).tobytes() == expected.tobytes()
    for clip, row in zip(clips, expected, strict=True):
        assert compute_features([clip], settings_for()).tobytes() == row.tobytes()


@pytest.mark.parametrize("n_bins", [1, 9, 10, 19, 20, 199, 200, 1102, 5000])
def test_spectra_are_divided_into_tenths_and_a_remainder(n_bins):
    edges = part_edges(n_bins)
    tenths = edges[:-1][:: (len(edges) - 2) // 10]
    np.testing.assert_array_equal(tenths, np.arange(11) * (n_bins // 10))
    assert edges[-1] == n_bins
    weights = spectral_weights(16000, n_bins)
    powers = weights.matrix[weights.parts].toarray()[:, n_bins:]
    np.testing.assert_array_equal(powers.sum(axis=0), 1)
    np.testing.assert_array_equal(powers.sum(axis=1), np.diff(edges))


def test_clips_shorter_than_a_frame_are_padded_with_zeros(pyaudioanalysis):
    settings = settings_for()
    for n in (1, 2, 3, 799):
        clip = 0.3 + white_noise(n, n)
        features, n_frames = short_term_features([clip], settings)
        assert list(n_frames) == [1]
        filled = np.append(clip, np.zeros(800 - n, np.float32))
        expected, _ = library_frames(pyaudioanalysis, filled, settings)
        np.testing.assert_allclose(features, expected.T, **TOLERANCE)


def test_speech_equals_the_library(pyaudioanalysis, fsdd):
    for path in fsdd[0][::150]:
        clip, rate = load_audio(path)
        settings = settings_for(rate, step=0.025)
        features, _ = short_term_features([clip], settings)
        expected, _ = library_frames(pyaudioanalysis, clip, settings)
        np.testing.assert_allclose(features, expected.T, **TOLERANCE)


def test_scale_and_offset_do_not_matter():
    clip = white_noise(0, 8000)
    settings = settings_for()
    expected, _ = short_term_features([clip], settings)
    features, _ = short_term_features([64 * clip], settings)
    np.testing.assert_allclose(features, expected, rtol=1e-9, atol=1e-9)
    features, _ = short_term_features([clip + 0.5], settings)
    np.testing.assert_allclose(features, expected, rtol=1e-3, atol=1e-3)


def test_physics():
    """Silence, a tone and noise have the expected features."""
    rate, n = 16000, 16000
    tone = np.sin(2 * np.pi * 1000 * np.arange(n) / rate).astype(np.float32)
    clips = [np.zeros(n, np.float32), tone, white_noise(0, n)]
    settings = settings_for(rate, deltas=False)
    features = np.stack(np.split(short_term_features(clips, settings)[0], 3)).mean(axis=1)
    silence, tone, hiss = (
        dict(zip(settings.short_term_names, row, strict=True)) for row in features
    )
    assert silence["energy"] == silence["zcr"] == silence["spectral_rolloff"] == 0
    # The library assigns the first of 400 bins 1/400 of half the sampling rate, not 0 Hz.
    assert tone["spectral_centroid"] == pytest.approx(1000 / 8000 + 1 / 400, abs=1e-3)
    assert tone["zcr"] == pytest.approx(2 * 1000 / rate, rel=0.02)
    assert tone["energy"] == pytest.approx(0.5, rel=0.01)
    assert hiss["spectral_centroid"] == pytest.approx(0.5, abs=0.05)
    assert hiss["spectral_spread"] > 10 * tone["spectral_spread"]
    assert hiss["spectral_rolloff"] == pytest.approx(0.9, abs=0.05)
    assert hiss["spectral_entropy"] > 3 > 0.1 > tone["spectral_entropy"]


def test_long_clips_are_summed_as_numpy_does():
    """Then the mean, and the sign of values that should be zero, equal the library's."""
    from skdaf._features.pyaudioanalysis_frames import _means_and_scales

    for n in (2**20 + 1, 2**22 + 12345):
        clip = white_noise(0, n) + np.float32(0.1)
        wide = clip.astype(float)
        (mean,), (scale,) = _means_and_scales(clip, np.array([0]))
        assert mean == wide.mean()
        assert scale == np.abs(wide - wide.mean()).max() + 1e-10


def test_a_long_clip_takes_little_memory():
    clip = white_noise(0, 2**22)
    settings = settings_for()
    compute_features([clip[:16000]], settings)
    tracemalloc.start()
    try:
        compute_features([clip], settings)
        _, peak = tracemalloc.get_traced_memory()
    finally:
        tracemalloc.stop()
    # 5,242 frames of 68 numbers a few times over, and less than the clip in double precision.
    assert peak < 25e6 < 8 * len(clip)


# --- mid-term windows ---


@pytest.mark.parametrize("rate", [8000, 22050, 44100])
@pytest.mark.parametrize(
    ("window", "step", "mid_window", "mid_step"),
    [
        (0.05, 0.05, 1.0, 1.0),
        (0.05, 0.025, 1.0, 0.5),
        (0.06, 0.02, 0.5, 0.9),
        (0.0433, 0.0317, 0.7, 0.13),
        (0.05, 0.05, 30.0, 30.0),
        (0.05, 0.05, 0.05, 0.05),
    ],
)
def test_clips_equal_the_library(mid_term, rate, window, step, mid_window, mid_step):
    clips = [white_noise(i, int(rate * seconds)) for i, seconds in enumerate([0.07, 0.4, 1.0, 2.3])]
    settings = settings_for(rate, window, step, mid_window, mid_step)
    features = compute_features(clips, settings)
    assert features.shape == (4, 136)
    for row, clip in zip(features, clips, strict=True):
        expected, names = library_clip(mid_term, clip, rate, window, step, mid_window, mid_step)
        np.testing.assert_allclose(row, expected, **TOLERANCE)
        assert settings.names == names


def test_all_sounds_equal_the_library_over_clips(mid_term):
    for rate in (8000, 44100):
        clips = sounds(rate, duration=1.3)
        features = compute_features(list(clips.values()), settings_for(rate))
        assert np.isfinite(features).all()
        for (kind, clip), row in zip(clips.items(), features, strict=True):
            expected, _ = library_clip(mid_term, clip, rate, 0.05, 0.05, 1.0, 1.0)
            np.testing.assert_allclose(row, expected, **TOLERANCE, err_msg=kind)


def test_statistics_of_overlapping_windows():
    """Windows of 5 frames every 2 over 8 frames: 0-4, 2-6, 4-7 and 6-7."""
    settings = PyAudioAnalysisSettings(16000, 800, 800, 5, 2, False)
    clip = white_noise(0, 8 * 800)
    frames, _ = short_term_features([clip], settings)
    parts = [frames[0:5], frames[2:7], frames[4:8], frames[6:8]]
    expected = np.mean([np.r_[part.mean(axis=0), part.std(axis=0)] for part in parts], axis=0)
    np.testing.assert_allclose(
        compute_features([clip], settings)[0], expected, rtol=1e-12, atol=1e-13
    )


def test_durations_become_samples_as_in_the_library():
    # 1102.5 samples are rounded to even.
    settings = settings_for(22050, 0.05, 0.05, 1.0, 1.0)
    assert (settings.window, settings.step) == (1102, 1102)
    assert (settings.mid_window, settings.mid_step) == (20, 20)
    # A mid-term window does not count the part of its last frame beyond a step.
    settings = settings_for(16000, 0.05, 0.025, 1.0, 0.5)
    assert (settings.mid_window, settings.mid_step) == (39, 20)


def test_durations_too_short_for_any_sample_still_work():
    settings = settings_for(16000, 1e-9, 1e-9, 1e-9, 1e-9)
    assert (settings.window, settings.step, settings.mid_window, settings.mid_step) == (2, 1, 1, 1)
    assert np.isfinite(compute_features([white_noise(0, 50)], settings)).all()
    # In the library, a mid-term window shorter than a frame would have no frames.
    assert settings_for(16000, 0.2, 0.05, 0.1, 0.1).mid_window == 1

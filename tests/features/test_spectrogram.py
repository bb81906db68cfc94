"""Spectrograms: equal to librosa, independent of other clips."""

import warnings
from dataclasses import replace

import numpy as np
import pytest
from helpers import tone
from spectrograms import LAYOUTS, RATES, compute_one, layout_settings, make_settings, make_sounds

from skdaf._features.filter_banks import (
    N_CHROMA,
    chroma_filter_bank,
)
from skdaf._features.resizing import (
    resize,
)
from skdaf._features.spectrogram import (
    FEATURES,
    compute_spectrograms,
    mfcc,
)

pytestmark = pytest.mark.oldest


def librosa_power(librosa, samples, settings):
    spectrum = librosa.stft(
        samples,
        n_fft=settings.n_fft,
        win_length=settings.window_length,
        hop_length=settings.hop_length,
        pad_mode="constant",
    )
    return np.abs(spectrum) ** 2


def librosa_mel(librosa, samples, settings):
    with warnings.catch_warnings():
        warnings.filterwarnings("ignore", "Empty filters|n_fft=.* is too large")
        power = librosa.feature.melspectrogram(
            y=samples,
            sr=settings.sampling_rate,
            n_fft=settings.n_fft,
            win_length=settings.window_length,
            hop_length=settings.hop_length,
            n_mels=settings.n_mels,
            fmin=settings.fmin,
            fmax=settings.fmax,
        )
    return librosa.power_to_db(power, ref=np.max, top_db=settings.top_db).T


def assert_close_levels(levels, reference):
    """Check levels in dB: they differ by rounding, which matters only near the power floor."""
    assert levels.dtype == np.float32
    assert levels.shape == reference.shape
    difference = np.abs(levels - reference)
    assert difference.max() < 5e-3
    assert np.median(difference) < 1e-4


# --- mel against librosa ---
# Measured: 2.6e-3 dB at most (a chirp, 70 dB and more below its peak), noise 1.4e-4 dB; the
# median is below 1e-5 dB everywhere.


@pytest.mark.parametrize("layout", LAYOUTS, ids=["usual", "narrow", "odd and long"])
@pytest.mark.parametrize("sampling_rate", RATES)
def test_mel_levels_are_those_of_librosa(librosa, sampling_rate, layout):
    settings = layout_settings(sampling_rate, layout)
    for samples in make_sounds(sampling_rate).values():
        assert_close_levels(compute_one(samples, settings), librosa_mel(librosa, samples, settings))


@pytest.mark.parametrize("layout", LAYOUTS[:2], ids=["even window", "odd window"])
@pytest.mark.parametrize("sampling_rate", [8000, 44100])
def test_mel_levels_of_very_short_clips_are_those_of_librosa(librosa, sampling_rate, layout):
    settings = layout_settings(sampling_rate, layout)
    hop = settings.hop_length
    for n_samples in (1, 7, hop - 1, hop, hop + 1):
        for samples in make_sounds(sampling_rate, n_samples).values():
            levels = compute_one(samples, settings)
            assert len(levels) == settings.n_frames(n_samples) == 1 + n_samples // hop
            assert_close_levels(levels, librosa_mel(librosa, samples, settings))


@pytest.mark.parametrize("top_db", [None, 20.0, 55.5])
def test_top_db_cuts_as_librosa_does(librosa, top_db):
    settings = make_settings(top_db=top_db)
    samples = make_sounds(16000)["decaying noise"]
    levels = compute_one(samples, settings)
    assert_close_levels(levels, librosa_mel(librosa, samples, settings))
    assert levels.max() == 0.0
    if top_db is None:
        assert levels.min() < -85.0
    else:
        assert levels.min() == -top_db


@pytest.mark.parametrize("n_mels", [1, 7, 8, 9, 64, 130, 1000])
def test_any_number_of_bands_matches_librosa(librosa, n_mels):
    settings = make_settings(window_length=2048, n_mels=n_mels)
    samples = make_sounds(16000)["noise"]
    assert_close_levels(compute_one(samples, settings), librosa_mel(librosa, samples, settings))


@pytest.mark.parametrize("features", ["mel", "mfcc", "mel+chroma"])
def test_silence_is_flat_and_finite(features):
    settings = make_settings(features=features)
    spectrogram = compute_one(np.zeros(4000), settings)
    assert spectrogram.shape == (26, settings.n_bins)
    np.testing.assert_array_equal(spectrogram, 0.0)


# --- cepstral coefficients ---
# Given the same levels, coefficients and deltas were equal to librosa's bit for bit. The
# tolerances leave room for another build of the cosine transform.


@pytest.mark.parametrize("sampling_rate", RATES)
def test_cepstra_and_deltas_equal_librosa(librosa, sampling_rate):
    settings = make_settings(sampling_rate, "mfcc")
    for name, samples in make_sounds(sampling_rate, sampling_rate // 2).items():
        levels = compute_one(samples, replace(settings, features="mel")).T
        cepstra = librosa.feature.mfcc(S=levels, n_mfcc=settings.n_mfcc)
        deltas = [librosa.feature.delta(cepstra, order=order) for order in (1, 2)]
        expected = np.vstack([cepstra, *deltas]).T
        np.testing.assert_allclose(
            compute_one(samples, settings), expected, atol=1e-3, err_msg=name
        )


def test_any_number_of_coefficients_works():
    levels = np.random.default_rng(0).standard_normal((20, 40)).astype(np.float32)
    np.testing.assert_array_equal(mfcc(levels, 5)[:, :5], mfcc(levels, 40)[:, :5])
    assert mfcc(levels, 40).shape == (20, 120)


def test_all_coefficients_keep_the_energy_of_the_levels():
    levels = np.random.default_rng(0).standard_normal((20, 40)).astype(np.float32)
    cepstra = mfcc(levels, 40)[:, :40]
    np.testing.assert_allclose(np.sum(cepstra**2, 1), np.sum(levels**2, 1), rtol=1e-5)


@pytest.mark.parametrize("n_frames", range(1, 12))
def test_deltas_of_any_number_of_frames_are_finite(n_frames):
    settings = make_settings(features="mfcc")
    samples = make_sounds(16000, n_frames * settings.hop_length - 1)["noise"]
    spectrogram = compute_one(samples, settings)
    assert spectrogram.shape == (n_frames, 39)
    assert spectrogram.dtype == np.float32
    assert np.isfinite(spectrogram).all()


@pytest.mark.parametrize("n_frames", [3, 4, 5, 8, 9, 30])
def test_delta_of_a_ramp_is_its_slope_and_delta_delta_of_a_parabola_its_curvature(n_frames):
    t = np.arange(n_frames, dtype=np.float32)[:, None]
    # One band: its first coefficient is the level itself.
    ramp, parabola = mfcc(3.0 * t, 1), mfcc(0.5 * t**2, 1)
    np.testing.assert_allclose(ramp, np.hstack([3.0 * t, 0 * t + 3.0, 0 * t]), atol=1e-4)
    np.testing.assert_allclose(parabola[:, 2], 1.0, atol=1e-3)


# --- chroma ---
# Measured: 9e-4 dB at most (a chirp), 1e-5 dB on noise; the bank itself to 3e-14.


@pytest.mark.parametrize("window_length", [256, 1025, 2048])
@pytest.mark.parametrize("sampling_rate", RATES)
def test_chroma_bank_equals_librosa(librosa, sampling_rate, window_length):
    settings = make_settings(sampling_rate, "mel+chroma", window_length=window_length)
    expected = librosa.filters.chroma(
        sr=sampling_rate, n_fft=settings.n_fft, tuning=0.0, dtype=np.float64
    )
    np.testing.assert_allclose(chroma_filter_bank(settings), expected.T, atol=1e-12)


@pytest.mark.parametrize("sampling_rate", RATES)
def test_chroma_levels_equal_librosa(librosa, sampling_rate):
    settings = make_settings(sampling_rate, "mel+chroma")
    for samples in make_sounds(sampling_rate).values():
        chroma = librosa.feature.chroma_stft(
            S=librosa_power(librosa, samples, settings),
            sr=sampling_rate,
            n_fft=settings.n_fft,
            tuning=0.0,
        )
        expected = librosa.power_to_db(chroma, ref=np.max, top_db=80.0).T
        assert_close_levels(compute_one(samples, settings)[:, -N_CHROMA:], expected)


def test_mel_part_of_mel_and_chroma_is_the_mel_spectrogram():
    samples = make_sounds(16000)["decaying noise"]
    together = compute_one(samples, make_settings(features="mel+chroma"))
    np.testing.assert_allclose(together[:, :64], compute_one(samples, make_settings()), atol=1e-3)


@pytest.mark.parametrize(("frequency", "pitch_class"), [(440.0, 9), (880.0, 9), (261.63, 0)])
def test_a_note_is_loudest_in_its_pitch_class(frequency, pitch_class):
    settings = make_settings(features="mel+chroma", window_length=4096)
    chroma = compute_one(tone(frequency, duration=1.0), settings)[:, -N_CHROMA:]
    np.testing.assert_array_equal(chroma.argmax(axis=1), pitch_class)
    np.testing.assert_array_equal(chroma.max(axis=1), 0.0)


# --- clips do not affect each other ---


@pytest.mark.parametrize("features", ["mel", "mfcc", "mel+chroma"])
@pytest.mark.parametrize("hop_length", [50, 160, 700])
def test_clips_together_equal_each_clip_alone_in_any_order(features, hop_length):
    settings = make_settings(features=features, hop_length=hop_length)
    rng = np.random.default_rng(0)
    lengths = [1, 7, 159, 160, 161, 4000, 512, 1, 255, 256, 257, *rng.integers(1, 9000, 8)]
    # Loud clips between quiet ones, which would reveal any leak.
    gains = 10.0 ** rng.uniform(-3, 3, len(lengths))
    clips = [
        (g * rng.standard_normal(n)).astype(np.float32) for g, n in zip(gains, lengths, strict=True)
    ]
    alone = [compute_one(samples, settings) for samples in clips]
    order = rng.permutation(len(clips))
    for indices in (range(len(clips)), order):
        together = compute_spectrograms([clips[i] for i in indices], settings)
        for i, spectrogram in zip(indices, together, strict=True):
            assert spectrogram.tobytes() == alone[i].tobytes()


@pytest.mark.parametrize(("n_mels", "n_frames"), [(1, 7), (1, 1), (20, 1), (20, 7), (64, 200)])
def test_resized_clips_are_the_same_wherever_they_lie_in_memory(n_mels, n_frames):
    spectrogram = np.random.default_rng(0).standard_normal((90, n_mels)).astype(np.float32)
    expected = resize(spectrogram, n_frames).tobytes()
    for shift in range(1, 8):
        moved = np.empty(spectrogram.size + shift, np.float32)[shift:].reshape(spectrogram.shape)
        moved[...] = spectrogram
        assert resize(moved, n_frames).tobytes() == expected


@pytest.mark.parametrize("gain", [1e-2, 0.3, 50.0, 1e4])
@pytest.mark.parametrize("features", ["mel", "mfcc", "mel+chroma"])
def test_gain_changes_nothing(features, gain):
    settings = make_settings(features=features)
    samples = make_sounds(16000)["noise"]
    np.testing.assert_allclose(
        compute_one(gain * samples, settings), compute_one(samples, settings), atol=2e-3, rtol=1e-5
    )


@pytest.mark.parametrize("n_hops", [1, 3, 50])
@pytest.mark.parametrize("features", ["mel", "mel+chroma"])
def test_delay_by_whole_hops_shifts_the_frames(features, n_hops):
    settings = make_settings(features=features)
    samples = make_sounds(16000, 8000)["noise"]
    delayed = np.concatenate([np.zeros(n_hops * settings.hop_length), samples])
    np.testing.assert_allclose(
        compute_one(delayed, settings)[n_hops + 2 :], compute_one(samples, settings)[2:], atol=1e-3
    )


def test_samples_are_not_changed_and_may_be_strided_and_read_only():
    samples = np.asfortranarray(np.random.default_rng(0).standard_normal((3, 4000), np.float32))
    before = samples.copy()
    samples.setflags(write=False)
    results = compute_spectrograms(list(samples), make_settings())
    np.testing.assert_array_equal(samples, before)
    np.testing.assert_array_equal(results[1], compute_one(before[1].copy(), make_settings()))


@pytest.mark.parametrize("features", FEATURES)
def test_16_bit_samples_give_the_same_bytes_as_floats(features):
    rng = np.random.default_rng(0)
    settings = make_settings(features=features)
    integers = [
        rng.integers(-loudest, loudest + 1, n).astype(np.int16)
        for loudest, n in ((32767, 4000), (1, 900), (0, 500), (300, 1))
    ]
    floats = [samples / np.float32(2**15) for samples in integers]
    expected = [levels.tobytes() for levels in compute_spectrograms(floats, settings)]
    for waveforms in (integers, [*floats[:2], *integers[2:]], [*integers[:3], floats[3]]):
        found = compute_spectrograms(waveforms, settings)
        assert [levels.tobytes() for levels in found] == expected

import importlib
import warnings
from dataclasses import replace

import numpy as np
import pytest
from scipy import fft

from skdaf._features.filter_banks import (
    N_CHROMA,
    chroma_filter_bank,
    count_empty_bands,
    hz_to_mel,
    mel_blocks,
    mel_edges,
    mel_filter_bank,
    mel_to_hz,
)
from skdaf._features.resizing import (
    pad_or_cut,
    resize,
    resize_matrix,
    soften_levels,
    standardization,
)
from skdaf._features.spectrogram import (
    SpectrogramSettings,
    compute_spectrograms,
    mfcc,
    silent_frame,
)

pytestmark = pytest.mark.oldest

RATES = [8000, 16000, 22050, 44100, 48000]

# (window in s, hop in s, an odd window, mel bands, fmin, fmax as a share of the rate)
LAYOUTS = [
    (0.032, 0.010, False, 64, 0.0, 0.5),
    (0.025, 0.0125, True, 40, 50.0, 0.45),
    (0.0501, 0.025, True, 128, 20.0, 0.4),
]


def make_settings(sampling_rate=16000, features="mel", **changes):
    settings = SpectrogramSettings(
        features=features,
        sampling_rate=sampling_rate,
        window_length=round(0.032 * sampling_rate),
        hop_length=round(0.010 * sampling_rate),
        n_mels=64,
        n_mfcc=13,
        fmin=0.0,
        fmax=sampling_rate / 2,
        top_db=80.0,
    )
    return replace(settings, **changes)


def layout_settings(sampling_rate, layout, **changes):
    window, hop, is_odd, n_mels, fmin, fmax = layout
    return make_settings(
        sampling_rate,
        window_length=round(window * sampling_rate) // 2 * 2 + is_odd,
        hop_length=round(hop * sampling_rate),
        n_mels=n_mels,
        fmin=fmin,
        fmax=fmax * sampling_rate,
        **changes,
    )


def make_sounds(sampling_rate, n_samples=None):
    """Return {name: float32 samples} of the sounds that formulas usually stumble over."""
    n_samples = sampling_rate if n_samples is None else n_samples
    t = np.arange(n_samples) / sampling_rate
    noise = np.random.default_rng(n_samples).standard_normal(n_samples)
    sounds = {
        "noise": noise,
        "tone": np.sin(2 * np.pi * 440.0 * t),
        "chirp": np.sin(2 * np.pi * (50.0 * t + 0.2 * sampling_rate * t**2)),
        "decaying noise": noise * np.exp(-12.0 * t),
        "impulse": (np.arange(n_samples) == n_samples // 2) * 1.0,
        "silence": np.zeros(n_samples),
        "very loud": 1e4 * noise,
        "very quiet": 1e-4 * noise,
        "nearly silent": 1e-9 * noise,
    }
    return {name: samples.astype(np.float32) for name, samples in sounds.items()}


def one(samples, settings):
    return compute_spectrograms([np.asarray(samples, np.float32)], settings)[0]


def tone(frequency, sampling_rate=16000, duration=0.5):
    return np.sin(
        2 * np.pi * frequency * np.arange(round(duration * sampling_rate)) / sampling_rate
    )


@pytest.fixture(scope="module")
def librosa():
    """Import librosa with all that it loads late, whatever its dependencies warn of."""
    pytest.importorskip("librosa")
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        for part in ("librosa.feature", "librosa.filters", "librosa.core.spectrum"):
            importlib.import_module(part)
        return importlib.import_module("librosa")


@pytest.fixture(scope="module")
def image():
    return pytest.importorskip("PIL.Image")


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
    """In dB: rounding shows where a tone's leakage nears the floor, and nearly nowhere else."""
    assert levels.dtype == np.float32
    assert levels.shape == reference.shape
    difference = np.abs(levels - reference)
    assert difference.max() < 5e-3
    assert np.median(difference) < 1e-4


# --- mel against librosa ---------------------------------------------------------------------
# Measured: 2.6e-3 dB at most (a chirp, 70 dB and more below its peak), noise 1.4e-4 dB; the
# median is below 1e-5 dB everywhere.


@pytest.mark.parametrize("layout", LAYOUTS, ids=["usual", "narrow", "odd and long"])
@pytest.mark.parametrize("sampling_rate", RATES)
def test_mel_levels_are_those_of_librosa(librosa, sampling_rate, layout):
    settings = layout_settings(sampling_rate, layout)
    for samples in make_sounds(sampling_rate).values():
        assert_close_levels(one(samples, settings), librosa_mel(librosa, samples, settings))


@pytest.mark.parametrize("layout", LAYOUTS[:2], ids=["even window", "odd window"])
@pytest.mark.parametrize("sampling_rate", [8000, 44100])
def test_mel_levels_of_very_short_clips_are_those_of_librosa(librosa, sampling_rate, layout):
    settings = layout_settings(sampling_rate, layout)
    hop = settings.hop_length
    for n_samples in (1, 7, hop - 1, hop, hop + 1):
        for samples in make_sounds(sampling_rate, n_samples).values():
            levels = one(samples, settings)
            assert len(levels) == settings.n_frames(n_samples) == 1 + n_samples // hop
            assert_close_levels(levels, librosa_mel(librosa, samples, settings))


@pytest.mark.parametrize("top_db", [None, 20.0, 55.5])
def test_top_db_cuts_as_librosa_does(librosa, top_db):
    settings = make_settings(top_db=top_db)
    samples = make_sounds(16000)["decaying noise"]
    levels = one(samples, settings)
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
    assert_close_levels(one(samples, settings), librosa_mel(librosa, samples, settings))


@pytest.mark.parametrize("features", ["mel", "mfcc", "mel+chroma"])
def test_silence_is_flat_and_finite(features):
    settings = make_settings(features=features)
    spectrogram = one(np.zeros(4000), settings)
    assert spectrogram.shape == (26, settings.n_bins)
    np.testing.assert_array_equal(spectrogram, 0.0)


# --- cepstra ---------------------------------------------------------------------------------
# Given the same levels, coefficients and deltas were equal to librosa's bit for bit. The
# tolerances leave room for another build of the cosine transform.


@pytest.mark.parametrize("sampling_rate", RATES)
def test_cepstra_and_deltas_are_those_of_librosa(librosa, sampling_rate):
    settings = make_settings(sampling_rate, "mfcc")
    for name, samples in make_sounds(sampling_rate, sampling_rate // 2).items():
        levels = one(samples, replace(settings, features="mel")).T
        cepstra = librosa.feature.mfcc(S=levels, n_mfcc=settings.n_mfcc)
        deltas = [librosa.feature.delta(cepstra, order=order) for order in (1, 2)]
        expected = np.vstack([cepstra, *deltas]).T
        np.testing.assert_allclose(one(samples, settings), expected, atol=1e-3, err_msg=name)


def test_number_of_coefficients_is_free():
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
    spectrogram = one(samples, settings)
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


# --- chroma ----------------------------------------------------------------------------------
# Measured: 9e-4 dB at most (a chirp), 1e-5 dB on noise; the bank itself to 3e-14.


@pytest.mark.parametrize("window_length", [256, 1025, 2048])
@pytest.mark.parametrize("sampling_rate", RATES)
def test_chroma_bank_is_that_of_librosa(librosa, sampling_rate, window_length):
    settings = make_settings(sampling_rate, "mel+chroma", window_length=window_length)
    expected = librosa.filters.chroma(
        sr=sampling_rate, n_fft=settings.n_fft, tuning=0.0, dtype=np.float64
    )
    np.testing.assert_allclose(chroma_filter_bank(settings), expected.T, atol=1e-12)


@pytest.mark.parametrize("sampling_rate", RATES)
def test_chroma_levels_are_those_of_librosa(librosa, sampling_rate):
    settings = make_settings(sampling_rate, "mel+chroma")
    for samples in make_sounds(sampling_rate).values():
        chroma = librosa.feature.chroma_stft(
            S=librosa_power(librosa, samples, settings),
            sr=sampling_rate,
            n_fft=settings.n_fft,
            tuning=0.0,
        )
        expected = librosa.power_to_db(chroma, ref=np.max, top_db=80.0).T
        assert_close_levels(one(samples, settings)[:, -N_CHROMA:], expected)


def test_mel_part_beside_chroma_is_the_mel_spectrogram():
    samples = make_sounds(16000)["decaying noise"]
    together = one(samples, make_settings(features="mel+chroma"))
    np.testing.assert_allclose(together[:, :64], one(samples, make_settings()), atol=1e-3)


@pytest.mark.parametrize(("frequency", "pitch_class"), [(440.0, 9), (880.0, 9), (261.63, 0)])
def test_a_note_is_loudest_in_its_pitch_class(frequency, pitch_class):
    settings = make_settings(features="mel+chroma", window_length=4096)
    chroma = one(tone(frequency, duration=1.0), settings)[:, -N_CHROMA:]
    np.testing.assert_array_equal(chroma.argmax(axis=1), pitch_class)
    np.testing.assert_array_equal(chroma.max(axis=1), 0.0)


# --- filter banks ----------------------------------------------------------------------------


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


def test_a_tone_at_the_centre_of_a_band_is_loudest_there():
    settings = make_settings(n_mels=40, window_length=1024, fmin=100.0)
    centres = mel_edges(settings.n_mels, settings.fmin, settings.fmax)[1:-1]
    for band, centre in enumerate(centres):
        levels = one(tone(centre), settings)[10:-10]
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
    np.testing.assert_allclose(one(samples, settings), expected, atol=1e-3)


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


# --- what a clip gets does not depend on the others ------------------------------------------


@pytest.mark.parametrize("features", ["mel", "mfcc", "mel+chroma"])
@pytest.mark.parametrize("hop_length", [50, 160, 700])
def test_clips_together_are_as_each_alone_in_any_order(features, hop_length):
    settings = make_settings(features=features, hop_length=hop_length)
    rng = np.random.default_rng(0)
    lengths = [1, 7, 159, 160, 161, 4000, 512, 1, 255, 256, 257, *rng.integers(1, 9000, 8)]
    # Loud ones between quiet ones: whatever leaks is seen.
    gains = 10.0 ** rng.uniform(-3, 3, len(lengths))
    clips = [
        (g * rng.standard_normal(n)).astype(np.float32) for g, n in zip(gains, lengths, strict=True)
    ]
    alone = [one(samples, settings) for samples in clips]
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
        one(gain * samples, settings), one(samples, settings), atol=2e-3, rtol=1e-5
    )


@pytest.mark.parametrize("n_hops", [1, 3, 50])
@pytest.mark.parametrize("features", ["mel", "mel+chroma"])
def test_delay_by_whole_hops_shifts_the_frames(features, n_hops):
    settings = make_settings(features=features)
    samples = make_sounds(16000, 8000)["noise"]
    delayed = np.concatenate([np.zeros(n_hops * settings.hop_length), samples])
    np.testing.assert_allclose(
        one(delayed, settings)[n_hops + 2 :], one(samples, settings)[2:], atol=1e-3
    )


def test_samples_are_not_changed_and_may_be_strided_and_read_only():
    samples = np.asfortranarray(np.random.default_rng(0).standard_normal((3, 4000), np.float32))
    before = samples.copy()
    samples.setflags(write=False)
    results = compute_spectrograms(list(samples), make_settings())
    np.testing.assert_array_equal(samples, before)
    np.testing.assert_array_equal(results[1], one(before[1].copy(), make_settings()))


# --- one size for all ------------------------------------------------------------------------

SIZES = [(1, 1), (1, 5), (7, 1), (2, 3), (3, 2), (9, 4), (10, 23), (100, 101), (101, 100)]
SIZES += [(37, 1000), (1000, 37), (101, 1), (64, 32), (50, 150)]


@pytest.mark.parametrize(("n_in", "n_out"), SIZES)
def test_resize_is_the_bicubic_one_of_pillow(image, n_in, n_out):
    spectrogram = np.random.default_rng(n_in).uniform(-80, 0, (n_in, 6)).astype(np.float32)
    expected = image.fromarray(spectrogram).resize((6, n_out), image.Resampling.BICUBIC)
    resized = resize(spectrogram, n_out)
    assert resized.dtype == np.float32
    # Measured: 3e-5 of 80.
    np.testing.assert_allclose(resized, np.asarray(expected), atol=2e-4)


@pytest.mark.parametrize(("n_in", "n_out"), SIZES)
def test_resize_weights_sum_to_one_and_keep_constants(n_in, n_out):
    np.testing.assert_allclose(resize_matrix(n_in, n_out).sum(axis=1), 1.0, rtol=1e-6)
    constant = np.full((n_in, 3), -42.5, np.float32)
    np.testing.assert_allclose(resize(constant, n_out), -42.5, rtol=1e-6)


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
    np.testing.assert_allclose(silent_frame(settings), one(sound, settings)[-5], atol=1e-3)


def test_silent_frame_without_top_db_is_quieter_than_80_db():
    frame = silent_frame(make_settings(top_db=None))
    assert frame.shape == (64,)
    np.testing.assert_array_equal(frame, -100.0)


@pytest.mark.parametrize("features", ["mel", "mfcc", "mel+chroma"])
def test_standardization_gives_zero_mean_and_unit_variance(features):
    spectrogram = one(make_sounds(16000)["chirp"], make_settings(features=features))
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

"""Spectrograms of deep_audio_features: equal to those of librosa and Pillow."""

import warnings

import numpy as np
import pytest
from helpers import silence, write_audio
from sklearn.utils.estimator_checks import parametrize_with_checks

from skdaf import AudioReadError, load_model, save_model
from skdaf._legacy.spectrogram_transformer import LegacySpectrogramTransformer

RATES = [8000, 11025, 16000, 22050, 44100]
WINDOW, HOP, N_FRAMES = 0.05, 0.02, 40


def note(sampling_rate, duration, seed=0):
    """Return a detuned, decaying note with two overtones and noise."""
    rng = np.random.default_rng(seed)
    time = np.arange(int(duration * sampling_rate)) / sampling_rate
    pitch = rng.uniform(200, 900)
    tones = sum(np.sin(2 * np.pi * pitch * part * time) / part for part in (1, 2, 3))
    return (tones * np.exp(-2 * time) + 0.01 * rng.standard_normal(time.size)).astype(np.float32)


def write_note(folder, sampling_rate, duration, seed=0):
    path = folder / f"{sampling_rate}_{duration}_{seed}.wav"
    return write_audio(path, note(sampling_rate, duration, seed), sampling_rate, subtype="FLOAT")


def front_end(features="mel", **changes):
    parameters = {
        "window_length": WINDOW,
        "hop_length": HOP,
        "n_mels": 128,
        "standardize": False,
        "n_frames": N_FRAMES,
        **changes,
    }
    return LegacySpectrogramTransformer(features, **parameters)


def spectrogram_of_librosa(librosa, samples, rate, features):
    lengths = {"sr": rate, "n_fft": int(WINDOW * rate), "hop_length": int(HOP * rate)}
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        mel = librosa.feature.melspectrogram(y=samples, **lengths)
        parts = [librosa.power_to_db(mel, ref=np.max)]
        if features == "mel+chroma":
            parts.append(librosa.power_to_db(librosa.feature.chroma_stft(y=samples, **lengths)))
    return np.concatenate(parts).T


@pytest.mark.parametrize("features", ["mel", "mel+chroma"])
@pytest.mark.parametrize("rate", RATES)
def test_resized_spectrograms_equal_librosa_and_pillow(librosa, pillow, tmp_path, rate, features):
    path = write_note(tmp_path, rate, 0.777)
    expected = pillow.fromarray(spectrogram_of_librosa(librosa, note(rate, 0.777), rate, features))
    expected = np.asarray(expected.resize((expected.size[0], N_FRAMES)))
    found = front_end(features)._as_fitted().transform([path])[0]
    np.testing.assert_allclose(found, expected, atol=5e-3)


@pytest.mark.parametrize("rate", RATES)
def test_padding_is_0_db(librosa, tmp_path, rate):
    path = write_note(tmp_path, rate, 0.5)
    levels = spectrogram_of_librosa(librosa, note(rate, 0.5), rate, "mel")
    for n_frames in (10, 40):
        expected = np.zeros((n_frames, 128))
        expected[: len(levels)] = levels[:n_frames]
        found = front_end(length="pad", n_frames=n_frames)._as_fitted().transform([path])[0]
        np.testing.assert_allclose(found, expected, atol=5e-3)


def test_files_keep_their_rates_or_are_resampled(tmp_path):
    paths = [write_note(tmp_path, rate, 0.5) for rate in (16000, 8000, 16000)]
    paths[2] = write_note(tmp_path, 16000, 0.4, seed=1)
    own = front_end()._as_fitted()
    at_8000 = front_end(sampling_rate=8000)._as_fitted()
    assert own.sampling_rate_ == 16000
    assert at_8000.sampling_rate_ == 8000
    together = own.transform(paths)
    for path, spectrogram in zip(paths, together, strict=True):
        np.testing.assert_allclose(own.transform([path])[0], spectrogram, atol=1e-3)
    np.testing.assert_array_equal(at_8000.transform(paths[1:2]), own.transform(paths[1:2]))
    assert np.abs(at_8000.transform(paths[:1]) - own.transform(paths[:1])).max() > 1


def test_waveforms_have_the_given_rate():
    waveform = note(8000, 0.5)
    at_8000 = front_end(sampling_rate=8000)._as_fitted().transform([waveform])
    assert at_8000.shape == (1, N_FRAMES, 128)
    assert np.abs(at_8000 - front_end()._as_fitted().transform([waveform])).max() > 1


def test_as_fitted_sets_the_attributes_of_fit(tmp_path):
    paths = [write_note(tmp_path, 16000, 0.5, seed) for seed in range(3)]
    fitted = front_end("mel+chroma").fit(paths)
    restored = front_end("mel+chroma")._as_fitted()
    learned = ("sampling_rate_", "n_frames_", "n_bins_")
    assert [getattr(fitted, a) for a in learned] == [getattr(restored, a) for a in learned]
    np.testing.assert_array_equal(fitted.transform(paths), restored.transform(paths))


@silence
def test_chroma_of_silence_and_of_one_sample_is_finite():
    found = front_end("mel+chroma")._as_fitted().transform([np.zeros(4000), np.ones(1)])
    assert np.isfinite(found).all()


def test_the_error_names_bad_files(tmp_path):
    bad = tmp_path / "bad.wav"
    bad.write_text("no sound")
    with pytest.raises(AudioReadError, match=r"bad\.wav"):
        front_end()._as_fitted().transform([write_note(tmp_path, 8000, 0.5), bad])


def test_workers_and_cache_change_nothing(tmp_path):
    paths = [write_note(tmp_path, rate, 0.5, seed) for seed in range(3) for rate in (8000, 16000)]
    expected = front_end("mel+chroma")._as_fitted().transform(paths)
    for changes in ({"n_jobs": 2}, {"cache": tmp_path / "cache"}, {"cache": tmp_path / "cache"}):
        found = front_end("mel+chroma", **changes)._as_fitted().transform(paths)
        np.testing.assert_array_equal(found, expected)


@pytest.mark.parametrize("features", ["mel", "mel+chroma"])
def test_it_can_be_saved_and_loaded(tmp_path, features):
    paths = [write_note(tmp_path, 8000, 0.5)]
    for transformer in (front_end(features)._as_fitted(), front_end(features).fit(paths)):
        save_model(transformer, tmp_path / "front.skops")
        loaded = load_model(tmp_path / "front.skops")
        np.testing.assert_array_equal(loaded.transform(paths), transformer.transform(paths))


@parametrize_with_checks([LegacySpectrogramTransformer(n_mels=8)])
def test_checks_of_scikit_learn(estimator, check):
    check(estimator)


@pytest.mark.parametrize("sampling_rate", [None, 8000])
def test_one_channel_of_files_is_used(tmp_path, sampling_rate):
    left, right = np.random.default_rng(0).uniform(-0.5, 0.5, (2, 8000))
    write_audio(tmp_path / "both.wav", np.column_stack([left, right]))
    write_audio(tmp_path / "right.wav", right)
    options = {"sampling_rate": sampling_rate, "n_frames": 20}
    found = LegacySpectrogramTransformer(channel=1, **options).fit_transform(
        [tmp_path / "both.wav"]
    )
    expected = LegacySpectrogramTransformer(**options).fit_transform([tmp_path / "right.wav"])
    np.testing.assert_array_equal(found, expected)

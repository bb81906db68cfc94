"""Mistakes of users, and manipulated files: each is an error that names what is wrong."""

import sys

import numpy as np
import pytest
from helpers import noise, write_audio
from torch import nn

from skdaf import PretrainedFeatureExtractor, make_combined_classifier, save_model
from skdaf._estimators.pretrained.packages import find_in_package

RATE = 16_000


def first_samples(waveforms):
    return waveforms[:, :2]


def fails_for_silence(waveforms):
    """Return logarithms of peaks, which are infinite for silence."""
    with np.errstate(divide="ignore"):
        return np.log(np.abs(waveforms).max(axis=1))


def extractor(model=first_samples, **parameters):
    return PretrainedFeatureExtractor(model, **{"sampling_rate": RATE} | parameters)


@pytest.mark.parametrize("name", ["BirdNET", "Silero_VAD", "resembliser"])
def test_names_that_are_almost_right(name, clips):
    with pytest.raises(FileNotFoundError, match=r"Did you mean '(birdnet|silero-vad|resemblyzer)'"):
        PretrainedFeatureExtractor(name).fit(clips)


@pytest.mark.parametrize("array", [np.zeros(3), np.zeros((2, 2), np.uint8)])
def test_arrays_are_no_models(array, clips):
    with pytest.raises(TypeError, match="model must be one of the names"):
        PretrainedFeatureExtractor(array).fit(clips)


# --- parameters ----------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("parameters", "problem"),
    [
        ({"window": 1e-9}, r"Windows per second \(one each step, window=1e-09, step=None\)"),
        ({"window": 1, "step": 1e-5}, r"window=1, step=1e-05\) must be at most 1000"),
        ({"window": 1000}, r"'window' .* range \(0\.0, 900\.0\] \(seconds\) or None"),
        ({"window": 1, "step": 1000}, r"'step' .* \(seconds\)"),
        ({"device": "banana"}, "device='banana' is unknown: expected 'auto', 'cpu'"),
        ({"sampling_rate": 10**12}, r"'sampling_rate' parameter .* range \[100, 10000000\]"),
    ],
    ids=str,
)
def test_parameters_out_of_range(parameters, problem, clips):
    with pytest.raises(ValueError, match=problem):
        extractor(**parameters).fit(clips)


def test_positions_of_outputs_may_be_numbers_of_numpy(tmp_path, clips, write_network):
    path = write_network(tmp_path / "two.onnx", outputs=("level", "mean"))
    by_name = extractor(path, window=0.1, output="mean").fit_transform(clips)
    for output in (np.int32(1), np.int64(-1)):
        features = extractor(path, window=0.1, output=output).fit_transform(clips)
        np.testing.assert_array_equal(features, by_name)


def test_another_rate_needs_another_fit(clips):
    fitted = extractor().fit(clips).set_params(sampling_rate=8000)
    with pytest.raises(ValueError, match="takes 8000 Hz, but fit used 16000 Hz: fit again"):
        fitted.transform(clips)


def test_features_must_fit_into_memory(clips):
    def spectra(waveforms):
        return np.broadcast_to(np.float32(0), (len(waveforms), 2**12, 2**12 + 1))

    with pytest.raises(ValueError, match=r"pooling='none' must be at most 16777216, got 16781312"):
        extractor(spectra, pooling="none").fit(clips)


# --- metadata of ONNX files ----------------------------------------------------------------------


@pytest.mark.parametrize("rate", ["0.5", "16000.7", "1e300", "50"])
def test_rates_that_no_recording_has(rate, tmp_path, clips, write_network):
    path = write_network(tmp_path / "net.onnx", entries={"sampling_rate": rate})
    with pytest.raises(ValueError, match=f"sampling_rate='{rate}': expected an integer from 100"):
        PretrainedFeatureExtractor(path, window=0.1).fit(clips)


@pytest.mark.parametrize("window", ["1e12", "1e300"])
def test_windows_that_do_not_fit_into_memory(window, tmp_path, clips, write_network):
    path = write_network(tmp_path / "net.onnx", entries={"window": window})
    with pytest.raises(ValueError, match=r"window=1e\+\d+ \(seconds\), in samples, must be at mos"):
        extractor(path).fit(clips)


def test_classes_that_are_nested_too_deeply_are_no_names(tmp_path, clips, write_network):
    path = write_network(tmp_path / "net.onnx", entries={"classes": "[" * 100_000})
    fitted = extractor(path, window=0.1).fit(clips)
    assert list(fitted.get_feature_names_out()) == ["feature_0"]


# --- models that fail ----------------------------------------------------------------------------


@pytest.mark.parametrize("n_jobs", [None, 2])
def test_the_clip_for_which_a_model_fails_is_named(n_jobs, tmp_path):
    paths = [write_audio(tmp_path / f"{i}.wav", noise(i, 2000), RATE) for i in range(3)]
    silence = write_audio(tmp_path / "silence.wav", np.zeros(1000), RATE)
    fitted = extractor(fails_for_silence, n_jobs=n_jobs).fit(paths)
    problem = r"silence\.wav': The model 'fails_for_silence' failed for waveforms of 1000 samples"
    with pytest.raises(ValueError, match=rf"{problem} at 16000 Hz.*NaN or infinity"):
        fitted.transform([*paths, silence])
    with pytest.raises(ValueError, match=r"^'X\[1\]': The model 'fails_for_silence' failed"):
        fitted.transform([(noise(0, 2000), RATE), (np.zeros(1000), RATE)])


def test_errors_of_torch_name_the_model(clips):
    problem = r"model 'Linear' failed for waveforms of 4000 samples at 16000 Hz. RuntimeError: mat1"
    with pytest.raises(ValueError, match=problem):
        extractor(nn.Linear(10, 3)).fit(clips)


def test_errors_of_functions_name_the_function(clips):
    def divides(waveforms):
        return 1 / 0

    with pytest.raises(ValueError, match=r"divides' failed.*ZeroDivisionError: division by zero"):
        extractor(divides).fit(clips)


# --- caches and files ----------------------------------------------------------------------------


def test_rows_of_other_lengths_in_a_cache(tmp_path, write_network, sounds):
    path = write_network(tmp_path / "net.onnx")
    options = {"window": 0.05, "pooling": "none", "cache": tmp_path / "cache"}
    short = write_audio(tmp_path / "short.wav", noise(0, 1600), RATE)
    extractor(path, **options).fit_transform(sounds.filenames[:1])
    fitted = extractor(path, **options).fit([short])
    with pytest.raises(ValueError, match=r"but 2 for the first in fit.*clips of one length"):
        fitted.transform(sounds.filenames[:1])


def test_a_saved_model_cannot_fill_a_cache_for_another(tmp_path, write_network, clips):
    fitted = extractor(write_network(tmp_path / "net.onnx"), window=0.1).fit(clips)
    fitted.sha256_ = "0" * 64
    with pytest.raises(ValueError, match=r"not those that fit found.*expected 0000"):
        fitted.transform(clips)


def test_a_saved_model_has_no_more_features_than_fit_into_memory(tmp_path, write_network, clips):
    path = write_network(tmp_path / "net.onnx")
    fitted = extractor(path, window=0.1, pooling="none").fit(clips[:1])
    fitted._n_rows = 10**12
    with pytest.raises(ValueError, match="must be at most 16777216, got 1000000000000"):
        save_model(fitted, tmp_path / "model.skops")  # it checks that the file could be loaded


def test_a_package_that_a_hook_hides_is_missing(monkeypatch):
    class Hook:
        def find_spec(self, name, path=None, target=None):
            if name == "hidden_package":
                raise ModuleNotFoundError(name)

    monkeypatch.setattr(sys, "meta_path", [Hook(), *sys.meta_path])
    with pytest.raises(ImportError, match="pip install hidden"):
        find_in_package("hidden_package", "a", model="hidden", command="pip install hidden")


# --- combined classifiers ------------------------------------------------------------------------


def test_combining_onnx_files(tmp_path, write_network, sounds, sound_labels):
    entries = {"sampling_rate": str(RATE), "window": "0.1"}
    path = write_network(tmp_path / "net.onnx", entries=entries)
    probabilities = [
        make_combined_classifier([one], handcrafted=False)
        .fit(sounds.filenames, sound_labels)
        .predict_proba(sounds.filenames)
        for one in (path, PretrainedFeatureExtractor(path))
    ]
    np.testing.assert_array_equal(*probabilities)


def test_what_cannot_be_combined():
    with pytest.raises(TypeError, match=r"extractors contains <function first_samples.*pass func"):
        make_combined_classifier(first_samples)
    with pytest.raises(FileNotFoundError, match=r"'silero-vda'.*Did you mean 'silero-vad'"):
        make_combined_classifier(["silero-vda"])


def test_gaps_between_windows_give_a_warning(tmp_path, write_network, clips):
    def level(waveforms):
        return np.abs(waveforms).mean(axis=1, keepdims=True)

    of_half_a_second = write_network(tmp_path / "model.onnx", (1, 8000))
    for model, options, window in (
        (level, {"window": 0.5}, "window"),
        (of_half_a_second, {}, "window_"),
    ):
        extractor = PretrainedFeatureExtractor(model, sampling_rate=16_000, step=0.75, **options)
        expected = rf"step=0\.75 is longer than {window}=0\.5 \(seconds\)"
        with pytest.warns(UserWarning, match=expected) as caught:
            extractor.fit(clips)
        assert caught[0].filename == __file__
        extractor.set_params(step=0.5).fit(clips)

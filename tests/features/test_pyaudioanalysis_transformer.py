"""PyAudioAnalysisTransformer: output, names, fit, workers and cache."""

import os
import warnings

import joblib
import numpy as np
import pandas as pd
import pytest
import soundfile as sf
from helpers import noise, run_python, silence, write_noise
from sklearn.base import clone
from sklearn.exceptions import NotFittedError
from sklearn.model_selection import cross_val_score
from sklearn.pipeline import FeatureUnion, make_pipeline
from sklearn.preprocessing import StandardScaler
from sklearn.svm import SVC
from sklearn.utils.estimator_checks import parametrize_with_checks

from skdaf import (
    Clip,
    PyAudioAnalysisTransformer,
    SpectrogramTransformer,
    load_audio,
)
from skdaf._features.pyaudioanalysis import PyAudioAnalysisSettings, compute_features

pytestmark = pytest.mark.oldest

# A relative 1e-6 for every feature, and an absolute bound where one is zero but for rounding.
TOLERANCE = {"rtol": 1e-6, "atol": 1e-11}


@parametrize_with_checks([PyAudioAnalysisTransformer()])
def test_checks_of_scikit_learn(estimator, check):
    check(estimator)


# --- output ---


def test_shape_type_and_learned_attributes(paths):
    transformer = PyAudioAnalysisTransformer()
    assert transformer.fit(paths) is transformer
    X = transformer.transform(paths)
    assert X.shape == (7, 136)
    assert X.dtype == np.float64
    assert np.isfinite(X).all()
    assert transformer.sampling_rate_ == 16000
    assert not hasattr(transformer, "n_features_in_")


def test_parameters_reach_the_features(paths):
    transformer = PyAudioAnalysisTransformer(
        mid_window=0.3, mid_step=0.2, short_window=0.03, short_step=0.02, deltas=False
    )
    settings = PyAudioAnalysisSettings.from_seconds(16000, 0.03, 0.02, 0.3, 0.2, False)
    expected = compute_features([load_audio(path)[0] for path in paths], settings)
    assert expected.shape == (7, 68)
    np.testing.assert_allclose(transformer.fit_transform(paths), expected, rtol=1e-12, atol=1e-12)


@pytest.mark.parametrize("subtype", ["PCM_16", "PCM_24", "FLOAT"])
def test_files_equal_the_library(pyaudioanalysis, tmp_path, subtype):
    """The library reads 16-bit files; other sample widths have the same full scale."""
    from scipy.io import wavfile

    path = write_noise(tmp_path / "a.wav", 0, 20_000, subtype=subtype)
    row = PyAudioAnalysisTransformer().fit_transform([path])[0]
    with warnings.catch_warnings():
        # scipy warns of unknown parts of float files.
        warnings.simplefilter("ignore")
        rate, samples = wavfile.read(path)
    # scipy returns 24 bits in the upper part of 32.
    scale = {"PCM_16": 1, "PCM_24": 2.0**-16, "FLOAT": 2.0**15}[subtype]
    frames, _ = pyaudioanalysis.feature_extraction(samples * scale, rate, 800, 800)
    parts = [frames[:, :20], frames[:, 20:]]
    expected = np.mean([np.r_[part.mean(axis=1), part.std(axis=1)] for part in parts], axis=0)
    np.testing.assert_allclose(row, expected, **TOLERANCE)


def test_stereo_files_equal_the_mean_of_their_channels(pyaudioanalysis, tmp_path):
    samples = np.stack([noise(0, 8000), noise(1, 8000)], axis=1)
    path = str(tmp_path / "stereo.wav")
    sf.write(path, samples, 16000, subtype="PCM_16")
    from scipy.io import wavfile

    left, right = wavfile.read(path)[1].T
    frames, _ = pyaudioanalysis.feature_extraction(left / 2 + right / 2, 16000, 800, 800)
    row = PyAudioAnalysisTransformer().fit_transform([path])[0]
    np.testing.assert_allclose(row, np.r_[frames.mean(axis=1), frames.std(axis=1)], **TOLERANCE)


def test_speech_equals_the_library(pyaudioanalysis, fsdd):
    files = list(fsdd[0][::200])
    X = PyAudioAnalysisTransformer().fit_transform(files)
    for path, row in zip(files, X, strict=True):
        frames, _ = pyaudioanalysis.feature_extraction(
            load_audio(path)[0] * 2.0**15, 8000, 400, 400
        )
        parts = [frames[:, i : i + 20] for i in range(0, frames.shape[1], 20)]
        expected = np.mean([np.r_[part.mean(axis=1), part.std(axis=1)] for part in parts], axis=0)
        np.testing.assert_allclose(row, expected, **TOLERANCE)


@silence
def test_silent_and_very_short_clips_are_finite():
    clips = [np.zeros(4000), np.zeros(1), np.ones(1), np.array([0.0, 1e-30]), noise(0, 7)]
    X = PyAudioAnalysisTransformer().fit_transform(clips)
    assert np.isfinite(X).all()
    np.testing.assert_allclose(X[0], X[1], rtol=0, atol=1e-12)


def test_a_clip_does_not_depend_on_other_clips(many):
    transformer = PyAudioAnalysisTransformer().fit(many)
    X = transformer.transform(many)
    for i in (0, 70, 149):
        (alone,) = transformer.transform(many[i : i + 1])
        assert alone.tobytes() == X[i].tobytes()


# --- names ---


def test_names_are_those_of_the_library(pyaudioanalysis, paths):
    _, names = pyaudioanalysis.feature_extraction(noise(0, 4000), 16000, 800, 800)
    transformer = PyAudioAnalysisTransformer().fit(paths)
    expected = [f"{name}_mean" for name in names] + [f"{name}_std" for name in names]
    assert list(transformer.get_feature_names_out()) == expected
    assert len(set(expected)) == 136
    transformer = PyAudioAnalysisTransformer(deltas=False).fit(paths)
    expected = [name for name in expected if not name.startswith("delta")]
    assert list(transformer.get_feature_names_out()) == expected


def test_names_before_fit_are_refused():
    with pytest.raises(NotFittedError):
        PyAudioAnalysisTransformer().get_feature_names_out()


def test_pandas_output_keeps_the_index_of_a_table(paths):
    table = pd.DataFrame({"path": paths, "end": 0.1}, index=list("abcdefg"))
    transformer = PyAudioAnalysisTransformer().set_output(transform="pandas")
    X = transformer.fit_transform(table)
    assert list(X.index) == list("abcdefg")
    assert list(X.columns) == list(transformer.get_feature_names_out())


def test_it_works_in_a_union(paths):
    union = FeatureUnion(
        [
            ("long", PyAudioAnalysisTransformer()),
            ("short", PyAudioAnalysisTransformer(short_step=0.025, deltas=False)),
        ]
    )
    X = union.set_output(transform="pandas").fit_transform(paths)
    assert X.shape == (7, 136 + 68)
    assert X.columns[0] == "long__zcr_mean"
    assert X.columns.is_unique


# --- fit ---


@pytest.mark.parametrize(
    ("rates", "expected"),
    [([8000, 16000, 16000], 16000), ([16000, 8000], 8000), ([44100, 22050, 44100], 44100)],
)
def test_sampling_rate_is_the_most_common_or_lowest_one(tmp_path, rates, expected):
    files = [write_noise(tmp_path / f"{i}.wav", i, 2000, rate) for i, rate in enumerate(rates)]
    assert PyAudioAnalysisTransformer().fit(files).sampling_rate_ == expected


def test_sampling_rate_of_waveforms_is_16_khz():
    assert PyAudioAnalysisTransformer().fit(np.zeros((2, 400))).sampling_rate_ == 16000
    given = PyAudioAnalysisTransformer(sampling_rate=8000).fit(np.zeros((2, 400)))
    assert given.sampling_rate_ == 8000


def test_files_of_other_rates_are_resampled(tmp_path):
    files = [
        write_noise(tmp_path / "a.wav", 0, 4000, 8000),
        write_noise(tmp_path / "b.wav", 1, 9000, 22050),
    ]
    transformer = PyAudioAnalysisTransformer(sampling_rate=16000).fit(files)
    resampled = [load_audio(file, sampling_rate=16000)[0] for file in files]
    np.testing.assert_array_equal(transformer.transform(files), transformer.transform(resampled))


def test_n_features_in_is_set_for_arrays_only(paths):
    transformer = PyAudioAnalysisTransformer().fit(np.zeros((2, 400)))
    assert transformer.n_features_in_ == 400
    with pytest.raises(ValueError, match="401 features"):
        transformer.transform(np.zeros((2, 401)))
    assert not hasattr(transformer.fit(paths), "n_features_in_")


def test_transform_before_fit_is_refused(paths):
    with pytest.raises(NotFittedError):
        PyAudioAnalysisTransformer().transform(paths)


# --- workers, cache, progress ---


@pytest.mark.parametrize("backend", ["threading", "loky"])
def test_workers_change_nothing(many, backend):
    expected = PyAudioAnalysisTransformer().fit_transform(many)
    with joblib.parallel_config(backend=backend):
        X = PyAudioAnalysisTransformer(n_jobs=2).fit_transform(many)
    np.testing.assert_array_equal(X, expected)


def test_cached_files_are_not_read_again(many, tmp_path, monkeypatch):
    transformer = PyAudioAnalysisTransformer(cache=tmp_path / "cache").fit(many)
    expected = PyAudioAnalysisTransformer().fit_transform(many)
    np.testing.assert_array_equal(transformer.transform(many), expected)

    def refuse(*arguments):
        raise AssertionError("a cached file was read")

    monkeypatch.setattr("skdaf._features.extraction.read_samples", refuse)
    np.testing.assert_array_equal(transformer.transform(many), expected)
    np.testing.assert_array_equal(transformer.transform(many[::-1]), expected[::-1])


@pytest.mark.filterwarnings("ignore:.* is not used")
def test_cached_values_depend_on_file_interval_and_parameters(paths, tmp_path):
    cache = tmp_path / "cache"
    changed = {
        "mid_window": 0.3,
        "mid_step": 0.2,
        "short_window": 0.03,
        "short_step": 0.02,
        "deltas": False,
        "sampling_rate": 8000,
    }
    for parameters in ({}, *({name: value} for name, value in changed.items())):
        for X in (paths, [Clip(path, 0.01, 0.08) for path in paths]):
            expected = PyAudioAnalysisTransformer(**parameters).fit_transform(X)
            for _ in range(2):
                cached = PyAudioAnalysisTransformer(**parameters, cache=cache).fit_transform(X)
                np.testing.assert_array_equal(cached, expected)


def test_cache_notices_a_changed_file(paths, tmp_path):
    transformer = PyAudioAnalysisTransformer(cache=tmp_path / "cache").fit(paths)
    before = transformer.transform(paths)
    write_noise(paths[0], seed=99, n_samples=1600)
    status = os.stat(paths[0])
    os.utime(paths[0], ns=(status.st_atime_ns, status.st_mtime_ns + 1_000_000))
    after = transformer.transform(paths)
    assert not np.array_equal(before[0], after[0])
    np.testing.assert_array_equal(before[1:], after[1:])


def test_spectrograms_can_use_the_same_cache(paths, tmp_path):
    front_end = SpectrogramTransformer(n_mels=16, cache=tmp_path / "cache")
    features = PyAudioAnalysisTransformer(cache=tmp_path / "cache")
    for _ in range(2):
        np.testing.assert_array_equal(
            front_end.fit_transform(paths),
            clone(front_end).set_params(cache=None).fit_transform(paths),
        )
        np.testing.assert_array_equal(
            features.fit_transform(paths), PyAudioAnalysisTransformer().fit_transform(paths)
        )


def test_verbose_shows_a_bar(paths, capfd):
    PyAudioAnalysisTransformer().fit_transform(paths)
    assert capfd.readouterr() == ("", "")
    PyAudioAnalysisTransformer(verbose=1).fit_transform(paths)
    assert "Features: 100%" in capfd.readouterr().err


# --- with scikit-learn ---


def test_it_works_in_a_pipeline(sounds, sound_labels):
    pipeline = make_pipeline(PyAudioAnalysisTransformer(), StandardScaler(), SVC())
    assert cross_val_score(pipeline, sounds.filenames, sound_labels, cv=3).mean() > 0.8


def test_a_fitted_transformer_is_dumped_and_loaded(paths, tmp_path):
    transformer = PyAudioAnalysisTransformer().fit(paths)
    joblib.dump(transformer, tmp_path / "transformer.joblib")
    loaded = joblib.load(tmp_path / "transformer.joblib")
    np.testing.assert_array_equal(loaded.transform(paths), transformer.transform(paths))


def test_it_imports_neither_the_library_nor_matplotlib_nor_torch():
    loaded = run_python(
        """
        import sys, numpy as np
        from skdaf import PyAudioAnalysisTransformer
        PyAudioAnalysisTransformer().fit_transform(np.ones((2, 3)))
        print(*sys.modules)
        """
    )
    assert {"pyAudioAnalysis", "matplotlib", "torch"}.isdisjoint(loaded.split())

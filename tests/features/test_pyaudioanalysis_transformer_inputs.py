"""PyAudioAnalysisTransformer: forms of X, wrong parameters, bad files."""

from pathlib import Path

import numpy as np
import pandas as pd
import pytest
from helpers import noise
from sklearn.utils._param_validation import InvalidParameterError

from skdaf import (
    AudioReadError,
    Clip,
    PyAudioAnalysisTransformer,
    load_audio,
)

pytestmark = pytest.mark.oldest

# A relative 1e-6 for every feature, and an absolute bound where one is zero but for rounding.
TOLERANCE = {"rtol": 1e-6, "atol": 1e-11}


# --- forms of X ------------------------------------------------------------------------------


def test_all_forms_of_files_agree(paths):
    transformer = PyAudioAnalysisTransformer(sampling_rate=16000).fit(paths)
    expected = transformer.transform(paths)
    forms = [
        np.array(paths),
        pd.Series(paths),
        [Path(path) for path in paths],
        [Clip(path) for path in paths],
        pd.DataFrame({"path": paths}),
        [load_audio(path)[0] for path in paths],
        [load_audio(path) for path in paths],
    ]
    for X in forms:
        np.testing.assert_array_equal(transformer.transform(X), expected)


def test_arrays_and_lists_of_arrays_agree():
    X = np.stack([noise(i) for i in range(3)])
    transformer = PyAudioAnalysisTransformer()
    np.testing.assert_array_equal(transformer.fit_transform(X), transformer.fit_transform(list(X)))


def test_a_clip_is_the_features_of_its_part(paths):
    transformer = PyAudioAnalysisTransformer(sampling_rate=16000).fit(paths)
    samples, _ = load_audio(paths[-1])
    np.testing.assert_array_equal(
        transformer.transform([Clip(paths[-1], 0.1, 0.35)]),
        transformer.transform([samples[1600:5600]]),
    )


def test_waveforms_after_a_fit_on_files_warn_once(paths):
    transformer = PyAudioAnalysisTransformer().fit(paths)
    samples, rate = load_audio(paths[0])
    with pytest.warns(UserWarning, match=f"{rate} Hz"):
        of_array = transformer.transform([samples])
    np.testing.assert_array_equal(of_array, transformer.transform([samples]))
    np.testing.assert_array_equal(of_array, transformer.transform([(samples, rate)]))


def test_inputs_are_not_changed():
    X = np.stack([noise(i) for i in range(3)])
    X.setflags(write=False)
    before = X.copy()
    PyAudioAnalysisTransformer().fit_transform(X)
    PyAudioAnalysisTransformer().fit_transform(list(X))
    np.testing.assert_array_equal(X, before)


def test_spectrograms_are_refused():
    with pytest.raises(ValueError, match="3 dimensions"):
        PyAudioAnalysisTransformer().fit(np.zeros((2, 10, 5)))


def test_a_single_path_is_refused(paths):
    with pytest.raises(TypeError, match=r"pass \[path\]"):
        PyAudioAnalysisTransformer().fit(paths[0])


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("mid_window", 0),
        ("mid_step", -1.0),
        ("short_window", "0.05"),
        ("short_step", 0.0),
        ("mid_window", 1000),
        ("mid_step", 1000.0),
        ("short_window", 50),
        ("short_step", np.inf),
        ("deltas", None),
        ("sampling_rate", 16000.0),
        ("sampling_rate", 10),
        ("cache", 3),
        ("n_jobs", 0.5),
        ("verbose", -1),
    ],
)
def test_wrong_parameters_are_named(name, value):
    with pytest.raises(InvalidParameterError, match=name):
        PyAudioAnalysisTransformer(**{name: value}).fit(np.zeros((2, 400)))


def test_errors_of_durations_name_the_unit():
    with pytest.raises(InvalidParameterError, match=r"\(0\.0, 1\.0\] \(seconds\)\. Got 50 instead"):
        PyAudioAnalysisTransformer(short_window=50, short_step=50).fit(np.zeros((2, 400)))


@pytest.mark.parametrize(
    ("options", "message"),
    [
        (
            {"short_window": 0.0001},
            r"short_window=0\.0001 \(seconds\) is 1\.6 samples at 16000 Hz: expected at least 2",
        ),
        (
            {"mid_window": 0.04},
            r"mid_window=0\.04 must be at least as long as short_window=0\.05 \(seconds\)",
        ),
    ],
)
def test_windows_that_cannot_work_are_refused(options, message):
    with pytest.raises(ValueError, match=message):
        PyAudioAnalysisTransformer(**options).fit(np.zeros((2, 400)))


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"short_step": 0.06}, r"short_step=0\.06 is longer than short_window=0\.05 \(seconds\)"),
        ({"mid_step": 2}, r"mid_step=2 is longer than mid_window=1 .*is not used"),
        ({"short_window": 0.0009, "short_step": 0.0009}, r"is 14\.4 samples at 16000 Hz, too few"),
    ],
)
def test_windows_that_lose_audio_give_a_warning(options, message):
    with pytest.warns(UserWarning, match=message) as caught:
        PyAudioAnalysisTransformer(**options).fit(np.zeros((2, 400)))
    assert [warning.filename for warning in caught] == [__file__]


def test_windows_may_be_as_long_as_their_steps():
    options = {"short_window": 0.001, "short_step": 0.001, "mid_window": 0.001, "mid_step": 0.001}
    PyAudioAnalysisTransformer(**options).fit(np.zeros((2, 400)))


# --- errors ---


def test_fit_names_all_bad_files(paths, tmp_path):
    (tmp_path / "empty.wav").touch()
    bad = [str(tmp_path / "missing.wav"), str(tmp_path / "empty.wav")]
    with pytest.raises(AudioReadError) as caught:
        PyAudioAnalysisTransformer().fit([bad[0], *paths, bad[1]])
    assert caught.value.paths == bad


@pytest.mark.parametrize("with_cache", [False, True])
def test_transform_names_all_bad_files_over_all_chunks(many, tmp_path, with_cache):
    cache = tmp_path / "cache" if with_cache else None
    transformer = PyAudioAnalysisTransformer(cache=cache).fit(many)
    bad = [str(tmp_path / "missing.wav"), str(tmp_path / "damaged.wav")]
    Path(bad[1]).write_bytes(b"RIFF and nothing else")
    with pytest.raises(AudioReadError) as caught:
        transformer.transform([bad[0], *many, bad[1]])
    assert caught.value.paths == bad

"""Arguments in the wrong order: the errors say so."""

from pathlib import Path

import numpy as np
import pandas as pd
import pytest
import torch
from helpers import noise, small_classifier
from sklearn.linear_model import LogisticRegression
from sklearn.pipeline import make_pipeline

from skdaf import (
    AudioReadError,
    Clip,
    CNNAudioRegressor,
    CNNFeatureExtractor,
    PyAudioAnalysisTransformer,
    SegmentsDisplay,
    ValuesDisplay,
    export_onnx,
    load_model,
    make_combined_classifier,
    predict_segments,
    predict_stream,
    save_model,
    transform_segments,
)

pytestmark = pytest.mark.oldest

MODEL = LogisticRegression().fit([[0.0], [1.0]], [0, 1])
NAMES = ["high", "low"] * 3


def files(sounds):
    return sounds.filenames[:6]


ESTIMATORS = {
    "classifier": small_classifier(max_epochs=1),
    "pipeline": make_pipeline(PyAudioAnalysisTransformer(), LogisticRegression()),
    "extractor": CNNFeatureExtractor(small_classifier(max_epochs=1)),
    "votes": make_combined_classifier(small_classifier(max_epochs=1)),
    "svc": make_combined_classifier(small_classifier(max_epochs=1), method="svc"),
}


@pytest.mark.parametrize("name", ESTIMATORS)
@pytest.mark.parametrize("kind", [list, np.array])
def test_labels_in_place_of_files(name, kind, sounds):
    with pytest.raises(AudioReadError, match="'high': no such file") as caught:
        ESTIMATORS[name].fit(kind(NAMES), files(sounds))
    (note,) = [note for note in caught.value.__notes__ if not note.startswith("Relative")]
    assert note == "If these are labels, pass the files first, as in fit(files, labels)."


def test_the_note_on_labels_is_given_once(sounds):
    classifier = small_classifier(max_epochs=1).fit(files(sounds), NAMES)
    with pytest.raises(AudioReadError) as caught:
        classifier.score(NAMES, files(sounds))
    assert len(caught.value.__notes__) == len({*caught.value.__notes__}) == 2


def test_a_model_in_place_of_its_file():
    with pytest.raises(TypeError, match=r"path of a file, got a LogisticRegression, .* save_model"):
        load_model(MODEL)


@pytest.mark.parametrize("name", ESTIMATORS)
@pytest.mark.parametrize("kind", [list, np.array])
def test_numbers_in_place_of_files(name, kind, sounds):
    with pytest.raises(ValueError, match=r"pass the files first, as in fit\(files, labels\)\."):
        ESTIMATORS[name].fit(kind([0, 1] * 3), files(sounds))


def test_numbers_to_predict_in_place_of_files(sounds):
    table = pytest.importorskip("pandas").DataFrame({"file": files(sounds), "age": [1.5, 2.5] * 3})
    with pytest.raises(ValueError, match=r"a column of numbers .* pass the files first"):
        CNNAudioRegressor(max_epochs=1).fit(table["age"], table["file"])


@pytest.mark.parametrize("X", [["a.wav"] * 6, ["x/a"] * 6, ["a"], ["a", "b", "c"], [*"abcd", "a"]])
def test_missing_files_are_no_labels(X):
    with pytest.raises(AudioReadError) as caught:
        ESTIMATORS["pipeline"].fit(X, range(len(X)))
    assert not any("labels" in note for note in caught.value.__notes__)


WAVEFORMS = [noise(seed, 2000) for seed in range(6)]


@pytest.mark.parametrize("name", ["classifier", "pipeline", "extractor"])
@pytest.mark.parametrize(
    "y",
    [
        WAVEFORMS,
        tuple(WAVEFORMS),
        np.array(WAVEFORMS),
        torch.tensor(np.array(WAVEFORMS)),
        pd.DataFrame(np.array(WAVEFORMS)),
        [(waveform, 8000) for waveform in WAVEFORMS],
        [(8000, waveform) for waveform in WAVEFORMS],  # as from scipy.io.wavfile
        [waveform.tolist() for waveform in WAVEFORMS],
        [Clip((waveform, 8000)) for waveform in WAVEFORMS],
        [waveform[: 2000 - 9 * i] for i, waveform in enumerate(WAVEFORMS)],
    ],
)
def test_labels_in_place_of_waveforms(name, y):
    message = "X contains labels, such as 'high', and y contains waveforms. Pass the waveforms fir"
    with pytest.raises(TypeError, match=message):
        ESTIMATORS[name].fit(NAMES, y)


def test_labels_that_look_like_files_or_folders(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    for name in ("St. Anna", "3.2 kHz", "owl"):
        (tmp_path / name).mkdir()  # as in a folder of class folders
        with pytest.raises(TypeError, match="X contains labels"):
            ESTIMATORS["pipeline"].fit([name, "high"] * 3, WAVEFORMS)


@pytest.mark.parametrize("X", [NAMES, np.array(NAMES), ["a.wav"] * 6, ["x/a"] * 6])
@pytest.mark.parametrize("y", [[], NAMES, 3, None, np.ones(6), np.eye(6, 300), np.ones((6, 5))])
def test_other_targets_are_no_waveforms(X, y):
    with pytest.raises((AudioReadError, ValueError)):
        ESTIMATORS["pipeline"].fit(X, y)


def test_many_numbers_of_a_file_are_no_waveform():
    with pytest.raises(AudioReadError, match="no such file"):
        ESTIMATORS["pipeline"].fit(["a.wav"] * 6, WAVEFORMS)


def test_files_as_labels_of_known_classes(sounds):
    with pytest.raises(ValueError, match=r"y contains files, such as .*: pass the files first"):
        small_classifier().partial_fit(NAMES, files(sounds), classes=["high", "low"])
    classifier = small_classifier(early_stopping=True)
    with pytest.raises(ValueError, match="y_val contains files"):
        classifier.fit(files(sounds), NAMES, X_val=NAMES, y_val=files(sounds))


@pytest.mark.parametrize(
    ("function", "arguments", "call"),
    [
        (save_model, ("x.skops",), "save_model(estimator, path)"),
        (predict_segments, ("x.wav",), "predict_segments(estimator, path)"),
        (predict_stream, ([np.zeros(9)], 8000), "predict_stream(estimator, blocks, sampling_rate)"),
        (export_onnx, ("x.onnx",), "export_onnx(estimator, path)"),
        (SegmentsDisplay.from_estimator, ("x.wav",), "SegmentsDisplay.from_estimator(estimator, "),
        (ValuesDisplay.from_estimator, ("x.wav",), "ValuesDisplay.from_estimator(estimator, path)"),
    ],
)
def test_the_estimator_comes_first(function, arguments, call, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    first, *others = arguments
    with pytest.raises(TypeError, match=r"wrong order: got .* and then a LogisticReg") as caught:
        function(first, MODEL, *others)
    assert f"Call {call}" in str(caught.value)
    assert list(tmp_path.iterdir()) == []


def test_paths_of_all_types_are_recognized():
    with pytest.raises(TypeError, match=r"got 'x\.wav' first, and then a LogisticRegression"):
        transform_segments(Path("x.wav"), MODEL, window=1)
    with pytest.raises(TypeError, match="got a tuple first"):
        predict_segments((np.zeros(9), 8000), MODEL)

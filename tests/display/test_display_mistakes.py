"""What users often pass to displays by mistake: the message names what is expected."""

import matplotlib.pyplot as plt
import numpy as np
import pandas as pd
import pytest
from sklearn.exceptions import NotFittedError
from sklearn.pipeline import make_pipeline
from sklearn.svm import SVC

from skdaf import (
    CNNAudioClassifier,
    CNNAudioRegressor,
    EmbeddingDisplay,
    PyAudioAnalysisTransformer,
    SaliencyDisplay,
    SegmentsDisplay,
    SpectrogramDisplay,
    SpectrogramTransformer,
    ValuesDisplay,
    make_combined_classifier,
)

pytestmark = pytest.mark.oldest

OF_CLIPS = [SaliencyDisplay, SpectrogramDisplay, EmbeddingDisplay]
OF_RECORDINGS = [SegmentsDisplay, ValuesDisplay]

X = [np.random.default_rng(i).standard_normal(4000) for i in range(6)]
SMALL = {"channels": (4,), "max_epochs": 1, "random_state": 0}


@pytest.fixture(scope="module")
def small():
    return CNNAudioClassifier(**SMALL).fit(X, ["a", "b"] * 3)


@pytest.fixture(scope="module")
def regressor():
    return CNNAudioRegressor(**SMALL).fit(X, np.arange(6.0))


@pytest.mark.parametrize("display", OF_CLIPS + OF_RECORDINGS)
@pytest.mark.parametrize("wrong", [None, {}, CNNAudioClassifier, ["a.wav"]])
def test_something_that_is_no_estimator(display, wrong):
    with pytest.raises(TypeError, match=r"estimator must be a fitted .* or the path of a saved"):
        display.from_estimator(wrong, X)


@pytest.mark.parametrize("display", OF_CLIPS + OF_RECORDINGS)
@pytest.mark.parametrize(
    "model", [CNNAudioClassifier(), make_combined_classifier(CNNAudioClassifier())]
)
def test_an_unfitted_model(display, model):
    with pytest.raises(NotFittedError):
        display.from_estimator(model, X)


@pytest.mark.parametrize("display", OF_CLIPS)
def test_what_is_no_list_of_clips(display, small, sounds):
    for wrong, problem in [
        (sounds.filenames[0], r"single '.*': pass \[path\]"),
        (str(sounds.filenames[0]).rpartition("/")[0], "for a folder .*load_audio_folders"),
        (sounds, r"got a Bunch: pass X.filenames\.$"),
        (None, "got None: pass a list of files"),
        ({"path": []}, r"Pass pandas.DataFrame\(X\)"),
        (iter(X), r"Pass list\(X\)"),
    ]:
        with pytest.raises(TypeError, match=problem):
            display.from_estimator(small, wrong)


@pytest.mark.parametrize("display", OF_CLIPS)
def test_labels_for_another_number_of_clips(display, small):
    with pytest.raises(ValueError, match=r"y must contain .* got shape \(2,\)"):
        display.from_estimator(small, X[:3], ["a", "b"])


def test_one_label_as_text(small):
    for display in (SaliencyDisplay, SpectrogramDisplay):
        with pytest.raises(ValueError, match="y must contain 1 label, one per clip, got 'a'"):
            display.from_estimator(small, X[:1], "a")


def test_an_embedding_needs_two_clips_with_features(small):
    with pytest.raises(ValueError, match="X must contain at least 2 clips to show, got 1"):
        EmbeddingDisplay.from_estimator(small, X[:1])
    with pytest.raises(TypeError, match=r"one row of features per clip, .*SpectrogramTransformer"):
        EmbeddingDisplay.from_estimator(SpectrogramTransformer().fit(X), X)


def test_a_model_without_a_network(regressor):
    svc = make_pipeline(PyAudioAnalysisTransformer(), SVC()).fit(X, ["a", "b"] * 3)
    with pytest.raises(ValueError, match=r"must contain one fitted network .* contains 0"):
        SaliencyDisplay.from_estimator(svc, X)
    with pytest.raises(TypeError, match="needs a classifier, got a CNNAudioRegressor"):
        SaliencyDisplay.from_estimator(regressor, X)
    with pytest.raises(TypeError, match="must contain a front end that returns spectrograms"):
        SpectrogramDisplay.from_estimator(svc, X)


@pytest.mark.parametrize("n_clips", [0, 2.5, "a", None])
def test_a_number_of_clips(small, n_clips):
    with pytest.raises(ValueError, match="n_clips must be an integer of at least 1, got"):
        SpectrogramDisplay.from_estimator(small, X, n_clips=n_clips)


def test_the_other_display_is_named(small, regressor):
    with pytest.raises(TypeError, match=r"must be a regressor, .* with SegmentsDisplay"):
        ValuesDisplay.from_estimator(small, "no such file.wav")
    with pytest.raises(TypeError, match=r"must be a classifier, .* with ValuesDisplay"):
        SegmentsDisplay.from_estimator(regressor, "no such file.wav")


@pytest.mark.parametrize("display", OF_RECORDINGS)
@pytest.mark.parametrize("wrong", [None, ["a"]])
def test_predictions_that_are_no_table(display, wrong):
    with pytest.raises((TypeError, ValueError), match=r"predicted must be a table .*got a (N|l)"):
        display.from_predictions(None, wrong)
    table = pd.DataFrame({"start": [0.0], "end": [1.0], "label": ["a"]})
    with pytest.raises((TypeError, ValueError), match="predicted must be a table "):
        display.from_predictions(table, None)


def test_a_figure_that_was_closed_can_be_drawn_again(small):
    for display in OF_CLIPS:
        shown = display.from_estimator(small, X[:2])
        plt.close(shown.figure_)
        assert shown.plot().figure_.number in plt.get_fignums()

"""Class names, and what happens without matplotlib."""

import os
import sys

import matplotlib.pyplot as plt
import numpy as np
import pandas as pd
import pytest
from helpers import texts

from skdaf import (
    DurationDisplay,
    EmbeddingDisplay,
    SaliencyDisplay,
    SegmentsDisplay,
    SpectrogramDisplay,
    TrainingDisplay,
)

pytestmark = pytest.mark.oldest


@pytest.mark.parametrize(
    "names", [["Ωμέγα", "δέλτα"], ["a$b$c", "x_1^2$"], ["_silence", "two\nlines"]]
)
def test_class_names_are_drawn_literally(names):
    shown = [" ".join(name.split()) for name in names]
    display = EmbeddingDisplay.from_embeddings(np.eye(2), names)
    display.figure_.canvas.draw()
    found = [text.replace("\\$", "$").strip() for text in texts(display.legend_.get_texts())]
    assert sorted(found) == sorted(shown)
    DurationDisplay([1.0, 2.0], labels=names).plot()
    table = pd.DataFrame({"start": [0, 1], "end": [1, 2], "label": names})
    display = SegmentsDisplay.from_predictions(None, table)
    assert len(display.legend_.get_texts()) == 2


def test_matplotlib_warns_about_letters_missing_from_its_font():
    display = EmbeddingDisplay.from_embeddings(np.eye(2), ["\U000f1234 bird", "cat"])
    with pytest.warns(UserWarning, match="Glyph"):
        display.figure_.canvas.draw()
    plt.close(display.figure_)


def test_names_of_folders_that_are_not_utf8_are_drawn():
    names = [os.fsdecode(b"\xe9t\xe9"), "summer"]
    display = EmbeddingDisplay.from_embeddings(np.eye(2), names)
    display.figure_.canvas.draw()
    assert sorted(texts(display.legend_.get_texts())) == ["\\udce9t\\udce9", "summer"]
    table = pd.DataFrame({"start": [0, 1], "end": [1, 2], "label": names})
    for display in (
        DurationDisplay([1.0, 2.0], labels=names).plot(),
        SegmentsDisplay.from_predictions(None, table),
        SpectrogramDisplay([np.zeros((2, 2))] * 2, labels=names).plot(),
        SpectrogramDisplay([np.zeros((2, 2))] * 2, titles=names).plot(),
    ):
        display.figure_.canvas.draw()
        plt.close(display.figure_)


DRAWINGS = {
    "SpectrogramDisplay.plot": lambda: SpectrogramDisplay([np.zeros((2, 2))]).plot(),
    "TrainingDisplay.plot": lambda: TrainingDisplay({"train_loss": [1.0]}).plot(),
    "SegmentsDisplay.from_predictions": lambda: SegmentsDisplay.from_predictions(None, None),
    "EmbeddingDisplay.from_embeddings": lambda: EmbeddingDisplay.from_embeddings(np.eye(2)),
    "SaliencyDisplay.from_estimator": lambda: SaliencyDisplay.from_estimator(None, None),
    "DurationDisplay.from_clips": lambda: DurationDisplay.from_clips(["x.wav"]),
}


@pytest.fixture
def no_matplotlib(monkeypatch):
    monkeypatch.setitem(sys.modules, "matplotlib", None)


@pytest.mark.parametrize("name", DRAWINGS)
def test_the_error_without_matplotlib_says_how_to_install_it(name, no_matplotlib):
    with pytest.raises(ImportError, match=rf"{name} .*pip install matplotlib, or"):
        DRAWINGS[name]()


# Panels in a part of a figure.

IN_SUBFIGURE = {
    "spectrogram": lambda model, X, y, ax: SpectrogramDisplay.from_estimator(model, X[:1], ax=ax),
    "saliency": lambda model, X, y, ax: SaliencyDisplay.from_estimator(model, X[:1], ax=ax),
    "embedding": lambda model, X, y, ax: EmbeddingDisplay.from_estimator(model, X, y, ax=ax),
    "durations": lambda model, X, y, ax: DurationDisplay.from_clips(X, y, ax=ax),
    "segments": lambda model, X, y, ax: SegmentsDisplay.from_predictions(
        None, pd.DataFrame({"start": [0.0, 1.0], "end": [1.0, 2.0], "label": ["a", "b"]}), ax=ax
    ),
}


@pytest.mark.parametrize("name", IN_SUBFIGURE)
def test_axes_of_subfigures_are_accepted(name, classifier, sounds, sound_labels):
    part = plt.figure(layout="constrained").subfigures(1, 2)[1]
    ax = part.subplots()
    display = IN_SUBFIGURE[name](classifier, sounds.filenames, sound_labels, ax)
    assert np.atleast_1d(display.ax_)[0] is ax
    assert ax.has_data()

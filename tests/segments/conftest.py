"""Fixtures of the tests of segments."""

import numpy as np
import pandas as pd
import pytest
import soundfile as sf
from helpers import small_classifier, small_pipeline
from sklearn.linear_model import LogisticRegression

from skdaf import load_audio


@pytest.fixture(scope="package")
def recording(sounds, tmp_path_factory):
    """The path of a recording of nine clips of three classes, and its segments."""
    path = tmp_path_factory.mktemp("long") / "long.wav"
    order = [0, 25, 45, 1, 46, 26, 2, 3, 27]
    parts = [load_audio(sounds.filenames[i])[0] for i in order]
    sf.write(path, np.concatenate(parts), 16000)
    edges = np.cumsum([0, *map(len, parts)]) / 16000
    labels = [sounds.target_names[sounds.target[i]] for i in order]
    return str(path), pd.DataFrame({"start": edges[:-1], "end": edges[1:], "label": labels})


@pytest.fixture(scope="package")
def network(sounds, sound_labels):
    """A network fitted on `sounds`."""
    return small_classifier(max_epochs=8).fit(sounds.filenames, sound_labels)


@pytest.fixture(scope="package")
def linear(sounds, sound_labels):
    """A linear classifier fitted on `sounds`."""
    return small_pipeline(LogisticRegression(max_iter=1000)).fit(sounds.filenames, sound_labels)

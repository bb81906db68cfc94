"""Fixtures of the tests of displays."""

import matplotlib.pyplot as plt
import pytest

from skdaf import CNNAudioClassifier


@pytest.fixture(autouse=True)
def closed_figures():
    """Draw every figure completely, because overlaps and missing parts raise warnings then."""
    yield
    for number in plt.get_fignums():
        plt.figure(number).canvas.draw()
    plt.close("all")


@pytest.fixture(scope="package")
def classifier(sounds, sound_labels):
    """A classifier fitted on `sounds`."""
    model = CNNAudioClassifier(max_epochs=6, random_state=0, hidden_units=(16,))
    return model.fit(sounds.filenames, sound_labels)

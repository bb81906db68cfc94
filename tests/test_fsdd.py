"""The classifier on real speech, with its defaults except for fewer epochs."""

import numpy as np
import pytest

from skdaf import CNNAudioClassifier

NEW_SPEAKERS = ["theo", "yweweler"]


@pytest.fixture(scope="module")
def fitted(fsdd):
    """A classifier that knows ten takes of each digit of four speakers.

    They need a sixth of the time of all takes and epochs, and are enough to learn from.
    """
    paths, digits, speakers, takes = fsdd
    is_known = ~np.isin(speakers, NEW_SPEAKERS) & (takes >= 5) & (takes < 15)
    classifier = CNNAudioClassifier(max_epochs=20, random_state=0)
    return classifier.fit(paths[is_known], digits[is_known])


# With seeds 0, 1 and 2, the accuracies were 1.000, 0.995, 0.995, and 0.910, 0.905, 0.905.


@pytest.mark.slow
def test_new_takes_of_known_speakers(fsdd, fitted):
    paths, digits, speakers, takes = fsdd
    is_test = ~np.isin(speakers, NEW_SPEAKERS) & (takes < 5)
    assert fitted.score(paths[is_test], digits[is_test]) >= 0.98


@pytest.mark.slow
def test_new_speakers(fsdd, fitted):
    paths, digits, speakers, takes = fsdd
    is_test = np.isin(speakers, NEW_SPEAKERS) & (takes < 10)
    assert fitted.score(paths[is_test], digits[is_test]) >= 0.87

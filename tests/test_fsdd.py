"""The default classifier on real speech."""

import numpy as np
import pytest

from skdaf import CNNAudioClassifier

NEW_SPEAKERS = ["theo", "yweweler"]


def held_out_accuracy(is_test, paths, digits):
    """Fit on the other clips, and return the accuracy on the test clips."""
    classifier = CNNAudioClassifier(random_state=0).fit(paths[~is_test], digits[~is_test])
    return classifier.score(paths[is_test], digits[is_test])


@pytest.mark.slow
def test_new_takes_of_known_speakers(fsdd):
    paths, digits, _, takes = fsdd
    few = takes < 15  # ten takes are enough to learn from, and need less than half the time
    assert held_out_accuracy(takes[few] < 5, paths[few], digits[few]) >= 0.98


@pytest.mark.slow
def test_new_speakers(fsdd):
    paths, digits, speakers, _ = fsdd
    assert held_out_accuracy(np.isin(speakers, NEW_SPEAKERS), paths, digits) >= 0.88

"""The main job on real speech, with default parameters."""

import numpy as np
import pytest

from skdaf import CNNAudioClassifier

UNHEARD = ["theo", "yweweler"]


def accuracy_when_held_out(is_test, paths, digits):
    classifier = CNNAudioClassifier(random_state=0).fit(paths[~is_test], digits[~is_test])
    return classifier.score(paths[is_test], digits[is_test])


@pytest.mark.slow
def test_unheard_takes_of_known_speakers(fsdd):
    paths, digits, _, takes = fsdd
    assert accuracy_when_held_out(takes < 5, paths, digits) >= 0.98


@pytest.mark.slow
def test_unheard_speakers(fsdd):
    paths, digits, speakers, _ = fsdd
    assert accuracy_when_held_out(np.isin(speakers, UNHEARD), paths, digits) >= 0.88

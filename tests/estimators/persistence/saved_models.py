"""Small classifiers for the tests of model files."""

import numpy as np

from skdaf import CNNAudioClassifier, SpectrogramTransformer

SMALL = {"channels": (4,), "max_epochs": 2, "random_state": 0}


def fit_classifier(X, **changes):
    """Return a classifier with some parameters changed, fitted on twenty clips of two classes."""
    front_end = SpectrogramTransformer(n_mels=8)
    return CNNAudioClassifier(front_end, **{**SMALL, **changes}).fit(X, np.arange(20) % 2)

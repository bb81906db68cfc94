"""scikit-learn's own checks, on every estimator, with nothing excused."""

import numpy as np
import pytest
from sklearn.utils.estimator_checks import parametrize_with_checks

from skdaf import (
    BlockScaler,
    CappedPCA,
    CNNAudioClassifier,
    CNNFeatureExtractor,
    ConvAutoencoderEmbedder,
    PretrainedFeatureExtractor,
    SpectrogramTransformer,
)

pytestmark = pytest.mark.oldest

# As small as networks get: many checks fit dozens of times.
tiny_front_end = SpectrogramTransformer(n_mels=8)
tiny_classifier = CNNAudioClassifier(
    tiny_front_end, channels=(4,), hidden_units=(4,), max_epochs=2, random_state=0
)
tiny_embedder = ConvAutoencoderEmbedder(
    tiny_front_end, n_channels=2, channels=(4,), max_epochs=2, random_state=0
)


class MeanAndLevel:
    """A model whose repr, which is part of the name of a test, is the same in all processes."""

    def __call__(self, waveforms):
        return np.stack([waveforms.mean(axis=1), np.abs(waveforms).mean(axis=1)], axis=1)

    def __repr__(self):
        return "MeanAndLevel()"


@parametrize_with_checks(
    [
        SpectrogramTransformer(),
        BlockScaler(),
        CappedPCA(2),
        tiny_classifier,
        tiny_embedder,
        CNNFeatureExtractor(tiny_classifier),
        CNNFeatureExtractor(tiny_embedder),
        PretrainedFeatureExtractor(MeanAndLevel(), sampling_rate=16_000),
    ]
)
def test_estimator_follows_scikit_learn(estimator, check):
    check(estimator)

"""scikit-learn's own checks, on every estimator, with nothing excused."""

from sklearn.utils.estimator_checks import parametrize_with_checks

from skdaf import CNNAudioClassifier, SpectrogramTransformer


def tiny_classifier():
    return CNNAudioClassifier(
        SpectrogramTransformer(n_mels=8),
        channels=(4,),
        hidden_units=(4,),
        max_epochs=2,
        random_state=0,
    )


@parametrize_with_checks([SpectrogramTransformer(), tiny_classifier()])
def test_estimator_follows_scikit_learn(estimator, check):
    check(estimator)

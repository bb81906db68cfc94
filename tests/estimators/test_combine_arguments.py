"""What make_combined_classifier accepts; nothing is trained here."""

import numpy as np
import pytest
from sklearn import config_context
from sklearn.frozen import FrozenEstimator
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler
from sklearn.svm import SVC

from skdaf import (
    CNNAudioClassifier,
    CNNFeatureExtractor,
    ConvAutoencoderEmbedder,
    PretrainedFeatureExtractor,
    PyAudioAnalysisTransformer,
    SpectrogramTransformer,
    make_combined_classifier,
    save_model,
)

pytestmark = pytest.mark.oldest


def test_weights_are_those_of_the_votes():
    assert make_combined_classifier([CNNAudioClassifier(), "silero-vad"]).weights == [3, 3, 1]
    for weights in ([2, 1], (2, 1), np.array([2, 1])):
        combined = make_combined_classifier(CNNAudioClassifier(), weights=weights)
        assert list(combined.weights) == [2, 1]


@pytest.mark.parametrize("weights", [[1], [1, 2, 3], 5, [[1, 2]]])
def test_there_is_one_weight_per_block(weights):
    with pytest.raises(ValueError, match=r"weights must contain 2 numbers.*'cnn1', 'handcrafted'"):
        make_combined_classifier(CNNAudioClassifier(), weights=weights)


def test_weights_need_votes():
    with pytest.raises(ValueError, match=r"weights requires method='vote', got .*'svc'.*\[1, 2\]"):
        make_combined_classifier(CNNAudioClassifier(), method="svc", weights=[1, 2])


FEATURES = PyAudioAnalysisTransformer()


@pytest.mark.parametrize("method", ["vote", "svc"])
@pytest.mark.parametrize(
    ("extractor", "advice"),
    [
        (make_pipeline(FEATURES, StandardScaler(), SVC()), "use sklearn.ensemble.VotingClassifier"),
        (make_pipeline(FEATURES, StandardScaler()), "as handcrafted=transformer"),
        (FEATURES, "as handcrafted=transformer"),
        (make_pipeline(SpectrogramTransformer(), CNNAudioClassifier()), "Pass the network inside"),
        (make_combined_classifier(CNNAudioClassifier()), "Pass the network inside"),
        (FrozenEstimator(make_pipeline(FEATURES, SVC())), r"got FrozenEstimator\(Pipeline\)\."),
        (FrozenEstimator(SVC()), "use sklearn.ensemble.VotingClassifier"),
        (CNNFeatureExtractor(FEATURES), "as handcrafted=transformer"),
    ],
)
def test_what_is_no_network_is_refused_before_training(extractor, advice, method):
    with pytest.raises(TypeError, match=f"(?s)extractors must contain networks .*{advice}"):
        make_combined_classifier([CNNAudioClassifier(), extractor], method=method)


@pytest.mark.parametrize("extractors", [None, 3])
def test_extractors_are_a_list(extractors):
    with pytest.raises(TypeError, match=f"extractors must be a network, .* got {extractors}"):
        make_combined_classifier(extractors)


@pytest.mark.parametrize("handcrafted", [SVC(), "yes", None, PyAudioAnalysisTransformer])
def test_the_handcrafted_block_is_a_transformer(handcrafted):
    with pytest.raises(TypeError, match='handcrafted must be True, False, "drop" or a transformer'):
        make_combined_classifier(CNNAudioClassifier(), handcrafted=handcrafted)


def test_all_kinds_of_networks_are_accepted(tmp_path):
    save_model(CNNAudioClassifier(), tmp_path / "model.skops")
    extractors = [
        CNNAudioClassifier(),
        ConvAutoencoderEmbedder(),
        CNNFeatureExtractor(),
        CNNFeatureExtractor(str(tmp_path / "model.skops")),
        FrozenEstimator(CNNAudioClassifier()),
        tmp_path / "model.skops",
        PretrainedFeatureExtractor("silero-vad"),
    ]
    names = [name for name, _ in make_combined_classifier(iter(extractors)).estimators]
    assert names == [*(f"cnn{i}" for i in range(1, 7)), "pretrained1", "handcrafted"]


@pytest.mark.parametrize("method", ["vote", "svc"])
@pytest.mark.parametrize("wrap", [str, CNNFeatureExtractor], ids=["path", "extractor"])
def test_files_that_cannot_be_models_are_named_at_once(wrap, method, tmp_path):
    typo, folder = str(tmp_path / "typo.skops"), str(tmp_path)
    with pytest.raises(FileNotFoundError, match=r"no model file '.*typo\.skops'"):
        make_combined_classifier([CNNAudioClassifier(), wrap(typo)], method=method)
    with pytest.raises(FileNotFoundError, match="it is a folder"):
        make_combined_classifier(wrap(folder), method=method)


def test_the_networks_in_a_fitted_combined_classifier_are_named():
    X, y = np.random.default_rng(0).normal(size=(8, 800)), [0, 1] * 4
    network = CNNAudioClassifier(channels=(2,), max_epochs=1)
    combined = make_combined_classifier([network, network], handcrafted=False).fit(X, y)
    both = r'estimator\.named_estimators_\["cnn1"\], estimator\.named_estimators_\["cnn2"\]'
    expected = rf"got VotingClassifier\. .* as FrozenEstimator\(network\): {both}\."
    with pytest.raises(TypeError, match=expected):
        make_combined_classifier(combined)
    with pytest.raises(TypeError, match=rf"got VotingClassifier\. .* inside it: {both}\."):
        CNNFeatureExtractor(FrozenEstimator(combined)).fit(X, y)
    again = make_combined_classifier(FrozenEstimator(combined.named_estimators_["cnn1"]))
    assert len(again.estimators) == 2


def test_groups_reach_a_network_that_requests_them():
    X, y = np.random.default_rng(0).normal(size=(40, 800)), [0, 1] * 20
    with config_context(enable_metadata_routing=True):
        network = CNNAudioClassifier(channels=(2,), max_epochs=1, early_stopping=True)
        network.set_params(validation_fraction=0.5).set_fit_request(groups=True)
        combined = make_combined_classifier(network, handcrafted=False)
        fitted = combined.fit(X, y, groups=np.arange(40) // 10)
        assert "valid_loss" in fitted.named_estimators_["cnn1"].history_
        with pytest.raises(ValueError, match="None of the 1 groups"):
            combined.fit(X, y, groups=[0] * 40)

"""What make_combined_classifier accepts; nothing is trained here."""

import numpy as np
import pytest
from sklearn import config_context
from sklearn.base import clone
from sklearn.exceptions import NotFittedError
from sklearn.frozen import FrozenEstimator
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import FunctionTransformer, StandardScaler
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


@pytest.mark.parametrize(
    "weights", [[np.nan, 1], [-1, 2], [np.inf, 1], ["1", "2"], [None, 1], [1j, 1]]
)
def test_weights_are_finite_numbers_of_at_least_0(weights):
    with pytest.raises(ValueError, match=r"weights must be finite numbers of at least 0, got \["):
        make_combined_classifier(CNNAudioClassifier(), weights=weights)


def test_some_block_has_a_weight():
    network = CNNAudioClassifier()
    for weights in ([0, 0], [1e308, 1e308]):
        with pytest.raises(ValueError, match="weights must have a positive, finite sum"):
            make_combined_classifier(network, weights=weights)
    with pytest.raises(ValueError, match=r"over the blocks that vote, got \[0, 1\]"):
        make_combined_classifier(network, handcrafted="drop", weights=[0, 1])
    assert make_combined_classifier(network, weights=[0, 1]).weights == [0, 1]


@pytest.mark.parametrize("method", ["vote", "svc"])
@pytest.mark.parametrize("handcrafted", ["drop", False])
def test_some_block_is_used(method, handcrafted):
    with pytest.raises(ValueError, match=f"nothing to combine: .* handcrafted is {handcrafted!r}"):
        make_combined_classifier([], handcrafted=handcrafted, method=method)


def test_weights_need_votes():
    with pytest.raises(ValueError, match=r"weights requires method='vote', got .*'svc'.*\[1, 2\]"):
        make_combined_classifier(CNNAudioClassifier(), method="svc", weights=[1, 2])


FEATURES = PyAudioAnalysisTransformer()
PRETRAINED = PretrainedFeatureExtractor("silero-vad")


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
        (CNNFeatureExtractor(PRETRAINED), "Pass the PretrainedFeatureExtractor itself"),
        (FrozenEstimator(PRETRAINED), "Pass the PretrainedFeatureExtractor itself"),
    ],
)
def test_what_is_no_network_is_refused_before_training(extractor, advice, method):
    with pytest.raises(TypeError, match=f"(?s)extractors must contain networks .*{advice}"):
        make_combined_classifier([CNNAudioClassifier(), extractor], method=method)


@pytest.fixture(scope="module")
def network():
    """A fitted network that reads the second channel."""
    noise = np.random.default_rng(0).standard_normal((800, 2)) / 10
    frontend = SpectrogramTransformer(n_mels=8, n_frames=4, channel=1)
    network = CNNAudioClassifier(frontend, channels=(2,), max_epochs=1, random_state=0)
    return network.fit([(noise, 8000), (noise[::-1], 8000)] * 2, [0, 1, 0, 1])


@pytest.fixture(scope="module")
def in_file(network, tmp_path_factory):
    """The path of the file of this network."""
    path = tmp_path_factory.mktemp("networks") / "model.skops"
    save_model(network, path)
    return path


def test_other_models_in_files_are_refused_before_training(network, tmp_path):
    path = tmp_path / "pipeline.skops"
    features = CNNFeatureExtractor(FrozenEstimator(network))
    save_model(make_pipeline(features.fit(np.zeros((2, 4, 8)))), path)
    place = r'estimator\["cnnfeatureextractor"\].estimator_'
    message = rf"skops'\)?, which contains a Pipeline\)?\. .* FrozenEstimator\(network\): {place}"
    for extractor in (path, str(path), CNNFeatureExtractor(str(path))):
        with pytest.raises(TypeError, match=message):
            make_combined_classifier([CNNAudioClassifier(), extractor])


def test_networks_that_were_never_fitted_are_refused_before_training(tmp_path):
    with pytest.warns(UserWarning, match="not fitted"):
        save_model(CNNAudioClassifier(), tmp_path / "model.skops")
    path = tmp_path / "model.skops"
    for extractor in (path, CNNAudioClassifier(pretrained=path)):
        with pytest.raises(NotFittedError, match=r"The CNNAudioClassifier in .* is not fit"):
            make_combined_classifier([CNNAudioClassifier(), extractor])


def test_a_frozen_network_can_be_fitted_later():
    frontend = SpectrogramTransformer(channel=1)
    frozen = FrozenEstimator(CNNAudioClassifier(frontend, max_epochs=1, channels=(2,)))
    for extractor in (
        frozen,
        CNNFeatureExtractor(frozen),
        CNNAudioClassifier(pretrained=frozen),
    ):
        assert handcrafted_channel([extractor]) == 1
    combined = make_combined_classifier([frozen], handcrafted=False)
    X, y = np.random.default_rng(0).normal(size=(8, 10, 4)), [0, 1] * 4
    with pytest.raises(NotFittedError, match="in FrozenEstimator is not fit"):
        combined.fit(X, y)
    frozen.estimator.set_params(frontend=None).fit(X, y)
    assert combined.fit(X, y).named_estimators_["cnn1"] is not frozen


def handcrafted_channel(extractors):
    combined = make_combined_classifier(extractors)
    return dict(combined.estimators)["handcrafted"]["extractor"].channel


def test_the_handcrafted_block_reads_the_channel_of_the_network(network, in_file):
    frozen = FrozenEstimator(network)
    extractors = [
        frozen,
        in_file,
        CNNFeatureExtractor(str(in_file)),
        CNNAudioClassifier(SpectrogramTransformer(channel=1)),
        CNNAudioClassifier(pretrained=frozen),
        CNNFeatureExtractor(CNNAudioClassifier(pretrained=in_file)),
    ]
    assert [handcrafted_channel(one) for one in extractors] == [1] * len(extractors)
    assert handcrafted_channel(extractors) == 1
    assert handcrafted_channel([*extractors, PRETRAINED]) == 1
    for other in (CNNAudioClassifier(), CNNFeatureExtractor()):
        assert handcrafted_channel([in_file, other]) is None


def test_a_file_is_not_loaded_to_look_at_its_channel(in_file, monkeypatch):
    monkeypatch.setattr(
        "skdaf._estimators.fitted.load_model", lambda path: pytest.fail("it was loaded")
    )
    assert handcrafted_channel(in_file) == 1


def test_the_channel_of_a_front_end_that_is_a_pipeline(network, tmp_path):
    frontend = make_pipeline(SpectrogramTransformer(n_mels=8, channel=1), FunctionTransformer())
    noise = np.random.default_rng(0).standard_normal((800, 2)) / 10
    other = clone(network).set_params(frontend=frontend)
    other.fit([(noise, 8000), (noise[::-1], 8000)], [0, 1])
    save_model(other, tmp_path / "pipeline.skops")
    assert handcrafted_channel(tmp_path / "pipeline.skops") == 1


def test_a_dict_of_networks_is_refused():
    with pytest.raises(TypeError, match=r"got a dict: pass list\(extractors.values\(\)\)"):
        make_combined_classifier({"model.skops": CNNAudioClassifier()})


@pytest.mark.parametrize("extractors", [None, 3])
def test_extractors_are_a_list(extractors):
    with pytest.raises(TypeError, match=f"extractors must be a network, .* got {extractors}"):
        make_combined_classifier(extractors)


@pytest.mark.parametrize("handcrafted", [SVC(), "yes", None, PyAudioAnalysisTransformer])
def test_the_handcrafted_block_is_a_transformer(handcrafted):
    with pytest.raises(TypeError, match='handcrafted must be True, False, "drop" or a transformer'):
        make_combined_classifier(CNNAudioClassifier(), handcrafted=handcrafted)


def test_all_kinds_of_networks_are_accepted(network, in_file):
    extractors = [
        CNNAudioClassifier(),
        ConvAutoencoderEmbedder(),
        CNNFeatureExtractor(),
        CNNFeatureExtractor(str(in_file)),
        FrozenEstimator(network),
        in_file,
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

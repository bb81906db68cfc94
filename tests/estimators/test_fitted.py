"""Networks and front ends inside fitted estimators."""

import numpy as np
import pytest
from sklearn.base import clone
from sklearn.calibration import CalibratedClassifierCV
from sklearn.exceptions import NotFittedError
from sklearn.frozen import FrozenEstimator
from sklearn.model_selection import GridSearchCV
from sklearn.pipeline import make_pipeline, make_union
from sklearn.preprocessing import StandardScaler
from sklearn.svm import SVC

from skdaf import (
    CNNAudioClassifier,
    CNNFeatureExtractor,
    ConvAutoencoderEmbedder,
    PyAudioAnalysisTransformer,
    SpectrogramTransformer,
    make_combined_classifier,
    save_model,
)
from skdaf._estimators.fitted import (
    find_frontend,
    find_network,
    find_networks,
    iterate_parts,
    load_if_path,
    names_in_network,
    resolve_frozen,
    unwrap,
    unwrap_calibrated,
)
from skdaf._estimators.places import find_places

X = np.random.default_rng(0).standard_normal((20, 2000))
Y = np.arange(20) % 2
SMALL = {"channels": (4,), "max_epochs": 1, "random_state": 0}


@pytest.fixture(scope="module")
def classifier():
    return CNNAudioClassifier(SpectrogramTransformer(n_mels=8), **SMALL).fit(X, Y)


@pytest.fixture(scope="module")
def saved(classifier, tmp_path_factory):
    path = tmp_path_factory.mktemp("models") / "model.skops"
    save_model(classifier, path)
    return path


def search(estimator):
    return GridSearchCV(estimator, {}, cv=2).fit(X, Y)


def containers(classifier):
    """Return {description: fitted estimator that contains a classifier}."""
    extractor = CNNFeatureExtractor(FrozenEstimator(classifier)).fit(X)
    svc = make_pipeline(extractor, StandardScaler(), SVC()).fit(X, Y)
    union = make_union(PyAudioAnalysisTransformer(), extractor).fit(X)
    combined = make_combined_classifier(
        FrozenEstimator(classifier), n_components=2, method="svc"
    ).fit(X, Y)
    return {
        "alone": classifier,
        "frozen": FrozenEstimator(classifier),
        "extractor": extractor,
        "frozen extractor": FrozenEstimator(extractor),
        "pipeline": svc,
        "union": union,
        "combined": combined,
        "calibrated": CalibratedClassifierCV(svc, cv=2, ensemble=False).fit(X, Y),
        "search": search(svc),
        "frozen search in a pipeline": make_pipeline(FrozenEstimator(search(svc))).fit(X, Y),
    }


def test_the_network_and_its_front_end_are_found_everywhere(classifier):
    for name, container in containers(classifier).items():
        assert find_network(container) is classifier, name
        assert find_frontend(container) is classifier.frontend_, name


def test_networks_trained_inside_are_found():
    for ensemble, count in ((False, 1), (True, 2)):
        calibrated = CalibratedClassifierCV(CNNAudioClassifier(**SMALL), cv=2, ensemble=ensemble)
        assert len(find_networks(calibrated.fit(X, Y))) == count
    found = search(CNNAudioClassifier(**SMALL))
    assert find_network(found) is found.best_estimator_


def test_paths_are_loaded(saved):
    assert isinstance(load_if_path(saved), CNNAudioClassifier)
    assert isinstance(find_network(str(saved)), CNNAudioClassifier)
    assert isinstance(find_frontend(saved), SpectrogramTransformer)
    assert len(find_networks(saved)) == 1


def test_a_front_end_before_the_network_is_found():
    pipeline = make_pipeline(SpectrogramTransformer(n_mels=8), CNNAudioClassifier(**SMALL))
    pipeline.fit(X, Y)
    assert find_frontend(pipeline) is pipeline[0]
    assert find_network(pipeline) is pipeline[1]
    assert find_frontend(pipeline[1]) is None


def test_the_source_of_a_transfer_is_not_a_part(classifier):
    transferred = CNNAudioClassifier(pretrained=FrozenEstimator(classifier), max_epochs=1)
    assert find_network(transferred.fit(X, Y)) is transferred
    assert classifier not in list(iterate_parts(transferred))


def test_transformers_without_a_network_are_front_ends():
    frontend = PyAudioAnalysisTransformer().fit(X)
    assert find_frontend(frontend) is frontend
    assert find_frontend(make_pipeline(frontend, StandardScaler(), SVC()).fit(X, Y)) is frontend
    assert find_frontend(SVC().fit(X, Y)) is None


def test_one_network_is_required(classifier):
    embedder = ConvAutoencoderEmbedder(**SMALL).fit(X)
    two = make_union(embedder, CNNFeatureExtractor(FrozenEstimator(classifier))).fit(X)
    assert find_networks(two) == [embedder, classifier]
    for container, count in ((two, 2), (SpectrogramTransformer().fit(X), 0)):
        with pytest.raises(
            ValueError, match=f"{type(container).__name__} contains {count} networks"
        ):
            find_network(container)


def test_messages_say_where_each_of_several_networks_is(classifier):
    votes = make_combined_classifier([CNNAudioClassifier(**SMALL)] * 2, n_components=2).fit(X, Y)
    extractor = CNNFeatureExtractor(CNNAudioClassifier(**SMALL))
    union = make_union(extractor, clone(extractor))
    whole = FrozenEstimator(make_pipeline(union, SVC()).fit(X, Y))
    for model in (votes, whole):
        with pytest.raises(ValueError, match="contains 2 networks") as error:
            find_network(model)
        places = str(error.value).partition("Pass one of them: ")[2].rstrip(".").split(", ")
        assert [eval(place, {"estimator": model}) for place in places] == find_networks(model)
    assert places[0].startswith('estimator.estimator["featureunion"].named_transformers[')


def test_every_place_can_be_evaluated(classifier):
    for name, container in containers(classifier).items():
        for place in find_places(container):
            assert eval(place.expression, {"estimator": container}) is classifier, name
            assert place.is_trained == (name == "alone"), name


def test_a_fitted_estimator_that_was_copied_before_fitting_is_no_second_network(classifier):
    votes = make_combined_classifier(classifier, n_components=2).fit(X, Y)
    assert find_network(votes) is votes.named_estimators_["cnn1"]


def test_networks_in_a_combined_classifier_have_its_class_names(classifier):
    names = np.array(["no", "yes"])[Y]
    votes = make_combined_classifier(CNNAudioClassifier(**SMALL)).fit(X, names)
    for model in (votes, FrozenEstimator(votes)):
        assert names_in_network(model, find_network(model)) == ["no", "yes"]
    frozen = make_combined_classifier(FrozenEstimator(classifier), n_components=2).fit(X, names)
    assert names_in_network(frozen, classifier) == [0, 1]


@pytest.mark.parametrize("wrap", [lambda network: network, FrozenEstimator, make_pipeline])
@pytest.mark.parametrize("find", [find_network, find_frontend])
def test_unfitted_estimators_are_refused(find, wrap):
    with pytest.raises(NotFittedError):
        find(wrap(CNNAudioClassifier()))


def test_unwrapping(classifier, saved):
    found = containers(classifier)
    for name in ("frozen", "alone"):
        assert unwrap(found[name]) is classifier
    assert isinstance(unwrap(saved), CNNAudioClassifier)
    assert unwrap(found["search"]) is found["search"].best_estimator_
    calibrated = found["calibrated"]
    assert unwrap(calibrated) is calibrated
    inner = calibrated.calibrated_classifiers_[0].estimator
    assert unwrap_calibrated(calibrated) is inner
    assert unwrap_calibrated(FrozenEstimator(calibrated)) is inner
    several = CalibratedClassifierCV(found["pipeline"], cv=2).fit(X, Y)
    assert unwrap_calibrated(several) is several


def test_resolve_frozen(classifier, saved):
    assert resolve_frozen(FrozenEstimator(classifier)) is classifier
    assert isinstance(resolve_frozen(saved), CNNAudioClassifier)
    assert resolve_frozen(classifier) is None
    assert resolve_frozen(None) is None
    with pytest.raises(NotFittedError):
        resolve_frozen(FrozenEstimator(CNNAudioClassifier()))

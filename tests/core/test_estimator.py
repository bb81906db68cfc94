import pickle

import numpy as np
import pytest
from sklearn.base import clone

import skdaf
from skdaf._core.estimator import Estimator

KINDS = [
    getattr(skdaf, name)
    for name in skdaf.__all__
    if isinstance(getattr(skdaf, name), type) and hasattr(getattr(skdaf, name), "get_params")
]

# Parameters without defaults.
REQUIRED = {"PretrainedFeatureExtractor": {"model": "silero-vad"}}


def make(kind):
    return kind(**REQUIRED.get(kind.__name__, {}))


def test_all_public_estimators_have_the_base_class():
    assert len(KINDS) == 10
    assert all(issubclass(kind, Estimator) for kind in KINDS)


@pytest.mark.parametrize("kind", KINDS)
def test_parameters_of_later_releases_get_their_defaults(kind, with_new_parameter):
    estimator = make(kind)
    estimator.learned_ = np.arange(3)
    saved = pickle.dumps(estimator)
    with_new_parameter(kind)
    loaded = pickle.loads(saved)
    assert loaded.get_params()["added"] == "as before"
    assert loaded.learned_.tolist() == [0, 1, 2]
    assert clone(loaded).set_params(added="otherwise").added == "otherwise"
    assert repr(loaded) == repr(make(kind))


@pytest.mark.parametrize("kind", KINDS)
def test_saved_parameters_take_precedence_over_defaults(kind):
    parameters = make(kind).get_params(deep=False)
    estimator = make(kind).set_params(**dict.fromkeys(parameters, "set"))
    loaded = pickle.loads(pickle.dumps(estimator))
    assert loaded.get_params(deep=False) == dict.fromkeys(parameters, "set")


@pytest.mark.parametrize(
    ("params", "hint"),
    [
        ({"max_epoch": 3}, "Did you mean 'max_epochs'"),
        ({"verbose": 0, "frontent__n_mels": 3}, "Did you mean 'frontend'"),
        ({"frontend__n_mel": 3}, "Did you mean 'n_mels'"),
        ({"n_mels": 3}, "Did you mean 'frontend__n_mels'"),
    ],
)
def test_the_error_for_an_unknown_parameter_suggests_a_similar_one(params, hint):
    with pytest.raises(ValueError, match=rf"^Invalid parameter .*Valid parameters.*\. {hint}\?$"):
        skdaf.CNNAudioClassifier().set_params(**params)


def test_there_is_no_suggestion_without_a_similar_parameter():
    with pytest.raises(ValueError, match=r"Valid parameters are: \[.*\]\.$"):
        skdaf.CNNAudioClassifier().set_params(xyz=3)

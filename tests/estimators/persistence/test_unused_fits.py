"""Fitted estimators in parameters, of which a meta-estimator has fitted clones, are not saved."""

import numpy as np
import pytest
from saved_models import SMALL, fit_classifier
from sklearn.base import clone
from sklearn.calibration import CalibratedClassifierCV
from sklearn.compose import TransformedTargetRegressor
from sklearn.ensemble import StackingClassifier, VotingClassifier
from sklearn.feature_selection import SelectFromModel
from sklearn.frozen import FrozenEstimator
from sklearn.linear_model import LogisticRegression
from sklearn.model_selection import GridSearchCV, RandomizedSearchCV
from sklearn.pipeline import make_pipeline
from sklearn.utils.validation import check_is_fitted

from skdaf import CNNAudioRegressor, CNNFeatureExtractor, load_model, save_model
from skdaf._estimators.fitted import find_networks

pytestmark = pytest.mark.oldest

LABELS = np.arange(20) % 2

# Meta-estimators that fit clones of a classifier.
MAKERS = {
    "calibrated": lambda model: CalibratedClassifierCV(model, cv=2, ensemble=False),
    "search": lambda model: GridSearchCV(model, {"max_epochs": [1]}, cv=2),
    "vote": lambda model: VotingClassifier([("cnn", model)]),
    "stack": lambda model: StackingClassifier([("cnn", model)], cv=2),
    "features": CNNFeatureExtractor,
    "pipeline": lambda model: GridSearchCV(
        make_pipeline(CNNFeatureExtractor(model), LogisticRegression()), {}, cv=2
    ),
}


@pytest.fixture(scope="module")
def fitted(waveforms):
    return fit_classifier(waveforms)


def outputs(model, X):
    return model.predict_proba(X) if hasattr(model, "predict_proba") else model.transform(X)


def is_fitted(model):
    return "network_" in vars(model)


@pytest.mark.parametrize("kind", MAKERS)
def test_weights_that_predictions_do_not_use_are_not_saved(kind, fitted, waveforms, tmp_path):
    model = MAKERS[kind](fitted).fit(waveforms, LABELS)
    save_model(model, tmp_path / "model.skops")
    assert is_fitted(fitted)  # what is saved does not change
    loaded = load_model(tmp_path / "model.skops")
    np.testing.assert_array_equal(outputs(loaded, waveforms), outputs(model, waveforms))
    networks = [v for v in loaded.get_params().values() if hasattr(v, "layer_outputs")]
    assert networks
    assert not any(map(is_fitted, networks))
    assert str(loaded) == str(model)
    # The file can be written again.
    save_model(loaded, tmp_path / "again.skops")
    contents = [(tmp_path / name).read_bytes() for name in ("model.skops", "again.skops")]
    assert contents[0] == contents[1]


@pytest.mark.parametrize("kind", [*MAKERS, "candidates", "samples"])
def test_the_file_is_as_small_as_if_nothing_had_been_fitted(kind, fitted, waveforms, tmp_path):
    steps = make_pipeline(CNNFeatureExtractor(), LogisticRegression())
    makers = {
        **MAKERS,
        "candidates": lambda model: GridSearchCV(
            steps, {"cnnfeatureextractor__estimator": [model]}, cv=2, scoring="accuracy"
        ),
        "samples": lambda model: RandomizedSearchCV(
            steps, [{"cnnfeatureextractor__estimator": [model]}], n_iter=1, cv=2
        ),
    }
    for name, model in (("fitted", fitted), ("clone", clone(fitted))):
        save_model(makers[kind](model).fit(waveforms, LABELS), tmp_path / name)
    sizes = [(tmp_path / name).stat().st_size for name in ("fitted", "clone")]
    # The times in the results of a search differ.
    assert sizes[0] == pytest.approx(sizes[1], abs=500)
    loaded = load_model(tmp_path / "fitted")
    assert loaded.predict(waveforms).shape == (20,) if kind != "features" else loaded


def test_a_regressor_of_transformed_targets(waveforms, tmp_path):
    inner = CNNAudioRegressor(**SMALL).fit(waveforms, np.arange(20.0))
    model = TransformedTargetRegressor(inner, func=None).fit(waveforms, np.arange(20.0))
    assert find_networks(model) == [model.regressor_]
    save_model(model, tmp_path / "model.skops")
    loaded = load_model(tmp_path / "model.skops")
    assert not is_fitted(loaded.regressor)
    np.testing.assert_array_equal(loaded.predict(waveforms), model.predict(waveforms))


def test_estimators_that_are_used_as_they_are_keep_their_weights(fitted, waveforms, tmp_path):
    """Frozen ones, those of a stack of fitted ones, and those that were not fitted again yet."""
    frozen = VotingClassifier([("cnn", FrozenEstimator(fitted))]).fit(waveforms, LABELS)
    stack = StackingClassifier([("cnn", fitted)], cv="prefit").fit(waveforms, LABELS)
    linear = LogisticRegression().fit(np.eye(3), [0, 1, 1])
    chosen = SelectFromModel(linear, prefit=True).fit(np.eye(3))
    for number, model in enumerate((frozen, stack, chosen)):
        save_model(model, tmp_path / f"{number}.skops")
        loaded = load_model(tmp_path / f"{number}.skops")
        inner = loaded.estimator if model is chosen else loaded.estimators[0][1]
        check_is_fitted(inner.estimator if model is frozen else inner)
    with pytest.warns(UserWarning, match="is not fitted"):
        save_model(CalibratedClassifierCV(fitted), tmp_path / "unfitted.skops")
    assert is_fitted(load_model(tmp_path / "unfitted.skops").estimator)

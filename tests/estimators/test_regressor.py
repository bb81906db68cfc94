"""CNNAudioRegressor: units, several targets, losses, weights, transfer, saved models."""

import warnings

import joblib
import numpy as np
import pytest
from sklearn.exceptions import NotFittedError
from sklearn.frozen import FrozenEstimator
from sklearn.model_selection import GridSearchCV, cross_val_score
from sklearn.pipeline import make_pipeline
from sklearn.utils.estimator_checks import parametrize_with_checks

from skdaf import (
    CNNAudioClassifier,
    CNNAudioRegressor,
    CNNFeatureExtractor,
    ConvAutoencoderEmbedder,
    TrainingDisplay,
    load_model,
    save_model,
)
from skdaf._training.state import TrainingState

SMALL = {"channels": (4, 8), "max_epochs": 3, "random_state": 0, "augment": None}


def make_data(n=60, seed=0):
    """Return spectrograms, and the height of a ridge in them."""
    rng = np.random.default_rng(seed)
    X = 0.3 * rng.standard_normal((n, 16, 20)).astype(np.float32)
    bins = rng.integers(0, 20, n)
    X[np.arange(n), :, bins] += 3
    return X, 100.0 + 5.0 * bins


def regressor(**changes):
    return CNNAudioRegressor(**{**SMALL, **changes})


@pytest.mark.parametrize("loss", ["squared_error", "absolute_error"])
@pytest.mark.parametrize("n_networks", [1, 2])
def test_it_learns_in_the_units_of_y(loss, n_networks):
    X, y = make_data(160)
    options = {"max_epochs": 30, "channels": (8, 16), "n_networks": n_networks}
    fitted = regressor(loss=loss, **options).fit(X[:100], y[:100])
    predicted = fitted.predict(X[100:])
    assert predicted.dtype == np.float64
    assert predicted.shape == (60,)
    assert fitted.score(X[100:], y[100:]) > 0.8


def test_predictions_follow_the_scale_of_y():
    X, y = make_data()
    one, other = regressor().fit(X, y), regressor().fit(X, 1000 * y - 5)
    np.testing.assert_allclose(other.predict(X), 1000 * one.predict(X) - 5, rtol=1e-4)
    np.testing.assert_allclose(one.history_["train_loss"], other.history_["train_loss"], rtol=1e-4)


def test_several_targets_have_columns():
    X, y = make_data()
    both = regressor(max_epochs=20).fit(X, np.column_stack([y, -y]))
    predicted = both.predict(X)
    assert predicted.shape == (60, 2)
    assert np.corrcoef(predicted.T)[0, 1] < 0
    column = regressor().fit(X, y[:, None])
    assert column.predict(X).shape == (60, 1)
    np.testing.assert_array_equal(column.predict(X)[:, 0], regressor().fit(X, y).predict(X))


def test_constant_targets_are_predicted():
    X, _ = make_data()
    for value in (0.0, 1.0, 7.1, 123456789.123):
        fitted = regressor().fit(X, np.full(60, value))
        np.testing.assert_allclose(fitted.predict(X), value, rtol=1e-15)
    both = regressor().fit(X, np.column_stack([np.zeros(60), np.arange(60)]))
    assert not both.predict(X)[:, 0].any()


def test_targets_far_from_zero_are_learned():
    X, y = make_data()
    options = {"max_epochs": 30}
    one, other = regressor(**options).fit(X, y), regressor(**options).fit(X, 1e9 + y)
    assert other.score(X, 1e9 + y) == pytest.approx(one.score(X, y), abs=0.02)
    assert np.isfinite(regressor().fit(X, y * 1e100).predict(X)).all()


def test_losses_differ():
    X, y = make_data()
    squared, absolute = (
        regressor(loss=loss, max_epochs=1).fit(X, y).history_["train_loss"][0]
        for loss in ("squared_error", "absolute_error")
    )
    assert squared != absolute


def test_integer_weights_are_repeated_clips():
    X, y = make_data()
    weights = np.random.default_rng(2).integers(0, 4, 60)
    targets = np.column_stack([y, np.sin(y)])
    weighted = regressor().fit(X, targets, sample_weight=weights)
    repeated = regressor().fit(X.repeat(weights, 0), targets.repeat(weights, 0))
    np.testing.assert_allclose(weighted.predict(X), repeated.predict(X), rtol=1e-12)


def test_a_fit_does_not_depend_on_the_order_of_the_clips():
    X, y = make_data(120)
    order = np.random.default_rng(1).permutation(120)
    one = regressor(early_stopping=True).fit(X, y)
    other = regressor(early_stopping=True).fit(X[order], y[order])
    np.testing.assert_allclose(one.predict(X), other.predict(X), rtol=1e-12)


def test_held_out_clips_own_clips_and_groups():
    X, y = make_data(120)
    assert "valid_loss" not in regressor().fit(X, y).history_
    groups = np.arange(120) // 10
    for fitted in (
        regressor(early_stopping=True).fit(X, y),
        regressor(early_stopping=True).fit(X, y, groups=groups),
        regressor().fit(X[:80], y[:80], X_val=X[80:], y_val=y[80:]),
    ):
        losses = fitted.history_["valid_loss"]
        assert losses[fitted.best_epoch_ - 1] == min(losses)
        assert "valid_score" not in fitted.history_


@pytest.mark.parametrize(
    ("y", "error", "message"),
    [
        (None, ValueError, "requires y to be passed"),
        ([1.0] * 59, ValueError, r"y must have shape \(60,\) or \(60, n_targets\), got \(59,\)"),
        ([np.nan] + [1.0] * 59, ValueError, "y contains NaN"),
        (["old"] * 60, ValueError, "y must contain numbers: .*'old'"),
        (np.arange(60).astype("timedelta64[s]"), TypeError, "y contains dates or durations"),
        (np.zeros((60, 2, 2)), ValueError, "dim 3"),
        (np.linspace(0, 1e300, 60), ValueError, "y contains values that are too large: 1e.300"),
    ],
)
def test_wrong_targets_are_refused(y, error, message):
    with pytest.raises(error, match=message):
        regressor().fit(make_data()[0], y)


def test_wrong_targets_for_validation_are_refused():
    X, y = make_data()
    with pytest.raises(ValueError, match="y_val must contain 1 targets per clip"):
        regressor().fit(X, y, X_val=X, y_val=np.column_stack([y, y]))
    with pytest.raises(ValueError, match="at least 2 clips"):
        regressor().fit(X[:1], y[:1])
    with pytest.raises(NotFittedError):
        regressor().predict(X)


def test_transfer_from_and_to_classifiers_and_autoencoders():
    X, y = make_data()
    classifier = CNNAudioClassifier(**SMALL).fit(X, y > y.mean())
    fresh = {"channels": None, "frozen_layers": "conv"}
    sources = [classifier, ConvAutoencoderEmbedder(**SMALL).fit(X), regressor().fit(X, y)]
    for source in sources:
        fitted = regressor(pretrained=FrozenEstimator(source), **fresh).fit(X, y)
        first = fitted.network_[0].conv.weight
        np.testing.assert_array_equal(
            first.detach().numpy(), source.network_[0].conv.weight.detach().numpy()
        )
    back = CNNAudioClassifier(pretrained=FrozenEstimator(sources[2]), max_epochs=2, random_state=0)
    assert back.fit(X, y > y.mean()).predict(X).dtype == bool


def test_its_layers_are_features():
    X, y = make_data()
    frozen = CNNFeatureExtractor(FrozenEstimator(regressor().fit(X, y))).fit(X)
    trained = CNNFeatureExtractor(regressor()).fit(X, y)
    np.testing.assert_array_equal(frozen.transform(X), trained.transform(X))


def test_saved_models_predict_the_same(tmp_path):
    X, y = make_data()
    for targets in (y, np.column_stack([y, -y])):
        fitted = regressor().fit(X, targets)
        save_model(fitted, tmp_path / "model.skops")
        joblib.dump(fitted, tmp_path / "model.joblib")
        for load, name in ((load_model, "model.skops"), (joblib.load, "model.joblib")):
            loaded = load(tmp_path / name)
            np.testing.assert_array_equal(loaded.predict(X), fitted.predict(X))


@pytest.mark.parametrize(
    ("name", "value", "message"),
    [
        ("_target_mean", np.zeros(2), "one output per target"),
        ("_target_scale", np.array([np.inf]), "_target_scale cannot be"),
        ("_has_single_target", 3, "_has_single_target cannot be"),
    ],
)
def test_files_with_wrong_attributes_are_refused(tmp_path, name, value, message):
    X, y = make_data()
    fitted = regressor().fit(X, y)
    setattr(fitted, name, value)
    # `save_model` checks what it writes as `load_model` checks what it reads.
    with pytest.raises(ValueError, match=message):
        save_model(fitted, tmp_path / "model.skops")


def test_a_killed_fit_continues(tmp_path, monkeypatch):
    X, y = make_data()
    expected = regressor(max_epochs=4).fit(X, y)

    options = {"max_epochs": 4, "checkpoint": tmp_path}
    with monkeypatch.context() as patch:
        patch.setattr(TrainingState, "record", interrupted_record)
        with pytest.raises(MemoryError):
            regressor(**options).fit(X, y)
    resumed = regressor(**options).fit(X, y)
    np.testing.assert_array_equal(resumed.predict(X), expected.predict(X))
    assert resumed.history_ == expected.history_


def interrupted_record(state, values, record=TrainingState.record):
    """Record an epoch; run out of memory in the third."""
    if state.n_epochs == 2:
        raise MemoryError
    record(state, values)


def test_files_pipelines_and_searches(sounds):
    lengths = np.linspace(0, 1, len(sounds.filenames))
    pipeline = make_pipeline("passthrough", regressor(max_epochs=1))
    search = GridSearchCV(pipeline, {"cnnaudioregressor__loss": ["absolute_error"]}, cv=2)
    assert search.fit(sounds.filenames, lengths).predict(sounds.filenames[:3]).shape == (3,)
    scores = cross_val_score(regressor(max_epochs=1), sounds.filenames, lengths, cv=2)
    assert np.isfinite(scores).all()


def test_its_training_can_be_drawn():
    X, y = make_data()
    display = TrainingDisplay.from_estimator(regressor().fit(X, y))
    assert display.figure_ is not None


@parametrize_with_checks([CNNAudioRegressor(channels=(4, 4), max_epochs=2)])
def test_checks_of_scikit_learn(estimator, check):
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        check(estimator)

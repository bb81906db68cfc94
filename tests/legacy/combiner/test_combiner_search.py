"""The search for the best SVC: what GridSearchCV finds, in less time."""

import warnings

import numpy as np
import pytest
from sklearn.base import BaseEstimator, TransformerMixin, clone
from sklearn.decomposition import PCA
from sklearn.exceptions import UndefinedMetricWarning
from sklearn.frozen import FrozenEstimator
from sklearn.metrics import get_scorer_names
from sklearn.model_selection import GridSearchCV, RepeatedStratifiedKFold

from skdaf import CNNFeatureExtractor, load_model, make_combined_classifier, save_model
from skdaf._legacy.combiner import search as module
from skdaf._legacy.combiner.search import parameter_grid, search_svc

pytestmark = pytest.mark.oldest

CLASSES = ["a", "b", "c"]


class CountingTransformer(TransformerMixin, BaseEstimator):
    """Return the rows as they are, and count the calls."""

    n_calls = 0

    def fit(self, X, y=None):
        return self

    def transform(self, X):
        type(self).n_calls += 1
        return np.asarray(X)

    def __sklearn_is_fitted__(self):
        return True


@pytest.fixture(scope="module")
def data():
    rng = np.random.default_rng(0)
    y = np.repeat(CLASSES, [20, 15, 10])
    centers = np.repeat(rng.standard_normal((3, 12)), [20, 15, 10], axis=0)
    return (0.7 * centers + rng.standard_normal((45, 12))).astype(np.float32), y


def rows_as_they_are(kernel="rbf"):
    """Return a pipeline whose features are the rows of X."""
    pipeline = make_combined_classifier([], handcrafted=CountingTransformer(), method="svc")
    # As for networks: a step that depends on the clips of a fold.
    return pipeline.set_params(svc__kernel=kernel, features__handcrafted__standard=PCA(6))


def grid_search(pipeline, X, y, scoring, random_state, **options):
    cv = RepeatedStratifiedKFold(n_splits=5, n_repeats=3, random_state=random_state)
    grid = parameter_grid(pipeline.named_steps["svc"].kernel)
    return GridSearchCV(pipeline, grid, scoring=scoring, cv=cv, **options).fit(X, y)


@pytest.mark.parametrize(
    ("kernel", "scoring", "seed"),
    [("rbf", "f1_macro", 0), ("linear", "recall_macro", 1)],
)
def test_the_result_is_that_of_grid_search_cv(data, kernel, scoring, seed, monkeypatch):
    # Two values of gamma are enough to compare; the full grid has a test of its own.
    monkeypatch.setattr(module, "_GAMMA", ["auto", 1e-3])
    X, y = data
    expected = grid_search(rows_as_they_are(kernel), X, y, scoring, seed)
    found = search_svc(rows_as_they_are(kernel), X, y, scoring=scoring, random_state=seed)
    assert found.best_params == expected.best_params_
    assert found.mean_score == pytest.approx(expected.best_score_, abs=1e-12)
    deviation = expected.cv_results_["std_test_score"][expected.best_index_]
    assert found.std_score == pytest.approx(deviation, abs=1e-12)
    assert found.n_candidates == len(expected.cv_results_["params"])
    np.testing.assert_array_equal(
        found.best_estimator.decision_function(X), expected.decision_function(X)
    )


def test_the_grid_is_that_of_deep_audio_features():
    grid = parameter_grid("rbf")
    assert grid["svc__C"] == [10.0**power for power in range(-3, 4)]
    assert grid["svc__gamma"] == ["auto", 1e-3, 1e-4, 1e-5, 1e-6]
    assert parameter_grid("poly") == parameter_grid("sigmoid") == grid
    # The linear kernel does not use gamma.
    assert parameter_grid("linear") == {"svc__C": grid["svc__C"]}


@pytest.fixture
def small_grid(monkeypatch):
    monkeypatch.setattr(module, "_C", [0.1, 1.0])
    monkeypatch.setattr(module, "_GAMMA", [0.1])


@pytest.mark.usefixtures("small_grid")
def test_features_are_computed_once(data):
    CountingTransformer.n_calls = 0
    search_svc(rows_as_they_are(), *data, scoring="f1_macro")
    assert CountingTransformer.n_calls == 1


@pytest.mark.usefixtures("small_grid")
def test_with_networks_and_files(network, sounds, sound_labels, tmp_path, monkeypatch):
    # Fewer candidates and folds, because the other search computes all features for each.
    monkeypatch.setattr(module, "_N_REPEATS", 1)
    X, y = sounds.filenames[::2], sound_labels[::2]
    extractors = [
        CNNFeatureExtractor(FrozenEstimator(network), layers_dropped=2, window=0.1, step=0.05),
        CNNFeatureExtractor(FrozenEstimator(network)),
    ]
    pipeline = make_combined_classifier(extractors, method="svc", n_components=5)
    before = clone(pipeline)
    result = search_svc(pipeline, X, y, scoring="f1_macro")
    cv = RepeatedStratifiedKFold(n_splits=5, n_repeats=1, random_state=0)
    grid = parameter_grid("rbf")
    expected = GridSearchCV(before, grid, scoring="f1_macro", cv=cv).fit(X, y)
    assert result.best_params == expected.best_params_
    assert result.mean_score == pytest.approx(expected.best_score_, abs=1e-12)
    # The model takes files, and is complete.
    new = sounds.filenames[1::2]
    decisions = expected.decision_function(new)
    np.testing.assert_allclose(result.best_estimator.decision_function(new), decisions, atol=1e-9)
    save_model(result.best_estimator, tmp_path / "model.skops")
    loaded = load_model(tmp_path / "model.skops")
    np.testing.assert_array_equal(loaded.predict(new), expected.predict(new))
    # The features of the last fold are not left in it.
    names = expected.best_estimator_[:-1].get_feature_names_out()
    np.testing.assert_array_equal(result.best_estimator[:-1].get_feature_names_out(), names)


@pytest.mark.usefixtures("small_grid")
def test_the_seed_and_the_workers(data):
    def score(**options):
        return search_svc(rows_as_they_are(), *data, scoring="f1_macro", **options).mean_score

    assert score() == score(random_state=0) == score(n_jobs=2)
    assert score(random_state=1) != score()


def test_a_progress_bar_if_verbose(data, capfd):
    search_svc(rows_as_they_are("linear"), *data, scoring="accuracy", verbose=1)
    assert "Search: 100%" in capfd.readouterr().err
    search_svc(rows_as_they_are("linear"), *data, scoring="accuracy")
    assert capfd.readouterr() == ("", "")


# --- what is refused ---


def test_metrics_that_cannot_score_it_are_refused_before_features_are_computed(data):
    X, y = data
    CountingTransformer.n_calls = 0
    for scoring in ("roc_auc", "r2", "f1", "neg_log_loss", "recall_samples"):
        with pytest.raises(ValueError, match=f"the metric '{scoring}' cannot score an SVC with 3"):
            search_svc(rows_as_they_are(), X, y, scoring=scoring, what="the metric")
    assert CountingTransformer.n_calls == 0
    two = y != "c"
    assert search_svc(rows_as_they_are("linear"), X[two], y[two], scoring="roc_auc").mean_score > 0


def test_metrics_for_text_labels_work():
    usable = []
    for scoring in get_scorer_names():
        try:
            module._check_scoring(scoring, "scoring", "rbf", 3)
            usable.append(scoring)
        except ValueError as error:
            assert scoring in str(error)  # noqa: PT017
    assert {"accuracy", "balanced_accuracy", "f1_macro", "f1_weighted"} <= {*usable}
    assert {"r2", "neg_mean_squared_error", "neg_log_loss"}.isdisjoint(usable)


def test_classes_that_are_too_small(data):
    X, y = data
    with pytest.raises(ValueError, match="at least two classes, got \\['a'\\]"):
        search_svc(rows_as_they_are(), X[:10], y[:10], scoring="accuracy")
    few = [0, 1, 2, 3, 20, 21, 22]
    with pytest.raises(ValueError, match=r"5 folds.*the largest class, 'a', has 4"):
        search_svc(rows_as_they_are(), X[few], y[few], scoring="accuracy")


def test_scores_that_are_not_defined():
    scores = np.array([[0.5, np.nan], [0.1, 0.2], [0.2, 0.1], [np.nan, 0.9]])
    assert module._best_row(scores, "metric", "x") == 1
    with pytest.raises(ValueError, match="metric 'x' is not defined in at least one of the folds"):
        module._best_row(scores[[0, 3]], "metric", "x")


def test_warnings_of_the_trial_are_not_shown():
    with warnings.catch_warnings():
        warnings.simplefilter("error", UndefinedMetricWarning)
        module._check_scoring("precision_macro", "metric", "sigmoid", 3)

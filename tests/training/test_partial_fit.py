"""`partial_fit`: one epoch per call, on clips that may be new."""

import copy
import functools
import pickle
import warnings
from pathlib import Path

import numpy as np
import pytest
import sklearn
import torch
from helpers import import_or_skip, run_python, small_classifier
from packaging.version import Version
from sklearn import config_context
from sklearn.exceptions import NotFittedError
from sklearn.model_selection import learning_curve
from training_helpers import (
    EpochCounter,
    Killed,
    make_classifier,
    make_regressor,
    make_spectrograms,
    same_states,
    same_trees,
    saved_and_loaded,
    state_of,
)

from skdaf import AudioReadError, load_model, save_model
from skdaf._estimators import classification
from skdaf._networks.weights import get_weights

pytestmark = pytest.mark.oldest

X, y = make_spectrograms()

MAKERS = {"classifier": make_classifier, "regressor": make_regressor}
# What the first call needs.
OPTIONS = {"classifier": {"classes": [0, 1]}, "regressor": {}}

both_kinds = pytest.mark.parametrize("kind", MAKERS)


def calls(kind, n=3, **values):
    """Return an estimator after calls of `partial_fit` on different clips."""
    estimator = MAKERS[kind](**values)
    for number in range(n):
        part = slice(20 * number, 20 * number + 40)
        estimator.partial_fit(X[part], y[part], **OPTIONS[kind])
    return estimator


@both_kinds
def test_calls_learn(kind):
    estimator = MAKERS[kind]()
    for number in range(1, 16):
        assert estimator.partial_fit(X, y, **OPTIONS[kind]) is estimator
        assert estimator.n_epochs_ == estimator.best_epoch_ == number
    assert estimator.score(X, y) > (0.9 if kind == "classifier" else 0.6)
    np.testing.assert_allclose(estimator.history_["learning_rate"], 1e-2 / 3)
    assert len(estimator.history_frame()) == 15


@both_kinds
def test_clips_are_counted(kind, tmp_path):
    estimator = calls(kind, 2)
    assert estimator.n_clips_ == saved_and_loaded(estimator, tmp_path).n_clips_ == 80
    weights = np.arange(30) % 3  # a third of the clips is not used
    assert estimator.partial_fit(X[:30], y[:30], sample_weight=weights).n_clips_ == 100
    assert estimator.fit(X[:40], y[:40]).n_clips_ == 40
    assert estimator.partial_fit(X[:7], y[:7]).n_clips_ == 47
    del estimator.n_clips_  # as in a file of an earlier release
    assert not hasattr(estimator.partial_fit(X[:7], y[:7]), "n_clips_")


@both_kinds
def test_the_same_calls_give_the_same_bytes_for_any_number_of_threads(kind, monkeypatch):
    monkeypatch.setattr("skdaf._training.loop._MIN_VALUES_PER_THREAD", 1)
    expected = calls(kind)
    n_threads = torch.get_num_threads()
    try:
        for number in (1, 2):
            torch.set_num_threads(number)
            assert same_states(calls(kind), expected)
    finally:
        torch.set_num_threads(n_threads)
    assert not same_states(calls(kind, random_state=1), expected)


@both_kinds
def test_a_saved_estimator_continues_with_the_same_calls(kind, tmp_path):
    """The optimizer of 40 clips has two shards, that of 20 clips has one."""
    expected = calls(kind, 2)
    for loaded in (
        pickle.loads(pickle.dumps(expected)),
        saved_and_loaded(expected, tmp_path),
        copy.deepcopy(expected),
    ):
        assert same_states(loaded, expected)
        loaded.partial_fit(X[:20], y[:20]).partial_fit(X[50:], y[50:])
        again = calls(kind, 2)
        again.partial_fit(X[:20], y[:20]).partial_fit(X[50:], y[50:])
        assert same_states(loaded, again)


IN_ANOTHER_PROCESS = """
import sys
sys.path[:0] = sys.argv[2:]
from test_partial_fit import X, y
from skdaf import load_model, save_model
path = sys.argv[1]
save_model(load_model(path).partial_fit(X[40:80], y[40:80]), path)
"""


def test_another_process_continues_with_the_same_bytes(tmp_path):
    path = tmp_path / "model.skops"
    save_model(calls("classifier", 2), path)
    folder = Path(__file__).parent
    run_python(IN_ANOTHER_PROCESS, path, folder, folder.parent)
    assert same_states(load_model(path), calls("classifier", 3))


@both_kinds
def test_the_optimizer_keeps_its_state_between_calls(kind):
    kept = calls(kind, 3)
    assert kept._optimizer_state.keys() == {
        f"{name}.{part}"
        for name, _ in kept.network_.named_parameters()
        for part in ("gradient_mean", "square_mean", "n_steps")
    }
    steps = {float(v) for k, v in kept._optimizer_state.items() if k.endswith("n_steps")}
    assert steps == {6.0}  # three calls of two batches
    lost = calls(kind, 2)
    del lost._optimizer_state
    lost.partial_fit(X[40:80], y[40:80])
    assert not same_trees(get_weights(lost.network_), get_weights(kept.network_))


@both_kinds
def test_the_order_of_the_clips_of_a_call_has_no_effect(kind):
    order = np.random.default_rng(0).permutation(40)
    one, other = (
        MAKERS[kind]().partial_fit(X[rows], y[rows], **OPTIONS[kind])
        for rows in (np.arange(40), order)
    )
    assert same_trees(get_weights(one.network_), get_weights(other.network_))


@both_kinds
def test_weights_are_repeated_clips(kind):
    weights = np.arange(30) % 3
    rows = np.repeat(np.arange(30), weights)
    weighted = MAKERS[kind]().partial_fit(X[:30], y[:30], sample_weight=weights, **OPTIONS[kind])
    repeated = MAKERS[kind]().partial_fit(X[rows], y[rows], **OPTIONS[kind])
    assert same_trees(get_weights(weighted.network_), get_weights(repeated.network_))


@both_kinds
@pytest.mark.parametrize("network", ["cnn", "daf"])
def test_a_call_may_have_a_single_clip(kind, network):
    X = np.random.default_rng(0).standard_normal((40, 20, 20)).astype(np.float32)
    values = {"network": network, "channels": (2, 2, 2, 2), "hidden_units": (4, 4)}
    estimator = MAKERS[kind](**values).partial_fit(X[:1], y[:1], **OPTIONS[kind])
    estimator.partial_fit(X, y[:40])
    before = get_weights(estimator.network_)
    estimator.partial_fit(X[1:2], y[1:2])
    after = get_weights(estimator.network_)
    # A single clip has no variance: the running statistics stay as they were.
    same = {name for name in after if np.array_equal(after[name], before[name])}
    statistics = {name for name in after if ".running_" in name}
    assert statistics
    assert statistics <= same
    assert same < after.keys()
    assert np.isfinite(estimator.predict(X)).all()


def test_calls_may_lack_classes():
    classifier = make_classifier(random_state=0)
    for _ in range(12):
        for label in (0, 1):
            classifier.partial_fit(X[y == label], y[y == label], classes=[0, 1, 2])
    assert classifier.classes_.tolist() == [0, 1, 2]
    assert classifier.predict_proba(X).shape == (96, 3)
    assert classifier._class_counts.tolist() == [12 * 48, 12 * 48, 0]
    assert set(classifier.predict(X)) <= {0, 1}


def test_class_weights_are_those_of_all_calls(monkeypatch):
    seen, objective = [], classification.classification
    monkeypatch.setattr(
        classification,
        "classification",
        lambda weights, smoothing: seen.append(weights) or objective(weights, smoothing),
    )
    classifier = make_classifier(class_weight="balanced")
    classifier.partial_fit(X[:9], [0] * 9, classes=[0, 1]).partial_fit(X[:1], [1])
    np.testing.assert_allclose(seen, [[1, 0], [5 / 9, 5]], rtol=1e-6)
    # A fit starts to count again.
    classifier.fit(X, y).partial_fit(X, y)
    np.testing.assert_allclose(seen[-1], [1, 1])
    assert classifier._class_counts.tolist() == [48, 48]


def test_what_is_wrong_with_classes():
    with pytest.raises(ValueError, match="classes must be passed on the first call"):
        make_classifier().partial_fit(X, y)
    with pytest.raises(ValueError, match=r"y contains labels that classes does not: \[1\]\. Exp"):
        make_classifier().partial_fit(X, y, classes=[0, 2])
    with pytest.raises(ValueError, match=r"classes must contain at least 2 classes, got \[0\]"):
        make_classifier().partial_fit(X, y * 0, classes=[0, 0])
    with pytest.raises(ValueError, match="Input classes contains NaN"):
        make_classifier().partial_fit(X, y, classes=[0, 1, np.nan])
    classifier = make_classifier().partial_fit(X, y, classes=[1, 0])
    classifier.partial_fit(X, y, classes=np.array([0, 1])).partial_fit(X, y)
    before = state_of(classifier)
    with pytest.raises(ValueError, match=r"`classes=\[0, 1, 2\]` is not the same as on last call"):
        classifier.partial_fit(X, y, classes=[0, 1, 2])
    with pytest.raises(ValueError, match=r"y contains labels that classes does not: \[5\]"):
        classifier.partial_fit(X[:2], [0, 5])
    with pytest.raises(ValueError, match="y must contain 96 labels, one per clip, got 5"):
        classifier.partial_fit(X, y[:5])
    with pytest.raises(ValueError, match="requires y to be passed"):
        classifier.partial_fit(X, None)
    assert same_trees(state_of(classifier), before)


def test_many_classes_in_few_clips_do_not_look_like_numbers():
    labels = np.arange(30)
    classifier = make_classifier().partial_fit(X[:30], labels, classes=labels)
    assert classifier.predict_proba(X).shape == (96, 30)


def test_a_first_call_that_fails_is_none(sounds):
    classifier = small_classifier()
    with pytest.raises(AudioReadError, match="missing"):
        classifier.partial_fit(["missing.wav"], [0], classes=[0, 1])
    with pytest.raises(ValueError, match="classes must be passed"):
        classifier.partial_fit(sounds.filenames, sounds.target)
    with pytest.raises(NotFittedError):
        classifier.predict(sounds.filenames)


def test_targets_keep_the_mean_and_scale_of_the_first_call():
    regressor = make_regressor().partial_fit(X, 100.0 + y)
    first = regressor._target_mean, regressor._target_scale
    regressor.partial_fit(X, 200.0 + y)
    assert (regressor._target_mean, regressor._target_scale) == first
    with pytest.raises(ValueError, match="y must contain 1 targets per clip"):
        regressor.partial_fit(X, np.column_stack([y, y]))


@pytest.mark.parametrize(("value", "scale"), [(440.0, 440.0), (-2.0, 2.0), (0.0, 1.0)])
def test_a_constant_first_target_has_the_scale_of_its_value(value, scale):
    regressor = make_regressor().partial_fit(X[:1], [value])
    assert regressor._target_scale.tolist() == [scale]
    for _ in range(15):
        regressor.partial_fit(X, value + scale * y)
    assert regressor.score(X, value + scale * y) > 0.5


def test_early_stopping_is_refused():
    with pytest.raises(ValueError, match="partial_fit does not support early_stopping=True"):
        make_classifier(early_stopping=True).partial_fit(X, y, classes=[0, 1])
    # Nothing is held out, even if a fit would.
    classifier = make_classifier(patience=1).partial_fit(X, y, classes=[0, 1])
    assert "valid_loss" not in classifier.history_


def test_parameters_may_change_between_calls_and_are_checked():
    classifier = calls("classifier", 1)
    classifier.set_params(learning_rate=3e-4, batch_size=8, augment=None)
    classifier.partial_fit(X, y)
    assert classifier.history_["learning_rate"][-1] == pytest.approx(1e-4)
    with pytest.raises(ValueError, match="'learning_rate' parameter"):
        classifier.set_params(learning_rate=-1.0).partial_fit(X, y)


def test_augmentation_applies_to_every_call():
    assert not same_trees(calls("classifier", augment=None).history_, calls("classifier").history_)


@both_kinds
def test_a_call_after_fit_continues_with_the_fitted_weights(kind, tmp_path):
    estimator = MAKERS[kind]().fit(X, y)
    n, before = estimator.n_epochs_, estimator.score(X, y)
    loaded = saved_and_loaded(estimator, tmp_path)
    for each in (estimator, loaded):
        each.set_params(learning_rate=1e-4).partial_fit(X, y)
        assert each.n_epochs_ == n + 1
    assert same_states(loaded, estimator)
    assert estimator.score(X, y) > before - 0.1
    # A fit removes what only further calls need.
    assert not set(vars(estimator.fit(X, y))) & {"_optimizer_state", "_class_counts"}
    assert estimator.n_epochs_ == n


def test_a_fit_with_warm_start_after_calls_continues():
    classifier = calls("classifier", 3, warm_start=True)
    classifier.fit(X, y)
    assert classifier.n_epochs_ == 9
    assert classifier.history_["learning_rate"][:3] == [pytest.approx(1e-2 / 3)] * 3


def test_new_files_in_every_call(sounds, sound_labels):
    paths, classes = np.array(sounds.filenames), np.unique(sound_labels)
    classifier = small_classifier(max_epochs="auto", learning_rate=3e-2)
    order = np.random.default_rng(0).permutation(len(paths))
    for _ in range(6):
        for part in np.array_split(order, 4):
            classifier.partial_fit(paths[part].tolist(), sound_labels[part], classes=classes)
    assert classifier.score(paths, sound_labels) > 0.9


# --- scikit-learn and other callers ------------------------------------------------------------


@both_kinds
def test_metadata_can_be_requested(kind):
    with config_context(enable_metadata_routing=True):
        requested = {"sample_weight": True, **dict.fromkeys(OPTIONS[kind], True)}
        estimator = MAKERS[kind]().set_partial_fit_request(**requested)
        assert estimator.get_metadata_routing().partial_fit.requests == requested


@pytest.mark.skipif(
    # scikit-learn/scikit-learn#34039
    Version(sklearn.__version__) < Version("1.9.1"),
    reason="learning_curve passes the weights of all samples to partial_fit",
)
def test_learning_curves_route_weights():
    with config_context(enable_metadata_routing=True):
        classifier = make_classifier().set_partial_fit_request(sample_weight=True, classes=True)
        test_scores = learning_curve(
            classifier.set_fit_request(sample_weight=False).set_score_request(sample_weight=False),
            X,
            y,
            cv=2,
            exploit_incremental_learning=True,
            error_score="raise",
            params={"sample_weight": np.arange(96) % 3},
        )[2]
    assert np.isfinite(test_scores).all()


@both_kinds
def test_learning_curves_exploit_incremental_learning(kind):
    sizes, train, test = learning_curve(
        MAKERS[kind](learning_rate=3e-2, n_networks=1),
        X,
        y,
        train_sizes=[0.3, 0.6, 1.0],
        cv=2,
        exploit_incremental_learning=True,
        shuffle=True,
        random_state=0,
        error_score="raise",
    )
    assert sizes.tolist() == [14, 28, 48]
    assert train.shape == test.shape == (3, 2)
    assert np.isfinite(test).all()


# It warns of its own code. With its oldest version, scikit-learn does, too.
@pytest.mark.filterwarnings("ignore:`optuna:FutureWarning")
@pytest.mark.filterwarnings("ignore:The OptunaSearchCV .* use `_get_tags`")
def test_optuna_prunes_trials_that_do_not_learn(sounds):
    integration = import_or_skip("optuna_integration")
    optuna = import_or_skip("optuna")
    optuna.logging.set_verbosity(optuna.logging.WARNING)
    pruner = optuna.pruners.MedianPruner(n_startup_trials=1)
    study = optuna.create_study(direction="maximize", pruner=pruner)
    rates = [1e-2, 1e-9, 1e-9]
    for rate in rates:
        study.enqueue_trial({"learning_rate": rate})
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", optuna.exceptions.ExperimentalWarning)
        search = integration.OptunaSearchCV(
            small_classifier(),
            {"learning_rate": optuna.distributions.FloatDistribution(1e-9, 1e-2)},
            enable_pruning=True,
            cv=2,
            max_iter=4,
            n_trials=len(rates),
            error_score="raise",
            study=study,
        )
    search.fit(sounds.filenames, sounds.target)
    assert [trial.state.name for trial in search.trials_] == ["COMPLETE", "PRUNED", "PRUNED"]
    assert all(trial.last_step < 3 for trial in search.trials_[1:])
    assert search.best_params_ == {"learning_rate": 1e-2}
    assert search.score(sounds.filenames, sounds.target) > 0.8


def test_a_file_may_not_contain_other_states(tmp_path):
    classifier = calls("classifier", 1)
    for name, value in {
        "_optimizer_state": [1, 2],
        "_class_counts": np.array([np.nan, 1.0]),
    }.items():
        bad = copy.deepcopy(classifier)
        setattr(bad, name, value)
        with pytest.raises(ValueError, match=f"{name} cannot be"):
            save_model(bad, tmp_path / "bad.skops")


# --- kill and repeat ---


def test_a_killed_call_of_partial_fit_changes_nothing_and_can_be_repeated(monkeypatch):
    killed = calls("classifier", 2)
    before = state_of(killed)
    with monkeypatch.context() as context:
        EpochCounter(context, stop=1)
        with pytest.raises(Killed):
            killed.partial_fit(X[40:80], y[40:80])
    assert same_trees(state_of(killed), before)
    killed.partial_fit(X[40:80], y[40:80])
    assert same_states(killed, calls("classifier", 3))


def test_an_optimizer_of_the_user_keeps_its_state_between_calls():
    momentum = functools.partial(torch.optim.SGD, momentum=0.9)
    kept = calls("classifier", 3, optimizer=momentum)
    again = pickle.loads(pickle.dumps(calls("classifier", 2, optimizer=momentum)))
    lost = calls("classifier", 2, optimizer=momentum)
    del lost._optimizer_state
    for model in (again, lost):
        model.partial_fit(X[40:80], y[40:80])
    assert same_trees(get_weights(again.network_), get_weights(kept.network_))
    assert not same_trees(get_weights(lost.network_), get_weights(kept.network_))
    # The state of AdamW means nothing to another optimizer, which then starts anew.
    changed = calls("classifier", 2).set_params(optimizer=momentum).partial_fit(X, y)
    assert np.isfinite(changed.predict_proba(X)).all()

"""A fit with `warm_start` continues with the weights of the previous one."""

import copy
import pickle

import numpy as np
import pytest
from helpers import same_weights, small_classifier, small_frontend
from sklearn.base import clone
from sklearn.frozen import FrozenEstimator
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import FunctionTransformer
from torch import nn
from training_helpers import (
    EpochCounter,
    fit_until,
    make_classifier,
    make_embedder,
    make_regressor,
    make_spectrograms,
    results,
    same_states,
    same_trees,
    saved_and_loaded,
    state_of,
)

from skdaf import CNNAudioClassifier, ConvAutoencoderEmbedder
from skdaf._networks.weights import get_weights
from skdaf._training.loop import Loop

pytestmark = pytest.mark.oldest

X, y = make_spectrograms()

MAKERS = {
    "classifier": make_classifier,
    "regressor": make_regressor,
    "embedder": make_embedder,
}
every_kind = pytest.mark.parametrize("kind", MAKERS)


def fits(maker, n=2, **values):
    """Return an estimator after several fits, each of which continues the previous one."""
    estimator = maker(warm_start=True, **values)
    for _ in range(n):
        estimator.fit(X, y)
    return estimator


def learned(estimator):
    """Return the weights that the optimizer changes, which running statistics are not among."""
    return {name: p.detach().numpy() for name, p in estimator.network_.named_parameters()}


@every_kind
def test_a_warm_start_continues_with_the_weights(kind):
    first, second = fits(MAKERS[kind], 1), fits(MAKERS[kind], 2)
    n = first.n_epochs_
    assert second.n_epochs_ == 2 * n == len(second.history_frame())
    for name, values in first.history_.items():
        assert second.history_[name][:n] == values
    assert second.history_["train_loss"][-1] < first.history_["train_loss"][-1]
    # The clips of the last fit.
    assert second.n_clips_ == first.n_clips_ == len(X)
    # A new cycle of the learning rate.
    rates = second.history_["learning_rate"]
    assert rates[n:] == rates[:n]
    assert n < second.best_epoch_ <= 2 * n


@every_kind
def test_a_rate_of_almost_zero_changes_almost_nothing(kind):
    estimator = fits(MAKERS[kind], 1)
    before = learned(estimator)
    estimator.set_params(learning_rate=1e-12).fit(X, y)
    for name, array in learned(estimator).items():
        np.testing.assert_allclose(array, before[name], atol=1e-8, err_msg=name)
    assert not same_weights(learned(estimator.set_params(learning_rate=1e-2).fit(X, y)), before)


@every_kind
def test_without_a_warm_start_every_fit_is_new(kind):
    once = MAKERS[kind]().fit(X, y)
    again = fits(MAKERS[kind], 2).set_params(warm_start=False).fit(X, y)
    assert same_states(again, once)


@every_kind
def test_a_clone_starts_from_the_beginning(kind):
    estimator = fits(MAKERS[kind])
    cloned = clone(estimator)
    assert cloned.warm_start
    assert not hasattr(cloned, "network_")
    assert same_states(cloned.fit(X, y), fits(MAKERS[kind], 1))


@every_kind
def test_a_saved_estimator_continues_with_the_same_bytes(kind, tmp_path):
    expected = fits(MAKERS[kind], 3)
    for loaded in (
        pickle.loads(pickle.dumps(fits(MAKERS[kind], 2))),
        saved_and_loaded(fits(MAKERS[kind], 2), tmp_path),
    ):
        assert same_states(loaded.fit(X, y), expected)


def test_an_integer_seed_neither_repeats_the_order_nor_moves_held_out_clips(monkeypatch):
    seen, train_epoch = [], Loop._train_epoch

    def recorded(loop, epoch):
        seen.append((loop.run.seed, loop.run.train_rows, loop.run.validation_rows))
        return train_epoch(loop, epoch)

    monkeypatch.setattr(Loop, "_train_epoch", recorded)
    fits(make_classifier, 3, max_epochs=1, early_stopping=True)
    seeds, trained, held_out = zip(*seen, strict=True)
    assert len(set(seeds)) == 3
    for rows in (trained, held_out):
        np.testing.assert_array_equal(rows[0], rows[1])
        np.testing.assert_array_equal(rows[0], rows[2])


def test_the_front_end_stays_as_it_was_fitted(sounds):
    paths, labels = np.array(sounds.filenames), sounds.target
    classifier = small_classifier(warm_start=True, max_epochs=2).fit(paths[::2], labels[::2])
    frontend, mean = classifier.frontend_, copy.deepcopy(vars(classifier.frontend_))
    classifier.fit(paths[1::2], labels[1::2])
    assert classifier.frontend_ is frontend
    assert {k: repr(v) for k, v in vars(frontend).items()} == {k: repr(v) for k, v in mean.items()}
    other = small_classifier(max_epochs=2).fit(paths[1::2], labels[1::2])
    assert not np.array_equal(other.frontend_.transform(paths[:2]), frontend.transform(paths[:2]))


@pytest.mark.parametrize(
    ("changes", "name"),
    [
        ({"channels": (4, 4)}, "channels was"),
        ({"kernel_size": 5}, "kernel_size was None"),
        ({"hidden_units": (4,)}, "hidden_units was"),
        ({"dropout": 0.2}, r"dropout was 0\.3"),
        ({"n_networks": 2}, "n_networks was 1 "),
        ({"network": "daf"}, "network was 'cnn'"),
    ],
)
def test_a_changed_network_is_an_error(changes, name):
    classifier = fits(make_classifier, 1)
    before = state_of(classifier)
    with pytest.raises(ValueError, match=f"Training cannot continue, because {name}"):
        classifier.set_params(**changes).fit(X, y)
    with pytest.raises(ValueError, match=f"Training cannot continue, because {name}"):
        classifier.partial_fit(X, y)
    assert same_trees(get_weights(classifier.network_), before["network_"])
    classifier.set_params(warm_start=False).fit(X, y)


def test_a_changed_parameter_of_an_own_network_is_named():
    def network(n_outputs, width=4):
        return nn.Sequential(nn.Flatten(), nn.LazyLinear(width), nn.Linear(width, n_outputs))

    classifier = CNNAudioClassifier(network=network, max_epochs=1, warm_start=True).fit(X, y)
    with pytest.raises(ValueError, match=r"because network__width was None .* now it is 8"):
        classifier.set_params(network__width=8).fit(X, y)


def test_a_changed_front_end_is_an_error(sounds):
    paths, labels = sounds.filenames, sounds.target
    classifier = small_classifier(warm_start=True, max_epochs=1).fit(paths, labels)
    # Settings of a run may change.
    classifier.set_params(frontend__n_jobs=1, frontend__verbose=0).fit(paths, labels)
    classifier.set_params(frontend__fmin=100.0)
    with pytest.raises(ValueError, match=r"frontend__fmin was .*now it is 100\.0"):
        classifier.fit(paths, labels)
    with pytest.raises(ValueError, match=r"frontend__fmin was"):
        classifier.partial_fit(paths, labels)
    classifier.set_params(frontend=FrozenEstimator(small_frontend().fit(paths)))
    with pytest.raises(ValueError, match="frontend was 'SpectrogramTransformer'"):
        classifier.fit(paths, labels)


def test_a_front_end_may_be_a_pipeline(sounds):
    pipeline = make_pipeline(small_frontend(), FunctionTransformer(np.negative))
    classifier = small_classifier(frontend=pipeline, warm_start=True, max_epochs=1)
    classifier.fit(sounds.filenames, sounds.target).fit(sounds.filenames, sounds.target)
    classifier.set_params(frontend__spectrogramtransformer__n_mels=8)
    with pytest.raises(ValueError, match="frontend__spectrogramtransformer__n_mels was 16"):
        classifier.fit(sounds.filenames, sounds.target)
    classifier.set_params(frontend__spectrogramtransformer__n_mels=16)
    classifier.set_params(frontend__functiontransformer__func=np.abs)
    with pytest.raises(ValueError, match="frontend__functiontransformer__func was <ufunc"):
        classifier.fit(sounds.filenames, sounds.target)


def test_clips_of_another_kind_are_an_error(sounds):
    classifier = fits(make_classifier, 1)
    with pytest.raises(ValueError, match=r"shape \(12, 9\), but .* was fitted on \(12, 10\)"):
        classifier.fit(X[:, :, :9], y)
    with pytest.raises(ValueError, match="was fitted on spectrograms and has no front end"):
        classifier.fit(sounds.filenames, np.arange(60) % 2)
    waves = np.random.default_rng(0).standard_normal((20, 800)).astype(np.float32)
    classifier = small_classifier(warm_start=True, max_epochs=1).fit(waves, y[:20])
    with pytest.raises(ValueError, match="X has 700 features"):
        classifier.fit(waves[:, :700], y[:20])


def test_other_classes_are_an_error():
    classifier = fits(make_classifier, 1)
    message = r"warm_start can only be used where `y` has the same classes .* got \[0, 1\], "
    for labels in (y + 1, np.arange(len(X)) % 3, y.astype(str)):
        with pytest.raises(ValueError, match=message + r"`y` has \["):
            classifier.fit(X, labels)
    assert classifier.classes_.tolist() == [0, 1]
    assert classifier.n_epochs_ == 6


def test_a_regressor_keeps_the_mean_and_the_scale_of_its_targets():
    regressor = fits(make_regressor, 1)
    mean, scale = regressor._target_mean, regressor._target_scale
    regressor.fit(X, 10 * y + 3)
    np.testing.assert_array_equal(regressor._target_mean, mean)
    np.testing.assert_array_equal(regressor._target_scale, scale)
    with pytest.raises(ValueError, match="y must contain 1 targets per clip, as y of the previous"):
        regressor.fit(X, np.column_stack([y, y]))
    constant = make_regressor(warm_start=True).fit(X, np.full(len(X), 0.1))
    constant.fit(X, np.full(len(X), 0.1))
    with pytest.raises(ValueError, match=r"it was always 0\.1 in the previous fit"):
        constant.fit(X, y)


def test_a_failed_fit_leaves_the_estimator_as_it_was():
    classifier = fits(make_classifier, 1)
    before = state_of(classifier)
    with pytest.raises(ValueError, match="loss became"):
        classifier.set_params(learning_rate=1e30).fit(X, y)
    with pytest.raises(ValueError, match="loss became"):
        classifier.partial_fit(np.repeat(X, 4, axis=0), np.repeat(y, 4))
    assert same_trees(state_of(classifier.set_params(learning_rate=1e-2)), before)


def test_epochs_without_held_out_clips_have_no_validation_loss(tmp_path):
    classifier = make_classifier(early_stopping=True, warm_start=True).fit(X, y)
    classifier.set_params(early_stopping=False).fit(X, y)
    history = classifier.history_frame()
    assert history["valid_loss"].isna().tolist() == [False] * 6 + [True] * 6
    assert classifier.best_epoch_ == 12
    loaded = saved_and_loaded(classifier, tmp_path)
    assert same_trees(loaded.history_, classifier.history_)


def test_a_pretrained_network_is_where_the_first_fit_starts():
    source = FrozenEstimator(make_classifier().fit(X, y))
    values = {"pretrained": source, "frozen_layers": "conv", "max_epochs": 2, "random_state": 1}
    classifier = CNNAudioClassifier(**values, warm_start=True).fit(X, y)
    output = get_weights(classifier.network_.output)
    classifier.fit(X, y).partial_fit(X, y)
    assert classifier.n_epochs_ == 5
    assert not same_weights(get_weights(classifier.network_.output), output)
    for name in ("conv1", "conv2"):
        same = [get_weights(getattr(m.network_, name)) for m in (classifier, source.estimator)]
        assert same_weights(*same)


# --- kill and resume ---


@every_kind
def test_a_killed_warm_start_resumes_with_the_same_bytes(kind, tmp_path):
    maker = MAKERS[kind]
    expected = fits(maker, 2)
    for epoch in (2, 4):
        # The script: both fits, in one folder. The second one is killed.
        killed = maker(tmp_path, warm_start=True).fit(X, y)
        fit_until(epoch, killed, X, y)
    with pytest.MonkeyPatch.context() as monkeypatch:
        epochs = EpochCounter(monkeypatch)
        again = maker(tmp_path, warm_start=True).fit(X, y)
        assert epochs.n == 0
        again.fit(X, y)
    assert 0 < epochs.n <= again.n_epochs_ // 2 - 3
    assert same_states(again, expected)
    assert len(list(tmp_path.glob("*.checkpoint"))) == 2


def test_a_file_for_one_fit_refuses_a_warm_start_from_other_weights(tmp_path):
    classifier = make_classifier(tmp_path / "one.checkpoint", warm_start=True).fit(X, y)
    with pytest.raises(ValueError, match=r"belongs to another fit \(start: None in the file"):
        classifier.fit(X, y)
    # The parameter alone makes no difference.
    cold = make_classifier(tmp_path / "one.checkpoint").fit(X, y)
    assert same_trees(results(cold, X), results(classifier, X))
    location = tmp_path / "two.checkpoint"
    one, other = (make_classifier(warm_start=True, random_state=seed).fit(X, y) for seed in (0, 1))
    one.set_params(checkpoint=location).fit(X, y)
    other.set_params(checkpoint=location, random_state=0)
    with pytest.raises(ValueError, match=r"another fit \(start: \w+ in the file, \w+ in this"):
        other.fit(X, y)


def test_parameters_of_older_files_get_their_default():
    state = make_classifier().__getstate__()
    del state["warm_start"]
    old = CNNAudioClassifier.__new__(CNNAudioClassifier)
    old.__setstate__(state)
    assert old.warm_start is False
    assert ConvAutoencoderEmbedder().warm_start is False

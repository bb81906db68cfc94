"""A killed fit continues from its checkpoint and ends with the same bytes."""

import os
import pickle
import shutil
from concurrent.futures import ThreadPoolExecutor

import numpy as np
import pytest
from sklearn.base import clone
from sklearn.frozen import FrozenEstimator
from torch import nn
from training_helpers import (
    EpochCounter,
    damage,
    fit_results,
    fit_until,
    make_classifier,
    make_embedder,
    make_spectrograms,
    no_space_left,
    results,
    same_trees,
    saved_and_loaded,
)

from skdaf import CNNAudioClassifier
from skdaf._networks.weights import get_weights
from skdaf._training.checkpoint import unpack

pytestmark = [pytest.mark.oldest, pytest.mark.usefixtures("small_batches_are_split")]


def network_with_unusual_statistics(input_shape, n_outputs, **options):
    """Build a network whose batch norm has no momentum: its statistics depend on a count."""
    return nn.Sequential(
        nn.Sequential(nn.BatchNorm2d(1, momentum=None), nn.Conv2d(1, 4, 3), nn.ReLU()),
        nn.Sequential(nn.AdaptiveAvgPool2d((4, 2)), nn.Flatten(), nn.Linear(32, n_outputs)),
    )


KINDS = {
    "two replicas": make_classifier,
    "one replica": lambda checkpoint=None: make_classifier(checkpoint, batch_size=8),
    "bfloat16": lambda checkpoint=None: make_classifier(checkpoint, precision="bfloat16"),
    "no validation": lambda checkpoint=None: make_classifier(checkpoint, early_stopping=False),
    "no dropout": lambda checkpoint=None: make_classifier(checkpoint, dropout=0.0, augment=None),
    "daf": lambda checkpoint=None: make_classifier(checkpoint, network="daf", max_epochs=3),
    "own network": lambda checkpoint=None: make_classifier(
        checkpoint, network=network_with_unusual_statistics
    ),
    "embedder": make_embedder,
}


@pytest.mark.parametrize("kind", KINDS)
def test_a_fit_that_is_killed_after_every_epoch_ends_with_the_same_bytes(kind, tmp_path):
    X, y = make_spectrograms()
    expected = fit_results(KINDS[kind](), X, y)
    n_epochs = len(expected[1]["train_loss"])
    for epoch in range(2, n_epochs + 1):
        fit_until(epoch, KINDS[kind](tmp_path), X, y)
    with pytest.MonkeyPatch.context() as monkeypatch:
        epochs = EpochCounter(monkeypatch)
        assert same_trees(fit_results(KINDS[kind](tmp_path), X, y), expected)
    assert epochs.n == 1


def test_early_stopping_stops_at_the_same_epoch_after_a_kill(tmp_path):
    X, y = make_spectrograms()
    y = np.random.default_rng(0).permutation(y)
    values = {"max_epochs": 30, "patience": 2, "learning_rate": 3e-2}
    plain = make_classifier(**values).fit(X, y)
    assert plain.n_epochs_ < 30
    for epoch in (2, plain.best_epoch_ + 1, plain.n_epochs_):
        location = tmp_path / str(epoch)
        fit_until(epoch, make_classifier(location, **values), X, y)
        assert same_trees(fit_results(make_classifier(location, **values), X, y), results(plain, X))
    # Killed after the last epoch: there is nothing left to train.
    with pytest.MonkeyPatch.context() as monkeypatch:
        EpochCounter(monkeypatch, stop=plain.n_epochs_ + 1)
        assert same_trees(fit_results(make_classifier(location, **values), X, y), results(plain, X))


def test_transfer_continues_too_and_another_source_is_another_fit(tmp_path):
    X, y = make_spectrograms()
    sources = [FrozenEstimator(make_classifier(random_state=seed).fit(X, y)) for seed in (0, 1)]
    values = {"max_epochs": 3, "random_state": 0, "batch_size": 24, "frozen_layers": "conv"}
    plain, other = (CNNAudioClassifier(pretrained=s, **values).fit(X, y) for s in sources)
    location = tmp_path / "one.checkpoint"
    values["checkpoint"] = location
    fit_until(3, CNNAudioClassifier(pretrained=sources[0], **values), X, y)
    with pytest.raises(ValueError, match=r"another fit \(pretrained: "):
        CNNAudioClassifier(pretrained=sources[1], **values).fit(X, y)
    again = CNNAudioClassifier(pretrained=sources[0], **values).fit(X, y)
    assert same_trees(results(again, X), results(plain, X))
    assert not same_trees(results(again, X), results(other, X))


def test_a_finished_fit_is_restored_without_training(tmp_path, capsys):
    X, y = make_spectrograms()
    first = make_classifier(tmp_path).fit(X, y)
    (name,) = os.listdir(tmp_path)
    assert name.startswith("CNNAudioClassifier-")
    with pytest.MonkeyPatch.context() as monkeypatch:
        epochs = EpochCounter(monkeypatch)
        again = make_classifier(tmp_path, verbose=1).fit(X, y)
    assert epochs.n == 0
    assert "6/6" in capsys.readouterr().err
    assert same_trees(results(again, X), results(first, X))
    # Only the weights are left, without the state that training needs.
    n_bytes = sum(array.nbytes for array in get_weights(first.network_).values())
    assert os.path.getsize(tmp_path / name) < n_bytes + 16384


def test_the_progress_bar_says_where_a_fit_resumes(tmp_path, capsys):
    X, y = make_spectrograms()
    fit_until(5, make_classifier(tmp_path), X, y)
    capsys.readouterr()
    make_classifier(tmp_path, verbose=1).fit(X, y)
    shown = capsys.readouterr().err.splitlines()
    assert "Training, resumed after epoch 4 of 6: 100%" in shown[-1]
    assert "6/6" in shown[-1]
    # The bar starts with the epochs of the checkpoint, and the time left is not known yet.
    assert next(line for line in shown if line).count("4/6 [00:00<?") == 1


def test_parameters_without_effect_do_not_make_another_fit(tmp_path, sounds, monkeypatch):
    def fit(**changes):
        changes = {"frontend__n_mels": 8, "frontend__n_frames": 10, "max_epochs": 2, **changes}
        classifier = make_classifier(tmp_path / "all").set_params(**changes)
        return classifier.fit(sounds.filenames, sounds.target)

    first = fit()
    epochs = EpochCounter(monkeypatch)
    for changes in (
        {"n_jobs": 2, "verbose": 0, "device": "cpu", "channels": [4, np.int64(8)]},
        {"frontend__cache": tmp_path / "cache", "frontend__n_jobs": 1},
        {"checkpoint": str(tmp_path / "all")},
    ):
        again = fit(**changes)
        assert epochs.n == 0
        assert same_trees(results(again, sounds.filenames), results(first, sounds.filenames))
    fit(frontend__top_db=40.0)
    assert epochs.n == 2


CHANGES = {
    "max_epochs": 7,
    "batch_size": 32,
    "learning_rate": 3e-3,
    "weight_decay": 0.0,
    "label_smoothing": 0.0,
    "augment": "noise",
    "early_stopping": False,
    "validation_fraction": 0.3,
    "patience": 5,
    "class_weight": "balanced",
    "dropout": 0.2,
    "channels": (4, 4),
    "kernel_size": 5,
    "hidden_units": (4,),
    "network": "daf",
    "random_state": 1,
    "precision": "bfloat16",
}


@pytest.mark.parametrize("name", CHANGES)
def test_a_changed_parameter_is_refused_by_name(name, one_file):
    location, X, y = one_file
    values = {name: CHANGES[name]}
    with pytest.raises(ValueError, match=rf"another fit \({name}: "):
        make_classifier(location, **values).fit(X, y)


@pytest.fixture(scope="module")
def one_file(tmp_path_factory):
    location = tmp_path_factory.mktemp("checkpoints") / "one.checkpoint"
    X, y = make_spectrograms()
    fit_until(3, make_classifier(location), X, y)
    return location, X, y


def test_changed_data_is_refused(one_file):
    location, X, y = one_file
    labels, values = y.copy(), X.copy()
    labels[[0, 1]] = labels[[1, 0]]
    values[-1, -1, -1] += 1e-3
    for changed, difference in (
        ((X, labels), r"\(labels: \(96,\) \w+ .*, \(96,\) \w+ "),
        ((values, y), r"\(spectrograms: \(96, 12, 10\) \w+ .*, \(96, 12, 10\) \w+ "),
        ((X[:90], y[:90]), r"\(labels: \(96,\) .*; spectrograms: \(96, .*, \(90, "),
    ):
        with pytest.raises(ValueError, match=rf"one\.checkpoint' .* {difference}"):
            make_classifier(location).fit(*changed)
    with pytest.raises(ValueError, match=r"estimator: CNNAudioClassifier .*, ConvAuto"):
        make_embedder(location).fit(X)
    # The file is unharmed.
    assert same_trees(
        fit_results(make_classifier(location), X, y), fit_results(make_classifier(), X, y)
    )


def test_a_changed_recording_is_refused(tmp_path, sounds):
    paths = [shutil.copy(path, tmp_path) for path in sounds.filenames]
    model = make_classifier(tmp_path / "one.checkpoint", max_epochs=2)
    model.set_params(frontend__n_mels=8, frontend__n_frames=10).fit(paths, sounds.target)
    times = os.stat(paths[0])
    shutil.copy(paths[1], paths[0])
    os.utime(paths[0], ns=(times.st_atime_ns, times.st_mtime_ns))
    with pytest.raises(ValueError, match=r"another fit \(spectrograms: "):
        clone(model).fit(paths, sounds.target)


def test_an_augmentation_that_cannot_be_identified_is_an_error_before_training(tmp_path):
    class Unknown:
        def __init__(self):
            self.function = lambda batch: batch

        def __call__(self, batch, generator):
            return self.function(batch)

    X, y = make_spectrograms()
    with pytest.raises(TypeError, match=r"augment.*Unknown"):
        make_classifier(tmp_path, augment=Unknown()).fit(X, y)
    make_classifier(augment=Unknown(), max_epochs=1).fit(X, y)


def test_a_network_with_different_layers_from_the_same_builder_is_an_error(tmp_path, monkeypatch):
    monkeypatch.setattr("test_resuming.WIDTH", 4)
    X, y = make_spectrograms()
    fit_until(3, make_classifier(tmp_path, network=network_of_global_width), X, y)
    monkeypatch.setattr("test_resuming.WIDTH", 5)
    with pytest.raises(ValueError, match="different layers"):
        make_classifier(tmp_path, network=network_of_global_width).fit(X, y)


WIDTH = 4


def network_of_global_width(input_shape, n_outputs, **options):
    return nn.Sequential(nn.Flatten(), nn.Linear(120, WIDTH), nn.Linear(WIDTH, n_outputs))


# --- random states ---------------------------------------------------------------------------


def test_a_fit_without_a_seed_takes_the_seed_of_its_checkpoint(tmp_path):
    X, y = make_spectrograms()
    fit_until(4, make_classifier(tmp_path, random_state=None), X, y)
    np.random.seed(5)
    before = np.random.get_state()[1].copy()
    first = make_classifier(tmp_path, random_state=None).fit(X, y)
    np.testing.assert_array_equal(np.random.get_state()[1], before)
    (path,) = tmp_path.iterdir()
    seed = unpack(path.read_bytes())["seed"]
    assert same_trees(results(first, X), fit_results(make_classifier(random_state=seed), X, y))
    # So does every later fit in the same folder; in another folder it draws a new seed.
    assert same_trees(
        fit_results(make_classifier(tmp_path, random_state=None), X, y), results(first, X)
    )
    other = make_classifier(tmp_path / "other", random_state=None).fit(X, y)
    assert not same_trees(results(other, X), results(first, X))


def test_a_random_state_object_advances_as_without_a_checkpoint(tmp_path):
    X, y = make_spectrograms()
    plain = np.random.RandomState(3)
    expected = [fit_results(make_classifier(random_state=plain), X, y) for _ in range(2)]
    killed = np.random.RandomState(3)
    fit_until(4, make_classifier(tmp_path, random_state=killed), X, y)
    again = np.random.RandomState(3)
    got = [fit_results(make_classifier(tmp_path, random_state=again), X, y) for _ in range(2)]
    assert same_trees(got, expected)
    assert again.randint(2**31) == plain.randint(2**31)


def test_the_same_fit_in_several_threads_at_once_is_the_same_in_each(tmp_path):
    X, y = make_spectrograms()
    expected = fit_results(make_classifier(), X, y)
    with ThreadPoolExecutor(3) as pool:
        fits = [pool.submit(make_classifier(tmp_path).fit, X, y) for _ in range(6)]
    assert all(same_trees(results(fit.result(), X), expected) for fit in fits)
    assert same_trees(fit_results(make_classifier(tmp_path), X, y), expected)


# --- interruptions and failures --------------------------------------------------------------


def test_an_interrupted_fit_keeps_its_best_epoch_and_can_be_continued(tmp_path, monkeypatch):
    monkeypatch.setattr("skdaf._training.train._last_interrupt", -np.inf)
    X, y = make_spectrograms()
    with pytest.MonkeyPatch.context() as context:
        EpochCounter(context, stop=4, error=KeyboardInterrupt)
        with pytest.warns(UserWarning, match="interrupted in epoch 4"):
            stopped = make_classifier(tmp_path).fit(X, y)
    assert stopped.n_epochs_ == 3
    assert same_trees(
        fit_results(make_classifier(tmp_path), X, y), fit_results(make_classifier(), X, y)
    )


def test_a_full_disk_loses_the_checkpoint_but_not_the_fit(tmp_path, monkeypatch):
    X, y = make_spectrograms()
    expected = fit_results(make_classifier(), X, y)
    monkeypatch.setattr(os, "replace", no_space_left)
    with pytest.warns(UserWarning, match="could not be written") as warned:
        assert same_trees(fit_results(make_classifier(tmp_path), X, y), expected)
    assert len(warned) == 1
    assert os.listdir(tmp_path) == []


def test_an_unusable_path_is_reported_before_any_file_is_read(tmp_path):
    (tmp_path / "file").touch()
    with pytest.raises(ValueError, match=r"checkpoint='.*file' cannot be used"):
        make_classifier(tmp_path / "file").fit(["no such recording.wav"] * 4, [0, 1, 0, 1])


def test_a_damaged_checkpoint_loses_epochs_but_never_changes_the_result(tmp_path):
    X, y = make_spectrograms()
    expected = fit_results(make_classifier(), X, y)
    for both, message in (
        (False, "the previous epoch"),
        (True, "from the beginning"),
    ):
        location = tmp_path / f"{both}.checkpoint"
        fit_until(4, make_classifier(location), X, y)
        damage(location)
        if both:
            damage(location.with_name(location.name + ".previous"))
        with pytest.warns(UserWarning, match=message):
            assert same_trees(fit_results(make_classifier(location), X, y), expected)


# --- the parameter ---------------------------------------------------------------------------


def test_checkpoint_is_a_parameter_like_others(tmp_path):
    X, y = make_spectrograms(24)
    model = make_classifier(tmp_path, max_epochs=1).fit(X, y)
    assert model.get_params()["checkpoint"] == clone(model).checkpoint == tmp_path
    saved = saved_and_loaded(model, tmp_path)
    for loaded, location in ((pickle.loads(pickle.dumps(model)), tmp_path), (saved, None)):
        assert loaded.checkpoint == location
        assert same_trees(results(loaded, X), results(model, X))
    with pytest.raises(ValueError, match="'checkpoint' parameter of CNNAudioClassifier"):
        make_classifier(3).fit(X, y)


def test_without_a_checkpoint_no_files_are_written(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    make_classifier(max_epochs=1).fit(*make_spectrograms(24))
    assert os.listdir(tmp_path) == []

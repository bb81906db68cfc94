"""Examples, small networks and estimators, and interruptions for the tests of training."""

import copy
import errno
import os

import numpy as np
import pytest
from torch.nn import functional

from skdaf import (
    CNNAudioClassifier,
    CNNAudioRegressor,
    ConvAutoencoderEmbedder,
    load_model,
    save_model,
)
from skdaf._networks.weights import get_weights
from skdaf._training.loop import Loop
from skdaf._training.objectives import Objective, accuracy
from skdaf._training.run import Examples, Plan, TrainingRun


def make_spectrograms(n=96, seed=0):
    """Return spectrograms of two classes, one of which is louder in its low bins, and labels."""
    rng = np.random.default_rng(seed)
    y = np.arange(n) % 2
    X = rng.standard_normal((n, 12, 10)).astype(np.float32)
    X[y == 1, :, :5] += 1
    return X, y


def make_classifier(checkpoint=None, **changes):
    values = {
        "channels": (4, 8),
        "hidden_units": (8,),
        "dropout": 0.3,
        "augment": ("noise", "mask", "mixup"),
        "max_epochs": 6,
        "batch_size": 24,
        "learning_rate": 1e-2,
        "validation_fraction": 0.2,
        "precision": "float32",
        "random_state": 0,
    }
    return CNNAudioClassifier(checkpoint=checkpoint, **{**values, **changes})


def make_embedder(checkpoint=None, **changes):
    values = {"n_channels": 2, "channels": (4, 4), "max_epochs": 5, "random_state": 0, **changes}
    return ConvAutoencoderEmbedder(checkpoint=checkpoint, batch_size=24, **values)


def make_regressor(checkpoint=None, **changes):
    values = {
        "channels": (4, 8),
        "hidden_units": (8,),
        "max_epochs": 4,
        "batch_size": 24,
        "learning_rate": 1e-2,
        "precision": "float32",
        "random_state": 0,
    }
    return CNNAudioRegressor(checkpoint=checkpoint, **{**values, **changes})


def results(estimator, X):
    """Return all results of a fit: weights, history, best epoch and outputs."""
    method = "transform" if hasattr(estimator, "transform") else "predict_proba"
    return [
        get_weights(estimator.network_),
        estimator.history_,
        estimator.best_epoch_,
        getattr(estimator, method)(X),
    ]


def fit_results(estimator, X, y=None):
    """Fit an estimator; return its results."""
    return results(estimator.fit(X, y), X)


def same_trees(left, right):
    """Return whether trees of dicts, lists, arrays and plain values are the same, in order."""
    if isinstance(left, np.ndarray):
        return (
            left.dtype == right.dtype and left.shape == right.shape and bytes(left) == bytes(right)
        )
    if isinstance(left, dict):
        return list(left) == list(right) and same_trees(list(left.values()), list(right.values()))
    if isinstance(left, (list, tuple)):
        return len(left) == len(right) and all(map(same_trees, left, right))
    return repr(left) == repr(right)


def state_of(estimator):
    """Return a copy of all parameters and attributes, but not of the location of checkpoints."""
    state = copy.deepcopy(estimator.__getstate__())
    return {name: state[name] for name in sorted(state) if name != "checkpoint"}


def same_states(left, right):
    """Return whether two estimators have the same parameters and attributes."""
    return same_trees(state_of(left), state_of(right))


def saved_and_loaded(model, folder):
    """Return an estimator after a round trip through a file."""
    save_model(model, folder / "model.skops")
    return load_model(folder / "model.skops")


class Killed(BaseException):
    """Simulates a killed process: nothing in the package catches it."""


class EpochCounter:
    """Counts epochs, and raises an error at the start of one of them.

    This is the epoch `stop` of every fit, or the next one after `total` epochs of all fits.
    """

    def __init__(self, monkeypatch, stop=None, error=Killed, total=None):
        self.n, self.stop, train_epoch = 0, stop, Loop._train_epoch

        def counted(loop, epoch):
            if epoch == self.stop or self.n == total:
                raise error
            self.n += 1
            return train_epoch(loop, epoch)

        monkeypatch.setattr(Loop, "_train_epoch", counted)


def fit_until(epoch, estimator, X, y=None):
    """Fit an estimator, and kill the fit at the start of an epoch."""
    with pytest.MonkeyPatch.context() as monkeypatch:
        EpochCounter(monkeypatch, stop=epoch)
        with pytest.raises(Killed):
            estimator.fit(X, y)


def damage(path):
    """Cut a file in half."""
    content = path.read_bytes()
    path.write_bytes(content[: len(content) // 2])


def no_space_left(*args):
    """Raise the error of a full disk."""
    raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))


# --- runs without an estimator ---------------------------------------------------------------

OBJECTIVE = Objective(functional.cross_entropy, accuracy)


def make_examples(n=60, size=(12, 10), seed=0):
    """Return examples of two classes: one is louder in low bins, one in high bins."""
    rng = np.random.default_rng(seed)
    targets = np.arange(n) % 2
    inputs = rng.standard_normal((n, *size)).astype(np.float32)
    half = size[1] // 2
    inputs[targets == 0, :, :half] += 1.5
    inputs[targets == 1, :, half:] += 1.5
    return Examples(inputs, targets)


def make_plan(**changes):
    values = {
        "max_epochs": 6,
        "batch_size": 16,
        "learning_rate": 1e-2,
        "weight_decay": 0.0,
        "patience": None,
        "device": "cpu",
    }
    return Plan(**{**values, **changes})


def make_run(network, examples, plan=None, **changes):
    values = {
        "network": network,
        "examples": examples,
        "objective": OBJECTIVE,
        "plan": plan or make_plan(),
        "train_rows": np.arange(len(examples.inputs)),
        "validation_rows": None,
        "seed": 0,
    }
    return TrainingRun(**{**values, **changes})

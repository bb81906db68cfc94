"""Continue training: a further `fit` with `warm_start`, and calls of `partial_fit`.

Both start with the weights of the network that an estimator already has. These belong to its front
end, its layers and its classes (or the mean and scale of its targets), which therefore must stay as
they are.
"""

import math

import numpy as np
from sklearn.base import BaseEstimator

from skdaf._estimators.fitted import iterate_parts
from skdaf._estimators.persistence.run_settings import RUN_PARAMETERS
from skdaf._features.spectrogram_transformer import SpectrogramTransformer
from skdaf._networks.weights import get_weights, set_weights
from skdaf._training.fingerprint import describe, digest_of

# Attributes that `partial_fit` needs for the next call, and that a fit removes.
PARTIAL_ATTRIBUTES = ("_optimizer_state", "_class_counts")

# Options of all networks, which are parameters of the estimator.
_OWN_PARAMETERS = {"channels", "kernel_size", "hidden_units", "dropout"}


def has_network(estimator):
    """Return whether an estimator has been trained."""
    return "network_" in vars(estimator)


def is_continued(estimator):
    """Return whether the next `fit` of an estimator continues with its weights."""
    return estimator.warm_start and has_network(estimator)


def describe_start(estimator):
    """Return a string that identifies the state that a continued fit starts from."""
    start = [vars(estimator).get("n_epochs_", 0), describe(get_weights(estimator.network_))]
    return digest_of(repr(start))


def take_over_weights(estimator, network, architecture):
    """Copy the weights of an estimator to a new network.

    Raises
    ------
    ValueError
        If the parameters of the estimator now describe another network or another front end.
    """
    before, now = _flat(estimator._architecture), _flat(architecture)
    _check_same({name: (before.get(name), now.get(name)) for name in {**before, **now}})
    set_weights(network, get_weights(estimator.network_))


def check_same_frontend(estimator):
    """Raise ValueError if the parameter `frontend` has changed since the front end was fitted."""
    fitted = estimator.frontend_
    if fitted is None or getattr(estimator, "pretrained", None) is not None:
        return
    frontend = estimator.frontend or SpectrogramTransformer()
    if type(frontend) is not type(fitted):
        _check_same({"frontend": (type(fitted).__name__, type(frontend).__name__)})
    before, now = fitted.get_params(), frontend.get_params()
    _check_same(
        {
            f"frontend__{name}": (before.get(name), now.get(name))
            for name in {**before, **now}
            if name.split("__")[-1] not in RUN_PARAMETERS
        }
    )


def check_no_early_stopping(estimator):
    """Raise ValueError if `partial_fit` would have to stop early."""
    if estimator.early_stopping is True:
        raise ValueError(
            "partial_fit does not support early_stopping=True: it trains for one epoch on all of "
            "its clips."
        )


def continued_seed(estimator, seed):
    """Return the seed of a continued training run.

    It depends on the number of epochs so far: otherwise, an int as `random_state` would repeat the
    order and the augmentation of the previous run.
    """
    n_epochs = vars(estimator).get("n_epochs_", 0)
    if not n_epochs:
        return seed
    return int(np.random.default_rng([seed, n_epochs]).integers(2**31 - 1))


def joined_history(before, after):
    """Return a history with the epochs of two others; values that one of them lacks are NaN."""
    n_before, n_after = (len(history.get("train_loss", ())) for history in (before, after))
    return {
        name: [
            *before.get(name, [math.nan] * n_before),
            *after.get(name, [math.nan] * n_after),
        ]
        for name in {**before, **after}
    }


def _flat(architecture):
    """Return what describes a network, by the names of parameters where there are such."""
    others = {name: value for name, value in architecture.items() if name != "options"}
    options = architecture["options"]
    if callable(architecture["network"]):
        options = {_parameter_of(name): value for name, value in options.items()}
    return {"n_networks": 1, **others, **options}


def _parameter_of(option):
    """Return the parameter with which users set an option of their own network."""
    return option if option in _OWN_PARAMETERS else f"network__{option}"


def _check_same(pairs):
    """Raise ValueError for the first name whose values, before and now, differ."""
    for name, (before, now) in pairs.items():
        if not _are_same(before, now):
            raise ValueError(
                f"Training cannot continue, because {name} was {before!r} in the previous fit, and "
                f"now it is {now!r}: the weights belong to the former. To start from the "
                "beginning, call fit with warm_start=False; to learn another task from these "
                "layers, pass FrozenEstimator(fitted) as pretrained."
            )


def _are_same(before, now):
    # Nested estimators are fitted, and their parameters are compared one by one.
    is_nested = any(isinstance(part, BaseEstimator) for part in iterate_parts([before, now]))
    if is_nested:
        return type(before) is type(now)
    try:
        return before is now or describe(before) == describe(now)
    except TypeError:
        # Nothing identifies these values.
        return type(before) is type(now)

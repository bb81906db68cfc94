"""Fit the network of an estimator: held-out clips, the training plan, training itself."""

import math
from contextlib import contextmanager
from dataclasses import replace

import numpy as np

from skdaf._core.progress import progress_bar
from skdaf._core.user_warnings import warn_user
from skdaf._estimators.callbacks import callback_steps
from skdaf._estimators.continuing import PARTIAL_ATTRIBUTES, has_network, joined_history
from skdaf._networks.building import restore_network
from skdaf._networks.device import resolve_device, resolve_precision
from skdaf._networks.weights import get_weights
from skdaf._training.augmentation import compose
from skdaf._training.run import Plan
from skdaf._training.train import count_stored_epochs, train, train_one_epoch

# With fewer held-out clips, the validation loss is too noisy to compare epochs.
_MIN_VALIDATION_CLIPS = 10

# early_stopping="auto" holds out clips from this number on, as HistGradientBoostingClassifier does.
# The learning rate falls to zero in any case, and with fewer clips each of them is needed to learn.
_MIN_CLIPS_FOR_EARLY_STOPPING = 10_000

# max_epochs="auto" aims for this number of steps, with these limits for the number of epochs.
_TARGET_STEPS = 1000
_MIN_EPOCHS, _MAX_EPOCHS = 10, 100

# Augmentation makes training clips different from all later ones. This share of the epochs, at the
# end, shows them as they are.
_UNCHANGED_SHARE = 0.2

# `partial_fit` does not know how many calls follow, so its learning rate is constant: this share of
# the parameter `learning_rate`.
PARTIAL_FIT_SHARE = 1 / 3

# The smallest share of an epoch by which the progress bar advances.
_SHOWN_SHARE = 0.01


def count_held_out(estimator, n_clips, n_classes=2):
    """Return how many clips to hold out; 0 if too few would be held out or trained on."""
    n_held_out = math.ceil(estimator.validation_fraction * n_clips)
    minimum = max(_MIN_VALIDATION_CLIPS, n_classes)
    is_sensible = minimum <= n_held_out <= n_clips - n_classes
    wanted = estimator.early_stopping
    if wanted == "auto":
        wanted = _holds_out_automatically(estimator, n_clips)
    return n_held_out if wanted and is_sensible else 0


def warn_if_none_held_out(estimator, n_clips, classes=None):
    """Warn if the user asked for early stopping, but no clips can be held out.

    Call it for a fit without clips for validation; `classes` are what they would be stratified by.
    """
    if estimator.early_stopping is True:
        asked = "early_stopping=True"
    elif estimator.early_stopping == "auto" and estimator.patience is not None:
        asked = f"patience={estimator.patience}"
    else:
        return
    reason = _why_none_held_out(estimator, n_clips, classes)
    warn_user(
        f"{asked} has no effect, and training uses all clips: {reason}. Pass more clips, X_val and "
        "y_val, or early_stopping=False."
    )


def warn_if_groups_unused(estimator, groups, n_clips, n_validation):
    """Warn if the user passed groups, but the settings say that no clips are held out of X.

    `n_validation` is the number of the user's clips for validation.
    """
    if n_validation:
        reason = "X_val is used for validation"
    elif estimator.early_stopping is False:
        reason = "early_stopping=False holds out no clips"
    elif estimator.early_stopping == "auto" and not _holds_out_automatically(estimator, n_clips):
        reason = (
            f"early_stopping='auto' holds out no clips, because there are {n_clips}, fewer than "
            f"{_MIN_CLIPS_FOR_EARLY_STOPPING}. Set early_stopping=True to hold out whole groups"
        )
    else:
        return
    if groups is not None:
        warn_user(f"groups has no effect: {reason}.")


def _holds_out_automatically(estimator, n_clips):
    return n_clips >= _MIN_CLIPS_FOR_EARLY_STOPPING or estimator.patience is not None


def _why_none_held_out(estimator, n_clips, classes):
    n_held_out = math.ceil(estimator.validation_fraction * n_clips)
    share = (
        f"validation_fraction={estimator.validation_fraction:g} of {n_clips} clips is {n_held_out}"
    )
    n_classes = 2 if classes is None else len(np.unique(classes))
    minimum = max(_MIN_VALIDATION_CLIPS, n_classes)
    if n_held_out < minimum:
        return f"{share}, but fewer than {minimum} clips cannot be held out"
    if n_held_out > n_clips - n_classes:
        return f"{share}, which leaves fewer than {n_classes} clips to train on"
    return "one of the classes has a single clip, which cannot be divided"


def make_plan(estimator, n_clips, has_validation, n_frozen=0):
    """Return the `Plan` of a training run.

    Parameters
    ----------
    estimator : NetworkEstimator
    n_clips : int
        Number of clips to train on.
    has_validation : bool
        Whether clips are held out.
    n_frozen : int, default=0
        Number of layers that keep their weights.
    """
    batch_size = estimator.batch_size
    if batch_size == "auto":
        batch_size = int(np.clip(n_clips // 16, 8, 64))
    max_epochs = estimator.max_epochs
    if max_epochs == "auto":
        # Networks need a certain number of steps, which takes fewer epochs with many clips.
        n_epochs = _TARGET_STEPS * batch_size // n_clips
        max_epochs = int(np.clip(n_epochs, _MIN_EPOCHS, _MAX_EPOCHS))
    patience = estimator.patience or -(-max_epochs // 2)
    device = resolve_device(estimator.device)
    precision = resolve_precision(estimator.precision, device)
    has_cepstra = getattr(estimator.frontend_, "features", None) == "mfcc"
    augment, mixup = compose(estimator.augment, has_cepstra=has_cepstra)
    return Plan(
        max_epochs=max_epochs,
        batch_size=batch_size,
        learning_rate=estimator.learning_rate,
        weight_decay=estimator.weight_decay,
        patience=patience if has_validation else None,
        device=device,
        precision=precision,
        augment=augment,
        mixup=mixup,
        n_unchanged_epochs=int(_UNCHANGED_SHARE * max_epochs),
        n_frozen=n_frozen,
        scoring=getattr(estimator, "scoring", "loss"),
        optimizer=estimator.optimizer if callable(getattr(estimator, "optimizer", None)) else None,
    )


def make_partial_plan(estimator, n_clips, n_frozen=0):
    """Return the `Plan` of a call of `partial_fit`: one epoch at a constant learning rate."""
    plan = make_plan(estimator, n_clips, has_validation=False, n_frozen=n_frozen)
    return replace(plan, max_epochs=1, n_unchanged_epochs=0, constant_share=PARTIAL_FIT_SHARE)


def train_network(estimator, run, architecture, checkpoint, y=None, *, is_continued=False):
    """Train the network of an estimator; show progress and inform scikit-learn's callbacks.

    Parameters
    ----------
    estimator : NetworkEstimator
        Receives `network_`, `history_`, `n_epochs_`, `best_epoch_` and `n_clips_`.
    run : TrainingRun
    architecture : dict
        The arguments of `build_network` that built the network.
    checkpoint : Checkpoint or None
    y : array, default=None
        The labels to pass to callbacks.
    is_continued : bool, default=False
        Whether the epochs come after those of the previous fit.
    """
    n_stored = count_stored_epochs(checkpoint, run.network)
    with _reported(estimator, run, architecture, y, n_stored) as reports:
        state = train(run, **reports, checkpoint=checkpoint)
        _set_results(estimator, run.network, architecture, state, is_continued)
        estimator.n_clips_ = len(run.examples.inputs)
        for name in PARTIAL_ATTRIBUTES:
            vars(estimator).pop(name, None)


def train_network_partially(estimator, run, architecture, y=None):
    """Train the network of an estimator for one more epoch, with the optimizer of the last call.

    The parameters are those of `train_network`. The estimator also receives `_optimizer_state`.
    """
    before = vars(estimator).get("_optimizer_state", {})
    with _reported(estimator, run, architecture, y) as reports:
        state, optimizer_state = train_one_epoch(run, before, **reports)
        _add_clips(estimator, len(run.examples.inputs))
        _set_results(estimator, run.network, architecture, state, has_network(estimator))
        estimator._optimizer_state = optimizer_state


@contextmanager
def _reported(estimator, run, architecture, y, n_stored=0):
    """Return a context with functions that show progress and inform scikit-learn's callbacks.

    They are the arguments `report` and `report_batch` of `train`. The first `n_stored` epochs come
    from a checkpoint: callbacks need them, the bar has them.
    """
    max_epochs, X = run.plan.max_epochs, run.examples.inputs
    resumed = f", resumed after epoch {n_stored} of {max_epochs}" if n_stored else ""
    with (
        progress_bar(
            max_epochs, f"Training{resumed}", "epoch", estimator.verbose, initial=n_stored
        ) as advance,
        callback_steps(estimator, max_epochs, X, y) as steps,
    ):
        shown = _ShownEpochs(advance, n_stored)

        def report(values):
            shown.end_epoch(values)
            return steps.end_step("epoch", lambda: _attributes_so_far(run.network, architecture))

        yield {"report": report, "report_batch": shown.end_batch}


class _ShownEpochs:
    """Advance a progress bar of epochs; the bar already has the first `n_stored` of them."""

    def __init__(self, advance, n_stored):
        self._advance, self._n_stored = advance, n_stored
        self._n_epochs, self._share = 0, 0.0

    def end_batch(self, share):
        """Show which share of the current epoch is done; the last batch is left to `end_epoch`."""
        share = math.floor(share / _SHOWN_SHARE) * _SHOWN_SHARE
        if self._share < share < 1.0:
            self._advance(share - self._share)
            self._share = share

    def end_epoch(self, values):
        """Show the end of an epoch, and its values."""
        self._n_epochs += 1
        is_stored = self._n_epochs <= self._n_stored
        self._advance(0 if is_stored else 1.0 - self._share, **_progress_values(values))
        self._share = 0.0


def _set_results(estimator, network, architecture, state, is_continued):
    """Set the attributes of a trained estimator; a continued history is one history."""
    before = vars(estimator) if is_continued else {}
    n_before = before.get("n_epochs_", 0)
    estimator.history_ = joined_history(before.get("history_", {}), state.history)
    estimator.n_epochs_ = n_before + state.n_epochs
    estimator.best_epoch_ = n_before + state.best_epoch
    estimator._architecture = architecture
    estimator.network_ = network


def _add_clips(estimator, n_clips):
    """Count the clips of a call of `partial_fit`."""
    if not has_network(estimator):
        estimator.n_clips_ = n_clips
    elif "n_clips_" in vars(estimator):  # files of earlier releases do not say how many there were
        estimator.n_clips_ += n_clips


def _progress_values(values):
    """Format the values of an epoch for a progress bar."""
    return {name: f"{value:.3f}" for name, value in values.items() if name != "learning_rate"}


def _attributes_so_far(network, architecture):
    """Return the attributes that an estimator needs to predict before its training is over."""
    weights = get_weights(network)
    return {"_architecture": architecture, "network_": restore_network(weights, architecture)}

"""What the estimators around a network share: front end, training, prediction, pickling."""

import copy
import math
import os
from numbers import Integral, Real

import numpy as np
import torch
from sklearn.base import clone
from sklearn.utils import check_random_state
from sklearn.utils._param_validation import HasMethods, Interval, StrOptions
from sklearn.utils.validation import check_is_fitted

from skdaf._audio.inputs import validate_clips, validated
from skdaf._core.arrays import blocks
from skdaf._core.estimator import Estimator, is_count
from skdaf._core.parallel import CHUNK_SIZE, progress_bar
from skdaf._estimators.callbacks import CallbackSupportMixin, steps_of_fit
from skdaf._features.spectrogram_transformer import SpectrogramTransformer
from skdaf._networks.building import (
    check_architecture,
    layer_names,
    output_shapes,
    restore_network,
)
from skdaf._networks.device import resolve_device, resolve_precision
from skdaf._networks.inference import apply_network
from skdaf._networks.weights import get_weights
from skdaf._training.augmentation import CHOICES, compose
from skdaf._training.checkpoint import Checkpoint, check_place
from skdaf._training.fingerprint import describe, describe_rows, digest_of
from skdaf._training.run import Plan, TrainingRun
from skdaf._training.train import train

# Fewer held-out clips than this say nothing about an epoch.
_FEWEST_VALIDATION_CLIPS = 10

# What max_epochs="auto" aims at, and its bounds.
_ENOUGH_STEPS = 1000
_FEWEST_MOST_EPOCHS = 10, 100

# How much of the spectrograms is in memory at once when predicting.
_BYTES_PER_PASS = 2**26


# Parameters that do not change what is learned. Of the front end it is the spectrograms that count,
# and of a pretrained estimator its network.
_WITHOUT_EFFECT = ("frontend", "pretrained", "checkpoint", "n_jobs", "verbose")


def _is_weights(value):
    """Return whether a value from a file is a dict of arrays of numbers."""
    return type(value) is dict and all(
        type(name) is str and isinstance(array, np.ndarray) and array.dtype.kind in "fi"
        for name, array in value.items()
    )


class NetworkEstimator(CallbackSupportMixin, Estimator):
    """Base of the estimators that train a network on the spectrograms of clips.

    A subclass stores the parameters named in `_parameter_constraints`. Its `fit` calls, in turn,
    `_check_parameters`, `_fit_spectrograms` and `_fit_network`; what comes after, `layer_outputs`.
    """

    _saved_attributes = {
        **Estimator._saved_attributes,
        "frontend_": lambda value: value is None or hasattr(type(value), "transform"),
        "input_shape_": lambda value: type(value) is tuple,
        "network_": _is_weights,
        "_recipe": lambda value: type(value) is dict,
        "history_": lambda value: type(value) is dict,
        "n_epochs_": is_count,
        "best_epoch_": is_count,
    }

    _parameter_constraints = {
        "frontend": [HasMethods(["fit", "transform"]), None],
        "channels": ["array-like", None],
        "kernel_size": [Interval(Integral, 1, None, closed="left"), None],
        "max_epochs": [Interval(Integral, 1, None, closed="left"), StrOptions({"auto"})],
        "batch_size": [Interval(Integral, 2, None, closed="left"), StrOptions({"auto"})],
        "learning_rate": [Interval(Real, 0, None, closed="neither")],
        "weight_decay": [Interval(Real, 0, None, closed="left")],
        "augment": [StrOptions(set(CHOICES)), list, tuple, callable, None],
        "early_stopping": ["boolean"],
        "validation_fraction": [Interval(Real, 0, 1, closed="neither")],
        "patience": [Interval(Integral, 1, None, closed="left"), None],
        "device": [str, torch.device],
        "precision": [StrOptions({"auto", "float32", "bfloat16"})],
        "random_state": ["random_state"],
        "checkpoint": [str, os.PathLike, None],
        "n_jobs": [Integral, None],
        "verbose": ["verbose"],
    }

    def set_params(self, **params):
        """Set parameters of this estimator, and of its front end as ``frontend__name``.

        A front end that is None becomes an explicit `SpectrogramTransformer` as soon as one of
        its parameters is set.

        Parameters
        ----------
        **params : dict
            Parameters and their values.

        Returns
        -------
        self : estimator instance
            The estimator itself.
        """
        return super().set_params(
            **with_explicit_part(self, params, "frontend", SpectrogramTransformer)
        )

    # --- spectrograms ---

    def _fit_spectrograms(self, kind, data, y=None, source=None):
        """Fit the front end, or take that of a fitted source, and return spectrograms."""
        if source is not None:
            self.frontend_ = copy.deepcopy(source.frontend_)
            self.input_shape_ = source.input_shape_
            self._check_kind(kind, data)
            if kind == "spectrograms":
                return data
            with validated(kind, data):
                return _check_spectrograms(self.frontend_.transform(data), data)
        if kind == "spectrograms":
            self.frontend_ = None
            spectrograms = data
        else:
            frontend = clone(self.frontend or SpectrogramTransformer())
            self._lend_settings(frontend)
            with validated(kind, data):
                spectrograms = _check_spectrograms(frontend.fit_transform(data, y), data)
            # Only now: files that cannot be read leave an earlier fit as it was.
            self.frontend_ = frontend
        self.input_shape_ = spectrograms.shape[1:]
        return spectrograms

    def _lend_settings(self, frontend):
        """Let a front end that says nothing of its own work as this estimator does."""
        own = {} if self.frontend is None else self.frontend.get_params()
        known = frontend.get_params()
        for name in ("n_jobs", "verbose"):
            if name in known and not own.get(name):
                value = getattr(self, name)
                # Pipelines take True or False where others take a level.
                is_flag = isinstance(known[name], bool)
                frontend.set_params(**{name: bool(value) if is_flag else value})

    def _passes(self, X):
        """Yield the spectrograms of X, a bounded number at a time."""
        kind, data = validate_clips(self, X, reset=False)
        self._check_kind(kind, data)
        bytes_a_clip = np.dtype(np.float32).itemsize * math.prod(self.input_shape_)
        n_clips = CHUNK_SIZE * max(1, _BYTES_PER_PASS // (CHUNK_SIZE * bytes_a_clip))
        for first in range(0, len(data), n_clips):
            some = data[first : first + n_clips]
            yield some if kind == "spectrograms" else self._transform(kind, some)

    def _transform(self, kind, clips):
        with validated(kind, clips):
            return self.frontend_.transform(clips)

    def _check_kind(self, kind, data):
        """Insist that the front end there is, or none, takes such data."""
        if kind == "spectrograms":
            if data.shape[1:] != self.input_shape_:
                raise ValueError(
                    f"X holds spectrograms of shape {data.shape[1:]}, but "
                    f"{type(self).__name__} was fitted on {self.input_shape_} "
                    "(n_frames, n_bins)."
                )
        elif self.frontend_ is None:
            raise ValueError(
                f"This {type(self).__name__} was fitted on spectrograms and has no front end: "
                f"X must be an array of shape (n_clips, {self.input_shape_[0]}, "
                f"{self.input_shape_[1]})."
            )
        else:
            self._lend_settings(self.frontend_)

    # --- the network ---

    def _check_parameters(self):
        """Find what `_parameter_constraints` cannot, before any file is read."""
        self._network_options()
        compose(self.augment)
        resolve_device(self.device)
        if self.checkpoint is not None:
            check_place(self.checkpoint)

    def _conv_options(self):
        if self.kernel_size is not None and self.kernel_size % 2 == 0:
            raise ValueError(f"kernel_size must be odd, got {self.kernel_size}.")
        channels = as_integers("channels", self.channels)
        if channels == ():
            raise ValueError("channels must name at least one conv block, got an empty sequence.")
        return {"channels": channels, "kernel_size": self.kernel_size}

    def _new_recipe(self, network, n_outputs):
        """Return all that `build_network` needs: with the weights, it is the saved network."""
        return {
            "network": network,
            "input_shape": tuple(int(side) for side in self.input_shape_),
            "n_outputs": int(n_outputs),
            "options": self._network_options(),
        }

    def _n_held_out(self, n_clips, n_classes=2):
        """Return how many clips to hold out; 0 if too few would be held out, or left."""
        n_held_out = math.ceil(self.validation_fraction * n_clips)
        fewest = max(_FEWEST_VALIDATION_CLIPS, n_classes)
        is_sensible = fewest <= n_held_out <= n_clips - n_classes
        return n_held_out if self.early_stopping and is_sensible else 0

    def _resumable(self, spectrograms, targets=None, source=None):
        """Return the checkpoint of this very fit (None: none is kept), and its random state."""
        if self.checkpoint is None:
            return None, check_random_state(self.random_state)
        checkpoint = Checkpoint(
            self.checkpoint,
            self._fingerprint(spectrograms, targets, source),
            made_with={"torch": torch.__version__},
        )
        if self.random_state is not None:
            return checkpoint, check_random_state(self.random_state)
        if checkpoint.seed is None:
            checkpoint.seed = int(check_random_state(None).randint(2**31 - 1))
        return checkpoint, check_random_state(checkpoint.seed)

    def _fingerprint(self, spectrograms, targets, source):
        """Describe all that decides what a fit comes to."""
        device = resolve_device(self.device)
        parameters = {
            **self.get_params(deep=False),
            "device": torch.device(device).type,
            "precision": resolve_precision(self.precision, device),
        }
        fingerprint = {"estimator": type(self).__name__}
        for name, value in parameters.items():
            if name not in _WITHOUT_EFFECT:
                fingerprint[name] = _described(name, value)
        if source is not None:
            of_source = [describe(source._recipe), describe(get_weights(source.network_))]
            fingerprint["pretrained"] = digest_of(repr(of_source))
        if targets is not None:
            fingerprint["labels"] = describe_rows(targets)
        return {**fingerprint, "spectrograms": describe_rows(spectrograms, np.float32)}

    def _fit_network(
        self, network, recipe, examples, objective, seed, rows, checkpoint, n_frozen=0
    ):
        """Train a network, and keep what there is to know about it.

        `rows` are those to learn from and those to judge epochs by (or None).
        """
        plan = self._plan(len(rows[0]), has_validation=rows[1] is not None, n_frozen=n_frozen)
        with (
            progress_bar(plan.max_epochs, "Training", "epoch", self.verbose) as advance,
            steps_of_fit(
                self, plan.max_epochs, examples.inputs, self._labels_of(examples)
            ) as steps,
        ):

            def report(values):
                advance(1, **_in_short(values))
                return steps.tell("epoch", lambda: _as_fitted(network, recipe))

            run = TrainingRun(network, examples, objective, plan, *rows, seed)
            reached = train(run, report=report, checkpoint=checkpoint)
            self._recipe = recipe
            self.network_ = network
            self.history_ = reached.history
            self.n_epochs_ = reached.n_epochs
            self.best_epoch_ = reached.best_epoch

    def _labels_of(self, examples):
        """Return the labels that callbacks see."""
        return self.classes_[examples.targets] if hasattr(self, "classes_") else None

    def _plan(self, n_rows, *, has_validation, n_frozen):
        batch_size = self.batch_size
        if batch_size == "auto":
            batch_size = int(np.clip(n_rows // 16, 8, 64))
        max_epochs = self.max_epochs
        if max_epochs == "auto":
            # A network needs a number of steps to learn; many clips come by often enough.
            max_epochs = int(np.clip(_ENOUGH_STEPS * batch_size // n_rows, *_FEWEST_MOST_EPOCHS))
        patience = self.patience or -(-max_epochs // 2)
        device = resolve_device(self.device)
        frontend = getattr(self, "frontend_", None)
        of_cepstra = getattr(frontend, "features", None) == "mfcc"
        augment, mixup = compose(self.augment, of_cepstra=of_cepstra)
        return Plan(
            max_epochs=max_epochs,
            batch_size=batch_size,
            learning_rate=self.learning_rate,
            weight_decay=self.weight_decay,
            patience=patience if has_validation else None,
            device=device,
            precision=resolve_precision(self.precision, device),
            augment=augment,
            mixup=mixup,
            n_frozen=n_frozen,
        )

    def layer_outputs(self, X, n_layers=None):
        """Compute the outputs of the first layers of the fitted network.

        Parameters
        ----------
        X : files, waveforms or spectrograms
            As in `fit`.
        n_layers : int, default=None
            How many layers to go through; None is all of them.

        Returns
        -------
        outputs : ndarray of shape (n_clips, n_outputs), float32
            Flattened, one row per clip.

        Raises
        ------
        NotFittedError
            If the estimator is not fitted.
        """
        check_is_fitted(self)
        return np.concatenate([outputs for _, outputs in self._passes_through(X, n_layers)])

    def _passes_through(self, X, n_layers):
        """Yield the spectrograms of X and what the first layers make of them."""
        # A model goes where the device that it was trained on may not be.
        device = resolve_device(self.device, else_cpu=True)
        network = self.network_[:n_layers]
        if device != "cpu":
            # A copy: another thread that predicts may need the network where it is.
            network = copy.deepcopy(network).to(device)
        for spectrograms in self._passes(X):
            yield spectrograms, apply_network(network, spectrograms, device)

    def layer_size(self, n_layers):
        """Return the number of outputs of the first layers, for one clip.

        Parameters
        ----------
        n_layers : int
            How many layers.

        Returns
        -------
        n_outputs : int
            The length of a row of `layer_outputs`.

        Raises
        ------
        NotFittedError
            If the estimator is not fitted.
        """
        check_is_fitted(self)
        return apply_network(
            self.network_[:n_layers], np.zeros((1, *self.input_shape_)), "cpu"
        ).size

    @property
    def layer_names_(self):
        """Names of the layers of the network, first to last."""
        check_is_fitted(self)
        return layer_names(self.network_)

    def layer_summary(self):
        """Tell what the layers of the fitted network are.

        Returns
        -------
        layers : pandas.DataFrame
            One row a layer, first to last: its `name`; `output_shape` for one clip, (channels,
            frames, bins) or (units,); `n_parameters`, the numbers that it has learned.
        """
        import pandas as pd

        check_is_fitted(self)
        return pd.DataFrame(
            {
                "name": self.layer_names_,
                "output_shape": output_shapes(self.network_, self.input_shape_),
                "n_parameters": [
                    sum(weights.numel() for weights in layer.parameters())
                    for layer in self.network_
                ],
            }
        )

    def history_frame(self):
        """Return `history_` as a table.

        Returns
        -------
        history : pandas.DataFrame
            One row an epoch, counted from 1; the columns are the keys of `history_`.
        """
        import pandas as pd

        check_is_fitted(self)
        if not hasattr(self, "history_"):
            raise ValueError(
                f"This {type(self).__name__} was converted, and does not tell how it was trained."
            )
        epochs = pd.RangeIndex(1, self.n_epochs_ + 1, name="epoch")
        return pd.DataFrame(self.history_, index=epochs)

    # --- pickling: a description and arrays instead of a module ---

    def __getstate__(self):
        state = super().__getstate__()
        if "network_" in state:
            state = {**state, "network_": get_weights(state["network_"])}
        return state

    def __setstate__(self, state):
        super().__setstate__(state)
        if isinstance(self.__dict__.get("network_"), dict):
            self.network_ = restore_network(self.network_, self._recipe)

    @classmethod
    def _check_saved_state(cls, state):
        super()._check_saved_state(state)
        if "_recipe" not in state and "network_" not in state:
            return
        check_architecture(state["_recipe"])
        if state["input_shape_"] != tuple(state["_recipe"]["input_shape"]):
            raise ValueError("its input_shape_ is not that of its network")

    def __sklearn_tags__(self):
        tags = super().__sklearn_tags__()
        tags.input_tags.string = True
        tags.input_tags.three_d_array = True
        return tags


def with_explicit_part(estimator, params, name, default):
    """Add the default of a nested estimator that is None to `params` that set a part of it."""
    sets_part = any(key.startswith(f"{name}__") for key in params)
    if sets_part and params.get(name, getattr(estimator, name)) is None:
        return {**params, name: default()}
    return params


def _described(name, value):
    try:
        return describe(value)
    except (RecursionError, TypeError) as error:
        raise TypeError(f"A fit with a checkpoint must know {name} again: {error}.") from error


def _as_fitted(network, recipe):
    """Return what an estimator whose network is still trained needs to predict."""
    weights = get_weights(network)
    return {"_recipe": recipe, "network_": restore_network(weights, recipe)}


def _in_short(values):
    """Return what a progress bar shows of an epoch."""
    return {name: f"{value:.3f}" for name, value in values.items() if name != "learning_rate"}


def as_integers(name, values):
    """Return a tuple of positive integers, or None."""
    if values is None:
        return None
    if not all(isinstance(value, Integral) and value > 0 for value in values):
        raise ValueError(f"{name} must hold integers greater than 0, got {values!r}.")
    return tuple(int(value) for value in values)


def _check_spectrograms(spectrograms, clips):
    """Insist that a front end made one finite spectrogram a clip."""
    spectrograms = np.asarray(spectrograms)
    if spectrograms.ndim != 3 or len(spectrograms) != len(clips):
        raise ValueError(
            f"The front end must return an array of shape ({len(clips)}, n_frames, n_bins), "
            f"got {spectrograms.shape}."
        )
    if not all(np.isfinite(block).all() for block in blocks(spectrograms)):
        raise ValueError("The front end returned NaN or infinite values.")
    return spectrograms

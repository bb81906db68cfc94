"""NetworkEstimator: the base class of estimators that train a network on spectrograms."""

import copy
import os
from numbers import Integral, Real
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from sklearn.utils._param_validation import HasMethods, Interval, StrOptions
from sklearn.utils.validation import check_is_fitted
from torch import nn

from skdaf._core.estimator import Estimator, is_count
from skdaf._core.typing import Clips, DataFrame
from skdaf._estimators.callbacks import CallbackSupportMixin
from skdaf._estimators.frontend import FrontendMixin
from skdaf._estimators.parameters import conv_options
from skdaf._networks.building import (
    check_architecture,
    layer_names,
    output_shapes,
    restore_network,
)
from skdaf._networks.device import resolve_device
from skdaf._networks.inference import apply_network
from skdaf._networks.weights import get_weights
from skdaf._training.augmentation import AUGMENTATION_NAMES, compose
from skdaf._training.checkpoint import check_location


def _is_weights(value):
    """Return whether a value from a file is a dict of arrays of numbers."""
    return type(value) is dict and all(
        type(name) is str and isinstance(array, np.ndarray) and array.dtype.kind in "fi"
        for name, array in value.items()
    )


class NetworkEstimator(CallbackSupportMixin, FrontendMixin):
    """Base class of the estimators that train a network on the spectrograms of clips.

    A subclass stores the parameters named in `_parameter_constraints`. Its `fit` validates X,
    fits the front end, builds a network, and trains it with `fitting.train_network`; its
    predictions come from `layer_outputs`. Pickles and model files contain the network as arrays of
    weights and as `_architecture`, the arguments of `build_network`.
    """

    network_: nn.Sequential
    history_: dict[str, list[float]]
    n_epochs_: int
    best_epoch_: int
    n_clips_: int
    _architecture: dict[str, Any]

    #: Parameters that may be functions, which model files cannot contain.
    _callable_parameters = ("network", "loss", "optimizer", "augment")

    _saved_attributes = {
        **Estimator._saved_attributes,
        "frontend_": lambda value: value is None or hasattr(type(value), "transform"),
        "input_shape_": lambda value: type(value) is tuple,
        "network_": _is_weights,
        "_architecture": lambda value: type(value) is dict,
        "history_": lambda value: type(value) is dict,
        "n_epochs_": is_count,
        "best_epoch_": is_count,
        "n_clips_": is_count,
        "_optimizer_state": _is_weights,
    }

    _parameter_constraints = {
        "frontend": [HasMethods(["fit", "transform"]), None],
        "channels": ["array-like", None],
        "kernel_size": [Interval(Integral, 1, None, closed="left"), None],
        "max_epochs": [Interval(Integral, 1, None, closed="left"), StrOptions({"auto"})],
        "batch_size": [Interval(Integral, 2, None, closed="left"), StrOptions({"auto"})],
        "learning_rate": [Interval(Real, 0, None, closed="neither")],
        "weight_decay": [Interval(Real, 0, None, closed="left")],
        "augment": [StrOptions(set(AUGMENTATION_NAMES)), list, tuple, callable, None],
        "early_stopping": ["boolean"],
        "validation_fraction": [Interval(Real, 0, 1, closed="neither")],
        "patience": [Interval(Integral, 1, None, closed="left"), None],
        "device": [str, torch.device],
        "precision": [StrOptions({"auto", "float32", "bfloat16"})],
        "random_state": ["random_state"],
        "checkpoint": [str, os.PathLike, None],
        "n_jobs": [Integral, None],
        "verbose": ["verbose"],
        "warm_start": ["boolean"],
    }

    # --- what `fit` needs ---

    def _check_parameters(self):
        """Check what `_parameter_constraints` cannot express, before any file is read."""
        self._network_options()
        compose(self.augment)
        resolve_device(self.device)
        if self.checkpoint is not None:
            check_location(self.checkpoint)

    def _network_options(self):
        """Return the options of the network for `build_network`, checked."""
        return conv_options(self.channels, self.kernel_size)

    def _new_architecture(self, network, n_outputs):
        """Return the arguments of `build_network` for a new network."""
        return {
            "network": network,
            "input_shape": tuple(int(side) for side in self.input_shape_),
            "n_outputs": int(n_outputs),
            "options": self._network_options(),
        }

    # --- the fitted network ---

    def layer_outputs(self, X: Clips, n_layers: int | None = None) -> NDArray[np.float32]:
        """Compute the outputs of the first layers of the fitted network.

        Parameters
        ----------
        X : files, waveforms or spectrograms
            As in `fit`.
        n_layers : int, default=None
            Number of layers to apply. None applies all of them.

        Returns
        -------
        outputs : ndarray of shape (n_clips, n_outputs), float32
            Flattened, one row per clip.

        Raises
        ------
        NotFittedError
            If the estimator is not fitted.
        """
        if "network_" not in vars(self):  # the check itself takes long
            check_is_fitted(self)
        batches = [outputs for _, outputs in self._iterate_outputs(X, n_layers)]
        return batches[0] if len(batches) == 1 else np.concatenate(batches)

    def _iterate_outputs(self, X, n_layers):
        """Yield the spectrograms of X in batches, each with the outputs of the first layers."""
        # The machine that uses a model may lack the device that trained it.
        device = resolve_device(self.device, fallback_to_cpu=True)
        network = self.network_
        if device != "cpu":
            # A copy, because another thread may be predicting with the network on the CPU.
            network = copy.deepcopy(network).to(device)
        for spectrograms in self._iterate_spectrograms(X):
            yield spectrograms, apply_network(network, spectrograms, device, n_layers)

    def layer_size(self, n_layers: int) -> int:
        """Return the number of outputs of the first layers, for one clip.

        Parameters
        ----------
        n_layers : int
            Number of layers.

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
        spectrograms = np.zeros((1, *self.input_shape_))
        return apply_network(self.network_, spectrograms, "cpu", n_layers).size

    @property
    def layer_names_(self) -> list[str]:
        """Names of the layers of the network, first to last."""
        check_is_fitted(self)
        return layer_names(self.network_)

    def layer_summary(self) -> "DataFrame":
        """Return a table of the layers of the fitted network.

        Returns
        -------
        layers : pandas.DataFrame
            One row per layer, first to last, with the columns `name`; `output_shape` for one
            clip, (channels, frames, bins) or (units,); `n_parameters`, the number of its weights.
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

    def history_frame(self) -> "DataFrame":
        """Return `history_` as a table.

        Returns
        -------
        history : pandas.DataFrame
            One row per epoch, counted from 1; the columns are the keys of `history_`.
        """
        import pandas as pd

        check_is_fitted(self)
        if not hasattr(self, "history_"):
            raise ValueError(
                f"This {type(self).__name__} was converted from deep_audio_features: its training "
                "history is not known."
            )
        epochs = pd.RangeIndex(1, self.n_epochs_ + 1, name="epoch")
        return pd.DataFrame(self.history_, index=epochs)

    # --- pickles and model files: a description and arrays instead of a module ---

    def __getstate__(self) -> dict[str, Any]:
        state = super().__getstate__()
        if "network_" in state:
            state = {**state, "network_": get_weights(state["network_"])}
        return state

    def __setstate__(self, state: dict[str, Any]) -> None:
        super().__setstate__(state)
        weights = vars(self).get("network_")
        if isinstance(weights, dict):
            self.network_ = restore_network(weights, self._architecture)

    @classmethod
    def _check_saved_state(cls, state):
        super()._check_saved_state(state)
        for name in cls._callable_parameters:
            value = state.get(name)
            values = value if isinstance(value, (list, tuple)) else [value]
            if any(map(callable, values)):
                raise ValueError(f"a file may not contain code as {name}")
        if "_architecture" not in state and "network_" not in state:
            return
        check_architecture(state["_architecture"])
        if state["input_shape_"] != tuple(state["_architecture"]["input_shape"]):
            raise ValueError("its input_shape_ differs from that of its network")

    def __sklearn_tags__(self):
        tags = super().__sklearn_tags__()
        tags.input_tags.string = True
        tags.input_tags.three_d_array = True
        return tags

"""CNNAudioRegressor: predict numbers from clips with a convolutional network."""

from collections.abc import Callable, Sequence
from typing import Any, Literal, Self

import numpy as np
import torch
from numpy.typing import ArrayLike, NDArray
from sklearn.base import RegressorMixin
from sklearn.utils._param_validation import StrOptions
from sklearn.utils.validation import check_is_fitted
from torch import nn

from skdaf._core.estimator import is_flag, unchanged_on_error
from skdaf._core.public import public
from skdaf._core.typing import Clips, PathLike
from skdaf._core.validation import fit_context
from skdaf._estimators.continuing import has_network
from skdaf._estimators.numbers import (
    EncodedNumbers,
    encode_first_numbers,
    encode_known_numbers,
    encode_later_numbers,
    encode_numbers,
)
from skdaf._estimators.parameters import Augmentations
from skdaf._estimators.supervised import SupervisedEstimator
from skdaf._training.custom_loss import with_loss
from skdaf._training.objectives import regression


def _is_finite_vector(value):
    return isinstance(value, np.ndarray) and value.ndim == 1 and bool(np.isfinite(value).all())


@public
class CNNAudioRegressor(RegressorMixin, SupervisedEstimator):
    """Predict one or several numbers from each clip with a convolutional network.

    The network, the front end and the training are those of `CNNAudioClassifier`. Targets are
    standardized for training, and predictions are in their units.

    Parameters
    ----------
    frontend : transformer, default=None
        Turns clips into spectrograms of the same size, as in `CNNAudioClassifier`. Levels are
        relative to the loudest moment of each clip: a network cannot learn absolute loudness.
    network : {"cnn", "daf"} or callable, default="cnn"
        As in `CNNAudioClassifier`. The last layer returns one number per target.
    network_params : dict, default=None
        Arguments of a callable `network`, which you can also set as ``network__name``.
    channels : sequence of int, default=None
        Number of channels of each conv block. If None, the default of the network.
    kernel_size : int, default=None
        Side of the square convolution kernels; odd. If None, the default of the network.
    hidden_units : sequence of int, default=None
        Number of units of each hidden dense layer. If None, the default of the network.
    dropout : float, default=None
        Share of the inputs of each dense layer that is dropped in training. If None, the default
        of the network.
    n_networks : int, default=1
        Number of networks side by side, whose predictions are averaged.
    pretrained : FrozenEstimator, str or os.PathLike, default=None
        A fitted classifier, regressor or autoencoder, or the path of a saved one, whose layers the
        network starts from. Only the last layer is new (after an autoencoder, all dense layers).
        The front end and the sizes of the other layers are those of that network.
    frozen_layers : int or "conv", default=0
        Number of first layers of a pretrained network that keep their weights.
    loss : {"squared_error", "absolute_error"} or callable, default="squared_error"
        What training minimizes. "absolute_error" depends less on outliers. A callable is called
        with ``(outputs, targets)``, tensors of shape (n_clips, n_targets) with standardized
        values, and returns their mean loss as a scalar tensor.
    optimizer : {"adamw"} or callable, default="adamw"
        As in `CNNAudioClassifier`.
    max_epochs : int or "auto", default="auto"
        Maximum number of passes over the training clips; "auto" as in `CNNAudioClassifier`.
    batch_size : int or "auto", default="auto"
        Number of clips per step. "auto" is a sixteenth of the training clips, but between 8 and 64.
    learning_rate : float, default=3e-3
        Peak learning rate of the one-cycle schedule.
    weight_decay : float, default=1e-2
        Weight decay of the optimizer.
    augment : str, callable, or list of these, default=("zoom", "equalize", "mask")
        Random changes to the training clips, as in `CNNAudioClassifier`. Leave out what changes the
        target: "zoom" changes the speed, "equalize" the balance of low and high frequencies.
    early_stopping : bool or "auto", default="auto"
        Whether to hold out clips, stop when their loss has not improved for `patience` epochs, and
        keep the weights of the best epoch; "auto" as in `CNNAudioClassifier`.
    validation_fraction : float, default=0.1
        Share of the clips to hold out.
    patience : int, default=None
        Number of epochs without improvement after which training stops. If None, half of
        `max_epochs`.
    device : str or torch.device, default="auto"
        The torch device to use. "auto" uses CUDA if available, then MPS, then the CPU.
    precision : {"auto", "float32", "bfloat16"}, default="auto"
        Precision during training, as in `CNNAudioClassifier`.
    random_state : int, RandomState instance or None, default=None
        Determines the initial weights, the held-out clips, the order of the clips, dropout and
        augmentation. Pass an int for reproducible results.
    checkpoint : str or os.PathLike, default=None
        Where to save the state after each epoch, so that an interrupted fit can continue, as in
        `CNNAudioClassifier`.
    n_jobs : int, default=None
        Number of workers of the front end, unless the front end sets its own.
    verbose : int, default=0
        If 1, show progress bars.
    warm_start : bool, default=False
        Whether a further `fit` continues with the weights of the previous one, as in
        `CNNAudioClassifier`. The mean and the scale of the targets stay as they were, too.

    Attributes
    ----------
    frontend_ : transformer or None
        The fitted front end; None if X was an array of spectrograms.
    network_ : torch.nn.Sequential
        The trained network, on the CPU. Its outputs are standardized.
    layer_names_ : list of str
        Names of its layers, first to last.
    input_shape_ : tuple of (n_frames, n_bins)
        Size of the spectrograms.
    history_ : dict of lists
        One value per epoch: "learning_rate", "train_loss" and, if clips were held out,
        "valid_loss". Losses are those of standardized targets: always predicting the mean has a
        squared error of 1. Epochs of continued training are appended.
    n_epochs_ : int
        Number of epochs in `history_`.
    best_epoch_ : int
        The epoch whose weights were kept, counted from 1.
    n_clips_ : int
        Number of clips of the last `fit`, with those that were held out of X, and without those
        whose weight is 0. Calls of `partial_fit` add theirs.
    target_mean_ : ndarray of shape (n_targets,)
        Mean of each target in training, in its units.
    target_scale_ : ndarray of shape (n_targets,)
        Standard deviation of each target in training, in its units; 0 if it was constant.
    n_features_in_ : int
        Number of samples per waveform, if X was a two-dimensional array.
    feature_names_in_ : ndarray of shape (`n_features_in_`,)
        Names of the columns, if X was a table of samples whose columns have names.

    See Also
    --------
    CNNAudioClassifier : The same for classes; its page describes the parameters in detail.

    Examples
    --------
    >>> import numpy as np
    >>> from skdaf import CNNAudioRegressor
    >>> pitches = np.linspace(300, 3000, 40)  # Hz
    >>> times = np.arange(4000) / 16000
    >>> tones = np.sin(2 * np.pi * pitches[:, None] * times)
    >>> regressor = CNNAudioRegressor(augment=None, max_epochs=30, random_state=0)
    >>> bool(regressor.fit(tones, pitches).score(tones, pitches) > 0.9)
    True
    """

    _saved_attributes = {
        **SupervisedEstimator._saved_attributes,
        "_target_mean": _is_finite_vector,
        "_target_scale": _is_finite_vector,
        "_has_single_target": is_flag,
    }

    _parameter_constraints = {
        **SupervisedEstimator._parameter_constraints,
        "loss": [StrOptions({"squared_error", "absolute_error"}), callable],
    }

    def __init__(
        self,
        frontend: Any = None,
        *,
        network: Literal["cnn", "daf"] | Callable[..., nn.Module] = "cnn",
        network_params: dict[str, Any] | None = None,
        channels: Sequence[int] | None = None,
        kernel_size: int | None = None,
        hidden_units: Sequence[int] | None = None,
        dropout: float | None = None,
        n_networks: int = 1,
        pretrained: Any = None,
        frozen_layers: int | Literal["conv"] = 0,
        loss: Literal["squared_error", "absolute_error"]
        | Callable[..., torch.Tensor] = "squared_error",
        optimizer: Literal["adamw"] | Callable[..., torch.optim.Optimizer] = "adamw",
        max_epochs: int | Literal["auto"] = "auto",
        batch_size: int | Literal["auto"] = "auto",
        learning_rate: float = 3e-3,
        weight_decay: float = 1e-2,
        augment: Augmentations = ("zoom", "equalize", "mask"),
        early_stopping: bool | Literal["auto"] = "auto",
        validation_fraction: float = 0.1,
        patience: int | None = None,
        device: str | torch.device = "auto",
        precision: Literal["auto", "float32", "bfloat16"] = "auto",
        random_state: int | np.random.RandomState | None = None,
        checkpoint: PathLike | None = None,
        n_jobs: int | None = None,
        verbose: int = 0,
        warm_start: bool = False,
    ):
        self.frontend = frontend
        self.network = network
        self.network_params = network_params
        self.channels = channels
        self.kernel_size = kernel_size
        self.hidden_units = hidden_units
        self.dropout = dropout
        self.n_networks = n_networks
        self.pretrained = pretrained
        self.frozen_layers = frozen_layers
        self.loss = loss
        self.optimizer = optimizer
        self.max_epochs = max_epochs
        self.batch_size = batch_size
        self.learning_rate = learning_rate
        self.weight_decay = weight_decay
        self.augment = augment
        self.early_stopping = early_stopping
        self.validation_fraction = validation_fraction
        self.patience = patience
        self.device = device
        self.precision = precision
        self.random_state = random_state
        self.checkpoint = checkpoint
        self.n_jobs = n_jobs
        self.verbose = verbose
        self.warm_start = warm_start

    @fit_context(prefer_skip_nested_validation=False)
    def fit(
        self,
        X: Clips,
        y: ArrayLike,
        sample_weight: ArrayLike | None = None,
        *,
        groups: ArrayLike | None = None,
        X_val: Clips | None = None,
        y_val: ArrayLike | None = None,
    ) -> Self:
        """Train the network. The result does not depend on the order of the clips.

        Parameters
        ----------
        X : files, waveforms or spectrograms
            As in `CNNAudioClassifier.fit`.
        y : array-like of shape (n_clips,) or (n_clips, n_targets)
            One or several numbers for each clip.
        sample_weight : array-like of shape (n_clips,), default=None
            How often each clip takes part in training, as in `CNNAudioClassifier.fit`.
        groups : array-like of shape (n_clips,), default=None
            The group of each clip. If clips are held out, they are whole groups; if not, groups
            have no effect, and a warning says so.
        X_val, y_val : as X and y, default=None
            Clips for early stopping, instead of clips held out of X.

        Returns
        -------
        self : CNNAudioRegressor
            The fitted regressor.

        Raises
        ------
        AudioReadError
            If a file cannot be read; the error lists all such files. In that case, nothing is
            trained.
        ValueError
            If there are fewer than two clips, or if the loss becomes NaN or infinite.
        """
        with unchanged_on_error(self):
            return self._fit(X, y, sample_weight, groups, X_val, y_val)

    @fit_context(prefer_skip_nested_validation=False)
    def partial_fit(self, X: Clips, y: ArrayLike, sample_weight: ArrayLike | None = None) -> Self:
        """Train the network for one epoch on some clips, which may be new ones.

        It continues as `CNNAudioClassifier.partial_fit` does.

        The first call fixes the mean and the scale that targets are standardized with, so its
        targets should vary about as much as later ones.

        Parameters
        ----------
        X : files, waveforms or spectrograms
            As in `fit`; at least one clip.
        y : array-like of shape (n_clips,) or (n_clips, n_targets)
            One or several numbers for each clip.
        sample_weight : array-like of shape (n_clips,), default=None
            How often each clip takes part in training, as in `fit`.

        Returns
        -------
        self : CNNAudioRegressor
            The regressor itself.

        Raises
        ------
        AudioReadError
            If a file cannot be read. In that case, nothing changes.
        ValueError
            If the number of targets differs from that of an earlier call; if
            ``early_stopping=True``; or if parameters of the front end or the network have changed.

        Examples
        --------
        >>> import numpy as np
        >>> from skdaf import CNNAudioRegressor
        >>> pitches = np.linspace(300, 3000, 40)  # Hz
        >>> times = np.arange(4000) / 16000
        >>> tones = np.sin(2 * np.pi * pitches[:, None] * times)
        >>> regressor = CNNAudioRegressor(augment=None, random_state=0)
        >>> for _ in range(20):
        ...     regressor = regressor.partial_fit(tones, pitches)
        >>> regressor.n_epochs_, bool(regressor.score(tones, pitches) > 0.8)
        (20, True)
        """
        with unchanged_on_error(self):
            self._partial_fit(X, y, sample_weight)
        return self

    def predict(self, X: Clips) -> NDArray[np.float64]:
        """Predict the numbers of each clip.

        Parameters
        ----------
        X : files, waveforms or spectrograms
            As in `fit`.

        Returns
        -------
        y : ndarray of shape (n_clips,) or (n_clips, n_targets)
            In the units and with the dimensions of the `y` passed to `fit`.
        """
        return self._original_targets(self.layer_outputs(X).astype(np.float64))

    @property
    def target_mean_(self) -> NDArray[np.float64]:
        """Mean of each target in training."""
        check_is_fitted(self)
        return self._target_mean

    @property
    def target_scale_(self) -> NDArray[np.float64]:
        """Standard deviation of each target in training."""
        check_is_fitted(self)
        return self._target_scale

    def _encode_targets(self, y, n_clips, weights):
        return encode_numbers(y, n_clips, type(self).__name__, weights)

    def _encode_validation_targets(self, y_val, n_clips, encoded):
        return encode_known_numbers(y_val, encoded, n_clips, type(self).__name__)

    def _encode_same_targets(self, y, n_clips, weights):
        known = EncodedNumbers(None, self._target_mean, self._target_scale, self._has_single_target)
        return encode_later_numbers(y, known, n_clips, type(self).__name__)

    def _encode_partial_targets(self, y, n_clips, weights):
        if has_network(self):
            return self._encode_same_targets(y, n_clips, weights)
        return encode_first_numbers(y, n_clips, type(self).__name__, weights)

    def _set_targets(self, encoded):
        self._target_mean, self._target_scale = encoded.mean, encoded.scale
        self._has_single_target = encoded.is_single

    def _n_outputs(self):
        return len(self._target_mean)

    def _objective(self, encoded):
        if callable(self.loss):
            return with_loss(regression("squared_error"), self.loss, {})
        return regression(self.loss)

    def _original_targets(self, targets):
        """Return standardized targets in their units."""
        numbers = targets * self._target_scale + self._target_mean
        return numbers[:, 0] if self._has_single_target else numbers

    @classmethod
    def _check_saved_state(cls, state):
        super()._check_saved_state(state)
        architecture = state.get("_architecture")
        if architecture is None:
            return
        n_outputs = architecture["n_outputs"]
        if not len(state["_target_mean"]) == len(state["_target_scale"]) == n_outputs:
            raise ValueError("its network does not have one output per target")
        if state["_has_single_target"] and n_outputs != 1:
            raise ValueError("its network has several outputs, but a single target")

    def __sklearn_tags__(self):
        tags = super().__sklearn_tags__()
        tags.target_tags.multi_output = True
        # Some of scikit-learn's checks use waveforms of two samples, which are too short to learn.
        tags.regressor_tags.poor_score = True
        return tags

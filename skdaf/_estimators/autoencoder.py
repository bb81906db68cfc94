"""ConvAutoencoderEmbedder: embed clips without labels."""

from collections.abc import Sequence
from numbers import Integral
from typing import Any, Literal, Self

import numpy as np
import torch
from numpy.typing import ArrayLike, NDArray
from sklearn.base import TransformerMixin
from sklearn.utils._param_validation import Interval
from sklearn.utils.validation import check_is_fitted

from skdaf._audio.inputs import validate_clips
from skdaf._core.estimator import unchanged_on_error
from skdaf._core.public import public
from skdaf._core.typing import Clips, PathLike
from skdaf._core.validation import fit_context
from skdaf._estimators.base import NetworkEstimator
from skdaf._estimators.continuing import (
    check_same_frontend,
    continued_seed,
    is_continued,
    take_over_weights,
)
from skdaf._estimators.fitting import make_plan, train_network
from skdaf._estimators.parameters import Augmentations
from skdaf._estimators.resuming import open_checkpoint, random_state_of_fit
from skdaf._estimators.selection import ClipData, check_weights, content_order, select
from skdaf._networks.building import build_network
from skdaf._training.objectives import reconstruction
from skdaf._training.run import Examples, TrainingRun


@public
class ConvAutoencoderEmbedder(TransformerMixin, NetworkEstimator):
    """Embed audio clips with a convolutional autoencoder, without labels.

    An encoder of conv blocks reduces each spectrogram to a few small maps, from which a decoder
    reconstructs the spectrogram. Training makes the reconstruction as similar to the spectrogram as
    possible. The maps are the embedding.

    Parameters
    ----------
    frontend : transformer, default=None
        Turns clips into spectrograms of the same size, as in `CNNAudioClassifier`.
    n_channels : int, default=20
        Number of maps in the embedding. The size of the embedding is `n_channels` times the number
        of frames and bins after the pooling layers of the encoder. For example, four pooling layers
        reduce 43 frames and 40 bins to 2 and 2, so the embedding has 80 values. After `fit`, the
        embeddings of all clips have this size, for clips of any length.
    channels : sequence of int, default=(16, 32, 64, 128)
        Number of channels of each conv block of the encoder. Each block halves the number of frames
        and bins; the decoder mirrors the blocks.
    kernel_size : int, default=3
        Side of the square convolution kernels. Must be odd.
    max_epochs : int or "auto", default="auto"
        Maximum number of passes over the training clips; "auto" as in `CNNAudioClassifier`.
    batch_size : int or "auto", default="auto"
        Number of clips per step. "auto" is a sixteenth of the training clips, but between 8 and 64.
    learning_rate : float, default=3e-3
        Peak learning rate of the one-cycle schedule (AdamW).
    weight_decay : float, default=1e-2
        Weight decay of AdamW.
    augment : str, callable, or list of these, default=None
        Random changes to the spectrograms that the encoder receives, as in `CNNAudioClassifier`.
        The decoder must reconstruct the original spectrograms. If None, nothing is changed.
    early_stopping : bool, default=True
        Whether to hold out clips, stop when their loss has not improved for `patience` epochs,
        and keep the weights of the best epoch.
    validation_fraction : float, default=0.1
        Share of the clips to hold out. If this is fewer than ten clips, the network is trained on
        all clips.
    patience : int, default=None
        Number of epochs without improvement after which training stops. If None, half of
        `max_epochs`.
    device : str or torch.device, default="auto"
        The torch device to use. "auto" uses CUDA if available, then MPS, then the CPU.
    precision : {"auto", "float32", "bfloat16"}, default="auto"
        Precision during training. "auto" is bfloat16 on processors and CUDA devices that support it
        natively (faster, and as accurate in experiments), and float32 on others, including MPS.
        Weights and embeddings are always float32. Set it explicitly if different kinds of machines
        must train the same model.
    random_state : int, RandomState instance or None, default=None
        Determines the initial weights, the held-out clips, the order of the clips and augmentation.
        Pass an int for reproducible results.
    checkpoint : str or os.PathLike, default=None
        Where to save the state after each epoch, so that an interrupted fit can continue. A folder
        can contain the states of any number of fits, workers and processes; a file, whose name must
        end in ``.checkpoint``, contains the state of one fit. See Notes.
    n_jobs : int, default=None
        Number of workers of the front end, unless the front end sets its own.
    verbose : int, default=0
        If 1, show progress bars.
    warm_start : bool, default=False
        Whether a further `fit` continues with the weights of the previous one, with a new cycle of
        the learning rate. The front end stays as it was fitted.

    Attributes
    ----------
    frontend_ : transformer or None
        The fitted front end; None if X was an array of spectrograms.
    network_ : torch.nn.Sequential
        The trained network, on the CPU: the layers of the encoder, then those of the decoder.
    layer_names_ : list of str
        Names of its layers, first to last. The embedding is the output of "embedding".
    input_shape_ : tuple of (n_frames, n_bins)
        Size of the spectrograms.
    history_ : dict of lists
        One value per epoch: "learning_rate", "train_loss" and "valid_loss" (mean squared errors).
        Epochs of continued training are appended; values that some epochs lack are NaN.
    n_epochs_ : int
        Number of epochs in `history_`.
    best_epoch_ : int
        The epoch whose weights were kept, counted from 1.
    n_clips_ : int
        Number of clips of the last `fit`, with those that were held out of X, and without those
        whose weight is 0.
    n_features_in_ : int
        Number of samples per waveform, if X was a two-dimensional array.
    feature_names_in_ : ndarray of shape (`n_features_in_`,)
        Names of the columns, if X was a table of samples whose columns have names.

    See Also
    --------
    CNNFeatureExtractor : Features from a network that was trained with labels.

    Notes
    -----
    If a fit with a `checkpoint` is interrupted, call `fit` again with the same clips and
    parameters: it continues where it stopped, and ends with exactly the weights of an uninterrupted
    fit. In a folder, each different fit has its own file. If a file belongs to a different fit, an
    error says what differs. A finished fit is loaded immediately, even with ``random_state=None``,
    because its seed is stored too. A function passed as `augment` is identified by its own code,
    not by the code that it calls.

    References
    ----------
    .. [1] J. Masci et al., "Stacked convolutional auto-encoders for hierarchical feature
       extraction", ICANN 2011.

    Examples
    --------
    >>> import tempfile
    >>> from skdaf import ConvAutoencoderEmbedder
    >>> from skdaf.datasets import make_audio_dataset
    >>> folder = tempfile.TemporaryDirectory()
    >>> sounds = make_audio_dataset(folder.name, n_clips_per_class=4)
    >>> embedder = ConvAutoencoderEmbedder(channels=(8, 8, 8), max_epochs=2, random_state=0)
    >>> embedder.set_params(frontend__n_frames=32).fit_transform(sounds.filenames).shape
    (12, 400)
    >>> folder.cleanup()
    """

    _parameter_constraints = {
        **NetworkEstimator._parameter_constraints,
        "n_channels": [Interval(Integral, 1, None, closed="left")],
    }

    def __init__(
        self,
        frontend: Any = None,
        *,
        n_channels: int = 20,
        channels: Sequence[int] | None = (16, 32, 64, 128),
        kernel_size: int | None = 3,
        max_epochs: int | Literal["auto"] = "auto",
        batch_size: int | Literal["auto"] = "auto",
        learning_rate: float = 3e-3,
        weight_decay: float = 1e-2,
        augment: Augmentations = None,
        early_stopping: bool = True,
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
        self.n_channels = n_channels
        self.channels = channels
        self.kernel_size = kernel_size
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
    def fit(self, X: Clips, y: object = None, sample_weight: ArrayLike | None = None) -> Self:
        """Train the autoencoder. The result does not depend on the order of the clips.

        Parameters
        ----------
        X : files, waveforms or spectrograms
            As in `CNNAudioClassifier.fit`.
        y : None
            Ignored.
        sample_weight : array-like of shape (n_clips,), default=None
            How often each clip takes part in training, as in `CNNAudioClassifier.fit`.

        Returns
        -------
        self : ConvAutoencoderEmbedder
            The fitted embedder.

        Raises
        ------
        AudioReadError
            If a file cannot be read; the error lists all such files. In that case, nothing is
            trained.
        ValueError
            If there are fewer than two clips, or if the loss becomes NaN or infinite.
        """
        with unchanged_on_error(self):
            return self._fit(X, sample_weight)

    def _fit(self, X, sample_weight):
        self._check_parameters()
        continued = is_continued(self)
        kind, clips = validate_clips(self, X, reset=not continued)
        weights = check_weights(sample_weight, clips)
        data = ClipData(clips, None, None, weights, None).without_zeros()
        if len(data.clips) < 2:
            raise ValueError(
                f"{type(self).__name__} needs at least 2 clips to train on, got 1 sample."
            )
        if continued:
            check_same_frontend(self)
            spectrograms = self._apply_frontend(kind, data.clips)
        else:
            spectrograms = self._fit_frontend(kind, data.clips)
        checkpoint = open_checkpoint(self, spectrograms, weights=data.weights)
        rng = random_state_of_fit(self, checkpoint)
        chosen = select(self, content_order(spectrograms), rng, data)
        architecture = self._new_architecture("autoencoder", self.n_channels)
        seed = int(rng.randint(2**31 - 1))
        network = build_network(**architecture, seed=seed)
        if continued:
            take_over_weights(self, network, architecture)
            seed = continued_seed(self, seed)
        run = TrainingRun(
            network,
            Examples(spectrograms, spectrograms),
            reconstruction(),
            make_plan(self, len(chosen.train_rows), chosen.validation_rows is not None),
            chosen.train_rows,
            chosen.validation_rows,
            seed,
            train_weights=chosen.train_weights,
        )
        train_network(self, run, architecture, checkpoint, is_continued=continued)
        return self

    def transform(self, X: Clips) -> NDArray[np.float32]:
        """Embed clips.

        Parameters
        ----------
        X : files, waveforms or spectrograms
            As in `fit`.

        Returns
        -------
        embeddings : ndarray of shape (n_clips, n_features_out), float32
            The maps of each clip, flattened map by map.
        """
        check_is_fitted(self)
        return self.layer_outputs(X, self._n_encoder_layers)

    def reconstruct(self, X: Clips) -> NDArray[np.float32]:
        """Reconstruct the spectrograms of clips from their embeddings.

        Parameters
        ----------
        X : files, waveforms or spectrograms
            As in `fit`.

        Returns
        -------
        spectrograms : ndarray of shape (n_clips, n_frames, n_bins), float32
            Comparable with ``frontend_.transform(X)``.
        """
        check_is_fitted(self)
        return self.layer_outputs(X).reshape(-1, *self.input_shape_)

    def score(self, X: Clips, y: object = None, sample_weight: ArrayLike | None = None) -> float:
        """Return the negative mean squared error of the reconstructions: higher is better.

        Parameters
        ----------
        X : files, waveforms or spectrograms
            As in `fit`.
        y : None
            Ignored.
        sample_weight : array-like of shape (n_clips,), default=None
            The weight of each clip in the mean.

        Returns
        -------
        score : float
            At most zero.
        """
        check_is_fitted(self)
        errors = [
            ((outputs.reshape(spectrograms.shape) - spectrograms) ** 2).mean(axis=(1, 2))
            for spectrograms, outputs in self._iterate_outputs(X, None)
        ]
        of_clips = np.concatenate(errors).astype(np.float64)
        return -float(np.average(of_clips, weights=check_weights(sample_weight, of_clips)))

    def get_feature_names_out(self, input_features: object = None) -> NDArray[np.object_]:
        """Return the names of the values of an embedding: ``embedding_0``, ``embedding_1`` ...

        Parameters
        ----------
        input_features : None
            Ignored.

        Returns
        -------
        names : ndarray of str objects
            One name per column of what `transform` returns.
        """
        check_is_fitted(self)
        n_outputs = self.layer_size(self._n_encoder_layers)
        return np.array([f"embedding_{index}" for index in range(n_outputs)], dtype=object)

    @property
    def _n_encoder_layers(self):
        return self.layer_names_.index("embedding") + 1

    def __sklearn_tags__(self):
        tags = super().__sklearn_tags__()
        tags.transformer_tags.preserves_dtype = []
        return tags

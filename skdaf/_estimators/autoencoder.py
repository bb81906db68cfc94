"""ConvAutoencoderEmbedder: embeddings of clips without labels."""

from numbers import Integral

import numpy as np
from sklearn.base import TransformerMixin
from sklearn.utils._param_validation import Interval
from sklearn.utils.validation import check_is_fitted

from skdaf._audio.inputs import validate_clips
from skdaf._core.public import public
from skdaf._core.validation import fit_context
from skdaf._estimators.base import NetworkEstimator
from skdaf._networks.building import build_network
from skdaf._training.objectives import reconstruction
from skdaf._training.run import Examples


@public
class ConvAutoencoderEmbedder(TransformerMixin, NetworkEstimator):
    """Embed audio clips with a convolutional autoencoder, without labels.

    An encoder of conv blocks squeezes each spectrogram into a few small maps, a decoder draws it
    again from them, and both are trained to make the drawing alike. The maps are the embedding.

    Parameters
    ----------
    frontend : transformer, default=None
        What turns clips into spectrograms of one size, as in `CNNAudioClassifier`.
    n_channels : int, default=10
        Number of maps in the embedding. Its size is `n_channels` times the frames and bins that
        are left after the encoder's poolings: of 43 frames and 64 bins, four poolings leave 2 and
        4, and the embedding has 80 values. Once fitted, all clips have embeddings of that size,
        however long they are.
    channels : sequence of int, default=(16, 32, 64, 128)
        Channels of the encoder's conv blocks, each of which halves frames and bins; the decoder
        mirrors them.
    kernel_size : int, default=3
        Side of the square convolution kernels, odd.
    max_epochs : int or "auto", default="auto"
        Number of passes over the training clips; "auto" as in `CNNAudioClassifier`.
    batch_size : int or "auto", default="auto"
        Clips a step. "auto" is a sixteenth of the training clips, within 8 and 64.
    learning_rate : float, default=3e-3
        Highest learning rate of the cycle (AdamW).
    weight_decay : float, default=1e-2
        Weight decay of AdamW.
    augment : str, callable, or list of these, default=None
        Random changes to the spectrograms that the encoder sees, as in `CNNAudioClassifier`; the
        decoder is asked for the unchanged ones.
    early_stopping : bool, default=True
        Whether to hold out clips, stop when their loss has not improved for `patience` epochs,
        and keep the best epoch.
    validation_fraction : float, default=0.1
        Share of the clips to hold out; with fewer than ten to hold out all are trained on.
    patience : int, default=None
        Epochs without improvement before training stops; None is half of `max_epochs`.
    device : str or torch.device, default="auto"
        Where to compute. "auto" is CUDA, then MPS, then the CPU.
    precision : {"auto", "float32", "bfloat16"}, default="auto"
        What training computes in. "auto" is bfloat16 on processors that have instructions for it
        (quicker, and as accurate in trials), float32 elsewhere. Weights and predictions are
        float32 in any case. Other precisions give other, equally good weights: name one where
        several kinds of machines must agree.
    random_state : int, RandomState instance or None, default=None
        Decides initial weights, held-out clips, order and augmentation.
    checkpoint : str or os.PathLike, default=None
        Where to keep what there is after each epoch, so that a fit that was killed goes on from
        there: a folder, in which any number of fits, workers and processes may keep theirs, or a
        file for one fit, by a name that ends in ``.checkpoint``. See the notes.
    n_jobs : int, default=None
        Workers of a front end that does not set its own.
    verbose : int, default=0
        1 shows progress bars.

    Attributes
    ----------
    frontend_ : transformer or None
        The fitted front end; None after a fit on spectrograms.
    network_ : torch.nn.Sequential
        The trained network, on the CPU: the encoder's layers, then the decoder's.
    layer_names_ : list of str
        Names of its layers, first to last. The embedding is the output of "embedding".
    input_shape_ : tuple of (n_frames, n_bins)
        Size of the spectrograms.
    history_ : dict of lists
        One value an epoch: "learning_rate", "train_loss" and "valid_loss" (mean squared errors).
    n_epochs_ : int
        Number of epochs run.
    best_epoch_ : int
        The epoch whose weights were kept, counted from 1.
    n_features_in_ : int
        Number of samples of a waveform, when fitted on a two-dimensional array.
    feature_names_in_ : ndarray of shape (`n_features_in_`,)
        Names of the columns, when fitted on a table of samples whose columns have names.

    See Also
    --------
    CNNFeatureExtractor : Features from a network trained with labels.

    Notes
    -----
    With `checkpoint` a fit on the same clips with the same parameters goes on where an
    earlier one was killed, and ends with the bytes of an undisturbed one. In a folder a fit that
    differs has a file of its own; a file of another fit is an error that says what differs. Once
    finished, a fit is there at once, also with ``random_state=None``, whose seed is kept. A
    function as `augment` is known again by its code, not by what it calls.

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
    (12, 320)
    >>> folder.cleanup()
    """

    _parameter_constraints = {
        **NetworkEstimator._parameter_constraints,
        "n_channels": [Interval(Integral, 1, None, closed="left")],
    }

    def __init__(
        self,
        frontend=None,
        *,
        n_channels=10,
        channels=(16, 32, 64, 128),
        kernel_size=3,
        max_epochs="auto",
        batch_size="auto",
        learning_rate=3e-3,
        weight_decay=1e-2,
        augment=None,
        early_stopping=True,
        validation_fraction=0.1,
        patience=None,
        device="auto",
        precision="auto",
        random_state=None,
        checkpoint=None,
        n_jobs=None,
        verbose=0,
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

    @fit_context(prefer_skip_nested_validation=False)
    def fit(self, X, y=None):
        """Train the autoencoder.

        Parameters
        ----------
        X : files, waveforms or spectrograms
            As in `CNNAudioClassifier.fit`.
        y : None
            Ignored.

        Returns
        -------
        self : ConvAutoencoderEmbedder
            The fitted embedder.

        Raises
        ------
        AudioReadError
            If a file cannot be read; it names all such files. Nothing is trained then.
        ValueError
            If there are fewer than two clips, or if the loss stops being a number.
        """
        self._check_parameters()
        kind, data = validate_clips(self, X, reset=True)
        if len(data) < 2:
            raise ValueError(
                f"{type(self).__name__} needs at least 2 clips to train on, got 1 sample."
            )
        spectrograms = self._fit_spectrograms(kind, data)
        checkpoint, rng = self._resumable(spectrograms)
        rows = self._split(len(data), rng)
        recipe = self._new_recipe("autoencoder", self.n_channels)
        seed = int(rng.randint(2**31 - 1))
        self._fit_network(
            build_network(**recipe, seed=seed),
            recipe,
            Examples(spectrograms, spectrograms),
            reconstruction(),
            seed,
            rows,
            checkpoint,
        )
        return self

    def _split(self, n_clips, rng):
        """Return the rows to learn from, and those to judge epochs by (None: too few clips)."""
        rows = rng.permutation(n_clips)
        n_held_out = self._n_held_out(n_clips)
        return (rows[n_held_out:], rows[:n_held_out]) if n_held_out else (rows, None)

    def transform(self, X):
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

    def reconstruct(self, X):
        """Draw the spectrograms of clips again from their embeddings.

        Parameters
        ----------
        X : files, waveforms or spectrograms
            As in `fit`.

        Returns
        -------
        spectrograms : ndarray of shape (n_clips, n_frames, n_bins), float32
            To be compared with ``frontend_.transform(X)``.
        """
        check_is_fitted(self)
        return self.layer_outputs(X).reshape(-1, *self.input_shape_)

    def score(self, X, y=None):
        """Return minus the mean squared error of the reconstructions: more is better.

        Parameters
        ----------
        X : files, waveforms or spectrograms
            As in `fit`.
        y : None
            Ignored.

        Returns
        -------
        score : float
            Zero at best.
        """
        check_is_fitted(self)
        errors = [
            ((outputs.reshape(spectrograms.shape) - spectrograms) ** 2).mean(axis=(1, 2))
            for spectrograms, outputs in self._passes_through(X, None)
        ]
        return -float(np.concatenate(errors).mean(dtype=np.float64))

    def get_feature_names_out(self, input_features=None):
        """Name the values of an embedding ``embedding_0``, ``embedding_1`` and so on.

        Parameters
        ----------
        input_features : None
            Ignored.

        Returns
        -------
        names : ndarray of str objects
            One a column of what `transform` returns.
        """
        check_is_fitted(self)
        n_outputs = self.layer_size(self._n_encoder_layers)
        return np.array([f"embedding_{index}" for index in range(n_outputs)], dtype=object)

    @property
    def _n_encoder_layers(self):
        return self.layer_names_.index("embedding") + 1

    def _network_options(self):
        return self._conv_options()

    def __sklearn_tags__(self):
        tags = super().__sklearn_tags__()
        tags.transformer_tags.preserves_dtype = []
        return tags

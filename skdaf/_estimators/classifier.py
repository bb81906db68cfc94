"""CNNAudioClassifier: a convolutional network on labelled clips."""

import os
from numbers import Integral, Real

import numpy as np
from scipy.special import softmax
from sklearn.base import ClassifierMixin
from sklearn.model_selection import train_test_split
from sklearn.utils import column_or_1d
from sklearn.utils._param_validation import HasMethods, Interval, StrOptions
from sklearn.utils.class_weight import compute_class_weight
from sklearn.utils.multiclass import check_classification_targets
from sklearn.utils.validation import (
    assert_all_finite,
    check_is_fitted,
)
from torch import nn

from skdaf._audio.inputs import validate_clips
from skdaf._core.arrays import as_array
from skdaf._core.public import public
from skdaf._core.validation import fit_context
from skdaf._estimators.base import NetworkEstimator, as_integers
from skdaf._estimators.fitted import resolve_frozen
from skdaf._networks.building import NETWORKS, build_network, layer_names
from skdaf._networks.transfer import count_conv_layers, is_autoencoder, transferred_architecture
from skdaf._networks.weights import copy_layers
from skdaf._training.objectives import classification
from skdaf._training.run import Examples


@public
class CNNAudioClassifier(ClassifierMixin, NetworkEstimator):
    """Classify audio clips with a convolutional network on their spectrograms.

    A scikit-learn classifier whose X is a list of audio files: it composes with pipelines,
    searches and cross-validation, and is saved with `joblib.dump`. Training uses up to two
    cores, and the same seed gives the same model whatever the number of cores or workers; searches
    and cross-validation use more through their own `n_jobs`.

    Parameters
    ----------
    frontend : transformer, default=None
        What turns clips into spectrograms of one size: a `SpectrogramTransformer`, or any
        transformer that returns an array of shape (n_clips, n_frames, n_bins). None is
        ``SpectrogramTransformer()``, whose parameters can be set all the same, as
        ``frontend__n_mels`` and so on.
    network : {"cnn", "daf"} or callable, default="cnn"
        "cnn": conv blocks, a mean over time, dense blocks. Small (160,000 weights with 64 bins,
        whatever the clips' length) and quick. "daf": the layout of deep_audio_features, which
        flattens instead: several millions of weights, several times slower. A callable gets
        ``(input_shape, n_outputs, channels=, kernel_size=, hidden_units=, dropout=)`` and returns
        an `nn.Sequential` of layers for input of shape (n_clips, 1, n_frames, n_bins), the last
        of which gives logits.
    channels : sequence of int, default=None
        Channels of the conv blocks, one block each. None is (16, 32, 64, 128) for "cnn" and
        (32, 64, 128, 256) for "daf". Time grows with the product of neighbours.
    kernel_size : int, default=None
        Side of the square convolution kernels, odd. None is 3 for "cnn" and 5 for "daf".
    hidden_units : sequence of int, default=None
        Units of the dense blocks before the output. None is (128,) for "cnn" and (1024, 256) for
        "daf".
    dropout : float, default=None
        Share of the inputs of each dense layer that is dropped while training. None is 0.3 for
        "cnn"; "daf" drops 0.75 and 0.5 before its hidden layers.
    pretrained : FrozenEstimator, str or os.PathLike, default=None
        A fitted `CNNAudioClassifier` or `ConvAutoencoderEmbedder` to start from, as
        ``sklearn.frozen.FrozenEstimator(fitted)`` or as the path of a file written by
        `save_model`. Front end and network are taken from it, with their weights; only the
        output layer is new. Of an autoencoder the encoder becomes the conv layers, and
        `hidden_units` and `dropout` say what follows; otherwise these, `network`, `channels` and
        `kernel_size` are not used.
    frozen_layers : int or "conv", default=0
        How many layers, from the first on, keep exactly what they have learned before, running
        statistics included; "conv" is all before the first dense one. Needs `pretrained`.
    max_epochs : int or "auto", default="auto"
        Number of passes over the training clips. "auto" makes about 1000 steps of them: 10 epochs
        for very many clips, 25 for some thousands, up to 100 for very few. The learning rate
        follows one cycle over all of them: it rises in the first quarter, then falls to zero.
    batch_size : int or "auto", default="auto"
        Clips a step. "auto" is a sixteenth of the training clips, within 8 and 64.
    learning_rate : float, default=3e-3
        Highest learning rate of the cycle (AdamW).
    weight_decay : float, default=1e-2
        Weight decay of AdamW.
    label_smoothing : float, default=0.1
        Share of the target that is spread evenly over all classes. It helps generalization and
        makes the probabilities less extreme.
    class_weight : dict, "balanced" or None, default=None
        Weights of the classes in the loss, as in scikit-learn.
    augment : str, callable, or list of these, default=("zoom", "equalize", "mask")
        Random changes to the training clips, in turn. "zoom" shows a part of a clip or draws its
        edges out; "equalize" bends the levels over frequency as another microphone or room does
        [2]_; "mask" blanks a band and a span of time (SpecAugment [3]_); "shift" and "stretch"
        move and stretch time, "warp" stretches frequency, "noise" adds noise; "mixup" blends clips
        in pairs, and their labels [4]_. With a front end of MFCC, which are no levels of
        frequencies, "equalize" and "warp" are left out. A function takes (batch, generator), where
        the batch is a tensor of shape (n_clips, n_frames, n_bins), and returns another. None
        changes nothing.
    early_stopping : bool, default=True
        Whether to hold out clips, stop when their loss has not improved for `patience` epochs,
        and keep the best epoch. With fewer than ten clips to hold out, or a class of one clip,
        all clips are trained on for all epochs.
    validation_fraction : float, default=0.1
        Share of the clips to hold out, stratified by class.
    patience : int, default=None
        Epochs without improvement before training stops. None is half of `max_epochs`: with less,
        noise may stop a fit before the learning rate has come down.
    device : str or torch.device, default="auto"
        Where to compute. "auto" is CUDA, then MPS, then the CPU.
    precision : {"auto", "float32", "bfloat16"}, default="auto"
        What training computes in. "auto" is bfloat16 on processors that have instructions for it
        (quicker, and as accurate in trials), float32 elsewhere. Weights and predictions are
        float32 in any case. Other precisions give other, equally good weights: name one where
        several kinds of machines must agree.
    random_state : int, RandomState instance or None, default=None
        Decides initial weights, held-out clips, order, dropout and augmentation. NumPy's and
        torch's global generators are left alone.
    checkpoint : str or os.PathLike, default=None
        Where to keep what there is after each epoch, so that a fit that was killed goes on from
        there: a folder, in which any number of fits, workers and processes may keep theirs, or a
        file for one fit, by a name that ends in ``.checkpoint``. See the notes.
    n_jobs : int, default=None
        Workers of a front end that does not set its own.
    verbose : int, default=0
        1 shows progress bars: clips while reading, epochs with their losses and scores.

    Attributes
    ----------
    classes_ : ndarray of shape (n_classes,)
        The labels, sorted.
    frontend_ : transformer or None
        The fitted front end; None after a fit on spectrograms.
    network_ : torch.nn.Sequential
        The trained network, on the CPU.
    layer_names_ : list of str
        Names of its layers, first to last.
    input_shape_ : tuple of (n_frames, n_bins)
        Size of the spectrograms.
    history_ : dict of lists
        One value an epoch: "learning_rate" at its start, "train_loss", "train_score" (accuracy)
        and, where clips were held out, "valid_loss" and "valid_score". With augmentation the
        former two are of the changed clips, and so the worse ones.
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
    SpectrogramTransformer : The front end by itself.

    Notes
    -----
    Interrupting a fit (ctrl-C) after its first epoch keeps the best one so far and returns a usable
    model, with a warning; a search around it goes on with that. A second interruption within 10
    seconds stops everything.

    With `checkpoint` a fit on the same clips and labels with the same parameters goes on where an
    earlier one was killed, and ends with the bytes of an undisturbed one. In a folder a fit that
    differs has a file of its own; a file of another fit is an error that says what differs. Once
    finished, a fit is there at once, also with ``random_state=None``, whose seed is kept. Functions
    (`network`, `augment`) are known again by their code, not by what they call.

    Pickles hold a description of the network and plain arrays, no torch objects.

    References
    ----------
    .. [1] L. Smith and N. Topin, "Super-convergence: very fast training of neural networks using
       large learning rates", 2018.
    .. [2] H. Nam, S.-H. Kim and Y.-H. Park, "FilterAugment: An acoustic environmental data
       augmentation method", ICASSP 2022.
    .. [3] D. Park et al., "SpecAugment", Interspeech 2019.
    .. [4] H. Zhang et al., "mixup: Beyond empirical risk minimization", ICLR 2018.

    Examples
    --------
    >>> import tempfile
    >>> from skdaf import CNNAudioClassifier
    >>> from skdaf.datasets import make_audio_dataset
    >>> folder = tempfile.TemporaryDirectory()
    >>> sounds = make_audio_dataset(
    ...     folder.name, classes=["low_tone", "high_tone"], n_clips_per_class=10
    ... )
    >>> classifier = CNNAudioClassifier(max_epochs=8, random_state=0)
    >>> classifier = classifier.fit(sounds.filenames, sounds.target)
    >>> float(classifier.score(sounds.filenames, sounds.target))
    1.0
    >>> classifier.layer_names_
    ['conv1', 'conv2', 'conv3', 'conv4', 'dense1', 'output']
    >>> folder.cleanup()
    """

    _path_parameters = ("pretrained",)

    _saved_attributes = {
        **NetworkEstimator._saved_attributes,
        "classes_": lambda value: isinstance(value, np.ndarray) and value.ndim == 1,
    }

    _parameter_constraints = {
        **NetworkEstimator._parameter_constraints,
        "network": [StrOptions(set(NETWORKS)), callable],
        "hidden_units": ["array-like", None],
        "dropout": [Interval(Real, 0, 1, closed="left"), None],
        "pretrained": [HasMethods(["predict"]), HasMethods(["transform"]), str, os.PathLike, None],
        "frozen_layers": [Interval(Integral, 0, None, closed="left"), StrOptions({"conv"})],
        "label_smoothing": [Interval(Real, 0, 1, closed="left")],
        "class_weight": [dict, StrOptions({"balanced"}), None],
    }

    def __init__(
        self,
        frontend=None,
        *,
        network="cnn",
        channels=None,
        kernel_size=None,
        hidden_units=None,
        dropout=None,
        pretrained=None,
        frozen_layers=0,
        max_epochs="auto",
        batch_size="auto",
        learning_rate=3e-3,
        weight_decay=1e-2,
        label_smoothing=0.1,
        class_weight=None,
        augment=("zoom", "equalize", "mask"),
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
        self.network = network
        self.channels = channels
        self.kernel_size = kernel_size
        self.hidden_units = hidden_units
        self.dropout = dropout
        self.pretrained = pretrained
        self.frozen_layers = frozen_layers
        self.max_epochs = max_epochs
        self.batch_size = batch_size
        self.learning_rate = learning_rate
        self.weight_decay = weight_decay
        self.label_smoothing = label_smoothing
        self.class_weight = class_weight
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
    def fit(self, X, y):
        """Train the network.

        Parameters
        ----------
        X : files, waveforms or spectrograms
            A sequence of paths or `Clip`, a table with a column `path` (and optionally `start`
            and `end` in seconds), a list of ``(samples, sampling_rate)`` pairs, an array or tensor
            of shape (n_clips, n_samples), a list of one-dimensional ones, or spectrograms of
            shape (n_clips, n_frames, n_bins), which skip the front end.
        y : array-like of shape (n_clips,)
            The label of each clip: strings, numbers, booleans.

        Returns
        -------
        self : CNNAudioClassifier
            The fitted classifier.

        Raises
        ------
        AudioReadError
            If a file cannot be read; it names all such files. Nothing is trained then.
        ValueError
            If there are fewer than two classes, or if the loss stops being a number.
        """
        self._check_parameters()
        kind, data = validate_clips(self, X, reset=True)
        classes, targets, weights = self._check_labels(y, len(data))
        source = self._source()
        spectrograms = self._fit_spectrograms(kind, data, y, source)
        checkpoint, rng = self._resumable(spectrograms, targets, source)
        rows = self._split(targets, rng)
        self.classes_ = classes
        seed = int(rng.randint(2**31 - 1))
        recipe = self._recipe_from(source)
        network = build_network(**recipe, seed=seed)
        if source is not None:
            _copy_source(source, network)
        self._fit_network(
            network,
            recipe,
            Examples(spectrograms, targets),
            classification(weights, self.label_smoothing),
            seed,
            rows,
            checkpoint,
            n_frozen=self._n_frozen(network),
        )
        return self

    def _check_labels(self, y, n_clips):
        """Return the classes, the labels as numbers, and the weight of each class."""
        if y is None:
            raise ValueError(
                f"{type(self).__name__} requires y to be passed, but the target y is None."
            )
        y = column_or_1d(as_array(y), warn=True)
        assert_all_finite(y, input_name="y")
        check_classification_targets(y)
        if len(y) != n_clips:
            raise ValueError(
                f"Found input variables with inconsistent numbers of samples: {[n_clips, len(y)]}"
            )
        classes, targets = np.unique(y, return_inverse=True)
        if len(classes) < 2:
            raise ValueError(
                f"{type(self).__name__} needs clips of at least 2 classes, but the data holds "
                f"only one class: {classes.tolist()[0]!r}."
            )
        weights = compute_class_weight(self.class_weight, classes=classes, y=y)
        # So that clips weigh one on average, blended labels or not.
        weights = weights / weights[targets].mean()
        return classes, targets.astype(np.int64), weights.astype(np.float32)

    def _split(self, targets, rng):
        """Return the rows to learn from, and those to judge epochs by (None: too few clips)."""
        rows = np.arange(len(targets))
        counts = np.bincount(targets)
        n_held_out = self._n_held_out(len(targets), len(counts))
        if n_held_out == 0 or counts.min() < 2:
            return rows, None
        return train_test_split(rows, test_size=n_held_out, stratify=targets, random_state=rng)

    # --- the network, new or from a source ---

    def _check_parameters(self):
        super()._check_parameters()
        if isinstance(self.network, nn.Module):
            raise TypeError(
                f"network is a {type(self.network).__name__}, a network that is built already: "
                "expected 'cnn', 'daf' or a function that builds a new one for each fit, "
                "build(input_shape, n_outputs, **options), and returns an nn.Sequential."
            )
        if self.pretrained is None:
            if self.frozen_layers != 0:
                raise ValueError(
                    f"frozen_layers={self.frozen_layers!r} needs a pretrained network to take the "
                    "layers from, but pretrained is None."
                )
        elif self.frontend is not None:
            raise ValueError(
                "The front end comes from the pretrained estimator: frontend must be None, got "
                f"{self.frontend!r}."
            )

    def _network_options(self):
        return {
            **self._conv_options(),
            "hidden_units": as_integers("hidden_units", self.hidden_units),
            "dropout": self.dropout,
        }

    def _source(self):
        """Return the fitted estimator that `pretrained` stands for, or None."""
        if self.pretrained is None:
            return None
        source = resolve_frozen(self.pretrained)
        if source is None:
            raise ValueError(
                "pretrained must be a fitted estimator that stays as it is: pass "
                f"FrozenEstimator(estimator) or the path of a saved model, got {self.pretrained!r}."
            )
        if not isinstance(source, NetworkEstimator):
            raise ValueError(
                "pretrained must hold a CNNAudioClassifier or a ConvAutoencoderEmbedder, got "
                f"{source!r}."
            )
        return source

    def _recipe_from(self, source):
        if source is None:
            return self._new_recipe(self.network, len(self.classes_))
        return transferred_architecture(source._recipe, len(self.classes_), self._network_options())

    def _n_frozen(self, network):
        n_conv = count_conv_layers(network)
        n_frozen = n_conv if self.frozen_layers == "conv" else self.frozen_layers
        if n_frozen >= len(network):
            raise ValueError(
                f"frozen_layers={self.frozen_layers!r} leaves nothing to learn: the layers are "
                f"{layer_names(network)}, and the last one is new."
            )
        return n_frozen

    def predict(self, X):
        """Predict the label of each clip.

        Parameters
        ----------
        X : files, waveforms or spectrograms
            As in `fit`.

        Returns
        -------
        y : ndarray of shape (n_clips,)
            Labels, in the data type of those seen in `fit`.
        """
        logits = self._logits(X)
        return self.classes_[logits.argmax(axis=1)]

    def predict_proba(self, X):
        """Estimate the probability of each class for each clip.

        Parameters
        ----------
        X : files, waveforms or spectrograms
            As in `fit`.

        Returns
        -------
        probabilities : ndarray of shape (n_clips, n_classes)
            In the order of `classes_`; each row sums to one.
        """
        return softmax(self._logits(X), axis=1)

    def decision_function(self, X):
        """Return the logits, the outputs of the last layer.

        Parameters
        ----------
        X : files, waveforms or spectrograms
            As in `fit`.

        Returns
        -------
        logits : ndarray of shape (n_clips, n_classes) or (n_clips,)
            In the order of `classes_`. For two classes, as everywhere in scikit-learn, the
            second logit minus the first: above zero means the second class.
        """
        logits = self._logits(X)
        return logits[:, 1] - logits[:, 0] if len(self.classes_) == 2 else logits

    def _logits(self, X):
        check_is_fitted(self)
        return self.layer_outputs(X).astype(np.float64)

    @classmethod
    def _check_saved_state(cls, state):
        if state.get("network", "cnn") not in list(NETWORKS):
            raise ValueError(f"network must be one of {sorted(NETWORKS)}")
        super()._check_saved_state(state)
        if "_recipe" in state and len(state["classes_"]) != state["_recipe"]["n_outputs"]:
            raise ValueError("its network does not have an output for each class")

    def __sklearn_tags__(self):
        tags = super().__sklearn_tags__()
        # Two samples of a waveform, as in some of scikit-learn's checks, are not a sound.
        tags.classifier_tags.poor_score = True
        return tags


def _copy_source(source, network):
    """Take over all layers but the output from a source; of an autoencoder the encoder."""
    names = layer_names(network)[:-1]
    if is_autoencoder(source._recipe):
        names = names[: count_conv_layers(network)]
    copy_layers(source.network_, network, names)

"""CNNAudioClassifier: classify clips with a convolutional network."""

from collections.abc import Callable, Mapping, Sequence
from numbers import Real
from typing import Any, Literal, Self

import numpy as np
import torch
from numpy.typing import ArrayLike
from sklearn.utils._param_validation import Interval, StrOptions
from torch import nn

from skdaf._core.estimator import unchanged_on_error
from skdaf._core.public import public
from skdaf._core.typing import Clips, PathLike
from skdaf._core.validation import fit_context
from skdaf._estimators.classification import ClassifierBase
from skdaf._estimators.parameters import Augmentations


@public
class CNNAudioClassifier(ClassifierBase):
    """Classify audio clips with a convolutional network on their spectrograms.

    X is a list of audio files, or anything else that `fit` accepts. The classifier works in
    pipelines, searches and cross-validation, and you can save it with `save_model` or
    `joblib.dump`. Training uses up to two cores, and the same seed gives the same model for any
    number of cores or workers. Searches and cross-validation use more cores through their own
    `n_jobs`.

    A clip has one label, or any number of labels if `y` is a multilabel indicator, as for
    scikit-learn's `MLPClassifier`.

    Parameters
    ----------
    frontend : transformer, default=None
        Turns clips into spectrograms of the same size: a `SpectrogramTransformer`, or any
        transformer that returns an array of shape (n_clips, n_frames, n_bins). If None,
        ``SpectrogramTransformer()``; you can still set its parameters, such as
        ``frontend__n_mels``.
    network : {"cnn", "daf"} or callable, default="cnn"
        "cnn" has conv blocks, a summary of their maps (means over time, and the mean and the
        maximum over time and frequency) and dense blocks. It is small (160,000 weights with 40
        bins) and fast. "daf" is the network of deep_audio_features, which flattens instead: it has
        several million weights and is several times slower. A callable, such as a function or a
        class, returns an `nn.Module` for input of shape (n_clips, 1, n_frames, n_bins). It gets
        those of the arguments `input_shape`, `n_outputs`, `channels`, `kernel_size`,
        `hidden_units` and `dropout` that it accepts. See Notes.
    network_params : dict, default=None
        Arguments of a callable `network`, which you can also set as ``network__name``.
    channels : sequence of int, default=None
        Number of channels of each conv block. If None, (16, 32, 64, 128) for "cnn" and
        (32, 64, 128, 256) for "daf". Training time grows with the products of neighboring values.
    kernel_size : int, default=None
        Side of the square convolution kernels. Must be odd. If None, 3 for "cnn" and 5 for "daf".
    hidden_units : sequence of int, default=None
        Number of units of each dense block before the output. If None, (128,) for "cnn", or (512,)
        with several labels per clip, and (1024, 256) for "daf".
    dropout : float, default=None
        Share of the inputs of each dense layer to drop during training. If None, 0.3 for "cnn"; for
        "daf", 0.75 before the first hidden layer and 0.5 before the others.
    n_networks : int, default=1
        Number of networks to train side by side, from different initial weights, and to average.
        Several can be more accurate, but take as many times longer to train. Only for "cnn".
    pretrained : FrozenEstimator, str or os.PathLike, default=None
        A fitted classifier, regressor or autoencoder of this package to start from: pass
        ``sklearn.frozen.FrozenEstimator(fitted)`` or the path of a file written by `save_model`.
        The front end comes from this estimator, so `frontend` must be None; you can still set its
        `cache`, `n_jobs` and `verbose`, such as ``frontend__cache``. From an autoencoder, the
        encoder is copied, and `hidden_units` and `dropout` define the rest. From others, all layers
        except the output layer are copied. Other network parameters have no effect.
    frozen_layers : int or "conv", default=0
        Number of layers, counted from the input, that keep their weights and running statistics.
        "conv" freezes all layers before the first dense layer. Requires `pretrained`.
    loss : {"log_loss"} or callable, default="log_loss"
        What training minimizes; "log_loss" is cross-entropy. A callable is called with
        ``(outputs, targets)``, a float tensor of shape (n_clips, n_classes) and class indices of
        shape (n_clips,), and returns their mean loss as a scalar tensor. With "mixup", targets are
        shares of shape (n_clips, n_classes). It also gets `weight`, the weights of the classes,
        and `label_smoothing` if it has parameters with these names, as
        `torch.nn.functional.cross_entropy` does. With several labels per clip, targets
        are floats of shape (n_clips, n_labels), and `pos_weight` has the weights of labels that
        are present, as in `torch.nn.functional.binary_cross_entropy_with_logits`.
    optimizer : {"adamw"} or callable, default="adamw"
        A callable is called with a list of parameters and returns a `torch.optim.Optimizer`, as
        the classes in `torch.optim` do. It also gets ``lr=learning_rate`` and `weight_decay` if it
        has parameters with these names that a `functools.partial` does not set.
    max_epochs : int or "auto", default="auto"
        Maximum number of passes over the training clips. "auto" chooses about 1000 steps, in 10
        to 100 epochs. The learning rate follows one cycle over all epochs: it rises in the first
        quarter, then falls to zero [1]_.
    batch_size : int or "auto", default="auto"
        Number of clips per step. "auto" is a sixteenth of the training clips, but between 8 and 64.
    learning_rate : float, default=3e-3
        Peak learning rate of the one-cycle schedule.
    weight_decay : float, default=1e-2
        Weight decay of the optimizer.
    label_smoothing : float, default=0.1
        Share of the target that is spread evenly over all classes. It improves generalization and
        makes the probabilities less extreme. With several labels per clip, the share of each
        target that is replaced with 1/2.
    class_weight : dict, "balanced", "sqrt" or None, default="sqrt"
        Weights of the classes in the loss, as in scikit-learn. "sqrt" is the square root of
        "balanced": a compromise between accuracy and the mean accuracy over classes. With several
        labels per clip, "balanced" weights each label as two classes, absent and present; a dict
        has the weights of labels that are present, relative to 1 for absent ones.
    augment : str, callable, or list of these, default=("zoom", "equalize", "mask")
        Random changes to the training clips, applied in this order, in all epochs but the last
        fifth. "zoom" magnifies a part of a clip or extends its edges; "equalize" bends the levels
        over frequency as another microphone or room does [2]_; "mask" blanks a band and a span of
        time (SpecAugment [3]_); "shift" and "stretch" move and stretch time; "warp" stretches
        frequency; "noise" adds noise; "mixup" blends pairs of clips and their labels [4]_. For
        MFCC, "equalize" and "warp" are left out: cepstral coefficients are not levels at
        frequencies. A callable is called with ``(batch, generator)`` and returns a new batch; the
        batch is a CPU tensor of shape (n_clips, n_frames, n_bins). If None, nothing is changed.
    early_stopping : bool or "auto", default="auto"
        Whether to hold out clips, stop when their loss has not improved for `patience` epochs,
        and keep the weights of the best epoch. "auto" does so from 10,000 clips on, if `patience`
        is given, or with clips of your own (`X_val` of `fit`). If fewer than ten clips would be
        held out, or a class has only one clip, all clips train for all epochs.
    validation_fraction : float, default=0.1
        Share of the clips to hold out, stratified by class, or by sets of labels that are not
        rare.
    scoring : {"loss", "score"}, default="loss"
        Whether the best epoch has the lowest loss or the highest accuracy on held-out clips. With
        several labels per clip, a clip counts if all of its labels are right.
    patience : int, default=None
        Number of epochs without improvement after which training stops. If None, half of
        `max_epochs`: a smaller number may stop training before the learning rate has fallen.
    device : str or torch.device, default="auto"
        The torch device to use. "auto" uses CUDA if available, then MPS, then the CPU.
    precision : {"auto", "float32", "bfloat16"}, default="auto"
        Precision during training. "auto" is bfloat16 on processors and CUDA devices that support it
        natively (faster, and as accurate in experiments), and float32 on others, including MPS.
        Weights and predictions are always float32. Set it explicitly if different kinds of machines
        must train the same model.
    random_state : int, RandomState instance or None, default=None
        Determines the initial weights, the held-out clips, the order of the clips, dropout and
        augmentation. Pass an int for reproducible results. The global generators of NumPy and torch
        are not affected.
    checkpoint : str or os.PathLike, default=None
        Where to save the state after each epoch, so that an interrupted fit can continue. A folder
        can contain the states of any number of fits, workers and processes; a file, whose name must
        end in ``.checkpoint``, contains the state of one fit. See Notes.
    n_jobs : int, default=None
        Number of workers of the front end, unless the front end sets its own.
    verbose : int, default=0
        If 1, show progress bars: clips while reading, then epochs with their losses and scores.
        In a log file, there is a line every 30 seconds instead.
    warm_start : bool, default=False
        Whether a further `fit` continues with the weights of the previous one. `y` must contain
        the same classes, and the front end stays as it was fitted. See Notes.

    Attributes
    ----------
    classes_ : ndarray of shape (n_classes,)
        The labels, sorted; with several labels per clip, the numbers of the columns of `y`.
    label_names_ : ndarray of shape (n_classes,)
        With several labels per clip, the names of the columns of `y` if it is a table and they are
        all text or all integers. Otherwise, the same as `classes_`.
    multilabel_ : bool
        Whether clips can have any number of labels.
    frontend_ : transformer or None
        The fitted front end; None if X was an array of spectrograms.
    network_ : torch.nn.Sequential
        The trained network, on the CPU.
    layer_names_ : list of str
        Names of its layers, first to last.
    input_shape_ : tuple of (n_frames, n_bins)
        Size of the spectrograms.
    history_ : dict of lists
        One value per epoch: "learning_rate" at its start, "train_loss", "train_score" (accuracy)
        and, if clips were held out, "valid_loss" and "valid_score". Augmentation makes the training
        values worse. Epochs of continued training are appended; values that some epochs lack are
        NaN.
    n_epochs_ : int
        Number of epochs in `history_`.
    best_epoch_ : int
        The epoch whose weights were kept, counted from 1; in continued training, of the last fit.
    n_clips_ : int
        Number of clips of the last `fit`, with those that were held out of X, and without those
        whose weight is 0. Calls of `partial_fit` add theirs.
    n_features_in_ : int
        Number of samples per waveform, if X was a two-dimensional array.
    feature_names_in_ : ndarray of shape (`n_features_in_`,)
        Names of the columns, if X was a table of samples whose columns have names.

    See Also
    --------
    SpectrogramTransformer : The default front end.

    Notes
    -----
    If you interrupt a fit (Ctrl-C) after its first epoch, it issues a warning and returns a usable
    model with the weights of the best epoch so far. A second interruption within 10 seconds stops
    everything, even if it hits another fit, and so does the first one in a cross-validation or a
    search of scikit-learn.

    If a fit with a `checkpoint` is interrupted, call `fit` again with the same clips and
    parameters: it continues where it stopped, and ends with exactly the weights of an uninterrupted
    fit. A finished fit is loaded immediately. The page "Long training runs" of the user guide says
    which fits are the same.

    A module that a callable `network` returns is trained as it is. If it ends with a linear layer
    for the outputs, it becomes two layers, "body" and "output"; an `nn.Sequential` keeps its own
    layers. If the callable has no parameter `n_outputs`, the module may return any number of
    features, and gets an output layer. The page "Your own network, loss and optimizer" of the user
    guide has examples.

    There are two ways to continue training, which the page "Continue training" compares. With
    ``warm_start=True``, every further `fit` starts from the current weights, with a new optimizer
    and a new cycle of the learning rate. `partial_fit` trains for one epoch per call, at a constant
    third of `learning_rate`, and keeps the state of the optimizer for the next call;
    `max_epochs`, `patience`, `validation_fraction`, `scoring` and `checkpoint` have no effect on
    it. Its class weights are those of all clips of all calls so far.

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

    _parameter_constraints = {
        **ClassifierBase._parameter_constraints,
        "loss": [StrOptions({"log_loss"}), callable],
        "scoring": [StrOptions({"loss", "score"})],
        "label_smoothing": [Interval(Real, 0, 1, closed="left")],
        "class_weight": [dict, StrOptions({"balanced", "sqrt"}), None],
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
        loss: Literal["log_loss"] | Callable[..., torch.Tensor] = "log_loss",
        optimizer: Literal["adamw"] | Callable[..., torch.optim.Optimizer] = "adamw",
        max_epochs: int | Literal["auto"] = "auto",
        batch_size: int | Literal["auto"] = "auto",
        learning_rate: float = 3e-3,
        weight_decay: float = 1e-2,
        label_smoothing: float = 0.1,
        class_weight: Mapping[Any, float] | Literal["balanced", "sqrt"] | None = "sqrt",
        augment: Augmentations = ("zoom", "equalize", "mask"),
        early_stopping: bool | Literal["auto"] = "auto",
        validation_fraction: float = 0.1,
        scoring: Literal["loss", "score"] = "loss",
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
        self.label_smoothing = label_smoothing
        self.class_weight = class_weight
        self.augment = augment
        self.early_stopping = early_stopping
        self.validation_fraction = validation_fraction
        self.scoring = scoring
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
            A sequence of paths or `Clip`, a table with a column `path` (and optionally `start`
            and `end` in seconds), a list of ``(samples, sampling_rate)`` pairs, an array or tensor
            of shape (n_clips, n_samples), a list of one-dimensional arrays or tensors, or
            spectrograms of shape (n_clips, n_frames, n_bins), which skip the front end.
        y : array-like of shape (n_clips,), or indicator of shape (n_clips, n_labels)
            The label of each clip: strings, numbers or booleans. If clips have any number of
            labels: an array, sparse matrix or table that is 1 where a clip has a label, else 0.
        sample_weight : array-like of shape (n_clips,), default=None
            How often each clip takes part in training. Integers mean repeated clips; other weights
            are relative: clips are drawn in these proportions. Clips with a weight of 0 are left
            out. `class_weight` applies in addition.
        groups : array-like of shape (n_clips,), default=None
            The group of each clip, such as its speaker or recording. If clips are held out, they
            are whole groups, so that their loss is that of new groups. Otherwise, they have no
            effect: with the default ``early_stopping="auto"``, below 10,000 clips.
        X_val, y_val : as X and y, default=None
            Clips for early stopping, instead of clips held out of X.

        Returns
        -------
        self : CNNAudioClassifier
            The fitted classifier.

        Raises
        ------
        AudioReadError
            If a file cannot be read; the error lists all such files. In that case, nothing is
            trained.
        ValueError
            If there are fewer than two classes, if no group can be held out, or if the loss becomes
            NaN or infinite.

        Warns
        -----
        UserWarning
            If all clips have the same one of several labels, or none has it; or if there are
            `groups`, but no clips are held out.
        """
        with unchanged_on_error(self):
            return self._fit(X, y, sample_weight, groups, X_val, y_val)

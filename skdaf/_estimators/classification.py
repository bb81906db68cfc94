"""ClassifierBase: encode the labels of clips for a network, and decode its outputs."""

from typing import Any, Self

import numpy as np
from numpy.typing import ArrayLike, NDArray
from scipy.special import softmax
from sklearn.base import ClassifierMixin

from skdaf._core.typing import Clips
from skdaf._core.validation import fit_context
from skdaf._estimators.continuing import has_network
from skdaf._estimators.labels import (
    check_classes,
    check_same_classes,
    encode_known_labels,
    encode_labels,
    encode_partial_labels,
)
from skdaf._estimators.supervised import SupervisedEstimator
from skdaf._training.objectives import classification


def _is_counts(value):
    """Return whether a value from a file is an array of finite numbers of at least zero."""
    is_vector = isinstance(value, np.ndarray) and value.ndim == 1 and value.dtype.kind == "f"
    return is_vector and bool((np.isfinite(value) & (value >= 0)).all())


class ClassifierBase(ClassifierMixin, SupervisedEstimator):
    """Base class of network estimators that learn labels."""

    _has_classes = True

    _saved_attributes = {
        **SupervisedEstimator._saved_attributes,
        "classes_": lambda value: isinstance(value, np.ndarray) and value.ndim == 1,
        "_class_counts": _is_counts,
    }

    def _encode_targets(self, y, n_clips, weights):
        return encode_labels(y, n_clips, self.class_weight, type(self).__name__, weights)

    def _encode_validation_targets(self, y_val, n_clips, labels):
        return encode_known_labels(y_val, labels.classes, n_clips)

    def _set_targets(self, labels):
        self.classes_ = labels.classes

    def _n_outputs(self):
        return len(self.classes_)

    def _objective(self, labels):
        return classification(labels.class_weights, self.label_smoothing)

    def _original_targets(self, targets):
        return self.classes_[targets]

    def predict(self, X: Clips) -> NDArray[Any]:
        """Predict the label of each clip.

        Parameters
        ----------
        X : files, waveforms or spectrograms
            As in `fit`.

        Returns
        -------
        y : ndarray of shape (n_clips,)
            Labels, with the data type of the `y` passed to `fit`.
        """
        logits = self.layer_outputs(X)
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
            In the order of `classes_`; each row sums to one.
        """
        return softmax(self.layer_outputs(X).astype(np.float64), axis=1)

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
            scikit-learn classifiers: a positive value means the second class.
        """
        logits = self.layer_outputs(X).astype(np.float64)
        return logits[:, 1] - logits[:, 0] if len(self.classes_) == 2 else logits

    @classmethod
    def _check_saved_state(cls, state):
        super()._check_saved_state(state)
        architecture = state.get("_architecture")
        if architecture is not None and len(state["classes_"]) != architecture["n_outputs"]:
            raise ValueError("its network does not have one output per class")

    def __sklearn_tags__(self):
        tags = super().__sklearn_tags__()
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
        y : array-like of shape (n_clips,)
            The label of each clip. Some of the classes may be missing.
        classes : array-like of shape (n_classes,), default=None
            All classes of all calls. Required in the first call, and optional in later ones and
            after `fit`.
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
        labels = self._partial_fit(X, y, sample_weight, classes=classes)
        self._class_counts = labels.counts
        return self

    def _encode_same_targets(self, y, n_clips, weights):
        labels = self._encode_targets(y, n_clips, weights)
        check_same_classes(labels.classes, self.classes_)
        return labels

    def _encode_partial_targets(self, y, n_clips, weights, classes):
        known = self.classes_ if has_network(self) else None
        classes = check_classes(classes, known)
        before = vars(self).get("_class_counts", 0.0) if has_network(self) else 0.0
        return encode_partial_labels(y, classes, n_clips, self.class_weight, weights, before)

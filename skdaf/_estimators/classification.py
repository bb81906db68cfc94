"""ClassifierBase: encode the labels of clips for a network, and decode its outputs."""

from typing import Any

import numpy as np
from numpy.typing import NDArray
from scipy.special import softmax
from sklearn.base import ClassifierMixin

from skdaf._core.typing import Clips
from skdaf._estimators.labels import encode_known_labels, encode_labels
from skdaf._estimators.parameters import check_used
from skdaf._estimators.supervised import SupervisedEstimator
from skdaf._training.custom_loss import with_loss
from skdaf._training.objectives import classification


class ClassifierBase(ClassifierMixin, SupervisedEstimator):
    """Base class of network estimators that learn labels."""

    _has_classes = True

    _saved_attributes = {
        **SupervisedEstimator._saved_attributes,
        "classes_": lambda value: isinstance(value, np.ndarray) and value.ndim == 1,
    }

    def _check_parameters(self):
        super()._check_parameters()
        arguments = {"class_weight": "weight", "label_smoothing": "label_smoothing"}
        check_used(self, "loss", arguments)

    def _encode_targets(self, y, n_clips, weights):
        return encode_labels(y, n_clips, self.class_weight, type(self).__name__, weights)

    def _encode_validation_targets(self, y_val, n_clips, labels):
        return encode_known_labels(y_val, labels.classes, n_clips)

    def _set_targets(self, labels):
        self.classes_ = labels.classes

    def _n_outputs(self):
        return len(self.classes_)

    def _objective(self, labels):
        objective = classification(labels.class_weights, self.label_smoothing)
        if not callable(self.loss):
            return objective
        arguments = {"weight": labels.class_weights, "label_smoothing": self.label_smoothing}
        return with_loss(objective, self.loss, arguments)

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

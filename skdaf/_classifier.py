"""CNNAudioClassifier: a convolutional network on labelled clips."""

import numpy as np
import torch
from scipy.special import softmax
from sklearn.base import ClassifierMixin, _fit_context
from sklearn.model_selection import train_test_split
from sklearn.utils import check_random_state, column_or_1d
from sklearn.utils._param_validation import Interval, Real, StrOptions
from sklearn.utils.class_weight import compute_class_weight
from sklearn.utils.multiclass import check_classification_targets
from sklearn.utils.validation import (
    assert_all_finite,
    check_is_fitted,
)
from torch.nn import functional

from skdaf._base import NetworkEstimator
from skdaf._inputs import validate_clips
from skdaf._training import Examples, Objective

# Fewer held-out clips than this say nothing about an epoch.
_FEWEST_VALIDATION_CLIPS = 10


class CNNAudioClassifier(ClassifierMixin, NetworkEstimator):
    """Classify audio clips with a convolutional network on their spectrograms."""

    _parameter_constraints = {
        **NetworkEstimator._parameter_constraints,
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
        max_epochs=20,
        batch_size="auto",
        learning_rate=3e-3,
        weight_decay=1e-2,
        label_smoothing=0.1,
        class_weight=None,
        augment=None,
        early_stopping=True,
        validation_fraction=0.1,
        patience=10,
        device="auto",
        random_state=None,
        n_jobs=None,
        verbose=0,
    ):
        self.frontend = frontend
        self.network = network
        self.channels = channels
        self.kernel_size = kernel_size
        self.hidden_units = hidden_units
        self.dropout = dropout
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
        self.random_state = random_state
        self.n_jobs = n_jobs
        self.verbose = verbose

    @_fit_context(prefer_skip_nested_validation=False)
    def fit(self, X, y):
        """Train the network.

        Parameters
        ----------
        X : files, waveforms or spectrograms
            A sequence of paths or `Clip`, a table with a column `path` (and optionally `start`
            and `end` in seconds), a float array of shape (n_clips, n_samples), a list of
            one-dimensional arrays, or spectrograms of shape (n_clips, n_frames, n_bins), which
            skip the front end.
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
        kind, data = validate_clips(self, X, reset=True)
        targets, weights = self._fit_labels(y, len(data))
        rng = check_random_state(self.random_state)
        rows, validation_rows = self._hold_out(targets, rng)
        spectrograms = self._fit_spectrograms(kind, data, y)
        self._fit_network(
            Examples(spectrograms, targets),
            Objective(self._loss(weights), _accuracy),
            len(self.classes_),
            rng,
            rows,
            validation_rows,
        )
        return self

    def _fit_labels(self, y, n_clips):
        """Check the labels; return them as numbers, with the weight of each class."""
        if y is None:
            raise ValueError(
                f"{type(self).__name__} requires y to be passed, but the target y is None."
            )
        y = column_or_1d(y, warn=True)
        assert_all_finite(y, input_name="y")
        check_classification_targets(y)
        if len(y) != n_clips:
            raise ValueError(
                f"Found input variables with inconsistent numbers of samples: {[n_clips, len(y)]}"
            )
        self.classes_, targets = np.unique(y, return_inverse=True)
        if len(self.classes_) < 2:
            raise ValueError(
                f"{type(self).__name__} needs clips of at least 2 classes, but the data holds "
                f"only one class: {self.classes_[0]!r}."
            )
        weights = compute_class_weight(self.class_weight, classes=self.classes_, y=y)
        return targets.astype(np.int64), weights.astype(np.float32)

    def _hold_out(self, targets, rng):
        """Return the rows to learn from, and those to judge epochs by (None: too few clips)."""
        rows = np.arange(len(targets))
        n_held_out = int(np.ceil(self.validation_fraction * len(targets)))
        n_needed = max(_FEWEST_VALIDATION_CLIPS, len(self.classes_))
        is_large_enough = (
            n_needed <= n_held_out <= len(targets) - len(self.classes_)
            and np.bincount(targets).min() >= 2
        )
        if not self.early_stopping or not is_large_enough:
            return rows, None
        return train_test_split(rows, test_size=n_held_out, stratify=targets, random_state=rng)

    def _loss(self, weights):
        weights = torch.from_numpy(weights)

        def loss(logits, targets):
            return functional.cross_entropy(
                logits.float(),
                targets,
                weight=weights.to(logits.device),
                label_smoothing=self.label_smoothing,
            )

        return loss

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
        return self._outputs(X).astype(np.float64)

    def __sklearn_tags__(self):
        tags = super().__sklearn_tags__()
        # Two samples of a waveform, as in some of scikit-learn's checks, are not a sound.
        tags.classifier_tags.poor_score = True
        return tags


def _accuracy(logits, targets):
    return (logits.argmax(dim=1) == targets).float().mean().item()

"""What an EmbeddingDisplay shows of a fitted estimator."""

from typing import Any

import numpy as np
from sklearn.pipeline import Pipeline

from skdaf._estimators.fitted import (
    block_with_network,
    load_fitted,
    unwrap,
    unwrap_calibrated,
    votes,
)


def features_of(estimator: Any, X: Any) -> Any:
    """Return the output of a transformer, or the input of a classifier's last step or layer.

    Of several blocks that vote, the one with a network is used.

    Raises
    ------
    TypeError
        If there is not one row of features per clip.
    ValueError
        If there are fewer than two clips, or it is not clear which block to use.
    """
    estimator = load_fitted(estimator)
    features = np.asarray(_features(estimator, X))
    if features.ndim != 2:
        raise TypeError(
            "estimator must return one row of features per clip, but this "
            f"{type(unwrap(estimator)).__name__} returns an array of shape {features.shape}."
        )
    if len(features) < 2:
        raise ValueError(f"X must contain at least 2 clips to show, got {len(features)}.")
    return features


def _features(estimator, X):
    estimator = unwrap_calibrated(estimator)
    if isinstance(estimator, Pipeline) and _needs_features(estimator[-1]):
        return _features(estimator[-1], _transform(estimator[:-1], X))
    if hasattr(estimator, "transform") and not votes(estimator):
        return estimator.transform(X)
    if isinstance(estimator, Pipeline):
        return _transform(estimator[:-1], X)
    if votes(estimator):
        return _features(block_with_network(estimator), X)
    if hasattr(estimator, "layer_outputs"):
        return estimator.layer_outputs(X, len(estimator.layer_names_) - 1)
    raise TypeError(
        "estimator must be a transformer, a CNNAudioClassifier, or a pipeline or combined "
        f"classifier that contains one, got a {type(estimator).__name__}."
    )


def _needs_features(last):
    """Return whether the features are inside the last step of a pipeline."""
    last = unwrap_calibrated(last)
    return votes(last) or (hasattr(last, "layer_outputs") and not hasattr(last, "transform"))


def _transform(steps, X):
    return steps.transform(X) if len(steps) else X

"""What an EmbeddingDisplay shows of a fitted estimator."""

from typing import Any

from sklearn.base import is_classifier
from sklearn.pipeline import Pipeline
from sklearn.utils.validation import check_is_fitted

from skdaf._estimators.fitted import find_networks, unwrap_calibrated


def features_of(estimator: Any, X: Any) -> Any:
    """Return the output of a transformer, or the input of a classifier's last step or layer.

    Of several blocks that vote, the one with a network is used.
    """
    estimator = unwrap_calibrated(estimator)
    check_is_fitted(estimator)
    if isinstance(estimator, Pipeline) and _needs_features(estimator[-1]):
        return features_of(estimator[-1], _transform(estimator[:-1], X))
    if hasattr(estimator, "transform") and not _votes(estimator):
        return estimator.transform(X)
    if isinstance(estimator, Pipeline):
        return _transform(estimator[:-1], X)
    if _votes(estimator):
        return features_of(_block_with_network(estimator), X)
    if hasattr(estimator, "layer_outputs"):
        return estimator.layer_outputs(X, len(estimator.layer_names_) - 1)
    raise TypeError(
        "estimator must be a transformer, a CNNAudioClassifier, or a pipeline or combined "
        f"classifier that contains one, got a {type(estimator).__name__}."
    )


def _needs_features(last):
    """Return whether the features are inside the last step of a pipeline."""
    last = unwrap_calibrated(last)
    return _votes(last) or (hasattr(last, "layer_outputs") and not hasattr(last, "transform"))


def _votes(estimator):
    """Return whether an estimator combines classifiers: then it transforms to their votes."""
    return is_classifier(estimator) and hasattr(estimator, "named_estimators_")


def _transform(steps, X):
    return steps.transform(X) if len(steps) else X


def _block_with_network(estimator):
    """Return the only block of a combined classifier that has a network."""
    blocks = {n: block for n, block in estimator.named_estimators_.items() if block != "drop"}
    with_network = {n: block for n, block in blocks.items() if find_networks(block)}
    candidates = with_network or blocks
    if len(candidates) > 1:
        places = ", ".join(f'estimator.named_estimators_["{name}"]' for name in candidates)
        raise ValueError(
            f"estimator must have one block to show, but this {type(estimator).__name__} has "
            f"{len(candidates)}{' with a network' if with_network else ''}. Pass one of them: "
            f"{places}."
        )
    return next(iter(candidates.values()))

"""Look inside fitted estimators: the network and the front end in a pipeline, search or union.

All other files ask here, so that a display, a command and `predict_segments` find the same parts.
"""

import os

from sklearn.base import BaseEstimator
from sklearn.frozen import FrozenEstimator
from sklearn.pipeline import Pipeline
from sklearn.utils.validation import check_is_fitted

from skdaf._estimators.persistence.models import load_model

# A parameter with an estimator that only was the start of a training.
_NOT_A_PART = {"pretrained"}


def load_if_path(estimator):
    """Return an estimator, or the one that `save_model` wrote to a path."""
    return load_model(estimator) if isinstance(estimator, (str, os.PathLike)) else estimator


def resolve_frozen(estimator):
    """Return the fitted estimator in a FrozenEstimator or in a file; None if there is neither.

    Raises
    ------
    NotFittedError
        If the estimator in the FrozenEstimator was never fitted.
    """
    if not isinstance(estimator, FrozenEstimator):
        return load_model(estimator) if isinstance(estimator, (str, os.PathLike)) else None
    check_is_fitted(
        estimator.estimator,
        msg="The %(name)s in FrozenEstimator is not fitted: FrozenEstimator(estimator) takes "
        "one that is (a clone is not). Fit it first, or pass it without FrozenEstimator to "
        "have it trained.",
    )
    return estimator.estimator


def unwrap(estimator):
    """Return the estimator that predicts in place of a path, a FrozenEstimator or a search."""
    estimator = load_if_path(estimator)
    if isinstance(estimator, FrozenEstimator):
        return unwrap(estimator.estimator)
    if hasattr(estimator, "best_estimator_"):
        return unwrap(estimator.best_estimator_)
    return estimator


def unwrap_calibrated(estimator):
    """Return what `unwrap` does, and of a calibrated classifier the one that was calibrated.

    With ``ensemble=True`` there are several, none of which stands for the whole.
    """
    estimator = unwrap(estimator)
    calibrated = getattr(estimator, "calibrated_classifiers_", ())
    return unwrap_calibrated(calibrated[0].estimator) if len(calibrated) == 1 else estimator


def iterate_parts(estimator):
    """Yield an estimator and all estimators in its parameters and attributes, fitted or not.

    What several attributes refer to comes several times.
    """
    children = ()
    if isinstance(estimator, BaseEstimator):
        yield estimator
        children = [value for name, value in vars(estimator).items() if name not in _NOT_A_PART]
        children += [pair.estimator for pair in getattr(estimator, "calibrated_classifiers_", ())]
    elif isinstance(estimator, (list, tuple)):
        children = estimator
    elif isinstance(estimator, dict):
        children = estimator.values()
    for child in children:
        yield from iterate_parts(child)


def find_networks(estimator):
    """Return the fitted network estimators in an estimator, each once."""
    parts = iterate_parts(load_if_path(estimator))
    return list({id(part): part for part in parts if "network_" in vars(part)}.values())


def find_network(estimator):
    """Return the one fitted network estimator in a fitted estimator.

    Raises
    ------
    NotFittedError
        If the estimator is not fitted.
    ValueError
        If it holds no network, or more than one.
    """
    estimator = unwrap(estimator)
    check_is_fitted(estimator)
    networks = find_networks(estimator)
    if len(networks) != 1:
        raise ValueError(
            "estimator must hold one fitted network (a CNNAudioClassifier or a "
            "ConvAutoencoderEmbedder, alone or in a pipeline, a search or a CNNFeatureExtractor), "
            f"but this {type(estimator).__name__} holds {len(networks)} networks."
        )
    return networks[0]


def find_frontend(estimator):
    """Return the fitted transformer that clips reach first in a fitted estimator, or None.

    In a pipeline that is the one of the first step that has one; in an estimator with a network
    it is the front end of the network.
    """
    estimator = unwrap_calibrated(estimator)
    check_is_fitted(estimator)
    if isinstance(estimator, Pipeline):
        steps = (find_frontend(step) for _, step in estimator.steps if hasattr(step, "fit"))
        return next((frontend for frontend in steps if frontend is not None), None)
    networks = find_networks(estimator)
    if networks:
        return networks[0].frontend_
    return estimator if hasattr(estimator, "transform") else None

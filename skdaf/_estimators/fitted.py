"""Look inside fitted estimators: the network and the front end in a pipeline, search or union.

All other modules use these functions, so that displays, commands and `predict_segments` find the
same parts.
"""

import os

import numpy as np
from sklearn.base import BaseEstimator, is_classifier
from sklearn.frozen import FrozenEstimator
from sklearn.pipeline import Pipeline
from sklearn.utils.validation import check_is_fitted

from skdaf._estimators.persistence.models import load_model
from skdaf._estimators.places import NOT_A_PART, find_places

# Messages name at most this many networks.
_MAX_PLACES = 5


def load_if_path(estimator):
    """Return an estimator; load it with `load_model` if it is a path."""
    return load_model(estimator) if isinstance(estimator, (str, os.PathLike)) else estimator


def load_fitted(estimator, name="estimator", kind="estimator"):
    """Return a fitted estimator; load it if it is a path.

    `name` is the name of the parameter and `kind` what it must be ("classifier"), for errors.
    """
    estimator = load_if_path(estimator)
    if isinstance(estimator, type) or not hasattr(estimator, "fit"):
        raise TypeError(
            f"{name} must be a fitted {kind}, or the path of a saved one, got {estimator!r:.200}."
        )
    check_is_fitted(estimator)
    return estimator


def resolve_frozen(estimator):
    """Return the fitted estimator in a FrozenEstimator or in a file; None if there is neither.

    Raises
    ------
    NotFittedError
        If the estimator in it was never fitted.
    """
    if isinstance(estimator, (str, os.PathLike)):
        path, estimator = str(os.fspath(estimator)), load_model(estimator)
        shown = repr(path).replace("%", "%%")
        message = f"The %(name)s in {shown} is not fitted. Call fit before save_model."
        check_is_fitted(estimator, msg=message)
        return estimator
    if not isinstance(estimator, FrozenEstimator):
        return None
    check_is_fitted(
        estimator.estimator,
        msg="The %(name)s in FrozenEstimator is not fitted (a clone never is). Fit it first, or "
        "pass it without FrozenEstimator to train it.",
    )
    return estimator.estimator


def unwrap(estimator):
    """Return the estimator that predicts: load a path, open a FrozenEstimator or a search."""
    estimator = load_if_path(estimator)
    if isinstance(estimator, FrozenEstimator):
        return unwrap(estimator.estimator)
    if hasattr(estimator, "best_estimator_"):
        return unwrap(estimator.best_estimator_)
    return estimator


def names_of_labels(classifier):
    """Return the classes of a fitted classifier, or the names of its labels if it has several."""
    inner = unwrap(classifier)
    if isinstance(inner, Pipeline):
        return names_of_labels(inner[-1])
    return inner.label_names_ if hasattr(inner, "label_names_") else classifier.classes_


def unwrap_calibrated(estimator):
    """Unwrap an estimator as `unwrap` does, and also a calibrated classifier.

    With ``ensemble=True``, several classifiers were calibrated, and none represents all of them.
    """
    estimator = unwrap(estimator)
    calibrated = getattr(estimator, "calibrated_classifiers_", ())
    return unwrap_calibrated(calibrated[0].estimator) if len(calibrated) == 1 else estimator


def iterate_parts(estimator):
    """Yield an estimator and all estimators in its parameters and attributes, fitted or not.

    An estimator that several attributes refer to is yielded several times.
    """
    children = ()
    if isinstance(estimator, BaseEstimator):
        yield estimator
        children = [value for name, value in vars(estimator).items() if name not in NOT_A_PART]
        children += [pair.estimator for pair in getattr(estimator, "calibrated_classifiers_", ())]
    elif isinstance(estimator, (list, tuple)):
        children = estimator
    elif isinstance(estimator, dict):
        children = estimator.values()
    for child in children:
        yield from iterate_parts(child)


def find_networks(estimator):
    """Return the fitted network estimators in an estimator, each once."""
    return [place.network for place in find_places(load_if_path(estimator))]


def find_network(estimator):
    """Return the one fitted network estimator in a fitted estimator.

    Raises
    ------
    NotFittedError
        If the estimator is not fitted.
    ValueError
        If it contains no network, or more than one.
    """
    estimator = load_fitted(estimator)
    inner = unwrap(estimator)
    check_is_fitted(inner)
    networks = find_networks(inner)
    if len(networks) == 1:
        return networks[0]
    kind = type(inner).__name__
    if networks:
        raise ValueError(
            f"estimator must contain one fitted network, but this {kind} contains {len(networks)} "
            f"networks. Pass one of them: {describe_places(estimator)}."
        )
    raise ValueError(
        "estimator must contain one fitted network (a CNNAudioClassifier, CNNAudioRegressor or "
        "ConvAutoencoderEmbedder, alone or in a pipeline, a search or a CNNFeatureExtractor), "
        f"but this {kind} contains 0 networks."
    )


def describe_places(estimator):
    """Return the expressions of the networks in an estimator, for messages."""
    expressions = [place.expression for place in find_places(estimator)]
    n_others = len(expressions) - _MAX_PLACES
    return ", ".join(expressions[:_MAX_PLACES] + [f"{n_others} more"] * (n_others > 0))


def votes(estimator):
    """Return whether an estimator combines classifiers; its `transform` returns their votes."""
    return is_classifier(estimator) and hasattr(estimator, "named_estimators_")


def block_with_network(estimator):
    """Return the only block of an estimator that combines classifiers, or the one with a network.

    Raises
    ------
    ValueError
        If there are several.
    """
    blocks = {n: block for n, block in estimator.named_estimators_.items() if block != "drop"}
    with_network = {n: block for n, block in blocks.items() if find_networks(block)}
    candidates = with_network or blocks
    if len(candidates) > 1:
        places = ", ".join(f'estimator.named_estimators_["{name}"]' for name in candidates)
        raise ValueError(
            f"Only one block of this {type(estimator).__name__} can be used, but it has "
            f"{len(candidates)}{' with a network' if with_network else ''}. Pass one of them: "
            f"{places}."
        )
    return next(iter(candidates.values()))


def names_in_network(estimator, network):
    """Return what an estimator calls the classes of a network inside it.

    Voting and stacking classifiers number the classes before they fit their parts. A network that
    was fitted elsewhere keeps its own names.
    """
    names, whole = network.label_names_.tolist(), unwrap(estimator)
    is_trained = any(p.is_trained for p in find_places(whole) if p.network is network)
    if whole is network or not is_trained or not is_classifier(whole):
        return names
    outer = names_of_labels(whole)
    return np.asarray(outer).tolist() if names == list(range(len(outer))) else names


def find_frontend(estimator):
    """Return the fitted transformer that receives the clips in a fitted estimator, or None.

    In a pipeline, this is the front end of the first step that has one; in an estimator with a
    network, it is the front end of the network.
    """
    estimator = unwrap_calibrated(estimator)
    check_is_fitted(estimator)
    if isinstance(estimator, Pipeline):
        steps = (find_frontend(step) for _, step in estimator.steps if hasattr(step, "fit"))
        return next((frontend for frontend in steps if frontend is not None), None)
    networks = find_networks(estimator)
    if networks:
        return networks[0].frontend_
    if _is_voting(estimator):
        return find_frontend(estimator.estimators_[0])
    return estimator if hasattr(estimator, "transform") else None


def frequency_range(estimator):
    """Return the lowest and the highest frequency that a fitted estimator listens to, or None."""
    frontend = find_frontend(estimator)
    rate = getattr(frontend, "sampling_rate_", None)
    if rate is None:
        return None
    high = getattr(frontend, "fmax", None)
    return float(getattr(frontend, "fmin", 0.0)), float(rate / 2 if high is None else high)


def _is_voting(estimator):
    from sklearn.ensemble import VotingClassifier  # not at the top: it imports all ensembles

    return isinstance(estimator, VotingClassifier)

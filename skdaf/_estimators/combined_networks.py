"""The networks for `make_combined_classifier`, which are checked before any of them is trained."""

import os
from contextlib import suppress
from functools import partial

from sklearn.base import BaseEstimator, is_classifier
from sklearn.frozen import FrozenEstimator

from skdaf._estimators.base import NetworkEstimator
from skdaf._estimators.classifier import CNNAudioClassifier
from skdaf._estimators.continuing import has_network
from skdaf._estimators.extractor import CNNFeatureExtractor
from skdaf._estimators.fitted import describe_places, iterate_parts, resolve_frozen
from skdaf._estimators.persistence.outline import EstimatorState, NoOutlineError, read_outline
from skdaf._estimators.places import find_places
from skdaf._estimators.pretrained.transformer import PretrainedFeatureExtractor
from skdaf._estimators.regressor import CNNAudioRegressor
from skdaf._estimators.transfer import find_source
from skdaf._features.spectrogram_transformer import SpectrogramTransformer

_PATH = (str, os.PathLike)


def find_frontend_of(extractor):
    """Return the front end that the network in an extractor has, or will have after training.

    Parameters
    ----------
    extractor : estimator, str or os.PathLike
        One of the `extractors` of `make_combined_classifier`.

    Returns
    -------
    frontend : transformer, EstimatorState or None
        An EstimatorState comes from a file; None stands for other inputs.

    Raises
    ------
    FileNotFoundError
        If there is no such file.
    NotFittedError
        If a saved network was never fitted.
    TypeError, ValueError
        If there is no network, or one that cannot be used.
    """
    _check_is_no_new_regressor(extractor)
    if isinstance(extractor, PretrainedFeatureExtractor):
        return None
    network = extractor
    if isinstance(extractor, CNNFeatureExtractor):
        network = CNNAudioClassifier() if extractor.estimator is None else extractor.estimator
    if isinstance(network, (FrozenEstimator, *_PATH)):
        return _fitted_frontend(network, partial(_fixed_network, extractor=extractor))
    _check_is_network(network, extractor)
    source = getattr(network, "pretrained", None)
    if source is not None:
        return _fitted_frontend(source, find_source)
    return network.frontend or SpectrogramTransformer()


def common_channel(frontends):
    """Return the channel that all front ends read; None if they read several.

    Parameters
    ----------
    frontends : list
        What `find_frontend_of` returns.
    """
    channels = set()
    for frontend in frontends:
        if isinstance(frontend, EstimatorState):
            channels.add(frontend.state.get("channel"))
        parts = iterate_parts(frontend)
        channels |= {part.channel for part in parts if isinstance(part, SpectrogramTransformer)}
    return channels.pop() if len(channels) == 1 else None


def _fitted_frontend(fixed, resolve):
    """Return the front end of a network in a FrozenEstimator or in a file.

    `resolve(fixed)` returns the network, or raises an error.
    """
    if isinstance(fixed, _PATH):
        with suppress(NoOutlineError):
            outline, _ = read_outline(os.fspath(fixed))  # much faster than loading it
            return outline.state["frontend_"]
    elif isinstance(fixed.estimator, NetworkEstimator) and not has_network(fixed.estimator):
        # It can still be fitted by itself, before the combined classifier is.
        return fixed.estimator.frontend or SpectrogramTransformer()
    return resolve(fixed).frontend_


def _fixed_network(fixed, extractor):
    """Return the fitted network in a FrozenEstimator or in a file."""
    if isinstance(fixed, FrozenEstimator):
        _check_is_network(fixed.estimator, extractor)
    network = resolve_frozen(fixed)
    _check_is_network(network, extractor)
    return network


def _check_is_no_new_regressor(extractor):
    """Raise ValueError for a regressor to train: it would learn the numbers of the classes."""
    if isinstance(extractor, CNNFeatureExtractor):
        extractor = extractor.estimator
    if isinstance(extractor, CNNAudioRegressor):
        raise ValueError(
            "extractors contains a CNNAudioRegressor to train, but labels are classes. Pass a "
            "CNNAudioClassifier, or a fitted regressor as FrozenEstimator(regressor)."
        )


def _check_is_network(network, extractor):
    if isinstance(network, NetworkEstimator):
        return
    raise TypeError(
        "extractors must contain networks (CNNAudioClassifier, ConvAutoencoderEmbedder, "
        "CNNFeatureExtractor, PretrainedFeatureExtractor) or paths of saved ones, got "
        f"{_shown(extractor, network)}. {_advice(network)}"
    )


def _shown(extractor, network):
    """Return the type of an estimator, whose repr may have many lines, and other values."""
    if isinstance(extractor, BaseEstimator):
        inner = getattr(extractor, "estimator", None)
        shown = "" if inner is None else f"({_shown(inner, network)})"
        return type(extractor).__name__ + shown
    is_file = isinstance(extractor, _PATH) and network is not extractor
    contains = f", which contains a {type(network).__name__}" if is_file else ""
    return f"{extractor!r:.200}{contains}"


def _advice(estimator):
    """Return what to do with an estimator that is no network."""
    if isinstance(estimator, PretrainedFeatureExtractor):
        return "Pass the PretrainedFeatureExtractor itself: it is never trained."
    if find_places(estimator):
        return (
            "Pass the fitted networks inside it as FrozenEstimator(network): "
            f"{describe_places(estimator)}. To change its blocks, use its set_params."
        )
    parts = [type(part) for part in iterate_parts(estimator)]
    if any(issubclass(part, (NetworkEstimator, CNNFeatureExtractor)) for part in parts):
        return (
            "Pass the network inside it (pipeline[-1], search.best_estimator_), and its front end "
            "as CNNAudioClassifier(frontend=...)."
        )
    if is_classifier(estimator):
        return (
            "To let other classifiers vote, too, use sklearn.ensemble.VotingClassifier([(name, "
            "classifier), ...], voting='soft')."
        )
    return "Pass other transformers of clips as handcrafted=transformer."

"""The front end and the network in a fitted estimator, and what cannot be exported."""

from typing import Any, NamedTuple

from sklearn.base import BaseEstimator
from sklearn.pipeline import Pipeline
from sklearn.utils.validation import check_is_fitted

from skdaf._estimators.fitted import find_networks, unwrap
from skdaf._features.spectrogram_transformer import SpectrogramTransformer

_SUPPORTED = (
    "a fitted CNNAudioClassifier, CNNAudioRegressor, ConvAutoencoderEmbedder or "
    "CNNFeatureExtractor, alone, in a search, or after a SpectrogramTransformer in a pipeline"
)


class Parts(NamedTuple):
    """What an estimator computes, from clips to results.

    Attributes
    ----------
    frontend : SpectrogramTransformer
        Fitted.
    network : NetworkEstimator
        The estimator with the fitted network.
    n_layers : int
        How many of its layers are applied.
    task : {"classification", "multilabel", "regression", "embedding"}
    """

    frontend: Any
    network: Any
    n_layers: int
    task: str


def find_parts(estimator):
    """Return the `Parts` of a fitted estimator or of a saved model.

    Raises
    ------
    NotFittedError
        If the estimator is not fitted.
    TypeError
        If `estimator` is not an estimator.
    ValueError
        If it cannot be exported; the message says why.
    """
    if isinstance(estimator, type):
        raise TypeError(f"estimator is the class {estimator.__name__}: pass a fitted instance.")
    estimator = unwrap(estimator)
    if not isinstance(estimator, BaseEstimator):
        raise TypeError(f"estimator must be {_SUPPORTED}, got {estimator!r}.")
    *before, last = _steps(estimator)
    check_is_fitted(last)
    network, n_layers, task = _find_network(last)
    return Parts(_find_frontend(before, network), network, n_layers, task)


def _steps(estimator):
    """Return the steps of a pipeline, in which some may be pipelines, or the estimator itself."""
    estimator = unwrap(estimator)
    if not isinstance(estimator, Pipeline):
        return [estimator]
    used = [step for _, step in estimator.steps if step not in (None, "passthrough")]
    if not used:
        raise ValueError("The pipeline has no steps: there is nothing to export.")
    return [part for step in used for part in _steps(step)]


def _find_network(last):
    """Return the network of the last step, how many layers are applied, and the task."""
    from skdaf._estimators.autoencoder import ConvAutoencoderEmbedder
    from skdaf._estimators.classifier import CNNAudioClassifier
    from skdaf._estimators.extractor import CNNFeatureExtractor
    from skdaf._estimators.regressor import CNNAudioRegressor

    methods = {
        CNNFeatureExtractor: "transform",
        ConvAutoencoderEmbedder: "transform",
        CNNAudioRegressor: "predict",
        CNNAudioClassifier: "predict_proba",
    }
    kind = next((kind for kind in methods if isinstance(last, kind)), None)
    if kind is None:
        raise ValueError(_why_no_network(last))
    _check_inherits(last, kind, methods[kind])
    if kind is CNNFeatureExtractor:
        _check_no_windows(last)
        return last.estimator_, last._n_layers(), "embedding"
    if kind is ConvAutoencoderEmbedder:
        return last, last._n_encoder_layers, "embedding"
    is_multilabel = kind is CNNAudioClassifier and last.multilabel_
    task = "regression" if kind is CNNAudioRegressor else "classification"
    return last, len(last.layer_names_), "multilabel" if is_multilabel else task


def _check_inherits(estimator, kind, method):
    """Raise ValueError if a class of a user computes its results in another way."""
    if getattr(type(estimator), method) is not getattr(kind, method):
        raise ValueError(
            f"{type(estimator).__name__} has its own method {method!r}, which cannot be exported: "
            f"export a {kind.__name__}."
        )


def _why_no_network(last):
    name = type(last).__name__
    if isinstance(last, SpectrogramTransformer):
        return f"{name} cannot be exported without a network: export {_SUPPORTED}."
    if find_networks(last):
        return (
            f"{name} cannot be exported, only the networks in it. Export each of them: it must "
            f"be {_SUPPORTED}."
        )
    return (
        f"{name} cannot be exported: export {_SUPPORTED}. If it is the last step of a pipeline "
        "after a CNNFeatureExtractor, export the features (pipeline[:-1]), and convert this step "
        "with skl2onnx."
    )


def _check_no_windows(extractor):
    if extractor.window is not None:
        raise ValueError(
            f"A CNNFeatureExtractor with window={extractor.window} cannot be exported. Set "
            "window=None, export it, cut recordings into windows yourself, and average the "
            "embeddings of the windows."
        )


def _find_frontend(before, network):
    """Return the front end, a step before the network or a part of it."""
    if network.frontend_ is not None and before:
        raise ValueError(
            f"The {type(before[0]).__name__} before the network changes clips, which cannot be "
            "exported: a pipeline may only contain a SpectrogramTransformer and a network."
        )
    steps = before if network.frontend_ is None else _steps(network.frontend_)
    if not steps:
        raise ValueError(
            f"This {type(network).__name__} was fitted on spectrograms and has no front end, so it "
            "cannot be exported. Fit it on files or waveforms, or put it after the "
            "SpectrogramTransformer in a pipeline."
        )
    for step in steps:
        is_own = isinstance(step, SpectrogramTransformer) and type(step).__module__ == "skdaf"
        if not is_own or len(steps) > 1:
            names = " and ".join(type(step).__name__ for step in steps)
            raise ValueError(
                f"The front end {names} cannot be exported: it must be a SpectrogramTransformer "
                "and nothing else."
            )
    check_is_fitted(steps[0])
    return steps[0]

"""make_combined_classifier: one classifier from networks and hand-crafted features."""

import math
import os
from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from copy import copy
from numbers import Real
from typing import Any, Literal

import numpy as np
from sklearn import get_config
from sklearn.ensemble import VotingClassifier
from sklearn.linear_model import LogisticRegression
from sklearn.pipeline import FeatureUnion, Pipeline
from sklearn.preprocessing import StandardScaler
from sklearn.svm import SVC
from sklearn.utils.validation import has_fit_parameter

from skdaf._core.arrays import plain_scalar
from skdaf._core.public import public
from skdaf._core.typing import PathLike
from skdaf._estimators.classifier import CNNAudioClassifier
from skdaf._estimators.combined_networks import common_channel, find_frontend_of
from skdaf._estimators.extractor import CNNFeatureExtractor
from skdaf._estimators.feature_blocks import BlockScaler, CappedPCA
from skdaf._estimators.pretrained.names import NAMED, ONNX_ENDINGS, did_you_mean
from skdaf._estimators.pretrained.parts import check_packages_of
from skdaf._estimators.pretrained.transformer import PretrainedFeatureExtractor
from skdaf._features.pyaudioanalysis_transformer import PyAudioAnalysisTransformer

# Strong regularization, for blocks of features whose variances sum to one: there are often more
# features than clips, and unsure votes leave decisions to the block that is sure.
_C_OF_VOTES = 3.0

# Networks are usually the better blocks, by far on sounds from new places.
_VOTES_OF_NETWORK, _VOTES_OF_HANDCRAFTED = 3, 1


@public
def make_combined_classifier(
    extractors: Any | PathLike | Sequence[Any | PathLike],
    *,
    handcrafted: Any = True,
    method: Literal["vote", "svc"] = "vote",
    weights: Sequence[float] | None = None,
    n_components: int = 100,
    C: float | None = None,
    gamma: Literal["scale", "auto"] | float = "scale",
    memory: Any = None,
    n_jobs: int | None = None,
) -> VotingClassifier | Pipeline:
    """Combine networks and hand-crafted features in one classifier.

    By default, each block (each network, trained or pretrained, and the hand-crafted features)
    predicts probabilities by itself, and these are averaged: a network counts three times as much
    as the hand-crafted features. The features of a network that was trained on the same clips look
    perfect on them, so a classifier on all features together trusts them too much; votes do not
    depend on that.

    Parameters
    ----------
    extractors : extractor, network, path, or list of these
        One block for each, named "cnn1", "cnn2" and so on. A `CNNFeatureExtractor` is used as it
        is. Anything else that `CNNFeatureExtractor` accepts (a network to train, a FrozenEstimator,
        or the path of a saved model) is wrapped in one with default parameters, except that a
        `CNNAudioClassifier` to train votes with its own probabilities. A
        `PretrainedFeatureExtractor`, the name of one of its models ("silero-vad"), or the path of
        an ``.onnx`` file, becomes a block "pretrained1" and so on, whose features are standardized.
    handcrafted : bool, transformer or "drop", default=True
        Whether to add a block "handcrafted" with a `PyAudioAnalysisTransformer`, which uses the
        `channel` of the networks if they have the same. You can also pass another transformer of
        clips, or "drop" to keep the name for a search without using the block.
    method : {"vote", "svc"}, default="vote"
        "vote" averages the probabilities of the blocks; a `LogisticRegression` turns features into
        probabilities. "svc" trains one SVC on the features of all blocks together, as
        deep_audio_features does. It does not predict probabilities. It may be better if the
        networks are frozen and were trained on other clips.
    weights : sequence of float, default=None
        How much the vote of each block counts, in the order of the blocks: the networks, then the
        hand-crafted features. If None, 3 for each network and 1 for the hand-crafted features. The
        weights of a classifier that exists are changed with ``set_params(weights=...)``.
    n_components : int, default=100
        Number of principal components of the features of each network, or fewer if there are fewer
        training clips or features (see `CappedPCA`).
    C : float, default=None
        Inverse of the regularization strength of the logistic regressions or the SVC. If None, 3.0
        for "vote" and 1.0 for "svc".
    gamma : {"scale", "auto"} or float, default="scale"
        Coefficient of the RBF kernel of the SVC.
    memory : str or object with the joblib.Memory interface, default=None
        Cache for the fitted features, which saves time in searches over `C` and `gamma`.
    n_jobs : int, default=None
        Number of blocks to compute in parallel.

    Returns
    -------
    classifier : sklearn.ensemble.VotingClassifier or sklearn.pipeline.Pipeline
        Unfitted. With "vote", you can search over ``weights`` (one for each of ``estimators``,
        including those that are "drop"), ``cnn1__max_epochs``, ``handcrafted__logistic__C``, and
        ``cnn1`` or ``handcrafted`` with "drop" as one of the values. With "svc", the pipeline has
        the steps "features", a `FeatureUnion` in which each block is scaled as a whole so that all
        have the same weight, and "svc": you can search over ``svc__C``,
        ``features__cnn1__pca__n_components``, ``features__cnn1__extractor__layers_dropped``, or
        ``features__handcrafted``.

    Raises
    ------
    FileNotFoundError
        If the path of a saved model does not exist.
    NotFittedError
        If the network in a file was never fitted.
    ImportError
        If a pretrained model needs a package that is not installed.
    TypeError, ValueError
        If an argument cannot be used. The error says why.

    See Also
    --------
    sklearn.model_selection.GridSearchCV : Search for the best parameters. The page "Combining" of
        the user guide has the search of deep_audio_features; ``skdaf combine --config`` runs it.
    CNNFeatureExtractor : The features of networks.
    PyAudioAnalysisTransformer : The hand-crafted block.

    Notes
    -----
    A fitted classifier votes through its features, because the `LogisticRegression` on them learns
    from new clips. On the clips of its training, its own probabilities are about as good, and
    better for rare classes. If it has exactly the classes of the labels, it votes with them after
    ``set_params(cnn1=FrozenEstimator(classifier))``.

    To pass `sample_weight` to ``fit``, turn on scikit-learn's metadata routing before you create
    the classifier: ``sklearn.set_config(enable_metadata_routing=True)``. All parts that take
    weights then request them, except those for which you have decided with ``set_fit_request``.
    Pass `groups` in the same way, for a network with ``set_fit_request(groups=True)`` that holds
    out clips.

    Examples
    --------
    >>> from skdaf import CNNAudioClassifier, make_combined_classifier
    >>> combined = make_combined_classifier(CNNAudioClassifier(random_state=0))
    >>> [name for name, _ in combined.estimators]
    ['cnn1', 'handcrafted']
    >>> pipeline = make_combined_classifier(CNNAudioClassifier(random_state=0), method="svc")
    >>> list(pipeline.named_steps)
    ['features', 'svc']
    """
    extractors = [_loaded_by_name(extractor) for extractor in _as_list(extractors)]
    frontends = [find_frontend_of(extractor) for extractor in extractors]
    check_packages_of([extractors, handcrafted])  # before fit trains the first blocks
    names = list(_block_names(extractors))
    handcrafted_blocks = _handcrafted_blocks(handcrafted, common_channel(frontends))
    if not extractors and handcrafted_blocks in ([], ["drop"]):
        raise ValueError(
            f"There is nothing to combine: extractors is empty and handcrafted is {handcrafted!r}. "
            "Pass a network, or a transformer as handcrafted, which a search can replace."
        )
    names += ["handcrafted"] * len(handcrafted_blocks)
    if method == "vote":
        voters = [_network_voter(one, n_components, C, memory) for one in extractors]
        voters += [_voter(block, C, memory) for block in handcrafted_blocks]
        return VotingClassifier(
            list(zip(names, voters, strict=True)),
            voting="soft",
            weights=_weights(weights, dict(zip(names, voters, strict=True))),
            n_jobs=n_jobs,
        )
    if method != "svc":
        raise ValueError(f"method must be 'vote' or 'svc', got {method!r}.")
    if weights is not None:
        raise ValueError(f"weights requires method='vote', got method='svc', weights={weights!r}.")
    blocks = [*(_network_block(one, n_components) for one in extractors), *handcrafted_blocks]
    named = list(zip(names, blocks, strict=True))
    features = FeatureUnion(named, n_jobs=n_jobs, verbose_feature_names_out=True)
    svc = SVC(C=1.0 if C is None else C, gamma=gamma, class_weight="balanced")
    return Pipeline([("features", features), ("svc", _weighted(svc))], memory=memory)


def _as_list(extractors):
    """Return a list of extractors; raise TypeError for something else."""
    if isinstance(extractors, Mapping):
        raise TypeError(
            "extractors must be a list, got a dict: pass list(extractors.values()). The blocks are "
            "named cnn1, cnn2 and so on."
        )
    is_single = callable(extractors) or hasattr(extractors, "fit")
    if is_single or isinstance(extractors, (str, os.PathLike)):
        return [extractors]
    if not isinstance(extractors, Iterable):
        raise TypeError(
            "extractors must be a network, an extractor, the path of a saved model or a list of "
            f"these, got {extractors!r:.200}. For hand-crafted features only, pass []."
        )
    return list(extractors)


def _weights(weights, voters):
    """Return the weight of the vote of each block, which is checked before they are trained."""
    names = list(voters)
    if weights is None:
        return [_VOTES_OF_HANDCRAFTED if n == "handcrafted" else _VOTES_OF_NETWORK for n in names]
    if np.shape(weights) != (len(names),):
        raise ValueError(
            f"weights must contain {len(names)} numbers, one for each of the blocks {names}, got "
            f"{weights!r:.100}."
        )
    weights = [plain_scalar(weight) for weight in weights]
    if not all(isinstance(weight, Real) and 0 <= weight < math.inf for weight in weights):
        raise ValueError(f"weights must be finite numbers of at least 0, got {weights!r:.100}.")
    used = [w for w, voter in zip(weights, voters.values(), strict=True) if voter != "drop"]
    if not 0 < sum(used) < math.inf:
        raise ValueError(
            f"weights must have a positive, finite sum over the blocks that vote, got {weights} "
            f"for {names}."
        )
    return weights


def _network_voter(extractor, n_components, C, memory):
    """Return a classifier to train as it is, and for anything else one on its features."""
    if isinstance(extractor, CNNAudioClassifier):
        return _weighted(extractor)
    return _voter(_network_block(extractor, n_components), C, memory)


def _voter(block, C, memory):
    """Return a classifier on a block of features."""
    if block == "drop":
        return block
    logistic = LogisticRegression(C=_C_OF_VOTES if C is None else C, max_iter=1000)
    return Pipeline([*block.steps, ("logistic", _weighted(logistic))], memory=memory)


def _loaded_by_name(extractor):
    """Return an extractor for a pretrained model, and other estimators and files unchanged."""
    if callable(extractor) and not hasattr(extractor, "fit"):
        raise TypeError(
            f"extractors contains {extractor!r:.200}: pass functions and modules as "
            "PretrainedFeatureExtractor(model, sampling_rate=...)."
        )
    if not isinstance(extractor, (str, os.PathLike)):
        return extractor
    name = str(os.fspath(extractor))
    if name in NAMED or name.lower().endswith(ONNX_ENDINGS):
        return PretrainedFeatureExtractor(name)
    question = did_you_mean(name)
    if question and not os.path.exists(name):
        raise FileNotFoundError(
            f"extractors contains {name!r}, but there is no such file.{question}"
        )
    return extractor


def _block_names(extractors):
    """Yield "cnn1", "cnn2" ... for networks, and "pretrained1" ... for pretrained ones."""
    counts = Counter()
    for extractor in extractors:
        kind = "pretrained" if isinstance(extractor, PretrainedFeatureExtractor) else "cnn"
        counts[kind] += 1
        yield f"{kind}{counts[kind]}"


def _network_block(extractor, n_components):
    if isinstance(extractor, PretrainedFeatureExtractor):
        return _standardized_block(extractor)
    if not isinstance(extractor, CNNFeatureExtractor):
        extractor = CNNFeatureExtractor(extractor)
    return Pipeline(
        [
            ("extractor", _weighted(extractor)),
            ("pca", CappedPCA(n_components)),
            ("scaler", BlockScaler()),
        ]
    )


def _handcrafted_blocks(handcrafted, channel):
    """Return a list with the hand-crafted block; without it, an empty list.

    Without it, `weights` of the votes are those of the networks only. With "drop", the name
    remains, so that a search can set a transformer.
    """
    if handcrafted is False:
        return []
    if isinstance(handcrafted, str) and handcrafted == "drop":
        return ["drop"]
    transformer = PyAudioAnalysisTransformer(channel=channel)
    transformer = transformer if handcrafted is True else handcrafted
    if isinstance(transformer, type) or not hasattr(transformer, "transform"):
        raise TypeError(
            'handcrafted must be True, False, "drop" or a transformer of clips, got '
            f"{handcrafted!r:.200}."
        )
    return [_standardized_block(transformer)]


def _standardized_block(transformer):
    # These features have different units, so each of them is standardized first.
    return Pipeline(
        [
            ("extractor", _weighted(transformer)),
            ("standard", _weighted(StandardScaler())),
            ("scaler", BlockScaler()),
        ]
    )


def _weighted(estimator):
    """Return an estimator that requests `sample_weight` for its `fit`, if it takes weights.

    Without scikit-learn's metadata routing, there is nothing to request. The user's estimators do
    not change, and a request that the user has set remains.
    """
    if not get_config()["enable_metadata_routing"]:
        return estimator
    is_routed = hasattr(estimator, "get_metadata_routing")
    if not (is_routed and has_fit_parameter(estimator, "sample_weight")):
        return estimator
    requests = getattr(estimator.get_metadata_routing(), "fit", None)
    if requests is None or requests.requests.get("sample_weight") is not None:
        return estimator
    return copy(estimator).set_fit_request(sample_weight=True)

"""make_combined_classifier: an SVC on CNN features and hand-crafted features."""

import os
from collections.abc import Sequence
from typing import Any, Literal

from sklearn.pipeline import FeatureUnion, Pipeline
from sklearn.preprocessing import StandardScaler
from sklearn.svm import SVC

from skdaf._core.public import public
from skdaf._core.typing import PathLike
from skdaf._estimators.extractor import CNNFeatureExtractor
from skdaf._estimators.feature_blocks import BlockScaler, CappedPCA
from skdaf._features.pyaudioanalysis_transformer import PyAudioAnalysisTransformer


@public
def make_combined_classifier(
    extractors: Any | PathLike | Sequence[Any | PathLike],
    *,
    handcrafted: Any = True,
    n_components: int = 100,
    C: float = 1.0,
    gamma: Literal["scale", "auto"] | float = "scale",
    memory: Any = None,
    n_jobs: int | None = None,
) -> Pipeline:
    """Build a pipeline that trains an SVC on CNN features and hand-crafted features.

    The first step, "features", is a `FeatureUnion` with one block per network (extractor, then PCA)
    and one block of standardized pyAudioAnalysis features. Each block is scaled as a whole, so that
    all blocks have the same weight. The second step, "svc", is an `SVC` with balanced class
    weights.

    Parameters
    ----------
    extractors : extractor, network, path, or list of these
        One CNN block for each, named "cnn1", "cnn2" and so on. A `CNNFeatureExtractor` is used as
        it is. Anything else that `CNNFeatureExtractor` accepts (a network to train, a
        FrozenEstimator, or the path of a saved model) is wrapped in one with default parameters.
    handcrafted : bool or transformer, default=True
        Whether to add a block "handcrafted" with a `PyAudioAnalysisTransformer`. You can also
        pass another transformer of clips.
    n_components : int, default=100
        Number of principal components of each CNN block, or fewer if there are fewer training clips
        or features (see `CappedPCA`).
    C : float, default=1.0
        Inverse of the regularization strength of the SVC.
    gamma : {"scale", "auto"} or float, default="scale"
        Coefficient of the RBF kernel of the SVC.
    memory : str or object with the joblib.Memory interface, default=None
        Cache for the fitted union, which saves time in searches over `C` and `gamma`.
    n_jobs : int, default=None
        Number of blocks to compute in parallel.

    Returns
    -------
    pipeline : sklearn.pipeline.Pipeline
        The unfitted pipeline. You can search over ``svc__C``, ``svc__gamma``,
        ``features__cnn1__pca__n_components``, ``features__cnn1__extractor__layers_dropped``,
        ``features__cnn1`` or ``features__handcrafted`` (with "drop" as one of the values), and
        all parameters of the networks.

    See Also
    --------
    CNNFeatureExtractor : The CNN blocks.
    PyAudioAnalysisTransformer : The hand-crafted block.

    Notes
    -----
    If you need probabilities, wrap the pipeline:
    ``CalibratedClassifierCV(pipeline, ensemble=False)``.

    Examples
    --------
    >>> from skdaf import CNNAudioClassifier, make_combined_classifier
    >>> combined = make_combined_classifier(CNNAudioClassifier(random_state=0))
    >>> list(combined.named_steps)
    ['features', 'svc']
    >>> [name for name, _ in combined.named_steps["features"].transformer_list]
    ['cnn1', 'handcrafted']
    """
    if isinstance(extractors, (str, os.PathLike)) or hasattr(extractors, "fit"):
        extractors = [extractors]
    if len(extractors) == 0 and handcrafted is False:
        raise ValueError(
            "There is nothing to combine: extractors is empty and handcrafted is False."
        )
    blocks = [
        (f"cnn{number}", _cnn_block(extractor, n_components))
        for number, extractor in enumerate(extractors, 1)
    ]
    blocks.append(("handcrafted", _handcrafted_block(handcrafted)))
    features = FeatureUnion(blocks, n_jobs=n_jobs, verbose_feature_names_out=True)
    svc = SVC(C=C, gamma=gamma, class_weight="balanced")
    return Pipeline([("features", features), ("svc", svc)], memory=memory)


def _cnn_block(extractor, n_components):
    if not isinstance(extractor, CNNFeatureExtractor):
        extractor = CNNFeatureExtractor(extractor)
    return Pipeline(
        [("extractor", extractor), ("pca", CappedPCA(n_components)), ("scaler", BlockScaler())]
    )


def _handcrafted_block(handcrafted):
    # With "drop", the name of the block remains, so that a search can set a transformer.
    if handcrafted is False or handcrafted == "drop":
        return "drop"
    transformer = PyAudioAnalysisTransformer() if handcrafted is True else handcrafted
    # These features have different units, so each of them is standardized first.
    return Pipeline(
        [("extractor", transformer), ("standard", StandardScaler()), ("scaler", BlockScaler())]
    )

"""make_combined_classifier: several networks and hand-crafted features feed an SVC."""

import os
from numbers import Integral

import numpy as np
from sklearn.base import (
    OneToOneFeatureMixin,
    TransformerMixin,
)
from sklearn.decomposition import PCA
from sklearn.pipeline import FeatureUnion, Pipeline
from sklearn.preprocessing import StandardScaler
from sklearn.svm import SVC
from sklearn.utils._param_validation import Interval
from sklearn.utils.validation import check_is_fitted, validate_data

from skdaf._core.estimator import Estimator, is_count
from skdaf._core.parallel import single_thread
from skdaf._core.public import public
from skdaf._core.validation import fit_context
from skdaf._estimators.extractor import CNNFeatureExtractor
from skdaf._features.pyaudioanalysis_transformer import PyAudioAnalysisTransformer


@public
class CappedPCA(TransformerMixin, Estimator):
    """Reduce features to their principal components, as many as there can be.

    As `sklearn.decomposition.PCA`, but asking for more components than there are samples or
    features gives as many as the smaller of the two, so that one number suits all folds and
    layers.

    Parameters
    ----------
    n_components : int, default=100
        The most components to keep.
    random_state : int, RandomState instance or None, default=0
        For the randomized solver, which large inputs get.

    Attributes
    ----------
    pca_ : sklearn.decomposition.PCA
        The fitted decomposition.
    n_components_ : int
        Components kept: ``min(n_components, n_samples, n_features)``.
    n_features_in_ : int
        Number of features seen by `fit`.
    feature_names_in_ : ndarray of shape (`n_features_in_`,)
        Their names, where they have some.

    Examples
    --------
    >>> import numpy as np
    >>> from skdaf import CappedPCA
    >>> CappedPCA(100).fit_transform(np.random.default_rng(0).random((6, 20))).shape
    (6, 6)
    """

    _saved_attributes = {
        **Estimator._saved_attributes,
        "n_components_": is_count,
        "pca_": lambda value: type(value) is PCA,
    }

    _parameter_constraints = {
        "n_components": [Interval(Integral, 1, None, closed="left")],
        "random_state": ["random_state"],
    }

    def __init__(self, n_components=100, *, random_state=0):
        self.n_components = n_components
        self.random_state = random_state

    @fit_context(prefer_skip_nested_validation=True)
    def fit(self, X, y=None):
        """Find the components.

        Parameters
        ----------
        X : array-like of shape (n_samples, n_features)
            Training features.
        y : None
            Ignored.

        Returns
        -------
        self : CappedPCA
            The fitted transformer.
        """
        X = validate_data(self, X, dtype=[np.float64, np.float32], ensure_min_samples=2)
        self.n_components_ = min(self.n_components, *X.shape)
        with single_thread:
            self.pca_ = PCA(self.n_components_, random_state=self.random_state).fit(X)
        return self

    def transform(self, X):
        """Project features on the components.

        Parameters
        ----------
        X : array-like of shape (n_samples, n_features)
            Features.

        Returns
        -------
        components : ndarray of shape (n_samples, `n_components_`)
            Largest variance first.
        """
        check_is_fitted(self)
        X = validate_data(self, X, dtype=[np.float64, np.float32], reset=False)
        with single_thread:
            return self.pca_.transform(X)

    def get_feature_names_out(self, input_features=None):
        """Name the components ``pca0``, ``pca1`` and so on.

        Parameters
        ----------
        input_features : None
            Ignored.

        Returns
        -------
        names : ndarray of str objects
            One a column of what `transform` returns.
        """
        check_is_fitted(self)
        return self.pca_.get_feature_names_out()

    def __sklearn_tags__(self):
        tags = super().__sklearn_tags__()
        tags.transformer_tags.preserves_dtype = ["float64", "float32"]
        return tags


@public
class BlockScaler(OneToOneFeatureMixin, TransformerMixin, Estimator):
    """Scale a block of features as a whole, so that blocks side by side weigh the same.

    All features are centred and divided by one number, after which their variances sum to one:
    the block keeps its shape, and its large features stay larger than its small ones. Behind a
    PCA that is what one wants: scaling each component by itself would make the last ones, which
    are mostly noise, as loud as the first.

    Attributes
    ----------
    mean_ : ndarray of shape (n_features,)
        Mean of each feature.
    scale_ : float
        What all features are divided by: the root of their summed variances (1 if that is 0).
    n_features_in_ : int
        Number of features seen by `fit`.
    feature_names_in_ : ndarray of shape (`n_features_in_`,)
        Their names, where they have some.

    Examples
    --------
    >>> import numpy as np
    >>> from skdaf import BlockScaler
    >>> X = np.array([[0.0, 1.0], [8.0, 1.0], [8.0, 7.0], [0.0, 7.0]])
    >>> BlockScaler().fit_transform(X)
    array([[-0.8, -0.6], [ 0.8, -0.6], [ 0.8,  0.6], [-0.8,  0.6]])
    """

    _saved_attributes = {
        **Estimator._saved_attributes,
        "mean_": lambda value: isinstance(value, np.ndarray) and value.dtype.kind == "f",
        "scale_": lambda value: isinstance(value, (float, np.floating)),
    }

    def fit(self, X, y=None):
        """Learn the mean of each feature and the scale of all.

        Parameters
        ----------
        X : array-like of shape (n_samples, n_features)
            Training features.
        y : None
            Ignored.

        Returns
        -------
        self : BlockScaler
            The fitted transformer.
        """
        X = validate_data(self, X, dtype=[np.float64, np.float32])
        self.mean_ = X.mean(axis=0, dtype=np.float64)
        variance = X.var(axis=0, dtype=np.float64).sum()
        self.scale_ = float(np.sqrt(variance)) if variance > 0 else 1.0
        return self

    def transform(self, X):
        """Centre and scale features.

        Parameters
        ----------
        X : array-like of shape (n_samples, n_features)
            Features.

        Returns
        -------
        scaled : ndarray of shape (n_samples, n_features)
            In the data type of `X`.
        """
        check_is_fitted(self)
        X = validate_data(self, X, dtype=[np.float64, np.float32], reset=False)
        return ((X - self.mean_) / self.scale_).astype(X.dtype, copy=False)

    def __sklearn_tags__(self):
        tags = super().__sklearn_tags__()
        tags.transformer_tags.preserves_dtype = ["float64", "float32"]
        return tags


@public
def make_combined_classifier(
    extractors,
    *,
    handcrafted=True,
    n_components=100,
    C=1.0,
    gamma="scale",
    memory=None,
    n_jobs=None,
):
    """Make a pipeline in which CNN features and hand-crafted features feed an SVC.

    A `FeatureUnion` named "features" has one block a network (extractor, PCA) and one of
    pyAudioAnalysis features (standardized); each block is scaled as a whole, so that all weigh
    the same, and an `SVC` with balanced classes follows.

    Parameters
    ----------
    extractors : extractor, network, path, or list of these
        The CNN blocks: `CNNFeatureExtractor` as they are; anything else that
        ``CNNFeatureExtractor(...)`` takes (a network to be fitted, a FrozenEstimator, the path of
        a saved model) is wrapped in one with default parameters. They are called "cnn1", "cnn2"
        and so on.
    handcrafted : bool or transformer, default=True
        Whether to add a `PyAudioAnalysisTransformer`, called "handcrafted"; or another
        transformer of clips to stand there.
    n_components : int, default=100
        Principal components kept of each CNN block; fewer where there are fewer training clips
        or features (see `CappedPCA`).
    C : float, default=1.0
        Regularization of the SVC: smaller is stronger.
    gamma : {"scale", "auto"} or float, default="scale"
        Width of its RBF kernel.
    memory : str or object with the joblib.Memory interface, default=None
        Caches the fitted blocks of the union, for searches over `C` and `gamma`.
    n_jobs : int, default=None
        Blocks computed at once.

    Returns
    -------
    pipeline : sklearn.pipeline.Pipeline
        Unfitted. Parameters to search: ``svc__C``, ``svc__gamma``,
        ``features__cnn1__pca__n_components``, ``features__cnn1__extractor__layers_dropped``,
        ``features__cnn1`` or ``features__handcrafted`` (with "drop" as one of the values) and
        all those of the networks.

    See Also
    --------
    CNNFeatureExtractor : The CNN blocks.
    PyAudioAnalysisTransformer : The hand-crafted block.

    Notes
    -----
    For probabilities wrap the pipeline:
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
        raise ValueError("There is nothing to combine: no extractors, and handcrafted=False.")
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
    # "drop" keeps the place, so that a search can put the block back.
    if handcrafted is False or handcrafted == "drop":
        return "drop"
    transformer = PyAudioAnalysisTransformer() if handcrafted is True else handcrafted
    # These features come in units of their own, so each is brought to one scale first.
    return Pipeline(
        [("extractor", transformer), ("standard", StandardScaler()), ("scaler", BlockScaler())]
    )

"""CappedPCA and BlockScaler: prepare blocks of features for a union.

They work on any features and do not import torch.
"""

from numbers import Integral
from typing import Any, Self

import numpy as np
from numpy.random import RandomState
from numpy.typing import ArrayLike, NDArray
from sklearn.base import OneToOneFeatureMixin, TransformerMixin
from sklearn.decomposition import PCA
from sklearn.utils._param_validation import Interval
from sklearn.utils.validation import check_is_fitted, validate_data

from skdaf._core.estimator import Estimator, is_count
from skdaf._core.parallel import single_blas_thread
from skdaf._core.public import public
from skdaf._core.validation import fit_context


@public
class CappedPCA(TransformerMixin, Estimator):
    """Reduce features to at most a given number of principal components.

    `sklearn.decomposition.PCA` raises an error if `n_components` is greater than the number of
    samples or features. This transformer keeps as many components as possible instead, so that
    you can use one value for all folds and all layers of a network.

    Parameters
    ----------
    n_components : int, default=100
        Maximum number of components to keep.
    random_state : int, RandomState instance or None, default=0
        Seed of the randomized solver, which PCA uses for large inputs.

    Attributes
    ----------
    pca_ : sklearn.decomposition.PCA
        The fitted decomposition.
    n_components_ : int
        Number of components kept: ``min(n_components, n_samples, n_features)``.
    n_features_in_ : int
        Number of features seen by `fit`.
    feature_names_in_ : ndarray of shape (`n_features_in_`,)
        Names of the features, if X was a table whose columns have names.

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

    def __init__(self, n_components: int = 100, *, random_state: int | RandomState | None = 0):
        self.n_components = n_components
        self.random_state = random_state

    @fit_context(prefer_skip_nested_validation=True)
    def fit(self, X: ArrayLike, y: object = None) -> Self:
        """Compute the principal components.

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
        features = validate_data(self, X, dtype=[np.float64, np.float32], ensure_min_samples=2)
        self.n_components_ = min(self.n_components, *features.shape)
        with single_blas_thread:
            self.pca_ = PCA(self.n_components_, random_state=self.random_state).fit(features)
        return self

    def transform(self, X: ArrayLike) -> NDArray[Any]:
        """Project features onto the components.

        Parameters
        ----------
        X : array-like of shape (n_samples, n_features)
            Features.

        Returns
        -------
        components : ndarray of shape (n_samples, `n_components_`)
            In order of decreasing variance.
        """
        check_is_fitted(self)
        features = validate_data(self, X, dtype=[np.float64, np.float32], reset=False)
        with single_blas_thread:
            return self.pca_.transform(features)

    def get_feature_names_out(self, input_features: object = None) -> NDArray[np.object_]:
        """Return the names of the components: ``pca0``, ``pca1`` and so on.

        Parameters
        ----------
        input_features : None
            Ignored.

        Returns
        -------
        names : ndarray of str objects
            One name per column of what `transform` returns.
        """
        check_is_fitted(self)
        return self.pca_.get_feature_names_out()

    def __sklearn_tags__(self):
        tags = super().__sklearn_tags__()
        tags.transformer_tags.preserves_dtype = ["float64", "float32"]
        return tags


@public
class BlockScaler(OneToOneFeatureMixin, TransformerMixin, Estimator):
    """Scale a block of features as a whole, so that all blocks of a union have the same weight.

    Each feature is centered, and all of them are divided by the same number, so that their
    variances sum to one. Features with a large variance keep it, relative to the others of the
    block. Use it after a PCA: if you scaled each component separately, the last ones, which are
    mostly noise, would count as much as the first.

    Attributes
    ----------
    mean_ : ndarray of shape (n_features,)
        Mean of each feature.
    scale_ : float
        The number that all features are divided by: the square root of the sum of their
        variances, or 1 if that is 0.
    n_features_in_ : int
        Number of features seen by `fit`.
    feature_names_in_ : ndarray of shape (`n_features_in_`,)
        Names of the features, if X was a table whose columns have names.

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

    def fit(self, X: ArrayLike, y: object = None) -> Self:
        """Compute the mean of each feature and the scale of the block.

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
        features = validate_data(self, X, dtype=[np.float64, np.float32])
        self.mean_ = features.mean(axis=0, dtype=np.float64)
        variance = features.var(axis=0, dtype=np.float64).sum()
        self.scale_ = float(np.sqrt(variance)) if variance > 0 else 1.0
        return self

    def transform(self, X: ArrayLike) -> NDArray[Any]:
        """Center and scale features.

        Parameters
        ----------
        X : array-like of shape (n_samples, n_features)
            Features.

        Returns
        -------
        scaled : ndarray of shape (n_samples, n_features)
            As float64, so that the probabilities of a classifier on them sum to one.
        """
        check_is_fitted(self)
        features = validate_data(self, X, dtype=[np.float64, np.float32], reset=False)
        return (features - self.mean_) / self.scale_

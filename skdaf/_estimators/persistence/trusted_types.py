"""The names that a model file may contain: types that `load_model` builds, functions it looks up.

They are in the tables below, or are the names of scikit-learn's public estimators. No other module
is imported because a file names it.
"""

import importlib

import numpy as np

# --- this package ----------------------------------------------------------------------------

_OWN_ESTIMATORS = {
    "BlockScaler",
    "CappedPCA",
    "CNNAudioClassifier",
    "CNNAudioRegressor",
    "CNNFeatureExtractor",
    "ConvAutoencoderEmbedder",
    "LegacySpectrogramTransformer",
    "PretrainedFeatureExtractor",
    "PyAudioAnalysisTransformer",
    "SpectrogramTransformer",
}

# Parameters that belong to a run and not to a model, in all estimators.
RUN_PARAMETERS = {
    *("cache", "checkpoint", "device", "memory", "n_jobs", "n_threads", "pre_dispatch", "verbose"),
}

# --- scikit-learn ----------------------------------------------------------------------------

# Where scikit-learn's public estimators are looked up.
_PUBLIC_PACKAGES = {
    *("calibration", "cluster", "compose", "covariance", "cross_decomposition", "decomposition"),
    *(
        "discriminant_analysis",
        "dummy",
        "ensemble",
        "feature_extraction",
        "feature_extraction.image",
        "feature_extraction.text",
    ),
    *("feature_selection", "frozen", "gaussian_process", "impute", "isotonic"),
    *("kernel_approximation", "kernel_ridge", "linear_model", "manifold", "mixture"),
    *("model_selection", "multiclass", "multioutput", "naive_bayes", "neighbors"),
    *("neural_network", "pipeline", "preprocessing", "random_projection", "semi_supervised"),
    *("svm", "tree"),
}


def _names(module, text):
    return [f"{module}.{name}" for name in text.split()]


# Objects in fitted estimators that are not public, or not estimators.
_PARTS = [
    *_names(
        "sklearn._loss.link",
        "HalfLogitLink IdentityLink Interval LogitLink LogLink MultinomialLogit",
    ),
    *_names(
        "sklearn._loss.loss",
        "AbsoluteError ExponentialLoss HalfBinomialLoss HalfGammaLoss HalfMultinomialLoss "
        "HalfPoissonLoss HalfSquaredError HalfTweedieLoss HalfTweedieLossIdentity HuberLoss "
        "PinballLoss",
    ),
    *_names("sklearn.calibration", "_CalibratedClassifier _SigmoidCalibration _TemperatureScaling"),
    *_names("sklearn.compose._column_transformer", "make_column_selector _RemainderColsList"),
    "sklearn.ensemble._hist_gradient_boosting.binning._BinMapper",
    "sklearn.ensemble._hist_gradient_boosting.predictor.TreePredictor",
    "sklearn.gaussian_process._gpc._BinaryGaussianProcessClassifierLaplace",
    *_names(
        "sklearn.gaussian_process.kernels",
        "CompoundKernel ConstantKernel DotProduct ExpSineSquared Exponentiation Matern "
        "PairwiseKernel Product RationalQuadratic RBF Sum WhiteKernel",
    ),
    "sklearn.impute._iterative.IterativeImputer",
    *_names(
        "sklearn.metrics._scorer", "_CurveScorer _MultimetricScorer _PassthroughScorer _Scorer"
    ),
    *_names(
        "sklearn.model_selection._search_successive_halving",
        "HalvingGridSearchCV HalvingRandomSearchCV",
    ),
    *_names(
        "sklearn.model_selection._split",
        "GroupKFold GroupShuffleSplit KFold LeaveOneGroupOut LeaveOneOut LeavePGroupsOut LeavePOut "
        "PredefinedSplit RepeatedKFold RepeatedStratifiedKFold ShuffleSplit StratifiedGroupKFold "
        "StratifiedKFold StratifiedShuffleSplit TimeSeriesSplit",
    ),
    "sklearn.multiclass._ConstantPredictor",
    *_names("sklearn.neural_network._stochastic_optimizers", "AdamOptimizer SGDOptimizer"),
    *_names("sklearn.utils._metadata_requests", "MetadataRequest MethodMetadataRequest"),
]

# Compiled objects, each with its own checks.
TREE = "sklearn.tree._tree.Tree"
NEIGHBOR_TREES = (
    *_names("sklearn.neighbors._ball_tree", "BallTree BallTree32 BallTree64"),
    *_names("sklearn.neighbors._kd_tree", "KDTree KDTree32 KDTree64"),
)

# Distances of neighbor trees, and the names of their metrics.
_DISTANCES = {
    "BrayCurtisDistance": "braycurtis",
    "CanberraDistance": "canberra",
    "ChebyshevDistance": "chebyshev",
    "DiceDistance": "dice",
    "EuclideanDistance": "euclidean",
    "HammingDistance": "hamming",
    "HaversineDistance": "haversine",
    "JaccardDistance": "jaccard",
    "MahalanobisDistance": "mahalanobis",
    "ManhattanDistance": "manhattan",
    "MinkowskiDistance": "minkowski",
    "RogersTanimotoDistance": "rogerstanimoto",
    "RussellRaoDistance": "russellrao",
    "SEuclideanDistance": "seuclidean",
    "SokalMichenerDistance": "sokalmichener",
    "SokalSneathDistance": "sokalsneath",
}
DISTANCES = {
    f"sklearn.metrics._dist_metrics.{name}{bits}": (f"DistanceMetric{bits}", metric)
    for name, metric in _DISTANCES.items()
    for bits in ("32", "64")
}

# Modules under the names that their compiled classes have in scikit-learn 1.6.
FULL_NAMES = {"_loss": "sklearn._loss._loss"}

# Compiled losses. Their constructors are called with at most one number.
LOSSES = (
    *_names(
        "sklearn._loss._loss",
        "CyAbsoluteError CyExponentialLoss CyHalfBinomialLoss CyHalfGammaLoss "
        "CyHalfMultinomialLoss CyHalfPoissonLoss CyHalfSquaredError CyHalfTweedieLoss "
        "CyHalfTweedieLossIdentity CyHuberLoss CyPinballLoss",
    ),
    *_names(
        "sklearn.linear_model._sgd_fast",
        "EpsilonInsensitive Hinge Huber Log ModifiedHuber SquaredEpsilonInsensitive SquaredHinge "
        "SquaredLoss",
    ),
)

# --- functions, and the attributes that may refer to them ---------------------------------------

_METRICS = [
    *_names(
        "sklearn.metrics._classification",
        "accuracy_score balanced_accuracy_score brier_score_loss class_likelihood_ratios "
        "cohen_kappa_score d2_brier_score d2_log_loss_score f1_score fbeta_score hamming_loss "
        "hinge_loss jaccard_score log_loss matthews_corrcoef negative_likelihood_ratio "
        "positive_likelihood_ratio precision_score recall_score zero_one_loss",
    ),
    *_names("sklearn.metrics._scorer", "negative_likelihood_ratio positive_likelihood_ratio"),
    *_names(
        "sklearn.metrics._ranking",
        "average_precision_score coverage_error dcg_score label_ranking_average_precision_score "
        "label_ranking_loss ndcg_score roc_auc_score top_k_accuracy_score",
    ),
    *_names(
        "sklearn.metrics._regression",
        "d2_absolute_error_score d2_pinball_score d2_tweedie_score explained_variance_score "
        "max_error mean_absolute_error mean_absolute_percentage_error mean_gamma_deviance "
        "mean_pinball_loss mean_poisson_deviance mean_squared_error mean_squared_log_error "
        "mean_tweedie_deviance median_absolute_error r2_score root_mean_squared_error "
        "root_mean_squared_log_error",
    ),
    *_names(
        "sklearn.metrics.cluster._supervised",
        "adjusted_mutual_info_score adjusted_rand_score completeness_score fowlkes_mallows_score "
        "homogeneity_score mutual_info_score normalized_mutual_info_score rand_score "
        "v_measure_score",
    ),
]
_SELECTION_SCORES = [
    *_names(
        "sklearn.feature_selection._univariate_selection",
        "chi2 f_classif f_oneway f_regression r_regression",
    ),
    *_names("sklearn.feature_selection._mutual_info", "mutual_info_classif mutual_info_regression"),
]
_FUNCTIONS = {
    **dict.fromkeys(_METRICS, ("_score_func",)),
    **dict.fromkeys(_SELECTION_SCORES, ("score_func",)),
    "numpy.mean": ("pooling_func",),
}
# Functions of single numbers, for FunctionTransformer. Their module differs between releases of
# NumPy.
_UFUNCS = {
    *("abs", "absolute", "arccos", "arccosh", "arcsin", "arcsinh", "arctan", "arctanh", "cbrt"),
    *("ceil", "cos", "cosh", "deg2rad", "degrees", "exp", "exp2", "expm1", "fabs", "floor", "log"),
    *("log10", "log1p", "log2", "negative", "positive", "rad2deg", "radians", "reciprocal", "rint"),
    *("sign", "sin", "sinh", "sqrt", "square", "tan", "tanh", "trunc"),
}
_UFUNC_ATTRIBUTES = {"func", "inverse_func"}

# --- plain types -----------------------------------------------------------------------------

_NUMBERS = [
    *("bool_", "float16", "float32", "float64", "int8", "int16", "int32", "int64", "longlong"),
    *("str_", "uint8", "uint16", "uint32", "uint64", "ulonglong"),
]
SCALARS = {
    **{f"numpy.{name}": getattr(np, name) for name in _NUMBERS},
    "numpy.bool": np.bool_,
}
PLAIN_TYPES = {
    **{f"builtins.{kind.__name__}": kind for kind in (bool, float, int, object, str)},
    **SCALARS,
}
DICTS = {
    "builtins.dict",
    "collections.OrderedDict",
    "sklearn.utils._bunch.Bunch",
}

#: The names that ``skops.io.load(path, trusted=TRUSTED_TYPES)`` needs to read files of
#: `save_model`. That function only checks names; `load_model` also checks the values of objects.
TRUSTED_TYPES = (
    *sorted(
        {
            *(f"skdaf.{name}" for name in _OWN_ESTIMATORS),
            *DICTS,
            *DISTANCES,
            *LOSSES,
            *NEIGHBOR_TREES,
            *SCALARS,
            *_FUNCTIONS,
            *_PARTS,
            TREE,
            "numpy.dtype",
        }
    ),
)


def is_own_estimator(name):
    """Return whether a name is that of an estimator of this package, without importing it."""
    module, _, kind = name.rpartition(".")
    return module == "skdaf" and kind in _OWN_ESTIMATORS


def find_class(name):
    """Return a class whose objects are created with ``__new__`` and a state; None if unknown."""
    module, _, kind = name.rpartition(".")
    if is_own_estimator(name):
        return getattr(importlib.import_module("skdaf"), kind)
    if name in _PARTS:
        return find_listed(name)
    return _find_public_estimator(module, kind)


def find_listed(name):
    """Return the object that a name in the tables refers to; None if scikit-learn lacks it."""
    module, _, attribute = name.rpartition(".")
    try:
        return vars(importlib.import_module(module)).get(attribute)
    except ImportError:
        return None


def _find_public_estimator(module, kind):
    """Return an estimator from one of scikit-learn's public packages, or None."""
    from sklearn.base import BaseEstimator

    root, _, rest = module.partition(".")
    parts = rest.split(".")
    if root != "sklearn" or kind.startswith("_"):
        return None
    for package in (".".join(parts[:2]), parts[0]):
        if package in _PUBLIC_PACKAGES:
            found = vars(importlib.import_module(f"sklearn.{package}")).get(kind)
            is_estimator = isinstance(found, type) and issubclass(found, BaseEstimator)
            if is_estimator and found.__module__ == module:
                return found
    return None


def find_function(name, attribute):
    """Return a function that an attribute may refer to; None if it is not in the tables."""
    if attribute in _FUNCTIONS.get(name, ()):
        return find_listed(name)
    module, _, function = name.rpartition(".")
    is_ufunc = function in _UFUNCS and module.partition(".")[0] == "numpy"
    return getattr(np, function) if is_ufunc and attribute in _UFUNC_ATTRIBUTES else None

"""Checks of the values in objects from a model file, whose types have been checked before.

scikit-learn's compiled code trusts the indices and shapes in fitted estimators. These checks cover
the values that decide where it reads and writes, the names of methods that it calls, and the
numbers of iterations.
"""

import inspect
import re

import numpy as np
from sklearn.base import BaseEstimator

from skdaf._estimators.persistence import estimator_checks, tree_checks
from skdaf._estimators.persistence.conditions import require

# Attributes that contain the name of a method, and the names that are allowed.
_METHODS = {
    *("auto", "decision_function", "predict", "predict_log_proba", "predict_proba", "transform"),
    *("score_samples", "default"),
}
_METHOD_ATTRIBUTES = {
    *("chain_method", "chain_method_", "response_method", "_response_method"),
    *("stack_method", "stack_method_"),
}
_ATTRIBUTE_PATH = re.compile(r"[A-Za-z]\w{0,99}(\.[A-Za-z]\w{0,99}){0,5}")

# Attributes that set the number of iterations of each call of `transform`.
_ITERATIONS = {
    "AdditiveChi2Sampler": ("sample_steps",),
    "DictionaryLearning": ("transform_max_iter",),
    "LatentDirichletAllocation": ("max_doc_update_iter",),
    "MiniBatchDictionaryLearning": ("transform_max_iter",),
    "MiniBatchNMF": ("max_iter", "transform_max_iter"),
    "NMF": ("max_iter",),
    "PolynomialCountSketch": ("degree",),
}
_MAX_ITERATIONS = 100_000

# Formats of column names; others could produce names of any length.
_NAME_FORMAT = re.compile(r"([^{}]|\{(feature_name|transformer_name)\}){0,200}")


def check_state(kind, state):
    """Check that no name in a state overrides a method or another attribute of a class."""
    parameters = inspect.signature(kind.__init__).parameters
    for name in state:
        if not (type(name) is str and name.isidentifier()) or name.startswith("__"):
            raise ValueError(f"it has no attribute {str(name)[:60]!r}")
        if name not in parameters and hasattr(kind, name):
            raise ValueError(f"a file may not set the attribute {name}")


def check_object(instance):
    """Check that the attributes of an object have values that its class can have.

    Raises
    ------
    ValueError
        If an attribute has another value; the message names it.
    """
    for name, value in vars(instance).items():
        if name in _METHOD_ATTRIBUTES:
            _check_methods(name, value)
        elif name == "importance_getter" and type(value) is str:
            require(_ATTRIBUTE_PATH.fullmatch(value), f"{name}={value[:60]!r}")
        elif name == "estimator_params":
            require(_tree_parameters().issuperset(value), f"{name}={str(value)[:60]}")
        elif name == "verbose_feature_names_out" and type(value) is str:
            require(_NAME_FORMAT.fullmatch(value), f"{name}={value[:60]!r}")
        elif name == "n_classes_" and "classes_" in vars(instance):
            _check_number_of_classes(value, instance.classes_)
    if isinstance(instance, BaseEstimator) and hasattr(instance, "_parameter_constraints"):
        instance._validate_params()
    for kind in type(instance).__mro__:
        for name in _ITERATIONS.get(kind.__name__, ()):
            value = getattr(instance, name) or 0
            require(value <= _MAX_ITERATIONS, f"{name}={value} (at most {_MAX_ITERATIONS})")
        if kind.__module__.startswith("sklearn.") and kind.__name__ in _CHECKS:
            _CHECKS[kind.__name__](instance)


def _tree_parameters():
    """Return the names of the attributes that an ensemble may set in its trees."""
    from sklearn.tree import ExtraTreeClassifier  # not at the top, because few models need it

    return set(inspect.signature(ExtraTreeClassifier.__init__).parameters)


def _check_methods(name, value):
    values = value if type(value) in (list, tuple) else [value]
    if not all(item is None or (type(item) is str and item in _METHODS) for item in values):
        raise ValueError(f"{name} does not name a prediction method")


def _check_number_of_classes(counts, classes):
    classes = classes if isinstance(classes, list) else [classes]
    expected = [len(names) for names in classes]
    require(list(np.atleast_1d(counts)) == expected, f"n_classes_={str(counts)[:60]}")


_CHECKS = {
    "BaseDecisionTree": tree_checks.check_decision_tree,
    "BaseForest": tree_checks.check_forest,
    "BaseGradientBoosting": tree_checks.check_gradient_boosting,
    "BaseHistGradientBoosting": tree_checks.check_hist_gradient_boosting,
    "BaseLibSVM": estimator_checks.check_support_vectors,
    "DictVectorizer": estimator_checks.check_vocabulary,
    "DummyRegressor": estimator_checks.check_constant,
    "FeatureAgglomeration": estimator_checks.check_feature_agglomeration,
    "IsolationForest": tree_checks.check_isolation_forest,
    "NeighborsBase": estimator_checks.check_neighbors,
    "OneHotEncoder": estimator_checks.check_one_hot,
    "PolynomialFeatures": estimator_checks.check_polynomials,
    "TreePredictor": tree_checks.check_predictor,
    "_BaseKMeans": estimator_checks.check_k_means,
    "_BaseNMF": estimator_checks.check_factors,
    "_VectorizerMixin": estimator_checks.check_words,
}

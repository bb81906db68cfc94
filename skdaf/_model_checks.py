"""What objects from a model file may hold, beyond their type.

scikit-learn's compiled code trusts the indices and shapes in fitted estimators. What decides where
it reads and writes is checked here, as are names of methods to call and counts of iterations.
"""

import inspect
import math
import re

import numpy as np
from sklearn.base import BaseEstimator

# Methods that an estimator may call by a name which it holds.
_METHODS = {
    *("auto", "decision_function", "predict", "predict_log_proba", "predict_proba", "transform"),
    *("score_samples", "default"),
}
_METHOD_ATTRIBUTES = {
    *("chain_method", "chain_method_", "response_method", "_response_method"),
    *("stack_method", "stack_method_"),
}
_ATTRIBUTE_PATH = re.compile(r"[A-Za-z]\w{0,99}(\.[A-Za-z]\w{0,99}){0,5}")

# Iterations of each call of `transform`.
_ITERATIONS = {
    "AdditiveChi2Sampler": ("sample_steps",),
    "DictionaryLearning": ("transform_max_iter",),
    "LatentDirichletAllocation": ("max_doc_update_iter",),
    "MiniBatchDictionaryLearning": ("transform_max_iter",),
    "MiniBatchNMF": ("max_iter", "transform_max_iter"),
    "NMF": ("max_iter",),
    "PolynomialCountSketch": ("degree",),
}
_MOST_ITERATIONS = 100_000
_MOST_POLYNOMIALS = 10**6

# Patterns can be written so that a match takes for ever: only the usual ones are let in.
_TOKEN_PATTERNS = {None, r"(?u)\b\w\w+\b", r"(?u)\b\w+\b"}
_ENCODINGS = {"ascii", "latin-1", "latin1", "utf-8", "utf8"}
_MOST_WORDS_OF_TOKENS = 100

_BITSET_WORDS = 8


def check_state(kind, state):
    """Refuse a state whose names would hide methods or other attributes of a class."""
    parameters = inspect.signature(kind.__init__).parameters
    for name in state:
        if not (type(name) is str and name.isidentifier()) or name.startswith("__"):
            raise ValueError(f"it has no attribute {str(name)[:60]!r}")
        if name not in parameters and hasattr(kind, name):
            raise ValueError(f"{name} is no attribute that a file may set")


def check_object(instance):
    """Insist on values that a fitted object of this class can have.

    Raises
    ------
    ValueError
        It names the class and the attribute.
    """
    for name, value in vars(instance).items():
        if name in _METHOD_ATTRIBUTES:
            _check_methods(name, value)
        elif name == "importance_getter" and type(value) is str:
            _insist(_ATTRIBUTE_PATH.fullmatch(value), f"{name}={value[:60]!r}")
    if isinstance(instance, BaseEstimator) and hasattr(instance, "_parameter_constraints"):
        instance._validate_params()
    for kind in type(instance).__mro__:
        for name in _ITERATIONS.get(kind.__name__, ()):
            value = getattr(instance, name) or 0
            _insist(value <= _MOST_ITERATIONS, f"{name}={value} (at most {_MOST_ITERATIONS})")
        if kind.__module__.startswith("sklearn.") and kind.__name__ in _CHECKS:
            _CHECKS[kind.__name__](instance)


def _insist(condition, what):
    if not condition:
        raise ValueError(f"it cannot have {what}")


def _check_methods(name, value):
    values = value if type(value) in (list, tuple) else [value]
    if not all(item is None or (type(item) is str and item in _METHODS) for item in values):
        raise ValueError(f"{name} does not name a method of prediction")


def _is_integers(array, shape):
    return isinstance(array, np.ndarray) and array.dtype.kind in "iu" and array.shape == shape


def _is_within(indices, n):
    """Tell whether all indices point to one of n places."""
    return not indices.size or (indices.min() >= 0 and indices.max() < n)


# --- trees -----------------------------------------------------------------------------------


def check_tree(arguments, state):
    """Insist on the shapes and links of a decision tree, before it is built."""
    n_features, n_classes, n_outputs = arguments
    nodes, values = state["nodes"], state["values"]
    _insist(
        type(n_features) is int
        and type(n_outputs) is int
        and 0 < n_outputs == np.size(n_classes)
        and _is_integers(n_classes, (n_outputs,))
        and n_classes.min() > 0,
        "such a number of outputs or classes",
    )
    _insist(set(state) == {"max_depth", "node_count", "nodes", "values"}, "such a state")
    _insist(
        nodes.ndim == 1
        and type(state["node_count"]) is int
        and state["node_count"] == len(nodes) > 0
        and values.shape == (len(nodes), n_outputs, int(n_classes.max())),
        "such a number of nodes",
    )
    is_leaf = nodes["left_child"] == -1
    depth = _depth_of_tree(nodes["left_child"], nodes["right_child"], is_leaf)
    # Paths are written to arrays of this length.
    _insist(depth == state["max_depth"], f"max_depth={state['max_depth']}, where it is {depth}")
    _insist(_is_within(nodes["feature"][~is_leaf], n_features), "features beyond its own")


def _depth_of_tree(left, right, is_leaf):
    """Return how deep a tree is, if each node but the first is the child of one before it."""
    parents = np.flatnonzero(~is_leaf)
    children = np.concatenate([left[parents], right[parents]])
    _insist(
        len(children) == len(left) - 1
        and np.array_equal(np.sort(children), np.arange(1, len(left)))
        and (children > np.tile(parents, 2)).all(),
        "nodes that do not form a tree",
    )
    depth, level = 0, np.array([0])
    while True:
        inner = level[~is_leaf[level]]
        if not inner.size:
            return depth
        depth, level = depth + 1, np.concatenate([left[inner], right[inner]])


def _check_decision_tree(estimator):
    tree = vars(estimator).get("tree_")
    if tree is not None:
        _insist(type(tree).__name__ == "Tree", "a tree_ of another kind")
        _insist(tree.n_features == estimator.n_features_in_, "a tree of other features")
        _insist(tree.n_outputs == estimator.n_outputs_, "a tree of other outputs")


def _trees_of(estimator):
    members = vars(estimator).get("estimators_", [])
    return list(np.asarray(members, dtype=object).ravel()) if len(members) else []


def _check_forest(estimator):
    for member in _trees_of(estimator):
        _insist(hasattr(member, "tree_"), "members without a tree")
        _insist(member.n_features_in_ == estimator.n_features_in_, "trees of other features")
        _insist(member.n_outputs_ == estimator.n_outputs_, "trees of other outputs")


def _check_isolation_forest(estimator):
    features = vars(estimator).get("estimators_features_", [])
    for member, columns in zip(_trees_of(estimator), features, strict=True):
        _insist(hasattr(member, "tree_"), "members without a tree")
        _insist(member.n_features_in_ == len(columns), "trees of other features")


def _check_gradient_boosting(estimator):
    members = vars(estimator).get("estimators_")
    if members is None:
        return
    n_trees = getattr(estimator, "n_trees_per_iteration_", members.shape[-1])
    _insist(members.ndim == 2 and members.shape[1] == n_trees, "such a number of trees")
    for member in members.ravel():
        _insist(hasattr(member, "tree_"), "members without a tree")
        _insist(member.n_features_in_ == estimator.n_features_in_, "trees of other features")
        _insist(member.tree_.value.shape[1:] == (1, 1), "trees of several outputs")


def _check_predictor(predictor):
    """Check a tree of histogram gradient boosting by itself."""
    nodes, bits = predictor.nodes, predictor.raw_left_cat_bitsets
    is_leaf = nodes["is_leaf"].astype(bool)
    _insist(nodes.ndim == 1 and len(nodes) > 0, "no nodes")
    _depth_of_tree(nodes["left"].astype(np.int64), nodes["right"].astype(np.int64), is_leaf)
    is_category = nodes["is_categorical"].astype(bool) & ~is_leaf
    _insist(
        bits.dtype == np.uint32 and bits.ndim == 2 and bits.shape[1] == _BITSET_WORDS,
        "such categories",
    )
    _insist(_is_within(nodes["bitset_idx"][is_category], len(bits)), "categories beyond its own")


def _check_hist_gradient_boosting(estimator):
    if "_predictors" not in vars(estimator):
        return
    mapper, n_features = estimator._bin_mapper, estimator.n_features_in_
    is_categorical = np.asarray(mapper.is_categorical_)
    _insist(
        type(mapper).__name__ == "_BinMapper"
        and is_categorical.shape == (n_features,)
        and len(mapper.bin_thresholds_) == n_features,
        "such bins",
    )
    for categories in np.array(mapper.bin_thresholds_, dtype=object)[is_categorical.astype(bool)]:
        _insist(_is_within(np.asarray(categories), 32 * _BITSET_WORDS), "such categories")
    for trees in estimator._predictors:
        for tree in trees:
            _insist(type(tree).__name__ == "TreePredictor", "predictors of another kind")
            nodes = tree.nodes[~tree.nodes["is_leaf"].astype(bool)]
            features = nodes["feature_idx"]
            _insist(_is_within(features, n_features), "features beyond its own")
            of_categories = features[nodes["is_categorical"].astype(bool)]
            _insist(is_categorical[of_categories].all(), "categories of numbers")


# --- neighbours, clusters, support vectors ---------------------------------------------------


def _check_neighbors(estimator):
    points = vars(estimator).get("_fit_X")
    if points is None:
        return
    shape = getattr(points, "shape", ())
    _insist(len(shape) == 2 and shape[1] == estimator.n_features_in_, "points of other features")
    labels, classes = vars(estimator).get("_y"), vars(estimator).get("classes_")
    if classes is None or labels is None:
        return
    columns = labels.T if labels.ndim == 2 else [labels]
    classes = classes if isinstance(classes, list) else [classes]
    _insist(len(labels) == shape[0] and len(columns) == len(classes), "such labels")
    for column, names in zip(columns, classes, strict=True):
        _insist(column.dtype.kind in "iu" and _is_within(column, len(names)), "labels of no class")


def _check_k_means(estimator):
    centers = vars(estimator).get("cluster_centers_")
    if centers is not None:
        shape = (len(centers), estimator.n_features_in_)
        _insist(centers.dtype.kind == "f" and centers.shape == shape, "such centers")


def _check_support_vectors(estimator):
    if "support_vectors_" not in vars(estimator):
        return
    support, counts = estimator.support_, estimator._n_support
    n_vectors, is_classifier = len(support), hasattr(estimator, "classes_")
    n_classes = len(estimator.classes_) if is_classifier else 2
    n_pairs = n_classes * (n_classes - 1) // 2 if is_classifier else 1
    _insist(_is_integers(support, (n_vectors,)), "such support vectors")
    _insist(_is_within(support, estimator.shape_fit_[0]), "support vectors of no clip")
    _insist(_is_integers(counts, (n_classes,)) and counts.min() >= 0, "such counts")
    n_counted = counts.sum() if is_classifier else counts[0]
    _insist(n_counted == n_vectors, f"{n_counted} support vectors, where there are {n_vectors}")
    if estimator.kernel != "precomputed":
        shape = n_vectors, estimator.n_features_in_
        _insist(estimator.support_vectors_.shape == shape, "support vectors of other features")
    for coefficients in (estimator._dual_coef_, estimator.dual_coef_):
        n_rows = n_classes - 1 if is_classifier else 1
        _insist(coefficients.shape == (n_rows, n_vectors), "such coefficients")
        n_stored = getattr(coefficients, "nnz", n_rows * n_vectors)
        _insist(n_stored == n_rows * n_vectors, "coefficients left out")
    _insist(estimator._intercept_.shape == (n_pairs,), "such intercepts")
    for values in (estimator._probA, estimator._probB):
        _insist(values.ndim == 1 and len(values) in (0, n_pairs), "such probabilities")


# --- others ----------------------------------------------------------------------------------


def _check_polynomials(estimator):
    n_features = vars(estimator).get("n_features_in_")
    if n_features is not None:
        degree = np.max(estimator.degree)
        n_terms = math.comb(min(int(n_features), 10**4) + int(min(degree, 10**3)), n_features)
        _insist(n_terms <= _MOST_POLYNOMIALS, f"degree={degree} with {n_features} features")


def _check_words(estimator):
    _insist(estimator.input == "content", f"input={estimator.input!r}: it would open files")
    pattern = getattr(estimator, "token_pattern", None)
    _insist(pattern in _TOKEN_PATTERNS, f"token_pattern={str(pattern)[:60]!r}")
    _insist(estimator.encoding in _ENCODINGS, f"encoding={estimator.encoding[:60]!r}")
    _insist(max(estimator.ngram_range) <= _MOST_WORDS_OF_TOKENS, "such an ngram_range")


_CHECKS = {
    "BaseDecisionTree": _check_decision_tree,
    "BaseForest": _check_forest,
    "BaseGradientBoosting": _check_gradient_boosting,
    "BaseHistGradientBoosting": _check_hist_gradient_boosting,
    "BaseLibSVM": _check_support_vectors,
    "IsolationForest": _check_isolation_forest,
    "NeighborsBase": _check_neighbors,
    "PolynomialFeatures": _check_polynomials,
    "TreePredictor": _check_predictor,
    "_BaseKMeans": _check_k_means,
    "_VectorizerMixin": _check_words,
}

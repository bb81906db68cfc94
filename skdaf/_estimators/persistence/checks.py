"""What objects from a model file may hold, beyond their type.

scikit-learn's compiled code trusts the indices and shapes in fitted estimators. What decides where
it reads and writes is checked here, as are names of methods to call and counts of iterations.
"""

import inspect
import math
import re

import numpy as np
from sklearn.base import BaseEstimator, is_classifier
from sklearn.tree import BaseDecisionTree, ExtraTreeClassifier

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
_FREE_NEIGHBORS = 10_000

# What attributes of trees an ensemble may set by name.
_TREE_PARAMETERS = set(inspect.signature(ExtraTreeClassifier.__init__).parameters)
# How columns may be called; a format could make names of any length.
_NAME_FORMAT = re.compile(r"([^{}]|\{(feature_name|transformer_name)\}){0,200}")


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
        elif name == "estimator_params":
            _insist(_TREE_PARAMETERS.issuperset(value), f"{name}={str(value)[:60]}")
        elif name == "verbose_feature_names_out" and type(value) is str:
            _insist(_NAME_FORMAT.fullmatch(value), f"{name}={value[:60]!r}")
        elif name == "n_classes_" and "classes_" in vars(instance):
            _check_number_of_classes(value, instance.classes_)
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


def _check_number_of_classes(counts, classes):
    classes = classes if isinstance(classes, list) else [classes]
    expected = [len(names) for names in classes]
    _insist(list(np.atleast_1d(counts)) == expected, f"n_classes_={str(counts)[:60]}")


def _is_integers(array, shape):
    return isinstance(array, np.ndarray) and array.dtype.kind in "iu" and array.shape == shape


def _is_within(indices, n):
    """Return whether all indices point to one of n places."""
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
    members = list(np.asarray(members, dtype=object).ravel()) if len(members) else []
    for member in members:
        _insist(isinstance(member, BaseDecisionTree), "members that are no trees")
        _insist(hasattr(member, "tree_"), "members without a tree")
    return members


def _check_forest(estimator):
    for member in _trees_of(estimator):
        _insist(member.n_features_in_ == estimator.n_features_in_, "trees of other features")
        _insist(member.n_outputs_ == estimator.n_outputs_, "trees of other outputs")


def _check_isolation_forest(estimator):
    features = vars(estimator).get("estimators_features_", [])
    for member, columns in zip(_trees_of(estimator), features, strict=True):
        is_known = len(columns) == estimator._max_features == member.n_features_in_
        is_known &= _is_within(np.asarray(columns), estimator.n_features_in_)
        _insist(is_known, "trees of other features")


def _check_gradient_boosting(estimator):
    members = vars(estimator).get("estimators_")
    if members is None:
        return
    n_trees = getattr(estimator, "n_trees_per_iteration_", members.shape[-1])
    _insist(
        members.ndim == 2 and members.shape[1] == n_trees == _n_raw_predictions(estimator),
        "such a number of trees",
    )
    for member in _trees_of(estimator):
        _insist(member.n_features_in_ == estimator.n_features_in_, "trees of other features")
        _insist(member.tree_.value.shape[1:] == (1, 1), "trees of several outputs")


def _n_raw_predictions(estimator):
    """Return for how many columns of predictions gradient boosting makes room."""
    if not (is_classifier(estimator) and estimator._loss.is_multiclass):
        return 1
    first, n_classes = estimator.init_, len(estimator.classes_)
    if type(first) is not str:
        is_plain = type(first).__name__ == "DummyClassifier" and first.strategy == "prior"
        _insist(is_plain, "init: with several classes only the default and 'zero' are loaded")
        _insist(np.shape(first.class_prior_) == (n_classes,), "such frequencies of classes")
    return n_classes


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
    _insist(vars(estimator).get("_preprocessor") is None, "a preprocessor")
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
        _insist(len(trees) == estimator.n_trees_per_iteration_, "such a number of trees")
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
    _insist(estimator.n_samples_fit_ == shape[0], f"n_samples_fit_={estimator.n_samples_fit_}")
    n_neighbors = getattr(estimator, "n_neighbors", None) or 0
    _insist(n_neighbors <= max(shape[0], _FREE_NEIGHBORS), f"n_neighbors={n_neighbors}")
    for name in ("metric_params", "effective_metric_params_"):
        for value in (vars(estimator).get(name) or {}).values():
            sides = value.shape if isinstance(value, np.ndarray) else ()
            _insist(set(sides) <= {shape[1]}, f"an array of the shape {sides} in {name}")
    tree = vars(estimator).get("_tree")
    _insist(tree is None or np.shape(tree.data) == shape, "a tree of other points")
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
        degree = max(np.max(estimator.degree), estimator._max_degree)
        n, d = int(min(n_features, _MOST_POLYNOMIALS)), int(min(degree, 10**3))
        n_terms = math.comb(n + d, min(n, d))
        _insist(n_terms <= _MOST_POLYNOMIALS, f"degree={degree} with {n_features} features")
        _insist(
            estimator.n_output_features_ <= estimator._n_out_full <= n_terms,
            f"{estimator._n_out_full} outputs",
        )


def _check_one_hot(estimator):
    """Check what becomes indices of sparse matrices."""
    if "categories_" not in vars(estimator):
        return
    _insist(len(estimator.categories_) == estimator.n_features_in_, "such categories")
    nothing = [None] * len(estimator.categories_)
    dropped = estimator._drop_idx_after_grouping
    dropped = nothing if dropped is None else dropped
    groups = estimator._default_to_infrequent_mappings if estimator._infrequent_enabled else nothing
    n_outputs = []
    for names, group, drop in zip(estimator.categories_, groups, dropped, strict=True):
        n_names = len(names)
        if group is not None:
            _insist(_is_integers(group, (n_names,)) and group.min() >= 0, "such categories")
            n_names = int(group.max()) + 1
        _insist(drop is None or 0 <= drop < n_names, "such a dropped category")
        n_outputs.append(n_names - (drop is not None))
    _insist(estimator._n_features_outs == n_outputs, "such a number of outputs")


def _check_feature_agglomeration(estimator):
    labels = vars(estimator).get("labels_")
    if labels is not None:
        is_known = _is_integers(labels, (estimator.n_features_in_,))
        _insist(is_known and _is_within(labels, len(labels)), "such labels")


def _check_constant(estimator):
    constant = vars(estimator).get("constant_")
    if isinstance(constant, np.ndarray):
        _insist(estimator.n_outputs_ == constant.shape[-1], f"n_outputs_={estimator.n_outputs_}")


def _check_factors(estimator):
    components = vars(estimator).get("components_")
    if components is not None:
        _insist(estimator._n_components == len(components), "such a number of components")


def _check_vocabulary(estimator):
    vocabulary = vars(estimator).get("vocabulary_")
    if vocabulary is not None:
        _insist(set(vocabulary.values()) == set(range(len(vocabulary))), "such a vocabulary_")


def _check_words(estimator):
    _insist(estimator.input == "content", f"input={estimator.input!r}: it would open files")
    pattern = getattr(estimator, "token_pattern", None)
    _insist(pattern in _TOKEN_PATTERNS, f"token_pattern={str(pattern)[:60]!r}")
    _insist(estimator.encoding in _ENCODINGS, f"encoding={estimator.encoding[:60]!r}")
    _insist(max(estimator.ngram_range) <= _MOST_WORDS_OF_TOKENS, "such an ngram_range")
    _check_vocabulary(estimator)


_CHECKS = {
    "BaseDecisionTree": _check_decision_tree,
    "BaseForest": _check_forest,
    "BaseGradientBoosting": _check_gradient_boosting,
    "BaseHistGradientBoosting": _check_hist_gradient_boosting,
    "BaseLibSVM": _check_support_vectors,
    "DictVectorizer": _check_vocabulary,
    "DummyRegressor": _check_constant,
    "FeatureAgglomeration": _check_feature_agglomeration,
    "IsolationForest": _check_isolation_forest,
    "NeighborsBase": _check_neighbors,
    "OneHotEncoder": _check_one_hot,
    "PolynomialFeatures": _check_polynomials,
    "TreePredictor": _check_predictor,
    "_BaseKMeans": _check_k_means,
    "_BaseNMF": _check_factors,
    "_VectorizerMixin": _check_words,
}

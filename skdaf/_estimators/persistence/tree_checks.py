"""Checks of decision trees, forests and gradient boosting from a model file."""

import numpy as np
from sklearn.base import is_classifier

from skdaf._estimators.persistence.conditions import is_integers, is_within, require

_BITSET_WORDS = 8


def check_tree(arguments, state):
    """Check the shapes and links of a decision tree before it is built."""
    n_features, n_classes, n_outputs = arguments
    nodes, values = state["nodes"], state["values"]
    require(
        type(n_features) is int
        and type(n_outputs) is int
        and 0 < n_outputs == np.size(n_classes)
        and is_integers(n_classes, (n_outputs,))
        and n_classes.min() > 0,
        "an invalid number of outputs or classes",
    )
    require(set(state) == {"max_depth", "node_count", "nodes", "values"}, "an invalid state")
    require(
        nodes.ndim == 1
        and type(state["node_count"]) is int
        and state["node_count"] == len(nodes) > 0
        and values.shape == (len(nodes), n_outputs, int(n_classes.max())),
        "an invalid number of nodes",
    )
    is_leaf = nodes["left_child"] == -1
    depth = _depth_of_tree(nodes["left_child"], nodes["right_child"], is_leaf)
    # scikit-learn writes paths to arrays of this length.
    require(depth == state["max_depth"], f"max_depth={state['max_depth']}, expected {depth}")
    require(is_within(nodes["feature"][~is_leaf], n_features), "feature indices out of range")


def _depth_of_tree(left, right, is_leaf):
    """Return the depth of a tree; each node but the first must be the child of an earlier one."""
    parents = np.flatnonzero(~is_leaf)
    children = np.concatenate([left[parents], right[parents]])
    require(
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


def check_decision_tree(estimator):
    tree = vars(estimator).get("tree_")
    if tree is not None:
        require(type(tree).__name__ == "Tree", "a tree_ of another type")
        require(tree.n_features == estimator.n_features_in_, "a tree with other features")
        require(tree.n_outputs == estimator.n_outputs_, "a tree with other outputs")


def _trees_of(estimator):
    from sklearn.tree import BaseDecisionTree  # not at the top, because few models need it

    members = vars(estimator).get("estimators_", [])
    members = list(np.asarray(members, dtype=object).ravel()) if len(members) else []
    for member in members:
        require(isinstance(member, BaseDecisionTree), "members that are not trees")
        require(hasattr(member, "tree_"), "members without a tree")
    return members


def check_forest(estimator):
    for member in _trees_of(estimator):
        require(member.n_features_in_ == estimator.n_features_in_, "trees with other features")
        require(member.n_outputs_ == estimator.n_outputs_, "trees with other outputs")


def check_isolation_forest(estimator):
    features = vars(estimator).get("estimators_features_", [])
    for member, columns in zip(_trees_of(estimator), features, strict=True):
        is_known = len(columns) == estimator._max_features == member.n_features_in_
        is_known &= is_within(np.asarray(columns), estimator.n_features_in_)
        require(is_known, "trees with other features")


def check_gradient_boosting(estimator):
    members = vars(estimator).get("estimators_")
    if members is None:
        return
    n_trees = getattr(estimator, "n_trees_per_iteration_", members.shape[-1])
    require(
        members.ndim == 2 and members.shape[1] == n_trees == _n_raw_predictions(estimator),
        "an invalid number of trees",
    )
    for member in _trees_of(estimator):
        require(member.n_features_in_ == estimator.n_features_in_, "trees with other features")
        require(member.tree_.value.shape[1:] == (1, 1), "trees with several outputs")


def _n_raw_predictions(estimator):
    """Return the number of columns of predictions that gradient boosting allocates."""
    if not (is_classifier(estimator) and estimator._loss.is_multiclass):
        return 1
    first, n_classes = estimator.init_, len(estimator.classes_)
    if type(first) is not str:
        is_plain = type(first).__name__ == "DummyClassifier" and first.strategy == "prior"
        require(
            is_plain,
            "an init that is not supported for several classes",
        )
        require(np.shape(first.class_prior_) == (n_classes,), "invalid class frequencies")
    return n_classes


def check_predictor(predictor):
    """Check one tree of histogram gradient boosting."""
    nodes, bits = predictor.nodes, predictor.raw_left_cat_bitsets
    is_leaf = nodes["is_leaf"].astype(bool)
    require(nodes.ndim == 1 and len(nodes) > 0, "no nodes")
    _depth_of_tree(nodes["left"].astype(np.int64), nodes["right"].astype(np.int64), is_leaf)
    is_category = nodes["is_categorical"].astype(bool) & ~is_leaf
    require(
        bits.dtype == np.uint32 and bits.ndim == 2 and bits.shape[1] == _BITSET_WORDS,
        "invalid categories",
    )
    require(is_within(nodes["bitset_idx"][is_category], len(bits)), "category indices out of range")


def check_hist_gradient_boosting(estimator):
    if "_predictors" not in vars(estimator):
        return
    mapper, n_features = estimator._bin_mapper, estimator.n_features_in_
    require(vars(estimator).get("_preprocessor") is None, "a preprocessor")
    is_categorical = np.asarray(mapper.is_categorical_)
    require(
        type(mapper).__name__ == "_BinMapper"
        and is_categorical.shape == (n_features,)
        and len(mapper.bin_thresholds_) == n_features,
        "invalid bins",
    )
    for categories in np.array(mapper.bin_thresholds_, dtype=object)[is_categorical.astype(bool)]:
        require(is_within(np.asarray(categories), 32 * _BITSET_WORDS), "invalid categories")
    for trees in estimator._predictors:
        require(len(trees) == estimator.n_trees_per_iteration_, "an invalid number of trees")
        for tree in trees:
            require(type(tree).__name__ == "TreePredictor", "predictors of another type")
            nodes = tree.nodes[~tree.nodes["is_leaf"].astype(bool)]
            features = nodes["feature_idx"]
            require(is_within(features, n_features), "feature indices out of range")
            of_categories = features[nodes["is_categorical"].astype(bool)]
            require(is_categorical[of_categories].all(), "categorical splits on numerical features")

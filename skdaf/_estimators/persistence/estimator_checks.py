"""Checks of scikit-learn's estimators from a model file, other than trees.

Each function takes an estimator and raises ValueError if its compiled code would read or write
out of bounds, or run for a very long time.
"""

import math

import numpy as np

from skdaf._estimators.persistence.conditions import is_integers, is_within, require

_MAX_POLYNOMIALS = 10**6

# Matching a malicious pattern can take forever, so only the usual patterns are accepted.
_TOKEN_PATTERNS = {None, r"(?u)\b\w\w+\b", r"(?u)\b\w+\b"}
_ENCODINGS = {"ascii", "latin-1", "latin1", "utf-8", "utf8"}
_MAX_NGRAM = 100

# Up to this number of neighbors is accepted for any number of points.
_MAX_NEIGHBORS = 10_000


def check_neighbors(estimator):
    points = vars(estimator).get("_fit_X")
    if points is None:
        return
    shape = getattr(points, "shape", ())
    is_matrix = len(shape) == 2 and shape[1] == estimator.n_features_in_
    require(is_matrix, "points with other features")
    require(estimator.n_samples_fit_ == shape[0], f"n_samples_fit_={estimator.n_samples_fit_}")
    n_neighbors = getattr(estimator, "n_neighbors", None) or 0
    require(n_neighbors <= max(shape[0], _MAX_NEIGHBORS), f"n_neighbors={n_neighbors}")
    for name in ("metric_params", "effective_metric_params_"):
        for value in (vars(estimator).get(name) or {}).values():
            sides = value.shape if isinstance(value, np.ndarray) else ()
            require(set(sides) <= {shape[1]}, f"an array of shape {sides} in {name}")
    tree = vars(estimator).get("_tree")
    require(tree is None or np.shape(tree.data) == shape, "a tree with other points")
    labels, classes = vars(estimator).get("_y"), vars(estimator).get("classes_")
    if classes is None or labels is None:
        return
    columns = labels.T if labels.ndim == 2 else [labels]
    classes = classes if isinstance(classes, list) else [classes]
    require(len(labels) == shape[0] and len(columns) == len(classes), "invalid labels")
    for column, names in zip(columns, classes, strict=True):
        is_known = column.dtype.kind in "iu" and is_within(column, len(names))
        require(is_known, "labels without a class")


def check_k_means(estimator):
    centers = vars(estimator).get("cluster_centers_")
    if centers is not None:
        shape = (len(centers), estimator.n_features_in_)
        require(centers.dtype.kind == "f" and centers.shape == shape, "invalid centers")


def check_support_vectors(estimator):
    if "support_vectors_" not in vars(estimator):
        return
    support, counts = estimator.support_, estimator._n_support
    n_vectors, is_classifier = len(support), hasattr(estimator, "classes_")
    n_classes = len(estimator.classes_) if is_classifier else 2
    n_pairs = n_classes * (n_classes - 1) // 2 if is_classifier else 1
    require(is_integers(support, (n_vectors,)), "invalid support vectors")
    require(is_within(support, estimator.shape_fit_[0]), "support vectors that belong to no sample")
    require(is_integers(counts, (n_classes,)) and counts.min() >= 0, "invalid counts")
    n_counted = counts.sum() if is_classifier else counts[0]
    require(n_counted == n_vectors, f"{n_vectors} support vectors, expected {n_counted}")
    if estimator.kernel != "precomputed":
        shape = n_vectors, estimator.n_features_in_
        is_matrix = estimator.support_vectors_.shape == shape
        require(is_matrix, "support vectors with other features")
    for coefficients in (estimator._dual_coef_, estimator.dual_coef_):
        n_rows = n_classes - 1 if is_classifier else 1
        require(coefficients.shape == (n_rows, n_vectors), "invalid coefficients")
        n_stored = getattr(coefficients, "nnz", n_rows * n_vectors)
        require(n_stored == n_rows * n_vectors, "missing coefficients")
    require(estimator._intercept_.shape == (n_pairs,), "invalid intercepts")
    for values in (estimator._probA, estimator._probB):
        require(values.ndim == 1 and len(values) in (0, n_pairs), "invalid probabilities")


def check_polynomials(estimator):
    n_features = vars(estimator).get("n_features_in_")
    if n_features is not None:
        degree = max(np.max(estimator.degree), estimator._max_degree)
        n, d = int(min(n_features, _MAX_POLYNOMIALS)), int(min(degree, 10**3))
        n_terms = math.comb(n + d, min(n, d))
        require(n_terms <= _MAX_POLYNOMIALS, f"degree={degree} with {n_features} features")
        require(
            estimator.n_output_features_ <= estimator._n_out_full <= n_terms,
            f"an invalid number of outputs: {estimator._n_out_full}",
        )


def check_one_hot(estimator):
    """Check the values that become indices of sparse matrices."""
    if "categories_" not in vars(estimator):
        return
    require(len(estimator.categories_) == estimator.n_features_in_, "invalid categories")
    nothing = [None] * len(estimator.categories_)
    dropped = estimator._drop_idx_after_grouping
    dropped = nothing if dropped is None else dropped
    groups = estimator._default_to_infrequent_mappings if estimator._infrequent_enabled else nothing
    n_outputs = []
    for names, group, drop in zip(estimator.categories_, groups, dropped, strict=True):
        n_names = len(names)
        if group is not None:
            require(is_integers(group, (n_names,)) and group.min() >= 0, "invalid categories")
            n_names = int(group.max()) + 1
        require(drop is None or 0 <= drop < n_names, "an invalid dropped category")
        n_outputs.append(n_names - (drop is not None))
    require(estimator._n_features_outs == n_outputs, "an invalid number of outputs")


def check_feature_agglomeration(estimator):
    labels = vars(estimator).get("labels_")
    if labels is not None:
        is_known = is_integers(labels, (estimator.n_features_in_,))
        require(is_known and is_within(labels, len(labels)), "invalid labels")


def check_constant(estimator):
    constant = vars(estimator).get("constant_")
    if isinstance(constant, np.ndarray):
        require(estimator.n_outputs_ == constant.shape[-1], f"n_outputs_={estimator.n_outputs_}")


def check_factors(estimator):
    components = vars(estimator).get("components_")
    if components is not None:
        require(estimator._n_components == len(components), "an invalid number of components")


def check_vocabulary(estimator):
    vocabulary = vars(estimator).get("vocabulary_")
    if vocabulary is not None:
        require(set(vocabulary.values()) == set(range(len(vocabulary))), "an invalid vocabulary_")


def check_words(estimator):
    require(estimator.input == "content", f"input={estimator.input!r}, which would open files")
    pattern = getattr(estimator, "token_pattern", None)
    require(pattern in _TOKEN_PATTERNS, f"token_pattern={str(pattern)[:60]!r}")
    require(estimator.encoding in _ENCODINGS, f"encoding={estimator.encoding[:60]!r}")
    ngram_range = estimator.ngram_range
    require(max(ngram_range) <= _MAX_NGRAM, f"ngram_range={str(ngram_range)[:60]}")
    check_vocabulary(estimator)

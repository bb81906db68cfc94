"""Build objects from the checked nodes of a model file.

Nothing that a file names is called, except for the constructors of plain containers and of a few
compiled parts of scikit-learn, whose arguments are checked. Objects are created with ``__new__``
and ``__setstate__``, as pickle does.
"""

import importlib
import math
from collections import OrderedDict
from functools import partial

import numpy as np
from sklearn.base import BaseEstimator
from sklearn.utils import Bunch

from skdaf._core.archives import MAX_EMPTY_SIDE
from skdaf._estimators.persistence import trusted_types as trusted
from skdaf._estimators.persistence.checks import check_object, check_state
from skdaf._estimators.persistence.run_settings import with_defaults
from skdaf._estimators.persistence.schema import attribute_names, scalar
from skdaf._estimators.persistence.tree_checks import check_tree

_DICTS = {
    "builtins.dict": dict,
    "collections.OrderedDict": OrderedDict,
    "sklearn.utils._bunch.Bunch": Bunch,
}
_MT19937_WORDS = 624
# Largest item of a dtype in bytes: labels and names are short strings.
_MAX_ITEM_SIZE = 1000


def build(root, archive):
    """Return the object that a tree of nodes describes.

    Parameters
    ----------
    root : Node
        From `read_schema`.
    archive : Archive
        The archive with the arrays.

    Raises
    ------
    ValueError
        If a value has the wrong type.
    """
    # One entry per node, so that an object with several references is built once.
    return _build(root, archive, {})


def _build(node, archive, built):
    if id(node) not in built:
        names = attribute_names(node)
        parts = [
            trusted.find_function(child.name, name)
            if child.loader == "FunctionNode"
            else _build(child, archive, built)
            for name, child in zip(names, node.children, strict=True)
        ]
        built[id(node)] = _BUILDERS[node.loader](node, parts, archive)
    return built[id(node)]


def _expect(condition, what):
    if not condition:
        raise ValueError(f"expected {what}, got something else")


# --- containers and plain values -------------------------------------------------------------


def _build_dict(node, parts, archive):
    kinds, *values = parts
    keys = list(node.state["content"])
    _expect(type(kinds) is list and len(kinds) == len(keys), "a type for each key")
    built = _DICTS[node.name]()
    for kind, key, value in zip(kinds, keys, values, strict=True):
        built[_key(kind, key)] = value
    _expect(len(built) == len(keys), "a dict of different keys")
    return built


def _key(kind, text):
    """Return the key of a dict from its text in the schema."""
    if issubclass(kind, (bool, np.bool_)):
        _expect(text in ("true", "false", "True", "False"), "a boolean")
        return kind(text.lower() == "true")
    return kind(int(text)) if issubclass(kind, np.integer) else kind(text)


def _build_slice(node, parts, archive):
    ends = [node.state["content"][name] for name in ("start", "stop", "step")]
    _expect(all(end is None or type(end) in (int, str) for end in ends), "a plain slice")
    return slice(*ends)


def _build_type(node, parts, archive):
    return trusted.PLAIN_TYPES[node.name]


# --- arrays ----------------------------------------------------------------------------------


def _build_array(node, parts, archive):
    if node.state["type"] != "numpy":
        return _build_object_array(*parts)
    array = archive.array(node.state["file"])
    if node.name == "numpy.ndarray":
        return array
    _expect(array.shape == () and array.dtype.kind in "biufU", "a single number")
    return trusted.SCALARS[node.name](array)


def _build_object_array(shape, *items):
    _expect(
        type(shape) is tuple and shape and all(type(side) is int and side >= 0 for side in shape),
        "a shape",
    )
    is_bounded = 0 not in shape or max(shape) <= MAX_EMPTY_SIDE
    _expect(is_bounded, "an array of a plausible size")
    # All axes but the last are nested lists.
    for n_items in shape[1:]:
        _expect(all(type(item) is list and len(item) == n_items for item in items), "a full array")
        items = [value for item in items for value in item]
    _expect(len(items) == math.prod(shape), "a full array")
    array = np.empty(len(items), dtype=object)
    for index, item in enumerate(items):
        array[index] = item
    return array.reshape(shape)


def _build_masked_array(node, parts, archive):
    data, mask = parts
    is_mask = isinstance(mask, (np.ndarray, np.bool_)) and mask.dtype == bool
    _expect(is_mask and mask.shape in ((), data.shape), "a mask")
    return np.ma.MaskedArray(data, mask)


def _build_dtype(node, parts, archive):
    is_small = isinstance(parts[0], np.ndarray) and parts[0].dtype.itemsize <= _MAX_ITEM_SIZE
    _expect(is_small, "an array of small values")
    return parts[0].dtype


def _build_sparse(node, parts, archive):
    matrix = archive.sparse_matrix(node.state["file"])
    _expect(type(matrix).__name__ == node.name.rpartition(".")[2], f"a {node.name}")
    return matrix


def _build_random_state(node, parts, archive):
    (state,) = parts
    _expect(type(state) is dict and state.get("bit_generator") == "MT19937", "a random state")
    key, position = state["state"]["key"], state["state"]["pos"]
    # Compiled code reads at this position.
    _expect(isinstance(key, np.ndarray) and key.shape == (_MT19937_WORDS,), "a random state")
    _expect(type(position) is int and 0 <= position <= _MT19937_WORDS, "a random state")
    _expect(key.dtype.kind in "iu", "a random state")
    values = state["has_gauss"], state["gauss"]
    _expect(all(type(value) in (int, float) for value in values), "a random state")
    random_state = np.random.RandomState(0)
    random_state.set_state(("MT19937", key.astype(np.uint32), position, *values))
    return random_state


# --- objects ---------------------------------------------------------------------------------


def _build_object(node, parts, archive):
    state = parts[0] if parts else None
    if node.name in trusted.DISTANCES:
        return _build_distance(node.name, state)
    if node.name in trusted.NEIGHBOR_TREES:
        return _build_neighbor_tree(node.name, state, archive)
    kind = trusted.find_class(node.name)
    instance = kind.__new__(kind)
    if state is None and not issubclass(kind, BaseEstimator):
        return instance
    state = {} if state is None else state
    _expect(type(state) is dict, f"the attributes of a {kind.__name__}")
    state = with_defaults(kind, state)
    try:
        check_state(kind, state)
        _set_state(instance, kind, state)
        check_object(instance)
    except (AttributeError, KeyError, IndexError, TypeError, ValueError) as error:
        raise ValueError(f"in a {kind.__name__}, {error}") from error
    return instance


def _set_state(instance, kind, state):
    if hasattr(kind, "_check_saved_state"):
        kind._check_saved_state(state)
    if hasattr(instance, "__setstate__"):
        instance.__setstate__(state)
    else:
        vars(instance).update(state)


def _build_distance(name, state):
    base, metric = trusted.DISTANCES[name]
    p, vector, matrix = state
    settings = {
        "minkowski": {"p": p, "w": vector if len(vector) else None},
        "seuclidean": {"V": vector},
        "mahalanobis": {"VI": matrix},
    }
    distances = importlib.import_module("sklearn.metrics._dist_metrics")
    return getattr(distances, base).get_metric(metric, **settings.get(metric, {}))


def _build_neighbor_tree(name, state, archive):
    """Build a tree from its points, because their order in the file is not checked."""
    kind = trusted.find_listed(name)
    distances = importlib.import_module("sklearn.metrics._dist_metrics")
    _expect(type(state) is tuple and len(state) == 13, "a tree of neighbors")
    points, leaf_size, distance, weights = state[0], state[4], state[11], state[12]
    _expect(isinstance(points, np.ndarray) and points.ndim == 2, "points")
    _expect(type(leaf_size) is int and leaf_size > 0, "a leaf size")
    archive.take_points(len(points))
    is_distance = isinstance(distance, (distances.DistanceMetric32, distances.DistanceMetric64))
    _expect(is_distance, "a distance")
    return kind(points, leaf_size=leaf_size, metric=distance, sample_weight=weights)


def _build_tree(node, parts, archive):
    arguments, state = parts
    check_tree(arguments, state)
    tree = trusted.find_listed(trusted.TREE)(*arguments)
    tree.__setstate__(state)
    return tree


def _build_loss(node, parts, archive):
    arguments, state = parts
    is_plain = type(arguments) is tuple and len(arguments) <= 1 and not state
    _expect(is_plain and all(type(value) in (int, float) for value in arguments), "a loss")
    return trusted.find_listed(node.name)(*map(float, arguments))


def _build_collection(kind, node, parts, archive):
    return kind(parts)


_BUILDERS = {
    "DictNode": _build_dict,
    "DTypeNode": _build_dtype,
    "JsonNode": lambda node, parts, archive: scalar(node),
    "ListNode": partial(_build_collection, list),
    "LossNode": _build_loss,
    "MaskedArrayNode": _build_masked_array,
    "NdArrayNode": _build_array,
    "ObjectNode": _build_object,
    "RandomStateNode": _build_random_state,
    "SetNode": partial(_build_collection, set),
    "SliceNode": _build_slice,
    "SparseMatrixNode": _build_sparse,
    "TreeNode": _build_tree,
    "TupleNode": partial(_build_collection, tuple),
    "TypeNode": _build_type,
}

"""Parameters that belong to a run and not to a model: they are neither saved nor loaded.

These are folders and files, numbers of workers, progress bars and the device. A loaded estimator
has the defaults of its constructor instead.
"""

import os
from collections import OrderedDict
from inspect import signature
from types import FunctionType

import numpy as np
from scipy import sparse
from sklearn.base import BaseEstimator
from sklearn.utils import Bunch
from sklearn.utils._openmp_helpers import _openmp_effective_n_threads

from skdaf._core.callables import name_of
from skdaf._estimators.persistence.trusted_types import RUN_PARAMETERS
from skdaf._estimators.persistence.unused_fits import without_unused_fits
from skdaf._estimators.pretrained.names import NAMED

# Fitted attributes that also belong to a run, and functions that return their replacements.
_RUN_ATTRIBUTES = {
    "_feature_subsample_rng": lambda: None,
    "_n_threads": _openmp_effective_n_threads,
}

# Attributes of searches that contain parameters, with names such as "frontend__cache", and
# attributes that contain arguments of kernels and metrics.
_WITH_PARAMETERS = {
    *("best_params_", "cv_results_", "param_distributions", "param_grid"),
    *("kernel_params", "metric_params", "pairwise_kernels_kwargs"),
}
_DICTS = (dict, OrderedDict, Bunch)


def with_defaults(kind, state):
    """Return the attributes of an object without what belongs to a run.

    Parameters
    ----------
    kind : type
    state : dict

    Returns
    -------
    state : dict
        With the defaults of `kind` for parameters that belong to a run, and for paths of models.
    """
    state = dict(state)
    defaults = _defaults(kind)
    for name in list(state):
        if _parameter(name) in RUN_PARAMETERS:
            del state[name]
            if name in defaults:
                state[name] = defaults[name]
    for name in _RUN_ATTRIBUTES.keys() & state.keys():
        state[name] = _RUN_ATTRIBUTES[name]()
    for name in getattr(kind, "_path_parameters", ()):
        if is_path(state.get(name)):
            state[name] = defaults[name]
    for name in _WITH_PARAMETERS & state.keys():
        state[name] = _without_run_parameters(state[name])
    return state


def _defaults(kind):
    """Return the defaults of the parameters of a constructor."""
    if not issubclass(kind, BaseEstimator):
        return {}
    parameters = signature(kind.__init__).parameters.values()
    return {p.name: p.default for p in parameters if p.default is not p.empty}


def is_path(value):
    """Return whether a parameter is a path and not an estimator."""
    return isinstance(value, (str, bytes, os.PathLike))


def _without_run_parameters(parameters):
    """Remove the parameters that belong to a run from dicts of parameters."""
    if isinstance(parameters, (list, tuple)):
        return type(parameters)(map(_without_run_parameters, parameters))
    if not isinstance(parameters, dict):
        return parameters
    kept = type(parameters)()
    for key, value in parameters.items():
        if key == "params":
            kept[key] = _without_run_parameters(value)
        elif _parameter(key) not in RUN_PARAMETERS:
            kept[key] = _without_paths(_parameter(key), value)
    return kept


def _parameter(key):
    """Return the name of a parameter without the names of the estimators around it."""
    # In the results of a search, its name is "param_frontend__cache", for example.
    return str(key).removeprefix("param_").split("__")[-1]


def _without_paths(name, value):
    """Replace paths with None in the values of a parameter that may refer to a saved model."""
    if name not in ("estimator", "pretrained", "model"):
        return value
    if isinstance(value, np.ndarray) and value.dtype.kind not in "OU":
        return value  # the content of an ONNX file, for example
    if isinstance(value, np.ndarray):
        # An array of objects, because an array of strings cannot contain None.
        cleaned = value.astype(object)
        for index in np.ndindex(value.shape):
            cleaned[index] = _unless_path(value[index])
        return cleaned
    if isinstance(value, (list, tuple)):
        return [_unless_path(item) for item in value]
    return _unless_path(value)


def _unless_path(value):
    is_name = isinstance(value, str) and value in ("passthrough", "drop", *NAMED)
    return None if is_path(value) and not is_name else value


class CodeError(ValueError):
    """A parameter is a function of the user."""


class EstimatorCopier:
    """Copy estimators without run parameters; the copies share arrays and networks.

    Parameters
    ----------
    resolve_path : callable
        Called with an estimator, the name of a parameter and the path in it; returns the value to
        save instead.
    """

    def __init__(self, resolve_path):
        self._resolve_path = resolve_path
        # Keep the originals too, so that no other object gets their id.
        self._copies = {}

    def copy(self, value):
        """Return a value with copies of all estimators in it."""
        known = self._copies.get(id(value))
        if known is not None:
            return known[1]
        copied = self._copy(value)
        self._copies[id(value)] = value, copied
        return copied

    def _copy(self, value):
        if type(value) in _DICTS:
            return self._copy_dict(value)
        if type(value) in (list, tuple, set):
            return type(value)(map(self.copy, value))
        if isinstance(value, np.ma.MaskedArray):
            return self._copy_masked(value)
        if type(value) is np.ndarray and value.dtype == object:
            copied = np.empty(value.shape, dtype=object)
            for index in np.ndindex(value.shape):
                copied[index] = self.copy(value[index])
            return copied
        if sparse.issparse(value) and value.format in ("csr", "csc"):
            # This chooses the type of the indices, as it does when the file is read.
            parts = value.data, value.indices, value.indptr
            return type(value)(parts, shape=value.shape)
        return self._copy_object(value) if _is_plain_object(value) else value

    def _copy_dict(self, value):
        copied = type(value)()
        for key, item in value.items():
            copied[key] = self.copy(item)
        return copied

    def _copy_masked(self, value):
        if value.dtype != object:
            return value
        return np.ma.MaskedArray(self.copy(np.asarray(value)), np.ma.getmaskarray(value))

    def _copy_object(self, value):
        kind = type(value)
        attributes = without_unused_fits(value)
        for name in getattr(kind, "_callable_parameters", ()):
            _check_no_code(kind, name, attributes.get(name))
        # It may come from a pretrained network.
        architecture = attributes.get("_architecture") or {}
        _check_no_code(kind, "network", architecture.get("network"))
        if hasattr(kind, "_state_to_save"):
            attributes = value._state_to_save(attributes)
        for name in getattr(kind, "_path_parameters", ()):
            if is_path(attributes.get(name)):
                attributes[name] = self._resolve_path(value, name, attributes[name])
        if isinstance(attributes.get("owner"), BaseEstimator):
            # Requests of metadata refer back to their estimator; messages only need its name.
            attributes["owner"] = type(attributes["owner"]).__name__
        attributes = with_defaults(kind, attributes)
        if "_n_threads" in attributes:
            attributes["_n_threads"] = 1  # the same on every computer; readers replace it
        copied = kind.__new__(kind)
        # Register the copy first, for objects that refer to each other.
        self._copies[id(value)] = value, copied
        for name, item in attributes.items():
            vars(copied)[name] = self.copy(item)
        return copied


def _check_no_code(kind, name, value):
    """Raise ValueError if a parameter is, or contains, a function of the user."""
    found = [
        item for item in (value if type(value) in (list, tuple) else [value]) if callable(item)
    ]
    if found:
        raise CodeError(
            f"{name}={name_of(found[0])} of the {kind.__name__} is code, which model files never "
            "contain"
        )


def _is_plain_object(value):
    """Return whether a value is an estimator or another plain object of scikit-learn."""
    if isinstance(value, (type, FunctionType)) or not hasattr(value, "__dict__"):
        return False
    if isinstance(value, BaseEstimator):
        return True
    # Compiled objects define how they are pickled.
    is_plain = type(value).__reduce__ is object.__reduce__
    return is_plain and type(value).__module__.startswith("sklearn.")

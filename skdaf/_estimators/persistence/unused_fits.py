"""Fitted estimators in parameters, which model files do not contain.

scikit-learn's meta-estimators do not fit the estimators in their parameters, but clones of them,
which predictions use. If a parameter was fitted before, its weights would be saved beside those of
the clone.
"""

import copy

import numpy as np
from sklearn.base import BaseEstimator, clone
from sklearn.frozen import FrozenEstimator
from sklearn.metrics._scorer import _PassthroughScorer

from skdaf._estimators.places import fitted_parts, replaced_parameters


def without_unused_fits(estimator):
    """Return the attributes of an estimator, without fits of parameters that it has clones of.

    Parameters
    ----------
    estimator : object

    Returns
    -------
    attributes : dict
    """
    attributes = dict(vars(estimator))
    if not isinstance(estimator, BaseEstimator) or _needs_fitted(attributes):
        return attributes
    names = [name for name in replaced_parameters(attributes) if _has_fit(attributes[name])]
    if names:
        # What predictions use stays as it is. Several attributes can have the same estimator.
        known = {id(part): part for part, *_ in fitted_parts(estimator)}
        attributes |= {name: _unfitted(attributes[name], known) for name in names}
    return attributes


def _needs_fitted(attributes):
    """Return whether the parameters of a meta-estimator say that it uses them as they are."""
    return attributes.get("prefit") is True or str(attributes.get("cv")) == "prefit"


def _has_fit(value):
    """Return whether a value is a fitted estimator, or contains one that a clone would not."""
    if _is_container(value):
        return any(map(_has_fit, _items(value)))
    if isinstance(value, _PassthroughScorer):
        return _has_fit(value._estimator)
    if not isinstance(value, BaseEstimator) or isinstance(value, FrozenEstimator):
        return False
    has_results = any(name.endswith("_") for name in vars(value))
    return has_results or any(map(_has_fit, value.get_params(deep=False).values()))


def _unfitted(value, known):
    """Return a value with clones of its fitted estimators.

    `known` are the replacements of estimators by their identity; this adds the clones.
    """
    if isinstance(value, dict):
        return type(value)((key, _unfitted(item, known)) for key, item in value.items())
    if isinstance(value, (list, tuple)):
        return type(value)(_unfitted(item, known) for item in value)
    if isinstance(value, np.ndarray):
        copied = value.copy()
        for index in np.ndindex(value.shape):
            copied[index] = _unfitted(value[index], known)
        return copied
    if isinstance(value, _PassthroughScorer):
        copied = copy.copy(value)
        copied._estimator = _unfitted(value._estimator, known)
        return copied
    return known.setdefault(id(value), clone(value)) if _has_fit(value) else value


def _is_container(value):
    is_array = isinstance(value, np.ndarray) and value.dtype == object
    return is_array or isinstance(value, (dict, list, tuple))


def _items(value):
    if isinstance(value, np.ndarray):
        return value[~np.ma.getmaskarray(value)]
    return value.values() if isinstance(value, dict) else value

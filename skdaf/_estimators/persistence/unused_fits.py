"""Fitted estimators in parameters, which model files do not contain.

scikit-learn's meta-estimators do not fit the estimators in their parameters, but clones of them,
which predictions use. If a parameter was fitted before, its weights would be saved beside those of
the clone.
"""

from sklearn.base import BaseEstimator, clone
from sklearn.frozen import FrozenEstimator

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
    names = [name for name in replaced_parameters(attributes) if _is_fitted(attributes[name])]
    if names:
        used = {id(part) for part, *_ in fitted_parts(estimator)}
        attributes |= {name: _unfitted(attributes[name], used) for name in names}
    return attributes


def _needs_fitted(attributes):
    """Return whether the parameters of a meta-estimator say that it uses them as they are."""
    return attributes.get("prefit") is True or str(attributes.get("cv")) == "prefit"


def _is_fitted(value):
    """Return whether a value is a fitted estimator, or contains one that a clone would not."""
    if isinstance(value, (list, tuple)):
        return any(map(_is_fitted, value))
    if not isinstance(value, BaseEstimator) or isinstance(value, FrozenEstimator):
        return False
    has_results = any(name.endswith("_") for name in vars(value))
    return has_results or any(map(_is_fitted, value.get_params(deep=False).values()))


def _unfitted(value, used):
    """Return clones of the fitted estimators in a value, except of those that predictions use."""
    if isinstance(value, (list, tuple)):
        return type(value)(_unfitted(part, used) for part in value)
    return clone(value) if _is_fitted(value) and id(value) not in used else value

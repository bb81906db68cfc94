"""Estimator: what all estimators of this package share."""

from inspect import signature

from sklearn.base import BaseEstimator


class Estimator(BaseEstimator):
    """An estimator that can be loaded from files of earlier releases.

    Such a file does not know the parameters that came later: they get their defaults, which must
    therefore be what earlier releases did.
    """

    def __setstate__(self, state):
        parameters = signature(type(self).__init__).parameters.values()
        defaults = {p.name: p.default for p in parameters if p.default is not p.empty}
        super().__setstate__({**defaults, **state})

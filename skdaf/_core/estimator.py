"""Estimator: what all estimators of this package share."""

from inspect import signature
from numbers import Integral

import numpy as np
from sklearn.base import BaseEstimator


def is_count(value):
    """Return whether a value from a file is a whole number, not negative."""
    return isinstance(value, Integral) and not isinstance(value, bool) and value >= 0


def is_positive_count(value):
    """Return whether a value from a file is a whole number above zero."""
    return is_count(value) and value > 0


def is_flag(value):
    """Return whether a value from a file is True or False."""
    return isinstance(value, (bool, np.bool_))


def is_names(value):
    """Return whether a value from a file is an array of names."""
    return isinstance(value, np.ndarray) and value.ndim == 1 and value.dtype.kind in "OU"


class Estimator(BaseEstimator):
    """An estimator that can be loaded from files of earlier releases, and from strangers' files.

    Files of earlier releases lack the parameters that came later: they get their defaults, which
    must therefore be what earlier releases did.
    """

    #: Parameters that may be the path of a saved model.
    _path_parameters: tuple[str, ...] = ()

    #: Attributes beside the parameters that a file may set, and how a valid value is recognized.
    _saved_attributes = {
        "n_features_in_": is_count,
        "feature_names_in_": is_names,
        "_sklearn_output_config": lambda value: type(value) is dict,
        "_metadata_request": lambda value: type(value).__name__ == "MetadataRequest",
    }

    def __setstate__(self, state):
        parameters = signature(type(self).__init__).parameters.values()
        defaults = {p.name: p.default for p in parameters if p.default is not p.empty}
        super().__setstate__({**defaults, **state})

    @classmethod
    def _check_saved_state(cls, state):
        """Insist on attributes that a file may set; `load_model` calls this before it sets them.

        Parameters
        ----------
        state : dict
            The attributes in a file.

        Raises
        ------
        ValueError
            If there is another attribute, or one has a value that it cannot have.
        """
        parameters = signature(cls.__init__).parameters
        for name, value in state.items():
            if name in parameters:
                continue
            if name not in cls._saved_attributes:
                raise ValueError(f"{name[:60]!r} is no attribute that a file may set")
            if not cls._saved_attributes[name](value):
                raise ValueError(f"{name} cannot be {str(value)[:60]!r}")

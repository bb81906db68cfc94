"""The base class of all estimators, and checks of attributes that come from a file."""

import math
from contextlib import contextmanager
from difflib import get_close_matches
from inspect import signature
from numbers import Integral
from typing import Any, Self

import numpy as np
from numpy.typing import NDArray
from sklearn.base import BaseEstimator


def is_count(value):
    """Return whether a value is an integer of at least 0."""
    return isinstance(value, Integral) and not isinstance(value, bool) and value >= 0


def is_positive_count(value):
    """Return whether a value is an integer of at least 1."""
    return is_count(value) and value > 0


def is_flag(value):
    """Return whether a value is True or False."""
    return isinstance(value, (bool, np.bool_))


def is_seconds(value):
    """Return whether a value is a finite float above 0."""
    return isinstance(value, float) and 0 < value < math.inf


def is_names(value):
    """Return whether a value is an array of names."""
    return isinstance(value, np.ndarray) and value.ndim == 1 and value.dtype.kind in "OU"


@contextmanager
def unchanged_on_error(estimator):
    """Restore the fitted attributes of an estimator if a fit fails or is interrupted.

    Otherwise, an estimator that was fitted before would have the classes of the new data, but the
    network of the old data.
    """
    before = dict(vars(estimator))
    try:
        yield
    except BaseException:
        # Others belong to the callbacks of scikit-learn, which are not finished yet.
        for name in estimator._saved_attributes:
            vars(estimator).pop(name, None)
            if name in before:
                setattr(estimator, name, before[name])
        raise


class Estimator(BaseEstimator):
    """Base class of estimators that can be loaded from old files and from untrusted files.

    Files written by earlier releases lack parameters that were added later. These get their
    defaults, so the default of a new parameter must keep the behavior of earlier releases.
    """

    # Set by scikit-learn, if X has a fixed number of columns, or names for them.
    n_features_in_: int
    feature_names_in_: NDArray[Any]

    #: Parameters that may be the path of a saved model.
    _path_parameters: tuple[str, ...] = ()

    #: Names of parameters of parts that `get_params` may not list, for advice.
    _inner_names: tuple[str, ...] = ()

    #: Attributes other than parameters that a file may set, each with a check of its value.
    _saved_attributes = {
        "n_features_in_": is_count,
        "feature_names_in_": is_names,
        "_sklearn_output_config": lambda value: type(value) is dict,
        "_metadata_request": lambda value: type(value).__name__ == "MetadataRequest",
    }

    def set_params(self, **params: Any) -> Self:
        """Set parameters; the error for an unknown one suggests a similar name.

        Parameters
        ----------
        **params : dict
            Parameters and their values.

        Returns
        -------
        self : estimator instance
            The estimator itself.
        """
        try:
            return super().set_params(**params)
        except ValueError as error:
            known = self._get_param_names()
            # scikit-learn reports the first unknown one, before it sets nested ones.
            unknown = [name for name in params if name.partition("__")[0] not in known]
            if not unknown:
                raise
            close = get_close_matches(unknown[0].partition("__")[0], known, 1)
            close += [name for name in self._inner_names if name.endswith(f"__{unknown[0]}")]
            if not close:
                raise
            raise ValueError(f"{error} Did you mean {close[0]!r}?") from None

    def __setstate__(self, state):
        parameters = signature(type(self).__init__).parameters.values()
        defaults = {p.name: p.default for p in parameters if p.default is not p.empty}
        super().__setstate__({**defaults, **state})

    @classmethod
    def _check_saved_state(cls, state):
        """Check the attributes in a file; `load_model` calls this before it sets them.

        Parameters
        ----------
        state : dict
            Names and values of the attributes.

        Raises
        ------
        ValueError
            If a file may not set one of the attributes, or if its value is invalid.
        """
        parameters = signature(cls.__init__).parameters
        for name, value in state.items():
            if name in parameters:
                continue
            if name not in cls._saved_attributes:
                raise ValueError(f"a file may not set the attribute {name[:60]!r}")
            if not cls._saved_attributes[name](value):
                raise ValueError(f"{name} cannot be {str(value)[:60]!r}")

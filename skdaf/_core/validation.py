"""Validation of parameters: typed versions of scikit-learn's decorators, and constraints.

scikit-learn is not typed: if its decorators were used directly, type checkers would not know the
signatures of the decorated functions and methods.
"""

from collections.abc import Callable
from numbers import Real
from typing import Any, TypeVar

import numpy as np
from sklearn.base import _fit_context
from sklearn.utils import _param_validation


class StrictInterval(_param_validation.Interval):  # type: ignore[misc]
    """An interval of numbers without True and False, which scikit-learn takes for 1 and 0.

    Use it where a reader might expect a switch.
    """

    def is_satisfied_by(self, val: Any) -> bool:
        """Return whether a value is a number in the interval."""
        return not isinstance(val, (bool, np.bool_)) and super().is_satisfied_by(val)


class Seconds(_param_validation.Interval):  # type: ignore[misc]
    """The interval of positive numbers up to a maximum; messages name the unit.

    The maximum tells seconds from milliseconds and samples.
    """

    def __init__(self, maximum: float) -> None:
        super().__init__(Real, 0, maximum, closed="right")

    def __str__(self) -> str:
        return f"{super().__str__()} (seconds)"


class Hertz(_param_validation.Interval):  # type: ignore[misc]
    """An interval of frequencies or sampling rates; messages name the unit."""

    def __str__(self) -> str:
        return f"{super().__str__()} (Hz)"


class ExplainedOptions(_param_validation.StrOptions):  # type: ignore[misc]
    """A choice of texts; messages explain the parameter, for names that suggest another type."""

    def __init__(self, options: set[str], explanation: str) -> None:
        super().__init__(options)
        self.explanation = explanation

    def __str__(self) -> str:
        return f"{super().__str__()} ({self.explanation})"


Function = TypeVar("Function", bound=Callable[..., Any])


def validate_params(constraints: dict[str, Any]) -> Callable[[Function], Function]:
    """Check the arguments of a function against constraints before each call."""
    return _param_validation.validate_params(constraints, prefer_skip_nested_validation=True)


def fit_context(*, prefer_skip_nested_validation: bool) -> Callable[[Function], Function]:
    """Check the parameters of an estimator before `fit` runs."""
    return _fit_context(prefer_skip_nested_validation=prefer_skip_nested_validation)

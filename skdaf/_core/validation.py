"""Typed versions of scikit-learn's decorators that validate parameters.

scikit-learn is not typed: if its decorators were used directly, type checkers would not know the
signatures of the decorated functions and methods.
"""

from collections.abc import Callable
from typing import Any, TypeVar

from sklearn.base import _fit_context
from sklearn.utils import _param_validation

Function = TypeVar("Function", bound=Callable[..., Any])


def validate_params(constraints: dict[str, Any]) -> Callable[[Function], Function]:
    """Check the arguments of a function against constraints before each call."""
    return _param_validation.validate_params(constraints, prefer_skip_nested_validation=True)


def fit_context(*, prefer_skip_nested_validation: bool) -> Callable[[Function], Function]:
    """Check the parameters of an estimator before `fit` runs."""
    return _fit_context(prefer_skip_nested_validation=prefer_skip_nested_validation)

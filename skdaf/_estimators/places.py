"""Where the fitted networks in an estimator are."""

import os
from collections.abc import Iterator
from typing import Any, NamedTuple

from sklearn.base import BaseEstimator
from sklearn.frozen import FrozenEstimator
from sklearn.pipeline import FeatureUnion, Pipeline

# Parameters with an estimator from which training started, and that predictions do not use.
NOT_A_PART = {"pretrained"}

# Attributes that may hold fitted estimators, and the attributes with those that predict.
_REPLACED_BY = {
    "estimator": ("estimator_", "estimators_", "best_estimator_", "calibrated_classifiers_"),
    "base_estimator": ("estimators_",),
    "estimators": ("estimators_",),
    "final_estimator": ("final_estimator_",),
    "frontend": ("frontend_",),
    "regressor": ("regressor_",),
    "transformer": ("transformer_",),
    "transformers": ("transformers_",),
    # The candidates of a search, and the estimator that it was given.
    **dict.fromkeys(
        ("param_grid", "param_distributions", "best_params_", "cv_results_", "scorer_"),
        ("best_estimator_",),
    ),
}

# Attributes in which the parts have names.
_NAMED_PARTS = ("named_estimators_", "named_transformers_")


class Place(NamedTuple):
    """A fitted network, the Python expression that returns it, and whether it was trained there."""

    network: Any
    expression: str
    is_trained: bool


def find_places(estimator: Any) -> list[Place]:
    """Return the place of each fitted network in an estimator, each network once."""
    places: dict[int, Place] = {}
    for part, expression, is_trained in fitted_parts(estimator):
        if "network_" in vars(part):
            # The first place of a network counts.
            places.setdefault(id(part), Place(part, expression, is_trained))
    return list(places.values())


def fitted_parts(
    part: Any, expression: str = "estimator", is_trained: bool = True
) -> Iterator[tuple[BaseEstimator, str, bool]]:
    """Yield an estimator and those inside it that predictions use, from the outside in.

    Each comes with the expression that returns it, and with whether it was fitted together with the
    whole; those in a FrozenEstimator, or from a file, were fitted before.
    """
    if isinstance(part, BaseEstimator):
        yield part, expression, is_trained
    is_trained = is_trained and not _holds_fitted(part)
    for suffix, child in _children(part):
        yield from fitted_parts(child, expression + suffix, is_trained)


def replaced_parameters(attributes: dict[str, Any]) -> set[str]:
    """Return the names of attributes that predictions do not use, because there are fitted clones.

    `attributes` are those of an estimator.
    """
    return {
        name
        for name in attributes.keys() & _REPLACED_BY.keys()
        if any(fitted in attributes for fitted in _REPLACED_BY[name])
    }


def _holds_fitted(part):
    """Return whether an estimator uses a fitted estimator as it is."""
    fixed = (str, os.PathLike, FrozenEstimator)
    inner = vars(part).get("estimator") if isinstance(part, BaseEstimator) else None
    return isinstance(part, FrozenEstimator) or isinstance(inner, fixed)


def _children(part: Any) -> Iterator[tuple[str, Any]]:
    """Yield what is inside a part, with the code to get from one to the other."""
    if isinstance(part, Pipeline):
        part = dict(part.steps)
    if isinstance(part, dict):
        yield from ((f'["{name}"]', child) for name, child in part.items())
    elif isinstance(part, (list, tuple)):
        yield from ((f"[{i}]", child) for i, child in enumerate(part))
    elif isinstance(part, FeatureUnion):
        yield ".named_transformers", dict(part.transformer_list)
    elif isinstance(part, BaseEstimator):
        attributes = vars(part)
        if {"estimators_", "transformers_"} & {*attributes}:
            yield from ((f".{name}", getattr(part, name, None)) for name in _NAMED_PARTS)
        for i, pair in enumerate(attributes.get("calibrated_classifiers_", ())):
            yield f".calibrated_classifiers_[{i}].estimator", pair.estimator
        not_used = NOT_A_PART | replaced_parameters(attributes)
        for name, value in attributes.items():
            if name not in not_used:
                yield f".{name}", value

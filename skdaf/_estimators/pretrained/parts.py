"""The pretrained models in an estimator, and whether the packages that they need are installed."""

from typing import Any

from skdaf._estimators.pretrained.requirements import check_packages


def check_packages_of(estimator: Any) -> None:
    """Do what `check_packages` does for all pretrained models in an estimator, fitted or not."""
    for model in models_of(estimator):
        check_packages(model)


def models_of(estimator: Any) -> list[Any]:
    """Return what the pretrained feature extractors in an estimator use, fitted or not."""
    from skdaf._estimators.fitted import iterate_parts
    from skdaf._estimators.pretrained.transformer import PretrainedFeatureExtractor

    parts = iterate_parts(estimator)
    return [part.model for part in parts if isinstance(part, PretrainedFeatureExtractor)]

"""Whether the packages that pretrained models need are installed, before anything is computed.

Packages are found, but not imported, so that this takes no time.
"""

import os
from typing import Any

from skdaf._core.requirements import MissingPackageError, is_installed
from skdaf._estimators.pretrained.names import LIBRARIES, NAMED, ONNX_ENDINGS, PACKAGES


def check_packages(model: Any) -> None:
    """Raise MissingPackageError if a model needs a package that is not installed.

    Parameters
    ----------
    model : object
        What `PretrainedFeatureExtractor` takes. Anything else needs no package.
    """
    for package, command in _needed(model):
        if not is_installed(package):
            raise MissingPackageError(
                f"The model {_name(model)} needs the package {package}, which is not installed. "
                f"Install it with: {command}"
            )


def check_packages_of(estimator: Any) -> None:
    """Do the same for all pretrained models in an estimator, fitted or not."""
    from skdaf._estimators.fitted import iterate_parts
    from skdaf._estimators.pretrained.transformer import PretrainedFeatureExtractor

    for part in iterate_parts(estimator):
        if isinstance(part, PretrainedFeatureExtractor):
            check_packages(part.model)


def _needed(model):
    """Return the packages, as in an import, and the commands that install them."""
    kind = _kind(model)
    found = [table[kind] for table in (PACKAGES, LIBRARIES) if kind in table]
    return [(name.replace("-", "_"), command) for name, command in found]


def _kind(model):
    """Return the name of a model, "onnx", "transformers", or None for one that needs nothing."""
    if _is_content(model):
        return "onnx"
    if not isinstance(model, (str, os.PathLike)):
        return None
    name = os.fspath(model)
    if name in NAMED:
        return name
    if name.lower().endswith(ONNX_ENDINGS):
        return "onnx"
    return "transformers" if os.path.isfile(os.path.join(name, "config.json")) else None


def _is_content(model):
    """Return whether a model is an array with the bytes of an ONNX file, without numpy."""
    return str(getattr(model, "dtype", None)) == "uint8"


def _name(model):
    return "in the saved file" if _is_content(model) else repr(os.fspath(model))

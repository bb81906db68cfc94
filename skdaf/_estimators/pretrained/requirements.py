"""Whether the packages that pretrained models need are installed, before anything is computed.

Packages are found, but not imported, so that this takes no time.
"""

import os
from typing import Any

from skdaf._core.requirements import MissingPackageError, is_installed
from skdaf._estimators.pretrained.names import NAMED, ONNX_ENDINGS, PACKAGES


def check_packages(model: Any) -> None:
    """Raise MissingPackageError if a model needs a package that is not installed.

    Parameters
    ----------
    model : object
        What `PretrainedFeatureExtractor` takes. Anything else needs no package.
    """
    needed = PACKAGES.get(kind_of(model) or "", {})
    missing = [package for package in needed if not is_installed(package.replace("-", "_"))]
    if not missing:
        return
    several = len(missing) > 1
    commands = "; ".join(dict.fromkeys(needed[package] for package in missing))
    raise MissingPackageError(
        f"The model {_name(model)} needs the package{'s' * several} {' and '.join(missing)}, which "
        f"{'are' if several else 'is'} not installed. Install {'them' if several else 'it'} with: "
        f"{commands}"
    )


def packages_of(kind: str) -> str:
    """Return the packages that a kind of model needs, with the commands that install them.

    Parameters
    ----------
    kind : str
        As `kind_of` returns it.
    """
    by_command: dict[str, list[str]] = {}
    for package, command in PACKAGES[kind].items():
        by_command.setdefault(command, []).append(package)
    return " and ".join(
        f"{' and '.join(packages)} ({command})" for command, packages in by_command.items()
    )


def kind_of(model: Any) -> str | None:
    """Return the name of a model, "onnx", "transformers", or None for one that needs nothing."""
    if _is_content(model):
        return "onnx"
    if not isinstance(model, (str, os.PathLike)):
        return None
    name = str(os.fspath(model))
    if name in NAMED:
        return name
    if name.lower().endswith(ONNX_ENDINGS):
        return "onnx"
    return "transformers" if os.path.isfile(os.path.join(name, "config.json")) else None


def _is_content(model):
    """Return whether a model is an array with the bytes of an ONNX file, without numpy."""
    return str(getattr(model, "dtype", None)) == "uint8"


def _name(model):
    return "in the saved file" if _is_content(model) else repr(str(os.fspath(model)))

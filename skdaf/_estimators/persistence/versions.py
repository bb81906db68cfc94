"""The version of scikit-learn that a model file was saved with."""

import re

import sklearn

from skdaf._core.archives import Archive

# scikit-learn saves its version in the state of each of its estimators.
_VERSION = re.compile(
    rb'"_sklearn_version": ?\{[^{}]{0,300}"content": ?"\\"([\w.+]{1,30})\\""', re.ASCII
)


def other_scikit_learn(path):
    """Describe the versions of scikit-learn that saved a file and that are installed.

    Returns
    -------
    versions : str
        Empty if the file does not contain its version, or if both are the same.
    """
    saved = scikit_learn_of(path)
    if saved in ("", sklearn.__version__):
        return ""
    return f"saved with scikit-learn {saved}, not with the installed {sklearn.__version__}"


def scikit_learn_of(path):
    """Return the version that saved a file; an empty string if the file does not contain it."""
    try:
        with Archive(path, repr(path)) as archive:
            found = _VERSION.search(archive.read("schema.json"))
    except Exception:  # damaged archives raise all kinds of errors
        return ""
    return found[1].decode() if found else ""

"""save_model and load_model: files that hold estimators, and never code."""

import importlib
import io
import json
import os
import zipfile
from types import FunctionType

from sklearn.frozen import FrozenEstimator
from sklearn.utils.validation import check_is_fitted

from skdaf._files import write_whole
from skdaf._version import __version__

# Types beyond skops's own that saved estimators are made of. Loading calls nothing of these but
# `__new__` and `__setstate__`.
_TRUSTED_TYPES = {
    "pathlib.PosixPath",
    "pathlib.WindowsPath",
    "skdaf._autoencoder.ConvAutoencoderEmbedder",
    "skdaf._classifier.CNNAudioClassifier",
    "skdaf._combine.BlockScaler",
    "skdaf._combine.CappedPCA",
    "skdaf._extractor.CNNFeatureExtractor",
    "skdaf._frontend.SpectrogramTransformer",
    "skdaf._handcrafted.PyAudioAnalysisTransformer",
    "skdaf._old_frontend.OldSpectrogramTransformer",
    "sklearn.utils._bunch.Bunch",
    "sklearn.utils._metadata_requests.MetadataRequest",
    "sklearn.utils._metadata_requests.MethodMetadataRequest",
}

# Parts of scikit-learn that no model is made of. A file may not even have them imported.
_NO_MODELS = {
    *("_build_utils", "callback", "conftest", "datasets", "experimental", "externals", "tests"),
    "utils",
}

# The member of the archive that tells who wrote it, and how. The number goes up when files can no
# longer be read by older releases; those of all older numbers are still read.
_NOTE, _FORMAT = "skdaf.json", 1

# Weights hardly get smaller in an archive, and constants do a thousandfold. What would grow like
# that, and beyond this size, is there to fill the memory.
_MOST_GROWTH, _SMALL = 100, 2**30


def save_model(estimator, path):
    """Write a fitted estimator to a file that can be loaded without trusting it.

    Unlike a pickle, the file holds arrays, parameters and names of types, no code. It works for
    every estimator of this package and for scikit-learn's pipelines, unions and searches around
    them. It notes the release that wrote it; later ones can read it.

    Parameters
    ----------
    estimator : estimator
        What to save.
    path : str or os.PathLike
        The file to write, by custom ``*.skops``. A file that is there is replaced when the new
        one is complete.

    Raises
    ------
    OSError
        If the file cannot be written; nothing is left half-written then.
    ValueError
        If the estimator holds something that `load_model` would refuse, such as a function or a
        type of another package; nothing is written then.

    See Also
    --------
    load_model : Read such a file.

    Examples
    --------
    >>> import tempfile, pathlib, numpy as np
    >>> from skdaf import SpectrogramTransformer, load_model, save_model
    >>> transformer = SpectrogramTransformer(n_mels=20).fit(np.ones((2, 4000)))
    >>> with tempfile.TemporaryDirectory() as folder:
    ...     path = pathlib.Path(folder, "frontend.skops")
    ...     save_model(transformer, path)
    ...     loaded = load_model(path)
    >>> loaded.n_frames_ == transformer.n_frames_
    True
    """
    import skops.io  # here, since it imports all of scikit-learn

    content = skops.io.dumps(estimator, compression=zipfile.ZIP_DEFLATED)
    _check_growth(io.BytesIO(content), type(estimator).__name__)
    refused = _refused(skops.io.get_untrusted_types(data=content))
    if refused:
        # They follow a fit, and predictions need none of them.
        is_followed = any(name.startswith("sklearn.callback.") for name in refused)
        hint = "set_callbacks() without arguments takes callbacks away; " if is_followed else ""
        raise ValueError(
            f"{type(estimator).__name__} holds what load_model would not trust: "
            f"{', '.join(refused)}. Nothing was written; {hint}joblib.dump takes anything."
        )
    write_whole(path, _with_note(content))


def _with_note(content):
    """Add to an archive which release wrote it, and in which format."""
    file = io.BytesIO(content)
    with zipfile.ZipFile(file, "a") as archive:
        archive.writestr(_NOTE, json.dumps({"skdaf": __version__, "format": _FORMAT}))
    return file.getvalue()


def read_note(path):
    """Return what `save_model` noted in a file: its release and format.

    A file that skops wrote by itself has no note, and passes for one of this release.

    Raises
    ------
    FileNotFoundError
        If there is no such file.
    ValueError
        If it was not written by `save_model`.
    """
    path = os.fspath(path)
    if not os.path.isfile(path):
        raise FileNotFoundError(f"There is no model file {path!r}.")
    try:
        _check_growth(path, repr(path))
        with zipfile.ZipFile(path) as archive:
            if _NOTE not in archive.namelist() and "schema.json" in archive.namelist():
                return {"skdaf": "unknown", "format": _FORMAT}  # of skops.io.dump
            note = json.loads(archive.read(_NOTE))
        return {"skdaf": str(note["skdaf"]), "format": int(note["format"])}
    except _TooLargeError:
        raise
    except Exception as error:  # a damaged archive can come to any kind of error
        raise ValueError(
            f"{path!r} was not written by save_model, or is damaged. Pickles (joblib.dump) can run "
            "code when they are loaded: use joblib.load for those that you trust."
        ) from error


class _TooLargeError(ValueError):
    """An archive that would fill the memory."""


def _check_growth(file, name):
    """Refuse an archive that is small and would become enormous."""
    with zipfile.ZipFile(file) as archive:
        members = archive.infolist()
    n_bytes = sum(member.file_size for member in members)
    n_packed = sum(member.compress_size for member in members)
    if n_bytes > max(_SMALL, _MOST_GROWTH * n_packed):
        raise _TooLargeError(
            f"{name} holds {n_packed} bytes that would become {n_bytes}: no model does."
        )


def load_model(path):
    """Read an estimator written by `save_model`.

    No code from the file is run, and only types of this package, scikit-learn, NumPy and SciPy
    are made. (Their values are not checked: decision trees from somebody who means harm can still
    end the process when they predict.)

    Parameters
    ----------
    path : str or os.PathLike
        The file.

    Returns
    -------
    estimator : estimator
        As it was saved.

    Raises
    ------
    FileNotFoundError
        If there is no such file.
    ValueError
        If the file is of another kind (a pickle, for example), damaged, written by a later release
        in a format of its own, asks for a type that is not trusted (it names the type), or would
        become more than a gigabyte and a hundred times its size.

    See Also
    --------
    save_model : Write such a file.

    Examples
    --------
    >>> import tempfile, pathlib, numpy as np
    >>> from skdaf import SpectrogramTransformer, load_model, save_model
    >>> with tempfile.TemporaryDirectory() as folder:
    ...     path = pathlib.Path(folder, "frontend.skops")
    ...     save_model(SpectrogramTransformer(n_mels=20).fit(np.ones((2, 4000))), path)
    ...     load_model(path)
    SpectrogramTransformer(n_mels=20)
    """
    note = read_note(path)
    path = os.fspath(path)
    if note["format"] > _FORMAT:
        raise ValueError(
            f"{path!r} was written by skdaf {note['skdaf']}, in a format that this release "
            f"({__version__}) does not know yet: update skdaf."
        )
    import skops.io

    try:
        asked = skops.io.get_untrusted_types(file=path)
        refused = _refused(asked)
        if not refused:
            return skops.io.load(path, trusted=asked)
    except Exception as error:  # parts that do not fit together can come to any kind of error
        raise ValueError(f"{path!r} is damaged: {type(error).__name__}: {error}") from error
    raise ValueError(
        f"{path!r} asks for types that are not trusted: {', '.join(refused)}. Nothing was loaded."
    )


def _refused(names):
    return sorted(name for name in names if name not in _TRUSTED_TYPES and not _is_sklearns(name))


def _is_sklearns(name):
    """Tell whether a name is a class of scikit-learn, or one of its metrics.

    It must be defined where the name says: modules also hold what they import from elsewhere.
    """
    module, _, attribute = name.rpartition(".")
    package, *parts = module.split(".")
    if package != "sklearn" or not parts or not _NO_MODELS.isdisjoint(parts):
        return False
    try:
        found = getattr(importlib.import_module(module), attribute, None)
    except ImportError:
        return False
    if isinstance(found, type):
        return found.__module__ == module
    is_function = isinstance(found, FunctionType) or hasattr(found, "__wrapped__")
    return is_function and getattr(found, "__module__", "").startswith("sklearn.metrics.")


def resolve_fitted(estimator):
    """Return the fitted estimator behind a FrozenEstimator or a path, None for a recipe.

    Raises
    ------
    NotFittedError
        If what is frozen was never fitted.
    """
    if isinstance(estimator, (str, os.PathLike)):
        return load_model(estimator)
    if isinstance(estimator, FrozenEstimator):
        check_is_fitted(
            estimator.estimator,
            msg="The %(name)s in FrozenEstimator is not fitted: FrozenEstimator(estimator) takes "
            "one that is (a clone is not). Fit it first, or pass it without FrozenEstimator to "
            "have it trained.",
        )
        return estimator.estimator
    return None

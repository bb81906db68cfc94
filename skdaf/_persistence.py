"""save_model and load_model: files that hold estimators, and never code."""

import importlib
import os
import uuid
import zipfile
from pathlib import Path
from types import FunctionType

from sklearn.frozen import FrozenEstimator
from sklearn.utils.validation import check_is_fitted

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
}


def save_model(estimator, path):
    """Write a fitted estimator to a file that can be loaded without trusting it.

    Unlike a pickle, the file holds arrays, parameters and names of types, no code. It works for
    every estimator of this package and for scikit-learn's pipelines, unions and searches around
    them.

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

    content = skops.io.dumps(estimator)
    refused = _refused(skops.io.get_untrusted_types(data=content))
    if refused:
        raise ValueError(
            f"{type(estimator).__name__} holds what load_model would not trust: "
            f"{', '.join(refused)}. Nothing was written; joblib.dump takes anything."
        )
    _write_whole(Path(path), content)


def _write_whole(path, content):
    # The temporary name is nobody else's, and beside the real one, so that replacing is atomic.
    part = path.with_name(f".{path.name}.{uuid.uuid4().hex}.part")
    try:
        part.write_bytes(content)
        os.replace(part, path)
    except OSError as error:
        raise type(error)(f"{os.fspath(path)!r} could not be written: {error.strerror}") from error
    finally:
        part.unlink(missing_ok=True)


def load_model(path):
    """Read an estimator written by `save_model`.

    No code from the file is run, and only types of this package, scikit-learn, NumPy and SciPy
    are made.

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
        If the file is of another kind (a pickle, for example), or asks for a type that is not
        trusted; it names the type.

    See Also
    --------
    save_model : Write such a file.
    """
    path = os.fspath(path)
    if not os.path.isfile(path):
        raise FileNotFoundError(f"There is no model file {path!r}.")
    if not zipfile.is_zipfile(path):
        raise ValueError(
            f"{path!r} was not written by save_model, or is damaged. Pickles (joblib.dump) can run "
            "code when they are loaded: use joblib.load for those that you trust."
        )
    import skops.io

    asked = skops.io.get_untrusted_types(file=path)
    refused = _refused(asked)
    if refused:
        raise ValueError(
            f"{path!r} asks for types that are not trusted: {', '.join(refused)}. Nothing was "
            "loaded."
        )
    return skops.io.load(path, trusted=asked)


def _refused(names):
    return sorted(name for name in names if name not in _TRUSTED_TYPES and not _is_sklearns(name))


def _is_sklearns(name):
    """Tell whether a name is a class of scikit-learn, or one of its metrics.

    It must be defined where the name says: modules also hold what they import from elsewhere.
    """
    module, _, attribute = name.rpartition(".")
    if not module.startswith("sklearn."):
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
        check_is_fitted(estimator.estimator)
        return estimator.estimator
    return None

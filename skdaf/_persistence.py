"""save_model and load_model: files that hold estimators, and never code."""

import os
import uuid
import zipfile
from pathlib import Path

import skops.io
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
    path = Path(path)
    # The temporary name is nobody else's, and beside the real one, so that replacing is atomic.
    part = path.with_name(f".{path.name}.{uuid.uuid4().hex}.part")
    try:
        part.write_bytes(skops.io.dumps(estimator))
        os.replace(part, path)
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
            f"{path!r} was not written by save_model. Pickles (joblib.dump) can run code when "
            "they are loaded: use joblib.load for those that you trust."
        )
    asked = skops.io.get_untrusted_types(file=path)
    refused = sorted(set(asked) - _TRUSTED_TYPES)
    if refused:
        raise ValueError(
            f"{path!r} asks for types that are not trusted: {', '.join(refused)}. Nothing was "
            "loaded."
        )
    return skops.io.load(path, trusted=asked)


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

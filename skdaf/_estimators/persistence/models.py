"""save_model and load_model: files that contain estimators but no code."""

import io
import os
import warnings
from typing import Any

from sklearn.base import BaseEstimator
from sklearn.exceptions import NotFittedError
from sklearn.frozen import FrozenEstimator
from sklearn.utils.validation import check_is_fitted

from skdaf._core.archives import Archive, TooLargeError
from skdaf._core.files import write_whole
from skdaf._core.public import public
from skdaf._core.typing import PathLike
from skdaf._core.user_warnings import warn_user
from skdaf._estimators.argument_order import check_not_swapped
from skdaf._estimators.persistence.note import FORMAT, read_note
from skdaf._estimators.persistence.reader import build
from skdaf._estimators.persistence.run_settings import CodeError, EstimatorCopier
from skdaf._estimators.persistence.schema import UntrustedError, read_schema
from skdaf._estimators.persistence.versions import other_scikit_learn
from skdaf._estimators.persistence.writer import repacked
from skdaf._version import __version__

# Extensions of files that contain something else: pickles, and models of other libraries.
_OTHER_EXTENSIONS = {".joblib", ".pkl", ".pickle", ".pt", ".pth", ".onnx", ".h5", ".keras"}


@public
def save_model(estimator: BaseEstimator, path: PathLike | bytes) -> None:
    """Write a fitted estimator to a file that can be loaded without trusting it.

    Unlike a pickle, the file contains arrays, parameters and names of types, but no code. You can
    save every estimator of this package, and scikit-learn's pipelines, unions and searches around
    them. The file records the release that wrote it; later releases can read it. With the same
    releases, the same model gives the same file, byte for byte.

    Parameters that belong to a run and not to the model are not saved, in any nested estimator:
    `cache`, `checkpoint`, `device`, `memory`, `n_jobs`, `n_threads`, `pre_dispatch` and `verbose`.
    A loaded estimator has their defaults. The estimator that you save does not change. Paths are
    not saved either: if a parameter is the path of a saved model
    (``CNNFeatureExtractor("model.skops")``, ``pretrained="model.skops"``), the file contains that
    model instead, in a ``FrozenEstimator``. Parameters of which an estimator has fitted copies,
    such as `estimator` of a search or of ``CalibratedClassifierCV``, are saved unfitted.

    Parameters
    ----------
    estimator : estimator
        The estimator to save.
    path : str, bytes or os.PathLike
        The file to write, usually named ``*.skops``. An existing file is replaced only when the new
        one is complete; its permissions are preserved.

    Raises
    ------
    TypeError
        If `estimator` is a class, or the arguments are in the wrong order.
    OSError
        If the file cannot be written. In that case, no partial file is left behind.
    ValueError
        If the estimator contains something that `load_model` would refuse, such as a function, a
        type of another package or a parameter with an invalid value. In that case, nothing is
        written.

    Warns
    -----
    UserWarning
        If the estimator is not fitted, or the extension of the file is that of another format, such
        as ``.joblib``; the file is written all the same. If a parameter of an unfitted estimator is
        the path of a model that cannot be read: None is saved instead. For fitted estimators, there
        is no warning, because their predictions do not need that model.

    See Also
    --------
    load_model : Read the file.

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
    check_not_swapped(estimator, path, "save_model(estimator, path)")
    import skops.io  # not at the top, because it imports all of scikit-learn

    if isinstance(estimator, type):
        raise TypeError(f"estimator is the class {estimator.__name__}: pass an instance of it.")
    name = type(estimator).__name__
    stripped = _stripped(estimator, name)
    try:
        content = repacked(skops.io.dumps(stripped))
        _read(io.BytesIO(content), name)
    except UntrustedError as error:
        # Predictions do not need callbacks.
        has_callbacks = any(name.startswith("sklearn.callback.") for name in error.names)
        hint = "set_callbacks() without arguments removes callbacks; " if has_callbacks else ""
        raise ValueError(
            f"{name} contains types that load_model does not trust: {error}. Nothing was written; "
            f"{hint}joblib.dump can save any object."
        ) from None
    except TooLargeError:
        raise
    except Exception as error:  # objects that cannot be saved raise all kinds of errors
        raise ValueError(
            f"load_model would refuse the file of this {name}: {str(error).rstrip('.')}. Nothing "
            "was written; joblib.dump can save any object."
        ) from error
    path = os.fsdecode(path)
    _warn_about_extension(path)
    _warn_if_not_fitted(estimator)
    write_whole(path, content)


def _warn_about_extension(path):
    stem, extension = os.path.splitext(path)
    if extension.lower() in _OTHER_EXTENSIONS:
        warnings.warn(
            f"{path!r} has the extension of another format, but contains a model in the skops "
            f"format, which only load_model reads. Name it {stem + '.skops'!r}.",
            stacklevel=3,
        )


def _warn_if_not_fitted(estimator):
    try:
        check_is_fitted(estimator)
    except NotFittedError:
        warnings.warn(
            f"This {type(estimator).__name__} is not fitted, so that the file contains its "
            "parameters, but no model. Call fit before save_model.",
            stacklevel=3,
        )
    except TypeError:  # of objects without `fit`, which are ready as they are
        pass


def _stripped(estimator, name):
    """Return a copy of an estimator without run parameters; raise ValueError if it has code."""
    try:
        return EstimatorCopier(_frozen_model).copy(estimator)
    except CodeError as error:
        raise ValueError(
            f"{name} cannot be saved: {error}. Nothing was written. joblib.dump can save it, for "
            "those who trust the file and have the code."
        ) from None


def _frozen_model(estimator, name, path):
    """Return the frozen model to save instead of a path in a parameter."""
    fitted = vars(estimator).get(f"{name}_")
    if fitted is not None:
        return FrozenEstimator(fitted)
    try:
        return FrozenEstimator(load_model(path))
    except (OSError, ValueError) as error:
        # The predictions of a fitted estimator do not need it.
        if not hasattr(estimator, "network_"):
            warn_user(f"{name}={path!r} of {type(estimator).__name__} is saved as None: {error}")
        return None


@public
def load_model(path: PathLike | bytes) -> Any:
    """Read an estimator written by `save_model`.

    You can load files from people whom you do not trust. Nothing that a file names is called or
    imported, except for a short list of types of this package, scikit-learn, NumPy and SciPy. All
    names are checked before anything is built, and memory and time are proportional to the size of
    the file. A loaded estimator does not access other files: parameters that belong to a run
    (`cache`, `checkpoint`, `device`, `memory`, `n_jobs`, `n_threads`, `pre_dispatch`, `verbose`)
    have their defaults in all nested estimators, and so do parameters that were the path of another
    model. The security page of the documentation describes all checks.

    Parameters
    ----------
    path : str, bytes or os.PathLike
        The file to read.

    Returns
    -------
    estimator : estimator
        The saved estimator, with the defaults of parameters that belong to a run.

    Raises
    ------
    FileNotFoundError
        If there is no such file.
    ValueError
        If the file is not a saved model (for example, a pickle); if it is damaged; if it was saved
        with a version of scikit-learn that differs too much from the installed one; if a later
        release wrote it in a newer format; if it contains a type that is not trusted, which the
        message names; if it contains a value that the estimator cannot have; or if it would need
        more than 128 MiB and a hundred times its size.

    See Also
    --------
    save_model : Write the file.

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
    path = os.fsdecode(path)
    if note["format"] > FORMAT:
        raise ValueError(
            f"{path!r} was written by skdaf {note['skdaf']}, in a format that this release "
            f"({__version__}) cannot read: update skdaf."
        )
    try:
        return _read(path, repr(path))
    except UntrustedError as error:
        raise ValueError(
            f"{path!r} contains types that are not trusted: {error}. Nothing was loaded."
            f"{_version_hint(path, error.names)}"
        ) from None
    except TooLargeError:
        raise
    except Exception as error:  # parts that do not fit together raise all kinds of errors
        kind = "" if type(error) is ValueError else f"{type(error).__name__}: "
        versions = other_scikit_learn(path)
        problem = f"was {versions}, or is damaged" if versions else "is damaged"
        raise ValueError(f"{path!r} {problem}: {kind}{error}") from error


def _version_hint(path, names):
    """Return a sentence if types of scikit-learn may belong to another version of it."""
    if not any(name.startswith("sklearn.") for name in names):
        return ""
    versions = other_scikit_learn(path)
    return f" It was {versions}." if versions else ""


def _read(file, name):
    with Archive(file, name) as archive:
        model = build(read_schema(archive), archive)
    if not isinstance(model, BaseEstimator):
        raise ValueError(f"it contains a {type(model).__name__}, not an estimator")
    return model

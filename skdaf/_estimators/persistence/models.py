"""save_model and load_model: files that hold estimators, and never code."""

import io
import json
import os
import warnings
import zipfile

from sklearn.base import BaseEstimator
from sklearn.frozen import FrozenEstimator

from skdaf._core.archives import Archive, TooLargeError
from skdaf._core.files import write_whole
from skdaf._core.public import public
from skdaf._estimators.persistence.reader import build
from skdaf._estimators.persistence.run_settings import Stripped
from skdaf._estimators.persistence.schema import UntrustedError, read_schema
from skdaf._version import __version__

# The member of the archive that says who wrote it, and how. The number goes up when files can no
# longer be read by older releases; those of all older numbers are still read.
_NOTE, _FORMAT = "skdaf.json", 1
_LONGEST_NOTE = 10_000


@public
def save_model(estimator, path):
    """Write a fitted estimator to a file that can be loaded without trusting it.

    Unlike a pickle, the file holds arrays, parameters and names of types, no code. It works for
    every estimator of this package and for scikit-learn's pipelines, unions and searches around
    them. It notes the release that wrote it; later ones can read it.

    What belongs to a run and not to the model is not saved, at any depth: `cache`, `checkpoint`,
    `device`, `memory`, `n_jobs`, `n_threads`, `pre_dispatch` and `verbose`. A loaded estimator has
    the defaults of these parameters. The given estimator stays as it is. No path is saved either:
    in place of the path of a saved model (``CNNFeatureExtractor("model.skops")``,
    ``pretrained="model.skops"``) the file holds that model, frozen.

    Parameters
    ----------
    estimator : estimator
        What to save.
    path : str, bytes or os.PathLike
        The file to write, usually ``*.skops``. An existing file is replaced when the new one is
        complete, and keeps its permissions.

    Raises
    ------
    OSError
        If the file cannot be written; nothing is left half-written then.
    ValueError
        If the estimator holds something that `load_model` would refuse, such as a function, a
        type of another package or a parameter with an invalid value; nothing is written then.

    Warns
    -----
    UserWarning
        If a parameter of an unfitted estimator holds the path of a model that cannot be read: None
        is saved instead, as it is without a warning for fitted ones.

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

    name = type(estimator).__name__
    stripped = Stripped(_model_in_place_of).copy(estimator)
    try:
        content = _written_once(skops.io.dumps(stripped, compression=zipfile.ZIP_DEFLATED))
        _read(io.BytesIO(content), name)
    except UntrustedError as error:
        # Callbacks follow a fit, and predictions need none of them.
        is_followed = any(name.startswith("sklearn.callback.") for name in error.names)
        hint = "set_callbacks() without arguments takes callbacks away; " if is_followed else ""
        raise ValueError(
            f"{name} holds what load_model would not trust: {error}. Nothing was written; "
            f"{hint}joblib.dump takes anything."
        ) from None
    except TooLargeError:
        raise
    except Exception as error:  # what a file may not hold can show in any way
        raise ValueError(
            f"{name} holds what load_model would refuse: {str(error).rstrip('.')}. Nothing was "
            "written; joblib.dump takes anything."
        ) from error
    write_whole(os.fsdecode(path), content)


def _model_in_place_of(estimator, name, path):
    """Return what is saved instead of the path of a model in a parameter: the model, frozen."""
    fitted = vars(estimator).get(f"{name}_")
    if fitted is not None:
        return FrozenEstimator(fitted)
    try:
        return FrozenEstimator(load_model(path))
    except (OSError, ValueError) as error:
        # Predictions of a fitted estimator do not need it.
        if not hasattr(estimator, "network_"):
            warnings.warn(
                f"{name}={path!r} of {type(estimator).__name__} is saved as None: {error}",
                stacklevel=2,
            )
        return None


def _written_once(content):
    """Return an archive in which each object is written once, and with a note of this release."""
    file = io.BytesIO()
    with (
        zipfile.ZipFile(io.BytesIO(content)) as old,
        zipfile.ZipFile(file, "w", zipfile.ZIP_DEFLATED) as new,
    ):
        schema = _refer_to_known(json.loads(old.read("schema.json")), set())
        for name in sorted(_members(schema), key=old.namelist().index):
            new.writestr(name, old.read(name))
        new.writestr("schema.json", json.dumps(schema, separators=(",", ":")))
        new.writestr(_NOTE, json.dumps({"skdaf": __version__, "format": _FORMAT}))
    return file.getvalue()


def _refer_to_known(schema, known):
    """Leave of every object but its first occurrence only the number that it is known by."""
    if isinstance(schema, list):
        return [_refer_to_known(part, known) for part in schema]
    if not isinstance(schema, dict):
        return schema
    if schema.get("__loader__") == "ObjectNode":
        if schema["__id__"] in known:
            return {key: schema[key] for key in ("__class__", "__module__", "__loader__", "__id__")}
        known.add(schema["__id__"])
    return {key: _refer_to_known(part, known) for key, part in schema.items()}


def _members(schema):
    """Return the names of the members that a schema refers to."""
    if isinstance(schema, list):
        return set().union(*map(_members, schema))
    if not isinstance(schema, dict):
        return set()
    own = {schema["file"]} if isinstance(schema.get("file"), str) else set()
    return own.union(*map(_members, schema.values()))


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
    path = os.fsdecode(path)
    if not os.path.isfile(path):
        is_folder = ": it is a folder" if os.path.isdir(path) else ""
        raise FileNotFoundError(f"There is no model file {path!r}{is_folder}.")
    try:
        with Archive(path, repr(path)) as archive:
            if _NOTE not in archive.sizes and "schema.json" in archive.sizes:
                return {"skdaf": "unknown", "format": _FORMAT}  # of skops.io.dump
            if archive.sizes[_NOTE] > _LONGEST_NOTE:
                raise ValueError("its note is too long")
            note = json.loads(archive.read(_NOTE))
        release = str(note["skdaf"])[:100]
        shown = release if release.isprintable() else ascii(release)
        return {"skdaf": shown, "format": int(note["format"])}
    except TooLargeError:
        raise
    except Exception as error:  # a damaged archive can come to any kind of error
        raise ValueError(
            f"{path!r} was not written by save_model, or is damaged. Pickles (joblib.dump) can run "
            "code when they are loaded: use joblib.load for those that you trust."
        ) from error


@public
def load_model(path):
    """Read an estimator written by `save_model`.

    Files from strangers are safe to load: nothing that they name is called or imported, beyond a
    short list of types of this package, scikit-learn, NumPy and SciPy. All names are checked before
    anything is built, and memory and time stay in proportion to the size of the file. No file is
    touched, then or later: whatever belongs to a run (`cache`, `checkpoint`, `device`, `memory`,
    `n_jobs`, `n_threads`, `pre_dispatch`, `verbose`) has the default of its constructor, at any
    depth, and so have parameters that hold the path of another model. The security page of the
    documentation says what exactly is checked.

    Parameters
    ----------
    path : str, bytes or os.PathLike
        The file.

    Returns
    -------
    estimator : estimator
        As it was saved, but for what belongs to a run.

    Raises
    ------
    FileNotFoundError
        If there is no such file.
    ValueError
        If the file is of another kind (a pickle, for example), damaged, written by a later release
        in a format of its own, asks for a type that is not trusted (it names the type), holds a
        value that such an estimator cannot have, or would become more than 128 MiB and a hundred
        times its size.

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
    path = os.fsdecode(path)
    if note["format"] > _FORMAT:
        raise ValueError(
            f"{path!r} was written by skdaf {note['skdaf']}, in a format that this release "
            f"({__version__}) does not know yet: update skdaf."
        )
    try:
        return _read(path, repr(path))
    except UntrustedError as error:
        raise ValueError(
            f"{path!r} asks for types that are not trusted: {error}. Nothing was loaded."
        ) from None
    except TooLargeError:
        raise
    except Exception as error:  # parts that do not fit together can come to any kind of error
        kind = "" if type(error) is ValueError else f"{type(error).__name__}: "
        raise ValueError(f"{path!r} is damaged: {kind}{error}") from error


def _read(file, name):
    with Archive(file, name) as archive:
        model = build(read_schema(archive), archive)
    if not isinstance(model, BaseEstimator):
        raise ValueError(f"it holds a {type(model).__name__}, not an estimator")
    return model

"""The note in a model file: the release and the format that `save_model` wrote it in."""

import json
import os

from skdaf._core.archives import Archive, TooLargeError
from skdaf._estimators.persistence.other_files import likely_content, looks_like_pickle

# The member of the archive with the release and the format of the file. The format changes when
# older releases can no longer read new files. Files of all older formats can be read.
NOTE, FORMAT = "skdaf.json", 1
_MAX_NOTE_SIZE = 10_000

# No system accepts longer paths.
_MAX_PATH_BYTES = 32_767


def read_note(path):
    """Return the release and the format that `save_model` noted in a file.

    A file written by skops itself has no note, and is treated like a file of this release.

    Raises
    ------
    FileNotFoundError
        If there is no such file.
    ValueError
        If it was not written by `save_model`.
    """
    _check_not_content(path)
    path = str(os.fsdecode(path))
    if not os.path.isfile(path):
        hint = ": it is a folder" if os.path.isdir(path) else ""
        hint = ". Python does not expand ~: use os.path.expanduser" if path[:1] == "~" else hint
        raise FileNotFoundError(f"There is no model file {path!r}{hint}.")
    try:
        with Archive(path, repr(path)) as archive:
            if NOTE not in archive.sizes and "schema.json" in archive.sizes:
                return {"skdaf": "unknown", "format": FORMAT}  # from skops.io.dump
            if archive.sizes[NOTE] > _MAX_NOTE_SIZE:
                raise ValueError("its note is too long")
            note = json.loads(archive.read(NOTE))
        release = str(note["skdaf"])[:100]
        shown = release if release.isprintable() else ascii(release)
        return {"skdaf": shown, "format": int(note["format"])}
    except TooLargeError:
        raise
    except Exception as error:  # damaged archives raise all kinds of errors
        raise ValueError(
            f"{path!r} was not written by save_model, or is damaged{_hint(path)}"
        ) from error


def _check_not_content(path):
    """Raise an error for a model, or for the content of a file, in place of a path."""
    if hasattr(path, "get_params"):
        raise TypeError(
            f"load_model expects the path of a file, got a {type(path).__name__}, which is a model "
            "already. To write it to a file, call save_model(model, path)."
        )
    if isinstance(path, bytes) and (len(path) > _MAX_PATH_BYTES or b"\0" in path):
        raise ValueError(
            f"path is the content of a file ({len(path)} bytes), it seems: write it to a file, and "
            "pass the path of this file."
        )


def _hint(path):
    """Return the end of the message about a file that is not a model."""
    content = likely_content(path)
    if content is not None:
        return f": the file {content}."
    if looks_like_pickle(path):
        return (
            ". If it is a pickle (joblib.dump), use joblib.load, but only if you trust it: pickles "
            "can run code."
        )
    return "."

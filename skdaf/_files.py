"""Writing files whole: what is there stays until the new one is complete."""

import os
import uuid
from contextlib import contextmanager
from pathlib import Path


@contextmanager
def replacing(path):
    """Give a temporary path; what is written there takes the place of `path` at the end.

    The temporary name is hidden and nobody else's, so that neither readers nor other writers meet
    half a file; it lies beside the real one, so that replacing is atomic. After an error nothing
    of it is left. What is no file (a pipe, /dev/null) is written to directly, and a link goes on
    pointing to its file.
    """
    if is_special(path):
        yield Path(path)
        return
    path = Path(os.path.realpath(path))
    part = path.with_name(f".{path.stem}.{uuid.uuid4().hex}.part{path.suffix}")
    try:
        yield part
        os.replace(part, path)
    finally:
        part.unlink(missing_ok=True)


def is_special(path):
    """Tell whether a path is that of a pipe or a device."""
    path = Path(path)
    return path.exists() and not (path.is_file() or path.is_dir())


def write_whole(path, content):
    """Write bytes to a file, whole or not at all; an OSError names that file."""
    try:
        with replacing(path) as part:
            part.write_bytes(content)
    except OSError as error:
        name = str(os.fspath(path))
        raise type(error)(f"{name!r} could not be written: {error.strerror}") from error

"""Writing files whole: what is there stays until the new one is complete."""

import glob
import os
import stat
import uuid
from contextlib import contextmanager, suppress
from hashlib import blake2b
from pathlib import Path

# The longest name, in bytes, that every common file system takes.
_LONGEST_NAME = 255

_PERMISSIONS = 0o777


@contextmanager
def replacing(path):
    """Give a temporary path; what is written there takes the place of `path` at the end.

    The temporary name is hidden and unique, so that neither readers nor other writers meet half a
    file; it lies beside the real one, so that replacing is atomic. After an error nothing of it is
    left. A file that is replaced keeps its permissions; a new one gets those that the umask leaves.
    What is no file (a pipe, /dev/null) is written to directly, and a link goes on pointing to its
    file.
    """
    if is_special(path):
        yield Path(path)
        return
    path = Path(os.path.realpath(path))
    part = path.with_name(_temporary_name(path, uuid.uuid4().hex))
    permissions = _permissions(path)
    try:
        if permissions is not None:
            # From the start: nobody may read the new content who could not read the old one.
            part.touch()
            _allow(part, permissions | stat.S_IWUSR)
        yield part
        if permissions is not None:
            _allow(part, permissions)
        os.replace(part, path)
    finally:
        part.unlink(missing_ok=True)


def leftovers(path):
    """Yield the temporary files of writers of `path`, which killed processes leave behind."""
    path = Path(path)
    unique = uuid.UUID(int=0).hex
    start, _, end = _temporary_name(path, unique).rpartition(unique)
    yield from path.parent.glob(f"{glob.escape(start)}*{glob.escape(end)}")


def name_with(path, ending):
    """Return a file's name with something added to it, as long as names may be."""
    return _shortened(Path(path).name, ending)


def _temporary_name(path, unique):
    suffix = path.suffix if len(os.fsencode(path.suffix)) < _LONGEST_NAME // 2 else ""
    return "." + _shortened(path.stem, f".{unique}.part{suffix}", _LONGEST_NAME - 1)


def _shortened(name, ending, longest=_LONGEST_NAME):
    """Join two parts of a name; cut the first if need be, and keep it distinct by a checksum."""
    if len(os.fsencode(name + ending)) <= longest:
        return name + ending
    checksum = blake2b(os.fsencode(name), digest_size=8).hexdigest()
    # Cut between characters: on some systems names are text.
    while len(os.fsencode(name + checksum + ending)) > longest:
        name = name[:-1]
    return name + checksum + ending


def _permissions(path):
    """Return who may read, write and run a file; None if there is no file."""
    try:
        return os.stat(path).st_mode & _PERMISSIONS
    except FileNotFoundError:
        return None


def _allow(path, permissions):
    # Some file systems have no permissions, and refuse to set any.
    with suppress(PermissionError):
        os.chmod(path, permissions)


def is_special(path):
    """Return whether a path is that of a pipe or a device."""
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

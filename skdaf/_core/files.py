"""Write files atomically: a file keeps its old content until the new content is complete."""

import difflib
import glob
import os
import stat
import uuid
from contextlib import contextmanager, suppress
from hashlib import blake2b
from pathlib import Path

# The maximum length of a file name, in bytes, that all common file systems accept.
_MAX_NAME_BYTES = 255

_PERMISSIONS = 0o777


@contextmanager
def replacing(path):
    """Yield a temporary path; the file written there replaces `path` when the block ends.

    The temporary name is hidden and unique, so neither readers nor other writers see an incomplete
    file. It is in the same folder, so that replacing is atomic. After an error, it is removed. A
    replaced file keeps its permissions; a new file gets those that the umask allows. Pipes and
    devices such as /dev/null are written to directly, and links still point to the same file.
    """
    if is_special(path):
        yield Path(path)
        return
    path = Path(os.path.realpath(path))
    part = path.with_name(_temporary_name(path, uuid.uuid4().hex))
    permissions = _permissions(path)
    try:
        if permissions is not None:
            # Set them before anything is written: users who could not read the old content must
            # not be able to read the new content.
            part.touch()
            _set_permissions(part, permissions | stat.S_IWUSR)
        yield part
        if permissions is not None:
            _set_permissions(part, permissions)
        os.replace(part, path)
    finally:
        part.unlink(missing_ok=True)


def leftovers(path):
    """Yield temporary files for `path` that killed processes have left behind."""
    path = Path(path)
    unique = uuid.UUID(int=0).hex
    start, _, end = _temporary_name(path, unique).rpartition(unique)
    yield from path.parent.glob(f"{glob.escape(start)}*{glob.escape(end)}")


def name_with(path, ending):
    """Return the name of a file with an ending added, shortened if it would be too long."""
    return _shortened(Path(path).name, ending)


def _temporary_name(path, unique):
    suffix = path.suffix if len(os.fsencode(path.suffix)) < _MAX_NAME_BYTES // 2 else ""
    return "." + _shortened(path.stem, f".{unique}.part{suffix}", _MAX_NAME_BYTES - 1)


def _shortened(name, ending, longest=_MAX_NAME_BYTES):
    """Join two parts of a name; if it is too long, cut the first part and add its checksum."""
    if len(os.fsencode(name + ending)) <= longest:
        return name + ending
    checksum = blake2b(os.fsencode(name), digest_size=8).hexdigest()
    # Remove whole characters, because some systems only allow valid Unicode.
    while len(os.fsencode(name + checksum + ending)) > longest:
        name = name[:-1]
    return name + checksum + ending


def _permissions(path):
    """Return the permission bits of a file; None if it does not exist."""
    try:
        return os.stat(path).st_mode & _PERMISSIONS
    except FileNotFoundError:
        return None


def _set_permissions(path, permissions):
    # File systems without permissions raise an error.
    with suppress(PermissionError):
        os.chmod(path, permissions)


def is_special(path):
    """Return whether a path is a pipe or a device."""
    path = Path(path)
    return path.exists() and not (path.is_file() or path.is_dir())


def write_whole(path, content):
    """Write bytes to a file atomically; an OSError names the file."""
    try:
        with replacing(path) as part:
            part.write_bytes(content)
    except OSError as error:
        name, reason = str(os.fspath(path)), error.strerror
        folder = os.path.dirname(name)
        if isinstance(error, FileNotFoundError) and folder and not os.path.isdir(folder):
            reason = f"there is no folder {folder!r}"
            reason += ". Python does not expand ~: use os.path.expanduser" if name[0] == "~" else ""
        raise type(error)(f"{name!r} could not be written: {reason}") from error


def not_found(path, name):
    """Return the message for a file that does not exist, with similar names in its folder."""
    folder = os.path.dirname(os.path.abspath(path))
    if not os.path.isdir(folder):
        return f"{name}: no such file; there is no folder {folder!r}."
    close = difflib.get_close_matches(os.path.basename(path), sorted(os.listdir(folder)), n=3)
    question = f" Did you mean {' or '.join(map(repr, close))}?" if close else ""
    return f"{name}: no such file in the folder {folder!r}.{question}"

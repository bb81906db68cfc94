"""A folder that keeps results on disk, for many processes at once.

An LMDB file: a hit costs a few microseconds, readers never wait, writers take turns, and a writer
that dies leaves the file as it was before its transaction.
"""

import hashlib
import os
import threading
import warnings
import zlib

import lmdb

# Addresses set aside for the file, not bytes on disk: it grows only with what is written.
_LARGEST_FILE = 2**38

_CHECKSUM_BYTES = 4

# LMDB allows one handle for a file in a process: {folder: (handle, identity of its file)}.
_handles = {}
_handles_lock = threading.Lock()


def _forget_handles():
    """In a forked child: it must open its own, and could not beside inherited ones.

    They are dropped, not closed: closing would wait for writers that only the parent has.
    """
    global _handles_lock
    _handles_lock = threading.Lock()
    _handles.clear()


if hasattr(os, "register_at_fork"):
    os.register_at_fork(after_in_child=_forget_handles)


def make_key(*parts):
    """Return a short name for anything whose `repr` says all that matters."""
    return hashlib.blake2b(repr(parts).encode("utf-8", "surrogatepass"), digest_size=16).digest()


class Cache:
    """Bytes under short names, in a folder.

    Parameters
    ----------
    folder : str or os.PathLike
        Made when it is missing.
    """

    def __init__(self, folder):
        self._folder = os.path.realpath(folder)
        _open(self._folder)

    def get_many(self, keys):
        """Return the bytes under each key; None where there are none, or damaged ones."""
        with _open(self._folder).begin(buffers=True) as transaction:
            return [_unseal(transaction.get(key)) for key in keys]

    def put_many(self, entries):
        """Keep a dict of bytes. A full disk costs the entries, not the work."""
        if not entries:
            return
        try:
            with _open(self._folder).begin(write=True) as transaction:
                for key, value in entries.items():
                    transaction.put(key, _seal(value))
        except lmdb.Error as error:
            warnings.warn(
                f"The cache in {self._folder!r} could not be written ({error}); "
                "going on without it.",
                stacklevel=2,
            )


def _seal(value):
    return zlib.crc32(value).to_bytes(_CHECKSUM_BYTES, "little") + value


def _unseal(stored):
    if stored is None or len(stored) < _CHECKSUM_BYTES:
        return None
    value = bytes(stored[_CHECKSUM_BYTES:])
    is_whole = zlib.crc32(value) == int.from_bytes(stored[:_CHECKSUM_BYTES], "little")
    return value if is_whole else None


def _open(folder):
    """Return the handle of a folder, a new one when its user has deleted the old file."""
    with _handles_lock:
        handle, identity = _handles.pop(folder, (None, None))
        if handle is None or identity != _identity(folder):
            # Some versions of the binding refuse a path whose old handle is still there.
            handle = None
            try:
                os.makedirs(folder, exist_ok=True)
                # Without metasync a power cut may lose the last entries, never the file.
                handle = lmdb.open(folder, map_size=_LARGEST_FILE, metasync=False, max_readers=1024)
            except (OSError, lmdb.Error) as error:
                raise ValueError(f"cache={folder!r} cannot be used as a cache: {error}") from error
            identity = _identity(folder)
        _handles[folder] = handle, identity
        return handle


def _identity(folder):
    try:
        status = os.stat(os.path.join(folder, "data.mdb"))
    except OSError:
        return None
    return status.st_dev, status.st_ino

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

# LMDB allows one handle for a file in a process; a forked child needs its own.
_handles = {}
_handles_lock = threading.Lock()


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
        self._file = _open(os.path.realpath(folder))

    def get_many(self, keys):
        """Return the bytes under each key; None where there are none, or damaged ones."""
        with self._file.begin(buffers=True) as transaction:
            return [_unseal(transaction.get(key)) for key in keys]

    def put_many(self, entries):
        """Keep a dict of bytes. A full disk costs the entries, not the work."""
        if not entries:
            return
        try:
            with self._file.begin(write=True) as transaction:
                for key, value in entries.items():
                    transaction.put(key, _seal(value))
        except lmdb.Error as error:
            warnings.warn(
                f"The cache in {self._file.path()!r} could not be written ({error}); "
                "going on without it.",
                stacklevel=2,
            )


def _seal(value):
    return zlib.crc32(value).to_bytes(_CHECKSUM_BYTES, "little") + value


def _unseal(stored):
    if stored is None or len(stored) < _CHECKSUM_BYTES:
        return None
    value = bytes(stored[_CHECKSUM_BYTES:])
    is_whole = zlib.crc32(value).to_bytes(_CHECKSUM_BYTES, "little") == stored[:_CHECKSUM_BYTES]
    return value if is_whole else None


def _open(folder):
    with _handles_lock:
        name = (os.getpid(), folder)
        if name not in _handles:
            try:
                os.makedirs(folder, exist_ok=True)
                # Without metasync a power cut may lose the last entries, never the file.
                _handles[name] = lmdb.open(
                    folder, map_size=_LARGEST_FILE, metasync=False, max_readers=1024
                )
            except (OSError, lmdb.Error) as error:
                raise ValueError(f"cache={folder!r} cannot be used as a cache: {error}") from error
        return _handles[name]

"""A folder that keeps results on disk, for many processes and machines at once.

Each process appends to a file of its own and reads those of all. So nobody waits for a lock, and a
file system shared by several machines will do. Files are read, not mapped into memory, and every
part has a checksum: what is damaged, cut off or half-written counts as missing.

A file is a sequence of blocks, one for each `put_many`: a header, an entry of the index for each
value, the values. A writer that dies leaves a block that is not whole, at the end of a file to
which nothing will be added.
"""

import hashlib
import os
import secrets
import struct
import threading
import time
import warnings
import zlib

_SUFFIX = ".cache"

# What a block begins with: these bytes, the number of entries, and the checksum of the index.
_MAGIC = b"skdaf-1\n"
_HEADER = struct.Struct("<8sII")

# An entry of the index: key, number of bytes, checksum.
_ENTRY = struct.Struct("<16sQI")

# What is kept in memory of an entry: number of its file, offset, number of bytes, checksum.
_PLACE = struct.Struct("<IQQI")

# {folder: what this process knows of it}.
_folders: dict = {}
_folders_lock = threading.Lock()


def _forget_folders():
    """In a forked child: it must have a file of its own, and locks that nobody holds."""
    global _folders_lock
    _folders_lock = threading.Lock()
    _folders.clear()


if hasattr(os, "register_at_fork"):
    os.register_at_fork(after_in_child=_forget_folders)


def make_key(*parts):
    """Return a short name for anything whose `repr` says all that matters."""
    return hashlib.blake2b(repr(parts).encode("utf-8", "surrogatepass"), digest_size=16).digest()


class Cache:
    """Bytes under the names that `make_key` gives, in a folder.

    Parameters
    ----------
    folder : str or os.PathLike
        Made when it is missing.
    """

    def __init__(self, folder):
        self._path = os.path.realpath(folder)
        try:
            os.makedirs(self._path, exist_ok=True)
            os.scandir(self._path).close()
        except OSError as error:
            reason = "it is a file, not a folder" if os.path.isfile(self._path) else error
            raise ValueError(
                f"cache={self._path!r} cannot be used as a cache: {reason}."
            ) from error

    def get_many(self, keys):
        """Return the bytes under each key; None where there are none, or damaged ones."""
        keys = list(keys)
        folder = self._folder()
        with folder.lock:
            if any(key not in folder.places for key in keys):
                folder.look()
            return folder.read(keys)

    def put_many(self, entries):
        """Keep a dict of bytes. A full disk costs the entries, not the work."""
        if not entries:
            return
        folder = self._folder()
        try:
            with folder.lock:
                folder.append(entries)
        except OSError as error:
            warnings.warn(
                f"The cache in {self._path!r} could not be written ({error}); going on without it.",
                stacklevel=2,
            )

    def _folder(self):
        with _folders_lock:
            return _folders.setdefault(self._path, _Folder(self._path))


class _Folder:
    """Where the entries of a folder lie, as far as this process has looked."""

    def __init__(self, path):
        self.path = path
        self.lock = threading.Lock()
        self.places = {}
        self._names = []  # of files, by number
        self._ends = {}  # {number of a file: up to where it has been read}
        self._own = None  # number of the file that this process appends to

    def look(self):
        """Learn what has been added to the folder since the last look."""
        try:
            with os.scandir(self.path) as found:
                files = [f for f in found if f.name.endswith(_SUFFIX) and f.is_file()]
                sizes = {file.name: file.stat().st_size for file in files}
        except OSError:
            return
        self._names += sorted(sizes.keys() - set(self._names))
        for number, name in enumerate(self._names):
            if sizes.get(name, 0) > self._ends.get(number, 0):
                self._look_into(number)

    def _look_into(self, number):
        try:
            with open(self._path_of(number), "rb") as file:
                for block, end in _whole_blocks(file, self._ends.get(number, 0)):
                    for key, *place in block:
                        self.places[key] = _PLACE.pack(number, *place)
                    self._ends[number] = end
        except OSError:
            return  # gone, or not ours to read

    def read(self, keys):
        """Return the value of each key, in a row, or None."""
        values = dict.fromkeys(keys)
        wanted = {}
        for key in values:
            if key in self.places:
                number, *place = _PLACE.unpack(self.places[key])
                wanted.setdefault(number, []).append((key, *place))
        for number, entries in wanted.items():
            try:
                with open(self._path_of(number), "rb", buffering=0) as file:
                    for key, offset, n_bytes, checksum in entries:
                        file.seek(offset)
                        value = file.read(n_bytes)
                        if _checksum(key, value) == checksum:
                            values[key] = value
            except OSError:
                continue
        return [values[key] for key in keys]

    def append(self, entries):
        """Write a block to the end of this process's own file, all of it or nothing."""
        block = _block(entries)
        number, self._own = self._own, None
        if number is None or self._size(number) != self._ends.get(number, 0):
            # The first time, or somebody has deleted or cut the file.
            os.makedirs(self.path, exist_ok=True)
            # In order of age, so that of two entries the later one counts.
            self._names.append(f"{time.time_ns():020d}-{secrets.token_hex(8)}{_SUFFIX}")
            number = len(self._names) - 1
        with open(self._path_of(number), "ab", buffering=0) as file:
            start = file.seek(0, os.SEEK_END)
            try:
                _write(file, block)
            except BaseException:
                file.truncate(start)
                self._own = number
                raise
        self._own = number
        self._look_into(number)

    def _size(self, number):
        try:
            return os.stat(self._path_of(number)).st_size
        except OSError:
            return None

    def _path_of(self, number):
        return os.path.join(self.path, self._names[number])


def _block(entries):
    index = b"".join(
        _ENTRY.pack(key, len(value), _checksum(key, value)) for key, value in entries.items()
    )
    header = _HEADER.pack(_MAGIC, len(entries), zlib.crc32(index))
    return b"".join([header, index, *entries.values()])


def _checksum(key, value):
    # With the key, so that no entry passes for another.
    return zlib.crc32(value, zlib.crc32(key))


def _whole_blocks(file, start):
    """Yield the (key, offset, number of bytes, checksum) of each block's entries, and its end."""
    size = os.fstat(file.fileno()).st_size
    while start + _HEADER.size <= size:
        file.seek(start)
        magic, n_entries, checksum = _HEADER.unpack(file.read(_HEADER.size))
        end = start + _HEADER.size + n_entries * _ENTRY.size
        if magic != _MAGIC or end > size:
            return
        index = file.read(n_entries * _ENTRY.size)
        if zlib.crc32(index) != checksum:
            return
        entries = []
        for key, n_bytes, entry_checksum in _ENTRY.iter_unpack(index):
            entries.append((key, end, n_bytes, entry_checksum))
            end += n_bytes
        if end > size:
            return
        yield entries, end
        start = end


def _write(file, block):
    rest = memoryview(block)
    while rest:
        rest = rest[file.write(rest) :]

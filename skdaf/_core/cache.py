"""A cache of results in a folder that several processes and machines can use at the same time.

Each process appends to its own file and reads the files of all processes. No locks between
processes are needed, so the folder can be on a network file system. Files are read, not
memory-mapped, and all parts have checksums: damaged, truncated or incomplete entries are treated
as missing.

A file is a sequence of blocks, one for each call of `put_many`. A block consists of a header, an
index with one entry per value, and the values. If a process is killed while it writes, the last
block of its file is incomplete, and nothing is appended to that file later.
"""

import hashlib
import math
import os
import secrets
import struct
import threading
import time
import zlib
from contextlib import suppress

from skdaf._core.user_warnings import warn_user

_SUFFIX = ".cache"

# The header of a block: magic bytes, number of entries, checksum of the index.
_MAGIC = b"skdaf-1\n"
_HEADER = struct.Struct("<8sII")

# An entry of the index: key, number of bytes, checksum of the value.
_ENTRY = struct.Struct("<16sQI")

# The location of an entry, packed to save memory: number of its file, offset, number of bytes,
# checksum.
_LOCATION = struct.Struct("<IQQI")

# Values in a file that are at most this many bytes apart are read together: skipping a value takes
# as long as reading one of this size. Such a read ends when it has this many bytes.
_MAX_GAP, _MAX_READ = 2**13, 2**20

# After a failed write, a process adds nothing to the folder for this time, in seconds: each attempt
# on a full disk costs time, and a warning per chunk would hide other messages.
_PAUSE = 600.0

# {folder: its index in this process}.
_folders: dict = {}
_folders_lock = threading.Lock()


def reset_index():
    """Forget what this process knows about all folders, as if it were a new process.

    A forked child needs this: it must write to its own file, and the locks that it inherits may be
    held by threads that do not exist in the child.
    """
    global _folders_lock
    _folders_lock = threading.Lock()
    _folders.clear()


if hasattr(os, "register_at_fork"):
    os.register_at_fork(after_in_child=reset_index)


def make_key(*parts):
    """Return a key of 16 bytes that depends on the `repr` of the parts."""
    return hashlib.blake2b(repr(parts).encode("utf-8", "surrogatepass"), digest_size=16).digest()


class Cache:
    """A persistent mapping from keys, which `make_key` returns, to bytes.

    Parameters
    ----------
    folder : str or os.PathLike
        The folder; it is created if necessary.
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
        """Return the bytes of each key; None for keys that are missing or damaged."""
        keys = list(keys)
        folder = self._folder()
        with folder.lock:
            if any(key not in folder.locations for key in keys):
                folder.refresh()
            return folder.read(keys)

    def put_many(self, entries):
        """Store a dict of bytes; warn, instead of raising an error, if they cannot be written.

        After a failure, nothing is stored for some minutes, and there are no further warnings.
        """
        if not entries:
            return
        folder = self._folder()
        try:
            with folder.lock:
                folder.append_unless_paused(entries)
        except OSError as error:
            # Without the name of the file, which is random: Python shows equal warnings once.
            warn_user(
                f"The cache in {self._path!r} could not be written ({error.strerror or error}); "
                f"nothing is added to it for the next {_PAUSE / 60:.0f} minutes."
            )

    def _folder(self):
        with _folders_lock:
            return _folders.setdefault(self._path, _Folder(self._path))


class _Folder:
    """The index of a folder: the locations of all entries that this process knows about."""

    def __init__(self, path):
        self.path = path
        self.lock = threading.Lock()
        self.locations = {}  # {key: packed location}
        self._names = []  # names of the files; their positions are the numbers of the files
        self._indexed = {}  # {number of a file: number of bytes that are indexed}
        self._own = None  # number of the file that this process appends to
        self._paused_until = -math.inf

    def refresh(self):
        """Index what has been added to the folder since the last call."""
        try:
            with os.scandir(self.path) as found:
                files = [f for f in found if f.name.endswith(_SUFFIX) and f.is_file()]
                sizes = {file.name: file.stat().st_size for file in files}
        except OSError:
            return
        self._names += sorted(sizes.keys() - set(self._names))
        for number, name in enumerate(self._names):
            if sizes.get(name, 0) > self._indexed.get(number, 0):
                self._index_file(number)

    def _index_file(self, number):
        try:
            with open(self._path_of(number), "rb") as file:
                for entries, end in _complete_blocks(file, self._indexed.get(number, 0)):
                    for key, *location in entries:
                        self.locations[key] = _LOCATION.pack(number, *location)
                    self._indexed[number] = end
        except OSError:
            return  # the file was deleted, or is not readable

    def read(self, keys):
        """Return a list with the value of each key, or None."""
        values = dict.fromkeys(keys)
        wanted = {}
        for key in values:
            if key in self.locations:
                number, offset, n_bytes, checksum = _LOCATION.unpack(self.locations[key])
                wanted.setdefault(number, []).append((offset, n_bytes, checksum, key))
        for number, entries in wanted.items():
            with suppress(OSError), open(self._path_of(number), "rb", buffering=0) as file:
                for neighbors in _neighbors(entries):
                    values.update(_read_valid(file, neighbors))
        return [values[key] for key in keys]

    def append_unless_paused(self, entries):
        """Append a block, unless an attempt failed a short time ago."""
        if time.monotonic() < self._paused_until:
            return
        try:
            self.append(entries)
        except OSError:
            self._paused_until = time.monotonic() + _PAUSE
            raise

    def append(self, entries):
        """Append a block to the file of this process, completely or not at all."""
        block = _block(entries)
        number, self._own = self._own, None
        if number is None or self._size(number) != self._indexed.get(number, 0):
            # This is the first block, or the file was deleted or truncated: start a new file.
            os.makedirs(self.path, exist_ok=True)
            # Files are indexed in order of their names, so the latest entry for a key is used.
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
        self._index_file(number)

    def _size(self, number):
        try:
            return os.stat(self._path_of(number)).st_size
        except OSError:
            return None

    def _path_of(self, number):
        return os.path.join(self.path, self._names[number])


def _neighbors(entries):
    """Yield lists of entries (offset, bytes, checksum, key) that are close to each other."""
    entries.sort()
    neighbors, start, end = [], 0, 0
    for entry in entries:
        if neighbors and (entry[0] > end + _MAX_GAP or end > start + _MAX_READ):
            yield neighbors
            neighbors = []
        neighbors.append(entry)
        start, end = neighbors[0][0], entry[0] + entry[1]
    yield neighbors


def _read_valid(file, entries):
    """Read neighboring entries at once; yield the keys and values of those with no damage."""
    start, end = entries[0][0], entries[-1][0] + entries[-1][1]
    file.seek(start)
    content = file.read(end - start)
    for offset, n_bytes, checksum, key in entries:
        value = content[offset - start : offset - start + n_bytes]
        if _checksum(key, value) == checksum:
            yield key, value


def _block(entries):
    index = b"".join(
        _ENTRY.pack(key, len(value), _checksum(key, value)) for key, value in entries.items()
    )
    header = _HEADER.pack(_MAGIC, len(entries), zlib.crc32(index))
    return b"".join([header, index, *entries.values()])


def _checksum(key, value):
    # The key is included, so that a damaged index cannot assign a value to another key.
    return zlib.crc32(value, zlib.crc32(key))


def _complete_blocks(file, start):
    """Yield, for each complete block, its end and its entries (key, offset, bytes, checksum)."""
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

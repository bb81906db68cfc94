"""Checkpoints: the state of a training run after each epoch, in a file.

A file is replaced only when the new one is complete. It contains arrays and JSON, so reading it
runs no code, a fingerprint that identifies the training run, and a checksum.
"""

import contextlib
import io
import json
import math
import os
import tempfile
from collections.abc import Mapping
from hashlib import blake2b
from pathlib import Path
from typing import Any

import numpy as np

from skdaf._core.archives import read_array, read_header
from skdaf._core.files import leftovers, name_with, replacing
from skdaf._core.user_warnings import warn_user
from skdaf._training.fingerprint import digest_of

# A checkpoint path with this suffix is a file; any other is a folder of such files.
SUFFIX = ".checkpoint"

# Increase the number with every change to the content of files, or to how training continues.
_MAGIC = b"skdaf checkpoint 1\n"
_DIGEST_BYTES = 16

# In the JSON, which contains everything else, a dict with this key refers to an array. No weight
# has this name.
_ARRAY = ".array"

# How much of the content of a file an error message shows.
_MAX_CHARACTERS, _MAX_NAMES = 500, 20

# The types of values in a fingerprint.
_PLAIN = (bool, float, int, str, type(None))

PathLike = str | os.PathLike[str]


def check_location(location: PathLike) -> None:
    """Create the folder for checkpoints, and check that it is writable before training starts.

    Raises
    ------
    ValueError
        If it cannot be used.
    """
    try:
        folder = _folder(location)
        folder.mkdir(parents=True, exist_ok=True)
        if _is_file(location) and Path(location).exists() and not Path(location).is_file():
            raise OSError(f"a path that ends in {SUFFIX!r} must be a file")
        with tempfile.TemporaryFile(dir=folder):
            pass
    except OSError as error:
        raise _unusable(location, error) from error


class _ForeignError(ValueError):
    """The checksum is valid, but this release does not write such content."""


class Checkpoint:
    """The checkpoint file of one training run.

    Parameters
    ----------
    location : str or os.PathLike
        A file, or a folder. In a folder, the name of the file depends on the fingerprint.
    fingerprint : dict of str
        Everything that affects the result of the training run.
    made_with : dict of str
        Versions of libraries, which may change the result slightly. They are stored; if they
        differ, the training run continues with a warning.

    Attributes
    ----------
    state : dict or None
        The last state that was written, or None if there is nothing to continue from.
    seed : int or None
        The seed that was drawn if the user did not set one.

    Raises
    ------
    ValueError
        If the file belongs to another training run, is not a checkpoint, or cannot be read.

    Warns
    -----
    UserWarning
        If the file is damaged, or was written with other versions.
    """

    def __init__(
        self, location: PathLike, fingerprint: Mapping[str, Any], made_with: Mapping[str, str]
    ):
        self._location = location
        self._fingerprint, self._made_with = dict(fingerprint), dict(made_with)
        # Resolve links, so that writing replaces the file that a link points to and not the link.
        self.path = Path(os.path.realpath(location))
        if not _is_file(location):
            key = digest_of(repr(sorted(fingerprint.items())), _DIGEST_BYTES)
            self.path /= f"{fingerprint['estimator']}-{key}{SUFFIX}"
        self._previous = self.path.with_name(name_with(self.path, ".previous"))
        self._has_warned = False
        stored = self._read()
        self.state = None if stored is None else stored["state"]
        self.seed = None if stored is None else stored["seed"]
        if stored is not None:
            self._check_previous_writer(stored)

    def write(self, progress: Mapping[str, Any], loop: Mapping[str, Any] | None) -> None:
        """Write dicts of lists, numbers, strings and arrays; `loop` is None at the end.

        If writing fails, for example because the disk is full, warn and do not raise an error.
        """
        content = pack(
            {
                "fingerprint": self._fingerprint,
                "made_with": self._made_with,
                "seed": self.seed,
                "state": {"progress": progress, "loop": loop},
            }
        )
        try:
            self._replace(content)
            if loop is None:
                self._remove_leftovers()
        except OSError as error:
            # Another process may have finished the same training run and removed the file.
            is_done = isinstance(error, FileNotFoundError) and self.path.parent.is_dir()
            if not (is_done or self._has_warned):
                self._has_warned = True
                self._warn(f"could not be written ({error}); training continues without it.")

    def _read(self):
        """Return the newest content that is undamaged, or None."""
        is_damaged = False
        for path in (self.path, self._previous):
            try:
                content = path.read_bytes()
            except FileNotFoundError:
                continue
            except OSError as error:
                raise _unusable(self._location, error) from error
            stored = self._unpack(content, path)
            if stored is None:
                is_damaged = True
                continue
            self._check_fingerprint(stored["fingerprint"], path)
            if is_damaged:
                self._warn("is damaged: training continues from the previous epoch.")
            return stored
        if is_damaged:
            self._warn(
                "is damaged or was written by another release: training starts from the beginning."
            )
        return None

    def _unpack(self, content, path):
        """Return the content of a file, or None if it is damaged; raise if it is not ours."""
        try:
            stored = unpack(content)
            _check_content(stored)
        except _ForeignError as error:
            raise _unusable(
                self._location, f"{os.fspath(path)!r} is not a checkpoint of this release: {error}"
            ) from error
        except ValueError as error:
            if _is_file(self._location) and content and not content.startswith(_MAGIC[:5]):
                raise _unusable(self._location, "it is not a checkpoint file") from error
            return None
        return stored

    def _check_fingerprint(self, stored, path):
        """Raise ValueError if a file belongs to another training run."""
        own = self._fingerprint
        names = [name for name in {**own, **stored} if stored.get(name) != own.get(name)]
        if names:
            differences = "; ".join(
                f"{name[:_MAX_CHARACTERS]}: {str(stored.get(name))[:_MAX_CHARACTERS]} in the "
                f"file, {own.get(name)} in this fit"
                for name in names[:_MAX_NAMES]
            )
            raise ValueError(
                f"The checkpoint {os.fspath(path)!r} belongs to another fit ({differences}). "
                "Delete it to start from the beginning, or choose another file; a folder can hold "
                "the checkpoints of any number of fits."
            )

    def _check_previous_writer(self, stored):
        """Clean up after the process that wrote the state, and warn about other versions."""
        if stored["state"]["loop"] is None:
            # It may have been killed just before it removed its leftovers.
            with contextlib.suppress(OSError):
                self._remove_leftovers()
            return
        for name, version in self._made_with.items():
            old = stored["made_with"].get(name)
            if old != version:
                self._warn(
                    f"was written with {name} {old}, and training continues with {version}: the "
                    "result may differ from that of an uninterrupted fit."
                )

    def _replace(self, content):
        with replacing(self.path) as part:
            with open(part, "wb") as file:
                file.write(content)
                file.flush()
                os.fsync(file.fileno())
            # Another process may be running the same fit, and writes the same content.
            with contextlib.suppress(FileNotFoundError):
                os.replace(self.path, self._previous)
        _sync_folder(self.path.parent)

    def _remove_leftovers(self):
        """Remove files that a finished run no longer needs, and partial files of killed runs."""
        self._previous.unlink(missing_ok=True)
        for part in leftovers(self.path):
            part.unlink(missing_ok=True)

    def _warn(self, sentence):
        warn_user(f"The checkpoint {os.fspath(self.path)!r} {sentence}")


def pack(tree: Any) -> bytes:
    """Serialize dicts, lists, numbers, strings and arrays."""
    arrays: list[np.ndarray] = []

    def placeholder(array):
        if not isinstance(array, np.ndarray):
            raise TypeError(f"{type(array).__name__} is neither an array nor valid in JSON.")
        arrays.append(array)
        return {_ARRAY: len(arrays)}

    text = json.dumps(tree, default=placeholder).encode()
    file = io.BytesIO()
    for array in [np.frombuffer(text, np.uint8), *arrays]:
        np.save(file, array, allow_pickle=False)
    body = file.getvalue()
    return _MAGIC + _digest(body) + body


def unpack(content: bytes) -> Any:
    """Return the value that `pack` serialized.

    Raises
    ------
    ValueError
        If the bytes are damaged, or were not written by `pack`.
    """
    start = len(_MAGIC) + _DIGEST_BYTES
    body = content[start:]
    if content[:start] != _MAGIC + _digest(body):
        raise ValueError("it is damaged, or was not written by this release")
    try:
        arrays = _read_arrays(body)
        return json.loads(
            arrays[0].tobytes(),
            object_hook=lambda found: arrays[found[_ARRAY]] if found.keys() == {_ARRAY} else found,
        )
    except Exception as error:  # anyone can write a valid checksum, and any bytes after it
        raise _ForeignError(f"its content cannot be read ({error})") from error


def _read_arrays(body):
    file, arrays = io.BytesIO(body), []
    while file.tell() < len(body):
        start = file.tell()
        dtype, shape, _ = read_header(file)
        # Checked before memory is allocated: a header may claim any shape.
        end = file.tell() + math.prod(shape) * dtype.itemsize
        if end > len(body):
            raise ValueError("an array claims more bytes than the file has")
        arrays.append(read_array(body[start:end]))
        file.seek(end)
    return arrays


def _check_content(stored):
    """Raise _ForeignError unless the content of a file is what `Checkpoint.write` writes."""
    is_complete = _has_keys(stored, "fingerprint", "made_with", "seed", "state") and _has_keys(
        stored["state"], "progress", "loop"
    )
    if not is_complete:
        raise _ForeignError("it does not contain the state of a fit")
    seed = stored["seed"]
    is_seed = seed is None or (type(seed) is int and 0 <= seed < 2**32)
    is_plain = all(
        type(values) is dict and all(isinstance(value, _PLAIN) for value in values.values())
        for values in (stored["fingerprint"], stored["made_with"])
    )
    if not is_seed or not is_plain:
        raise _ForeignError("it does not contain the state of a fit")


def _has_keys(value, *names):
    return type(value) is dict and value.keys() == set(names)


def _digest(body):
    return blake2b(body, digest_size=_DIGEST_BYTES).digest()


def _is_file(location):
    return Path(location).suffix == SUFFIX


def _folder(location):
    return Path(location).parent if _is_file(location) else Path(location)


def _unusable(location, error):
    is_file = os.path.isfile(location) and not _is_file(location)
    reason = f"it is a file; expected a folder, or a file named *{SUFFIX}" if is_file else error
    return ValueError(f"checkpoint={os.fspath(location)!r} cannot be used: {reason}.")


def _sync_folder(folder):
    """Make a rename survive a power failure, on systems that can synchronize folders."""
    with contextlib.suppress(OSError):
        descriptor = os.open(folder, os.O_RDONLY)
        try:
            os.fsync(descriptor)
        finally:
            os.close(descriptor)

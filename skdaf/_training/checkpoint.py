"""Checkpoints: the state of a training after each epoch, in a file.

A file is always written whole. It holds arrays and JSON, so reading it runs no code; a fingerprint
that identifies the training; and a checksum.
"""

import contextlib
import io
import json
import math
import os
import tempfile
import warnings
from collections.abc import Mapping
from hashlib import blake2b
from pathlib import Path
from typing import Any

import numpy as np

from skdaf._core.archives import read_array, read_header
from skdaf._core.files import leftovers, name_with, replacing
from skdaf._training.fingerprint import digest_of

# A checkpoint path with this suffix is a file; any other is a folder of such files.
SUFFIX = ".checkpoint"

# Increase the number with every change to the content of files, or to how training continues.
_MAGIC = b"skdaf checkpoint 1\n"
_DIGEST_BYTES = 16

# The key that stands for an array in the JSON, which holds everything else. No weight has this
# name.
_ARRAY = ".array"

# How much of the content of a file an error shows.
_MOST_CHARACTERS, _MOST_NAMES = 500, 20

# The types in a fingerprint.
_PLAIN = (bool, float, int, str, type(None))

PathLike = str | os.PathLike[str]


def check_place(place: PathLike) -> None:
    """Create the folder for checkpoints and check that it is writable, before any work.

    Raises
    ------
    ValueError
        If it cannot be used.
    """
    try:
        folder = _folder(place)
        folder.mkdir(parents=True, exist_ok=True)
        if _is_file(place) and Path(place).exists() and not Path(place).is_file():
            raise OSError(f"a path that ends in {SUFFIX!r} must be a file")
        with tempfile.TemporaryFile(dir=folder):
            pass
    except OSError as error:
        raise _unusable(place, error) from error


class _ForeignError(ValueError):
    """The checksum is right, but no training of this release writes such content."""


class Checkpoint:
    """The file of one training.

    Parameters
    ----------
    place : str or os.PathLike
        A file, or a folder in which the fingerprint of the training names the file.
    fingerprint : dict of str
        Everything that decides the result of the training.
    made_with : dict of str
        Versions of libraries, which may change the result slightly. They are recorded and compared,
        and a difference only warns.

    Attributes
    ----------
    state : dict or None
        What was last written, or None if there is nothing to continue from.
    seed : int or None
        The seed that was drawn for a training without one.

    Raises
    ------
    ValueError
        If the file belongs to another training, is something else, or cannot be read.

    Warns
    -----
    UserWarning
        If the file is damaged.
    """

    def __init__(
        self, place: PathLike, fingerprint: Mapping[str, Any], made_with: Mapping[str, str]
    ):
        self._place = place
        self._fingerprint, self._made_with = dict(fingerprint), dict(made_with)
        # Resolve links, so that writing replaces the file that a link points to and not the link.
        self.path = Path(os.path.realpath(place))
        if not _is_file(place):
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
        """Write dicts of lists, numbers, texts and arrays; `loop` is None at the end.

        If the disk is full, the checkpoint is lost but the training continues, with a warning.
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
            # Removed by another process that has finished the same training.
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
                raise _unusable(self._place, error) from error
            stored = self._unpack(content, path)
            if stored is None:
                is_damaged = True
                continue
            self._check_fingerprint(stored["fingerprint"], path)
            if is_damaged:
                self._warn("is damaged: training continues from the epoch before the last.")
            return stored
        if is_damaged:
            self._warn("is damaged, or of another release: training starts from the beginning.")
        return None

    def _unpack(self, content, path):
        """Return what a file holds, or None if it is damaged; refuse any other file."""
        try:
            stored = unpack(content)
            _check_content(stored)
        except _ForeignError as error:
            raise _unusable(self._place, f"{os.fspath(path)!r} is foreign: {error}") from error
        except ValueError as error:
            if _is_file(self._place) and content and not content.startswith(_MAGIC[:5]):
                raise _unusable(self._place, "it is a file of another kind") from error
            return None
        return stored

    def _check_fingerprint(self, stored, path):
        """Raise ValueError if a file belongs to another training."""
        own = self._fingerprint
        names = [name for name in {**own, **stored} if stored.get(name) != own.get(name)]
        if names:
            differences = "; ".join(
                f"{name[:_MOST_CHARACTERS]}: {str(stored.get(name))[:_MOST_CHARACTERS]} in the "
                f"file, {own.get(name)} in this fit"
                for name in names[:_MOST_NAMES]
            )
            raise ValueError(
                f"The checkpoint {os.fspath(path)!r} belongs to another training ({differences}). "
                "Delete it to start from the beginning, or name another file; a folder holds any "
                "number of trainings."
            )

    def _check_previous_writer(self, stored):
        """Clean up after the process that wrote the state, and warn of other versions."""
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
            # Another process may run the same training, and then writes the same content.
            with contextlib.suppress(FileNotFoundError):
                os.replace(self.path, self._previous)
        _sync_folder(self.path.parent)

    def _remove_leftovers(self):
        """Remove what a finished training no longer needs, and the partial files of killed ones."""
        self._previous.unlink(missing_ok=True)
        for part in leftovers(self.path):
            part.unlink(missing_ok=True)

    def _warn(self, sentence):
        warnings.warn(f"The checkpoint {os.fspath(self.path)!r} {sentence}", stacklevel=2)


def pack(tree: Any) -> bytes:
    """Return dicts, lists, numbers, texts and arrays as bytes."""
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
    """Return what was packed.

    Raises
    ------
    ValueError
        If the bytes are not those that were packed.
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
    except Exception as error:  # anybody can write a valid checksum, and any bytes after it
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
        raise _ForeignError("its content is not a training")
    seed = stored["seed"]
    is_seed = seed is None or (type(seed) is int and 0 <= seed < 2**32)
    is_plain = all(
        type(values) is dict and all(isinstance(value, _PLAIN) for value in values.values())
        for values in (stored["fingerprint"], stored["made_with"])
    )
    if not is_seed or not is_plain:
        raise _ForeignError("its content is not a training")


def _has_keys(value, *names):
    return type(value) is dict and value.keys() == set(names)


def _digest(body):
    return blake2b(body, digest_size=_DIGEST_BYTES).digest()


def _is_file(place):
    return Path(place).suffix == SUFFIX


def _folder(place):
    return Path(place).parent if _is_file(place) else Path(place)


def _unusable(place, error):
    is_file = os.path.isfile(place) and not _is_file(place)
    reason = f"it is a file; expected a folder, or a file named *{SUFFIX}" if is_file else error
    return ValueError(f"checkpoint={os.fspath(place)!r} cannot be used: {reason}.")


def _sync_folder(folder):
    """Make a renaming survive a power cut, on systems that can synchronize folders."""
    with contextlib.suppress(OSError):
        descriptor = os.open(folder, os.O_RDONLY)
        try:
            os.fsync(descriptor)
        finally:
            os.close(descriptor)

"""Checkpoints: what there is of a training after each epoch, in a file.

A file is written whole, and holds arrays and JSON: reading it runs nothing. It knows of what
training it is, and whether it is as it was written.
"""

import contextlib
import io
import json
import math
import os
import tempfile
import warnings
from hashlib import blake2b
from pathlib import Path

import numpy as np

from skdaf._core.archives import read_array, read_header
from skdaf._core.files import leftovers, name_with, replacing
from skdaf._training.fingerprint import digest_of

# A checkpoint whose name ends so is one file; others are folders that hold such files.
SUFFIX = ".checkpoint"

# The number goes up with every change to what files hold, or to how training goes on from it.
_MAGIC = b"skdaf checkpoint 1\n"
_DIGEST_BYTES = 16

# Stands for an array in the JSON, which holds everything else. No weights have such a name.
_ARRAY = ".array"

# How much of what a file holds is shown in an error.
_LONGEST, _MOST_NAMES = 500, 20

# What describes a training, and is compared.
_DESCRIBED = (bool, float, int, str, type(None))


def check_place(place):
    """Make a folder for checkpoints and see whether it can be written to, before any work.

    Raises
    ------
    ValueError
        If it cannot be used.
    """
    try:
        folder = _folder(place)
        folder.mkdir(parents=True, exist_ok=True)
        if _is_file(place) and Path(place).exists() and not Path(place).is_file():
            raise OSError(f"by a name that ends in {SUFFIX!r} it would have to be a file")
        with tempfile.TemporaryFile(dir=folder):
            pass
    except OSError as error:
        raise _unusable(place, error) from error


class _ForeignError(ValueError):
    """Content that no training of this release has written, in spite of its checksum."""


class Checkpoint:
    """The file of one training.

    Parameters
    ----------
    place : str or os.PathLike
        A file, or a folder in which the training's fingerprint names the file.
    fingerprint : dict of str
        What makes the training what it is. A file of another training is an error.
    made_with : dict of str
        The libraries that another outcome may come from. They are only noted.

    Attributes
    ----------
    state : dict or None
        What was written last; None where there is nothing to go on from.
    seed : int or None
        For a training that is not told its seed: the one that it once drew.

    Raises
    ------
    ValueError
        If the file is that of another training, or of something else, or cannot be read.

    Warns
    -----
    UserWarning
        If the file is damaged.
    """

    def __init__(self, place, fingerprint, made_with):
        self._place, self._fingerprint, self._made_with = place, fingerprint, made_with
        # As it is called itself: a link must not be taken for the file that is put in its place.
        self.path = Path(os.path.realpath(place))
        if not _is_file(place):
            key = digest_of(repr(sorted(fingerprint.items())), _DIGEST_BYTES)
            self.path /= f"{fingerprint['estimator']}-{key}{SUFFIX}"
        self._previous = self.path.with_name(name_with(self.path, ".previous"))
        self._has_warned = False
        stored = self._read()
        self.state = None if stored is None else stored["state"]
        self.seed = None if stored is None else stored["seed"]
        if self.state is not None:
            self._look_back(stored["made_with"])

    def write(self, progress, loop):
        """Keep trees of dicts, lists, numbers, texts and arrays; `loop` is None at the end.

        A disk that is full costs the checkpoint, not the training.
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
                self._tidy_up()
        except OSError as error:
            # Tidied away: another process has come to the end of the same training.
            is_done = isinstance(error, FileNotFoundError) and self.path.parent.is_dir()
            if not (is_done or self._has_warned):
                self._has_warned = True
                self._warn(f"could not be written ({error}); training goes on without.")

    def _read(self):
        """Return the newest content that is whole, None if there is none."""
        damaged = False
        for path in (self.path, self._previous):
            try:
                content = path.read_bytes()
            except FileNotFoundError:
                continue
            except OSError as error:
                raise _unusable(self._place, error) from error
            try:
                stored = unpack(content)
                _check_content(stored)
            except _ForeignError as error:
                raise _unusable(self._place, f"{os.fspath(path)!r} is foreign: {error}") from error
            except ValueError as error:
                if _is_file(self._place) and content and not content.startswith(_MAGIC[:5]):
                    raise _unusable(self._place, "it is a file of another kind") from error
                damaged = True
                continue
            self._compare(stored["fingerprint"], path)
            if damaged:
                self._warn("is damaged: training goes on from the epoch before the last.")
            return stored
        if damaged:
            self._warn("is damaged, or of another release: training starts from the beginning.")
        return None

    def _compare(self, stored, path):
        """Refuse what belongs to another training."""
        own = self._fingerprint
        names = [name for name in {**own, **stored} if stored.get(name) != own.get(name)]
        if names:
            differences = "; ".join(
                f"{name[:_LONGEST]}: {str(stored.get(name))[:_LONGEST]} there, {own.get(name)} here"
                for name in names[:_MOST_NAMES]
            )
            raise ValueError(
                f"The checkpoint {os.fspath(path)!r} is that of another training ({differences}). "
                "Delete it to start from the beginning, or name another; a folder holds any number "
                "of trainings."
            )

    def _look_back(self, stored):
        """See to what the process that wrote the state may have left."""
        if self.state["loop"] is None:
            # It may have been killed at the very end.
            with contextlib.suppress(OSError):
                self._tidy_up()
            return
        for name, version in self._made_with.items():
            if stored.get(name) != version:
                self._warn(
                    f"was written with {name} {stored.get(name)}, and goes on with {version}: the "
                    "outcome may differ from that of one go."
                )

    def _replace(self, content):
        with replacing(self.path) as part:
            with open(part, "wb") as file:
                file.write(content)
                file.flush()
                os.fsync(file.fileno())
            # Another process may do the same training: what it writes is the same too.
            with contextlib.suppress(FileNotFoundError):
                os.replace(self.path, self._previous)
        _sync_folder(self.path.parent)

    def _tidy_up(self):
        """Remove what a finished training needs no more, and what killed ones have left."""
        self._previous.unlink(missing_ok=True)
        for part in leftovers(self.path):
            part.unlink(missing_ok=True)

    def _warn(self, sentence):
        warnings.warn(f"The checkpoint {os.fspath(self.path)!r} {sentence}", stacklevel=2)


def pack(tree):
    """Return dicts, lists, numbers, texts and arrays as bytes."""
    arrays = []

    def placeholder(array):
        if not isinstance(array, np.ndarray):
            raise TypeError(f"{type(array).__name__} is neither an array nor fit for JSON.")
        arrays.append(array)
        return {_ARRAY: len(arrays)}

    text = json.dumps(tree, default=placeholder).encode()
    file = io.BytesIO()
    for array in [np.frombuffer(text, np.uint8), *arrays]:
        np.save(file, array, allow_pickle=False)
    body = file.getvalue()
    return _MAGIC + _digest(body) + body


def unpack(content):
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
    except Exception as error:  # anybody can write a checksum, and any bytes behind it
        raise _ForeignError(f"what it holds cannot be read ({error})") from error


def _read_arrays(body):
    file, arrays = io.BytesIO(body), []
    while file.tell() < len(body):
        start = file.tell()
        dtype, shape, _ = read_header(file)
        # Before memory is taken: a header may claim any shape.
        end = file.tell() + math.prod(shape) * dtype.itemsize
        if end > len(body):
            raise ValueError("an array claims more bytes than there are")
        arrays.append(read_array(body[start:end]))
        file.seek(end)
    return arrays


def _check_content(stored):
    """Insist that what a file holds is what `Checkpoint.write` writes."""
    is_whole = _has(stored, "fingerprint", "made_with", "seed", "state") and _has(
        stored["state"], "progress", "loop"
    )
    if not is_whole:
        raise _ForeignError("what it holds is no training")
    texts = [stored["fingerprint"], stored["made_with"]]
    seed = stored["seed"]
    is_seed = seed is None or (type(seed) is int and 0 <= seed < 2**32)
    is_plain = all(
        type(text) is dict and all(isinstance(value, _DESCRIBED) for value in text.values())
        for text in texts
    )
    if not is_seed or not is_plain:
        raise _ForeignError("what it holds is no training")


def _has(found, *names):
    return type(found) is dict and found.keys() == set(names)


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
    """Make a renaming last through a power cut, where folders can be synchronized."""
    with contextlib.suppress(OSError):
        descriptor = os.open(folder, os.O_RDONLY)
        try:
            os.fsync(descriptor)
        finally:
            os.close(descriptor)

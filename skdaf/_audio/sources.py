"""Audio that is not a file on disk: samples with their rate, file contents, open files.

Each becomes a `Source`, which replaces the path in a `Clip` and has a name for error messages.
"""

import io
import os
import re
import tempfile
from collections.abc import Mapping
from contextlib import contextmanager, suppress
from functools import cached_property
from numbers import Real
from typing import Any, BinaryIO, TypeAlias

import numpy as np
from numpy.typing import ArrayLike

from skdaf._audio.formats.audio_file import AudioFile
from skdaf._audio.levels import loudest
from skdaf._core.arrays import as_array, is_array_like, is_scalar
from skdaf._core.typing import PathLike

# The types of paths, for isinstance.
PATH_TYPES = (str, os.PathLike)

# Arrays with more channels than this are not samples.
MAX_CHANNELS = 32

# Integers of these types, in any byte order, are samples as stored in files. The numbers are the
# offset to subtract and the full scale to divide by.
_PCM = {"i1": (0, 2**7), "u1": (2**7, 2**7), "i2": (0, 2**15), "i4": (0, 2**31)}

# The highest level is taken from this many samples, because an array can be larger than memory.
_N_FOR_LEVEL = 2**20

# Other libraries' names for "sampling_rate".
_RATE_NAMES = ("sample_rate", "samplerate", "sr", "fs", "rate", "frame_rate")


class Source:
    """Replaces the path in a `Clip`; `os.fspath` returns its name for messages."""

    def __init__(self, name):
        self.name = name

    def __fspath__(self):
        return self.name

    def __repr__(self):
        return f"<{type(self).__name__} {self.name}>"


class ArraySource(Source):
    """Samples and their sampling rate.

    Parameters
    ----------
    samples : array or tensor of shape (n_samples,), (n_samples, n_channels) or reversed
        The longer axis is time. Integers of 8, 16 and 32 bits are divided by their full scale, as
        when they are read from a file.
    sampling_rate : int
        In Hz.
    name : str
        The name for messages.
    """

    def __init__(self, samples, sampling_rate, name):
        super().__init__(name)
        self.sampling_rate = whole_rate(sampling_rate, name)
        self.samples = _samples_by_channels(as_array(samples), name)

    @property
    def nbytes(self):
        return self.samples.nbytes

    @cached_property
    def level(self):
        """The highest absolute value at the start of the samples; 1 for those scaled when read."""
        is_scaled = self.samples.dtype.str[1:] in _PCM
        # Many windows of a recording share its samples.
        return 1 if is_scaled else float(loudest(self.samples[:_N_FOR_LEVEL]))

    def open(self):
        """Return the samples as an AudioFile."""
        return ArrayFile(self.samples, self.sampling_rate)


class ArrayFile(AudioFile):
    """Samples in an array, read like an open file."""

    format = "ARRAY"

    def __init__(self, samples, sampling_rate):
        self._samples, self._position = samples, 0
        self.samplerate = sampling_rate
        self.frames, self.channels = samples.shape
        self._scale = _PCM.get(samples.dtype.str[1:])
        self.subtype = "FLOAT" if self._scale is None else f"PCM_{8 * samples.itemsize}"

    def go_to(self, frame):
        """Make `frame` the next one to be read."""
        self._position = frame

    def read_block(self, n_frames):
        """Return the next frames as float32 `(n_frames, n_channels)`; fewer at the end."""
        block = self._samples[self._position : self._position + n_frames]
        self._position += len(block)
        # Values that are too large for float32 become infinite, which is reported later.
        with np.errstate(over="ignore"):
            block = block.astype(np.float32, order="C")
        if self._scale is not None:
            zero, full_scale = self._scale
            block -= zero
            block /= full_scale
        return block


class ContentSource(Source):
    """The content of an audio file, in memory."""

    def __init__(self, content, name):
        super().__init__(name)
        self.content = bytes(content)

    @property
    def nbytes(self):
        return len(self.content)

    @contextmanager
    def on_disk(self):
        """Return a context with the path of a temporary file that has this content."""
        extension = re.search(r"\.\w{1,8}$", self.name)
        handle, path = tempfile.mkstemp(extension.group() if extension else "", "skdaf-")
        try:
            with open(handle, "wb") as file:
                file.write(self.content)
            yield path
        finally:
            # On Windows, a file that is still open cannot be removed.
            with suppress(OSError):
                os.remove(path)


# What `load_audio` and `Clip` accept as a recording.
AudioSource: TypeAlias = (
    PathLike
    | tuple[ArrayLike, float]
    | tuple[float, ArrayLike]
    | Mapping[str, Any]
    | BinaryIO
    | Source
)


def is_source(item):
    """Return True if `source_of` accepts an item. Nothing is read."""
    return (
        isinstance(item, (*PATH_TYPES, Mapping))
        or is_pair(item)
        or any(hasattr(item, name) for name in ("get_all_samples", "read", "read_bytes"))
    )


def is_pair(item):
    """Return True if an item is (samples, rate), or (rate, samples) as SciPy returns it."""
    if not isinstance(item, (tuple, list)) or len(item) != 2:
        return False
    first, second = item
    return (is_array_like(first) and is_scalar(second)) or (
        is_scalar(first) and is_array_like(second)
    )


def source_of(item, name):
    """Return a path or a Source to read audio from; None if an item is not audio.

    Parameters
    ----------
    item : object
        A path; samples with their rate, as a pair or a row of a Hugging Face dataset; the content
        of a file in such a row; a file opened in binary mode; a torchcodec decoder.
    name : str
        The name for messages if the item does not have a name.
    """
    if isinstance(item, PATH_TYPES):
        return item
    if isinstance(item, Mapping):
        return _source_of_row(item, name)
    if is_pair(item):
        samples, rate = item if is_array_like(item[0]) else item[::-1]
        return ArraySource(samples, rate, name)
    if hasattr(item, "get_all_samples"):
        decoded = item.get_all_samples()
        return ArraySource(decoded.data, decoded.sample_rate, name)
    if hasattr(item, "read"):
        return _source_of_file(item, name)
    if hasattr(item, "read_bytes"):
        return ContentSource(item.read_bytes(), str(item))
    return None


def _source_of_row(row, name):
    """Return the source in a dict: its "audio", or its "array", "bytes" or "path"."""
    if row.get("audio") is not None:
        return source_of(row["audio"], name)
    path = row.get("path")
    own_name = str(os.fspath(path)) if isinstance(path, PATH_TYPES) else name
    if row.get("array") is not None:
        if row.get("sampling_rate") is None:
            raise ValueError(f"{name} has an 'array' but no 'sampling_rate'{_rename_hint(row)}.")
        return ArraySource(row["array"], row["sampling_rate"], own_name)
    if isinstance(row.get("bytes"), (bytes, bytearray, memoryview)):
        return ContentSource(row["bytes"], own_name)
    if isinstance(path, PATH_TYPES):
        return path
    raise TypeError(
        f"{name} is a dict with the keys {list(row)}: expected 'array' and 'sampling_rate', "
        "'bytes', or 'path' with a path."
    )


def _rename_hint(row):
    other = next((key for key in _RATE_NAMES if key in row), None)
    return "" if other is None else f": rename {other!r}"


def _source_of_file(file, name):
    if getattr(file, "closed", False):
        raise ValueError(f"{name} is a closed file: pass its path, or keep it open.")
    if isinstance(file, io.TextIOBase):
        raise TypeError(f"{name} is a file opened as text: open it with mode 'rb'.")
    if hasattr(file, "readable") and not file.readable():
        raise TypeError(f"{name} is a file opened for writing: open it with mode 'rb'.")
    own_name = getattr(file, "name", None)
    own_name = own_name if isinstance(own_name, str) else name
    if _is_plain_file_of(file, own_name):
        return os.path.abspath(own_name)
    return ContentSource(_content_of(file, name), own_name)


def _is_plain_file_of(file, path):
    """Return True if an open file is the file at a path, so that the path can be read instead."""
    raw = getattr(file, "raw", file)
    if not isinstance(file, (io.BufferedReader, io.FileIO)) or type(raw) is not io.FileIO:
        return False
    try:
        return os.path.samestat(os.fstat(raw.fileno()), os.stat(path))
    except OSError:
        return False


def _content_of(file, name):
    """Read a file from its start, and restore its position."""
    if not hasattr(file, "seekable") or not file.seekable():
        raise ValueError(
            f"{name} is a stream that cannot go back to its start: pass "
            "io.BytesIO(stream.read()) instead."
        )
    position = file.tell()
    try:
        file.seek(0)
        content = file.read()
    finally:
        file.seek(position)
    if not isinstance(content, (bytes, bytearray, memoryview)):
        raise TypeError(
            f"Reading {name} returns {type(content).__name__}, not bytes: open it with mode 'rb'."
        )
    return content


def whole_rate(rate, name):
    rate = as_array(rate)
    rate = rate.item() if hasattr(rate, "item") else rate
    is_number = isinstance(rate, Real) and not isinstance(rate, bool)
    if not is_number or not 0 < rate < np.inf or rate != int(rate):
        raise ValueError(f"{name} has sampling_rate={rate!r}: expected a whole number of Hz.")
    return int(rate)


def _samples_by_channels(samples, name):
    """Return samples as an array (n_samples, n_channels), without changing their type."""
    samples = np.asarray(samples)
    if samples.dtype.kind not in "fiu":
        raise ValueError(f"{name} contains samples of type {samples.dtype}: expected real numbers.")
    if samples.ndim == 1:
        samples = samples[:, None]
    if samples.ndim != 2:
        raise ValueError(
            f"{name} has samples of shape {samples.shape}: expected (n_samples,), or a second "
            "axis for channels."
        )
    if samples.size == 0:
        raise ValueError(f"{name} contains no samples.")
    if samples.shape[0] < samples.shape[1]:
        samples = samples.T
    n_samples, n_channels = samples.shape
    if n_channels > MAX_CHANNELS or (n_channels == n_samples and n_channels > 1):
        raise ValueError(
            f"{name} has samples of shape {samples.shape}: expected an axis for samples and a "
            f"shorter axis for at most {MAX_CHANNELS} channels."
        )
    return samples

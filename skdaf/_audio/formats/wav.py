"""Plain WAV files, read without libsndfile.

Most recordings are plain WAV files, and opening them with libsndfile takes longer than reading
them. A file is plain if it contains 16-bit samples and its header consists of RIFF, fmt and data,
all correct. libsndfile reads all other files, and reports errors in damaged ones.
"""

import os
import struct
from typing import NamedTuple

import numpy as np

from skdaf._audio.formats.audio_file import AudioFile

# How much to read in the first call, with the header. Most short clips need no second call.
_HEAD_BYTES = 2**15

_RIFF = struct.Struct("<4sI4s4sIHHIIHH")
_CHUNK = struct.Struct("<4sI")
_INFO_LIST = struct.Struct("<4sI4s4sI")
_MAX_INFO_BYTES = 64

# Larger files are read block by block.
_MAX_BYTES_AT_ONCE = 2**24

# Pipes and devices do not make the call wait, and a terminal does not become that of the process.
# Windows has neither of these two flags.
_OPEN_FLAGS = (
    os.O_RDONLY
    | getattr(os, "O_BINARY", 0)
    | getattr(os, "O_NONBLOCK", 0)
    | getattr(os, "O_NOCTTY", 0)
)

# libsndfile counts bytes and rates with signed 32-bit integers, and treats lengths close to the
# maximum as placeholders.
_MAX_BYTES = 2**31 - 2**17
_MIN_RATE = 100
_MAX_CHANNELS = 8
_SCALE = np.float32(2.0**-15)
_INT16 = np.dtype("<i2")


class Layout(NamedTuple):
    """The header of a plain WAV file, with the names of an `AudioFile`."""

    samplerate: int
    channels: int
    start: int  # the position of the samples, in bytes
    frames: int
    format: str = "WAV"
    subtype: str = "PCM_16"


class PlainWav(AudioFile):
    """An open plain WAV file.

    Parameters
    ----------
    descriptor : int
        The open file.
    head : bytes
        Its first bytes.
    layout : Layout
    """

    format, subtype = "WAV", "PCM_16"

    def __init__(self, descriptor, head, layout):
        self._descriptor = descriptor
        self._head = head
        self.samplerate, self.channels, self._start, self.frames = layout[:4]
        self._position = self._start

    def __exit__(self, *exception):
        os.close(self._descriptor)

    def go_to(self, frame):
        """Make `frame` the next one to be read."""
        self._position = self._start + 2 * self.channels * frame

    def read_block(self, n_frames):
        """Return the next frames as float32 `(n_frames, channels)`; fewer if the file has shrunk.

        The values equal those of libsndfile: 16-bit integers times a power of two are exact.
        """
        frame_bytes = 2 * self.channels
        content = self._bytes(n_frames * frame_bytes)
        self._position += len(content)
        n_values = len(content) // frame_bytes * self.channels
        block = np.frombuffer(content, _INT16, n_values).astype(np.float32)
        block *= _SCALE
        return block.reshape(-1, self.channels)

    def _bytes(self, n_bytes):
        stop = self._position + n_bytes
        if stop <= len(self._head):
            return memoryview(self._head)[self._position : stop]
        os.lseek(self._descriptor, self._position, os.SEEK_SET)
        return _read(self._descriptor, n_bytes)


def open_plain_wav(path, n_bytes):
    """Return a PlainWav for a file of this size; None if it is not a plain WAV file.

    Raises OSError if it cannot be opened, with a better message than libsndfile.
    """
    if _is_named_raw(path):
        return None
    descriptor = os.open(path, os.O_RDONLY | getattr(os, "O_BINARY", 0))
    try:
        head = _read(descriptor, min(n_bytes, _HEAD_BYTES))
        layout = _layout(head, n_bytes)
    except OSError:
        os.close(descriptor)
        raise
    if layout is None:
        os.close(descriptor)
        return None
    return PlainWav(descriptor, head, layout)


def read_plain_header(path):
    """Return the Layout of a plain WAV file; None if `open_audio` has to look at the path."""
    return _with_descriptor(path, lambda descriptor: _read_head(descriptor)[1])


def read_plain_wav(path, span_of=None):
    """Read a plain WAV file in as few calls of the system as possible.

    Parameters
    ----------
    path : str or os.PathLike
        Any path: it may also be missing, a folder, a pipe or a device.
    span_of : callable, default=None
        Returns the first frame and the number of frames to read, given the Layout; None reads all.

    Returns
    -------
    samples : ndarray of shape (n_frames, n_channels), int16
        The samples; ``samples * 2.0**-15`` are those of `PlainWav`.
    sampling_rate : int
        In Hz.

    The result is None if `open_audio` has to read the file or to say why it cannot: it is not a
    plain WAV file, is very long, cannot be read, or changes while it is read.
    """
    return _with_descriptor(path, lambda descriptor: _read_span(descriptor, span_of))


def _with_descriptor(path, function):
    """Return what a function returns for an open file; None if the system reports an error."""
    if _is_named_raw(path):
        return None
    try:
        descriptor = os.open(path, _OPEN_FLAGS)
    except (OSError, ValueError):
        return None
    try:
        return function(descriptor)
    except (OSError, MemoryError):
        return None
    finally:
        os.close(descriptor)


def _read_head(descriptor):
    """Return the first bytes of a file, and its Layout or None."""
    # Pipes, sockets and terminals cannot be read at a position, which is an error.
    head = _read_at(descriptor, 0, _HEAD_BYTES)
    n_bytes = len(head) if len(head) < _HEAD_BYTES else os.fstat(descriptor).st_size
    return head, _layout(head, n_bytes)


def _read_span(descriptor, span_of):
    content, layout = _read_head(descriptor)
    if layout is None:
        return None
    first, n_frames = (0, layout.frames) if span_of is None else span_of(layout)
    channels = layout.channels
    position, n_bytes = layout.start + 2 * channels * first, 2 * channels * n_frames
    if position + n_bytes > len(content):
        if n_bytes > _MAX_BYTES_AT_ONCE:
            return None
        content, position = _read_at(descriptor, position, n_bytes), 0
        if len(content) < n_bytes:
            return None
    values = np.frombuffer(content, _INT16, n_frames * channels, position)
    return values.reshape(-1, channels), layout.samplerate


def _is_named_raw(path):
    """Return whether soundfile needs the format as arguments, because of the name."""
    return os.fspath(path)[-4:].lower() in (".raw", b".raw")


def _read_at(descriptor, position, n_bytes):
    if hasattr(os, "pread"):
        return os.pread(descriptor, n_bytes, position)
    os.lseek(descriptor, position, os.SEEK_SET)
    return _read(descriptor, n_bytes)


def _read(descriptor, n_bytes):
    """Read bytes; fewer only at the end of the file."""
    content = os.read(descriptor, n_bytes)
    while len(content) < n_bytes:
        more = os.read(descriptor, n_bytes - len(content))
        if not more:
            break
        content += more
    return content


def _layout(head, n_bytes):
    """Return the Layout of a file with these first bytes and this size; None if not plain."""
    if len(head) < _RIFF.size + _CHUNK.size or n_bytes > _MAX_BYTES:
        return None
    riff, riff_bytes, wave, name, size, code, channels, rate, byte_rate, frame_bytes, bits = (
        _RIFF.unpack_from(head)
    )
    if (riff, wave, name, size, code, bits) != (b"RIFF", b"WAVE", b"fmt ", 16, 1, 16):
        return None
    if riff_bytes != n_bytes - 8 or not 1 <= channels <= _MAX_CHANNELS:
        return None
    if not _MIN_RATE <= rate < _MAX_BYTES:
        return None
    if frame_bytes != 2 * channels or byte_rate != rate * frame_bytes:
        return None
    start, data_bytes = _data_chunk(head)
    if start + data_bytes != n_bytes or data_bytes % frame_bytes or not data_bytes:
        return None
    return Layout(rate, channels, start, data_bytes // frame_bytes)


def _data_chunk(head):
    """Return the position and the size of the samples; zeros if another chunk comes first."""
    name, size = _CHUNK.unpack_from(head, _RIFF.size)
    if name == b"data":
        return _RIFF.size + _CHUNK.size, size
    position = _RIFF.size + _info_list_bytes(head)
    if position + _CHUNK.size > len(head):
        return 0, 0
    name, size = _CHUNK.unpack_from(head, position)
    return (position + _CHUNK.size, size) if name == b"data" else (0, 0)


def _info_list_bytes(head):
    """Return the size of the list in which ffmpeg stores its name; 0 if there is no such list."""
    if len(head) < _RIFF.size + _INFO_LIST.size:
        return 0
    name, size, kind, entry, text_bytes = _INFO_LIST.unpack_from(head, _RIFF.size)
    if (name, kind, entry) != (b"LIST", b"INFO", b"ISFT") or text_bytes > _MAX_INFO_BYTES:
        return 0
    padded_bytes = text_bytes + text_bytes % 2
    return _CHUNK.size + size if size == 12 + padded_bytes else 0

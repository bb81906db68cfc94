"""Plain WAV files, read without libsndfile.

Most recordings are plain WAV files, and opening them with libsndfile takes longer than reading
them. A file is plain if it holds 16-bit samples and its header is just RIFF, fmt and data, all
correct. All other files, damaged ones included, are left to libsndfile and its messages.
"""

import os
import struct

import numpy as np

from skdaf._audio.formats.audio_file import AudioFile

# Read with the header in one call. Most short clips need no second call.
_HEAD_BYTES = 2**15

_RIFF = struct.Struct("<4sI4s4sIHHIIHH")
_CHUNK = struct.Struct("<4sI")
_WRITER = struct.Struct("<4sI4s4sI")
_LONGEST_WRITER = 64

# libsndfile counts bytes and rates with signed numbers, and takes lengths close to the largest one
# for placeholders.
_MOST_BYTES = 2**31 - 2**17
_LOWEST_RATE = 100
_MOST_CHANNELS = 8
_STEP = np.float32(2.0**-15)


class PlainWav(AudioFile):
    """An open plain WAV file.

    Parameters
    ----------
    descriptor : int
        The open file.
    head : bytes
        Its first bytes.
    layout : tuple
        See `_layout`.
    """

    format, subtype = "WAV", "PCM_16"

    def __init__(self, descriptor, head, layout):
        self._descriptor = descriptor
        self._head = head
        self.samplerate, self.channels, self._start, self.frames = layout
        self._position = self._start

    def __exit__(self, *exception):
        os.close(self._descriptor)

    def go_to(self, frame):
        """Make `frame` the next one to be read."""
        self._position = self._start + 2 * self.channels * frame

    def read_block(self, n_frames):
        """Return the next frames as float32 `(n_frames, channels)`; fewer if the file has shrunk.

        The values equal those of libsndfile: 16 bits times a power of two are exact.
        """
        frame_bytes = 2 * self.channels
        content = self._bytes(n_frames * frame_bytes)
        self._position += len(content)
        n_values = len(content) // frame_bytes * self.channels
        block = np.frombuffer(content, "<i2", n_values).astype(np.float32)
        block *= _STEP
        return block.reshape(-1, self.channels)

    def _bytes(self, n_bytes):
        stop = self._position + n_bytes
        if stop <= len(self._head):
            return memoryview(self._head)[self._position : stop]
        os.lseek(self._descriptor, self._position, os.SEEK_SET)
        return _read(self._descriptor, n_bytes)


def open_plain_wav(path, n_bytes):
    """Return a PlainWav for a file of that size; None if it is not a plain WAV file.

    Raises OSError if it cannot be opened; its message is better than that of libsndfile.
    """
    # soundfile requires the layout of files with this name, whatever they hold.
    if os.fsdecode(path).lower().endswith(".raw"):
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
    """Return the rate, the channels, the position and the number of frames; None if not plain."""
    if len(head) < _RIFF.size + _CHUNK.size or n_bytes > _MOST_BYTES:
        return None
    riff, riff_bytes, wave, name, size, code, channels, rate, byte_rate, frame_bytes, bits = (
        _RIFF.unpack_from(head)
    )
    if (riff, wave, name, size, code, bits) != (b"RIFF", b"WAVE", b"fmt ", 16, 1, 16):
        return None
    if riff_bytes != n_bytes - 8 or not 1 <= channels <= _MOST_CHANNELS:
        return None
    if not _LOWEST_RATE <= rate < _MOST_BYTES:
        return None
    if frame_bytes != 2 * channels or byte_rate != rate * frame_bytes:
        return None
    start, data_bytes = _data_chunk(head)
    if start + data_bytes != n_bytes or data_bytes % frame_bytes or not data_bytes:
        return None
    return rate, channels, start, data_bytes // frame_bytes


def _data_chunk(head):
    """Return the position and the size of the samples; zeros if they are not the next chunk."""
    position = _RIFF.size + _writer_bytes(head)
    if position + _CHUNK.size > len(head):
        return 0, 0
    name, size = _CHUNK.unpack_from(head, position)
    return (position + _CHUNK.size, size) if name == b"data" else (0, 0)


def _writer_bytes(head):
    """Return the size of the list in which ffmpeg stores its name; 0 if there is none."""
    if len(head) < _RIFF.size + _WRITER.size:
        return 0
    name, size, kind, entry, text_bytes = _WRITER.unpack_from(head, _RIFF.size)
    if (name, kind, entry) != (b"LIST", b"INFO", b"ISFT") or text_bytes > _LONGEST_WRITER:
        return 0
    padded_bytes = text_bytes + text_bytes % 2
    return _CHUNK.size + size if size == 12 + padded_bytes else 0

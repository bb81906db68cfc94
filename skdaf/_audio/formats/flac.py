"""FLAC streams whose header does not contain their length."""

import os
from functools import lru_cache

from skdaf._audio.formats.errors import DamagedFileError
from skdaf._audio.formats.id3 import skip_id3
from skdaf._audio.formats.libsndfile import LibsndfileError, LibsndfileFile, message_of
from skdaf._audio.formats.view import FileView

# libsndfile reports a number of frames above this if the header does not contain it.
_UNKNOWN_LENGTH = 2**62

# Where the numbers that describe the stream start and end. Their last 36 bits are the number of
# frames.
_NUMBERS_START, _NUMBERS_END, _LENGTH_BITS = 18, 26, 36


def lacks_length(file):
    """Return True if an open file is a FLAC stream of unknown length."""
    return file.format == "FLAC" and file.frames >= _UNKNOWN_LENGTH


def open_flac_of_unknown_length(path, n_bytes):
    """Open a FLAC stream through a view whose header contains the number of frames."""
    with open(path, "rb") as file:
        start = skip_id3(file)
        head = file.read(_NUMBERS_END)
    if head[:4] != b"fLaC":
        raise DamagedFileError("its header does not contain its length")
    mtime = os.stat(path).st_mtime_ns
    n_frames = _count_frames(os.path.abspath(path), start, n_bytes, mtime)
    numbers = int.from_bytes(head[_NUMBERS_START:], "big") & -(2**_LENGTH_BITS) | n_frames
    head = head[:_NUMBERS_START] + numbers.to_bytes(_NUMBERS_END - _NUMBERS_START, "big")
    return LibsndfileFile(path, FileView(path, head, [(start + _NUMBERS_END, n_bytes)]))


# Each part of a long recording opens the file again, but its frames are counted only once.
@lru_cache(maxsize=1024)
def _count_frames(path, start, n_bytes, mtime):
    """Return the number of frames that can be decoded."""
    try:
        with LibsndfileFile(path, FileView(path, b"", [(start, n_bytes)])) as file:
            return file.skip(file.frames)
    except LibsndfileError as error:
        problem = f"the file is truncated or damaged ({message_of(error)})"
        raise DamagedFileError(problem) from error

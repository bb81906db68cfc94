"""FLAC streams whose header does not contain their length."""

import os
from functools import cache, lru_cache

import numpy as np

from skdaf._audio.formats.errors import DamagedFileError
from skdaf._audio.formats.id3 import skip_id3
from skdaf._audio.formats.libsndfile import LibsndfileError, LibsndfileFile, message_of
from skdaf._audio.formats.view import FileView

# libsndfile reports a number of frames above this if the header does not contain it.
_UNKNOWN_LENGTH = 2**62

# Where the numbers that describe the stream start and end. Their last 36 bits are the number of
# frames.
_NUMBERS_START, _NUMBERS_END, _LENGTH_BITS = 18, 26, 36

# Each frame starts with the bits 11111111 1111100v and ends with a CRC of 16 bits. Powers of x
# modulo this polynomial repeat after `_CRC_PERIOD` bits.
_CRC_POLYNOMIAL, _CRC_PERIOD = 0x18005, 2**15 - 1

# The largest block has 65,535 samples; a frame is never much larger than its samples.
_MAX_BLOCK_SAMPLES, _MAX_FRAME_OVERHEAD = 2**16, 1.1


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
            n_frames, n_channels = file.skip(file.frames), file.channels
    except LibsndfileError as error:
        problem = f"the file is truncated or damaged ({message_of(error)})"
        raise DamagedFileError(problem) from error
    # Some versions of libsndfile ignore a last frame that is cut off.
    if not _ends_with_frame(_read_end(path, start, n_channels)):
        raise DamagedFileError("the file is truncated or damaged (its last frame is not complete)")
    return n_frames


def _read_end(path, start, n_channels):
    """Return the last bytes of a stream, at least as many as its largest frame."""
    most = int(4 * n_channels * _MAX_BLOCK_SAMPLES * _MAX_FRAME_OVERHEAD)
    with open(path, "rb") as file:
        n_bytes = file.seek(0, os.SEEK_END)
        file.seek(max(start, n_bytes - most))
        return file.read()


def _ends_with_frame(content):
    """Return whether some bytes end with a complete frame of FLAC.

    The CRC of a complete frame, including the CRC at its end, is 0. A CRC is the sum (XOR) of the
    remainders of all bits, so one pass computes it for all suffixes.
    """
    octets = np.frombuffer(content, np.uint8)
    bits = np.unpackbits(octets)[::-1]
    remainders = np.resize(_powers_of_x(), len(bits)) * bits
    of_suffixes = np.bitwise_xor.accumulate(remainders)[7::8][::-1]
    is_start = (octets[:-1] == 0xFF) & (octets[1:] & 0xFE == 0xF8)
    return bool((is_start & (of_suffixes[:-1] == 0)).any())


@cache
def _powers_of_x():
    """Return the remainder of each power of x, until they repeat."""
    powers, power = [], 1
    for _ in range(_CRC_PERIOD):
        powers.append(power)
        power <<= 1
        power ^= _CRC_POLYNOMIAL if power >> 16 else 0
    return np.array(powers, np.uint16)

"""Where the samples of a file are, and how many bytes of them really exist."""

from collections.abc import Callable
from dataclasses import dataclass

from skdaf._audio.formats.errors import DamagedFileError

NO_SAMPLES = "the file contains no samples"

# Programs that do not know the size, because they write to a pipe or more than 4 GiB, store 0 or a
# number close to one of these (sox writes 0x7F000000 in AIFF files).
_PLACEHOLDERS = {32: (0x7F000000, 2**31, 2**32), 64: (2**63, 2**64)}
_TOLERANCE = 2**16

# The chunks that describe the format of samples are smaller than this.
MAX_FORMAT_BYTES = 2**16

# The bytes after the samples are fewer than this. Sizes above 4 GiB are often stored modulo 2^32.
_MAX_TRAILING_BYTES = 2**31

# The largest size that fits into 32 bits and is not a placeholder.
MAX_32_BIT_SIZE = 2**32 - 2**17


@dataclass
class Samples:
    """Where the samples of a file are according to its header.

    Attributes
    ----------
    start : int
        The position of their first byte.
    promised : int or None
        Their size in bytes; None if the format does not store it.
    frame_bytes : int
        The size of a frame, or of a block of frames. If the header does not contain a size, this
        shows whether the file is truncated.
    ends_there : bool
        True if libsndfile ignores the bytes after the promised samples.
    header : callable or None
        Takes the size of the samples in bytes and returns a header; None if the header of the file
        cannot be replaced.
    is_readable : bool
        True if libsndfile can read the header of the file.
    ranges : list of (first, stop) or None
        Where the samples are, if they are not contiguous.
    bits : int
        The width of the size in the header.
    codec : int
        The number of the codec in a WAV file.
    """

    start: int
    promised: int | None
    frame_bytes: int = 1
    ends_there: bool = False
    header: Callable | None = None
    is_readable: bool = True
    ranges: list | None = None
    bits: int = 32
    codec: int = 0


def view_of(samples, n_bytes_of_file):
    """Return the header and the ranges that libsndfile should read; None for the whole file.

    Raises DamagedFileError if the file is truncated.
    """
    n_found = n_bytes_of_file - samples.start
    if samples.promised is None:
        if n_found % samples.frame_bytes or n_found < 0:
            raise DamagedFileError("the file is truncated: it ends in the middle of a sample")
        return None
    n_bytes = true_size(samples, n_found)
    ranges = samples.ranges or [(samples.start, samples.start + n_bytes)]
    if n_bytes != samples.promised or not samples.is_readable:
        header = samples.header(n_bytes) if samples.header else None
        return None if header is None else (header, ranges)
    if n_bytes < n_found and not samples.ends_there:
        return b"", [(0, samples.start + n_bytes)]
    return None


def true_size(samples, n_found):
    """Return the size of the samples in bytes, of which at most `n_found` exist.

    Raises DamagedFileError if the file is truncated.
    """
    promised = samples.promised
    if promised <= 0 or (promised > n_found and is_placeholder(promised, samples.bits)):
        return max(0, n_found - n_found % samples.frame_bytes)
    if promised > n_found:
        raise DamagedFileError(
            f"the file is truncated: its header promises {promised} bytes of audio, but only "
            f"{max(0, n_found)} are present"
        )
    if n_found - promised >= _MAX_TRAILING_BYTES:
        raise DamagedFileError(
            f"the file is damaged: its header promises {promised} bytes of audio, but "
            f"{n_found} are present"
        )
    return promised


def is_placeholder(number, bits=32):
    """Return True if a size was written by a program that did not know the size."""
    return any(abs(number - placeholder) <= _TOLERANCE for placeholder in _PLACEHOLDERS[bits])

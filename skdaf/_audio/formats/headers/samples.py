"""Where the samples of a file are, and how many bytes of them there really are."""

from collections.abc import Callable
from dataclasses import dataclass

from skdaf._audio.formats.errors import DamagedFileError

NO_SAMPLES = "the file holds no samples"

# Writers that cannot know the size, into a pipe or beyond 4 GiB, write a number close to one of
# these (0x7F000000 is that of sox in AIFF files), or 0.
_PLACEHOLDERS = {32: (0x7F000000, 2**31, 2**32), 64: (2**63, 2**64)}
CLOSE = 2**16

# What follows the samples is smaller. Sizes beyond 4 GiB are often counted with 32 bits only.
_MOST_BYTES_BEHIND = 2**31

# The largest size that fits into 32 bits and is no placeholder.
LARGEST_32_BITS = 2**32 - 2**17


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
        The size of a frame, or of a block of frames. It shows whether the file has lost its end if
        nothing else does.
    ends_there : bool
        True if libsndfile ignores what follows the promised samples.
    header : callable or None
        Returns a header for a size of samples in bytes; None if the header of the file cannot be
        replaced.
    is_readable : bool
        True if libsndfile reads the header of the file.
    ranges : list of (first, stop) or None
        All samples, if they are not contiguous.
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

    Raises DamagedFileError if the file has lost its end.
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

    Raises DamagedFileError if the end is missing.
    """
    promised = samples.promised
    if promised <= 0 or (promised > n_found and is_placeholder(promised, samples.bits)):
        return max(0, n_found - n_found % samples.frame_bytes)
    if promised > n_found:
        raise DamagedFileError(
            f"the file is truncated: its header promises {promised} bytes of audio, but only "
            f"{max(0, n_found)} are present"
        )
    if n_found - promised >= _MOST_BYTES_BEHIND:
        raise DamagedFileError(
            f"the file is damaged: its header promises {promised} bytes of audio, but "
            f"{n_found} are present"
        )
    return promised


def is_placeholder(number, bits=32):
    """Return True if a size was written by a program that did not know the size."""
    return any(abs(number - placeholder) <= CLOSE for placeholder in _PLACEHOLDERS[bits])

"""Check a sequence of frames, each of which has its size in its header."""

from skdaf._audio.formats.containers.container import Structure, damaged
from skdaf._audio.formats.id3 import id3_size

# APE and ID3 tags after the last frame.
_TRAILING_TAGS = (b"APETAGEX", b"TAG")


def check_of_frames(size_of, n_header):
    """Return a function that checks a sequence of frames.

    Nothing marks the end of such a stream, so a truncated last frame is not an error.

    Parameters
    ----------
    size_of : callable
        Takes the first `n_header` bytes of a frame; returns its size, or 0 if it is not a frame.
    n_header : int
    """

    def check(content):
        start, end = id3_size(content), len(content)
        position = start
        while position + n_header <= end:
            size = size_of(content[position : position + n_header])
            if not size:
                is_tag = content[position : position + 8].startswith(_TRAILING_TAGS)
                is_end = is_tag or content.is_zero(position, end)
                return Structure(position, "" if is_end else damaged(position))
            if position + size > end:
                break
            position += size
        if position == start:
            return Structure(position, "the file is truncated: it contains no complete frame")
        return Structure(position)

    return check

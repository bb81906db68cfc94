"""Frames that follow each other, each with its own size in its header."""

from skdaf._audio.formats.containers.container import Structure, damaged
from skdaf._audio.formats.id3 import id3_size

# APE and ID3 tags after the last frame.
_TAGS_BEHIND = (b"APETAGEX", b"TAG")


def check_of_frames(size_of, n_header):
    """Return a check of frames.

    Such a stream has no end of its own, so a last frame that is cut off does not count.

    Parameters
    ----------
    size_of : callable
        Takes the first `n_header` bytes of a frame; returns its size, or 0 if it is no frame.
    n_header : int
    """

    def check(content):
        start, end = id3_size(content), len(content)
        position = start
        while position + n_header <= end:
            size = size_of(content[position : position + n_header])
            if not size:
                is_tag = content[position : position + 8].startswith(_TAGS_BEHIND)
                is_end = is_tag or content.is_zero(position, end)
                return Structure(position, "" if is_end else damaged(position))
            if position + size > end:
                break
            position += size
        if position == start:
            return Structure(position, "the file is truncated: it holds no complete frame")
        return Structure(position)

    return check

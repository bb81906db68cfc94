"""Ogg with codecs that libsndfile does not read (Speex, video): pages with checksums.

FFmpeg skips pages with a wrong checksum.
"""

import zlib

from skdaf._audio.formats.containers.container import Structure, damaged, truncated

# First packets of streams that libsndfile does not read: Speex, some FLAC, and video.
CODECS = (b"Speex   ", b"\x7fFLAC", b"\x80theora", b"fishead\0", b"OVP80")

_CHECKSUM = slice(22, 26)
_REVERSED_BYTES = bytes(int(f"{byte:08b}"[::-1], 2) for byte in range(256))


def check_pages(content):
    position, n_bytes = 0, len(content)
    while content[position : position + 4] == b"OggS":
        n_segments = content[position + 26] if position + 26 < n_bytes else 0
        first = position + 27 + n_segments
        end = first + sum(content[position + 27 : first])
        if end > n_bytes:
            return Structure(n_bytes, truncated(end - position, n_bytes - position, "last page"))
        page = bytearray(content[position:end])
        stored = int.from_bytes(page[_CHECKSUM], "little")
        page[_CHECKSUM] = bytes(4)
        if checksum(page) != stored:
            return Structure(n_bytes, damaged(position))
        position = end
    return Structure(n_bytes, "" if content.is_zero(position, n_bytes) else damaged(position))


def checksum(page):
    """Return the checksum of a page: zlib's, with the bits of each byte and the result reversed."""
    start = 0xFFFFFFFF  # zlib inverts at both ends, Ogg does not
    value = zlib.crc32(page.translate(_REVERSED_BYTES), start) ^ start
    return int(f"{value:032b}"[::-1], 2)

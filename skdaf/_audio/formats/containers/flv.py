"""FLV (Flash video): tags, each followed by its size."""

from skdaf._audio.formats.containers.container import (
    SEVERAL_RECORDINGS,
    Structure,
    damaged,
    truncated,
)

SIGNATURE = b"FLV\x01"


def check_tags(content):
    n_bytes = len(content)
    (position,) = content.unpack(">I", 5)
    position += 4
    while position + 15 <= n_bytes:
        if content[position : position + 4] == SIGNATURE:
            return Structure(n_bytes, SEVERAL_RECORDINGS)
        size = 11 + int.from_bytes(content[position + 1 : position + 4], "big")
        if position + size + 4 > n_bytes:
            return Structure(n_bytes, truncated(size, n_bytes - position, "last tag"))
        (size_again,) = content.unpack(">I", position + size)
        if size_again != size:
            is_padding = content.is_zero(position, n_bytes)
            return Structure(n_bytes, "" if is_padding else damaged(position))
        position += size + 4
    is_cut = not content.is_zero(position, n_bytes)
    return Structure(n_bytes, truncated(15, n_bytes - position, "last tag") if is_cut else "")

"""ASF (WMA, WMV): a header, then packets. The header of a live stream contains no sizes."""

from skdaf._audio.formats.containers.container import (
    SEVERAL_RECORDINGS,
    Structure,
    damaged,
    truncated,
)

HEADER = bytes.fromhex("3026b2758e66cf11a6d900aa0062ce6c")
_DATA = bytes.fromhex("3626b2758e66cf11a6d900aa0062ce6c")
_PROPERTIES = bytes.fromhex("a1dcab8c47a9cf118ee400c00c205365")

# The properties are among the first bytes.
_MAX_HEADER_BYTES = 4096


def check_objects(content):
    position, n_bytes = 0, len(content)
    properties = content[:_MAX_HEADER_BYTES].find(_PROPERTIES)
    is_live = properties >= 0 and content[properties + 88] & 1
    if is_live:
        return Structure(n_bytes)
    while position + 24 <= n_bytes:
        kind, (size,) = content[position : position + 16], content.unpack("<Q", position + 16)
        if size < 24:
            break
        if kind == HEADER and position:
            return Structure(n_bytes, SEVERAL_RECORDINGS)
        if position + size > n_bytes:
            part = "data" if kind == _DATA else "header"
            return Structure(n_bytes, truncated(size, n_bytes - position, part))
        if kind == _DATA and (damage := _damaged_packet(content, properties, position, size)):
            return Structure(n_bytes, damaged(damage))
        position += size
    return Structure(n_bytes, "" if content.is_zero(position, n_bytes) else damaged(position))


def _damaged_packet(content, properties, position, size):
    """Return the position of the first packet that does not begin like the others, or None."""
    if properties < 0:
        return None
    packet_bytes, most = content.unpack("<II", properties + 92)
    first, end = position + 50, position + size
    if packet_bytes < 3 or packet_bytes != most or first >= end or not content[first] & 0x80:
        return None
    # Data for error correction, the same in all packets.
    beginning = content[first : first + 3]
    positions = range(first, end - packet_bytes + 1, packet_bytes)
    return next((here for here in positions if content[here : here + 3] != beginning), None)

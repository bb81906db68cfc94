"""Matroska and WebM: nested elements. Their sizes can be missing if they were not known."""

from skdaf._audio.formats.containers.container import Structure, damaged, truncated

SIGNATURE = b"\x1a\x45\xdf\xa3"

_SEGMENT, _CLUSTER, _VOID = 0x18538067, 0x1F43B675, 0xEC
_UNKNOWN_SIZE = -1

# Elements of segments and of clusters: SeekHead, Info, Tracks, Chapters, Cues, Attachments, Tags;
# Timestamp, SilentTracks, Position, PrevSize, SimpleBlock, BlockGroup, EncryptedBlock; CRC-32.
_IN_SEGMENT = {
    *(0x114D9B74, 0x1549A966, 0x1654AE6B, 0x1043A770, 0x1C53BB6B, 0x1941A469, 0x1254C367),
    *(_CLUSTER, _VOID, 0xBF),
}
_IN_CLUSTER = {0xE7, 0x5854, 0xA7, 0xAB, 0xA3, 0xA0, 0xAF, _VOID, 0xBF}


def check_elements(content):
    n_bytes = len(content)
    _, size, position = _element(content, 0)
    position += size
    kind, size, position = _element(content, position)
    if kind != _SEGMENT:
        return Structure(n_bytes, "the file is truncated or damaged: it has no segment")
    end = n_bytes if size == _UNKNOWN_SIZE else position + size
    if end > n_bytes:
        return Structure(n_bytes, truncated(size, n_bytes - position, "header"))
    while position < end:
        start = position
        kind, size, position = _element(content, position)
        if kind not in _IN_SEGMENT and kind not in _IN_CLUSTER:
            # Zeros, or another file, after the recording.
            is_padding = content.is_zero(start, end)
            return Structure(n_bytes, "" if is_padding else damaged(start))
        if kind == _CLUSTER or size == _UNKNOWN_SIZE:
            continue  # its elements are next
        position += size
        if position > end:
            return Structure(n_bytes, truncated(size, size - position + end, "last block"))
    return Structure(n_bytes)


def _element(content, position):
    """Return the kind and the size of an element, and the position of its content."""
    kind, position = _number(content, position, keep_marker=True)
    size, position = _number(content, position)
    return kind, size, position


def _number(content, position, keep_marker=False):
    """Read a number whose first set bit encodes its number of bytes; return it and its end."""
    if position >= len(content) or not content[position]:
        return 0, position + 1
    n_bytes = 9 - content[position].bit_length()
    value = int.from_bytes(content[position : position + n_bytes], "big")
    if keep_marker:
        return value, position + n_bytes
    mask = (1 << 7 * n_bytes) - 1
    is_unknown = value & mask == mask
    return (_UNKNOWN_SIZE if is_unknown else value & mask), position + n_bytes

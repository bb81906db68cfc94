"""Creative Voice (VOC): sound in blocks."""

from skdaf._audio.formats.errors import DamagedFileError
from skdaf._audio.formats.headers.reader import MAX_CHUNKS
from skdaf._audio.formats.headers.samples import Samples

# How many bytes of numbers come before the samples of a block, by the kind of block. sox does not
# count some of them in the size.
_NUMBER_BYTES = {1: 2, 2: 0, 9: 12}
_SOX_BYTES = 8

# Kinds of blocks that begin a new sound, or silence.
_NEW_SOUND = (1, 3, 9)
_CONTINUATION = b"\x02"


def find_voc(reader):
    """Find the first block of samples and its continuations."""
    blocks = list(_blocks(reader))
    sounds = [block for block in blocks if block[0] in _NUMBER_BYTES]
    if not sounds:
        return None
    kind, position, _ = sounds[0]
    if any(other in _NEW_SOUND for other, at, _ in blocks if at > position):
        raise DamagedFileError("contains several sounds, of which only the first would be read")
    start = position + _NUMBER_BYTES[kind]
    ranges = [(at + _NUMBER_BYTES[kind], at + size) for kind, at, size in sounds]
    promised, stop = sum(stop - first for first, stop in ranges), ranges[-1][1]
    if stop > reader.n_bytes:
        return Samples(stop - promised, promised)
    # The byte before the first block (21) is 0. It is used again, because a byte of 0 ends the list
    # of blocks.
    return Samples(
        start,
        promised,
        ends_there=True,
        header=lambda n_bytes: _header(reader, position, start, n_bytes),
        is_readable=len(ranges) == 1 and stop >= reader.n_bytes - 1,
        ranges=[*ranges, (21, 22)],
    )


def _header(reader, position, start, n_bytes):
    size = n_bytes + start - position
    if size >= 2**24:
        raise DamagedFileError(f"{n_bytes} bytes of audio are too many for a VOC header")
    head = reader.patched(start)
    return head and head[: position - 3] + size.to_bytes(3, "little") + head[position:]


def _blocks(reader):
    """Yield the kind, the position of the content and the size of each block."""
    position, has_sound = reader.number_at(20, "<H"), False
    for _ in range(MAX_CHUNKS):
        kind = reader.bytes_at(position, 1)
        if kind in (b"", b"\0"):
            return
        size = int.from_bytes(reader.bytes_at(position + 1, 3), "little")
        stop = position + 4 + size
        if kind == b"\x09" and stop + _SOX_BYTES == reader.n_bytes - 1:
            size += _SOX_BYTES
        # Bytes after the sound can look like a block.
        if stop > reader.n_bytes and has_sound and kind != _CONTINUATION:
            return
        has_sound = has_sound or kind[0] in _NUMBER_BYTES
        yield kind[0], position + 4, size
        position += 4 + size

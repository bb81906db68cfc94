"""WavPack: blocks, each with the number of its first sample."""

from skdaf._audio.formats.containers.container import SEVERAL_RECORDINGS, Structure
from skdaf._audio.formats.containers.content import BLOCK_BYTES
from skdaf._audio.formats.containers.frames import check_of_frames
from skdaf._audio.formats.id3 import id3_size

SIGNATURE = b"wvpk"


def check_numbered_blocks(content):
    structure = _check_blocks(content)
    position, number = id3_size(content), 0
    # There can be tags between two recordings.
    is_joined = SIGNATURE in content[structure.end + 1 : structure.end + BLOCK_BYTES]
    while position + 32 <= structure.end and not is_joined:
        last_number, (number,) = number, content.unpack("<I", position + 16)
        is_joined = number < last_number
        position += _size(content[position : position + 8])
    return Structure(structure.end, SEVERAL_RECORDINGS) if is_joined else structure


def _size(head):
    return 8 + int.from_bytes(head[4:8], "little") if head[:4] == SIGNATURE else 0


_check_blocks = check_of_frames(_size, 8)

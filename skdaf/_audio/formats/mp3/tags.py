"""Tags of MP3 files: tags between frames, and the info tag in a frame without audio."""

import re
import struct
from dataclasses import dataclass

from skdaf._audio.formats.id3 import id3_size
from skdaf._audio.formats.mp3.header import HEADER_BYTES

# Info tags begin with "Xing" or "Info" after the side information, or "VBRI" at a fixed position.
INFO_TAGS = (b"Xing", b"Info")
VBRI_TAG, VBRI_TAG_AT = b"VBRI", 36

TAG = rb"ID3[\2-\4]|TAG|APETAGEX|LYRICSBEGIN"

ID3V1_BYTES = 128

_TAG_HEAD_BYTES = 32
_MAX_LYRICS_BYTES = 2**16


def tag_end(content, position):
    """Return where the tag at a position ends; the same position if there is no tag.

    Parameters
    ----------
    content : Blocks
        The bytes of a file.
    position : int
    """
    head = content.at(position, _TAG_HEAD_BYTES)
    if size := id3_size(head):
        return min(content.stop, position + size)
    if head.startswith(b"APETAGEX") and len(head) == _TAG_HEAD_BYTES:
        size, _, flags = struct.unpack("<III", head[12:24])
        return min(content.stop, position + 32 + (size if flags & 1 << 29 else 0))
    if head.startswith(b"LYRICSBEGIN"):
        found = re.search(rb"LYRICS200|LYRICSEND", content.at(position, _MAX_LYRICS_BYTES))
        return position + (found.end() if found else 0)
    if head.startswith(b"TAG"):
        return min(content.stop, position + (227 if head[3:4] == b"+" else ID3V1_BYTES))
    return position


def skip_tags(content, position):
    """Return the position after all tags that follow each other here."""
    while (end := tag_end(content, position)) > position:
        position = end
    return position


@dataclass(frozen=True)
class InfoTag:
    """What an encoder wrote into a frame without audio (Xing, Info, VBRI); 0 means unknown.

    Attributes
    ----------
    n_frames, n_bytes : int
        The number of frames with audio, and the size of all frames.
    delay, padding : int or None
        Samples that the encoder added at the beginning and at the end.
    """

    n_frames: int = 0
    n_bytes: int = 0
    delay: int | None = None
    padding: int | None = None


def info_tag(frame, header):
    """Return the InfoTag that a frame of layer III contains; None if it contains audio instead."""
    if frame[VBRI_TAG_AT : VBRI_TAG_AT + 4] == VBRI_TAG:
        return InfoTag(*reversed(struct.unpack(">II", frame[46:54]))) if frame[53:] else InfoTag()
    at = HEADER_BYTES + header.side_bytes
    # Two bytes may be a checksum.
    if frame[at : at + 4] not in INFO_TAGS or any(frame[6:at]):
        return None
    flags = int.from_bytes(frame[at + 4 : at + 8], "big")
    at += 8
    numbers = []
    for flag, n_bytes in ((1, 4), (2, 4), (4, 100), (8, 4)):
        n_present = n_bytes if flags & flag else 0
        numbers.append(int.from_bytes(frame[at : at + n_present], "big"))
        at += n_present
    if len(frame) < at + 24 or not frame[at]:
        return InfoTag(*numbers[:2])
    both = int.from_bytes(frame[at + 21 : at + 24], "big")
    return InfoTag(*numbers[:2], both >> 12, both & 0xFFF)

"""RIFF: AVI, and WAV with codecs that libsndfile does not read.

Chunks contain other chunks. AVI files above 1 GB contain several RIFF chunks.
"""

import struct

from skdaf._audio.formats.containers.container import Container, Structure, damaged, truncated

# Programs that write to a pipe do not know the size, and store 0 or a number above this.
_MAX_KNOWN_SIZE = 2**31 - 2**16


def _check_riff(content):
    position, n_bytes = 0, len(content)
    while content[position : position + 4] == b"RIFF" and position + 12 <= n_bytes:
        (size,) = content.unpack("<I", position + 4)
        if not 0 < size < _MAX_KNOWN_SIZE:
            break
        if position + 8 + size > n_bytes:
            return Structure(n_bytes, truncated(size, n_bytes - position - 8, "header"))
        if problem := _problem_of_chunks(content, position + 12, position + 8 + size):
            return Structure(n_bytes, problem)
        position += 8 + size + size % 2
    return Structure(n_bytes)


def _problem_of_chunks(content, position, end):
    while position + 8 <= end:
        name, size = content.unpack("<4sI", position)
        if not all(32 <= byte < 127 for byte in name):
            return "" if content.is_zero(position, end) else damaged(position)
        if name == b"LIST" and content[position + 8 : position + 12] in (b"movi", b"rec "):
            position += 12
            continue
        if position + 8 + size > end:
            return damaged(position)
        position += 8 + size + size % 2
    return ""


_AVI = Container("AVI", "avi", _check_riff)
_WAV = Container("WAV", "wav", _check_riff)

# Codes of WAV files that libsndfile does not read: Yamaha ADPCM, TrueSpeech, G.723.1, G.726, MPEG
# layers I and II, AAC, Windows Media, ATRAC3, AC-3, DTS, FLAC.
_WAV_CODES = {
    *(0x20, 0x22, 0x42, 0x45, 0x50, 0xFF, 0x160, 0x161, 0x162, 0x163, 0x270, 0x1600, 0x1602),
    *(0x2000, 0x2001, 0xF1AC),
}


def riff_container(head):
    """Return the Container of a RIFF file with these first bytes; None if libsndfile reads it."""
    if head[8:12] == b"AVI ":
        return _AVI
    position = head.find(b"fmt ")
    if head[8:12] != b"WAVE" or position < 0 or position + 10 > len(head):
        return None
    (code,) = struct.unpack_from("<H", head, position + 8)
    return _WAV if code in _WAV_CODES else None

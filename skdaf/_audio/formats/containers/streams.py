"""Streams of frames without a container: AAC, AC-3, DTS, AMR, MPEG.

For each codec, a function takes the first bytes of a frame and returns its size, or 0 if the bytes
are not the start of a frame.
"""

from skdaf._audio.formats.containers.container import Structure, damaged

# Bit rates of AC-3 in kbit/s. Each of them has two frame sizes.
_AC3_BIT_RATES = (32, 40, 48, 56, 64, 80, 96, 112, 128, 160, 192, 224, 256, 320, 384, 448, 512, 576,
                  640)  # fmt: skip
_AC3_RATES = (48_000, 44_100, 32_000)

TS_PACKET_BYTES = 188
# Files from cameras and discs have a timestamp before each packet.
TIME_BYTES = 4

# Bytes per frame, by mode.
_AMR_NARROW = (13, 14, 16, 18, 20, 21, 27, 32, 6, 0, 0, 0, 0, 0, 0, 1)
_AMR_WIDE = (18, 24, 33, 37, 41, 47, 51, 59, 61, 6, 0, 0, 0, 0, 1, 1)
AMR_LINE, AMR_WIDE_LINE = b"#!AMR\n", b"#!AMR-WB\n"


def adts_size(head):
    """AAC in ADTS frames."""
    if head[0] != 0xFF or head[1] & 0xF6 != 0xF0:
        return 0
    size = (head[3] & 3) << 11 | head[4] << 3 | head[5] >> 5
    return size if size > 7 else 0


def loas_size(head):
    """AAC in LOAS frames."""
    if head[0] != 0x56 or head[1] & 0xE0 != 0xE0:
        return 0
    return 3 + ((head[1] & 0x1F) << 8 | head[2])


def ac3_size(head):
    """AC-3, and E-AC-3, in which frames store their size directly."""
    if head[:2] != b"\x0b\x77":
        return 0
    if 10 < head[5] >> 3 <= 16:
        return 2 * (1 + ((head[2] & 7) << 8 | head[3]))
    code, rate = head[4] & 63, head[4] >> 6
    if rate > 2 or code >= 2 * len(_AC3_BIT_RATES):
        return 0
    n_words = _AC3_BIT_RATES[code // 2] * 96_000 // _AC3_RATES[rate]
    return 2 * (n_words + (code % 2 if rate == 1 else 0))


def is_eac3(head):
    """Return True if an AC-3 frame is an E-AC-3 frame."""
    return head[5] >> 3 > 10


def dts_size(head):
    """DTS: core frames and extension frames."""
    if head[:4] == b"\x7f\xfe\x80\x01":
        return 1 + ((head[5] & 3) << 12 | head[6] << 4 | head[7] >> 4)
    if head[:4] != b"\x64\x58\x20\x25":
        return 0
    bits = int.from_bytes(head[4:12], "big")
    is_long = bits >> 53 & 1
    return 1 + (bits >> 21 & 0xFFFFF if is_long else bits >> 29 & 0xFFFF)


def ts_size(head):
    """MPEG transport streams: packets of a fixed size."""
    return TS_PACKET_BYTES if head[:1] == b"G" else 0


def m2ts_size(head):
    """MPEG transport streams with a timestamp before each packet."""
    return TIME_BYTES + TS_PACKET_BYTES if head[TIME_BYTES:] == b"G" else 0


def ps_size(head):
    """MPEG program streams: packs, and packets of several kinds."""
    if head[:3] != b"\0\0\1" or head[3] < 0xB9:
        return 0
    if head[3] == 0xB9:
        return 4
    if head[3] == 0xBA:
        return 14 + (head[13] & 7) if head[4] >> 6 == 1 else 12
    return 6 + (head[4] << 8 | head[5])


def check_amr(content):
    """AMR: a line of text, then frames whose first byte contains their mode."""
    is_wide = content[: len(AMR_WIDE_LINE)] == AMR_WIDE_LINE
    sizes, position = (_AMR_WIDE, 9) if is_wide else (_AMR_NARROW, 6)
    while position < len(content):
        size = sizes[content[position] >> 3 & 15]
        if not size or content[position] & 0x83:
            return Structure(position, damaged(position))
        if position + size > len(content):
            break
        position += size
    return Structure(position)

"""The header of an MPEG audio frame."""

import re

# kbit/s by (version, layer). MPEG-2.5 has the bit rates of MPEG-2.
_BITRATES = {
    (1, 1): (32, 64, 96, 128, 160, 192, 224, 256, 288, 320, 352, 384, 416, 448),
    (1, 2): (32, 48, 56, 64, 80, 96, 112, 128, 160, 192, 224, 256, 320, 384),
    (1, 3): (32, 40, 48, 56, 64, 80, 96, 112, 128, 160, 192, 224, 256, 320),
    (2, 1): (32, 48, 56, 64, 80, 96, 112, 128, 144, 160, 176, 192, 224, 256),
    (2, 2): (8, 16, 24, 32, 40, 48, 56, 64, 80, 96, 112, 128, 144, 160),
    (2, 3): (8, 16, 24, 32, 40, 48, 56, 64, 80, 96, 112, 128, 144, 160),
}
_RATES = (44_100, 48_000, 32_000)

# Frames of one stream have the same version, layer and sampling rate.
_SAME_STREAM = 0xFFFE0C00

HEADER_BYTES = 4
MAX_FRAME_BYTES = 3456  # in free format; others have 2,881 bytes at most

HEADER = rb"\xff[\xe2-\xe7\xf2-\xf7\xfa-\xff][^\xf0-\xff][\0-\xff]"


class FrameHeader:
    """The content of the four bytes at the start of a frame.

    Attributes
    ----------
    bits : int
        The four bytes as a number.
    stream : int
        The bits that are the same in all frames of a stream.
    layer, version : int
    rate : int
        In Hz.
    channels : int
    frame_samples : int
        Samples per channel.
    side_bytes : int
        The size of the side information that follows the header in layer III.
    """

    def __init__(self, bits):
        version = bits >> 19 & 3
        self.bits, self.stream = bits, bits & _SAME_STREAM
        self.layer = 4 - (bits >> 17 & 3)
        self.version = 1 if version == 3 else 2
        self.rate = _RATES[bits >> 10 & 3] >> {3: 0, 2: 1, 0: 2}[version]
        self.channels = 1 if bits >> 6 & 3 == 3 else 2
        self.frame_samples = 384 if self.layer == 1 else 576 if self._is_short else 1152
        self.side_bytes = {(1, 1): 17, (1, 2): 32, (2, 1): 9, (2, 2): 17}[
            self.version, self.channels
        ]

    @property
    def _is_short(self):
        return self.layer == 3 and self.version == 2

    @property
    def has_free_format(self):
        """True if the header does not contain the size of the frame."""
        return not self.bits >> 12 & 15

    @property
    def has_padding(self):
        return self.bits >> 9 & 1

    def n_bytes(self, free_bytes):
        """Return the size of the frame; `free_bytes` is the size of frames in free format."""
        slot = 4 if self.layer == 1 else 1
        padding = slot * self.has_padding
        if self.has_free_format:
            return free_bytes + padding if free_bytes else 0
        bitrate = 1000 * _BITRATES[self.version, self.layer][(self.bits >> 12 & 15) - 1]
        return self.frame_samples // 8 // slot * bitrate // self.rate * slot + padding


def header_at(content):
    """Return the FrameHeader at the start of some bytes; None if there is no header."""
    if not re.match(HEADER, content, re.DOTALL):
        return None
    bits = int.from_bytes(content[:HEADER_BYTES], "big")
    return FrameHeader(bits) if bits >> 10 & 3 != 3 else None

"""IFF: AIFF, AIFF-C, 8SVX and 16SV."""

import struct

from skdaf._audio.formats.errors import DamagedFileError, TruncatedHeaderError
from skdaf._audio.formats.headers.chunks import chunk
from skdaf._audio.formats.headers.samples import (
    MAX_32_BIT_SIZE,
    MAX_FORMAT_BYTES,
    NO_SAMPLES,
    Samples,
    is_placeholder,
)

# Compression types of AIFF-C whose samples have the width that the COMM chunk specifies.
_LINEAR = (b"NONE", b"sowt", b"twos", b"fl32", b"FL32", b"fl64", b"FL64", b"in24", b"in32")

_AIFF_C_VERSION = 0xA2805140


def find_aiff(reader):
    """Find the samples of an AIFF or AIFF-C file."""
    common, samples = None, None
    for name, position, size in reader.chunks(12, ">4sI", 2):
        if name == b"COMM" and size < MAX_FORMAT_BYTES:
            common = reader.bytes_at(position, size)
        elif name == b"SSND":
            offset = reader.number_at(position, ">I")
            samples = Samples(position + 8 + offset, size - 8 - offset, ends_there=True)
        if common and samples:
            break
    if samples is None or common is None or len(common) < 18:
        return None
    n_found = reader.n_bytes - samples.start
    if samples.promised == 0 and (n_found <= 0 or reader.is_chunk(samples.start, ">4sI")):
        raise DamagedFileError(NO_SAMPLES)
    if samples.promised <= n_found and is_placeholder(samples.promised):
        samples.promised = n_found
        samples.is_readable = False
    samples.header = lambda n_bytes: _aiff_header(reader, common, n_bytes)
    return samples


def _aiff_header(reader, common, n_bytes):
    """Return a header with the true sizes."""
    if n_bytes > MAX_32_BIT_SIZE:
        raise DamagedFileError(f"{n_bytes} bytes of audio are too many for an AIFF header")
    kind = reader.bytes_at(8, 4)
    channels, _, bits = struct.unpack(">HIH", common[:8])
    if kind == b"AIFF" or common[18:22] in _LINEAR:
        n_frames = n_bytes // max(1, channels * (-(-bits // 8)))
        common = common[:2] + struct.pack(">I", n_frames) + common[6:]
    chunks = chunk(">", b"COMM", common)
    if kind == b"AIFC":
        chunks = chunk(">", b"FVER", struct.pack(">I", _AIFF_C_VERSION)) + chunks
    form = b"FORM" + struct.pack(">I", len(chunks) + n_bytes + 20) + kind
    return form + chunks + b"SSND" + struct.pack(">III", n_bytes + 8, 0, 0)


def find_svx(reader):
    """Find the samples of an 8SVX or 16SV file."""
    for name, position, size in reader.chunks(12, ">4sI", 2):
        if name == b"BODY":
            return Samples(
                position,
                size,
                header=lambda n_bytes, at=position: reader.patched(
                    at, (4, ">I", at + n_bytes - 8), (at - 4, ">I", n_bytes)
                ),
            )
    raise TruncatedHeaderError

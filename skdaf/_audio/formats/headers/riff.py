"""RIFF and related formats: WAV, RF64, BW64 and Wave64."""

import re
import struct

from skdaf._audio.formats.errors import DamagedFileError
from skdaf._audio.formats.headers.chunks import chunk
from skdaf._audio.formats.headers.reader import MAX_CHUNKS, HeaderReader
from skdaf._audio.formats.headers.samples import (
    MAX_32_BIT_SIZE,
    MAX_FORMAT_BYTES,
    NO_SAMPLES,
    Samples,
    is_placeholder,
    true_size,
)

WAV = rb"RIF[FX]....WAVE|(RF64|BW64)....WAVEds64"

_MAX_RIFF_BYTES = 2**31 - 2**17
_PADDING = 4096

# MPEG audio in WAV files: layers I and II, layer III.
_MPEG_CODES = (0x50, 0x55)
_MAX_MPEG_FRAME_BYTES = 2881

# Microsoft ADPCM, IMA ADPCM, GSM: libsndfile fills up a truncated block with old samples.
_BLOCK_CODES = (0x02, 0x11, 0x31)

# The last twelve bytes of chunk names in Wave64.
_W64_CHUNK_END = bytes.fromhex("f3acd3118cd100c04f8edb8a")


def find_wav(reader):
    """Find the samples of a WAV, RF64 or BW64 file."""
    order = ">" if reader.bytes_at(0, 4) == b"RIFX" else "<"
    magic, long_size, fmt = reader.bytes_at(0, 4), None, None
    for name, position, size in reader.chunks(12, f"{order}4sI", 2):
        if name == b"ds64":
            long_size = reader.number_at(position + 8, "<Q")
        elif name == b"fmt " and fmt is None and size < MAX_FORMAT_BYTES:
            fmt = reader.bytes_at(position, size)
        elif name == b"data" and fmt:
            is_long = long_size is not None and size == 2**32 - 1
            full_size = long_size if is_long else _corrected_size(reader, order, position, size)
            if size == full_size == 0:
                raise DamagedFileError(NO_SAMPLES)
            codec, block_bytes = struct.unpack(f"{order}H10xH", fmt[:14].ljust(14, b"\0"))
            return Samples(
                position,
                full_size,
                frame_bytes=max(1, block_bytes) if codec in _BLOCK_CODES else 1,
                ends_there=True,
                header=lambda n_bytes, fmt=fmt: _wav_header(order, fmt, n_bytes),
                is_readable=magic != b"BW64" and (is_long or full_size == size),
                bits=64 if is_long else 32,
                codec=codec,
            )
    return None


def _corrected_size(reader, order, start, size):
    """Return the size of the samples of a WAV file, even if its header is wrong about it."""
    n_found = reader.n_bytes - start
    if size in (reader.n_bytes, reader.n_bytes - 8):
        # Some writers store the size of the file instead.
        return 0
    if size > n_found:
        return size
    # The size may be stored in only 32 bits.
    full_size = size if is_placeholder(size) else size + (n_found - size) // 2**32 * 2**32
    stop = start + full_size
    padded_stop = stop + full_size % 2
    if padded_stop >= reader.n_bytes or any(
        reader.is_chunk(position, f"{order}4sI") for position in {stop, padded_stop}
    ):
        return full_size
    riff_size = reader.number_at(4, f"{order}I")
    if size == 0 or is_placeholder(size):
        return n_found
    if riff_size == reader.n_bytes - 8 and reader.bytes_at(padded_stop, _PADDING).strip(b"\0"):
        # The size of the file is right, so the size of the samples is wrong.
        return n_found
    return size


def _wav_header(order, fmt, n_bytes):
    """Return a header for samples of this size: RF64 if the size is too large for RIFF."""
    chunks = chunk(order, b"fmt ", fmt)
    if n_bytes <= _MAX_RIFF_BYTES or order == ">":
        if n_bytes > MAX_32_BIT_SIZE:
            raise DamagedFileError(f"{n_bytes} bytes of audio are too many for an RIFX header")
        magic = b"RIFX" if order == ">" else b"RIFF"
        sizes = [struct.pack(f"{order}I", size) for size in (len(chunks) + n_bytes + 12, n_bytes)]
        return magic + sizes[0] + b"WAVE" + chunks + b"data" + sizes[1]
    frame_bytes = max(1, int.from_bytes(fmt[12:14], "little"))
    sizes = struct.pack("<QQQI", n_bytes + len(chunks) + 48, n_bytes, n_bytes // frame_bytes, 0)
    unused = struct.pack("<I", 2**32 - 1)
    return b"RF64" + unused + b"WAVE" + chunk("<", b"ds64", sizes) + chunks + b"data" + unused


def find_mpeg_in_wav(file, n_bytes):
    """Return where the MPEG frames in a WAV file start and stop; None if it contains no frames.

    Raises DamagedFileError if more than the last frame is missing.
    """
    reader = HeaderReader(file, n_bytes)
    head = reader.bytes_at(0, 22)
    if re.match(WAV, head, re.DOTALL) is None:
        return None
    if head[12:16] == b"fmt " and int.from_bytes(head[20:22], "little") not in _MPEG_CODES:
        return None
    samples = find_wav(reader)
    if samples is None or samples.codec not in _MPEG_CODES:
        return None
    n_found = n_bytes - samples.start
    if n_found < samples.promised <= n_found + _MAX_MPEG_FRAME_BYTES:
        return samples.start, n_bytes
    return samples.start, samples.start + true_size(samples, n_found)


def find_w64(reader):
    """Find the samples of a Wave64 file."""
    position = 40
    for _ in range(MAX_CHUNKS):
        name, size = reader.numbers_at(position, "<16sq")
        position += 24
        if name == b"data" + _W64_CHUNK_END:
            return Samples(
                position,
                size - 24,
                header=lambda n_bytes, at=position: reader.patched(
                    at, (16, "<Q", at + n_bytes), (at - 8, "<Q", n_bytes + 24)
                ),
                bits=64,
            )
        # The size includes the name and the size field. Chunks begin at multiples of 8 bytes.
        if size < 24:
            return None
        position += size - 24 + -size % 8
    return None

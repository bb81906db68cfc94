"""Formats with a short header, in which a few numbers determine the size of the samples."""

import re

from skdaf._audio.formats.errors import DamagedFileError, TruncatedHeaderError
from skdaf._audio.formats.headers.samples import Samples

_AU_HEADER_BYTES = 24
_NIST_NUMBER = re.compile(rb"^(\w+) -\w+ (\d+)\s*$", re.MULTILINE)

# Bytes per sample by the format of a PAF file. Samples of 24 bits are packed in blocks of ten.
_PAF_BYTES = {0: 2, 1: 32, 2: 1}


def find_au(reader):
    """Find the samples of an AU file (.au, .snd)."""
    order = ">" if reader.bytes_at(0, 4) == b".snd" else "<"
    start, size = reader.numbers_at(4, f"{order}II")
    if start < _AU_HEADER_BYTES:
        # Otherwise, libsndfile would sometimes read the header as samples.
        raise DamagedFileError(
            f"the file is damaged: its samples begin at byte {start}, inside its header of "
            f"{_AU_HEADER_BYTES} bytes"
        )
    return Samples(
        start,
        size,
        ends_there=True,
        header=lambda n_bytes: reader.patched(start, (8, f"{order}I", min(n_bytes, 2**32 - 1))),
    )


def find_caf(reader):
    """Find the samples of a Core Audio file."""
    for name, position, size in reader.chunks(8, ">4sq"):
        if name == b"data":
            # The first four bytes are a count of edits.
            return Samples(
                position + 4,
                size - 4,
                ends_there=True,
                header=lambda n_bytes, at=position: reader.patched(
                    at + 4, (at - 8, ">q", n_bytes + 4)
                ),
                bits=64,
            )
        if size < 0:
            return None
    raise TruncatedHeaderError


def find_avr(reader):
    """Find the samples of an AVR file (Audio Visual Research)."""
    stereo, bits = reader.numbers_at(12, ">HH")
    n_frames = reader.number_at(26, ">I")
    return Samples(128, n_frames * (2 if stereo else 1) * (bits // 8))


def find_nist(reader):
    """Find the samples of a NIST SPHERE file."""
    text = reader.bytes_at(0, 1024)
    numbers = {name: int(number) for name, number in _NIST_NUMBER.findall(text)}
    if b"shorten" in text or not {b"sample_count", b"sample_n_bytes"} <= numbers.keys():
        return None
    frame_bytes = numbers[b"sample_n_bytes"] * numbers.get(b"channel_count", 1)
    start = text[8:16].strip()
    if not start.isdigit():
        return None
    return Samples(int(start), numbers[b"sample_count"] * frame_bytes)


def find_paf(reader):
    """Find the samples of a PAF file (Ensoniq), which does not store their size."""
    order = ">" if reader.bytes_at(0, 1) == b" " else "<"
    kind, channels = reader.numbers_at(16, f"{order}II")
    return Samples(2048, None, _PAF_BYTES.get(kind, 1) * max(1, channels))


def find_pvf(reader):
    """Find the samples of a PVF file (Portable Voice Format), which does not store their size."""
    head = re.match(rb"PVF1\n(\d+) \d+ (\d+)\n", reader.bytes_at(0, 64))
    if head is None:
        return None
    channels, bits = map(int, head.groups())
    return Samples(head.end(), None, max(1, channels * (bits // 8)))


def find_ircam(reader):
    """Find the samples of an IRCAM file (.sf), which does not store their size."""
    order = "<" if reader.bytes_at(0, 1) == b"\x64" else ">"
    channels, encoding = reader.numbers_at(8, f"{order}II")
    return Samples(1024, None, max(1, channels * (encoding & 0xFFFF)))


def find_mpc(reader):
    """Find the samples of an Akai MPC 2000 file."""
    stereo = reader.number_at(21, "B")
    return Samples(42, reader.number_at(30, "<I") * (2 if stereo else 1) * 2)


def find_xi(reader):
    """Find the samples of a FastTracker 2 instrument."""
    n_sounds, n_bytes = reader.numbers_at(296, "<HI")
    start = 298 + 40 * n_sounds
    if n_sounds != 1:
        return None
    # libsndfile writes a size of 0.
    is_wide = reader.number_at(298 + 14, "B") & 16
    return Samples(start, n_bytes or None, 2 if is_wide else 1)


def find_wve(reader):
    """Find the samples of a Psion file."""
    return Samples(32, reader.number_at(18, ">I"))


def find_sds(reader):
    """Find the samples of a MIDI Sample Dump file."""
    bits = reader.number_at(6, "B")
    low, middle, high = reader.numbers_at(10, "BBB")
    n_samples = low | middle << 7 | high << 14
    # Packets of 127 bytes hold 120 bytes of samples, seven bits in each.
    n_packets = -(-n_samples // (120 // max(1, -(-bits // 7))))
    return Samples(21, n_packets * 127)


def find_htk(reader):
    """Find the samples of an HTK file."""
    return Samples(12, reader.number_at(0, ">I") * 2)

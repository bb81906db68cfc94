"""Containers that libsndfile does not know: recognise them, and check that a file is whole.

A container is recognised by its first bytes, never by its name alone. FFmpeg resumes behind damage
and takes a file that has lost its end for a shorter one, both without an error. So the structure
is walked through here before anything is decoded.
"""

import os
import struct
import zlib
from dataclasses import dataclass
from typing import NamedTuple

# The first bytes that are looked at: behind them lie the codes of all containers below.
HEAD_BYTES = 4096

# Bytes that are looked at together where there should be nothing but zeros.
_PART = 2**16


@dataclass(frozen=True)
class Container:
    """A kind of file: what it is called, FFmpeg's demuxer for it, and how it is walked through.

    The walk takes the bytes of a file and returns a `Structure`.
    """

    name: str
    demuxer: str
    walk: object = None
    # Whether the times of its packets show where sound is missing.
    has_times: bool = False
    # Whether its header gives the exact number of samples, as formats without loss do.
    has_length: bool = False


class Structure(NamedTuple):
    """What a walk found: the end of what can be decoded, and what is wrong."""

    end: int
    problem: str = ""


def walk(path, container):
    """Walk through a file of this container; return its `Structure`."""
    with open(path, "rb") as file:
        content = _Content(file)
        if container.walk is None:
            return Structure(len(content))
        try:
            return container.walk(content)
        except (struct.error, IndexError):
            return Structure(len(content), "the file is truncated: a part of its header is missing")


class _Content:
    """The bytes of an open file, of which only those that are asked for are read."""

    def __init__(self, file):
        self._file, self._n_bytes = file, os.fstat(file.fileno()).st_size

    def __len__(self):
        return self._n_bytes

    def __getitem__(self, place):
        """Return a byte as a number, or a slice as bytes, fewer at the end of the file."""
        if not isinstance(place, slice):
            return self[place : place + 1][0]
        start = place.start or 0
        self._file.seek(start)
        return self._file.read(max(0, min(place.stop, self._n_bytes) - start))

    def unpack(self, layout, place):
        """Return the numbers at a place."""
        return struct.unpack(layout, self[place : place + struct.calcsize(layout)])

    def is_zero(self, start, end):
        """Return whether there is nothing but zeros."""
        parts = (self[place : min(end, place + _PART)] for place in range(start, end, _PART))
        return not any(map(any, parts))


_SEVERAL = "holds several recordings in a row, of which only the first would be read"


def _cut(announced, there, part):
    return (
        f"the file is truncated: its {part} announces {announced} bytes, {max(0, there)} are there"
    )


# --- MP4 and QuickTime ----------------------------------------------------------------------------

_BOXES = {b"ftyp", b"moov", b"mdat", b"free", b"skip", b"wide", b"pnot", b"moof", b"sidx", b"styp"}


def _walk_boxes(content):
    """MP4: boxes in a row. One of them is the index, and may come last."""
    place, n_bytes, kinds = 0, len(content), set()
    while place + 8 <= n_bytes:
        size, kind = content.unpack(">I4s", place)
        header = 8
        if size == 1 and place + 16 <= n_bytes:
            (size,), header = content.unpack(">Q", place + 8), 16
        if size == 0:
            size = n_bytes - place
        # Some writers leave zeros and other remains behind the last box.
        if size < header or not (kind.isascii() and kind.decode().isprintable()):
            break
        if kind == b"moov" and kind in kinds:
            return Structure(n_bytes, _SEVERAL)
        kinds.add(kind)
        if place + size > n_bytes:
            name = kind.decode("ascii")
            return Structure(n_bytes, _cut(size, n_bytes - place, f"box {name!r}"))
        place += size
    if b"moov" not in kinds:
        return Structure(n_bytes, "the file is truncated or damaged: its index (moov) is missing")
    return Structure(n_bytes)


# --- Matroska and WebM ----------------------------------------------------------------------------

_SEGMENT, _CLUSTER, _VOID = 0x18538067, 0x1F43B675, 0xEC
_UNKNOWN_SIZE = -1

# What a segment and a cluster may hold: SeekHead, Info, Tracks, Chapters, Cues, Attachments, Tags;
# Timestamp, SilentTracks, Position, PrevSize, SimpleBlock, BlockGroup, EncryptedBlock; CRC-32.
_IN_SEGMENT = {
    *(0x114D9B74, 0x1549A966, 0x1654AE6B, 0x1043A770, 0x1C53BB6B, 0x1941A469, 0x1254C367),
    *(_CLUSTER, _VOID, 0xBF),
}
_IN_CLUSTER = {0xE7, 0x5854, 0xA7, 0xAB, 0xA3, 0xA0, 0xAF, _VOID, 0xBF}


def _walk_ebml(content):
    """Matroska: nested elements. Those that hold others may have no size while they are written."""
    n_bytes = len(content)
    _, size, place = _ebml_element(content, 0)
    place += size
    kind, size, place = _ebml_element(content, place)
    if kind != _SEGMENT:
        return Structure(n_bytes, "the file is truncated or damaged: it has no segment")
    end = n_bytes if size == _UNKNOWN_SIZE else place + size
    if end > n_bytes:
        return Structure(n_bytes, _cut(size, n_bytes - place, "header"))
    while place < end:
        start = place
        kind, size, place = _ebml_element(content, place)
        if kind not in _IN_SEGMENT and kind not in _IN_CLUSTER:
            # Zeros, or another file, behind the sound.
            is_padding = content.is_zero(start, end)
            return Structure(n_bytes, "" if is_padding else _damaged(start))
        if kind == _CLUSTER or size == _UNKNOWN_SIZE:
            continue  # its elements are next
        place += size
        if place > end:
            return Structure(n_bytes, _cut(size, size - place + end, "last block"))
    return Structure(n_bytes)


def _damaged(place):
    return f"the file is damaged: it makes no sense from byte {place} on"


def _ebml_element(content, place):
    """Return the kind, the size and the first byte of the content of an element."""
    kind, place = _ebml_number(content, place, keep_marker=True)
    size, place = _ebml_number(content, place)
    return kind, size, place


def _ebml_number(content, place, keep_marker=False):
    """Read a number whose first bit that is set gives the number of its bytes."""
    if place >= len(content) or not content[place]:
        return 0, place + 1
    n_bytes = 9 - content[place].bit_length()
    value = int.from_bytes(content[place : place + n_bytes], "big")
    if keep_marker:
        return value, place + n_bytes
    mask = (1 << 7 * n_bytes) - 1
    is_unknown = value & mask == mask
    return (_UNKNOWN_SIZE if is_unknown else value & mask), place + n_bytes


# --- ASF (WMA, WMV) -------------------------------------------------------------------------------

_ASF_HEADER = bytes.fromhex("3026b2758e66cf11a6d900aa0062ce6c")
_ASF_DATA = bytes.fromhex("3626b2758e66cf11a6d900aa0062ce6c")
_ASF_PROPERTIES = bytes.fromhex("a1dcab8c47a9cf118ee400c00c205365")


def _walk_asf(content):
    """ASF: a header, then packets. Live streams do not know their sizes, and say so."""
    place, n_bytes = 0, len(content)
    properties = content[:HEAD_BYTES].find(_ASF_PROPERTIES)
    is_live = properties >= 0 and content[properties + 88] & 1
    if is_live:
        return Structure(n_bytes)
    while place + 24 <= n_bytes:
        kind, (size,) = content[place : place + 16], content.unpack("<Q", place + 16)
        if size < 24:
            break
        if kind == _ASF_HEADER and place:
            return Structure(n_bytes, _SEVERAL)
        if place + size > n_bytes:
            part = "data" if kind == _ASF_DATA else "header"
            return Structure(n_bytes, _cut(size, n_bytes - place, part))
        if kind == _ASF_DATA and (damage := _lost_packet(content, properties, place, size)):
            return Structure(n_bytes, _damaged(damage))
        place += size
    return Structure(n_bytes, "" if content.is_zero(place, n_bytes) else _damaged(place))


def _lost_packet(content, properties, place, size):
    """Return the place of the first packet that does not begin as the others; None for none."""
    if properties < 0:
        return None
    packet_bytes, most = content.unpack("<II", properties + 92)
    first, end = place + 50, place + size
    if packet_bytes < 3 or packet_bytes != most or first >= end or not content[first] & 0x80:
        return None
    # Notes for correcting errors, the same in all packets.
    beginning = content[first : first + 3]
    places = range(first, end - packet_bytes + 1, packet_bytes)
    return next((here for here in places if content[here : here + 3] != beginning), None)


# --- RIFF: AVI, and WAV of other codecs -----------------------------------------------------------

_RIFF_PLACEHOLDER = 2**31 - 2**16


def _walk_riff(content):
    """RIFF: chunks in chunks. AVI files above 1 GB hold several RIFF chunks in a row."""
    place, n_bytes = 0, len(content)
    while content[place : place + 4] == b"RIFF" and place + 12 <= n_bytes:
        (size,) = content.unpack("<I", place + 4)
        if not 0 < size < _RIFF_PLACEHOLDER:
            break  # a writer into a pipe, which could not know it
        if place + 8 + size > n_bytes:
            return Structure(n_bytes, _cut(size, n_bytes - place - 8, "header"))
        if problem := _problem_of_chunks(content, place + 12, place + 8 + size):
            return Structure(n_bytes, problem)
        place += 8 + size + size % 2
    return Structure(n_bytes)


def _problem_of_chunks(content, place, end):
    while place + 8 <= end:
        name, size = content.unpack("<4sI", place)
        if not all(32 <= byte < 127 for byte in name):
            return "" if content.is_zero(place, end) else _damaged(place)
        if name == b"LIST" and content[place + 8 : place + 12] in (b"movi", b"rec "):
            place += 12
            continue
        if place + 8 + size > end:
            return _damaged(place)
        place += 8 + size + size % 2
    return ""


# --- FLV ------------------------------------------------------------------------------------------


def _walk_flv(content):
    """FLV: tags in a row, and behind each the size that it has."""
    n_bytes = len(content)
    (place,) = content.unpack(">I", 5)
    place += 4
    while place + 15 <= n_bytes:
        if content[place : place + 4] == b"FLV\1":
            return Structure(n_bytes, _SEVERAL)
        size = 11 + int.from_bytes(content[place + 1 : place + 4], "big")
        if place + size + 4 > n_bytes:
            return Structure(n_bytes, _cut(size, n_bytes - place, "last tag"))
        (size_again,) = content.unpack(">I", place + size)
        if size_again != size:
            return Structure(n_bytes, "" if content.is_zero(place, n_bytes) else _damaged(place))
        place += size + 4
    is_cut = not content.is_zero(place, n_bytes)
    return Structure(n_bytes, _cut(15, n_bytes - place, "last tag") if is_cut else "")


# --- TTA ------------------------------------------------------------------------------------------

_TTA_HEADER = "<4sHHHIII"


def _walk_tta(content):
    """TTA: a header, the sizes of all frames, the frames."""
    *_, rate, n_samples, _ = content.unpack(_TTA_HEADER, 0)
    n_frames = -(-n_samples // max(1, 256 * rate // 245))
    n_header = struct.calcsize(_TTA_HEADER)
    start = n_header + 4 * n_frames + 4
    if start > len(content):
        return Structure(len(content), _cut(start, len(content), "header"))
    sizes = content.unpack(f"<{n_frames}I", n_header)
    end = start + sum(sizes)
    if end > len(content):
        return Structure(len(content), _cut(end, len(content), "header"))
    # Tags may lie between them.
    is_joined = b"TTA1" in content[end : end + _PART]
    return Structure(len(content), _SEVERAL if is_joined else "")


# --- CAF ------------------------------------------------------------------------------------------


def _walk_caf(content):
    """CAF: chunks in a row. The last one may have no size while it is written."""
    place, n_bytes = 8, len(content)
    while place + 12 <= n_bytes:
        name, size = content.unpack(">4sq", place)
        place += 12
        if size < 0 and name == b"data":
            return Structure(n_bytes)
        if size < 0 or not name.strip(b"\0").isascii():
            return Structure(n_bytes, _damaged(place - 12))
        if place + size > n_bytes:
            return Structure(n_bytes, _cut(size, n_bytes - place, f"chunk {name.decode()!r}"))
        place += size
    return Structure(n_bytes)


# --- Ogg (Speex, video) ---------------------------------------------------------------------------

_OGG_CHECKSUM = slice(22, 26)
_REVERSED_BYTES = bytes(int(f"{byte:08b}"[::-1], 2) for byte in range(256))


def _walk_ogg(content):
    """Ogg: pages with checksums. FFmpeg passes over those that are wrong."""
    place, n_bytes = 0, len(content)
    while content[place : place + 4] == b"OggS":
        n_segments = content[place + 26] if place + 26 < n_bytes else 0
        first = place + 27 + n_segments
        end = first + sum(content[place + 27 : first])
        if end > n_bytes:
            return Structure(n_bytes, _cut(end - place, n_bytes - place, "last page"))
        page = bytearray(content[place:end])
        checksum = int.from_bytes(page[_OGG_CHECKSUM], "little")
        page[_OGG_CHECKSUM] = bytes(4)
        if _ogg_checksum(page) != checksum:
            return Structure(n_bytes, _damaged(place))
        place = end
    return Structure(n_bytes, "" if content.is_zero(place, n_bytes) else _damaged(place))


def _ogg_checksum(page):
    """Return zlib's checksum with the bits of each byte, and of the result, in the other order."""
    start = 0xFFFFFFFF  # zlib inverts at both ends, Ogg does not
    value = zlib.crc32(page.translate(_REVERSED_BYTES), start) ^ start
    return int(f"{value:032b}"[::-1], 2)


# --- Frames in a row: AAC, AC-3, DTS, AMR, WavPack, MPEG streams ----------------------------------


def _frames(length_of, n_header):
    """Return a walk through frames that tell their own length, and no more.

    Such a stream has no end of its own: what is left of a frame that is cut off does not count.
    """

    def walk_frames(content):
        start, end = id3_bytes(content), len(content)
        place = start
        while place + n_header <= end:
            size = length_of(content[place : place + n_header])
            if not size:
                is_tag = content[place : place + 8].startswith(_TAGS_BEHIND)
                is_end = is_tag or content.is_zero(place, end)
                return Structure(place, "" if is_end else _damaged(place))
            if place + size > end:
                break
            place += size
        if place == start:
            return Structure(place, "the file is truncated: not even one frame is whole")
        return Structure(place)

    return walk_frames


# APE and ID3 tags behind the sound.
_TAGS_BEHIND = (b"APETAGEX", b"TAG")


def id3_bytes(content):
    """Return the size of the ID3 tag in front."""
    head = content[:10]
    if head[:3] != b"ID3" or len(head) < 10:
        return 0
    size = 0
    for digit in head[6:]:
        size = size << 7 | digit & 127
    has_footer = head[5] & 16
    return 10 + size + (10 if has_footer else 0)


def _adts_length(head):
    """AAC in ADTS frames."""
    if head[0] != 0xFF or head[1] & 0xF6 != 0xF0:
        return 0
    size = (head[3] & 3) << 11 | head[4] << 3 | head[5] >> 5
    return size if size > 7 else 0


def _loas_length(head):
    """AAC in LOAS frames."""
    if head[0] != 0x56 or head[1] & 0xE0 != 0xE0:
        return 0
    return 3 + ((head[1] & 0x1F) << 8 | head[2])


# Kilobits per second; two sizes of frames have each of these rates.
_AC3_BIT_RATES = (32, 40, 48, 56, 64, 80, 96, 112, 128, 160, 192, 224, 256, 320, 384, 448, 512, 576,
                  640)  # fmt: skip
_AC3_RATES = (48_000, 44_100, 32_000)


def _ac3_length(head):
    """AC-3, and E-AC-3, whose frames give their size as it is."""
    if head[:2] != b"\x0b\x77":
        return 0
    if 10 < head[5] >> 3 <= 16:
        return 2 * (1 + ((head[2] & 7) << 8 | head[3]))
    code, rate = head[4] & 63, head[4] >> 6
    if rate > 2 or code >= 2 * len(_AC3_BIT_RATES):
        return 0
    n_words = _AC3_BIT_RATES[code // 2] * 96_000 // _AC3_RATES[rate]
    return 2 * (n_words + (code % 2 if rate == 1 else 0))


def _dts_length(head):
    """DTS: frames of the core, and of its extensions."""
    if head[:4] == b"\x7f\xfe\x80\x01":
        return 1 + ((head[5] & 3) << 12 | head[6] << 4 | head[7] >> 4)
    if head[:4] != b"\x64\x58\x20\x25":
        return 0
    bits = int.from_bytes(head[4:12], "big")
    is_long = bits >> 53 & 1
    return 1 + (bits >> 21 & 0xFFFFF if is_long else bits >> 29 & 0xFFFF)


def _wavpack_length(head):
    return 8 + int.from_bytes(head[4:8], "little") if head[:4] == b"wvpk" else 0


_walk_wavpack_blocks = _frames(_wavpack_length, 8)


def _walk_wavpack(content):
    """WavPack: blocks, each with the number of its first sample."""
    structure = _walk_wavpack_blocks(content)
    place, number = id3_bytes(content), 0
    # Tags may lie between two recordings.
    is_joined = b"wvpk" in content[structure.end + 1 : structure.end + _PART]
    while place + 32 <= structure.end and not is_joined:
        last_number, (number,) = number, content.unpack("<I", place + 16)
        is_joined = number < last_number
        place += _wavpack_length(content[place : place + 8])
    return Structure(structure.end, _SEVERAL) if is_joined else structure


_TS_PACKET = 188


def _ts_length(head):
    """MPEG transport streams: packets of one size."""
    return _TS_PACKET if head[:1] == b"G" else 0


# Cameras and discs put a time before each packet.
_TIME_BYTES = 4


def _m2ts_length(head):
    return _TIME_BYTES + _ts_length(head[_TIME_BYTES:]) if head[_TIME_BYTES:] == b"G" else 0


def _ps_length(head):
    """MPEG program streams: packs, and packets of several kinds."""
    if head[:3] != b"\0\0\1" or head[3] < 0xB9:
        return 0
    if head[3] == 0xB9:
        return 4
    if head[3] == 0xBA:
        return 14 + (head[13] & 7) if head[4] >> 6 == 1 else 12
    return 6 + (head[4] << 8 | head[5])


_AMR_NARROW = (13, 14, 16, 18, 20, 21, 27, 32, 6, 0, 0, 0, 0, 0, 0, 1)
_AMR_WIDE = (18, 24, 33, 37, 41, 47, 51, 59, 61, 6, 0, 0, 0, 0, 1, 1)


def _walk_amr(content):
    """AMR: a line, then frames whose first byte gives their mode."""
    is_wide = content[:9] == b"#!AMR-WB\n"
    sizes, start = (_AMR_WIDE, 9) if is_wide else (_AMR_NARROW, 6)
    place = start
    while place < len(content):
        size = sizes[content[place] >> 3 & 15]
        if not size or content[place] & 0x83:
            return Structure(place, _damaged(place))
        if place + size > len(content):
            break
        place += size
    return Structure(place)


# --- Which one ------------------------------------------------------------------------------------

_MP4 = Container("MP4", "mov", _walk_boxes)
_MATROSKA = Container("MATROSKA", "matroska", _walk_ebml)
_ASF = Container("ASF", "asf", _walk_asf, has_times=True)
_WAV = Container("WAV", "wav", _walk_riff)
_ADTS = Container("AAC", "aac", _frames(_adts_length, 7))
_LOAS = Container("LATM", "loas", _frames(_loas_length, 3))
_AC3 = Container("AC3", "ac3", _frames(_ac3_length, 6))
_EAC3 = Container("EAC3", "eac3", _frames(_ac3_length, 6))
_DTS = Container("DTS", "dts", _frames(_dts_length, 12))
_AMR = Container("AMR", "amr", _walk_amr)
_MPEG_TS = Container("MPEG-TS", "mpegts", _frames(_ts_length, 1))
_M2TS = Container("MPEG-TS", "mpegts", _frames(_m2ts_length, 5))
_OGG = Container("OGG", "ogg", _walk_ogg)
_CAF = Container("CAF", "caf", _walk_caf)

# The first bytes of containers that have some of their own.
_SIGNATURES = [
    (b"\x1a\x45\xdf\xa3", _MATROSKA),
    (_ASF_HEADER, _ASF),
    (b"#!AMR\n", _AMR),
    (b"#!AMR-WB\n", _AMR),
    (b"\x7f\xfe\x80\x01", _DTS),
    (b"\x64\x58\x20\x25", _DTS),
    (b"FLV\x01", Container("FLV", "flv", _walk_flv)),
    (b"\x00\x00\x01\xba", Container("MPEG-PS", "mpeg", _frames(_ps_length, 14))),
    (b"MAC ", Container("APE", "ape", has_length=True)),
    (b"wvpk", Container("WAVPACK", "wv", _walk_wavpack, has_length=True)),
    (b"TTA1", Container("TTA", "tta", _walk_tta, has_length=True)),
    (b"MP+", Container("MUSEPACK", "mpc", has_length=True)),
    (b"MPCK", Container("MUSEPACK", "mpc8", has_length=True)),
    (b"tBaK", Container("TAK", "tak", has_length=True)),
    (b"DSD ", Container("DSF", "dsf", has_length=True)),
]

# Codes of WAV files that libsndfile does not read: Yamaha ADPCM, TrueSpeech, G.723.1, G.726, MPEG
# layers I and II, AAC, Windows Media, ATRAC3, AC-3, DTS, FLAC.
_WAV_CODES = {
    *(0x20, 0x22, 0x42, 0x45, 0x50, 0xFF, 0x160, 0x161, 0x162, 0x163, 0x270, 0x1600, 0x1602),
    *(0x2000, 0x2001, 0xF1AC),
}

# First packets of Ogg streams that it does not read: Speex, some FLAC, and video.
_OGG_CODECS = (b"Speex   ", b"\x7fFLAC", b"\x80theora", b"fishead\0", b"OVP80")

# Codecs of CAF files that it does not read, or not all of them (ALAC).
_CAF_CODECS = {
    b"alac",
    *(b"aac ", b"aach", b"aacp", b".mp1", b".mp2", b".mp3", b"ac-3", b"ec-3"),
    *(b"ilbc", b"samr", b"QDM2", b"QDMC", b"ima4", b"Opus", b"opus", b"flac"),
}


def container_of(head):
    """Return the Container that the first bytes of a file stand for, None for other files."""
    for signature, container in _SIGNATURES:
        if head.startswith(signature):
            return container
    if head[4:8] in _BOXES:
        return _MP4
    if head[:4] == b"RIFF":
        return _riff(head)
    if head[:4] == b"OggS" and head[28:].startswith(_OGG_CODECS):
        return _OGG
    if head[:4] == b"caff" and head[8:12] == b"desc" and head[28:32] in _CAF_CODECS:
        return _CAF
    if head[: 3 * _TS_PACKET : _TS_PACKET] == b"GGG":
        return _MPEG_TS
    if head[_TIME_BYTES :: _TIME_BYTES + _TS_PACKET][:3] == b"GGG":
        return _M2TS
    return _stream_of_frames(head)


def _riff(head):
    if head[8:12] == b"AVI ":
        return Container("AVI", "avi", _walk_riff)
    place = head.find(b"fmt ")
    if head[8:12] != b"WAVE" or place < 0 or place + 10 > len(head):
        return None
    (code,) = struct.unpack_from("<H", head, place + 8)
    return _WAV if code in _WAV_CODES else None


def _stream_of_frames(head):
    head = head[id3_bytes(head) :]
    if len(head) < 7:
        return None
    if _adts_length(head):
        return _ADTS
    if _loas_length(head) and _loas_length(head[_loas_length(head) :] + bytes(3)):
        return _LOAS
    if _ac3_length(head):
        return _EAC3 if head[5] >> 3 > 10 else _AC3
    return None

"""The table of containers: the first bytes of a file determine its Container."""

from skdaf._audio.formats.containers import (
    asf,
    caf,
    flv,
    matroska,
    mp4,
    ogg,
    streams,
    tta,
    wavpack,
)
from skdaf._audio.formats.containers.avi import riff_container
from skdaf._audio.formats.containers.container import Container
from skdaf._audio.formats.containers.frames import check_of_frames
from skdaf._audio.formats.id3 import id3_size

# How many bytes to look at. They include the codes of all containers.
HEAD_BYTES = 4096

_ADTS = Container("AAC", "aac", check_of_frames(streams.adts_size, 7))
_LOAS = Container("LATM", "loas", check_of_frames(streams.loas_size, 3))
_AC3 = Container("AC3", "ac3", check_of_frames(streams.ac3_size, 6))
_EAC3 = Container("EAC3", "eac3", check_of_frames(streams.ac3_size, 6))
_AMR = Container("AMR", "amr", streams.check_amr)
_ASF = Container("ASF", "asf", asf.check_objects, has_times=True)
_CAF = Container("CAF", "caf", caf.check_chunks)
_DTS = Container("DTS", "dts", check_of_frames(streams.dts_size, 12))
_FLV = Container("FLV", "flv", flv.check_tags)
_MATROSKA = Container("MATROSKA", "matroska", matroska.check_elements)
_MP4 = Container("MP4", "mov", mp4.check_boxes)
_MPEG_PS = Container("MPEG-PS", "mpeg", check_of_frames(streams.ps_size, 14))
_MPEG_TS = Container("MPEG-TS", "mpegts", check_of_frames(streams.ts_size, 1))
_M2TS = Container("MPEG-TS", "mpegts", check_of_frames(streams.m2ts_size, 5))
_OGG = Container("OGG", "ogg", ogg.check_pages)
_TTA = Container("TTA", "tta", tta.check_frames, has_length=True)
_WAVPACK = Container("WAVPACK", "wv", wavpack.check_numbered_blocks, has_length=True)

# Containers with characteristic first bytes.
SIGNATURES = [
    (matroska.SIGNATURE, _MATROSKA),
    (asf.HEADER, _ASF),
    (streams.AMR_LINE, _AMR),
    (streams.AMR_WIDE_LINE, _AMR),
    (b"\x7f\xfe\x80\x01", _DTS),
    (b"\x64\x58\x20\x25", _DTS),
    (flv.SIGNATURE, _FLV),
    (b"\x00\x00\x01\xba", _MPEG_PS),
    (b"MAC ", Container("APE", "ape", has_length=True)),
    (wavpack.SIGNATURE, _WAVPACK),
    (tta.SIGNATURE, _TTA),
    (b"MP+", Container("MUSEPACK", "mpc", has_length=True)),
    (b"MPCK", Container("MUSEPACK", "mpc8", has_length=True)),
    (b"tBaK", Container("TAK", "tak", has_length=True)),
    (b"DSD ", Container("DSF", "dsf", has_length=True)),
]


def container_of(head):
    """Return the Container of a file with these first bytes; None for other files."""
    for signature, container in SIGNATURES:
        if head.startswith(signature):
            return container
    if head[4:8] in mp4.FIRST_BOXES:
        return _MP4
    if head[:4] == b"RIFF":
        return riff_container(head)
    if head[:4] == b"OggS" and head[28:].startswith(ogg.CODECS):
        return _OGG
    if head[:4] == b"caff" and head[8:12] == b"desc" and head[28:32] in caf.CODECS:
        return _CAF
    return _transport_stream(head) or _stream_of_frames(head)


def _transport_stream(head):
    if head[: 3 * streams.TS_PACKET_BYTES : streams.TS_PACKET_BYTES] == b"GGG":
        return _MPEG_TS
    distance = streams.TIME_BYTES + streams.TS_PACKET_BYTES
    return _M2TS if head[streams.TIME_BYTES :: distance][:3] == b"GGG" else None


def _stream_of_frames(head):
    head = head[id3_size(head) :]
    if len(head) < 7:
        return None
    if streams.adts_size(head):
        return _ADTS
    if (size := streams.loas_size(head)) and streams.loas_size(head[size:] + bytes(3)):
        return _LOAS
    if streams.ac3_size(head):
        return _EAC3 if streams.is_eac3(head) else _AC3
    return None

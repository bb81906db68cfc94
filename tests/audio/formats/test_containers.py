"""Containers are recognized and checked. The files are built here, without FFmpeg."""

import struct
import sys

import numpy as np
import pytest
import soundfile as sf
from helpers import CASES

from skdaf import (
    AudioReadError,
    PyAudioAnalysisTransformer,
    SpectrogramTransformer,
    check_audio,
    load_audio,
)
from skdaf._audio.formats.containers.container import check_structure
from skdaf._audio.formats.containers.ogg import checksum
from skdaf._audio.formats.containers.table import HEAD_BYTES, container_of
from skdaf._audio.formats.ffmpeg.files import is_available


def box(name, content=b""):
    return struct.pack(">I4s", 8 + len(content), name) + content


def element(kind, content=b"", size=None):
    """A Matroska element; `size` in 8 bytes may be wrong."""
    size = len(content) if size is None else size
    return bytes.fromhex(kind) + struct.pack(">Q", 1 << 56 | size) + content


UNKNOWN = 2**56 - 1
EBML = element("1a45dfa3", b"\x42\x82\x84webm")
CLUSTER = element("e7", b"\0") + element("a3", b"\x81\0\0\x80" + bytes(50))

ASF_HEADER = bytes.fromhex("3026b2758e66cf11a6d900aa0062ce6c")
ASF_DATA = bytes.fromhex("3626b2758e66cf11a6d900aa0062ce6c")
ASF_PROPERTIES = bytes.fromhex("a1dcab8c47a9cf118ee400c00c205365")


def asf(n_packets=3, is_live=False, size=None):
    properties = ASF_PROPERTIES + struct.pack("<Q", 104) + bytes(64)
    properties += struct.pack("<IIII", is_live, 100, 100, 0)
    header = ASF_HEADER + struct.pack("<QIH", 30 + len(properties), 1, 0x201) + properties
    packets = n_packets * (b"\x82\0\0" + bytes(97))
    size = 50 + len(packets) if size is None else size
    return header + ASF_DATA + struct.pack("<Q", size) + bytes(26) + packets


def adts(n_bytes=40):
    head = bytes([0xFF, 0xF1, 0x60, 0x80 | n_bytes >> 11, n_bytes >> 3 & 255, (n_bytes & 7) << 5])
    return head + bytes(n_bytes - len(head))


def ac3(code=0):
    """A frame of 32 kbit/s at 48 kHz: 128 bytes."""
    return b"\x0b\x77\0\0" + bytes([code, 8 << 3]) + bytes(122)


def eac3(n_bytes=100):
    return (
        b"\x0b\x77"
        + struct.pack(">H", n_bytes // 2 - 1)
        + b"\0"
        + bytes([16 << 3])
        + bytes(n_bytes - 6)
    )


def dts(n_bytes=200):
    size = n_bytes - 1
    middle = bytes([size >> 12, size >> 4 & 255, (size & 15) << 4])
    return b"\x7f\xfe\x80\x01\0" + middle + bytes(n_bytes - 8)


def flv_tag(content=bytes(30)):
    tag = b"\x08" + len(content).to_bytes(3, "big") + bytes(7) + content
    return tag + struct.pack(">I", len(tag))


def riff(kind, *chunks):
    body = kind + b"".join(
        name + struct.pack("<I", len(content)) + content for name, content in chunks
    )
    return b"RIFF" + struct.pack("<I", len(body)) + body


def wavpack(number=0, n_bytes=60):
    head = b"wvpk" + struct.pack("<IIII", n_bytes - 8, 0, 300, number)
    return head + bytes(n_bytes - len(head))


def caf(content=bytes(60), size=None):
    size = len(content) if size is None else size
    description = struct.pack(">d4sIIIII", 8000, b"aac ", 0, 0, 1024, 1, 0)
    return (
        b"caff\0\1\0\0desc"
        + struct.pack(">q", len(description))
        + description
        + b"data"
        + struct.pack(">q", size)
        + content
    )


def ogg(*payloads):
    """Pages of one segment, with checksums."""
    pages = []
    for number, payload in enumerate(payloads):
        head = b"OggS\0" + bytes([2 * (number == 0)]) + bytes(8) + struct.pack("<II", 7, number)
        page = head + bytes(4) + bytes([1, len(payload)]) + payload
        pages.append(page[:22] + struct.pack("<I", checksum(page)) + page[26:])
    return b"".join(pages)


MOVI = b"movi" + b"00wb" + struct.pack("<I", 20) + bytes(20)
WHOLE = {
    "MP4": box(b"ftyp", b"M4A ") + box(b"mdat", bytes(90)) + box(b"moov", bytes(40)),
    "MATROSKA": EBML + element("18538067", element("1f43b675", CLUSTER)),
    "ASF": asf(),
    "AAC": 5 * adts(),
    "AC3": 3 * ac3(),
    "EAC3": 3 * eac3(),
    "DTS": 3 * dts(),
    "AMR": b"#!AMR\n" + 4 * (b"\x3c" + bytes(31)),
    "AMR-WB": b"#!AMR-WB\n" + 4 * (b"\x44" + bytes(60)),
    "LATM": 3 * (b"\x56\xe0\x20" + bytes(32)),
    "FLV": b"FLV\x01\x04\0\0\0\x09\0\0\0\0" + flv_tag() + flv_tag(),
    "AVI": riff(b"AVI ", (b"LIST", b"hdrl" + bytes(20)), (b"LIST", MOVI)),
    "WAV": riff(b"WAVE", (b"fmt ", b"\x61\x01" + bytes(14)), (b"data", bytes(50))),
    "WAVPACK": wavpack(0) + wavpack(0) + wavpack(100) + wavpack(200),
    "CAF": caf(),
    "OGG": ogg(b"Speex   " + bytes(72), bytes(60), bytes(60)),
    "MPEG-TS": 4 * (b"G" + bytes(187)),
    "M2TS": 4 * (b"\1\2\3\4G" + bytes(187)),
    "MPEG-PS": 2 * (b"\0\0\1\xba\x44" + bytes(9) + b"\0\0\1\xc0\0\x20" + bytes(32)),
    "TTA": b"TTA1" + struct.pack("<HHHIIII", 1, 1, 16, 8000, 8000, 0, 60) + bytes(4 + 60),
}
# These have no length of their own.
STREAMS = ["AAC", "AC3", "EAC3", "DTS", "AMR", "AMR-WB", "LATM", "WAVPACK", "MPEG-TS", "M2TS"]


@pytest.fixture
def problem_of(tmp_path):
    def problem_of(content):
        path = tmp_path / "file"
        path.write_bytes(content)
        return check_structure(path, container_of(content[:HEAD_BYTES])).problem

    return problem_of


@pytest.mark.parametrize("kind", WHOLE)
def test_a_container_is_known_by_its_first_bytes_and_found_whole(problem_of, kind):
    content = WHOLE[kind]
    name = {"AMR-WB": "AMR", "M2TS": "MPEG-TS"}.get(kind, kind)
    assert container_of(content[:HEAD_BYTES]).name == name
    assert problem_of(content) == ""
    # Zeros after the end.
    assert problem_of(content + bytes(100)) == ""


@pytest.mark.parametrize("kind", [kind for kind in WHOLE if kind not in [*STREAMS, "MPEG-PS"]])
def test_a_lost_end_is_named(problem_of, kind):
    content = WHOLE[kind]
    for n_bytes in range(len(content) - 40, len(content) - 5):
        problem = problem_of(content[:n_bytes])
        assert problem.startswith("the file is truncated"), n_bytes


@pytest.mark.parametrize("kind", STREAMS)
def test_streams_end_with_their_last_whole_frame(tmp_path, kind):
    content, path = WHOLE[kind], tmp_path / "file"
    path.write_bytes(content[:-7])
    structure = check_structure(path, container_of(content))
    assert structure.problem == ""
    assert len(content) // 2 <= structure.end < len(content) - 7


@pytest.mark.parametrize("kind", [*STREAMS, "MPEG-PS", "FLV", "ASF", "MATROSKA", "OGG"])
def test_wrong_bytes_between_frames_are_named(problem_of, kind):
    content = WHOLE[kind]
    frame = {"AMR": 32, "AMR-WB": 61}.get(kind, 30)
    damaged = content[:-frame] + b"\xee" * frame
    if kind in ("FLV", "ASF", "MATROSKA"):
        start = content.rindex({"FLV": b"\x08\0", "ASF": b"\x82\0", "MATROSKA": b"\xa3\x01"}[kind])
        damaged = content[:start] + b"\xee" * (len(content) - start)
    elif kind not in ("AMR", "AMR-WB"):
        damaged = content + b"\xee" * 250
    assert problem_of(damaged).startswith(("the file is damaged", "the file is truncated"))


def test_unknown_sizes_are_no_damage(problem_of):
    live = EBML + element("18538067", element("1f43b675", CLUSTER, UNKNOWN), UNKNOWN)
    assert problem_of(live) == ""
    assert "truncated" in problem_of(live[:-20])
    assert problem_of(asf(is_live=True, size=2**40)) == ""
    assert "truncated" in problem_of(asf(size=2**40))
    piped = bytearray(WHOLE["AVI"])
    for size in (0, 2**32 - 1):
        piped[4:8] = struct.pack("<I", size)
        assert problem_of(bytes(piped)) == ""
    assert problem_of(box(b"ftyp") + box(b"moov") + b"\0\0\0\0mdat" + bytes(99)) == ""
    assert problem_of(caf(size=-1)) == ""
    assert "truncated" in problem_of(caf(size=2**40))


def test_a_box_of_64_bits(problem_of):
    large = struct.pack(">I4sQ", 1, b"mdat", 16 + 50) + bytes(50)
    assert problem_of(box(b"ftyp") + large + box(b"moov")) == ""
    assert "66 bytes" in problem_of(box(b"ftyp") + box(b"moov") + large[:-1])


def test_checksums_of_ogg_pages_are_those_of_the_library(tmp_path):
    path = tmp_path / "a.ogg"
    sf.write(path, np.zeros(9000), 8000)
    page = path.read_bytes()
    page = page[: page.index(b"OggS", 4)]
    assert checksum(page[:22] + bytes(4) + page[26:]) == int.from_bytes(page[22:26], "little")


TAG = b"APETAGEX" + bytes(24)


@pytest.mark.parametrize(
    ("kind", "between"),
    [*[(kind, b"") for kind in ("MP4", "ASF", "FLV", "TTA", "WAVPACK")],
     ("TTA", TAG), ("WAVPACK", TAG)],
)  # fmt: skip
def test_joined_recordings_are_refused_if_only_the_first_would_be_read(problem_of, kind, between):
    assert problem_of(WHOLE[kind] + between + WHOLE[kind]).startswith("contains several recordings")


def test_mp4_without_an_index_is_named(problem_of):
    assert "index (moov) is missing" in problem_of(box(b"ftyp") + box(b"mdat", bytes(50)))


@pytest.mark.parametrize(
    "content",
    [
        b"",
        b"RIFF",
        b"not a sound",
        bytes(5000),
        riff(b"WAVE", (b"fmt ", b"\1\0" + bytes(14)), (b"data", bytes(50))),
        b"OggS\0\2" + bytes(20) + b"\x01\x1e\x01vorbis",
        b"fLaC\0\0\0\x22",
        b"ID3\4\0\0\0\0\0\x0a" + bytes(10) + b"\xff\xfb\x90\x44" + bytes(400),
        b"FORM\0\0\0\x99AIFF",
        b"#EXTM3U\nhttp://example.org/a.ts\n",
        b"\xff\xf1",
    ],
)
def test_other_files_are_not_containers(content):
    assert container_of(content) is None


@pytest.mark.parametrize("kind", WHOLE)
def test_any_first_bytes_end_in_a_structure(problem_of, kind):
    """No header leads to another exception, or to an endless loop."""
    rng = np.random.default_rng(0)
    for _ in range(50):
        content = bytearray(WHOLE[kind])
        for _ in range(rng.integers(1, 9)):
            content[rng.integers(8 if rng.random() < 0.9 else 0, len(content))] = rng.choice(
                [0, 1, 127, 128, 255]
            )
        content = bytes(content[: rng.integers(1, len(content) + 1)])
        if container_of(content) is not None:
            assert isinstance(problem_of(content), str)


# Without PyAV.


@pytest.fixture
def without_pyav(monkeypatch):
    monkeypatch.setitem(sys.modules, "av", None)  # importing it fails
    assert not is_available()


def files_for_ffmpeg(folder):
    for kind, content in WHOLE.items():
        path = folder / f"{kind}.bin"
        path.write_bytes(content)
        yield path


@pytest.mark.usefixtures("without_pyav")
def test_the_error_says_how_to_install_it(tmp_path):
    paths = [*files_for_ffmpeg(tmp_path)]
    for path in paths:
        with pytest.raises(AudioReadError) as info:
            load_audio(path)
        assert 'pip install av, or the extra "ffmpeg"' in str(info.value)
        assert repr(str(path)) in str(info.value)
    assert check_audio(paths).problem.str.contains('extra "ffmpeg" of skdaf', regex=False).all()
    for transformer in (SpectrogramTransformer(), PyAudioAnalysisTransformer()):
        with pytest.raises(AudioReadError) as info:
            transformer.fit(paths)
        assert info.value.paths == [*map(str, paths)]


@pytest.mark.usefixtures("without_pyav")
def test_other_files_do_not_need_it(tmp_path):
    path = tmp_path / "a.m4a"
    sf.write(path, np.ones(100) / 2, 8000, format="WAV")
    assert len(load_audio(path)[0]) == 100
    path.write_text("not a sound")
    with pytest.raises(AudioReadError, match=r"not readable as audio \(Format not recognised\)"):
        load_audio(path)


@pytest.mark.usefixtures("without_pyav")
def test_given_files_say_how_to_read_them():
    folder = CASES / "audio"
    if not folder.is_dir():
        pytest.skip(f"no recordings in {folder}")
    for name in ("tone.m4a", "tone.webm"):
        with pytest.raises(AudioReadError, match=r"pip install av, or"):
            load_audio(folder / name)

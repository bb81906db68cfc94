"""Sizes in headers are compared with the bytes of the file."""

import struct

import numpy as np
import pytest
import soundfile as sf
from helpers import check_read_as, common_read_error, noise_content

from skdaf import AudioReadError, Clip, load_audio
from skdaf._audio.reading import read_info

RATE = 8000
GIB = 2**30

# (format, subtype, whether the header gives the number of samples).
FORMATS = [
    *[("WAV", name, True) for name in ("PCM_U8", "PCM_24", "FLOAT", "ULAW", "IMA_ADPCM")],
    *[("WAVEX", "PCM_24", True), ("RF64", "PCM_16", True), ("W64", "PCM_16", True)],
    *[("W64", "FLOAT", True), ("AU", "PCM_16", True), ("AU", "ULAW", True)],
    *[("AIFF", "PCM_16", True), ("AIFF", "FLOAT", True), ("AIFF", "ULAW", True)],
    *[("SVX", "PCM_16", True), ("SVX", "PCM_S8", True), ("VOC", "PCM_16", True)],
    *[("VOC", "PCM_U8", True), ("AVR", "PCM_16", True), ("NIST", "PCM_16", True)],
    *[("NIST", "ULAW", True), ("MPC2K", "PCM_16", True), ("MAT4", "PCM_16", True)],
    *[("MAT4", "DOUBLE", True), ("MAT5", "PCM_16", True), ("MAT5", "FLOAT", True)],
    *[("WVE", "ALAW", True), ("SDS", "PCM_16", True), ("SDS", "PCM_24", True)],
    *[("HTK", "PCM_16", True), ("CAF", "PCM_16", True), ("CAF", "FLOAT", True)],
    *[("PAF", "PCM_16", False), ("PAF", "PCM_24", False), ("PVF", "PCM_16", False)],
    *[("IRCAM", "PCM_16", False), ("IRCAM", "FLOAT", False), ("XI", "DPCM_16", False)],
]
TELLING = [entry[:2] for entry in FORMATS if entry[2]]


@pytest.fixture
def path(tmp_path):
    return tmp_path / "sound"


@pytest.mark.parametrize(("format", "subtype"), TELLING)
def test_cut_files_are_named_as_truncated(path, format, subtype):
    content = noise_content(path, format, subtype)
    for stop in (len(content) - 2, int(0.9 * len(content)), len(content) // 2 + 1):
        path.write_bytes(content[:stop])
        assert "the file is truncated: " in common_read_error(path)


@pytest.mark.parametrize(("format", "subtype"), TELLING)
@pytest.mark.parametrize("more", [b"\0", bytes(16), b"ANNO\0\0\0\4text", b"\x07" * 1000])
def test_what_follows_the_samples_is_not_read(path, format, subtype, more):
    content = noise_content(path, format, subtype)
    expected = load_audio(path)[0]
    path.write_bytes(content + more)
    check_read_as(path, expected)


@pytest.mark.parametrize(("format", "subtype"), [entry[:2] for entry in FORMATS if not entry[2]])
def test_without_a_length_half_a_sample_shows_that_the_end_is_missing(path, format, subtype):
    content = noise_content(path, format, subtype, channels=1)
    check_read_as(path, load_audio(path)[0])
    path.write_bytes(content[:-1])
    assert "the file is truncated: " in common_read_error(path)


def test_the_length_of_an_instrument_is_believed(path):
    content = noise_content(path, "XI", "DPCM_16")
    expected = load_audio(path)[0]
    struct.pack_into("<I", content, 298, 6000)
    path.write_bytes(content)
    check_read_as(path, expected)
    path.write_bytes(content[:-1000])
    assert "the file is truncated: " in common_read_error(path)


@pytest.mark.parametrize("format", ["CAF", "SVX", "RF64", "W64", "MAT5"])
def test_a_file_cut_within_its_header_is_truncated(path, format):
    content = noise_content(path, format)
    names = {"SVX": b"BODY", "MAT5": b"wavedata"}
    path.write_bytes(content[: content.index(names.get(format, b"data")) - 1])
    with pytest.raises(AudioReadError):
        load_audio(path)


@pytest.mark.parametrize("stop", [0.5, 0.9])
def test_a_cut_flac_file_is_truncated_or_damaged(path, stop):
    content = noise_content(path, "FLAC")
    path.write_bytes(content[: int(stop * len(content))])
    with pytest.raises(AudioReadError, match="truncated or damaged: expected 3000 frames"):
        load_audio(path)


UNKNOWN = {
    "WAV": ("<I", b"data", 4, [0, 2**31 - 1, 0x7FFFF000, 2**32 - 1, 2**32 - 37]),
    "WAVEX": ("<I", b"data", 4, [0, 2**32 - 1]),
    "RF64": ("<Q", b"ds64", 16, [0, 2**64 - 1]),
    "W64": ("<Q", b"data", 16, [0, 24, 2**63 - 1, 2**64 - 1]),
    "AU": (">I", b".snd", 8, [0, 2**32 - 1]),
    "CAF": (">Q", b"data", 4, [0, 4, 2**64 - 1]),
    "AIFF": (">I", b"SSND", 4, [0, 8, 0x7F000008, 2**32 - 1]),
    "SVX": (">I", b"BODY", 4, [0, 2**32 - 1]),
}
CASES = [(format, size) for format, entry in UNKNOWN.items() for size in entry[3]]


@pytest.mark.parametrize(("format", "size"), CASES)
def test_a_file_of_unknown_size_is_read_to_its_end(path, format, size):
    content = noise_content(path, format, "PCM_16", channels=1 if format == "SVX" else 2)
    expected = load_audio(path)[0]
    layout, name, offset, _ = UNKNOWN[format]
    struct.pack_into(layout, content, content.index(name) + offset, size)
    path.write_bytes(content)
    check_read_as(path, expected)


@pytest.mark.parametrize("subtype", ["PCM_S8", "PCM_24", "FLOAT", "DOUBLE", "ULAW"])
@pytest.mark.parametrize(("size", "n_frames"), [(0, 0), (0x7F000008, 0x3F800000)])
def test_aiff_and_aiff_c_from_a_pipe_are_read(path, subtype, size, n_frames):
    content = noise_content(path, "AIFF", subtype, channels=2)
    expected = load_audio(path)[0]
    struct.pack_into(">I", content, 4, size)
    struct.pack_into(">I", content, content.index(b"COMM") + 10, n_frames)
    struct.pack_into(">I", content, content.index(b"SSND") + 4, size)
    path.write_bytes(content)
    check_read_as(path, expected)


def test_little_endian_aiff_c_from_a_pipe_is_read(path):
    content = noise_content(path, "AIFF", "PCM_16", endian="LITTLE")
    expected = load_audio(path)[0]
    struct.pack_into(">I", content, content.index(b"SSND") + 4, 0)
    path.write_bytes(content)
    check_read_as(path, expected)


@pytest.mark.parametrize("subtype", ["PCM_U8", "PCM_24", "FLOAT", "ULAW", "IMA_ADPCM", "MS_ADPCM"])
@pytest.mark.parametrize("size", [0, 2**32 - 1])
def test_every_codec_in_a_wav_of_unknown_size_is_read(path, subtype, size):
    content = noise_content(path, "WAV", subtype)
    expected = load_audio(path)[0]
    struct.pack_into("<I", content, content.index(b"data") + 4, size)
    path.write_bytes(content)
    check_read_as(path, expected)


@pytest.mark.parametrize("size", [0, 2**32 - 1])
def test_a_big_endian_wav_of_unknown_size_is_read(path, size):
    content = noise_content(path, "WAV", "PCM_16", endian="BIG")
    expected = load_audio(path)[0]
    struct.pack_into(">I", content, content.index(b"data") + 4, size)
    path.write_bytes(content)
    check_read_as(path, expected)


@pytest.mark.parametrize("difference", [0, 8])
def test_a_wav_that_announces_the_size_of_the_file_is_whole(path, difference):
    content = noise_content(path, "WAV", "PCM_16")
    expected = load_audio(path)[0]
    struct.pack_into("<I", content, content.index(b"data") + 4, len(content) - difference)
    path.write_bytes(content)
    check_read_as(path, expected)


def test_a_wav_whose_size_leaves_sound_out_is_read_to_its_end(path):
    """RIFF has the right size, and what follows is no chunk."""
    content = noise_content(path, "WAV", "PCM_24")
    expected = load_audio(path)[0]
    struct.pack_into("<I", content, content.index(b"data") + 4, 3000)
    path.write_bytes(content)
    check_read_as(path, expected)


@pytest.mark.parametrize(("format", "layout"), [("WAV", "<I"), ("AIFF", ">I")])
def test_a_chunk_instead_of_samples_is_not_audio(path, format, layout):
    content = noise_content(path, format, "PCM_24")
    start = content.index(b"data" if format == "WAV" else b"SSND")
    size = b"\0\0\0\0" if format == "WAV" else struct.pack(">III", 8, 0, 0)
    path.write_bytes(content[: start + 4] + size + b"NAME" + struct.pack(layout, 8) + b"a title ")
    with pytest.raises(AudioReadError, match="the file contains no samples"):
        load_audio(path)


def test_bw64_is_read_like_rf64(path):
    content = noise_content(path, "RF64", "PCM_24", channels=2)
    expected = load_audio(path)[0]
    content[:4] = b"BW64"
    path.write_bytes(content)
    check_read_as(path, expected)
    path.write_bytes(content + b"axml\4\0\0\0<a/>")
    check_read_as(path, expected)
    path.write_bytes(content[:-100])
    assert "the file is truncated: " in common_read_error(path)


@pytest.mark.parametrize("subtype", ["IMA_ADPCM", "MS_ADPCM"])
@pytest.mark.parametrize("n_lost", [0, 100, 1000])
def test_a_piped_wav_of_blocks_is_read_up_to_the_last_whole_block(tmp_path, subtype, n_lost):
    """libsndfile fills a block that is cut off with samples of the block before it."""
    path = tmp_path / "piped.wav"
    content = noise_content(path, "WAV", subtype, n=9000)
    whole, _ = load_audio(path)
    place = content.index(b"data") + 4
    content[4:8] = content[place : place + 4] = b"\xff" * 4
    path.write_bytes(content[: len(content) - n_lost])
    n_frames = read_info(Clip(path)).n_frames
    assert n_frames == len(whole) if n_lost == 0 else n_frames < len(whole)
    check_read_as(path, whole[:n_frames])


@pytest.mark.parametrize("start", [0, 1, 23])
def test_au_samples_inside_the_header_are_refused(tmp_path, start):
    path = tmp_path / "a.au"
    sf.write(path, np.zeros(100), 8000)
    content = bytearray(path.read_bytes())
    content[4:8] = start.to_bytes(4, "big")
    path.write_bytes(content)
    for clip in (path, Clip(path, 0.005)):
        with pytest.raises(AudioReadError, match=f"samples begin at byte {start}, inside"):
            load_audio(clip)

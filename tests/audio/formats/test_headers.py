"""Cut-off files are named, whole ones are read, whatever the sizes in their headers say."""

import os
import struct

import numpy as np
import pytest
import soundfile as sf

from skdaf import AudioReadError, Clip, check_audio, load_audio
from skdaf._audio.reading import read_info
from skdaf._audio.statistics import read_statistics

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


def sound(channels=1, n=3000):
    return 0.2 * np.random.default_rng(0).standard_normal((n, channels))


def content_of(path, format, subtype=None, channels=1, n=3000, **keywords):
    sf.write(path, sound(channels, n), RATE, format=format, subtype=subtype, **keywords)
    return bytearray(path.read_bytes())


def read_like(path, expected):
    """Check that every way of reading gives these samples."""
    samples, rate = load_audio(path)
    np.testing.assert_array_equal(samples, expected)
    assert read_info(Clip(path)).n_frames == len(expected)
    assert check_audio([path]).ok[0]
    start = len(expected) // 3
    np.testing.assert_array_equal(load_audio(path, start=start / rate)[0], expected[start:])


def fails(path, message="the file is truncated: "):
    with pytest.raises(AudioReadError) as info:
        load_audio(path)
    assert str(info.value).startswith(f"{str(path)!r}: {message}")
    assert check_audio([path]).problem[0] == str(info.value)
    with pytest.raises(AudioReadError) as part:
        load_audio(path, start=0.01, end=0.02)
    assert str(part.value) == str(info.value)


@pytest.fixture
def path(tmp_path):
    return tmp_path / "sound"


# Cut-off files, and whole ones with more behind the samples.


@pytest.mark.parametrize(("format", "subtype"), TELLING)
def test_cut_files_are_named_as_truncated(path, format, subtype):
    content = content_of(path, format, subtype)
    for stop in (len(content) - 2, int(0.9 * len(content)), len(content) // 2 + 1):
        path.write_bytes(content[:stop])
        fails(path)


@pytest.mark.parametrize(("format", "subtype"), TELLING)
@pytest.mark.parametrize("more", [b"\0", bytes(16), b"ANNO\0\0\0\4text", b"\x07" * 1000])
def test_what_follows_the_samples_is_not_read(path, format, subtype, more):
    content = content_of(path, format, subtype)
    expected = load_audio(path)[0]
    path.write_bytes(content + more)
    read_like(path, expected)


@pytest.mark.parametrize(("format", "subtype"), [entry[:2] for entry in FORMATS if not entry[2]])
def test_without_a_length_half_a_sample_shows_that_the_end_is_missing(path, format, subtype):
    content = content_of(path, format, subtype, channels=1)
    read_like(path, load_audio(path)[0])
    path.write_bytes(content[:-1])
    fails(path)


def test_the_length_of_an_instrument_is_believed(path):
    content = content_of(path, "XI", "DPCM_16")
    expected = load_audio(path)[0]
    struct.pack_into("<I", content, 298, 6000)
    path.write_bytes(content)
    read_like(path, expected)
    path.write_bytes(content[:-1000])
    fails(path)


@pytest.mark.parametrize("format", ["CAF", "SVX", "RF64", "W64", "MAT5"])
def test_a_file_cut_within_its_header_is_truncated(path, format):
    content = content_of(path, format)
    names = {"SVX": b"BODY", "MAT5": b"wavedata"}
    path.write_bytes(content[: content.index(names.get(format, b"data")) - 1])
    with pytest.raises(AudioReadError):
        load_audio(path)


@pytest.mark.parametrize("stop", [0.5, 0.9])
def test_a_cut_flac_file_is_truncated_or_damaged(path, stop):
    content = content_of(path, "FLAC")
    path.write_bytes(content[: int(stop * len(content))])
    with pytest.raises(AudioReadError, match="the file is truncated or damaged: 3000 frames were"):
        load_audio(path)


# Sizes that were never filled in.

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
    content = content_of(path, format, "PCM_16", channels=1 if format == "SVX" else 2)
    expected = load_audio(path)[0]
    layout, name, offset, _ = UNKNOWN[format]
    struct.pack_into(layout, content, content.index(name) + offset, size)
    path.write_bytes(content)
    read_like(path, expected)


@pytest.mark.parametrize("subtype", ["PCM_S8", "PCM_24", "FLOAT", "DOUBLE", "ULAW"])
@pytest.mark.parametrize(("size", "n_frames"), [(0, 0), (0x7F000008, 0x3F800000)])
def test_aiff_and_aiff_c_from_a_pipe_are_read(path, subtype, size, n_frames):
    content = content_of(path, "AIFF", subtype, channels=2)
    expected = load_audio(path)[0]
    struct.pack_into(">I", content, 4, size)
    struct.pack_into(">I", content, content.index(b"COMM") + 10, n_frames)
    struct.pack_into(">I", content, content.index(b"SSND") + 4, size)
    path.write_bytes(content)
    read_like(path, expected)


def test_little_endian_aiff_c_from_a_pipe_is_read(path):
    content = content_of(path, "AIFF", "PCM_16", endian="LITTLE")
    expected = load_audio(path)[0]
    struct.pack_into(">I", content, content.index(b"SSND") + 4, 0)
    path.write_bytes(content)
    read_like(path, expected)


@pytest.mark.parametrize("subtype", ["PCM_U8", "PCM_24", "FLOAT", "ULAW", "IMA_ADPCM", "MS_ADPCM"])
@pytest.mark.parametrize("size", [0, 2**32 - 1])
def test_every_codec_in_a_wav_of_unknown_size_is_read(path, subtype, size):
    content = content_of(path, "WAV", subtype)
    expected = load_audio(path)[0]
    struct.pack_into("<I", content, content.index(b"data") + 4, size)
    path.write_bytes(content)
    read_like(path, expected)


@pytest.mark.parametrize("size", [0, 2**32 - 1])
def test_a_big_endian_wav_of_unknown_size_is_read(path, size):
    content = content_of(path, "WAV", "PCM_16", endian="BIG")
    expected = load_audio(path)[0]
    struct.pack_into(">I", content, content.index(b"data") + 4, size)
    path.write_bytes(content)
    read_like(path, expected)


@pytest.mark.parametrize("difference", [0, 8])
def test_a_wav_that_announces_the_size_of_the_file_is_whole(path, difference):
    content = content_of(path, "WAV", "PCM_16")
    expected = load_audio(path)[0]
    struct.pack_into("<I", content, content.index(b"data") + 4, len(content) - difference)
    path.write_bytes(content)
    read_like(path, expected)


def test_a_wav_whose_size_leaves_sound_out_is_read_to_its_end(path):
    """RIFF has the right size, and what follows is no chunk."""
    content = content_of(path, "WAV", "PCM_24")
    expected = load_audio(path)[0]
    struct.pack_into("<I", content, content.index(b"data") + 4, 3000)
    path.write_bytes(content)
    read_like(path, expected)


@pytest.mark.parametrize(("format", "layout"), [("WAV", "<I"), ("AIFF", ">I")])
def test_no_sound_but_a_chunk_is_no_sound(path, format, layout):
    content = content_of(path, format, "PCM_24")
    start = content.index(b"data" if format == "WAV" else b"SSND")
    size = b"\0\0\0\0" if format == "WAV" else struct.pack(">III", 8, 0, 0)
    path.write_bytes(content[: start + 4] + size + b"NAME" + struct.pack(layout, 8) + b"a title ")
    with pytest.raises(AudioReadError, match="the file holds no samples"):
        load_audio(path)


# BW64.


def test_bw64_is_read_like_rf64(path):
    content = content_of(path, "RF64", "PCM_24", channels=2)
    expected = load_audio(path)[0]
    content[:4] = b"BW64"
    path.write_bytes(content)
    read_like(path, expected)
    path.write_bytes(content + b"axml\4\0\0\0<a/>")
    read_like(path, expected)
    path.write_bytes(content[:-100])
    fails(path)


# Files beyond 4 GiB. They are sparse: only what is read lies in memory or on the disk.


def large_wav(path, announced, n_bytes, more=b"", bits=16, magic=b"RIFF"):
    """Make a WAV file of silence with a click in its last sample."""
    width = bits // 8
    codec = 3 if bits == 32 else 1
    fmt = struct.pack("<HHIIHH", codec, 1, RATE, RATE * width, width, bits)
    head = magic + b"\xff\xff\xff\xffWAVE"
    if magic != b"RIFF":
        head += b"ds64" + struct.pack("<IQQQI", 28, 0, announced, 0, 0)
        announced = 2**32 - 1
    head += b"fmt \x10\0\0\0" + fmt + b"data" + struct.pack("<I", announced % 2**32)
    with open(path, "wb") as file:
        file.write(head)
        try:
            file.truncate(len(head) + n_bytes)
        except OSError:
            pytest.skip("no room for large files here")
        file.seek(len(head) + n_bytes - width)
        file.write({16: b"\0\x40", 24: b"\0\0\x40", 32: struct.pack("<f", 0.5)}[bits] + more)
    if os.stat(path).st_blocks * 512 > GIB:
        pytest.skip("no sparse files here")
    return n_bytes // width


CHUNK = b"LIST\4\0\0\0INFO"
LARGE = {
    "wrapped": (4 * GIB + 1000, 4 * GIB + 1000, b""),
    "wrapped, and a chunk": (4 * GIB + 1000, 4 * GIB + 1000, CHUNK),
    "wrapped twice": (8 * GIB + 1000, 8 * GIB + 1000, b""),
    "wrapped to 0": (4 * GIB, 4 * GIB, b""),
    "zero": (0, 4 * GIB + 1000, b""),
    "clamped to 32 bits": (2**32 - 1, 4 * GIB + 1000, b""),
    "clamped to 31 bits": (2**31 - 1, 4 * GIB + 1000, b""),
    "clamped to 31 bits, 3 GiB": (2**31 - 1, 3 * GIB, b""),
    "clamped by sox, 3 GiB": (0x7FFFF000, 3 * GIB, b""),
    "true, 3 GiB": (3 * GIB, 3 * GIB, b""),
    "true, 3 GiB, and a chunk": (3 * GIB, 3 * GIB, CHUNK),
}


@pytest.mark.parametrize("name", LARGE)
def test_wav_files_beyond_their_sizes_are_whole(path, name):
    announced, n_bytes, more = LARGE[name]
    n_samples = large_wav(path, announced, n_bytes, more)
    assert read_info(Clip(path)).n_frames == n_samples
    samples = load_audio(path, start=(n_samples - 3) / RATE)[0]
    assert samples.tolist() == [0, 0, 0.5]


@pytest.mark.parametrize("bits", [24, 32])
def test_large_samples_of_other_widths(path, bits):
    n_samples = large_wav(path, 6 * GIB, 6 * GIB, bits=bits)
    samples = load_audio(path, start=(n_samples - 3) / RATE)[0]
    assert samples.tolist() == [0, 0, 0.5]


@pytest.mark.parametrize("magic", [b"RF64", b"BW64"])
def test_large_files_that_count_with_64_bits(path, magic):
    n_samples = large_wav(path, 5 * GIB, 5 * GIB, CHUNK, magic=magic)
    assert load_audio(path, start=(n_samples - 2) / RATE)[0].tolist() == [0, 0.5]
    large_wav(path, 5 * GIB + 4000, 5 * GIB, magic=magic)
    fails(path)


@pytest.mark.parametrize(("announced", "n_bytes"), [(3 * GIB, 2 * GIB), (12_345_678, 5 * GIB)])
def test_large_files_whose_sizes_cannot_be_true_are_refused(path, announced, n_bytes):
    large_wav(path, announced, n_bytes)
    fails(path, "the file is ")


def test_other_large_files_whose_sizes_wrapped_are_refused(path):
    for format, layout, name, offset in (("AU", ">I", b".snd", 8), ("AIFF", ">I", b"SSND", 4)):
        content = content_of(path, format, "PCM_16")
        struct.pack_into(layout, content, content.index(name) + offset, 1008)
        path.write_bytes(content)
        os.truncate(path, 4 * GIB + 2000)
        fails(path, "the file is damaged: its header announces 10")


# Blocks of sound.


def voc(*blocks):
    head = b"Creative Voice File\x1a" + struct.pack("<HHH", 26, 0x0114, 0x111F)
    return head + b"".join(
        bytes([kind]) + len(content).to_bytes(3, "little") + content for kind, content in blocks
    )


FIRST = struct.pack("<IBBHI", RATE, 16, 1, 4, 0)


@pytest.fixture
def pcm():
    return (1000 * sound(n=300)).astype("<i2").tobytes()


@pytest.mark.parametrize("end", [b"\0", b""])
def test_a_sound_in_several_blocks_is_read_without_what_lies_between(path, pcm, end):
    path.write_bytes(voc((9, FIRST + pcm)) + end)
    expected = load_audio(path)[0]
    assert len(expected) == 300
    blocks = (9, FIRST + pcm[:100]), (2, pcm[100:400]), (5, b"text\0"), (2, pcm[400:])
    path.write_bytes(voc(*blocks) + end)
    read_like(path, expected)
    path.write_bytes(voc(*blocks)[:-10])
    fails(path)


@pytest.mark.parametrize("kind", [1, 3, 9])
def test_several_sounds_in_one_file_are_refused(path, pcm, kind):
    path.write_bytes(voc((9, FIRST + pcm), (kind, FIRST + pcm)) + b"\0")
    fails(path, "holds several blocks of sound, of which only the first would be read")


# Damaged ALAC files.


@pytest.mark.parametrize("seed", range(8))
def test_a_damaged_alac_file_gives_one_answer_wherever_reading_begins(path, seed):
    rng = np.random.default_rng(seed)
    t = np.arange(100_000) / RATE
    tone = 0.4 * np.sin(2 * np.pi * 440 * t) + 0.01 * rng.standard_normal(len(t))
    sf.write(path, tone, RATE, format="CAF", subtype="ALAC_16")
    content = bytearray(path.read_bytes())
    first = content.index(b"pakt") + 12 if seed % 2 else content.index(b"data") + 16
    for _ in range(3):
        place = rng.integers(first, first + 100 if seed % 2 else len(content) - 9)
        content[place : place + 8] = rng.bytes(8)
    path.write_bytes(content)
    try:
        whole = load_audio(path)[0]
    except AudioReadError as error:
        whole, message = None, str(error)
    for start in range(0, 100_000, 9000):
        if whole is not None:
            part = load_audio(path, start=start / RATE, end=start / RATE + 0.1)[0]
            np.testing.assert_array_equal(part, whole[start : start + 800])
            continue
        with pytest.raises(AudioReadError) as info:
            load_audio(path, start=start / RATE, end=start / RATE + 0.1)
        assert str(info.value) == message or "the clip starts at" in str(info.value)


def test_whole_alac_files_are_read_without_joints(path):
    tone = 0.4 * np.sin(np.arange(150_000) / 7)
    sf.write(path, tone, RATE, format="CAF", subtype="ALAC_16")
    expected = sf.read(path, dtype="float32")[0]
    read_like(path, expected)
    assert read_statistics(Clip(path)).info.n_frames == 150_000


@pytest.mark.parametrize("subtype", ["IMA_ADPCM", "MS_ADPCM"])
@pytest.mark.parametrize("n_lost", [0, 100, 1000])
def test_a_piped_wav_of_blocks_is_read_up_to_the_last_whole_block(tmp_path, subtype, n_lost):
    """Of a block that is cut off, libsndfile makes samples of the one before it."""
    path = tmp_path / "piped.wav"
    content = content_of(path, "WAV", subtype, n=9000)
    whole, _ = load_audio(path)
    place = content.index(b"data") + 4
    content[4:8] = content[place : place + 4] = b"\xff" * 4
    path.write_bytes(content[: len(content) - n_lost])
    n_frames = read_info(Clip(path)).n_frames
    assert n_frames == len(whole) if n_lost == 0 else n_frames < len(whole)
    read_like(path, whole[:n_frames])


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

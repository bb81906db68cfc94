"""WAV files beyond 4 GiB. They are sparse: only what is read is in memory or on the disk."""

import os
import struct

import pytest
from helpers import common_read_error, noise_content

from skdaf import Clip, load_audio
from skdaf._audio.reading import read_info

RATE = 8000
GIB = 2**30

GIB = 2**30


@pytest.fixture
def path(tmp_path):
    return tmp_path / "sound"


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
    assert "the file is truncated: " in common_read_error(path)


@pytest.mark.parametrize(("announced", "n_bytes"), [(3 * GIB, 2 * GIB), (12_345_678, 5 * GIB)])
def test_large_files_whose_sizes_cannot_be_true_are_refused(path, announced, n_bytes):
    large_wav(path, announced, n_bytes)
    assert "the file is " in common_read_error(path)


def test_other_large_files_whose_sizes_wrapped_are_refused(path):
    for format, layout, name, offset in (("AU", ">I", b".snd", 8), ("AIFF", ">I", b"SSND", 4)):
        content = noise_content(path, format, "PCM_16")
        struct.pack_into(layout, content, content.index(name) + offset, 1008)
        path.write_bytes(content)
        os.truncate(path, 4 * GIB + 2000)
        assert "the file is damaged: " in common_read_error(path)

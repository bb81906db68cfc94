"""Creative Voice files, whose sound may come in several blocks."""

import struct

import numpy as np
import pytest
from helpers import check_read_as, common_read_error

from skdaf import load_audio

RATE = 8000
GIB = 2**30


@pytest.fixture
def path(tmp_path):
    return tmp_path / "sound"


def voc(*blocks):
    head = b"Creative Voice File\x1a" + struct.pack("<HHH", 26, 0x0114, 0x111F)
    return head + b"".join(
        bytes([kind]) + len(content).to_bytes(3, "little") + content for kind, content in blocks
    )


FIRST = struct.pack("<IBBHI", RATE, 16, 1, 4, 0)


@pytest.fixture
def pcm():
    return (1000 * 0.2 * np.random.default_rng(0).standard_normal((300, 1))).astype("<i2").tobytes()


@pytest.mark.parametrize("end", [b"\0", b""])
def test_a_sound_in_several_blocks_is_read_without_what_lies_between(path, pcm, end):
    path.write_bytes(voc((9, FIRST + pcm)) + end)
    expected = load_audio(path)[0]
    assert len(expected) == 300
    blocks = (9, FIRST + pcm[:100]), (2, pcm[100:400]), (5, b"text\0"), (2, pcm[400:])
    path.write_bytes(voc(*blocks) + end)
    check_read_as(path, expected)
    path.write_bytes(voc(*blocks)[:-10])
    assert "the file is truncated: " in common_read_error(path)


@pytest.mark.parametrize("kind", [1, 3, 9])
def test_several_sounds_in_one_file_are_refused(path, pcm, kind):
    path.write_bytes(voc((9, FIRST + pcm), (kind, FIRST + pcm)) + b"\0")
    assert "contains several sounds" in common_read_error(path)

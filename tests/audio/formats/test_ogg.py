"""Errors in Ogg files that libsndfile does not report."""

import re
import struct

import numpy as np
import pytest
import soundfile as sf
from helpers import common_read_error

from benchmarks._mutations import _with_checksums as with_checksums
from skdaf import AudioReadError, load_audio
from skdaf._audio.formats.ogg import find_ogg_problem

RATE = 16_000

pytestmark = pytest.mark.parametrize("subtype", ["VORBIS", "OPUS"])


@pytest.fixture
def path(tmp_path, subtype):
    """Write a file of many pages."""
    rng = np.random.default_rng(0)
    samples = 0.1 * rng.standard_normal(6 * RATE)
    sf.write(tmp_path / "sound.ogg", samples, RATE, format="OGG", subtype=subtype)
    return tmp_path / "sound.ogg"


def pages(content):
    """Return where pages begin."""
    return [found.start() for found in re.finditer(b"OggS", content)]


def patched(path, page, offset, layout, value):
    """Change a number in the header of a page, and its checksum."""
    content = bytearray(path.read_bytes())
    struct.pack_into(layout, content, pages(content)[page] + offset, value)
    path.write_bytes(with_checksums(content))


def test_whole_files_are_whole(path):
    assert len(pages(path.read_bytes())) > 5
    assert find_ogg_problem(path) == ""
    assert len(load_audio(path)[0]) == 6 * RATE


@pytest.mark.parametrize("n", [1, 100, RATE, 10 * RATE])
@pytest.mark.parametrize("channels", [1, 2, 6])
def test_files_of_any_length_are_whole(tmp_path, subtype, n, channels):
    path = tmp_path / "silence.ogg"
    sf.write(path, np.zeros((n, channels)), RATE, format="OGG", subtype=subtype)
    assert find_ogg_problem(path) == ""


@pytest.mark.parametrize("share", [0.4, 0.9, 0.999, "page"])
def test_a_cut_off_file_is_not_taken_for_a_short_one(path, share):
    content = path.read_bytes()
    path.write_bytes(
        content[: pages(content)[-1] if share == "page" else int(share * len(content))]
    )
    assert "the file is truncated: its stream has no last page" in common_read_error(path)


def test_a_lost_page_is_noticed(path):
    content = path.read_bytes()
    _, _, first, last, *_ = pages(content)
    path.write_bytes(content[:first] + content[last:])
    assert "part of its stream is missing" in common_read_error(path)


def test_bytes_between_pages_are_noticed(path):
    content = path.read_bytes()
    place = pages(content)[3]
    path.write_bytes(content[:place] + b"xyz" + content[place:])
    assert "the file is truncated" in common_read_error(path)


def test_a_page_of_another_stream_is_noticed(path):
    patched(path, 3, 14, "<I", 12345)
    assert "a page does not belong to any stream" in common_read_error(path)


@pytest.mark.parametrize("position", [0, 1, -2, 2**32 - 1, 2**62])
def test_positions_that_contradict_each_other_are_noticed(path, position):
    patched(path, 4, 6, "<q", position)
    assert "positions of its pages contradict" in common_read_error(path)


def test_joined_streams_are_not_read_as_the_first(path):
    path.write_bytes(2 * path.read_bytes())
    assert "several streams" in common_read_error(path)


@pytest.mark.parametrize("junk", [b"x", b"OggS", bytes(1000), bytes(200_000)])
def test_what_follows_a_whole_stream_does_no_harm(path, junk):
    samples, _ = load_audio(path)
    path.write_bytes(path.read_bytes() + junk)
    np.testing.assert_array_equal(load_audio(path)[0], samples)


def test_a_page_with_a_wrong_checksum_is_noticed(path):
    """Only libsndfile checks checksums; it continues without the page."""
    content = bytearray(path.read_bytes())
    content[pages(content)[3] + 400] ^= 1
    path.write_bytes(content)
    with pytest.raises(AudioReadError, match="part of its stream is missing"):
        load_audio(path)


def test_a_file_that_changes_is_checked_again(path):
    content = path.read_bytes()
    assert find_ogg_problem(path) == ""
    path.write_bytes(content[:-100])
    assert find_ogg_problem(path) != ""
    path.write_bytes(content)
    assert find_ogg_problem(path) == ""

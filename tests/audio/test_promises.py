"""Headers that promise too much, or no length, are not trusted."""

import os
import struct

import numpy as np
import pytest
from helpers import patch_number, peak_memory, read_error, stereo_tones, write_format

from skdaf import AudioReadError, Clip, SpectrogramTransformer, check_audio, load_audio
from skdaf._audio.reading import read_info

pytestmark = pytest.mark.oldest

RATE = 16000


def huge_wav(path):
    write_format(path, stereo_tones())
    return patch_number(path, path.read_bytes().index(b"data") + 4, "<I", 0x7FFFFFF0)


def huge_aiff(path):
    write_format(path, stereo_tones(), format="AIFF")
    patch_number(path, path.read_bytes().index(b"COMM") + 10, ">I", 0x7FFFFFFF)
    return patch_number(path, path.read_bytes().index(b"SSND") + 4, ">I", 0x7FFFFFFF)


def huge_flac(path):
    write_format(path, stereo_tones(), format="FLAC")
    # 20 bits of rate, 3 of channels, 5 of width, then 36 bits of length.
    (numbers,) = struct.unpack_from(">Q", path.read_bytes(), 18)
    return patch_number(path, 18, ">Q", numbers | (2**36 - 1))


def huge_mp3(path):
    write_format(path, stereo_tones(), format="MP3")
    content = path.read_bytes()
    header = max(content.find(b"Info"), content.find(b"Xing"))
    return patch_number(path, header + 8, ">I", 0x7FFFFFFF)


def huge_ogg(path):
    write_format(path, stereo_tones(), format="OGG")
    return patch_number(path, path.read_bytes().rindex(b"OggS") + 6, "<q", 2**62)


@pytest.mark.parametrize("make", [huge_wav, huge_aiff, huge_flac, huge_mp3, huge_ogg])
def test_a_header_that_promises_too_much_costs_no_memory(tmp_path, make):
    path = make(tmp_path / "sound")

    def read():
        try:
            return load_audio(path)[0]
        except AudioReadError as error:
            return error

    peak, result = peak_memory(read)
    assert peak < 50e6
    if isinstance(result, AudioReadError):
        assert str(path) in str(result)
    else:
        assert 0 < len(result) <= RATE


@pytest.mark.parametrize("make", [huge_wav, huge_aiff, huge_flac, huge_mp3, huge_ogg])
def test_front_ends_do_not_allocate_what_a_header_promises(tmp_path, make):
    path = make(tmp_path / "sound")

    def transform():
        try:
            SpectrogramTransformer().fit_transform([path])
        except AudioReadError as error:
            return error

    peak, _ = peak_memory(transform)
    assert peak < 100e6


@pytest.mark.parametrize(
    ("format", "subtype"), [("WAV", "PCM_16"), ("WAV", "FLOAT"), ("AIFF", "PCM_16")]
)
@pytest.mark.parametrize("share", [0.2, 0.99])
def test_a_cut_off_file_without_compression_is_noticed_too(tmp_path, format, subtype, share):
    path = write_format(tmp_path / "cut", stereo_tones(), format=format, subtype=subtype)
    content = path.read_bytes()
    path.write_bytes(content[: int(share * len(content))])
    assert "the file is truncated" in read_error(path)
    assert not check_audio([path]).ok[0]


@pytest.mark.parametrize("length", [0xFFFFFFFF, 0x7FFFFFFF, 0x7FFFFFFF - 36])
def test_a_wav_written_into_a_pipe_is_whole(tmp_path, length):
    path = write_format(tmp_path / "piped.wav", stereo_tones(), subtype="PCM_16")
    place = path.read_bytes().index(b"data") + 4
    assert len(load_audio(patch_number(path, place, "<I", length))[0]) == RATE


def test_a_flac_stream_of_unknown_length_is_read_to_its_end(tmp_path):
    path = write_format(tmp_path / "stream.flac", stereo_tones(), format="FLAC")
    expected, _ = load_audio(path)
    content = path.read_bytes()
    (numbers,) = struct.unpack_from(">Q", content, 18)
    patch_number(path, 18, ">Q", numbers & -(2**36))
    np.testing.assert_array_equal(load_audio(path)[0], expected)
    np.testing.assert_array_equal(load_audio(path, start=0.5)[0], expected[RATE // 2 :])
    assert read_info(Clip(path)).n_frames == RATE
    assert check_audio([path]).ok[0]
    os.truncate(path, len(content) // 2)
    assert "the file is truncated or damaged" in read_error(path)


@pytest.mark.parametrize("has_length", [True, False])
@pytest.mark.parametrize("name", ["tagged.flac", "tagged.mp3"])
def test_a_flac_file_after_id3_tags_is_read_in_parts_too(tmp_path, has_length, name):
    """libsndfile reads it from the start, but seeks wrongly because of the tag."""
    content = bytearray(
        write_format(tmp_path / "a.flac", stereo_tones(30_001), format="FLAC").read_bytes()
    )
    if not has_length:
        content[21:26] = bytes([content[21] & 0xF0, 0, 0, 0, 0])
    footer = b"ID3\4\0\x10\0\0\0\x64" + bytes(100) + b"3DI\4\0\x10\0\0\0\x64"
    path = tmp_path / name
    path.write_bytes(b"ID3\3\0\0\0\0\x02\0" + b"text" * 64 + footer + content)
    whole, rate = load_audio(path)
    np.testing.assert_array_equal(whole, load_audio(tmp_path / "a.flac")[0])
    for start in (1, 9000, 29_998):
        np.testing.assert_array_equal(load_audio(path, start=start / rate)[0], whole[start:])
    path.write_bytes(path.read_bytes()[:-5000])
    assert "truncated" in read_error(path)


def test_text_that_is_named_as_mp3(tmp_path):
    path = tmp_path / "notes.mp3"
    path.write_bytes(b"a line of text\n" * 100)
    assert read_error(path).endswith("not readable as audio (No MP3 frames found)")


def test_a_sample_dump_that_promises_more_than_it_holds(tmp_path):
    """libsndfile invents such samples."""
    path = write_format(tmp_path / "dump.sds", stereo_tones()[:, 0], format="SDS", subtype="PCM_16")
    assert len(load_audio(path)[0]) >= RATE
    # The number of samples, in three bytes of seven bits each.
    content = bytearray(path.read_bytes())
    content[10:13] = bytes([127, 127, 127])
    path.write_bytes(content)
    assert "the file is truncated" in read_error(path)


def test_a_header_that_promises_much_silence_is_not_believed(tmp_path):
    """Its length would decide how long all spectrograms are."""
    path = write_format(tmp_path / "damaged.flac", stereo_tones(), format="FLAC")
    (numbers,) = struct.unpack_from(">Q", path.read_bytes(), 18)
    n_frames = 2000 * path.stat().st_size
    patch_number(path, 18, ">Q", numbers & -(2**36) | n_frames)
    with pytest.raises(AudioReadError, match=f"expected {n_frames} frames"):
        read_info(Clip(path))
    silence = write_format(tmp_path / "silence.flac", np.zeros(500_000), format="FLAC")
    assert silence.stat().st_size < 2000
    assert read_info(Clip(silence)).n_frames == 500_000

"""MP3 files are read to their last frame, whatever their tags say, or there is an error."""

import struct

import numpy as np
import pytest
import soundfile as sf
from helpers import check_length, common_read_error

from skdaf import AudioReadError, Clip, load_audio
from skdaf._audio.formats.mp3.blocks import BLOCK_BYTES
from skdaf._audio.formats.mp3.header import FrameHeader
from skdaf._audio.formats.mp3.layout import is_cut_off, mp3_layout
from skdaf._audio.reading import read_info

RATE = 16_000
# The decoder's delay of 529 samples and that of the encoder, 576.
DELAY = 1105


def sound(n=3 * RATE, channels=1):
    """Return a tone that rises out of noise: its MP3 frames have many sizes."""
    t = np.arange(n) / RATE
    tone = 0.5 * np.sin(2 * np.pi * (300 + 200 * t) * t) * (t / t[-1]) ** 2
    noise = 0.01 * np.random.default_rng(0).standard_normal(n)
    return np.stack([tone + noise, noise - tone][:channels], axis=1)


def mp3(path, samples, rate=RATE):
    sf.write(path, samples, rate, format="MP3")
    return path.read_bytes()


def frames_of(content):
    """Split a file that holds only frames."""
    frames, place = [], 0
    while place < len(content):
        size = FrameHeader(int.from_bytes(content[place : place + 4], "big")).n_bytes(0)
        frames.append(content[place : place + size])
        place += size
    return frames


@pytest.fixture(scope="module")
def tagged(tmp_path_factory):
    """An MP3 file of 48,000 samples at 16 kHz, with a tag that is right."""
    return mp3(tmp_path_factory.mktemp("mp3") / "sound.mp3", sound())


@pytest.fixture(scope="module")
def frames(tagged):
    info, *frames = frames_of(tagged)
    assert b"Info" in info or b"Xing" in info
    return frames


@pytest.fixture(scope="module")
def decoded(tagged, tmp_path_factory):
    """All samples of the frames, decoded by libsndfile directly."""
    path = tmp_path_factory.mktemp("decoded") / "sound.mp3"
    path.write_bytes(tagged)
    return sf.read(path, dtype="float32")[0]


@pytest.fixture
def path(tmp_path):
    return tmp_path / "sound.mp3"


def id3(n_bytes, announced=None):
    size = n_bytes if announced is None else announced
    digits = bytes(size >> shift & 127 for shift in (21, 14, 7, 0))
    return b"ID3\3\0\0" + digits + b"text" * (n_bytes // 4)


def ape(n_bytes):
    return (
        b"APETAGEX" + struct.pack("<IIII", 2000, n_bytes, 1, 1 << 31 | 1 << 29) + bytes(8 + n_bytes)
    )


ID3V1 = b"TAG" + b"a title".ljust(125, b"\0")
LYRICS = b"LYRICSBEGIN" + b"words " * 50 + b"000311LYRICS200"


# Files whose tag is right are read as libsndfile reads them.


@pytest.mark.parametrize("rate", [8000, 11_025, 16_000, 22_050, 32_000, 44_100, 48_000])
@pytest.mark.parametrize("channels", [1, 2])
def test_tagged_files_are_read_as_libsndfile_reads_them(path, rate, channels):
    mp3(path, sound(20_000, channels), rate)
    expected = sf.read(path, dtype="float32", always_2d=True)[0].mean(axis=1)
    samples = check_length(path, 20_000)
    np.testing.assert_allclose(samples, expected, rtol=0, atol=1e-6)


# Whole files without a usable tag.


def test_without_a_tag_every_frame_is_read(path, frames, decoded):
    path.write_bytes(b"".join(frames))
    samples = check_length(path, 576 * len(frames))
    np.testing.assert_allclose(samples[DELAY:][: len(decoded)], decoded, rtol=0, atol=1e-6)


@pytest.mark.parametrize("order", [1, -1])
def test_frames_of_different_sizes_make_no_estimate(path, tmp_path, order):
    """From the first frames alone, libsndfile would expect another length."""
    quiet = frames_of(mp3(tmp_path / "quiet.mp3", 1e-4 * sound()))[1:]
    loud = frames_of(mp3(tmp_path / "loud.mp3", np.random.default_rng(0).uniform(-1, 1, RATE)))[1:]
    assert len(quiet[9]) < len(loud[9])
    frames = [*quiet, *loud][::order]
    path.write_bytes(b"".join(frames))
    check_length(path, 576 * len(frames))


@pytest.mark.parametrize("count", [0, 1, 20, 10**4, 2**31, 2**32 - 1])
def test_the_count_of_frames_in_a_tag_is_not_believed(path, tagged, decoded, count):
    content = bytearray(tagged)
    place = max(content.find(b"Info"), content.find(b"Xing"))
    struct.pack_into(">I", content, place + 8, count)
    path.write_bytes(content)
    samples = load_audio(path)[0]
    assert 0 <= len(samples) - len(decoded) <= 2304
    check_length(path, len(samples))


def test_a_tag_that_counts_bytes_wrongly_is_no_damage(path, tagged, decoded):
    content = bytearray(tagged)
    place = max(content.find(b"Info"), content.find(b"Xing"))
    struct.pack_into(">I", content, place + 12, 2**30)
    path.write_bytes(content)
    np.testing.assert_allclose(check_length(path, len(decoded)), decoded, rtol=0, atol=1e-6)


def test_a_tag_of_another_encoder_is_no_sound(path, frames):
    header = frames[0][:4]
    vbri = header + bytes(32) + b"VBRI" + bytes(len(frames[0]) - 40)
    path.write_bytes(vbri + b"".join(frames))
    check_length(path, 576 * len(frames))


@pytest.mark.parametrize("n_frames", [1, 2, 3, 8, 9])
def test_a_few_frames_are_a_file(path, frames, n_frames):
    path.write_bytes(b"".join(frames[:n_frames]))
    check_length(path, 576 * n_frames)


def test_a_tag_alone_holds_no_samples(path, tagged):
    path.write_bytes(frames_of(tagged)[0])
    with pytest.raises(AudioReadError, match="the file contains no samples"):
        load_audio(path)


# Tags and other bytes around the frames.

AROUND = {
    "ID3v2 before": (id3(4000), b""),
    "two ID3v2 before": (id3(400) + id3(800), b""),
    "ID3v2 and zeros before": (id3(400) + bytes(3000), b""),
    "ID3v2 that is longer than it says": (id3(4000, 100), b""),
    "ID3v2 that says it is longer": (id3(400, 900), b""),
    "ID3v2 beyond the end": (id3(400, 2**27), b""),
    "zeros before": (bytes(5000), b""),
    "the end of a frame before": (b"\x55" * 60, b""),
    "ID3v1 after": (b"", ID3V1),
    "APE and ID3v1 after": (b"", ape(300) + ID3V1),
    "lyrics after": (b"", LYRICS + ID3V1),
    "zeros after": (b"", bytes(5000)),
    "text after": (b"", b"the end\n" * 1000),
    "ones after": (b"", b"\xff" * 5000),
}


@pytest.mark.parametrize("name", AROUND)
def test_bytes_around_the_frames_change_nothing(path, frames, name):
    front, back = AROUND[name]
    path.write_bytes(front + b"".join(frames) + back)
    check_length(path, 576 * len(frames))


@pytest.mark.parametrize("between", [b"", id3(2000), ID3V1, ape(200), ID3V1 + id3(500)])
def test_joined_files_are_read_one_after_the_other(path, tagged, frames, decoded, between):
    path.write_bytes(tagged + between + tagged)
    samples = check_length(path, len(decoded) + 576 * len(frames))
    np.testing.assert_allclose(samples[: len(decoded)], decoded, rtol=0, atol=1e-6)
    second = samples[len(decoded) :]
    np.testing.assert_allclose(second[DELAY:][: len(decoded)], decoded, rtol=0, atol=1e-6)


def test_joined_files_without_tags_are_read_one_after_the_other(path, frames):
    path.write_bytes(2 * b"".join(frames))
    check_length(path, 2 * 576 * len(frames))


def test_the_first_of_joined_files_may_end_within_a_frame(path, tagged, frames):
    path.write_bytes(b"".join(frames)[:-20] + tagged)
    check_length(path, 576 * (2 * len(frames) - 1))


@pytest.mark.parametrize("between", [b"", id3(100)])
@pytest.mark.parametrize("n_bytes", [0, 2, 40])
def test_the_second_of_joined_files_may_be_cut_after_its_tag(
    path, tagged, frames, between, n_bytes
):
    info = frames_of(tagged)[0]
    path.write_bytes(b"".join(frames) + between + tagged[: len(info) + n_bytes])
    check_length(path, 576 * len(frames))


def test_frames_lie_in_more_than_one_block(path, frames):
    content = b"".join(frames)
    n = 1 + BLOCK_BYTES // len(content)
    path.write_bytes(n * content)
    assert read_info(Clip(path)).n_frames == n * 576 * len(frames)


# MP3 in WAV files, and the older layers.


def wav(content, code=0x55, size=None, rate=RATE):
    fmt = struct.pack("<HHIIHHHHIHHH", code, 1, rate, 8000, 1, 0, 12, 1, 2, 0, 1, 0)
    size = len(content) if size is None else size
    chunks = b"fmt " + struct.pack("<I", len(fmt)) + fmt + b"data" + struct.pack("<I", size)
    return b"RIFF" + struct.pack("<I", len(chunks) + len(content) + 4) + b"WAVE" + chunks + content


@pytest.mark.parametrize("size", [None, 0, 2**32 - 1])
def test_frames_in_a_wav_file_are_all_read(path, frames, size):
    path.write_bytes(wav(b"".join(frames), size=size))
    check_length(path, 576 * len(frames))


def test_a_wav_file_of_frames_may_end_within_the_last(path, frames):
    content = wav(b"".join(frames))
    path.write_bytes(content[:-20])
    check_length(path, 576 * (len(frames) - 1))
    path.write_bytes(content[: len(content) // 2])
    assert "the file is truncated" in common_read_error(path)


@pytest.mark.parametrize(
    ("header", "layer", "frame_samples", "rate"),
    [(0xFFFFB400, 1, 384, 48_000), (0xFFFD8400, 2, 1152, 48_000), (0xFFF58400, 2, 1152, 24_000)],
)
def test_silence_of_the_older_layers(path, header, layer, frame_samples, rate):
    size = FrameHeader(header).n_bytes(0)
    path.write_bytes(40 * header.to_bytes(4, "big").ljust(size, b"\0"))
    assert not check_length(path, 40 * frame_samples).any()
    info = read_info(Clip(path))
    assert (info.sampling_rate, info.subtype) == (rate, "MPEG_LAYER_" + "I" * layer)


def test_frames_without_a_size(path):
    """Free format: the distance to the next header is the size."""
    frame = 0xFFFB0000.to_bytes(4, "big").ljust(700, b"\0")
    path.write_bytes(20 * frame)
    assert len(mp3_layout(path, 14_000).positions) == 21
    check_length(path, 20 * 1152)


# What is cut or damaged.


def test_a_cut_last_frame_ends_the_sound(path, tagged, frames):
    path.write_bytes(b"".join(frames)[:-10])
    check_length(path, 576 * (len(frames) - 1))
    path.write_bytes(tagged[:-10])
    check_length(path, 576 * (len(frames) - 1) - DELAY)


def test_only_files_that_end_within_a_frame_and_count_no_frames_are_cut_off(path, tagged, frames):
    whole = b"".join(frames)
    most = len(b"".join(frames[20:])) - 50
    for lost in (1, 10, len(frames[-1]) - 1, len(frames[-1]) - 3, most):
        path.write_bytes(whole[:-lost])
        assert is_cut_off(path)
    for lost in (10, 130):
        path.write_bytes(whole[:-lost] + ID3V1)
        assert is_cut_off(path)
    for content in (whole, whole + ID3V1, whole + bytes(100), b"".join(frames[:-7]), tagged[:-10]):
        path.write_bytes(content)
        assert not is_cut_off(path)
    for content in (tagged[: len(tagged) // 2], b"", whole[:3]):
        path.write_bytes(content)  # not readable at all
        assert not is_cut_off(path)
    assert not is_cut_off(path.with_name("missing.mp3"))


@pytest.mark.parametrize("n_lost", [0, 10])
def test_the_last_of_several_recordings_can_be_cut_off(path, tagged, frames, n_lost):
    content = tagged + ID3V1 + b"".join(frames)
    path.write_bytes(content[: len(content) - n_lost])
    assert is_cut_off(path) == (n_lost > 0)


def test_a_file_that_lost_more_than_its_tag_counts_is_truncated(path, tagged, frames):
    path.write_bytes(tagged[: len(tagged) // 2])
    assert f"{len(frames)} frames" in common_read_error(path)


@pytest.mark.parametrize("damage", ["noise", "zeros", "cut out", "inserted", "header"])
def test_damage_inside_is_named_with_its_place(path, frames, damage):
    at = len(frames) // 3
    before, after = b"".join(frames[:at]), b"".join(frames[at:])
    noise = np.random.default_rng(0).bytes(700)
    content = {
        "noise": before + noise + after[700:],
        "zeros": before + bytes(700) + after[700:],
        "cut out": before + after[30:],
        "inserted": before + noise + after,
        "header": before + b"\0" + after[1:],
    }[damage]
    path.write_bytes(content)
    message = common_read_error(path)
    assert "are neither MP3 frames nor a tag at byte" in message
    assert f"({at * 576 / RATE:.6g} s)" in message or damage == "cut out"


@pytest.mark.parametrize("between", [b"", ID3V1, id3(300), bytes(500)])
def test_streams_of_several_kinds_are_refused(path, frames, tmp_path, between):
    other = mp3(tmp_path / "other.mp3", sound(), 22_050)
    path.write_bytes(b"".join(frames) + between + other)
    assert (
        "contains several streams: the sampling rate changes from 16000 to 22050 Hz"
        in common_read_error(path)
    )
    path.write_bytes(
        b"".join(frames) + between + 9 * 0xFFF58800.to_bytes(4, "big").ljust(576, b"\0")
    )
    assert "the kind of frames changes" in common_read_error(path)
    stereo = mp3(tmp_path / "stereo.mp3", sound(channels=2))
    path.write_bytes(b"".join(frames) + stereo)
    assert "the number of channels changes" in common_read_error(path)


def test_a_stream_that_begins_late_is_as_exact_in_parts(path, frames):
    """Its first frames use bytes of frames that are missing."""
    path.write_bytes(b"".join(frames[10:]))
    check_length(path, 576 * (len(frames) - 10))


@pytest.mark.parametrize("seed", range(5))
def test_parts_equal_the_whole_whatever_the_frames_hold(path, frames, seed):
    """After a frame that cannot be decoded, libmpg123 adds in another order."""
    rng = np.random.default_rng(seed)
    content = bytearray(b"".join(6 * frames))
    places = np.cumsum([0] + [len(frame) for frame in 6 * frames])
    for number in rng.choice(len(places) - 1, 40, replace=False):
        start, stop = places[number] + 8, places[number + 1]
        content[start:stop] = rng.bytes(int(stop - start))
    path.write_bytes(content)
    check_length(path, 6 * 576 * len(frames))


# Files that are not MP3 are left to libsndfile.


@pytest.mark.parametrize(
    "content",
    [b"not a sound\n" * 50, id3(300), b"\xff\xf1" + bytes(300), b"\xff\xfb\x90\x64", bytes(300)],
)
def test_other_bytes_are_no_mp3(path, content):
    path.write_bytes(content)
    assert mp3_layout(path, len(content)) is None
    with pytest.raises(AudioReadError, match="not readable as audio"):
        load_audio(path)


@pytest.mark.parametrize("format", ["FLAC", "WAV", "OGG"])
def test_other_formats_may_be_called_mp3(path, format):
    sf.write(path, sound(), RATE, format=format)
    assert mp3_layout(path, path.stat().st_size) is None
    assert read_info(Clip(path)).format == format


# A part costs the same, wherever it is.


def test_every_section_is_decoded_as_in_one_stream(path):
    """Pure tones give small frames, which depend on many others."""
    t = np.arange(30 * RATE) / RATE
    mp3(path, 0.3 * np.sin(2 * np.pi * 440 * t))
    expected = sf.read(path, dtype="float32")[0]
    np.testing.assert_allclose(check_length(path, len(t)), expected, rtol=0, atol=1e-6)


def test_a_part_decodes_its_own_section_only(path, frames, monkeypatch):
    path.write_bytes(b"".join(20 * frames))
    read = sf.SoundFile.read
    counts = []

    def spy(file, n_frames=-1, *arguments, **keywords):
        counts.append(n_frames)
        return read(file, n_frames, *arguments, **keywords)

    monkeypatch.setattr(sf.SoundFile, "read", spy)
    seconds = 20 * len(frames) * 576 / RATE
    costs = []
    for start in (0.1 * seconds, 0.5 * seconds, 0.9 * seconds):
        counts.clear()
        load_audio(path, start=start, end=start + 0.2)
        costs.append(sum(counts))
    # Two sections of 128 frames at most, and what comes before them.
    assert max(costs) <= 300 * 576


def test_headers_are_scanned_once(path, frames, monkeypatch):
    path.write_bytes(b"".join(5 * frames))
    load_audio(path)
    monkeypatch.setattr("skdaf._audio.formats.mp3.layout.Scan", None)
    load_audio(path, start=1.0, end=1.1)


def test_a_changed_file_is_scanned_again(path, frames):
    path.write_bytes(b"".join(5 * frames))
    check_length(path, 5 * 576 * len(frames))
    path.write_bytes(b"".join(4 * frames))
    check_length(path, 4 * 576 * len(frames))

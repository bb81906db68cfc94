"""Samples and parts of recordings are those that were written."""

import re

import numpy as np
import pytest
import soundfile as sf
from helpers import peak_memory, stereo_tones, write_format

from skdaf import AudioReadError, Clip, check_audio, load_audio
from skdaf._audio.reading import read_info

pytestmark = pytest.mark.oldest

RATE = 16000


# (format, subtype, largest error of a sample). Linear samples are rounded to one step at most,
# and mixing two channels down does not add to it: the step is 2 / 2**bits. Floats of 32 bits keep
# 24 bits. The companded ones have steps of 1/32 to 1/16 of the level, at most 0.5 here.
EXACT_FORMATS = [
    ("WAV", "PCM_U8", 2**-7),
    ("WAV", "PCM_16", 2**-15),
    ("WAV", "PCM_24", 2**-22),
    ("WAV", "PCM_32", 2**-23),
    ("WAV", "FLOAT", 2**-23),
    ("WAV", "DOUBLE", 2**-23),
    ("WAV", "ULAW", 2**-5),
    ("WAV", "ALAW", 2**-5),
    ("FLAC", "PCM_16", 2**-15),
    ("FLAC", "PCM_24", 2**-22),
    ("AIFF", "PCM_16", 2**-15),
    ("AIFF", "PCM_24", 2**-22),
    ("AIFF", "FLOAT", 2**-23),
]
LOSSY_FORMATS = [("OGG", "VORBIS"), ("OGG", "OPUS"), ("MP3", "MPEG_LAYER_III")]
FORMATS = [entry[:2] for entry in EXACT_FORMATS] + LOSSY_FORMATS

# Largest difference between a part and the slice of the whole. Opus begins a little before the
# start and converges; a shift by one sample would make 0.04 on the tones below.
PART_TOLERANCE = {"OPUS": 5e-3}
# To the whole as libsndfile decodes it directly. It adds MP3 frames in another order.
LIBRARY_TOLERANCE = {**PART_TOLERANCE, "MPEG_LAYER_III": 1e-6}


@pytest.mark.parametrize(("format", "subtype", "tolerance"), EXACT_FORMATS)
def test_samples_are_the_mean_of_the_channels_written(tmp_path, format, subtype, tolerance):
    path = write_format(tmp_path / "sound", stereo_tones(), format=format, subtype=subtype)
    samples, rate = load_audio(path)
    assert rate == RATE
    assert samples.dtype == np.float32
    assert samples.shape == (RATE,)
    np.testing.assert_allclose(samples, stereo_tones().mean(axis=1), rtol=0, atol=tolerance)


@pytest.mark.parametrize(("format", "subtype"), LOSSY_FORMATS)
def test_lossy_formats_keep_length_and_shape_of_the_sound(tmp_path, format, subtype):
    path = write_format(tmp_path / "sound", stereo_tones(), format=format, subtype=subtype)
    samples, rate = load_audio(path)
    assert rate == RATE
    assert samples.dtype == np.float32
    assert samples.shape == (RATE,)
    # Codecs shape the error to be inaudible, not small. A shift by one sample alone would make a
    # relative error of 0.25 (2 sin(pi f / rate), mean of both tones), which is out of bounds.
    expected = stereo_tones().mean(axis=1)
    error = np.sqrt(np.mean((samples - expected) ** 2) / np.mean(expected**2))
    assert error < 0.15


def test_mono_files_are_read_as_they_are(tmp_path):
    samples = stereo_tones()[:, 0].astype(np.float32)
    path = write_format(tmp_path / "mono.wav", samples, subtype="FLOAT")
    np.testing.assert_array_equal(load_audio(path)[0], samples)


@pytest.mark.parametrize("n_channels", [2, 3, 6])
def test_all_channels_have_the_same_weight(tmp_path, n_channels):
    samples = np.zeros((100, n_channels))
    samples[np.arange(n_channels), np.arange(n_channels)] = 0.5
    path = write_format(tmp_path / "many.wav", samples, subtype="FLOAT")
    expected = np.zeros(100)
    expected[:n_channels] = 0.5 / n_channels
    np.testing.assert_allclose(load_audio(path)[0], expected, rtol=0, atol=1e-7)


@pytest.mark.parametrize("format", ["WAV", "FLAC", "OGG", "MP3"])
def test_recordings_longer_than_a_block_have_no_joints(tmp_path, monkeypatch, format):
    path = write_format(tmp_path / "long", stereo_tones(30_007), format=format)
    whole, _ = load_audio(path)
    monkeypatch.setattr("skdaf._audio.formats.audio_file.BLOCK_SAMPLES", 1000)
    np.testing.assert_array_equal(load_audio(path)[0], whole)


@pytest.mark.parametrize(("format", "subtype"), FORMATS)
def test_a_part_equals_the_slice_of_the_whole(tmp_path, format, subtype):
    path = write_format(tmp_path / "sound", stereo_tones(), format=format, subtype=subtype)
    whole, _ = load_audio(path)
    for start, stop in [(0, 1), (1, 2), (999, 3001), (12345, 12346), (7000, RATE)]:
        part, _ = load_audio(path, start=start / RATE, end=stop / RATE)
        clip, _ = load_audio(Clip(path, start / RATE, stop / RATE))
        tolerance = PART_TOLERANCE.get(subtype, 0)
        np.testing.assert_allclose(part, whole[start:stop], rtol=0, atol=tolerance)
        np.testing.assert_array_equal(clip, part)


@pytest.mark.parametrize("rate", [8000, 11025, 22050, 44100])
def test_seconds_find_their_frame_though_they_are_rounded(tmp_path, rate):
    n = 3000
    # In binary, frame / rate * rate is often a little less than the frame.
    frames = [frame for frame in range(1, n) if frame / rate * rate != frame] or [n // 2]
    path = write_format(tmp_path / "ramp.wav", np.arange(n) / n, rate, subtype="FLOAT")
    whole, _ = load_audio(path)
    for frame in frames[:20]:
        np.testing.assert_array_equal(load_audio(path, start=frame / rate)[0], whole[frame:])
        np.testing.assert_array_equal(load_audio(path, end=frame / rate)[0], whole[:frame])


@pytest.mark.parametrize(("format", "subtype"), LOSSY_FORMATS)
@pytest.mark.parametrize("n", [80_000, 300_000])
def test_a_part_of_a_long_compressed_file_equals_the_slice_of_the_whole(
    tmp_path, format, subtype, n
):
    """Pure tones give small frames that depend on many others, and long pages."""
    path = write_format(tmp_path / "sound", stereo_tones(n), format=format, subtype=subtype)
    with sf.SoundFile(path) as file:
        whole = file.read(dtype="float32").mean(axis=1)
    for start in [4000, 20_011, n // 2, n - 30_000, n - 2188, n - 200]:
        part, _ = load_audio(path, start=start / RATE, end=(start + 3000) / RATE)
        expected = whole[start : start + 3000]
        assert part.shape == expected.shape
        tolerance = LIBRARY_TOLERANCE.get(subtype, 0)
        np.testing.assert_allclose(part, expected, rtol=0, atol=tolerance)


@pytest.mark.parametrize("subtype", ["GSM610", "G721_32"])
def test_a_part_of_a_file_without_seeking_equals_the_slice_of_the_whole(tmp_path, subtype):
    path = write_format(tmp_path / "sound", stereo_tones()[:, 0], subtype=subtype)
    whole, _ = load_audio(path)
    part, _ = load_audio(path, start=5000 / RATE, end=7000 / RATE)
    np.testing.assert_array_equal(part, whole[5000:7000])


@pytest.mark.parametrize(
    ("format", "subtype"),
    [
        *[("AIFF", "DWVW_16"), ("AIFF", "DWVW_24"), ("PAF", "PCM_24")],
        *[("SDS", "PCM_S8"), ("SDS", "PCM_16"), ("SDS", "PCM_24")],
    ],
)
def test_a_part_of_a_file_that_libsndfile_seeks_badly_equals_the_slice_of_the_whole(
    tmp_path, monkeypatch, format, subtype
):
    path = write_format(
        tmp_path / "sound", stereo_tones(1003)[:, 0], format=format, subtype=subtype
    )
    whole, rate = load_audio(path)
    assert len(whole) in (1003, 1010)  # PAF fills its last block up
    for start in (1, 500, 990, len(whole) - 3, len(whole) - 1):
        for end in (min(len(whole), start + 7), len(whole)):
            part, _ = load_audio(Clip(path, start / rate, end / rate))
            np.testing.assert_array_equal(part, whole[start:end])
    monkeypatch.setattr("skdaf._audio.formats.audio_file.BLOCK_SAMPLES", 101)
    np.testing.assert_array_equal(load_audio(path)[0], whole)


@pytest.mark.parametrize("end", [1.0, 1.01, 1.5, 2.0, 3.25, np.inf])
def test_an_end_slightly_beyond_the_file_is_the_end_of_the_file(wav, end):
    whole, _ = load_audio(wav)
    np.testing.assert_array_equal(load_audio(wav, start=0.25, end=end)[0], whole[RATE // 4 :])
    assert read_info(Clip(wav, 0.25, end)).n_frames == RATE * 3 // 4


@pytest.mark.parametrize(("start", "end"), [(0, 4.01), (0.25, 3.26), (0.999, 2.1), (0, 1e308)])
@pytest.mark.parametrize("format", ["WAV", "FLAC"])
def test_an_end_far_beyond_the_file_names_the_file_and_the_seconds(tmp_path, start, end, format):
    path = write_format(tmp_path / "sound", stereo_tones(), format=format)
    found = f"{str(path)!r}: the clip ends at {end:g} s, but the file ends at 1 s"
    expected = re.escape(found) + ".*are seconds"
    for read in (lambda clip: load_audio(clip), read_info):
        with pytest.raises(AudioReadError, match=expected):
            read(Clip(path, start, end))


def test_most_of_a_short_clip_may_be_after_the_end(wav):
    samples, _ = load_audio(wav, start=1 - 1 / RATE, end=1.9)
    assert len(samples) == 1


@pytest.mark.parametrize("start", [1.0, 2.5, 1e9, 1e308])
def test_a_start_beyond_the_file_names_the_file_and_the_seconds(wav, start):
    with pytest.raises(AudioReadError) as info:
        load_audio(wav, start=start)
    assert repr(str(wav)) in str(info.value)
    assert f"starts at {start:g} s" in str(info.value)
    assert "ends at 1 s" in str(info.value)


def test_a_part_shorter_than_a_sample_holds_one_sample(wav):
    whole, _ = load_audio(wav)
    samples, _ = load_audio(wav, start=0.5, end=0.5 + 1e-9)
    np.testing.assert_array_equal(samples, whole[RATE // 2 : RATE // 2 + 1])


@pytest.mark.parametrize("format", ["WAV", "FLAC"])
def test_a_part_costs_its_own_memory_only(tmp_path, format):
    n = 2_000_000
    path = write_format(tmp_path / "long", np.zeros(n, np.int16), format=format)
    peak, part = peak_memory(lambda: load_audio(path, start=60, end=60.5)[0])
    assert len(part) == RATE // 2
    # The part takes 32 kB, the whole would take 8 MB.
    assert peak < 500_000


def test_a_part_reads_its_own_frames_only(tmp_path, monkeypatch):
    path = write_format(tmp_path / "tones.flac", stereo_tones(), format="FLAC")
    asked = []
    read = sf.SoundFile.read

    def spy(file, frames=-1, *args, **kwargs):
        asked.append((file.tell(), frames))
        return read(file, frames, *args, **kwargs)

    monkeypatch.setattr(sf.SoundFile, "read", spy)
    load_audio(path, start=0.25, end=0.5)
    assert asked == [(RATE // 4, RATE // 4)]


def test_times_given_with_a_clip_replace_its_own(wav):
    whole, _ = load_audio(wav)
    clip = Clip(wav, 0.5, 0.75)
    np.testing.assert_array_equal(load_audio(clip, end=0.25)[0], whole[: RATE // 4])


def test_the_header_gives_the_length_of_the_part(wav):
    info = read_info(Clip(wav, 0.25, 0.5))
    assert (info.sampling_rate, info.n_frames, info.channels) == (RATE, RATE // 4, 2)
    assert (info.format, info.subtype) == ("WAV", "PCM_16")


@pytest.mark.parametrize("n_blocks", [1, 2, 5, 6, 7])
def test_the_byte_behind_an_odd_number_of_gsm_blocks_is_no_sound(tmp_path, n_blocks):
    path = tmp_path / "a.wav"
    tone = 0.3 * np.sin(np.arange(320 * 7) * 0.05)
    sf.write(path, tone[: 320 * n_blocks], 8000, subtype="GSM610")
    samples, _ = load_audio(path)
    assert len(samples) == 320 * n_blocks
    # GSM is coarse; the samples of another block would differ far more.
    assert np.abs(samples - tone[: len(samples)]).max() < 0.2
    part, _ = load_audio(Clip(path, 0.02))
    np.testing.assert_array_equal(part, samples[160:])
    assert check_audio([path]).duration[0] == len(samples) / 8000

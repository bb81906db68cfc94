import contextlib
import csv
import os
import pickle
import re
import socket
import struct
import subprocess
import sys
import tracemalloc
from pathlib import Path

import numpy as np
import pytest
import soundfile as sf
from helpers import CASES
from scipy.signal import butter, chirp, sosfilt

from skdaf import AudioReadError, Clip, SpectrogramTransformer, check_audio, load_audio
from skdaf._audio.reading import read_info
from skdaf._audio.resampling import resample

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
# To the whole as libsndfile alone decodes it. It adds MP3 frames in another order.
LIBRARY_TOLERANCE = {**PART_TOLERANCE, "MPEG_LAYER_III": 1e-6}


def tones(n=RATE, rate=RATE):
    """Make a stereo sound: another tone on each channel, and a start that no other part equals."""
    t = np.arange(n) / rate
    left = 0.5 * np.sin(2 * np.pi * 440 * t) * np.linspace(0.5, 1, n)
    right = 0.3 * np.sin(2 * np.pi * 1000 * t + 0.3)
    return np.stack([left, right], axis=1)


def write(path, samples, rate=RATE, format="WAV", subtype=None):
    sf.write(path, samples, rate, format=format, subtype=subtype)
    return path


@pytest.fixture
def wav(tmp_path):
    return write(tmp_path / "tones.wav", tones(), subtype="PCM_16")


def patched(path, offset, layout, value):
    """Overwrite a number in a file's header."""
    content = bytearray(path.read_bytes())
    struct.pack_into(layout, content, offset, value)
    path.write_bytes(content)
    return path


def peak_memory(function):
    """Return the largest number of bytes that Python and NumPy held at once, and the result."""
    tracemalloc.start()
    try:
        result = function()
        return tracemalloc.get_traced_memory()[1], result
    finally:
        tracemalloc.stop()


# What is read is what was written.


@pytest.mark.parametrize(("format", "subtype", "tolerance"), EXACT_FORMATS)
def test_samples_are_the_mean_of_the_channels_written(tmp_path, format, subtype, tolerance):
    path = write(tmp_path / "sound", tones(), format=format, subtype=subtype)
    samples, rate = load_audio(path)
    assert rate == RATE
    assert samples.dtype == np.float32
    assert samples.shape == (RATE,)
    np.testing.assert_allclose(samples, tones().mean(axis=1), rtol=0, atol=tolerance)


@pytest.mark.parametrize(("format", "subtype"), LOSSY_FORMATS)
def test_lossy_formats_keep_length_and_shape_of_the_sound(tmp_path, format, subtype):
    path = write(tmp_path / "sound", tones(), format=format, subtype=subtype)
    samples, rate = load_audio(path)
    assert rate == RATE
    assert samples.dtype == np.float32
    assert samples.shape == (RATE,)
    # Codecs shape the error to be inaudible, not small. A shift by one sample alone would make a
    # relative error of 0.25 (2 sin(pi f / rate), mean of both tones), which is out of bounds.
    expected = tones().mean(axis=1)
    error = np.sqrt(np.mean((samples - expected) ** 2) / np.mean(expected**2))
    assert error < 0.15


def test_mono_files_are_read_as_they_are(tmp_path):
    samples = tones()[:, 0].astype(np.float32)
    path = write(tmp_path / "mono.wav", samples, subtype="FLOAT")
    np.testing.assert_array_equal(load_audio(path)[0], samples)


@pytest.mark.parametrize("n_channels", [2, 3, 6])
def test_all_channels_count_alike(tmp_path, n_channels):
    samples = np.zeros((100, n_channels))
    samples[np.arange(n_channels), np.arange(n_channels)] = 0.5
    path = write(tmp_path / "many.wav", samples, subtype="FLOAT")
    expected = np.zeros(100)
    expected[:n_channels] = 0.5 / n_channels
    np.testing.assert_allclose(load_audio(path)[0], expected, rtol=0, atol=1e-7)


@pytest.mark.parametrize("format", ["WAV", "FLAC", "OGG", "MP3"])
def test_recordings_longer_than_a_block_have_no_joints(tmp_path, monkeypatch, format):
    path = write(tmp_path / "long", tones(30_007), format=format)
    whole, _ = load_audio(path)
    monkeypatch.setattr("skdaf._audio.formats.audio_file.BLOCK_SAMPLES", 1000)
    np.testing.assert_array_equal(load_audio(path)[0], whole)


# Parts of recordings.


@pytest.mark.parametrize(("format", "subtype"), FORMATS)
def test_a_part_equals_the_slice_of_the_whole(tmp_path, format, subtype):
    path = write(tmp_path / "sound", tones(), format=format, subtype=subtype)
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
    path = write(tmp_path / "ramp.wav", np.arange(n) / n, rate, subtype="FLOAT")
    whole, _ = load_audio(path)
    for frame in frames[:20]:
        np.testing.assert_array_equal(load_audio(path, start=frame / rate)[0], whole[frame:])
        np.testing.assert_array_equal(load_audio(path, end=frame / rate)[0], whole[:frame])


@pytest.mark.parametrize(("format", "subtype"), LOSSY_FORMATS)
@pytest.mark.parametrize("n", [80_000, 300_000])
def test_a_part_of_a_long_compressed_file_equals_the_slice_of_the_whole(
    tmp_path, format, subtype, n
):
    """Pure tones make small frames that lean on many others, and long pages."""
    path = write(tmp_path / "sound", tones(n), format=format, subtype=subtype)
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
    path = write(tmp_path / "sound", tones()[:, 0], subtype=subtype)
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
    path = write(tmp_path / "sound", tones(1003)[:, 0], format=format, subtype=subtype)
    whole, rate = load_audio(path)
    assert len(whole) in (1003, 1010)  # PAF fills its last block up
    for start in (1, 500, 990, len(whole) - 3, len(whole) - 1):
        for end in (min(len(whole), start + 7), len(whole)):
            part, _ = load_audio(Clip(path, start / rate, end / rate))
            np.testing.assert_array_equal(part, whole[start:end])
    monkeypatch.setattr("skdaf._audio.formats.audio_file.BLOCK_SAMPLES", 101)
    np.testing.assert_array_equal(load_audio(path)[0], whole)


@pytest.mark.parametrize("end", [1.0, 1.01, 1e9, 1e308, np.inf])
def test_an_end_beyond_the_file_is_the_end_of_the_file(wav, end):
    whole, _ = load_audio(wav)
    np.testing.assert_array_equal(load_audio(wav, start=0.25, end=end)[0], whole[RATE // 4 :])
    assert read_info(Clip(wav, 0.25, end)).n_frames == RATE * 3 // 4


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
    path = write(tmp_path / "long", np.zeros(n, np.int16), format=format)
    peak, part = peak_memory(lambda: load_audio(path, start=60, end=60.5)[0])
    assert len(part) == RATE // 2
    # The part takes 32 kB, the whole would take 8 MB.
    assert peak < 500_000


def test_a_part_reads_its_own_frames_only(tmp_path, monkeypatch):
    path = write(tmp_path / "tones.flac", tones(), format="FLAC")
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


def test_the_header_tells_the_length_of_the_part(wav):
    info = read_info(Clip(wav, 0.25, 0.5))
    assert (info.sampling_rate, info.n_frames, info.channels) == (RATE, RATE // 4, 2)
    assert (info.format, info.subtype) == ("WAV", "PCM_16")


# Resampling.


def amplitude(samples, rate, frequency):
    """Return the amplitude of a tone, leaving out the ends, where filters ring."""
    n = len(samples)
    t = np.arange(n) / rate
    window = np.hanning(n)
    return 2 * abs(np.sum(samples * window * np.exp(-2j * np.pi * frequency * t))) / window.sum()


@pytest.mark.parametrize(("source", "target"), [(44100, 16000), (8000, 22050), (48000, 8000)])
def test_a_tone_keeps_frequency_and_amplitude(tmp_path, source, target):
    t = np.arange(source) / source
    path = write(tmp_path / "tone.wav", 0.5 * np.sin(2 * np.pi * 1000 * t), source, subtype="FLOAT")
    samples, rate = load_audio(path, sampling_rate=target)
    assert rate == target
    assert samples.dtype == np.float32
    assert amplitude(samples, rate, 1000) == pytest.approx(0.5, abs=1e-4)
    # One bin of a Hann window of one second is 1 Hz; its main lobe ends 2 Hz away.
    assert amplitude(samples, rate, 1003) < 0.5e-2


@pytest.mark.parametrize("frequency", [4500, 6000, 15000])
def test_a_tone_above_the_new_nyquist_vanishes(frequency):
    t = np.arange(44100) / 44100
    tone = np.sin(2 * np.pi * frequency * t).astype(np.float32)
    samples = resample(tone, 44100, 8000)
    # The ends, where the tone is switched on, hold a click of all frequencies.
    middle = samples[800:-800]
    assert np.sqrt(2 * np.mean(middle**2)) < 1e-3  # -60 dB


@pytest.mark.parametrize("n", [1, 2, 7, 1000, 44100])
@pytest.mark.parametrize(("source", "target"), [(44100, 8000), (8000, 44100), (48000, 16000)])
def test_resampling_keeps_the_duration(n, source, target):
    resampled = resample(np.ones(n, np.float32), source, target)
    assert len(resampled) >= 1
    assert abs(len(resampled) - n * target / source) <= 1


def test_one_sample_stays_one_sample(tmp_path):
    path = write(tmp_path / "one.wav", np.array([0.25]), 48000, subtype="FLOAT")
    samples, _ = load_audio(path, sampling_rate=8000)
    assert samples.shape == (1,)
    assert samples.dtype == np.float32
    assert np.isfinite(samples).all()


def test_an_equal_rate_changes_nothing(wav):
    np.testing.assert_array_equal(load_audio(wav, sampling_rate=RATE)[0], load_audio(wav)[0])


@pytest.mark.parametrize("rate", ["16000", True, 1j])
def test_a_sampling_rate_that_is_no_number_is_refused(wav, rate):
    with pytest.raises(TypeError, match="sampling_rate must be None or a number of Hz, got"):
        load_audio(wav, sampling_rate=rate)


def test_a_sampling_rate_of_zero_is_refused(wav):
    with pytest.raises(ValueError, match="sampling_rate must be at least 1 Hz, got 0"):
        load_audio(wav, sampling_rate=0)


# Names and kinds of paths.


@pytest.mark.parametrize("name", ["ünï côdé 日本語.wav", "a  b c.wav", "no suffix", "x'\"y.wav"])
def test_names_are_free(tmp_path, name):
    if sys.platform == "win32" and '"' in name:
        pytest.skip("Windows forbids quotation marks in names")
    path = write(tmp_path / name, tones())
    assert len(load_audio(path)[0]) == RATE


@pytest.mark.skipif(sys.platform != "linux", reason="other systems hold names to Unicode")
def test_names_that_are_not_unicode_are_read(wav):
    path = os.fsdecode(os.fsencode(wav.parent) + b"/\xff.wav")
    try:
        os.rename(wav, path)
    except OSError:
        pytest.skip("this file system holds names to Unicode")
    assert len(load_audio(path)[0]) == RATE


@pytest.fixture
def deep_folder(tmp_path):
    """A folder with a path of more than 1,024 bytes."""
    folder = tmp_path
    while len(os.fsencode(folder)) <= 1024:
        folder = folder / ("d" * 150)
    try:
        folder.mkdir(parents=True)
    except OSError:
        pytest.skip("this system does not take paths that long")
    return folder


def test_long_paths_are_read(deep_folder, wav):
    path = deep_folder / "sound.wav"
    path.write_bytes(wav.read_bytes())
    np.testing.assert_array_equal(load_audio(path, start=0.5)[0], load_audio(wav, start=0.5)[0])


@pytest.mark.skipif(not os.path.isdir("/proc/self/fd"), reason="needs a list of open files")
def test_long_paths_leave_no_file_open(deep_folder, wav):
    good, bad = deep_folder / "good.wav", deep_folder / "bad.wav"
    good.write_bytes(wav.read_bytes())
    bad.write_text("not a sound")
    before = len(os.listdir("/proc/self/fd"))
    for _ in range(3):
        load_audio(good)
        with pytest.raises(AudioReadError):
            load_audio(bad)
    assert len(os.listdir("/proc/self/fd")) == before


class OwnPath:
    def __init__(self, path):
        self.path = path

    def __fspath__(self):
        return str(self.path)


@pytest.mark.parametrize("kind", [str, Path, OwnPath, np.str_])
def test_every_kind_of_path_is_taken(wav, kind):
    np.testing.assert_array_equal(load_audio(kind(wav))[0], load_audio(wav)[0])


@pytest.mark.parametrize("kind", [str, Path, OwnPath, np.str_])
def test_every_kind_of_path_is_named_in_the_same_way(tmp_path, kind):
    path = tmp_path / "gone.wav"
    with pytest.raises(AudioReadError) as info:
        load_audio(kind(path))
    assert str(info.value) == f"{str(path)!r}: no such file"
    assert info.value.paths == [str(path)]


def test_read_only_files_are_read(wav):
    wav.chmod(0o444)
    assert len(load_audio(wav)[0]) == RATE


# One sound in five formats.


def one_sound(rate=44100):
    """Two seconds of a rising chirp in noise that ends below 4 kHz, faded in and out."""
    t = np.arange(2 * rate) / rate
    noise = sosfilt(
        butter(4, 3000, fs=rate, output="sos"), np.random.default_rng(0).standard_normal(len(t))
    )
    fade = np.clip(5 * np.minimum(t, 2 - t), 0, 1)
    return fade * (0.4 * chirp(t, 200, 2, 3000) + 0.05 * noise)


def test_one_sound_in_five_formats_gives_one_spectrogram(tmp_path):
    sound = one_sound()
    left_right = np.stack([1.2 * sound, 0.8 * sound], axis=1)
    paths = [
        write(tmp_path / "float.wav", sound, 44100, subtype="FLOAT"),
        write(tmp_path / "24.flac", sound, 44100, "FLAC", "PCM_24"),
        write(tmp_path / "8kHz.wav", resample(sound, 44100, 8000), 8000),
        write(tmp_path / "lossy.ogg", sound, 44100, "OGG"),
        write(tmp_path / "stereo.mp3", left_right, 44100, "MP3"),
    ]
    front_end = SpectrogramTransformer(sampling_rate=8000, standardize=False)
    reference, flac, low_rate, ogg, mp3 = front_end.fit_transform(paths)
    # Coders leave out what louder neighbours mask: compare what lies within 30 dB of the peak.
    loud = reference > reference.max() - 30

    def differences(spectrogram):
        return np.quantile(np.abs(spectrogram - reference)[loud], [0.5, 0.95])

    # Lossless: 24 bits are 100 dB below what is compared. Measured 1e-5 dB.
    assert differences(flac)[1] < 1e-3
    # Lossless but for 16 bits, 60 dB below what is compared, and the same resampling.
    assert differences(low_rate)[1] < 0.01
    # Lossy: measured 0.05 and 0.3 dB for Vorbis, 0.04 and 0.2 dB for MP3 (median and 95%). Three
    # times that leaves room for other versions of the coders. A wrong gain, mixdown or rate, or a
    # shift by one frame, makes a difference of several decibels.
    for lossy in (ogg, mp3):
        median, most = differences(lossy)
        assert median < 0.2
        assert most < 1.0


# What cannot be read.


def fails(path, *, cause=None):
    """Check that a file ends in an AudioReadError that names it; return the message."""
    with pytest.raises(AudioReadError) as info:
        load_audio(path)
    assert str(info.value).startswith(f"{str(path)!r}: ")
    assert info.value.paths == [str(path)]
    if cause is not None:
        assert isinstance(info.value.__cause__, cause)
    return str(info.value)


def test_a_missing_file(tmp_path):
    assert "no such file" in fails(tmp_path / "gone.wav", cause=FileNotFoundError)


def test_an_empty_file(tmp_path):
    path = tmp_path / "empty.wav"
    path.touch()
    assert "the file is empty" in fails(path)


def test_text_that_pretends_to_be_a_sound(tmp_path):
    path = tmp_path / "notes.wav"
    path.write_text("not a sound\n" * 20)
    assert "not readable as audio" in fails(path, cause=sf.LibsndfileError)


def test_headerless_samples(tmp_path):
    path = tmp_path / "samples.raw"
    path.write_bytes(bytes(1000))
    assert "not readable as audio" in fails(path, cause=TypeError)


def test_a_folder(tmp_path):
    path = tmp_path / "folder.wav"
    path.mkdir()
    assert "is a folder" in fails(path)


def test_a_name_with_a_null_character(tmp_path):
    fails(tmp_path / "a\0b.wav", cause=ValueError)


@pytest.mark.skipif(sys.platform == "win32", reason="Windows has no named pipes in folders")
def test_a_pipe_that_nobody_writes_to_does_not_hang(tmp_path):
    path = tmp_path / "pipe.wav"
    os.mkfifo(path)
    assert "is not a regular file" in fails(path)


@pytest.mark.parametrize(("format", "subtype"), [("FLAC", "PCM_16"), ("MP3", None)])
def test_a_truncated_file_is_not_taken_for_a_short_one(tmp_path, format, subtype):
    path = write(tmp_path / "sound", tones(), format=format, subtype=subtype)
    content = path.read_bytes()
    path.write_bytes(content[: len(content) // 2])
    message = fails(path)
    assert "truncated" in message or "not readable as audio" in message


def test_no_frames(tmp_path):
    path = write(tmp_path / "none.wav", np.zeros((0, 1)))
    assert "holds no samples" in fails(path)


@pytest.mark.parametrize("value", [np.nan, np.inf, -np.inf])
@pytest.mark.parametrize("n_channels", [1, 2])
def test_samples_that_are_no_numbers(tmp_path, value, n_channels):
    samples = np.zeros((100, n_channels))
    samples[50, -1] = value
    path = write(tmp_path / "sound.wav", samples, subtype="FLOAT")
    told = {"nan": "NaN"}.get(str(value), str(value))
    assert f"the sample at 0.003125 s is {told}: expected finite numbers" in fails(path)
    # What lies outside the clip does not matter.
    assert len(load_audio(path, end=50 / RATE)[0]) == 50
    assert len(load_audio(path, start=51 / RATE)[0]) == 49


@pytest.mark.parametrize("start", [0.0, 0.25, 0.75])
def test_the_first_bad_sample_is_named_by_its_place_in_the_file(tmp_path, monkeypatch, start):
    monkeypatch.setattr("skdaf._audio.formats.audio_file.BLOCK_SAMPLES", 1000)
    samples = tones()
    samples[14_000, 1] = np.nan
    samples[14_001:, 0] = np.inf
    path = write(tmp_path / "sound.wav", samples, subtype="DOUBLE")
    with pytest.raises(AudioReadError, match=r"the sample at 0\.875 s is NaN"):
        load_audio(path, start=start)


@pytest.mark.parametrize("rate", [1, 50, 99, 10_000_001, 2**31 - 1])
def test_a_rate_that_is_not_audio(wav, rate):
    assert f"a sampling rate of {rate} Hz" in fails(patched(wav, 24, "<I", rate))


@pytest.mark.parametrize("rate", [100, 384_000, 10_000_000])
def test_the_outermost_rates_that_are_audio(wav, rate):
    assert load_audio(patched(wav, 24, "<I", rate))[1] == rate


def test_a_rate_of_zero(wav):
    fails(patched(wav, 24, "<I", 0), cause=sf.LibsndfileError)


def huge_wav(path):
    write(path, tones())
    return patched(path, path.read_bytes().index(b"data") + 4, "<I", 0x7FFFFFF0)


def huge_aiff(path):
    write(path, tones(), format="AIFF")
    patched(path, path.read_bytes().index(b"COMM") + 10, ">I", 0x7FFFFFFF)
    return patched(path, path.read_bytes().index(b"SSND") + 4, ">I", 0x7FFFFFFF)


def huge_flac(path):
    write(path, tones(), format="FLAC")
    # 20 bits of rate, 3 of channels, 5 of width, then 36 bits of length.
    (numbers,) = struct.unpack_from(">Q", path.read_bytes(), 18)
    return patched(path, 18, ">Q", numbers | (2**36 - 1))


def huge_mp3(path):
    write(path, tones(), format="MP3")
    content = path.read_bytes()
    header = max(content.find(b"Info"), content.find(b"Xing"))
    return patched(path, header + 8, ">I", 0x7FFFFFFF)


def huge_ogg(path):
    write(path, tones(), format="OGG")
    return patched(path, path.read_bytes().rindex(b"OggS") + 6, "<q", 2**62)


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
def test_what_a_header_promises_is_not_what_a_front_end_takes_memory_for(tmp_path, make):
    path = make(tmp_path / "sound")

    def transform():
        try:
            SpectrogramTransformer().fit_transform([path])
        except AudioReadError as error:
            return error

    peak, _ = peak_memory(transform)
    assert peak < 100e6


@pytest.mark.parametrize("value", [1e12, 1e30, -1e38])
def test_samples_whose_power_would_overflow_are_refused(tmp_path, value):
    samples = tones()
    samples[5] = value
    path = write(tmp_path / "loud.wav", samples, subtype="FLOAT")
    assert f" s is {value:.3g}: expected finite numbers, with full scale at 1" in fails(path)


@pytest.mark.parametrize(
    ("format", "subtype"), [("WAV", "PCM_16"), ("WAV", "FLOAT"), ("AIFF", "PCM_16")]
)
@pytest.mark.parametrize("share", [0.2, 0.99])
def test_a_cut_off_file_without_compression_is_noticed_too(tmp_path, format, subtype, share):
    path = write(tmp_path / "cut", tones(), format=format, subtype=subtype)
    content = path.read_bytes()
    path.write_bytes(content[: int(share * len(content))])
    assert "the file is truncated: its header announces" in fails(path)
    assert not check_audio([path]).ok[0]


@pytest.mark.parametrize("length", [0xFFFFFFFF, 0x7FFFFFFF, 0x7FFFFFFF - 36])
def test_a_wav_written_into_a_pipe_is_whole(tmp_path, length):
    path = write(tmp_path / "piped.wav", tones(), subtype="PCM_16")
    place = path.read_bytes().index(b"data") + 4
    assert len(load_audio(patched(path, place, "<I", length))[0]) == RATE


def test_a_flac_stream_that_does_not_tell_its_length_is_read_to_its_end(tmp_path):
    path = write(tmp_path / "stream.flac", tones(), format="FLAC")
    expected, _ = load_audio(path)
    content = path.read_bytes()
    (numbers,) = struct.unpack_from(">Q", content, 18)
    patched(path, 18, ">Q", numbers & -(2**36))
    np.testing.assert_array_equal(load_audio(path)[0], expected)
    np.testing.assert_array_equal(load_audio(path, start=0.5)[0], expected[RATE // 2 :])
    assert read_info(Clip(path)).n_frames == RATE
    assert check_audio([path]).ok[0]
    os.truncate(path, len(content) // 2)
    assert "the file is truncated or damaged" in fails(path)


@pytest.mark.parametrize("has_length", [True, False])
@pytest.mark.parametrize("name", ["tagged.flac", "tagged.mp3"])
def test_a_flac_file_behind_id3_tags_is_read_in_parts_too(tmp_path, has_length, name):
    """libsndfile reads it from the front, but seeks beside the tag."""
    content = bytearray(write(tmp_path / "a.flac", tones(30_001), format="FLAC").read_bytes())
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
    assert "truncated" in fails(path)


def test_text_that_is_named_as_mp3(tmp_path):
    path = tmp_path / "notes.mp3"
    path.write_bytes(b"a line of text\n" * 100)
    assert fails(path).endswith("not readable as audio (No MP3 frames found)")


def test_a_sample_dump_that_promises_more_than_it_holds(tmp_path):
    """libsndfile makes such samples up."""
    path = write(tmp_path / "dump.sds", tones()[:, 0], format="SDS", subtype="PCM_16")
    assert len(load_audio(path)[0]) >= RATE
    # The number of samples, in three bytes of seven bits each.
    content = bytearray(path.read_bytes())
    content[10:13] = bytes([127, 127, 127])
    path.write_bytes(content)
    assert "the file is truncated: its header announces" in fails(path)


def test_a_header_that_promises_much_silence_is_not_believed(tmp_path):
    """Its length would decide how long all spectrograms are."""
    path = write(tmp_path / "liar.flac", tones(), format="FLAC")
    (numbers,) = struct.unpack_from(">Q", path.read_bytes(), 18)
    n_frames = 2000 * path.stat().st_size
    patched(path, 18, ">Q", numbers & -(2**36) | n_frames)
    with pytest.raises(AudioReadError, match=f"{n_frames} frames were expected"):
        read_info(Clip(path))
    silence = write(tmp_path / "silence.flac", np.zeros(500_000), format="FLAC")
    assert silence.stat().st_size < 2000
    assert read_info(Clip(silence)).n_frames == 500_000


@pytest.mark.parametrize("error", [PermissionError(13, "Permission denied"), OSError(5, "EIO")])
@pytest.mark.parametrize("name", ["tones.wav", "tones.flac"])
def test_what_the_system_refuses_is_told_in_its_words(tmp_path, monkeypatch, error, name):
    """Root may read everything: who refuses here is a stand-in for the system."""
    path = write(tmp_path / name, tones(), format=name[-4:].strip(".").upper())

    def refuse(*arguments):
        raise error

    monkeypatch.setattr(os, "open", refuse)
    expected = f"{str(path)!r}: cannot be read ({error.strerror})"
    assert fails(path, cause=type(error)) == expected
    assert check_audio([path]).problem[0] == expected


def test_a_recording_too_long_for_memory_is_named(wav, monkeypatch):
    def refuse(*arguments, **keywords):
        raise MemoryError

    monkeypatch.setattr("skdaf._audio.resampling.soxr.resample", refuse)
    with pytest.raises(AudioReadError, match=r"tones\.wav': is too long to fit in memory"):
        load_audio(wav, sampling_rate=8000)


def test_a_damaged_mp3_prints_nothing(tmp_path, capfd):
    path = write(tmp_path / "sound.mp3", tones(), format="MP3")
    content = bytearray(path.read_bytes())
    content[600:900] = bytes(range(100)) * 3
    path.write_bytes(content)
    with contextlib.suppress(AudioReadError):
        load_audio(path)
    assert capfd.readouterr() == ("", "")


# Things that are no files, and files that change.


@pytest.fixture
def socket_path(tmp_path):
    path = tmp_path / "socket.wav"
    with socket.socket(socket.AF_UNIX) as server:
        server.bind(str(path))
        yield path


def no_files(folder):
    """Make one of each kind of thing that is not a recording but may be called one."""
    os.mkfifo(folder / "pipe.wav")
    (folder / "folder.wav").mkdir()
    (folder / "loop.wav").symlink_to("loop.wav")
    (folder / "one.wav").symlink_to("other.wav")
    (folder / "other.wav").symlink_to("one.wav")
    (folder / "dangling.wav").symlink_to("gone.wav")
    (folder / "pipe link.wav").symlink_to("pipe.wav")
    return {
        str(folder / "pipe.wav"): "is not a regular file",
        str(folder / "pipe link.wav"): "is not a regular file",
        str(folder / "folder.wav"): "is a folder",
        str(folder / "loop.wav"): "Too many levels of symbolic links",
        str(folder / "one.wav"): "Too many levels of symbolic links",
        str(folder / "dangling.wav"): "no such file",
        str(folder / "a.wav" / "b.wav"): "no such file",
        "/dev/zero": "is not a regular file",
        "/dev/null": "is not a regular file",
        "/dev/tty": "is not a regular file",
        "/proc/self/status": "the file is empty",
        "/proc/self/mem": "the file is empty",
        "/proc/self/fd": "is a folder",
    }


@pytest.mark.skipif(sys.platform != "linux", reason="the list is one of Linux")
def test_what_is_no_file_is_told_without_waiting(tmp_path, socket_path):
    X = no_files(tmp_path) | {str(socket_path): "is not a regular file"}
    for path, problem in X.items():
        assert problem in fails(path), path
    assert not check_audio(list(X)).ok.any()
    with pytest.raises(AudioReadError) as info:
        SpectrogramTransformer().fit(list(X))
    assert info.value.paths == list(X)


@pytest.mark.skipif(sys.platform != "linux", reason="elsewhere it has another name")
def test_a_pipe_on_the_standard_input_does_not_hang():
    code = (
        "from skdaf import load_audio, AudioReadError\n"
        "try:\n    load_audio('/dev/stdin')\nexcept AudioReadError as error:\n    print(error)"
    )
    command = [sys.executable, "-c", code]
    with subprocess.Popen(
        command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True
    ) as process:
        # Nothing is ever written, and the pipe stays open.
        assert "is not a regular file" in process.stdout.readline()


@pytest.fixture
def fitted(wav):
    return SpectrogramTransformer().fit([wav])


@pytest.mark.parametrize("n_jobs", [1, 2])
def test_a_file_that_vanishes_after_fit_is_named(fitted, wav, tmp_path, n_jobs):
    gone = write(tmp_path / "gone.wav", tones())
    SpectrogramTransformer().fit([wav, gone])
    gone.unlink()
    with pytest.raises(AudioReadError, match=r"gone\.wav': no such file") as info:
        fitted.set_params(n_jobs=n_jobs).transform([wav] * 70 + [gone])
    assert info.value.paths == [str(gone)]


@pytest.mark.parametrize(
    "change", ["vanish", "grow", "shrink", "cut", "other", "pipe", "empty", "forbid"]
)
def test_a_file_that_changes_between_header_and_samples(tmp_path, wav, monkeypatch, change):
    """What is there when the samples are read is what counts, or there is an error."""
    path = write(tmp_path / "changing.wav", tones())
    new = write(tmp_path / "new.wav", tones(3000 if change == "shrink" else 2 * RATE))

    def forbid():
        """Root may read all: stand in for a system that says no."""
        os_open = os.open

        def refuse(name, *arguments):
            if os.fspath(name) == str(path):
                raise PermissionError(13, "Permission denied")
            return os_open(name, *arguments)

        monkeypatch.setattr(os, "open", refuse)

    change_it = {
        "forbid": forbid,
        "vanish": path.unlink,
        "grow": lambda: new.replace(path),
        "shrink": lambda: new.replace(path),
        "cut": lambda: os.truncate(path, 20_001),
        "other": lambda: path.write_text("not a sound"),
        "pipe": lambda: (path.unlink(), os.mkfifo(path)),
        "empty": lambda: os.truncate(path, 0),
    }[change]
    transform = SpectrogramTransformer.transform

    def change_and_transform(self, X):
        change_it()
        return transform(self, X)

    monkeypatch.setattr(SpectrogramTransformer, "transform", change_and_transform)
    front_end = SpectrogramTransformer(n_frames=30)
    if change in ("grow", "shrink"):
        _, found = front_end.fit_transform([wav, path])
        monkeypatch.undo()
        np.testing.assert_array_equal(found, front_end.transform([path])[0])
        return
    with pytest.raises(AudioReadError) as info:
        front_end.fit_transform([wav, path])
    assert info.value.paths == [str(path)]


# The files of ../shared/cases, with what is right for each.

FILES = CASES / "audio"


def cases():
    """Return (name, what is right, number of samples) of the files that libsndfile reads."""
    if not (FILES / "cases.csv").is_file():
        return []
    with open(FILES / "cases.csv", newline="", encoding="utf-8") as table:
        rows = [(row["file"], row["right"], row["samples"]) for row in csv.DictReader(table)]
    return [row for row in rows if row[1] == "whole" or row[1].startswith("error")]


@pytest.mark.skipif(not FILES.is_dir(), reason="no files at hand")
@pytest.mark.parametrize(("name", "right", "n_samples"), cases())
def test_each_case_ends_as_its_row_says(name, right, n_samples):
    path = FILES / name
    report = check_audio([path])
    if right == "whole":
        samples, rate = load_audio(path)
        # Decoders take off the delay of an MP3 encoder, or not.
        tolerance = 2304 if path.suffix == ".mp3" else 0
        assert abs(len(samples) - int(n_samples)) <= tolerance
        assert read_info(Clip(path)).n_frames == len(samples)
        assert report.ok[0]
        middle = len(samples) // 2
        part = load_audio(path, start=middle / rate)[0]
        np.testing.assert_array_equal(part, samples[middle:])
    else:
        assert "the file is truncated: " in fails(path)
        assert "the file is truncated: " in report.problem[0]


# AudioReadError.


def test_the_error_is_a_value_error():
    assert issubclass(AudioReadError, ValueError)


def test_the_error_pickles_with_message_and_paths():
    error = AudioReadError("two clips", ["a.wav", "b.wav"])
    copy = pickle.loads(pickle.dumps(error))
    assert type(copy) is AudioReadError
    assert (str(copy), copy.paths) == ("two clips", ["a.wav", "b.wav"])


def test_one_error_joins_to_itself():
    error = AudioReadError.of("a.wav", "no such file")
    assert AudioReadError.join([error]) is error


@pytest.mark.parametrize("n", [2, 10, 11, 30])
def test_joined_errors_list_the_first_ten_and_the_count(n):
    names = [f"{i}.wav" for i in range(n)]
    joined = AudioReadError.join([AudioReadError.of(name, "broken") for name in names])
    lines = str(joined).splitlines()
    assert lines[0] == f"{n} clips could not be read:"
    assert lines[1:11] == [f"  '{name}': broken" for name in names[:10]]
    assert lines[11:] == ([f"  ... and {n - 10} more"] if n > 10 else [])
    assert joined.paths == names


# Clip.


@pytest.mark.parametrize("path", [3, None, b"a.wav", ["a.wav"]])
def test_a_clip_needs_a_path(path):
    with pytest.raises(TypeError, match="Clip needs a path"):
        Clip(path)


@pytest.mark.parametrize("start", [-0.1, np.nan, np.inf])
def test_a_clip_starts_at_zero_or_later(start):
    with pytest.raises(ValueError, match=r"^'a\.wav': start=.* must be at least 0 \(seconds\)"):
        Clip("a.wav", start)


@pytest.mark.parametrize("end", [0.5, 1.0, -1, np.nan])
def test_a_clip_ends_after_its_start(end):
    with pytest.raises(ValueError, match=r"^'a\.wav': end=.* must be greater than start=1\.0"):
        Clip("a.wav", 1.0, end)


@pytest.mark.parametrize(("start", "end"), [("1", None), (0, "2"), (None, 2), (1j, None)])
def test_the_times_of_a_clip_are_numbers(start, end):
    with pytest.raises(TypeError, match=r"^'a\.wav': start and end must be numbers \(seconds\)"):
        Clip("a.wav", start, end)


@pytest.mark.parametrize("number", [int, float, np.float32, np.float64, np.int64])
def test_equal_clips_look_alike_whatever_kind_of_number_they_were_given(number):
    assert repr(Clip("a.wav", number(1), number(2))) == "Clip(path='a.wav', start=1.0, end=2.0)"


def test_a_clip_is_a_value():
    clip = Clip("a.wav", 1, 2)
    assert clip == Clip("a.wav", 1.0, 2.0)
    assert hash(clip) == hash(Clip("a.wav", 1.0, 2.0))
    assert clip not in [Clip("b.wav", 1, 2), Clip("a.wav", 1.5, 2), Clip("a.wav", 1), "a.wav"]
    assert {clip, Clip("a.wav", 1, 2)} == {clip}
    with pytest.raises(AttributeError):
        clip.start = 0.5


@pytest.mark.parametrize("clip", [Clip("a.wav"), Clip(Path("a.wav"), 1, 2.5)])
def test_a_clip_pickles(clip):
    copy = pickle.loads(pickle.dumps(clip))
    assert copy == clip
    assert type(copy.path) is type(clip.path)


# Channels.


@pytest.fixture
def four(tmp_path):
    """Four channels, all different, and a file that holds them."""
    samples = np.random.default_rng(4).integers(-(2**15), 2**15, (3000, 4), dtype=np.int16)
    path = tmp_path / "four.wav"
    sf.write(path, samples, 8000, subtype="PCM_16")
    return str(path), samples.astype(np.float32) / 2**15


@pytest.mark.parametrize("suffix", ["wav", "flac", "caf", "w64"])
def test_one_channel_is_read(four, tmp_path, suffix):
    _, samples = four
    other = tmp_path / f"other.{suffix}"
    sf.write(other, samples, 8000, subtype="PCM_16")
    for channel in range(4):
        found, rate = load_audio(other, channel=channel)
        np.testing.assert_array_equal(found, samples[:, channel])
        assert found.flags.c_contiguous
        assert rate == 8000
        part, _ = load_audio(Clip(other, 0.1, 0.2), channel=np.int64(channel))
        np.testing.assert_array_equal(part, samples[800:1600, channel])
    np.testing.assert_allclose(load_audio(other)[0], samples.mean(axis=1), atol=1e-6)


def test_one_channel_is_resampled(four):
    path, samples = four
    found, _ = load_audio(path, channel=2, sampling_rate=16_000)
    np.testing.assert_array_equal(found, resample(samples[:, 2].copy(), 8000, 16_000))


def test_one_channel_is_read_in_blocks_of_any_size(four, monkeypatch):
    path, samples = four
    monkeypatch.setattr("skdaf._audio.formats.audio_file.BLOCK_SAMPLES", 999)
    np.testing.assert_array_equal(load_audio(path, channel=3)[0], samples[:, 3])


@pytest.mark.parametrize("channel", [4, 99])
def test_a_channel_that_is_not_there_is_named(four, channel):
    path, _ = four
    sentence = (
        rf"{re.escape(repr(path))}: there is no channel {channel}: the file has 4 channels, counted"
    )
    for read in (lambda: load_audio(path, channel=channel), lambda: read_info(Clip(path), channel)):
        with pytest.raises(AudioReadError, match=sentence):
            read()


def test_mono_has_one_channel(tmp_path):
    path = tmp_path / "mono.wav"
    sf.write(path, np.linspace(-1, 1, 100), 8000)
    np.testing.assert_array_equal(load_audio(path, channel=0)[0], load_audio(path)[0])
    with pytest.raises(
        AudioReadError, match="there is no channel 1: the file has one channel, counted from 0"
    ):
        load_audio(path, channel=1)


@pytest.mark.parametrize("channel", [-1, -5])
def test_channels_are_counted_from_0(four, channel):
    with pytest.raises(ValueError, match=f"channel must be at least 0, got {channel}"):
        load_audio(four[0], channel=channel)


@pytest.mark.parametrize("channel", [0.0, "0", True, [0], "left"])
def test_a_channel_is_a_whole_number(four, channel):
    with pytest.raises(TypeError, match="channel must be None or an int"):
        load_audio(four[0], channel=channel)


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

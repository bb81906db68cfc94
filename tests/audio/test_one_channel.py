"""load_audio reads one channel of a file."""

import re

import numpy as np
import pytest
import soundfile as sf

from skdaf import AudioReadError, Clip, load_audio
from skdaf._audio.reading import read_info
from skdaf._audio.resampling import resample

pytestmark = pytest.mark.oldest

RATE = 16000


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
    with pytest.raises(AudioReadError, match="there is no channel 1"):
        load_audio(path, channel=1)


@pytest.mark.parametrize("channel", [-1, -5])
def test_channels_are_counted_from_0(four, channel):
    with pytest.raises(ValueError, match=f"channel must be at least 0, got {channel}"):
        load_audio(four[0], channel=channel)


@pytest.mark.parametrize("channel", [0.0, "0", True, [0], "left"])
def test_a_channel_is_a_whole_number(four, channel):
    with pytest.raises(TypeError, match="channel must be None or an int"):
        load_audio(four[0], channel=channel)

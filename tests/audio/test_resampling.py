"""Resampling keeps tones and durations."""

import numpy as np
import pytest
from helpers import write_format
from scipy.signal import butter, chirp, sosfilt

from skdaf import SpectrogramTransformer, load_audio
from skdaf._audio.resampling import resample

pytestmark = pytest.mark.oldest

RATE = 16000


def amplitude(samples, rate, frequency):
    """Return the amplitude of a tone, leaving out the ends, where filters ring."""
    n = len(samples)
    t = np.arange(n) / rate
    window = np.hanning(n)
    return 2 * abs(np.sum(samples * window * np.exp(-2j * np.pi * frequency * t))) / window.sum()


@pytest.mark.parametrize(("source", "target"), [(44100, 16000), (8000, 22050), (48000, 8000)])
def test_a_tone_keeps_frequency_and_amplitude(tmp_path, source, target):
    t = np.arange(source) / source
    path = write_format(
        tmp_path / "tone.wav", 0.5 * np.sin(2 * np.pi * 1000 * t), source, subtype="FLOAT"
    )
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
    path = write_format(tmp_path / "one.wav", np.array([0.25]), 48000, subtype="FLOAT")
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
        write_format(tmp_path / "float.wav", sound, 44100, subtype="FLOAT"),
        write_format(tmp_path / "24.flac", sound, 44100, "FLAC", "PCM_24"),
        write_format(tmp_path / "8kHz.wav", resample(sound, 44100, 8000), 8000),
        write_format(tmp_path / "lossy.ogg", sound, 44100, "OGG"),
        write_format(tmp_path / "stereo.mp3", left_right, 44100, "MP3"),
    ]
    front_end = SpectrogramTransformer(sampling_rate=8000, standardize=False)
    reference, flac, low_rate, ogg, mp3 = front_end.fit_transform(paths)
    # Codecs leave out what is masked by louder neighbors: compare what is within 30 dB of the peak.
    loud = reference > reference.max() - 30

    def differences(spectrogram):
        return np.quantile(np.abs(spectrogram - reference)[loud], [0.5, 0.95])

    # Lossless: 24 bits are 100 dB below what is compared. Measured 1e-5 dB.
    assert differences(flac)[1] < 1e-3
    # Lossless except for 16 bits, 60 dB below what is compared, and the same resampling.
    assert differences(low_rate)[1] < 0.01
    # Lossy: measured 0.05 and 0.3 dB for Vorbis, 0.04 and 0.2 dB for MP3 (median and 95%). Three
    # times that leaves room for other versions of the codecs. A wrong gain, mixdown or rate, or a
    # shift by one frame, makes a difference of several decibels.
    for lossy in (ogg, mp3):
        median, most = differences(lossy)
        assert median < 0.2
        assert most < 1.0

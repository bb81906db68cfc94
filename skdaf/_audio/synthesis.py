"""Synthetic sounds of several classes."""

import io
from functools import partial

import numpy as np
import soundfile as sf
from scipy import signal


def _at_level(samples, level):
    """Scale samples to an RMS level in dB below full scale."""
    return samples * (10 ** (level / 20) / np.sqrt(np.mean(samples**2)))


def _noise(rng, t, gain):
    """Return Gaussian noise whose amplitude spectrum is `gain`, a function of Hz."""
    frequencies = np.fft.rfftfreq(len(t), d=t[1])
    spectrum = np.fft.rfft(rng.standard_normal(len(t))) * gain(frequencies)
    spectrum[0] = 0  # an offset adds to the level, but is not audible
    return _at_level(np.fft.irfft(spectrum, n=len(t)), -20)


def _energy(rng, t, level, envelope):
    """Return band-limited noise; `envelope` is a function of time, which runs from 0 to 1."""
    noise = _noise(rng, t, lambda f: (f > 200) & (f < 1800))
    return _at_level(noise * envelope(t / t[-1]), level)


def _tone(rng, t, lowest, highest):
    """Return a tone with six harmonics, or with those below half the sampling rate."""
    pitch = np.exp(rng.uniform(np.log(lowest), np.log(highest)))
    orders = np.arange(1, 7)[:, None]
    phases = rng.uniform(0, 2 * np.pi, orders.shape)
    harmonics = np.sin(2 * np.pi * pitch * orders * t + phases) / orders
    return _at_level(harmonics[orders[:, 0] * pitch < 0.5 / t[1]].sum(axis=0), -20)


def _chirp(rng, t, rising):
    """Return a tone whose pitch rises or falls."""
    low, high = rng.uniform(200, 400), rng.uniform(1200, 1800)
    start, stop = (low, high) if rising else (high, low)
    return _at_level(signal.chirp(t, start, t[-1], stop, method="logarithmic"), -20)


# {class name: function of (random generator, times in s) that returns the samples of a clip}.
KINDS = {
    "low_energy": partial(_energy, level=-42, envelope=lambda u: np.exp(-5 * u)),
    "medium_energy": partial(_energy, level=-30, envelope=lambda u: np.sin(4 * np.pi * u) ** 2),
    "high_energy": partial(_energy, level=-18, envelope=np.ones_like),
    "low_tone": partial(_tone, lowest=100, highest=250),
    "high_tone": partial(_tone, lowest=600, highest=1500),
    "rising_chirp": partial(_chirp, rising=True),
    "falling_chirp": partial(_chirp, rising=False),
    "white_noise": partial(_noise, gain=np.ones_like),
    "pink_noise": partial(_noise, gain=lambda f: np.sqrt(f[1] / np.maximum(f, f[1]))),
}

# Encodings that keep the number of samples. Block codecs round it up.
SUBTYPES = {"PCM_U8", "PCM_16", "PCM_24", "PCM_32", "FLOAT", "DOUBLE", "ULAW", "ALAW"}


def synthesize(kind, rng, duration, sampling_rate):
    """Return the samples of a clip.

    Parameters
    ----------
    kind : str
        A key of KINDS.
    rng : numpy.random.Generator
    duration : (float, float)
        Shortest and longest duration in seconds.
    sampling_rate : int
    """
    t = np.arange(round(rng.uniform(*duration) * sampling_rate)) / sampling_rate
    samples = KINDS[kind](rng, t) * 10 ** (rng.uniform(-3, 3) / 20)
    # Short fades, because an abrupt start or end is a click, which sounds the same in every class.
    samples *= np.minimum(1, np.minimum(t, t[-1] - t) / 0.003)
    return samples / max(1, np.abs(samples).max())


def wav_bytes(samples, sampling_rate, subtype):
    """Return the content of a WAV file: the same bytes for the same samples."""
    buffer = io.BytesIO()
    sf.write(buffer, samples, sampling_rate, format="WAV", subtype=subtype)
    content = bytearray(buffer.getvalue())
    # In float files, libsndfile stores the peak and the current time. Set the time to zero.
    peak = content.find(b"PEAK", 0, content.index(b"data"))
    if peak >= 0:
        content[peak + 12 : peak + 16] = bytes(4)
    return bytes(content)

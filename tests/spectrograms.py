"""Settings and sounds for tests of spectrograms."""

from dataclasses import replace

import numpy as np
from helpers import write_audio

from skdaf._features.spectrogram import SpectrogramSettings, compute_spectrograms

RATES = [8000, 16000, 22050, 44100, 48000]

# How much two float32 computations of a level may differ, in dB and in standard deviations.
# Measured: 0.
DB, SD = 1e-3, 1e-4

# (window in s, hop in s, an odd window, mel bands, fmin, fmax as a share of the rate)
LAYOUTS = [
    (0.032, 0.010, False, 64, 0.0, 0.5),
    (0.025, 0.0125, True, 40, 50.0, 0.45),
    (0.0501, 0.025, True, 128, 20.0, 0.4),
]


def make_settings(sampling_rate=16000, features="mel", **changes):
    """Return the default settings of SpectrogramTransformer, with some changed."""
    settings = SpectrogramSettings(
        features=features,
        sampling_rate=sampling_rate,
        window_length=round(0.032 * sampling_rate),
        hop_length=round(0.010 * sampling_rate),
        n_mels=64,
        n_mfcc=13,
        fmin=0.0,
        fmax=sampling_rate / 2,
        top_db=80.0,
    )
    return replace(settings, **changes)


def layout_settings(sampling_rate, layout, **changes):
    """Return the settings of one of LAYOUTS."""
    window, hop, is_odd, n_mels, fmin, fmax = layout
    return make_settings(
        sampling_rate,
        window_length=round(window * sampling_rate) // 2 * 2 + is_odd,
        hop_length=round(hop * sampling_rate),
        n_mels=n_mels,
        fmin=fmin,
        fmax=fmax * sampling_rate,
        **changes,
    )


def make_sounds(sampling_rate, n_samples=None):
    """Return {name: float32 samples} of sounds that are difficult for some formulas."""
    n_samples = sampling_rate if n_samples is None else n_samples
    t = np.arange(n_samples) / sampling_rate
    noise = np.random.default_rng(n_samples).standard_normal(n_samples)
    sounds = {
        "noise": noise,
        "tone": np.sin(2 * np.pi * 440.0 * t),
        "chirp": np.sin(2 * np.pi * (50.0 * t + 0.2 * sampling_rate * t**2)),
        "decaying noise": noise * np.exp(-12.0 * t),
        "impulse": (np.arange(n_samples) == n_samples // 2) * 1.0,
        "silence": np.zeros(n_samples),
        "very loud": 1e4 * noise,
        "very quiet": 1e-4 * noise,
        "nearly silent": 1e-9 * noise,
    }
    return {name: samples.astype(np.float32) for name, samples in sounds.items()}


def compute_one(samples, settings):
    """Return the spectrogram of one clip."""
    return compute_spectrograms([np.asarray(samples, np.float32)], settings)[0]


def decaying_noise(seed=0, n_samples=4000):
    """Return float32 samples of decaying noise, whose levels vary."""
    decay = np.exp(-np.arange(n_samples) / 3000)
    return (0.3 * decay * np.random.default_rng(seed).standard_normal(n_samples)).astype(np.float32)


def write_decaying(path, seed=0, n_samples=4000, sampling_rate=16000, **options):
    """Write decaying noise to a file; return the path as a str."""
    return write_audio(path, decaying_noise(seed, n_samples), sampling_rate, **options)

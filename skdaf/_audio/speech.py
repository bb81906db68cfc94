"""Synthetic speech: words of speakers who differ in voice, accent, tempo and microphone.

A word is a sequence of sounds, and each sound has targets for the formants (the resonances of the
vocal tract) and for the levels of three sources: the voice, breath, and the noise of consonants.
The targets are smoothed over time, as articulators cannot jump. Pulses and noise are then filtered
frame by frame (formant synthesis, as in Klatt, 1980).
"""

import zlib
from dataclasses import dataclass
from functools import partial
from typing import NamedTuple

import numpy as np
from scipy.signal import fftconvolve

from skdaf._audio.synthesis import wav_bytes

RATE = 16000
_FRAME, _HOP = 512, 128  # samples
_HOP_SECONDS = _HOP / RATE


class Sound(NamedTuple):
    """Targets of a speech sound, for a vocal tract of average length."""

    seconds: float
    formants: tuple[float, float, float]  # Hz
    voice: float = 0.0
    breath: float = 0.0
    noise: float = 0.0
    noise_center: float = 3000.0  # Hz
    noise_octaves: float = 1.0


SOUNDS = {
    # vowels
    "a": Sound(0.11, (730, 1250, 2450), voice=1),
    "o": Sound(0.12, (600, 980, 2450), voice=1),
    "u": Sound(0.10, (360, 900, 2300), voice=0.8),
    "uh": Sound(0.11, (640, 1190, 2400), voice=1),
    "e": Sound(0.11, (550, 1800, 2500), voice=1),
    "i": Sound(0.10, (330, 2150, 2800), voice=0.9),
    # voiced consonants
    "y": Sound(0.06, (280, 2200, 2950), voice=0.6),
    "l": Sound(0.07, (350, 1050, 2700), voice=0.5),
    "r": Sound(0.07, (330, 1150, 1600), voice=0.5),
    "n": Sound(0.09, (260, 1450, 2500), voice=0.35),
    # noises
    "s": Sound(0.12, (350, 1600, 2600), noise=0.30, noise_center=5500, noise_octaves=0.5),
    "f": Sound(0.10, (350, 1100, 2300), noise=0.10, noise_center=4000, noise_octaves=2.5),
    # stops: a closure, then a burst
    "d_": Sound(0.04, (250, 1700, 2600), voice=0.12),
    "d": Sound(0.015, (300, 1700, 2600), 0.3, 0, 0.25, 3800, 1.0),
    "g_": Sound(0.04, (250, 1300, 2000), voice=0.12),
    "g": Sound(0.02, (300, 1300, 2000), 0.3, 0, 0.25, 1600, 0.8),
    "p_": Sound(0.06, (400, 900, 2200)),
    "p": Sound(0.04, (400, 900, 2200), breath=0.12, noise=0.1, noise_center=900, noise_octaves=1.5),
    "t_": Sound(0.06, (350, 1700, 2600)),
    "t": Sound(0.04, (350, 1700, 2600), breath=0.08, noise=0.2, noise_center=4200),
}

WORDS = {
    "down": "d_ d a u n",
    "go": "g_ g o u",
    "left": "l e f t_ t",
    "no": "n o u",
    "off": "o o f",
    "on": "o o n",
    "right": "r a i t_ t",
    "stop": "s t_ t o p_ p",
    "up": "uh uh p_ p",
    "yes": "y e s",
}


@dataclass(frozen=True)
class Speaker:
    """What all recordings of a speaker have in common."""

    pitch: float  # Hz
    formant_scale: float  # 1 for a vocal tract of average length, more for a shorter one
    tempo: float  # 1 for average
    accent: dict[str, tuple[float, ...]]  # factors of the formants of each sound
    breathiness: float  # level of breath relative to the voice
    voice_slope: float  # dB per octave
    microphone_slope: float  # dB per octave
    echo_seconds: float  # until the echo of the room has decayed by 60 dB
    noise_level: float  # of the room, dB relative to the speech

    @classmethod
    def draw(cls, rng):
        """Draw a random speaker."""
        size = rng.uniform(0, 1)  # large people have low voices and low formants, with exceptions
        return cls(
            pitch=90 * 2 ** (1.4 * size + rng.normal(0, 0.15)),
            formant_scale=0.87 * 2 ** (0.45 * size + rng.normal(0, 0.04)),
            tempo=rng.uniform(0.7, 1.35),
            accent={name: tuple(rng.normal(1, 0.1, 3)) for name in SOUNDS},
            breathiness=rng.uniform(0.02, 0.15),
            voice_slope=rng.uniform(-9, -4),
            microphone_slope=rng.uniform(-3, 3),
            echo_seconds=rng.uniform(0.1, 0.5),
            noise_level=rng.uniform(-16, 2),
        )


def speech_clips(directory, words, n_speakers, n_takes, seed):
    """Return {path: function without arguments that returns the content of the WAV file}."""
    speakers = [Speaker.draw(np.random.default_rng([seed, n])) for n in range(n_speakers)]

    def content(word, number, take):
        # A clip depends on nothing else. crc32, because hash() differs between processes.
        rng = np.random.default_rng([seed, number, zlib.crc32(word.encode()), take])
        return wav_bytes(speak(word, speakers[number], rng), RATE, "PCM_16")

    return {
        directory / word / f"speaker_{number:02d}_{take}.wav": partial(content, word, number, take)
        for word in words
        for number in range(n_speakers)
        for take in range(n_takes)
    }


def speak(word, speaker, rng):
    """Return the samples of a word (16-bit integers), said by a speaker with random variations."""
    tracks = _tracks(word, speaker, rng)
    voice = _filtered(_pulses(tracks, speaker, rng), _vocal_tract(tracks, speaker))
    noise = rng.standard_normal(len(voice))
    breath = tracks["breath"] + speaker.breathiness * tracks["voice"]
    breath = _filtered(0.1 * noise, breath[:, None] * _formants(tracks))
    noise = _filtered(rng.standard_normal(len(voice)), _noise_gain(tracks))
    return _recorded(voice + breath + noise, speaker, rng)


def _tracks(word, speaker, rng):
    """Return the targets of a word over time, one value per frame, smoothed."""
    names = WORDS[word].split()
    sounds = [SOUNDS[name] for name in names]
    seconds = np.array([sound.seconds for sound in sounds]) / speaker.tempo
    seconds *= np.exp(rng.normal(0, 0.12, len(sounds)))
    counts = np.maximum(2, np.rint(seconds / _HOP_SECONDS).astype(int))
    before, after = rng.integers(5, 30, 2)
    counts[0], counts[-1] = counts[0] + before, counts[-1] + after
    audible = np.ones(counts.sum())
    audible[:before] = audible[len(audible) - after :] = 0

    def steps(name):
        return np.repeat([getattr(sound, name) for sound in sounds], counts, axis=0)

    factors = np.array([speaker.accent[name] for name in names]) * speaker.formant_scale
    factors *= np.exp(rng.normal(0, 0.06, factors.shape))
    formants = steps("formants") * np.repeat(factors, counts, axis=0)
    levels = {name: _smooth(audible * steps(name), 3) for name in ("voice", "breath", "noise")}
    band = {name: steps(name) for name in ("noise_center", "noise_octaves")}
    return {**levels, **band, "formants": _smooth(formants, 13)}


def _smooth(track, n_frames):
    """Average a track over an odd number of neighboring frames, with a Hann window."""
    weights = np.hanning(n_frames + 2)[1:-1]
    padding = [(n_frames // 2, n_frames // 2)] + [(0, 0)] * (track.ndim - 1)
    padded = np.pad(track, padding, mode="edge")
    shifted = [padded[i : i + len(track)] for i in range(n_frames)]
    return sum(w * part for w, part in zip(weights / weights.sum(), shifted, strict=True))


def _pulses(tracks, speaker, rng):
    """Return the pulses of the vocal folds; the pitch falls towards the end of the word."""
    n_frames = len(tracks["voice"])
    n_samples = n_frames * _HOP
    fall = np.linspace(rng.uniform(0, 0.15), -rng.uniform(0, 0.35), n_samples)
    wavering = np.interp(
        np.arange(n_samples) / n_samples, np.linspace(0, 1, 8), rng.normal(0, 0.03, 8)
    )
    pitch = speaker.pitch * 2 ** (fall + wavering + rng.normal(0, 0.08))
    phase = 2 * np.pi * np.cumsum(pitch) / RATE
    sharpness = (2500 / pitch) ** 2  # harmonics up to about 6 kHz
    pulses = np.exp(sharpness * (np.cos(phase) - 1))
    return (pulses - pulses.mean()) * np.sqrt(100 / pitch)


def _frequencies():
    return np.fft.rfftfreq(_FRAME, 1 / RATE)


def _formants(tracks):
    """Return the gain of the vocal tract, of shape (n_frames, n_frequencies)."""
    f = _frequencies()[None, :]
    fourth = tracks["formants"][:, 2:] * 1.35
    gain = 1.0
    for center in np.concatenate([tracks["formants"], fourth], axis=1).T:
        center = center[:, None]
        width = 40 + 0.06 * center
        # A resonance: 1 at low frequencies, center / width at its center.
        gain = gain * center**2 / np.hypot(center**2 - f**2, width * f)
    return gain


def _vocal_tract(tracks, speaker):
    slope = _slope(_frequencies(), speaker.voice_slope + 6)  # the lips add 6 dB per octave
    return tracks["voice"][:, None] * _formants(tracks) * slope


def _noise_gain(tracks):
    """Return the gain of the noise of consonants: a band around a center."""
    f = np.maximum(_frequencies(), 1)[None, :]
    distance = np.log2(f / tracks["noise_center"][:, None]) / tracks["noise_octaves"][:, None]
    return tracks["noise"][:, None] * np.exp(-2 * distance**2)


def _slope(f, decibels):
    """Return a gain that changes by a number of decibels per octave."""
    return (np.maximum(f, 50) / 1000) ** (decibels / 6.02)


def _filtered(samples, gains):
    """Filter samples by a gain for each frame, of shape (n_frames, n_frequencies)."""
    padded = np.pad(samples, (_FRAME // 2, _FRAME))
    starts = np.arange(len(gains)) * _HOP
    window = np.hanning(_FRAME + 1)[:-1]
    frames = padded[starts[:, None] + np.arange(_FRAME)] * window
    frames = np.fft.irfft(np.fft.rfft(frames) * gains, _FRAME)
    filtered = np.zeros(len(padded))
    for start, frame in zip(starts, frames, strict=True):
        filtered[start : start + _FRAME] += frame
    return filtered[_FRAME // 2 : _FRAME // 2 + len(samples)]


def _in_room(speech, seconds, rng):
    """Add the echo of a room: noise that decays."""
    t = np.arange(round(seconds * RATE)) / RATE
    echo = rng.standard_normal(len(t)) * 10 ** (-3 * t / seconds)
    echo *= 0.5 / np.linalg.norm(echo)
    return speech + fftconvolve(speech, echo)[: len(speech)]


def _recorded(speech, speaker, rng):
    """Add the noise of the room, the microphone and a random loudness."""
    speech = _in_room(speech, speaker.echo_seconds, rng)
    f = np.fft.rfftfreq(len(speech), 1 / RATE)
    noise = np.fft.irfft(np.fft.rfft(rng.standard_normal(len(speech))) * _slope(f, -4), len(speech))
    level = speaker.noise_level + rng.uniform(-3, 3)
    noise *= np.std(speech) / np.std(noise) * 10 ** (level / 20)
    recorded = np.fft.rfft(speech + noise) * _slope(f, speaker.microphone_slope)
    recorded[f < 60] = 0
    recorded = np.fft.irfft(recorded, len(speech))
    recorded *= 10 ** (rng.uniform(-15, -1) / 20) / np.abs(recorded).max()
    return np.rint(32767 * recorded).astype(np.int16)

"""Synthetic environmental sounds that are hard to classify: ten kinds of event in scenes of 5 s.

The benchmarks have no real environmental recordings, so this set is generated once, from random
numbers. A class is a kind of event: a siren glides, an alarm alternates, a knock repeats. Pitch,
bandwidth, loudness and length have the same distributions in all classes, so no frequency band and
no level identifies a class. Only the pattern in time and frequency does.

A clip (44.1 kHz, 16 bits, mono) contains one to three events of its class at random times and
levels, and up to two other sounds: mostly quieter sounds that belong to no class, or events of
another class that are always quieter. A room adds decaying reverberation, a microphone filters the
spectrum, colored noise is added, and some clips are overdriven.

The test clips are recorded under other conditions: rooms reverberate longer, microphones cut more
and tilt the spectrum the other way, and noise is louder and has other colors. Outside of
benchmarks, such changes of conditions reduce accuracy too.
"""

import os
import shutil
import tempfile
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import pandas as pd
import soundfile as sf
from joblib import Parallel, delayed
from scipy import signal

from skdaf.datasets import load_audio_folders

# Increase with every change to the sounds: it is part of the name of the folder with the clips.
VERSION = 2

RATE = 44100
N_SAMPLES = 5 * RATE
N_CLIPS = {"train": 40, "test": 30}
N_OVERLAPPING = {"train": 400, "test": 300}


def load(folder=None):
    """Return paths and labels for training and testing; generate the files if needed."""
    folder = Path(folder or Path(tempfile.gettempdir(), f"skdaf-scenes-{VERSION}"))
    if not folder.is_dir() or not any(folder.iterdir()):
        _make(folder)
    return *_listed(folder, "train"), *_listed(folder, "test")


def _listed(folder, part):
    clips = load_audio_folders(folder / part)
    # Some machines delete old files from temporary folders one by one.
    if len(clips.filenames) != N_CLIPS[part] * len(EVENTS):
        raise SystemExit(f"The folder {folder} is not complete. Delete it and start again.")
    return np.array(clips.filenames), np.array(clips.target_names)[clips.target]


def _make(folder):
    """Generate all clips in a temporary folder, then rename it to the given folder."""
    folder.parent.mkdir(parents=True, exist_ok=True)
    made = Path(tempfile.mkdtemp(prefix=f"{folder.name}-", dir=folder.parent))
    try:
        Parallel(n_jobs=-1)(
            delayed(_write)(made, part, kind, number)
            for part, n_clips in N_CLIPS.items()
            for kind in EVENTS
            for number in range(n_clips)
        )
        os.replace(made, folder)
    finally:
        shutil.rmtree(made, ignore_errors=True)


def load_overlapping(folder=None):
    """Return paths and indicators of overlapping events for training and testing; see `load`.

    An indicator is a DataFrame of shape (n_clips, n_kinds).
    """
    folder = Path(folder or Path(tempfile.gettempdir(), f"skdaf-overlapping-{VERSION}-2"))
    if not (folder / "labels.csv").is_file():
        folder.mkdir(parents=True, exist_ok=True)
        rows = Parallel(n_jobs=-1)(
            delayed(_write_overlapping)(folder, part, number)
            for part, n_clips in N_OVERLAPPING.items()
            for number in range(n_clips)
        )
        pd.DataFrame(rows).to_csv(folder / "labels.csv", index=False)
    table = pd.read_csv(folder / "labels.csv")
    parts = [table[table.part == part] for part in N_OVERLAPPING]
    return tuple(
        values
        for part in parts
        for values in (np.array([str(folder / name) for name in part.name]), part[list(EVENTS)])
    )


def _write_overlapping(folder, part, number):
    """Write a clip; return its row of the table of labels."""
    name = f"{part}_{number:03d}.wav"
    rng = np.random.default_rng([list(N_OVERLAPPING).index(part), len(EVENTS) + 1, number])
    samples, kinds = overlapping_scene(rng, CONDITIONS[part])
    sf.write(folder / name, samples, RATE, subtype="PCM_16")
    return {"name": name, "part": part} | {kind: int(kind in kinds) for kind in EVENTS}


def _write(folder, part, kind, number):
    path = folder / part / kind / f"{kind}_{number:03d}.wav"
    path.parent.mkdir(parents=True, exist_ok=True)
    # Each clip has its own seed, so it depends neither on the others nor on the number of workers.
    rng = np.random.default_rng([list(N_CLIPS).index(part), list(EVENTS).index(kind), number])
    sf.write(path, scene(rng, kind, CONDITIONS[part]), RATE, subtype="PCM_16")


# --- recordings ------------------------------------------------------------------------------


@dataclass(frozen=True)
class Conditions:
    """The lowest and highest values of the random conditions of a recording."""

    reverberation_time: tuple  # seconds until the reverberation has decayed by 60 dB
    direct: tuple  # level of the direct sound relative to the reverberation, dB
    noise_slope: tuple  # dB per octave
    snr: tuple  # level of an event relative to the noise, dB
    tilt: tuple  # of the microphone, dB per octave
    ripple: tuple  # of the microphone, dB
    low_cut: tuple  # Hz
    high_cut: tuple  # Hz


CONDITIONS = {
    "train": Conditions(
        reverberation_time=(0.1, 0.4),
        direct=(3, 12),
        noise_slope=(-4, -1),
        snr=(3, 20),
        tilt=(-1, 2),
        ripple=(0, 4),
        low_cut=(30, 150),
        high_cut=(10000, 18000),
    ),
    "test": Conditions(
        reverberation_time=(0.4, 0.8),
        direct=(2, 9),
        noise_slope=(-6, 1),
        snr=(2, 15),
        tilt=(-2, 0),
        ripple=(1, 4),
        low_cut=(80, 250),
        high_cut=(7000, 14000),
    ),
}


def scene(rng, kind, conditions):
    """Return the samples of a clip with one kind of event."""
    samples = np.zeros(N_SAMPLES)
    for _ in range(rng.integers(1, 4)):
        _add(rng, samples, EVENTS[kind](rng), level=rng.uniform(-9, 0))
    for _ in range(rng.integers(0, 3)):
        _add_another(rng, samples, kind)
    return _recorded(rng, samples, conditions)


def overlapping_scene(rng, conditions):
    """Return the samples of a clip with overlapping events, and their kinds: none, two or three."""
    samples = np.zeros(N_SAMPLES)
    n_events = rng.choice([0, 2, 3], p=[0.1, 0.45, 0.45])
    kinds = sorted(rng.choice(list(EVENTS), n_events, replace=False).tolist())
    middle = rng.uniform(1.5, N_SAMPLES / RATE - 1.5)
    for kind in kinds:
        # Events last at least a second, so those with the same middle overlap.
        event = EVENTS[kind](rng)[: int(2.9 * RATE)]
        event = _at_level(_faded(event), rng.uniform(-9, 0))
        start = int(middle * RATE) - len(event) // 2
        samples[start : start + len(event)] += event
    for _ in range(rng.integers(0, 3)):
        _add(rng, samples, rng.choice(DISTRACTORS)(rng), rng.uniform(-15, -5))
    return _recorded(rng, samples, conditions), kinds


def _recorded(rng, samples, conditions):
    """Add the room, noise, the microphone and, sometimes, distortion."""
    samples = _in_room(rng, samples, conditions)
    noise = _spectrum(rng.standard_normal(N_SAMPLES), _slope(rng.uniform(*conditions.noise_slope)))
    samples += _at_level(noise, -rng.uniform(*conditions.snr))
    samples = _spectrum(samples, _microphone(rng, conditions))
    samples *= _gain(rng.uniform(-20, -1)) / np.abs(samples).max()
    if rng.random() < 0.2:
        drive = rng.uniform(2, 6) / np.abs(samples).max()
        samples = np.tanh(drive * samples) / drive
    return samples


def _add_another(rng, samples, kind):
    """Add a sound of another kind than that of the clip."""
    if rng.random() < 0.6:
        sound, level = rng.choice(DISTRACTORS)(rng), rng.uniform(-15, -5)
    else:
        sound = EVENTS[rng.choice([other for other in EVENTS if other != kind])](rng)
        level = rng.uniform(-24, -14)
    _add(rng, samples, sound, level)


def _add(rng, samples, sound, level):
    sound = _at_level(_faded(sound), level)
    start = rng.integers(0, len(samples) - len(sound))
    samples[start : start + len(sound)] += sound


def _in_room(rng, samples, conditions):
    seconds = rng.uniform(*conditions.reverberation_time)
    t = _times(seconds)
    room = rng.standard_normal(len(t)) * 10 ** (-3 * t / seconds)
    # The first reflection arrives after a short delay.
    room[: int(rng.uniform(0.002, 0.015) * RATE)] = 0
    room *= _gain(-rng.uniform(*conditions.direct)) / np.linalg.norm(room)
    room[0] = 1
    return signal.fftconvolve(samples, room)[: len(samples)]


def _microphone(rng, conditions):
    """Return a gain as a function of frequency: a tilt, a smooth ripple and two cuts."""
    slope = _slope(rng.uniform(*conditions.tilt))
    low, high = rng.uniform(*conditions.low_cut), rng.uniform(*conditions.high_cut)
    knots = np.log(np.geomspace(20, RATE / 2, 9))
    ripple = rng.normal(0, rng.uniform(*conditions.ripple), len(knots))

    def gain(f):
        bends = _gain(np.interp(np.log(np.maximum(f, 20)), knots, ripple))
        cuts = np.hypot(1, (low / np.maximum(f, 1)) ** 2) * np.hypot(1, (f / high) ** 4)
        return slope(f) * bends / cuts

    return gain


# --- building blocks -------------------------------------------------------------------------


def _times(seconds):
    return np.arange(int(seconds * RATE)) / RATE


def _gain(level):
    return 10 ** (np.asarray(level) / 20)


def _at_level(samples, level):
    return samples * (_gain(level) / np.sqrt(np.mean(samples**2)))


def _faded(samples, seconds=0.005):
    rise = np.minimum(1, np.arange(len(samples)) / (seconds * RATE))
    return samples * rise * rise[::-1]


def _slope(decibels):
    """Return a gain that changes by a number of decibels per octave."""
    return lambda f: (np.maximum(f, 40) / 1000) ** (decibels / 6.02)


def _spectrum(samples, gain):
    """Shape the spectrum of samples by a function of frequency."""
    frequencies = np.fft.rfftfreq(len(samples), 1 / RATE)
    return np.fft.irfft(np.fft.rfft(samples) * gain(frequencies), len(samples))


def _around(samples, centre, octaves):
    """Keep what is near a frequency, and a little of the rest."""

    def gain(f):
        distance = np.log2(np.maximum(f, 1) / centre) / octaves
        return np.exp(-2 * distance**2) + 0.01

    return _spectrum(samples, gain)


def _log_uniform(rng, low, high):
    return np.exp(rng.uniform(np.log(low), np.log(high)))


def _pitch(rng):
    """Draw the main frequency of an event, from the same distribution for all kinds."""
    return _log_uniform(rng, 350, 2800)


def _length(rng):
    """Draw the duration of an event in seconds, from the same distribution for all kinds."""
    return rng.uniform(1.0, 2.5)


def _tone(rng, frequency, n_harmonics=6):
    """Return harmonics that follow a frequency given for each sample."""
    phase = 2 * np.pi * np.cumsum(frequency) / RATE
    decline = rng.uniform(0.5, 2.5)
    tone = np.zeros(len(phase))
    for order in range(1, n_harmonics + 1):
        if order * frequency.max() < 0.45 * RATE:
            tone += np.sin(order * phase + rng.uniform(0, 2 * np.pi)) / order**decline
    return tone


def _hiss(rng, n_samples, centre, octaves):
    """Return noise around a frequency."""
    return _around(rng.standard_normal(n_samples), centre, octaves)


def _series(rng, onsets, sound):
    """Concatenate sounds, each created by `sound(rng)`, with random loudness."""
    sounds = [_gain(rng.uniform(-6, 0)) * sound(rng) for _ in onsets]
    starts = [int(onset * RATE) for onset in onsets]
    series = np.zeros(max(s + len(x) for s, x in zip(starts, sounds, strict=True)))
    for start, samples in zip(starts, sounds, strict=True):
        series[start : start + len(samples)] += samples
    return series


def _swell(t, seconds):
    """Return a loudness that rises smoothly from time 0 and decays."""
    t = np.maximum(0, t) / seconds
    return t * np.exp(-t)


def _regular(rng, step):
    """Return onsets at nearly regular intervals."""
    onsets = np.arange(0, _length(rng), step)
    return np.abs(onsets + rng.normal(0, 0.03 * step, len(onsets)))


def _irregular(rng, step):
    """Return onsets at intervals that vary by a factor of three."""
    steps = step * rng.uniform(0.5, 1.5, 100)
    onsets = np.cumsum(steps) - steps[0]
    return onsets[onsets < _length(rng)]


def _wavering(rng, t, octaves):
    """Return slow random deviations."""
    return np.interp(t, np.linspace(0, t[-1], 8), rng.normal(0, octaves, 8))


def _flicker(rng, t, rate):
    """Return a loudness that changes at random `rate` times per second."""
    knots = np.arange(0, t[-1] + 1 / rate, 1 / rate)
    return np.interp(t, knots, rng.random(len(knots)))


def _gate(rng, t, rate, smooth=0.005):
    """Return a loudness that switches on and off `rate` times per second, with rounded edges."""
    share = rng.uniform(0.35, 0.65)
    is_on = ((t * rate + rng.random()) % 1 < share).astype(float)
    window = np.hanning(int(smooth * RATE))
    return signal.fftconvolve(is_on, window / window.sum(), mode="same")


# --- kinds of event --------------------------------------------------------------------------


def siren(rng):
    """A tone that glides up and down."""
    t = _times(_length(rng))
    swing = np.sin(2 * np.pi * (rng.uniform(0.4, 2) * t + rng.random()))
    if rng.random() < 0.5:
        swing = 2 / np.pi * np.arcsin(swing)
    return _tone(rng, _pitch(rng) * 2 ** (rng.uniform(0.15, 0.5) * swing))


def alarm(rng):
    """Two alternating tones, with or without a gap between them."""
    t = _times(_length(rng))
    rate = rng.uniform(1, 4)
    upper = (t * rate + rng.random()) % 1 < 0.5
    tone = _tone(rng, _pitch(rng) * 2 ** (rng.uniform(0.3, 1) * upper))
    return tone * _gate(rng, t, 2 * rate) if rng.random() < 0.5 else tone


def bird(rng):
    """Short glides in quick succession, all of similar shape."""
    pitch, seconds = _pitch(rng), rng.uniform(0.05, 0.15)
    start, end = rng.uniform(-0.6, 0.6, 2)

    def chirp(rng):
        u = np.linspace(0, 1, int(seconds * rng.uniform(0.8, 1.2) * RATE))
        bend = start + (end - start) * u + rng.uniform(0.2, 0.6) * np.sin(np.pi * u)
        return _tone(rng, pitch * 2**bend, 3) * np.sin(np.pi * u)

    return _series(rng, _irregular(rng, seconds * rng.uniform(1.2, 2.2)), chirp)


def cricket(rng):
    """A steady tone in quick pulses, in groups."""
    t = _times(_length(rng))
    pulses = np.maximum(0, np.sin(2 * np.pi * rng.uniform(12, 30) * t)) ** 2
    groups = _gate(rng, t, rng.uniform(1.5, 4), smooth=0.03)
    return _tone(rng, np.full(len(t), _pitch(rng)), 3) * pulses * groups


def engine(rng):
    """Many harmonics of a slowly wavering low pitch, beating."""
    t = _times(_length(rng))
    tone = _tone(rng, _log_uniform(rng, 50, 160) * 2 ** _wavering(rng, t, 0.06), 60)
    tone *= 1 + rng.uniform(0.3, 0.9) * np.sin(2 * np.pi * rng.uniform(4, 14) * t)
    return _around(tone, _pitch(rng), rng.uniform(0.8, 2))


def rain(rng):
    """Drops at random times, many per second."""
    t = _times(_length(rng))
    drops = (rng.random(len(t)) < rng.uniform(10, 50) / RATE) * rng.exponential(1, len(t))
    fall = np.exp(-1 / (rng.uniform(0.003, 0.015) * RATE))
    envelope = signal.lfilter([1], [1, -fall], drops)
    return _hiss(rng, len(t), _pitch(rng), rng.uniform(0.8, 2)) * (envelope + 0.02)


def glass(rng):
    """Inharmonic partials that are struck together and ring."""
    pitch, seconds = _pitch(rng), rng.uniform(0.08, 0.4)
    ratios = np.concatenate([[1], rng.uniform(1.2, 5, 6)])

    def stroke(rng):
        t = _times(4 * seconds)[:, None]
        shifted = pitch * ratios * rng.uniform(0.97, 1.03, len(ratios))
        rings = np.sin(2 * np.pi * shifted * t) * np.exp(-t / seconds * np.sqrt(ratios))
        return rings @ rng.uniform(0.2, 1, len(ratios))

    return _series(rng, _irregular(rng, rng.uniform(0.25, 0.8)), stroke)


def bark(rng):
    """Bursts of a rough voice whose pitch rises and falls."""
    pitch, voice = _pitch(rng), _log_uniform(rng, 150, 500)
    seconds, octaves = rng.uniform(0.1, 0.25), rng.uniform(0.8, 2)

    def burst(rng):
        u = np.linspace(0, 1, int(seconds * rng.uniform(0.8, 1.2) * RATE))
        source = _tone(rng, voice * 2 ** (rng.uniform(0.3, 0.7) * np.sin(np.pi * u)), 30)
        source = _at_level(source, 0) + 0.4 * rng.standard_normal(len(u))
        return _around(source * np.sin(np.pi * u**0.6), pitch, octaves)

    return _series(rng, _irregular(rng, rng.uniform(0.25, 0.6)), burst)


def knock(rng):
    """Short damped knocks at regular intervals."""
    pitch, seconds = _pitch(rng), rng.uniform(0.01, 0.05)

    def blow(rng):
        t = _times(6 * seconds)
        ring = np.sin(2 * np.pi * pitch * t) + np.sin(2 * np.pi * 1.6 * pitch * t)
        return (ring + 0.7 * rng.standard_normal(len(t))) * np.exp(-t / seconds)

    return _series(rng, _regular(rng, rng.uniform(0.12, 0.4)), blow)


def steps(rng):
    """Pairs of soft noises at regular intervals, heel and toe."""
    pitch, octaves = _pitch(rng), rng.uniform(0.8, 2)
    apart, seconds = rng.uniform(0.06, 0.14), rng.uniform(0.01, 0.03)

    def step(rng):
        t = _times(0.4)
        heel, toe = _swell(t, seconds), _swell(t - apart, seconds)
        return _hiss(rng, len(t), pitch, octaves) * (heel + rng.uniform(0.5, 1.2) * toe)

    return _series(rng, _regular(rng, rng.uniform(0.35, 0.7)), step)


EVENTS = {
    event.__name__: event
    for event in (alarm, bark, bird, cricket, engine, glass, knock, rain, siren, steps)
}


# --- other sounds ----------------------------------------------------------------------------


def _hum(rng):
    """Mains hum: a steady low tone."""
    return _tone(rng, np.full(int(4 * RATE), rng.choice([50.0, 60.0])), 20)


def _thud(rng):
    """One dull thud."""
    t = _times(1)
    return _hiss(rng, len(t), rng.uniform(80, 300), 1) * np.exp(-t / rng.uniform(0.05, 0.2))


def _gust(rng):
    """Noise that swells and fades."""
    t = _times(rng.uniform(1, 4))
    return _hiss(rng, len(t), _pitch(rng), 2) * np.sin(np.pi * t / t[-1]) ** 2


def _babble(rng):
    """Syllables without words."""
    t = _times(_length(rng))
    voice = _tone(rng, _log_uniform(rng, 90, 250) * 2 ** _wavering(rng, t, 0.2), 30)
    return _around(voice, _pitch(rng), 1.5) * _flicker(rng, t, 8) ** 2


def _whistle(rng):
    """A steady tone."""
    t = _times(rng.uniform(0.3, 1.5))
    return _tone(rng, np.full(len(t), _pitch(rng)), 3)


def _rustle(rng):
    """Noise that flickers."""
    t = _times(_length(rng))
    return _hiss(rng, len(t), _pitch(rng), 2) * _flicker(rng, t, 20)


DISTRACTORS = [_hum, _thud, _gust, _babble, _whistle, _rustle]

"""Decaying chords with a little noise: long synthetic recordings for the benchmarks."""

from pathlib import Path

import numpy as np
import soundfile as sf


def write_chords(folder, n_files, rate=44100, duration=5.0):
    """Write 16-bit WAV files, each with a different chord; return their paths."""
    rng = np.random.default_rng(0)
    t = np.arange(int(rate * duration)) / rate
    paths = []
    for i in range(n_files):
        pitches = 110 * 2 ** (rng.integers(0, 36, 4) / 12)
        chord = np.sin(2 * np.pi * pitches[:, None] * t).sum(axis=0) * np.exp(-2 * (t % 0.5))
        paths.append(str(Path(folder, f"{rate}_{duration}_{i}.wav")))
        sf.write(paths[-1], 0.1 * chord + 0.001 * rng.standard_normal(len(t)), rate)
    return paths

"""The vertical axis of spectrograms: mel bands in Hz, pitch classes, cepstral coefficients.

All functions take the `features` of a spectrogram ("mel", "mfcc", "mel+chroma" or None) and the
edges of its mel bands in Hz (or None).
"""

import numpy as np

from skdaf._display.style import size_in_inches
from skdaf._features.filter_banks import N_CHROMA, hz_to_mel, mel_to_hz

_OCTAVES = [0, 250, 500, 1000, 2000, 4000, 8000, 16000, 32000, 64000]
_PITCH_CLASSES = ["C", "C♯", "D", "D♯", "E", "F", "F♯", "G", "G♯", "A", "A♯", "B"]
_PARTS_OF_MFCC = ["MFCC", "delta", "delta-delta"]

# The height of a tick label in inches.
_TICK_HEIGHT = 0.17


def _is_in_hz(features, frequencies):
    return features == "mel" and frequencies is not None


def bin_edges(features, frequencies, n_bins):
    """Return the `n_bins + 1` edges of the bins: frequencies in Hz if possible, else numbers."""
    if _is_in_hz(features, frequencies):
        return frequencies
    return np.arange(n_bins + 1) - 0.5


def axis_label(features, frequencies):
    """Return the label of the axis."""
    if features == "mfcc":
        return "Coefficient"
    if frequencies is None:
        return "Bin"
    return "Frequency (Hz)" if features == "mel" else "Mel band, pitch class"


def format_frequency_axis(ax, features, frequencies, n_bins):
    """Set the scale, the limits and the ticks of the axis."""
    edges = bin_edges(features, frequencies, n_bins)
    names, height = None, size_in_inches(ax)[1]
    if _is_in_hz(features, frequencies):
        ax.set_yscale("function", functions=(hz_to_mel, mel_to_hz))
        ticks = _ticks(frequencies)
        ticks = _without_overlaps(ticks, hz_to_mel(ticks), hz_to_mel(edges[[0, -1]]), height)
        names = [f"{tick:g}" for tick in ticks]
    elif features == "mel+chroma" and frequencies is not None:
        ticks, names = _ticks_with_chroma(frequencies, height)
        ax.axhline(len(frequencies) - 1.5, color="white", linewidth=1.5)
    elif features == "mfcc":
        n = n_bins // 3
        ticks, names = [(part + 0.5) * n - 0.5 for part in range(3)], _PARTS_OF_MFCC
        for part in (1, 2):
            ax.axhline(part * n - 0.5, color="white", linewidth=1.5)
    if names is not None:
        ax.set_yticks(ticks, names)
        ax.set_yticks([], minor=True)
    ax.set_ylim(edges[[0, -1]])


def _ticks(frequencies):
    """Return frequencies to label: octaves, or round numbers if there are few octaves."""
    from matplotlib.ticker import MaxNLocator

    low, high = frequencies[[0, -1]]
    # With fmin=0, the first band starts a little above 0.
    low = 0 if frequencies[0] < frequencies[1] - frequencies[0] else low
    ticks = [tick for tick in _OCTAVES if low <= tick <= high]
    if len(ticks) < 3:
        ticks = MaxNLocator(5).tick_values(low, high)
    return np.array([tick for tick in ticks if low <= tick <= high], dtype=float)


def _ticks_with_chroma(frequencies, height):
    """Return the positions and names of ticks for mel bands followed by pitch classes."""
    n_mels = len(frequencies) - 1
    edges = hz_to_mel(frequencies)
    positions = np.interp(hz_to_mel(_ticks(frequencies)), edges, np.arange(n_mels + 1) - 0.5)
    limits = np.array([-0.5, n_mels + N_CHROMA - 0.5])
    ticks = _without_overlaps(_ticks(frequencies), positions, limits, height)
    positions = np.interp(hz_to_mel(ticks), edges, np.arange(n_mels + 1) - 0.5)
    chroma_height = height * N_CHROMA / (limits[1] - limits[0])
    step = next(
        s for s in (1, 2, 3, 4, 6, 12) if s * chroma_height >= N_CHROMA * _TICK_HEIGHT or s == 12
    )
    notes = range(0, N_CHROMA, step)
    return (
        [*positions, *(n_mels + note for note in notes)],
        [*(f"{tick:g} Hz" for tick in ticks), *(_PITCH_CLASSES[note] for note in notes)],
    )


def _without_overlaps(ticks, positions, limits, height):
    """Return the ticks whose labels do not overlap, starting with the lowest one."""
    kept = []
    inches = (positions - limits[0]) / (limits[1] - limits[0]) * height
    for tick, place in zip(ticks, inches, strict=True):
        if not kept or place - kept[-1][1] >= _TICK_HEIGHT:
            kept.append((tick, place))
    return np.array([tick for tick, _ in kept])

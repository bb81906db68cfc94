"""From waveforms to spectrograms at their own lengths, as `_features.spectrogram` computes them."""

import numpy as np
from scipy import fft
from scipy.signal import savgol_coeffs

from skdaf._estimators.export.fourier import Frames, add_frames, add_power, add_range
from skdaf._estimators.export.graph import DOUBLE, FLOAT, integers
from skdaf._features.filter_banks import N_CHROMA, chroma_filter_bank, mel_filter_bank
from skdaf._features.spectrogram import MAX_DELTA_FRAMES, POWER_FLOOR, TINY


def add_spectrogram(graph, waveform, settings):
    """Return spectrograms of waveforms as `Frames` of shape (n_clips, n_frames, n_bins)."""
    frames = add_frames(graph, waveform, settings)
    bank = mel_filter_bank(settings)
    if settings.features == "mel+chroma":
        bank = np.hstack([bank, chroma_filter_bank(settings)])
    power = add_power(graph, frames.samples, settings, bank)
    mel = power
    if settings.features == "mel+chroma":
        mel = _part(graph, power, 0, settings.n_mels)
    levels = _levels(graph, mel, settings.top_db)
    if settings.features == "mfcc":
        levels = _add_mfcc(graph, levels, frames.n_frames, settings)
    elif settings.features == "mel+chroma":
        chroma = _part(graph, power, settings.n_mels, settings.n_mels + N_CHROMA)
        levels = graph.op("Concat", levels, _chroma_levels(graph, chroma, settings), axis=2)
    return Frames(levels, frames.n_frames)


def _part(graph, tensor, first, last):
    return graph.op("Slice", tensor, integers(first), integers(last), integers(2))


def _levels(graph, power, top_db):
    """Return power in decibels below the peak of each clip.

    The logarithm is computed in float64. In float32, that of onnxruntime may differ in the last bit
    for the same value in another place, but the levels of silence must be constant.
    """
    power = graph.op("Max", power, np.float32(POWER_FLOOR))
    logarithm = graph.op("Log", graph.op("Cast", power, to=DOUBLE))
    logarithm = graph.op("Cast", logarithm, to=FLOAT)
    levels = graph.op("Mul", logarithm, np.float32(10.0 / np.log(10.0)))
    peak = graph.op("ReduceMax", levels, integers(1, 2), keepdims=1)
    levels = graph.op("Sub", levels, peak)
    return levels if top_db is None else graph.op("Max", levels, np.float32(-top_db))


def _chroma_levels(graph, chroma, settings):
    peaks = graph.op("ReduceMax", chroma, integers(2), keepdims=1)
    has_peak = graph.op("Greater", peaks, np.float32(TINY))
    divisor = graph.op("Where", has_peak, peaks, np.float32(1.0))
    shares = graph.op("Where", has_peak, graph.op("Div", chroma, divisor), np.float32(0.0))
    return _levels(graph, shares, settings.top_db)


# --- cepstral coefficients ---------------------------------------------------------------------


def _add_mfcc(graph, levels, count, settings):
    """Return cepstral coefficients, their deltas and delta-deltas."""
    transform = fft.dct(np.eye(settings.n_mels), axis=1, norm="ortho")[:, : settings.n_mfcc]
    cepstra = graph.op("MatMul", levels, transform.astype(np.float32))
    neighbors = graph.op("Gather", cepstra, _neighbors(graph, count), axis=1)
    slopes = graph.op("MatMul", _delta_weights(graph, count), neighbors)
    deltas = graph.op("Reshape", slopes, integers(0, -1, 2 * settings.n_mfcc))
    return graph.op("Concat", cepstra, deltas, axis=2)


def _neighbors(graph, count):
    """Return the frames that the deltas of each frame are computed from: (n_frames, 9).

    Near the ends of a clip, they are those of the nearest frame that has enough neighbors on both
    sides: a polynomial fitted to these has the same slope (or curvature) everywhere.
    """
    half = _half_width(graph, count)
    last = graph.op("Sub", count, integers(1))
    center = graph.op("Max", add_range(graph, count), half)
    center = graph.op("Min", center, graph.op("Sub", last, half))
    reach = MAX_DELTA_FRAMES // 2
    offsets = np.arange(-reach, reach + 1, dtype=np.int64)[None]
    index = graph.op("Add", graph.op("Unsqueeze", center, integers(1)), offsets)
    # The weights of those outside of the clip are zero.
    return graph.op("Min", graph.op("Max", index, integers(0)), last)


def _half_width(graph, count):
    """Return how many frames on each side are used: fewer in clips of less than nine frames."""
    half = graph.op("Div", graph.op("Sub", count, integers(1)), integers(2))
    return graph.op("Min", half, integers(MAX_DELTA_FRAMES // 2))


def _delta_weights(graph, count):
    """Return the weights of nine frames in a slope and in a curvature: (1, 2, 9)."""
    reach = MAX_DELTA_FRAMES // 2
    table = np.zeros((reach + 1, 2, MAX_DELTA_FRAMES), dtype=np.float32)
    for half in range(1, reach + 1):
        for order in (1, 2):
            weights = savgol_coeffs(2 * half + 1, order, deriv=order, use="dot")
            table[half, order - 1, reach - half : reach + half + 1] = weights
    return graph.op("Gather", table, _half_width(graph, count), axis=0)

"""From waveforms to the power in bands: framing, the Fourier transform and filter banks.

The Fourier transform is computed in two steps, as in the algorithm of Cooley and Tukey: a transform
of length a * b consists of transforms of length a and of length b. Each step is a product with a
small matrix. In onnxruntime, this is faster than the operator DFT and than a product with one large
matrix, which would also make files several MB larger (`benchmarks.onnx_fourier`).
"""

import math
from typing import NamedTuple

import numpy as np

from skdaf._core.limits import check_at_most
from skdaf._estimators.export.graph import integers
from skdaf._features.spectrogram import analysis_window

# Weights of the second step of the transform (512 MB).
_MAX_WEIGHTS = 2**27


class Frames(NamedTuple):
    """Frames of clips, and how many there are in each clip.

    Attributes
    ----------
    samples : str
        A tensor of shape (n_clips, n_frames, ...).
    n_frames : str
        A vector with one integer.
    """

    samples: str
    n_frames: str


class _Transform:
    """The matrices of a Fourier transform in two steps.

    Sample `step * i + j` of a frame, and frequency `p + length * q` of its spectrum, are at (i, j)
    and at (p, q). Frequencies p above half of `length` are left out: the spectrum is symmetric.
    """

    def __init__(self, n_fft):
        self.n_fft = n_fft
        self.length = max(k for k in range(1, math.isqrt(n_fft) + 1) if n_fft % k == 0)
        self.step = n_fft // self.length
        self.n_kept = self.length // 2 + 1
        n_weights = self.n_kept * (2 * self.step) ** 2
        check_at_most(n_weights, _MAX_WEIGHTS, "window_length (in weights of the exported file)")

    def first(self):
        """Return the matrix from i to the real and imaginary parts at p: (2 * n_kept, length)."""
        turns = np.outer(np.arange(self.n_kept), np.arange(self.length)) / self.length
        waves = np.exp(-2j * np.pi * turns)
        return np.concatenate([waves.real, waves.imag]).astype(np.float32)

    def second(self):
        """Return a matrix for each p, from both parts at j to both parts at q."""
        p, j = np.arange(self.n_kept), np.arange(self.step)
        turns = (p[:, None] * j / self.n_fft)[:, :, None] + np.outer(j, j) / self.step
        waves = np.exp(-2j * np.pi * turns)
        from_real = np.concatenate([waves.real, waves.imag], axis=2)
        from_imaginary = np.concatenate([-waves.imag, waves.real], axis=2)
        return np.concatenate([from_real, from_imaginary], axis=1).astype(np.float32)

    def bands(self, bank):
        """Return a matrix for each p, from the squares of both parts at q to bands.

        `bank` has the shape (n_fft // 2 + 1, n_bands). Frequencies that occur twice count once.
        """
        place = np.arange(self.n_kept)[:, None] + self.length * np.arange(self.step)
        frequency = np.minimum(place, self.n_fft - place)
        is_first = np.zeros(frequency.size, dtype=bool)
        is_first[np.unique(frequency, return_index=True)[1]] = True
        weights = bank[frequency] * is_first.reshape(*frequency.shape, 1)
        return np.concatenate([weights, weights], axis=1).astype(np.float32)


def add_frames(graph, waveform, settings):
    """Cut waveforms of shape (n_clips, n_samples) into centered frames: `Frames`."""
    n_fft, hop = settings.n_fft, settings.hop_length
    padding = integers(0, n_fft // 2, 0, n_fft // 2)
    padded = graph.op("Pad", waveform, padding)
    length = graph.op("Shape", waveform, start=1, end=2)
    # With an odd window, the last sample of a clip starts no frame.
    length = graph.op("Sub", length, integers(n_fft % 2))
    last = graph.op("Div", length, integers(hop))
    n_frames = graph.op("Add", last, integers(1))
    end = graph.op("Add", graph.op("Mul", last, integers(hop)), integers(n_fft))
    used = graph.op("Slice", padded, integers(0), end, integers(1))
    # Copying parts that all frames consist of is faster than copying single samples.
    size = math.gcd(hop, n_fft)
    parts = graph.op("Reshape", used, integers(0, -1, size))
    starts = graph.op("Mul", add_range(graph, n_frames), integers(hop // size))
    places = np.arange(n_fft // size, dtype=np.int64)[None]
    index = graph.op("Add", graph.op("Unsqueeze", starts, integers(1)), places)
    return Frames(graph.op("Gather", parts, index, axis=1), n_frames)


def add_range(graph, count):
    """Return the integers from 0 to `count`, a vector of one integer."""
    stop = graph.op("Squeeze", count, integers(0))
    return graph.op("Range", np.int64(0), stop, np.int64(1))


def add_power(graph, frames, settings, bank):
    """Return the power of each frame in each band of a filter bank.

    Parameters
    ----------
    graph : OnnxGraph
    frames : str
        A tensor from `add_frames`.
    settings : SpectrogramSettings
    bank : ndarray of shape (n_fft // 2 + 1, n_bands)

    Returns
    -------
    power : str
        A tensor of shape (n_clips, n_frames, n_bands).
    """
    transform = _Transform(settings.n_fft)
    length, step, n_kept = transform.length, transform.step, transform.n_kept
    window = analysis_window(settings).reshape(length, step)
    windowed = graph.op("Mul", graph.op("Reshape", frames, integers(0, -1, length, step)), window)
    parts = graph.op("MatMul", transform.first(), windowed)
    parts = graph.op("Reshape", parts, integers(0, -1, 2, n_kept, step))
    parts = graph.op("Transpose", parts, perm=[0, 3, 1, 2, 4])
    parts = graph.op("Reshape", parts, integers(0, n_kept, -1, 2 * step))
    parts = graph.op("MatMul", parts, transform.second())
    squares = graph.op("Mul", parts, parts)
    power = graph.op("MatMul", squares, transform.bands(bank))
    return graph.op("ReduceSum", power, integers(1), keepdims=0)

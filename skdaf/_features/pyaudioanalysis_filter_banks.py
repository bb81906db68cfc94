"""The weights of frequencies in pyAudioAnalysis's features: moments, bands, pitch classes.

They follow the library's code, including its peculiarities. Each is computed once per sampling rate
and number of bins, and cached.

All features of a spectrum start with weighted sums of its magnitudes or powers. `spectral_weights`
contains all of these weights in one sparse matrix, so that one product computes the sums of many
frames. Unlike a product of dense matrices, for which BLAS kernels treat the columns at the edges of
their tiles differently, a sparse product computes each column by itself, and its bytes do not
depend on the other frames.
"""

from functools import lru_cache
from itertools import pairwise
from typing import NamedTuple

import numpy as np
from scipy import sparse

EPS = np.finfo(np.float64).eps

N_MFCC = 13
N_CHROMA = 12

# The parts of a frame, or of a spectrum, whose energies are compared.
N_TENTHS = 10

# Edges of the triangles, in Hz: 13 steps of equal width, then 27 of equal ratio.
_LOWEST_FILTER, _LINEAR_STEP, _RATIO = 133.33, 200 / 3, 1.0711703
_N_LINEAR, _N_GEOMETRIC = 13, 27
N_FILTERS = _N_LINEAR + _N_GEOMETRIC

# The pitch from which chroma counts semitones, in Hz: the lowest key of a piano.
_LOWEST_PITCH = 27.50


class SpectralWeights(NamedTuple):
    """Weights of the magnitudes and powers of a spectrum, and the rows of each kind of sum.

    Attributes
    ----------
    matrix : sparse array of shape (n_sums, 2 * n_bins)
        The magnitudes come before the powers.
    moments : slice
        Sums of magnitudes times 1, x and x squared; x is the position between 0 and 1.
    bands : slice
        Mel bands of magnitudes.
    parts : slice
        Energies of the parts of the spectrum that `part_edges` returns.
    chroma : slice
        Energies of the pitch classes.
    """

    matrix: sparse.csr_array
    moments: slice
    bands: slice
    parts: slice
    chroma: slice


@lru_cache(maxsize=64)
def spectral_weights(sampling_rate, n_bins):
    """Return the SpectralWeights of spectra with this number of bins."""
    magnitudes = [
        sparse.csr_array(powers_of_position(n_bins).T),
        _at_bins(*mfcc_filters(sampling_rate, n_bins), n_bins),
    ]
    powers = [_sums_of_parts(n_bins), _at_bins(*chroma_weights(sampling_rate, n_bins), n_bins)]
    matrix = sparse.block_diag([sparse.vstack(magnitudes), sparse.vstack(powers)], format="csr")
    ends = np.cumsum([0, *(part.shape[0] for part in magnitudes + powers)]).tolist()
    return SpectralWeights(sparse.csr_array(matrix), *(slice(*pair) for pair in pairwise(ends)))


def _at_bins(bins, weights, n_bins):
    """Return weights `(len(bins), n)` of some bins as a sparse array `(n, n_bins)`."""
    place, row = np.nonzero(weights)
    indices = row, np.arange(n_bins)[bins][place]
    return sparse.csr_array((weights[place, row], indices), shape=(weights.shape[1], n_bins))


def _sums_of_parts(n_bins):
    lengths = np.diff(part_edges(n_bins))
    part = np.repeat(np.arange(len(lengths)), lengths)
    indices = part, np.arange(n_bins)
    return sparse.csr_array((np.ones(n_bins), indices), shape=(len(lengths), n_bins))


@lru_cache(maxsize=64)
def part_edges(n_bins):
    """Return the edges of parts of a spectrum: ten equal tenths, divided further, and the rest.

    There are about as many parts as bins in each part.
    """
    length, n_parts = n_bins // N_TENTHS, max(1, round(n_bins**0.5 / N_TENTHS))
    starts = np.arange(N_TENTHS)[:, None] * length + np.arange(n_parts) * length // n_parts
    return np.array([*starts.ravel(), N_TENTHS * length, n_bins])


@lru_cache(maxsize=1)
def cosines():
    """Return the cosine transform from the levels of bands to cepstra, `(n_mfcc, n_bands)`."""
    angles = np.pi / N_FILTERS * np.outer(np.arange(N_MFCC), np.arange(N_FILTERS) + 0.5)
    transform = np.cos(angles) * (2 / N_FILTERS) ** 0.5
    transform[0] = N_FILTERS**-0.5
    return sparse.csr_array(transform)


def powers_of_position(n_bins):
    """Return 1, x and x squared for x = 1 / n_bins, 2 / n_bins, ... 1."""
    return (np.arange(1, n_bins + 1)[:, None] / n_bins) ** np.arange(3)


def mfcc_filters(sampling_rate, n_bins):
    """Return the bins that the triangles cover, and the triangles `(n, 40)`.

    The library spreads its bins evenly between 0 and the sampling rate, though they end at half of
    it, so its filters are an octave below their nominal frequencies. Their edges are also rounded
    to bins, so that some filters are empty in short windows. At sampling rates below 6,856 Hz, the
    highest filters reach beyond the spectrum: the library fails, but here they are cut off.
    """
    edges = _filter_edges()
    bins = edges * n_bins / sampling_rate
    first = np.floor(bins).astype(int) + 1
    frequencies = np.arange(n_bins) / n_bins * sampling_rate
    filters = np.zeros((n_bins, len(edges) - 2))
    for i, (low, center, high) in enumerate(zip(edges, edges[1:], edges[2:], strict=False)):
        height = 2 / (high - low)
        rising, falling = slice(first[i], first[i + 1]), slice(first[i + 1], first[i + 2])
        filters[rising, i] = height / (center - low) * (frequencies[rising] - low)
        filters[falling, i] = height / (high - center) * (high - frequencies[falling])
    covered = slice(first[0], first[-1])
    return covered, filters[covered]


def _filter_edges():
    linear = _LOWEST_FILTER + np.arange(_N_LINEAR) * _LINEAR_STEP
    return np.append(linear, linear[-1] * _RATIO ** np.arange(1, _N_GEOMETRIC + 3))


def chroma_weights(sampling_rate, n_bins):
    """Return the bins that count for chroma, and their weights `(n, 12)` in the pitch classes.

    The library writes the power of each bin at the index of its semitone, so the last bin of each
    semitone wins. Semitones below the lowest pitch are negative indices, counted from the end. It
    divides by the number of bins that share a semitone, but looks this number up by semitone
    instead of by bin. Then it sums every twelfth entry.

    If a semitone is not a valid index, as in short windows, the library fails. Here such bins are
    left out, and the number is looked up by bin, as the library's code for that case intends.
    """
    frequencies = (np.arange(n_bins) + 1) * sampling_rate / (2 * n_bins)
    semitones = np.round(12 * np.log2(frequencies / _LOWEST_PITCH)).astype(int)
    _, kinds, counts = np.unique(semitones, return_inverse=True, return_counts=True)
    n_sharing = counts[kinds]
    fits = (-n_bins <= semitones) & (semitones < n_bins)
    source = np.full(n_bins, -1)
    source[semitones[fits]] = np.flatnonzero(fits)
    divisors = n_sharing[semitones] if fits.all() else n_sharing
    indices = np.flatnonzero(source >= 0)
    weights = np.zeros((len(indices), N_CHROMA))
    weights[np.arange(len(indices)), indices % N_CHROMA] = 1 / divisors[indices]
    return source[indices], weights

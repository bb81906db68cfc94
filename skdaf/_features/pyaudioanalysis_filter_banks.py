"""Filter banks of pyAudioAnalysis: matrices from frequencies to cepstra and pitch classes.

They follow the library's code, including its peculiarities. Each is computed once per sampling rate
and number of bins, and cached.
"""

from functools import lru_cache

import numpy as np
from scipy import fft

EPS = np.finfo(np.float64).eps

N_MFCC = 13
N_CHROMA = 12

# Edges of the triangles, in Hz: 13 steps of equal width, then 27 of equal ratio.
_LOWEST_FILTER, _LINEAR_STEP, _RATIO = 133.33, 200 / 3, 1.0711703
_N_LINEAR, _N_GEOMETRIC = 13, 27
N_FILTERS = _N_LINEAR + _N_GEOMETRIC

# The pitch from which chroma counts semitones, in Hz: the lowest key of a piano.
_LOWEST_PITCH = 27.50


@lru_cache(maxsize=64)
def powers_of_position(n_bins):
    """Return 1, x and x squared for x = 1 / n_bins, 2 / n_bins, ... 1."""
    return (np.arange(1, n_bins + 1)[:, None] / n_bins) ** np.arange(3)


@lru_cache(maxsize=64)
def mfcc_filters(sampling_rate, n_bins):
    """Return the bins that the triangles cover, the triangles `(n, 40)`, and a cosine transform.

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
    cosines = fft.dct(np.eye(filters.shape[1]), norm="ortho")[:, :N_MFCC]
    return covered, filters[covered].copy(), cosines.copy()


def _filter_edges():
    linear = _LOWEST_FILTER + np.arange(_N_LINEAR) * _LINEAR_STEP
    return np.append(linear, linear[-1] * _RATIO ** np.arange(1, _N_GEOMETRIC + 3))


@lru_cache(maxsize=64)
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

"""pyAudioAnalysis's features of the frames of many clips.

Clips share all operations, block by block: each of them works on the frames, or on the columns of
a sparse product, one by one. So the bytes of a clip's features do not depend on the other clips.

The large arrays exist only for one block of frames at a time. `FrameSums` contains the sums over
each frame and its spectrum; the features of all frames are computed from them at the end.
"""

import numpy as np
from numpy.lib.stride_tricks import sliding_window_view

from skdaf._audio.samples import to_float32
from skdaf._features.fourier import transform_frames
from skdaf._features.pyaudioanalysis_filter_banks import (
    EPS,
    N_CHROMA,
    N_MFCC,
    N_TENTHS,
    cosines,
    part_edges,
    spectral_weights,
)

# NumPy sums long arrays by halves. Clips longer than this are converted to double precision in the
# same halves.
_MAX_SUM_LENGTH = 2**20

_ROLLOFF = 0.90

# Avoids a division by 0 for silent frames.
_TINY = np.finfo(np.float64).tiny

# Smaller variances of frequencies lose precision as a difference of sums.
_NARROW = 1e-6

SHORT_TERM_NAMES = [
    *("zcr", "energy", "energy_entropy"),
    *("spectral_centroid", "spectral_spread", "spectral_entropy"),
    *("spectral_flux", "spectral_rolloff"),
    *(f"mfcc_{i}" for i in range(1, N_MFCC + 1)),
    *(f"chroma_{i}" for i in range(1, N_CHROMA + 1)),
    "chroma_std",
]
_MFCC = slice(8, 8 + N_MFCC)
_CHROMA = slice(_MFCC.stop, _MFCC.stop + N_CHROMA)


def short_term_features(clips, settings):
    """Return the features of all frames, clip after clip, and the number of frames per clip.

    A clip shorter than a window is padded with zeros. The clips are float32, or int16 as in files;
    the features of an int16 clip are the same as those of the clip times 2**-15.
    """
    clips = [_pad(clip, settings.window) for clip in clips]
    lengths = np.array([len(clip) for clip in clips])
    n_frames = 1 + (lengths - settings.window) // settings.step
    clip_of_frame = np.repeat(np.arange(len(clips)), n_frames)
    starts = first_indices(lengths)[clip_of_frame] + positions(n_frames) * settings.step
    samples = _joined(clips)
    means, scales = _means_and_scales(samples, first_indices(lengths))

    means, scales = means[clip_of_frame, None], scales[clip_of_frame, None]
    windows = sliding_window_view(samples, settings.window)
    sums = FrameSums(len(starts), settings)
    for first in range(0, len(starts), settings.frames_per_block):
        block = slice(first, first + settings.frames_per_block)
        frames = windows[starts[block]].astype(np.float64)
        frames -= means[block]
        frames /= scales[block]
        sums.add(block, frames)
    sums.flux[first_indices(n_frames)] = 0
    features = sums.features()
    if settings.deltas:
        features = _with_deltas(features, first_indices(n_frames))
    return features, n_frames


# --- clips -----------------------------------------------------------------------------------


def _pad(clip, n_samples):
    return clip if len(clip) >= n_samples else np.pad(clip, (0, n_samples - len(clip)))


def _joined(clips):
    """Return the samples of all clips in one array, as int16 if all of them are."""
    if len(clips) == 1:
        return clips[0]
    if len({clip.dtype for clip in clips}) > 1:
        clips = [to_float32(clip) for clip in clips]
    return np.concatenate(clips)


def _means_and_scales(samples, first_samples):
    """Return the offset and the divisor that center each clip between -1 and 1.

    Rounding preserves the order of values, so the largest deviation is at the minimum or maximum.
    """
    ends = [*first_samples[1:], len(samples)]
    sums = [_sum(samples[a:b]) for a, b in zip(first_samples, ends, strict=True)]
    means = np.array(sums) / (ends - first_samples)
    above = np.maximum.reduceat(samples, first_samples) - means
    below = means - np.minimum.reduceat(samples, first_samples)
    full_scale = 2.0**15 if samples.dtype == np.int16 else 1.0
    return means, np.maximum(above, below) + 1e-10 * full_scale


def _sum(samples):
    """Sum in double precision as NumPy does, without converting all of a long clip at once."""
    if len(samples) <= _MAX_SUM_LENGTH:
        return np.add.reduce(samples.astype(np.float64))
    half = len(samples) // 2
    half -= half % 8
    return _sum(samples[:half]) + _sum(samples[half:])


def first_indices(counts):
    """Return the first index of each group, given the sizes of consecutive groups."""
    return np.cumsum(counts) - counts


def positions(counts):
    """Return the position of each member within its group, from 0."""
    return np.arange(counts.sum()) - np.repeat(first_indices(counts), counts)


def _with_deltas(features, first_frames):
    """Append the changes from the previous frame; they are 0 for the first frame of a clip."""
    deltas = np.zeros_like(features)
    np.subtract(features[1:], features[:-1], out=deltas[1:])
    deltas[first_frames] = 0
    return np.hstack([features, deltas])


# --- frames ----------------------------------------------------------------------------------


class FrameSums:
    """Sums over the samples and the spectra of frames, filled block by block.

    Parameters
    ----------
    n_frames : int
    settings : PyAudioAnalysisSettings
    """

    def __init__(self, n_frames, settings):
        self.settings = settings
        self.weights = spectral_weights(settings.sampling_rate, settings.n_bins)
        self.crossings = np.empty(n_frames, dtype=np.uint32)
        self.tenths = np.empty((n_frames, N_TENTHS + 1))
        self.spectral = np.empty((n_frames, self.weights.matrix.shape[0]))
        self.moments = np.empty((2, n_frames))
        self.flux = np.empty(n_frames)
        self.rolloff = np.empty(n_frames)
        # The normalized spectrum of the last frame, for the flux of the next one.
        self._last_share = np.zeros(settings.n_bins)

    def add(self, block, frames):
        """Compute the sums of the next frames `(n_frames, window)`."""
        self.crossings[block] = _crossings(frames)
        _sum_tenths(frames, out=self.tenths[block])
        spectra = np.abs(transform_frames(frames)[:, : self.settings.n_bins])
        spectra /= self.settings.n_bins
        sums = self.weights.matrix @ _magnitudes_and_powers(spectra)
        self.spectral[block] = sums.T
        totals, *moments = sums[self.weights.moments]
        self.moments[:, block] = _centroids_and_variances(spectra, totals, moments)
        self.flux[block], self._last_share = _flux(spectra, totals, self._last_share)
        self.rolloff[block] = _rolloff(spectra, sums[self.weights.parts])

    def features(self):
        """Return the features of all frames, `(n_frames, 34)`."""
        parts = self.spectral[:, self.weights.parts]
        energies, spectral_energies = self.tenths.sum(axis=1), parts.sum(axis=1)
        levels = np.log10(self.spectral[:, self.weights.bands] + EPS)
        divisors = np.where(spectral_energies == 0, EPS, spectral_energies)
        output = np.empty((len(energies), len(SHORT_TERM_NAMES)))
        output[:, 0] = self.crossings / 2 / (self.settings.window - 1)
        output[:, 1] = energies / self.settings.window
        output[:, 2] = _entropy(self.tenths[:, :-1], energies)
        output[:, 3] = self.moments[0]
        output[:, 4] = np.sqrt(self.moments[1])
        output[:, 5] = _entropy(_tenths_of_parts(parts), spectral_energies)
        output[:, 6] = self.flux
        output[:, 7] = self.rolloff
        output[:, _MFCC] = (cosines() @ levels.T).T
        output[:, _CHROMA] = self.spectral[:, self.weights.chroma] / divisors[:, None]
        output[:, -1] = output[:, _CHROMA].std(axis=1)
        return output


def _crossings(frames):
    """Count changes of sign; from or to 0 is one, and from -1 to 1 is two, as in the library."""
    positive, negative = frames > 0, frames < 0
    changes = _changes(positive.view(np.uint8)) + _changes(negative.view(np.uint8))
    # Sums of small integers are faster if they are small, too.
    dtype = np.uint16 if frames.shape[1] < 2**15 else np.uint32
    return np.add.reduce(changes, axis=1, dtype=dtype)


def _changes(flags):
    return flags[:, 1:] ^ flags[:, :-1]


def _sum_tenths(frames, out):
    """Sum the energies of ten equal blocks of each frame, and of the remainder."""
    length = frames.shape[1] // N_TENTHS
    blocks = frames[:, : N_TENTHS * length].reshape(len(frames), N_TENTHS, length)
    rest = frames[:, N_TENTHS * length :]
    np.einsum("ijk,ijk->ij", blocks, blocks, out=out[:, :-1])
    np.einsum("ij,ij->i", rest, rest, out=out[:, -1])


def _tenths_of_parts(parts):
    return parts[:, :-1].reshape(len(parts), N_TENTHS, -1).sum(axis=2)


def _entropy(tenths, energies):
    shares = tenths / (energies + EPS)[:, None]
    return -(shares * np.log2(shares + EPS)).sum(axis=1)


# --- spectra ---------------------------------------------------------------------------------


def _magnitudes_and_powers(spectra):
    """Return the transposed spectra, and below them their squares."""
    n_frames, n = spectra.shape
    both = np.empty((2 * n, n_frames))
    both[:n] = spectra.T
    np.square(both[:n], out=both[n:])
    return both


def _centroids_and_variances(spectra, totals, moments):
    """Return the mean and the variance of positions between 0 and 1, weighted with spectra."""
    totals = totals + _TINY
    centroids, variances = moments / totals
    variances -= centroids * centroids
    # Where this difference loses precision, subtract before summing, as the library does.
    narrow = np.flatnonzero(variances < _NARROW)
    if len(narrow):
        n = spectra.shape[1]
        deviations = np.arange(1, n + 1) / n - centroids[narrow, None]
        variances[narrow] = np.einsum("ij,ij,ij->i", deviations, deviations, spectra[narrow])
        variances[narrow] /= totals[narrow]
    return centroids, variances


def _flux(spectra, totals, last_share):
    """Return the squared change of each normalized spectrum, and the last normalized spectrum."""
    n = spectra.shape[1]
    shares = np.empty((len(spectra) + 1, n))
    shares[0] = last_share
    np.multiply(spectra, 1 / (totals + n * EPS)[:, None], out=shares[1:])
    changes = shares[1:] - shares[:-1]
    return np.einsum("ij,ij->i", changes, changes), shares[-1].copy()


def _rolloff(spectra, energies_of_parts):
    """Return the fraction of the spectrum below which 90% of the energy lies.

    A sum over all bins is slow, so first find the part in which the threshold is crossed. If the
    threshold is so close to a sum that rounding could decide, sum as the library does.
    """
    n_frames, n = spectra.shape
    edges, frames = part_edges(n), np.arange(n_frames)
    sums = np.zeros((len(edges), n_frames))
    np.cumsum(energies_of_parts, axis=0, out=sums[1:])
    energies = sums[-1]
    thresholds = _ROLLOFF * energies
    part = np.add.reduce(sums[1:-1] <= thresholds, axis=0)
    # Bins beyond the end are those of the next frame; the threshold is crossed earlier.
    first_bins, n_inside = edges[part], np.diff(edges).max()
    bins = (first_bins + n * frames)[:, None] + np.arange(n_inside)
    excess = np.empty((n_frames, 1 + n_inside))
    np.subtract(sums[part, frames], thresholds, out=excess[:, 0])
    np.square(spectra.take(bins, mode="clip"), out=excess[:, 1:])
    np.cumsum(excess, axis=1, out=excess)
    result = first_bins + (excess[:, 1:] > 0).argmax(axis=1)
    is_close = np.abs(excess, out=excess).min(axis=1) <= 1e-9 * energies + EPS
    if is_close.any():
        result[is_close] = _first_above_threshold(np.square(spectra[is_close]))
    return result / n


def _first_above_threshold(powers):
    thresholds = _ROLLOFF * powers.sum(axis=1, keepdims=True)
    return (np.cumsum(powers, axis=1) + EPS > thresholds).argmax(axis=1)

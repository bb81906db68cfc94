"""pyAudioAnalysis's features of many clips: array functions without files or state.

Every definition follows pyAudioAnalysis, including its peculiarities, because published results
use these numbers, and models trained on them must keep working. Each step works on all frames of
all clips together, one frame per row. Only rounding differs; where it could change a sign or cross
a threshold, the values are computed in the same order as in the library.

`pyaudioanalysis_filter_banks` contains the matrices from frequencies to cepstra and pitch classes.
"""

from dataclasses import dataclass

import numpy as np
from numpy.lib.stride_tricks import sliding_window_view
from scipy import fft

from skdaf._core.limits import MAX_OVERLAP, MAX_SAMPLES, check_at_most, check_windows
from skdaf._features.frame_blocks import frame_blocks, multiply_parts
from skdaf._features.pyaudioanalysis_filter_banks import (
    EPS,
    N_CHROMA,
    N_FILTERS,
    N_MFCC,
    chroma_weights,
    mfcc_filters,
    powers_of_position,
)

# Samples in frames that are computed together: few enough to stay in the processor's cache.
_SAMPLES_PER_BLOCK = 2**17

# Frames copied together for the statistics of mid-term windows, which may overlap.
_FRAMES_PER_COPY = 2**13

# NumPy sums long arrays by halves. Clips longer than this are converted to double precision in the
# same halves.
_MAX_SUM_LENGTH = 2**20

_N_BLOCKS = 10
_ROLLOFF = 0.90

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


@dataclass(frozen=True)
class PyAudioAnalysisSettings:
    """Everything that the features depend on; its repr is part of cache keys.

    Attributes
    ----------
    sampling_rate : int
        In Hz.
    window, step : int
        Length and step of short-term frames, in samples.
    mid_window, mid_step : int
        Length and step of mid-term windows, in frames.
    deltas : bool
        Whether to add the changes from frame to frame.
    channel : int or None
        The channel to read from files; None averages all channels.
    """

    sampling_rate: int
    window: int
    step: int
    mid_window: int
    mid_step: int
    deltas: bool
    channel: int | None = None

    def __post_init__(self):
        names = "short_window", "short_step"
        check_windows(self.sampling_rate, self.window, self.step, names)

    @classmethod
    def from_seconds(
        cls,
        sampling_rate,
        short_window,
        short_step,
        mid_window,
        mid_step,
        deltas,
        channel=None,
    ):
        """Round durations as pyAudioAnalysis does, but never below what its formulas need."""
        durations = {
            "short_window": short_window * sampling_rate,
            "short_step": short_step * sampling_rate,
            "mid_window": mid_window * sampling_rate,
            "mid_step": mid_step * sampling_rate,
        }
        for name, n_samples in durations.items():
            check_at_most(n_samples, MAX_SAMPLES, f"{name} (in samples)")
        window, step, mid_window, mid_step = map(round, durations.values())
        # The shortest frame with a spectrum has two samples.
        window, step = max(2, window), max(1, step)
        return cls(
            sampling_rate=int(sampling_rate),
            window=window,
            step=step,
            mid_window=max(1, round((mid_window - (window - step)) / step)),
            mid_step=max(1, round(mid_step / step)),
            deltas=bool(deltas),
            channel=None if channel is None else int(channel),
        )

    @property
    def n_bins(self):
        return self.window // 2

    @property
    def frames_per_block(self):
        return max(1, _SAMPLES_PER_BLOCK // self.window)

    @property
    def short_term_names(self):
        return SHORT_TERM_NAMES + [f"delta {name}" for name in SHORT_TERM_NAMES] * self.deltas

    @property
    def names(self):
        return [f"{name}_{kind}" for kind in ("mean", "std") for name in self.short_term_names]


def compute_features(clips, settings):
    """Return the mid-term statistics of each clip, averaged over the clip: one row per clip.

    Parameters
    ----------
    clips : list of ndarray of shape (n_samples,), float32
    settings : PyAudioAnalysisSettings

    Returns
    -------
    ndarray of shape (n_clips, n_features), float64
    """
    frames, n_frames = short_term_features(clips, settings)
    # Windows do not reach beyond their clip.
    overlap = min(settings.mid_window, max(n_frames)) / settings.mid_step
    check_at_most(overlap, MAX_OVERLAP, "mid_window divided by mid_step")
    statistics, n_windows = _mid_term(frames, n_frames, settings)
    return np.add.reduceat(statistics, _firsts(n_windows), axis=0) / n_windows[:, None]


def short_term_features(clips, settings):
    """Return the features of all frames, clip after clip, and the number of frames per clip.

    A clip shorter than a window is padded with zeros.
    """
    clips = [_pad(clip, settings.window) for clip in clips]
    lengths = np.array([len(clip) for clip in clips])
    n_frames = 1 + (lengths - settings.window) // settings.step
    clip_of_frame = np.repeat(np.arange(len(clips)), n_frames)
    is_first = np.zeros(len(clip_of_frame), dtype=bool)
    is_first[_firsts(n_frames)] = True
    starts = _firsts(lengths)[clip_of_frame] + _positions(n_frames) * settings.step
    means, scales = np.array([_mean_and_scale(clip) for clip in clips]).T[:, clip_of_frame, None]

    samples = clips[0] if len(clips) == 1 else np.concatenate(clips)
    windows = sliding_window_view(samples, settings.window)
    sums = np.empty(len(clip_of_frame), dtype=_SUMS)
    last_share = np.zeros((1, settings.n_bins))
    for rows, parts in frame_blocks(_firsts(n_frames), n_frames, settings.frames_per_block):
        frames = windows[starts[rows]] - means[rows]
        frames /= scales[rows]
        _sum_frames(frames, sums[rows])
        spectra = np.abs(fft.rfft(frames)[:, : settings.n_bins])
        spectra /= settings.n_bins
        last_share = _sum_spectra(spectra, parts, settings.sampling_rate, last_share, sums[rows])
    sums["flux"][is_first] = 0
    features = _features_of_sums(sums, n_frames, settings)
    return (_with_deltas(features, is_first) if settings.deltas else features), n_frames


# --- clips and frames ------------------------------------------------------------------------


def _pad(clip, n_samples):
    return clip if len(clip) >= n_samples else np.pad(clip, (0, n_samples - len(clip)))


def _mean_and_scale(clip):
    """Return the offset and the divisor that center a clip between -1 and 1.

    Rounding preserves the order of values, so the largest deviation is at the minimum or maximum.
    """
    mean = _sum(clip) / len(clip)
    peak = max(float(clip.max()) - mean, mean - float(clip.min()))
    return mean, peak + 1e-10


def _sum(clip):
    """Sum in double precision as NumPy does, without converting all of a long clip at once."""
    if len(clip) <= _MAX_SUM_LENGTH:
        return float(clip.astype(np.float64).sum())
    half = len(clip) // 2
    half -= half % 8
    return _sum(clip[:half]) + _sum(clip[half:])


def _firsts(counts):
    """Return the first index of each group, given the sizes of consecutive groups."""
    return np.cumsum(counts) - counts


def _positions(counts):
    """Return the position of each member within its group, from 0."""
    return np.arange(counts.sum()) - np.repeat(_firsts(counts), counts)


# --- features of frames ----------------------------------------------------------------------

# Sums over a frame and its spectrum. The large arrays exist only for one block of frames at a time;
# the features of all frames are computed from these sums at the end.
_SUMS = np.dtype(
    [
        ("crossings", float),
        ("energy", float),
        ("block_energies", float, _N_BLOCKS),
        ("centroid", float),
        ("variance", float),
        ("spectral_energy", float),
        ("spectral_block_energies", float, _N_BLOCKS),
        ("flux", float),
        ("rolloff", float),
        ("bands", float, N_FILTERS),
        ("chroma", float, N_CHROMA),
    ]
)


def _sum_frames(frames, sums):
    # The library counts a change from -1 to 1 twice, and one from or to 0 once.
    positive, negative = frames > 0, frames < 0
    changes = (positive[:, 1:] != positive[:, :-1]).view(np.int8)
    changes += (negative[:, 1:] != negative[:, :-1]).view(np.int8)
    sums["crossings"] = changes.sum(axis=1, dtype=np.int32)
    sums["energy"], sums["block_energies"] = _tenths(frames)


def _sum_spectra(spectra, parts, sampling_rate, last_share, sums):
    """Compute the sums of magnitude spectra; `parts` are slices of frames of single clips.

    The flux needs `last_share`, the normalized spectrum of the previous frame. Returns that of the
    last frame.
    """
    n = spectra.shape[1]
    totals, sums["centroid"], sums["variance"] = _moments(spectra, parts)
    sums["spectral_energy"], sums["spectral_block_energies"] = _tenths(spectra)
    shares = np.empty((len(spectra) + 1, n))
    shares[:1] = last_share
    np.multiply(spectra, 1 / (totals + n * EPS)[:, None], out=shares[1:])
    changes = shares[1:] - shares[:-1]
    sums["flux"] = np.einsum("ij,ij->i", changes, changes)
    sums["rolloff"] = _rolloff(spectra, sums["spectral_energy"])
    bands, filters, _ = mfcc_filters(sampling_rate, n)
    multiply_parts(parts, spectra[:, bands], filters, out=sums["bands"])
    bins, pitch_classes = chroma_weights(sampling_rate, n)
    multiply_parts(parts, np.square(spectra[:, bins]), pitch_classes, out=sums["chroma"])
    return shares[-1:]


def _features_of_sums(sums, n_frames, settings):
    output = np.empty((len(sums), len(SHORT_TERM_NAMES)))
    output[:, 0] = sums["crossings"] / 2 / (settings.window - 1)
    output[:, 1] = sums["energy"] / settings.window
    output[:, 2] = _entropy(sums["block_energies"], sums["energy"])
    output[:, 3] = sums["centroid"]
    output[:, 4] = np.sqrt(sums["variance"])
    output[:, 5] = _entropy(sums["spectral_block_energies"], sums["spectral_energy"])
    output[:, 6] = sums["flux"]
    output[:, 7] = sums["rolloff"]
    _, _, cosines = mfcc_filters(settings.sampling_rate, settings.n_bins)
    levels = np.log10(sums["bands"] + EPS)
    for rows, parts in frame_blocks(_firsts(n_frames), n_frames, len(sums)):
        multiply_parts(parts, levels[rows], cosines, out=output[rows, _MFCC])
    energies = np.where(sums["spectral_energy"] == 0, EPS, sums["spectral_energy"])
    output[:, _CHROMA] = sums["chroma"] / energies[:, None]
    output[:, -1] = output[:, _CHROMA].std(axis=1)
    return output


def _entropy(block_energies, energies):
    shares = block_energies / (energies + EPS)[:, None]
    return -(shares * np.log2(shares + EPS)).sum(axis=1)


def _block_energies(values, length, n_blocks):
    """Return the energies of the first `n_blocks` blocks of each row, and of the remainder."""
    row, item = values.strides
    shape, strides = (len(values), n_blocks, length), (row, length * item, item)
    blocks = np.ndarray(shape, values.dtype, values, strides=strides)
    rest = values[:, n_blocks * length :]
    return np.einsum("ijk,ijk->ij", blocks, blocks), np.einsum("ij,ij->i", rest, rest)


def _tenths(values):
    """Return the energy of each row, and of its ten equal blocks, which omit the remainder."""
    blocks, rest = _block_energies(values, values.shape[1] // _N_BLOCKS, _N_BLOCKS)
    return blocks.sum(axis=1) + rest, blocks


def _moments(spectra, parts):
    """Return sum, mean and variance of spectra over positions between 0 and 1."""
    powers = powers_of_position(spectra.shape[1])
    sums = np.empty((len(spectra), powers.shape[1]))
    multiply_parts(parts, spectra, powers, out=sums)
    totals, firsts, seconds = sums.T
    # The library divides each spectrum by its maximum; here only the sums are divided.
    loudest = spectra.max(axis=1)
    loudest[loudest == 0] = 1
    weights = totals / loudest + EPS
    centroids = firsts / loudest / weights
    variances = seconds / loudest / weights - centroids**2
    # Where this difference loses precision, subtract before summing, as the library does.
    narrow = np.flatnonzero(variances < 1e-6)
    deviations = powers[:, 1] - centroids[narrow, None]
    variances[narrow] = np.einsum("ij,ij,ij->i", deviations, deviations, spectra[narrow])
    variances[narrow] /= loudest[narrow] * weights[narrow]
    return totals, centroids, variances


def _rolloff(spectra, energies):
    """Return the fraction of the spectrum below which 90% of the energy lies.

    A sum over all bins is slow, so first find the block of bins in which the threshold is crossed.
    If the threshold is so close to a sum that rounding could decide, sum as the library does.
    """
    n = spectra.shape[1]
    length = max(1, round(n**0.5))
    blocks, rest = _block_energies(spectra, length, n // length)
    sums = np.cumsum(np.column_stack([np.zeros(len(blocks)), blocks, rest]), axis=1)
    thresholds = (_ROLLOFF * energies)[:, None]
    block = (sums[:, 1:] > thresholds).argmax(axis=1)[:, None]
    # Beyond the end, the last bin is repeated; the threshold is crossed earlier.
    bins = np.minimum(block * length + np.arange(length), n - 1)
    before = np.take_along_axis(sums, block, axis=1)
    inside = np.cumsum(np.square(np.take_along_axis(spectra, bins, axis=1)), axis=1)
    excess = np.hstack([before, before + inside]) - thresholds
    first = (excess[:, 1:] > 0).argmax(axis=1)
    result = np.take_along_axis(bins, first[:, None], axis=1)[:, 0]
    is_close = (np.abs(excess) <= 1e-9 * energies[:, None] + EPS).any(axis=1)
    result[is_close] = _first_above_threshold(np.square(spectra[is_close]))
    return result / n


def _first_above_threshold(powers):
    thresholds = _ROLLOFF * powers.sum(axis=1, keepdims=True)
    return (np.cumsum(powers, axis=1) + EPS > thresholds).argmax(axis=1)


def _with_deltas(features, is_first):
    """Append the changes from the previous frame; they are 0 for the first frame of a clip."""
    deltas = np.zeros_like(features)
    np.subtract(features[1:], features[:-1], out=deltas[1:])
    deltas[is_first] = 0
    return np.hstack([features, deltas])


# --- mid-term windows ------------------------------------------------------------------------


def _mid_term(frames, n_frames, settings):
    """Return mean and deviation of each mid-term window, and the number of windows per clip.

    Windows start every `mid_step` frames; those that reach beyond their clip are cut at its end.
    """
    n_windows = -(-n_frames // settings.mid_step)
    starts = _positions(n_windows) * settings.mid_step
    lengths = np.minimum(settings.mid_window, np.repeat(n_frames, n_windows) - starts)
    starts += np.repeat(_firsts(n_frames), n_windows)
    output = np.empty((len(starts), 2, frames.shape[1]))
    size = max(1, _FRAMES_PER_COPY // settings.mid_window)
    for first in range(0, len(starts), size):
        windows = slice(first, first + size)
        _window_statistics(frames, starts[windows], lengths[windows], output[windows])
    return output.reshape(len(starts), -1), n_windows


def _window_statistics(frames, starts, lengths, output):
    members = frames[np.repeat(starts, lengths) + _positions(lengths)]
    firsts = _firsts(lengths)
    means = np.add.reduceat(members, firsts, axis=0) / lengths[:, None]
    members -= np.repeat(means, lengths, axis=0)
    members *= members
    output[:, 0] = means
    output[:, 1] = np.sqrt(np.add.reduceat(members, firsts, axis=0) / lengths[:, None])

"""pyAudioAnalysis's features of many clips at once: array functions without files or state.

Every definition below is the one of pyAudioAnalysis, with what is odd in it: these features are
known by those numbers, and models trained on them must go on working. All frames of all clips go
through each step together, one frame a row. Only rounding differs; where a sign or a threshold
could make much of that, the values are computed in the library's own order.
"""

from dataclasses import dataclass
from functools import lru_cache

import numpy as np
from numpy.lib.stride_tricks import sliding_window_view
from scipy import fft

from skdaf._core.limits import MOST_OVERLAP, MOST_SAMPLES, check_at_most, check_windows
from skdaf._features.frame_blocks import frame_blocks, multiply_parts

_EPS = np.finfo(np.float64).eps

# Samples of the frames that are worked on together: they stay in the processor's cache.
_SAMPLES_PER_BLOCK = 2**17

# Frames gathered at once for the statistics of mid-term windows, which may overlap.
_FRAMES_PER_GATHER = 2**13

# NumPy adds longer arrays by halves; clips longer than this are converted in such parts.
_LONGEST_SUM = 2**20

_N_BLOCKS = 10
_ROLLOFF = 0.90
_N_MFCC = 13
_N_CHROMA = 12

_TIME_AND_SPECTRUM = [
    "zcr",
    "energy",
    "energy_entropy",
    "spectral_centroid",
    "spectral_spread",
    "spectral_entropy",
    "spectral_flux",
    "spectral_rolloff",
]
SHORT_TERM_NAMES = [
    *_TIME_AND_SPECTRUM,
    *(f"mfcc_{i}" for i in range(1, _N_MFCC + 1)),
    *(f"chroma_{i}" for i in range(1, _N_CHROMA + 1)),
    "chroma_std",
]
_MFCC = slice(8, 8 + _N_MFCC)
_CHROMA = slice(_MFCC.stop, _MFCC.stop + _N_CHROMA)

# Mel-like triangles, in Hz: 13 steps of equal width, then 27 of equal ratio.
_LOWEST_FILTER, _LINEAR_STEP, _RATIO = 133.33, 200 / 3, 1.0711703
_N_LINEAR, _N_GEOMETRIC = 13, 27

# The pitch that chroma counts semitones from, in Hz: the lowest key of a piano.
_LOWEST_PITCH = 27.50


@dataclass(frozen=True)
class FeatureSettings:
    """All that the features depend on, in Hz, samples and frames: also their name in a cache."""

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
        """Round durations as pyAudioAnalysis does, but never to less than its code can bear."""
        durations = {
            "short_window": short_window * sampling_rate,
            "short_step": short_step * sampling_rate,
            "mid_window": mid_window * sampling_rate,
            "mid_step": mid_step * sampling_rate,
        }
        for name, n_samples in durations.items():
            check_at_most(n_samples, MOST_SAMPLES, f"{name} (in samples)")
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


def clip_features(clips, settings):
    """Return the mid-term statistics of each clip, averaged over it: one row a clip."""
    frames, n_frames = short_term_features(clips, settings)
    # Windows end with their clip.
    overlap = min(settings.mid_window, max(n_frames)) / settings.mid_step
    check_at_most(overlap, MOST_OVERLAP, "mid_window divided by mid_step")
    statistics, n_windows = _mid_term(frames, n_frames, settings)
    return np.add.reduceat(statistics, _firsts(n_windows), axis=0) / n_windows[:, None]


def short_term_features(clips, settings):
    """Return the features of all frames, clip under clip, and the number of frames of each.

    A clip shorter than a window is filled up with zeros.
    """
    clips = [_fill_up(clip, settings.window) for clip in clips]
    lengths = np.array([len(clip) for clip in clips])
    n_frames = 1 + (lengths - settings.window) // settings.step
    owners = np.repeat(np.arange(len(clips)), n_frames)
    is_first = np.zeros(len(owners), dtype=bool)
    is_first[_firsts(n_frames)] = True
    starts = _firsts(lengths)[owners] + _counted_from(n_frames) * settings.step
    means, scales = np.array([_mean_and_scale(clip) for clip in clips]).T[:, owners, None]

    samples = clips[0] if len(clips) == 1 else np.concatenate(clips)
    windows = sliding_window_view(samples, settings.window)
    sums = np.empty(len(owners), dtype=_SUMS)
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


def _fill_up(clip, n_samples):
    return clip if len(clip) >= n_samples else np.pad(clip, (0, n_samples - len(clip)))


def _mean_and_scale(clip):
    """Return what to subtract from a clip and to divide it by, to centre it between -1 and 1.

    Rounding keeps order, so that the extremes alone tell the largest deviation.
    """
    mean = _sum(clip) / len(clip)
    peak = max(float(clip.max()) - mean, mean - float(clip.min()))
    return mean, peak + 1e-10


def _sum(clip):
    """Add as NumPy adds the same values in double precision, without a copy of a long clip."""
    if len(clip) <= _LONGEST_SUM:
        return float(clip.astype(np.float64).sum())
    half = len(clip) // 2
    half -= half % 8
    return _sum(clip[:half]) + _sum(clip[half:])


def _firsts(counts):
    """Return where each group begins, of groups of so many that follow each other."""
    return np.cumsum(counts) - counts


def _counted_from(counts):
    """Return the number of each member within its group, from 0."""
    return np.arange(counts.sum()) - np.repeat(_firsts(counts), counts)


def _blocks(n, size):
    return (slice(i, min(i + size, n)) for i in range(0, n, size))


# --- features of frames ----------------------------------------------------------------------

# What is left of a frame and its spectrum once they have been gone through: the large arrays are
# needed for a few frames at a time only, and the small ones are finished for all frames at once.
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
        ("bands", float, _N_LINEAR + _N_GEOMETRIC),
        ("chroma", float, _N_CHROMA),
    ]
)


def _sum_frames(frames, sums):
    # From -1 over 0 to 1 a sign moves by two: count what leaves or enters each side.
    positive, negative = frames > 0, frames < 0
    changes = (positive[:, 1:] != positive[:, :-1]).view(np.int8)
    changes += (negative[:, 1:] != negative[:, :-1]).view(np.int8)
    sums["crossings"] = changes.sum(axis=1, dtype=np.int32)
    sums["energy"], sums["block_energies"] = _tenths(frames)


def _sum_spectra(spectra, parts, sampling_rate, last_share, sums):
    """Go through the magnitudes of frames; `parts` are those of the clips that they come from.

    `last_share` is the normalized spectrum of the frame before, for the flux; returns the next one.
    """
    n = spectra.shape[1]
    totals, sums["centroid"], sums["variance"] = _moments(spectra, parts)
    sums["spectral_energy"], sums["spectral_block_energies"] = _tenths(spectra)
    shares = np.empty((len(spectra) + 1, n))
    shares[:1] = last_share
    np.multiply(spectra, 1 / (totals + n * _EPS)[:, None], out=shares[1:])
    changes = shares[1:] - shares[:-1]
    sums["flux"] = np.einsum("ij,ij->i", changes, changes)
    sums["rolloff"] = _rolloff(spectra, sums["spectral_energy"])
    bands, filters, _ = _mfcc_tables(sampling_rate, n)
    multiply_parts(parts, spectra[:, bands], filters, out=sums["bands"])
    bins, pitch_classes = _chroma_table(sampling_rate, n)
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
    _, _, cosines = _mfcc_tables(settings.sampling_rate, settings.n_bins)
    levels = np.log10(sums["bands"] + _EPS)
    for rows, parts in frame_blocks(_firsts(n_frames), n_frames, len(sums)):
        multiply_parts(parts, levels[rows], cosines, out=output[rows, _MFCC])
    energies = np.where(sums["spectral_energy"] == 0, _EPS, sums["spectral_energy"])
    output[:, _CHROMA] = sums["chroma"] / energies[:, None]
    output[:, -1] = output[:, _CHROMA].std(axis=1)
    return output


def _entropy(block_energies, energies):
    shares = block_energies / (energies + _EPS)[:, None]
    return -(shares * np.log2(shares + _EPS)).sum(axis=1)


def _block_energies(values, length, n_blocks):
    """Return the energies of the first blocks of so many values in each row, and of the rest."""
    row, item = values.strides
    shape, strides = (len(values), n_blocks, length), (row, length * item, item)
    blocks = np.ndarray(shape, values.dtype, values, strides=strides)
    rest = values[:, n_blocks * length :]
    return np.einsum("ijk,ijk->ij", blocks, blocks), np.einsum("ij,ij->i", rest, rest)


def _tenths(values):
    """Return the energy of each row, and those of ten equal blocks that leave out the rest."""
    blocks, rest = _block_energies(values, values.shape[1] // _N_BLOCKS, _N_BLOCKS)
    return blocks.sum(axis=1) + rest, blocks


def _moments(spectra, parts):
    """Return sum, mean and variance of spectra over positions between 0 and 1."""
    powers_of_position = _powers_of_position(spectra.shape[1])
    sums = np.empty((len(spectra), powers_of_position.shape[1]))
    multiply_parts(parts, spectra, powers_of_position, out=sums)
    totals, firsts, seconds = sums.T
    # The library divides each spectrum by its maximum; here only the sums are divided.
    loudest = spectra.max(axis=1)
    loudest[loudest == 0] = 1
    weights = totals / loudest + _EPS
    centroids = firsts / loudest / weights
    variances = seconds / loudest / weights - centroids**2
    # Where that difference has lost its digits it is taken before the sum, as the library does.
    narrow = np.flatnonzero(variances < 1e-6)
    deviations = powers_of_position[:, 1] - centroids[narrow, None]
    variances[narrow] = np.einsum("ij,ij,ij->i", deviations, deviations, spectra[narrow])
    variances[narrow] /= loudest[narrow] * weights[narrow]
    return totals, centroids, variances


def _rolloff(spectra, energies):
    """Return the part of the spectrum below which 90% of the energy lies.

    Adding bin after bin is slow: first the block of bins is found that the threshold falls into.
    Where it falls so close to a sum that rounding may decide, sums are taken as the library does.
    """
    n = spectra.shape[1]
    length = max(1, round(n**0.5))
    blocks, rest = _block_energies(spectra, length, n // length)
    sums = np.cumsum(np.column_stack([np.zeros(len(blocks)), blocks, rest]), axis=1)
    thresholds = (_ROLLOFF * energies)[:, None]
    block = (sums[:, 1:] > thresholds).argmax(axis=1)[:, None]
    # Beyond the end the last bin is repeated; by then the threshold has been passed.
    bins = np.minimum(block * length + np.arange(length), n - 1)
    before = np.take_along_axis(sums, block, axis=1)
    inside = np.cumsum(np.square(np.take_along_axis(spectra, bins, axis=1)), axis=1)
    excess = np.hstack([before, before + inside]) - thresholds
    first = (excess[:, 1:] > 0).argmax(axis=1)
    result = np.take_along_axis(bins, first[:, None], axis=1)[:, 0]
    is_close = (np.abs(excess) <= 1e-9 * energies[:, None] + _EPS).any(axis=1)
    result[is_close] = _first_above_threshold(np.square(spectra[is_close]))
    return result / n


def _first_above_threshold(powers):
    thresholds = _ROLLOFF * powers.sum(axis=1, keepdims=True)
    return (np.cumsum(powers, axis=1) + _EPS > thresholds).argmax(axis=1)


def _with_deltas(features, is_first):
    """Set the changes from the frame before beside the features; a clip's first frame has none."""
    deltas = np.zeros_like(features)
    np.subtract(features[1:], features[:-1], out=deltas[1:])
    deltas[is_first] = 0
    return np.hstack([features, deltas])


# --- tables ----------------------------------------------------------------------------------


@lru_cache(maxsize=64)
def _powers_of_position(n_bins):
    """Return 1, x and x squared for the bins, numbered from 1, as parts of their number."""
    return (np.arange(1, n_bins + 1)[:, None] / n_bins) ** np.arange(3)


@lru_cache(maxsize=64)
def _mfcc_tables(sampling_rate, n_bins):
    """Return the bins that the triangles cover, the triangles `(n, 40)`, and a cosine transform.

    The library takes its bins to lie evenly between 0 and the sampling rate, though they end at
    half of it: its filters sit an octave lower than their frequencies say. Their edges are also
    rounded to bins, so that in short windows some filters are empty. Below 6,856 Hz the
    highest filters reach beyond the spectrum, where the library fails; here they are cut off.
    """
    edges = _filter_edges()
    bins = edges * n_bins / sampling_rate
    first = np.floor(bins).astype(int) + 1
    frequencies = np.arange(n_bins) / n_bins * sampling_rate
    filters = np.zeros((n_bins, len(edges) - 2))
    for i, (low, centre, high) in enumerate(zip(edges, edges[1:], edges[2:], strict=False)):
        height = 2 / (high - low)
        rising, falling = slice(first[i], first[i + 1]), slice(first[i + 1], first[i + 2])
        filters[rising, i] = height / (centre - low) * (frequencies[rising] - low)
        filters[falling, i] = height / (high - centre) * (high - frequencies[falling])
    covered = slice(first[0], first[-1])
    cosines = fft.dct(np.eye(filters.shape[1]), norm="ortho")[:, :_N_MFCC]
    return covered, filters[covered].copy(), cosines.copy()


def _filter_edges():
    linear = _LOWEST_FILTER + np.arange(_N_LINEAR) * _LINEAR_STEP
    return np.append(linear, linear[-1] * _RATIO ** np.arange(1, _N_GEOMETRIC + 3))


@lru_cache(maxsize=64)
def _chroma_table(sampling_rate, n_bins):
    """Return the bins that count for chroma, and their weights `(n, 12)` in the pitch classes.

    The library writes the power of each bin to the place of its semitone: of all bins of a semitone
    the last one stays. Semitones below the lowest pitch are negative places, counted from the end.
    It divides by how many bins share a semitone, but looks that number up by the semitone instead
    of the bin. It then sums every twelfth place.

    Where a semitone does not fit into the table, as in short windows, the library fails. Such
    bins are left out here, and the number is looked up by place, as its code for that case means.
    """
    frequencies = (np.arange(n_bins) + 1) * sampling_rate / (2 * n_bins)
    semitones = np.round(12 * np.log2(frequencies / _LOWEST_PITCH)).astype(int)
    _, kinds, counts = np.unique(semitones, return_inverse=True, return_counts=True)
    n_sharing = counts[kinds]
    fits = (-n_bins <= semitones) & (semitones < n_bins)
    source = np.full(n_bins, -1)
    source[semitones[fits]] = np.flatnonzero(fits)
    divisors = n_sharing[semitones] if fits.all() else n_sharing
    places = np.flatnonzero(source >= 0)
    weights = np.zeros((len(places), _N_CHROMA))
    weights[np.arange(len(places)), places % _N_CHROMA] = 1 / divisors[places]
    return source[places], weights


# --- mid-term windows ------------------------------------------------------------------------


def _mid_term(frames, n_frames, settings):
    """Return mean and standard deviation over each mid-term window, and how many a clip has.

    Windows begin every `mid_step` frames; those that reach beyond their clip are cut at its end.
    """
    n_windows = -(-n_frames // settings.mid_step)
    begins = _counted_from(n_windows) * settings.mid_step
    lengths = np.minimum(settings.mid_window, np.repeat(n_frames, n_windows) - begins)
    begins += np.repeat(_firsts(n_frames), n_windows)
    output = np.empty((len(begins), 2, frames.shape[1]))
    for windows in _blocks(len(begins), max(1, _FRAMES_PER_GATHER // settings.mid_window)):
        _window_statistics(frames, begins[windows], lengths[windows], output[windows])
    return output.reshape(len(begins), -1), n_windows


def _window_statistics(frames, begins, lengths, output):
    members = frames[np.repeat(begins, lengths) + _counted_from(lengths)]
    firsts = _firsts(lengths)
    means = np.add.reduceat(members, firsts, axis=0) / lengths[:, None]
    members -= np.repeat(means, lengths, axis=0)
    members *= members
    output[:, 0] = means
    output[:, 1] = np.sqrt(np.add.reduceat(members, firsts, axis=0) / lengths[:, None])

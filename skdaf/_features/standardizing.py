"""Make clips comparable: soften pauses, subtract a part of the mean spectrum, standardize."""

from itertools import accumulate

import numpy as np

# Levels more than this many dB below the peak are softened: they keep this share of the distance
# below that point. Chosen in experiments on unseen speakers, and on acoustic scenes in unseen
# locations.
SOFTENING_DEPTH = np.float32(50.0)
SOFTENING_SLOPE = np.float32(0.3)
_SOFTENING_OFFSET = (1 - SOFTENING_SLOPE) * SOFTENING_DEPTH

# The standardized values of padded clips stay within this distance of zero.
MAX_DEVIATIONS = np.float32(10.0)

# Clips with a smaller deviation, such as digital silence, are not scaled.
MIN_DEVIATION = np.float32(1e-6)

_FLOAT64 = np.dtype(np.float64)

# Half of the mean spectrum is subtracted from clips of this many seconds. Chosen in experiments on
# five sets of clips of 0.4 to 6 s.
_SECONDS_FOR_HALF = 3.0


def share_to_subtract(seconds):
    """Return which share of their mean spectra to subtract from clips of this length.

    The mean spectrum of a long clip mostly describes its microphone, room and speaker, which are
    others in new recordings. That of a short clip is a part of its content.
    """
    return float(seconds / (seconds + _SECONDS_FOR_HALF))


def write_standardized(spectrograms, rows, to_length, *, padding, mean_subtraction, soften):
    """Standardize spectrograms and write them into rows that may have a different length.

    The clips share the operations that work value by value. Sums use the values of a single clip,
    so its row does not depend on the others.

    Parameters
    ----------
    spectrograms : list of ndarray of shape (n_own_frames, n_bins)
    rows : ndarray of shape (n_clips, n_frames, n_bins)
        The array to overwrite.
    to_length : callable
        ``to_length(spectrogram, padding)`` returns a spectrogram as long as a row. The mean and
        the deviation are those at the original length.
    padding : ndarray of shape (n_bins,) or None
        The frame that `to_length` appends to short clips; None if it never does.
    mean_subtraction : float
        The share of the mean over time to subtract from each bin.
    soften : bool
        Whether to soften the levels first.
    """
    n_frames = list(map(len, spectrograms))
    clips = [slice(end - n, end) for n, end in zip(n_frames, accumulate(n_frames), strict=True)]
    levels, offsets = np.concatenate(spectrograms), np.float32(0.0)
    if soften:
        levels = soften_levels(levels)
        padding = None if padding is None else soften_levels(padding)
    if mean_subtraction:
        offsets = _offsets(levels, clips, mean_subtraction)
        levels -= offsets if len(clips) == 1 else np.repeat(offsets, n_frames, axis=0)
    means, scales = standardization(levels, clips)
    paddings = [None] * len(clips)
    if padding is not None:
        paddings = np.broadcast_to(padding - offsets, (len(clips), len(padding)))
        # A click has hardly any deviation: silence would be hundreds of deviations below it.
        scales = np.maximum(scales, _farthest(levels, clips, means) / MAX_DEVIATIONS)
    for row, clip, frame in zip(rows, clips, paddings, strict=True):
        row[...] = to_length(levels[clip], frame)
    rows -= means[:, None, None]
    rows /= scales[:, None, None]
    if padding is not None:
        np.clip(rows, -MAX_DEVIATIONS, MAX_DEVIATIONS, out=rows)


def _offsets(levels, clips, share):
    """Return what to subtract from each bin of each clip: a share of its mean."""
    means = np.empty((len(clips), levels.shape[1]))
    for clip, mean in zip(clips, means, strict=True):
        np.add.reduce(levels[clip], 0, _FLOAT64, mean)
        mean /= clip.stop - clip.start
    return (share * means).astype(np.float32)


def soften_levels(levels):
    """Raise very low levels, because the level of pauses depends on the microphone."""
    # The higher of two lines that cross at -SOFTENING_DEPTH: below that, the flatter one.
    softened = levels * SOFTENING_SLOPE
    softened -= _SOFTENING_OFFSET
    return np.maximum(levels, softened, out=softened)


def standardization(levels, clips):
    """Return the mean and the scale of each clip that give it zero mean and unit variance.

    Parameters
    ----------
    levels : ndarray of shape (n_frames, n_bins), float32
    clips : list of slice
        The frames of each clip.

    Returns
    -------
    means, scales : ndarray of shape (n_clips,), float32
    """
    n_bins, means, variances = levels.shape[1], [], []
    values = levels.reshape(-1)
    for clip in clips:
        own = values[n_bins * clip.start : n_bins * clip.stop]
        n_values = np.float32(own.size)
        mean = np.add.reduce(own) / n_values
        # A new array, because the order of the sums in a product may depend on its address.
        centered = own - mean
        means.append(mean)
        variances.append(np.dot(centered, centered) / n_values)
    deviations = np.sqrt(variances)
    return np.array(means), np.where(deviations > MIN_DEVIATION, deviations, np.float32(1.0))


def _farthest(levels, clips, means):
    """Return the largest distance of a value from the mean of its clip."""
    distances = [np.abs(levels[clip] - mean) for clip, mean in zip(clips, means, strict=True)]
    return np.array([distance.max() for distance in distances])

"""Make clips comparable: soften pauses, subtract a part of the mean spectrum, standardize."""

import numpy as np

# Levels more than this many dB below the peak are softened: they keep this share of the distance
# below that point. Chosen in experiments on unseen speakers, and on acoustic scenes in unseen
# locations.
SOFTENING_DEPTH = np.float32(50.0)
SOFTENING_SLOPE = np.float32(0.3)

# The standardized values of padded clips stay within this distance of zero.
MAX_DEVIATIONS = np.float32(10.0)

# Clips with a smaller deviation, such as digital silence, are not scaled.
MIN_DEVIATION = np.float32(1e-6)

# Half of the mean spectrum is subtracted from clips of this many seconds. Chosen in experiments on
# five sets of clips of 0.4 to 6 s.
_SECONDS_FOR_HALF = 3.0


def share_to_subtract(seconds):
    """Return which share of their mean spectra to subtract from clips of this length.

    The mean spectrum of a long clip mostly describes its microphone, room and speaker, which are
    others in new recordings. That of a short clip is a part of its content.
    """
    return float(seconds / (seconds + _SECONDS_FOR_HALF))


def write_standardized(spectrogram, row, to_length, *, padding, mean_subtraction, soften):
    """Standardize a spectrogram and write it into a row that may have a different length.

    Parameters
    ----------
    spectrogram : ndarray of shape (n_own_frames, n_bins)
    row : ndarray of shape (n_frames, n_bins)
        The array to overwrite.
    to_length : callable
        ``to_length(spectrogram, padding)`` returns a spectrogram as long as the row. The mean and
        the deviation are those at the original length.
    padding : ndarray of shape (n_bins,) or None
        The frame that `to_length` appends to short clips; None if it never does.
    mean_subtraction : float
        The share of the mean over time to subtract from each bin.
    soften : bool
        Whether to soften the levels first.
    """
    if soften:
        spectrogram = soften_levels(spectrogram)
        padding = None if padding is None else soften_levels(padding)
    if mean_subtraction:
        mean_spectrum = spectrogram.mean(axis=0, dtype=np.float64)
        offset = (mean_subtraction * mean_spectrum).astype(np.float32)
        spectrogram = spectrogram - offset
        padding = None if padding is None else padding - offset
    mean, scale = standardization(spectrogram)
    if padding is not None:
        # A click has hardly any deviation: silence would be hundreds of deviations below it.
        farthest = np.abs(spectrogram - mean).max()
        scale = np.maximum(scale, farthest / MAX_DEVIATIONS)
    np.subtract(to_length(spectrogram, padding), mean, out=row)
    row /= scale
    if padding is not None:
        np.clip(row, -MAX_DEVIATIONS, MAX_DEVIATIONS, out=row)


def soften_levels(levels):
    """Raise very low levels, because the level of pauses depends on the microphone."""
    # The higher of two lines that cross at -SOFTENING_DEPTH: below that, the flatter one.
    softened = levels * SOFTENING_SLOPE
    softened -= (1 - SOFTENING_SLOPE) * SOFTENING_DEPTH
    return np.maximum(levels, softened, out=softened)


def standardization(spectrogram):
    """Return the mean and the scale that give a clip zero mean and unit variance."""
    values = spectrogram.reshape(-1)
    mean = np.add.reduce(values) / np.float32(values.size)
    centered = values - mean
    deviation = np.sqrt(np.dot(centered, centered) / np.float32(values.size))
    return mean, deviation if deviation > MIN_DEVIATION else np.float32(1.0)

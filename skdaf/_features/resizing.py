"""Bring spectrograms to the same size: resize or pad along time, soften, standardize."""

import warnings
from functools import lru_cache

import numpy as np
from scipy import sparse

from skdaf._audio.clips import Clip

# Up to this many weights, a dense product is faster than a sparse one.
_MAX_DENSE_WEIGHTS = 2**12

# Levels more than this many dB below the peak are softened: they keep this share of the distance
# below that point. Chosen in experiments on unseen speakers, and on acoustic scenes in unseen
# locations.
_SOFTENING_DEPTH = np.float32(50.0)
_SOFTENING_SLOPE = np.float32(0.3)

# The standardized values of padded clips stay within this distance of zero.
_MAX_DEVIATIONS = np.float32(10.0)

# Spectrograms that are resized have at most this many frames, or a quarter of those computed: the
# time to train is proportional, and more frames were not more accurate in experiments.
_ENOUGH_FRAMES = 250
_MAX_AVERAGED_FRAMES = 4

# Clips that are longer than most by more than this factor are squeezed beyond recognition.
_MAX_SQUEEZE = 10


def squeezed_length(n_frames):
    """Return the number of frames to resize clips to that have this many frames."""
    return min(n_frames, max(_ENOUGH_FRAMES, n_frames // _MAX_AVERAGED_FRAMES))


def warn_about_long_clips(clips, seconds):
    """Warn about clips that resizing would squeeze beyond recognition."""
    usual = float(np.median(seconds))
    rows = [row for row, length in enumerate(seconds) if length > _MAX_SQUEEZE * usual > 0]
    if rows:
        row = rows[0]
        example = str(clips[row].path) if isinstance(clips[row], Clip) else f"clip {row}"
        warnings.warn(
            f"{len(rows)} of {len(clips)} clips are more than {_MAX_SQUEEZE} times longer than "
            f"most ({usual:.3g} s), for example {example} with {seconds[row]:.3g} s. Squeezed to "
            "the same number of frames, little is left to recognize. Cut them into shorter "
            "clips (a table with start and end), or use length='pad'.",
            UserWarning,
            stacklevel=4,
        )


def write_resized(spectrogram, row, *, padding, standardize, soften):
    """Write a spectrogram into a row that may have a different length.

    Parameters
    ----------
    spectrogram : ndarray of shape (n_own_frames, n_bins)
    row : ndarray of shape (n_frames, n_bins)
        The array to overwrite.
    padding : ndarray of shape (n_bins,) or None
        The frame to append if the spectrogram is shorter than the row. If None, the spectrogram is
        resized.
    standardize : bool
        Whether to standardize, with the mean and the standard deviation at the original length.
    soften : bool
        Whether to soften the levels first.
    """
    n_frames = len(row)
    if soften:
        spectrogram = soften_levels(spectrogram)
        padding = None if padding is None else soften_levels(padding)
    if padding is None:
        resized = resize(spectrogram, n_frames)
    else:
        resized = pad_or_cut(spectrogram, n_frames, padding)
    if not standardize:
        row[...] = resized
        return
    mean, scale = standardization(spectrogram)
    if padding is not None:
        # A click has hardly any deviation: silence would be hundreds of deviations below it.
        farthest = np.abs(spectrogram - mean).max()
        scale = np.maximum(scale, farthest / _MAX_DEVIATIONS)
    np.subtract(resized, mean, out=row)
    row /= scale
    if padding is not None:
        np.clip(row, -_MAX_DEVIATIONS, _MAX_DEVIATIONS, out=row)


def _bicubic(x):
    """Return Keys's cubic kernel with a = -0.5."""
    x = np.abs(x)
    near = (1.5 * x - 2.5) * x**2 + 1.0
    far = ((-0.5 * x + 2.5) * x - 4.0) * x + 2.0
    return np.where(x < 1.0, near, np.where(x < 2.0, far, 0.0))


@lru_cache(maxsize=1024)
def resize_matrix(n_in, n_out):
    """Return the sparse `(n_out, n_in)` matrix of a bicubic resize with antialiasing.

    Output k is centered on input position `(k + 1/2) * n_in / n_out`. If there are fewer outputs
    than inputs, the kernel is stretched by the same ratio, so that it averages. The weights sum to
    one, even at the borders.
    """
    scale = n_in / n_out
    stretch = max(scale, 1.0)
    centers = (np.arange(n_out) + 0.5) * scale
    first = np.maximum((centers - 2.0 * stretch + 0.5).astype(int), 0)
    last = np.minimum((centers + 2.0 * stretch + 0.5).astype(int), n_in)
    columns = first[:, None] + np.arange((last - first).max())
    weights = _bicubic((columns - centers[:, None] + 0.5) / stretch)
    weights[columns >= last[:, None]] = 0.0
    weights /= weights.sum(axis=1, keepdims=True)
    rows = np.broadcast_to(np.arange(n_out)[:, None], columns.shape)
    used = weights != 0.0
    return sparse.csr_matrix(
        (weights[used].astype(np.float32), (rows[used], columns[used])), shape=(n_out, n_in)
    )


@lru_cache(maxsize=1024)
def _dense_resize_matrix(n_in, n_out):
    return resize_matrix(n_in, n_out).toarray()


def resize(spectrogram, n_frames):
    """Stretch or squeeze a spectrogram along time, as Pillow's bicubic resize does."""
    n_in = len(spectrogram)
    if n_in == n_frames:
        return spectrogram
    # A dense product with a vector may depend on the address of the vector in memory. A sparse
    # product does not: it sums frame by frame.
    is_vector = n_frames == 1 or spectrogram.shape[1] == 1
    if n_in * n_frames <= _MAX_DENSE_WEIGHTS and not is_vector:
        return _dense_resize_matrix(n_in, n_frames) @ spectrogram
    return resize_matrix(n_in, n_frames) @ spectrogram


def pad_or_cut(spectrogram, n_frames, padding):
    """Append copies of the frame `padding`, or drop the last frames."""
    n_kept = len(spectrogram)
    if n_kept >= n_frames:
        return spectrogram[:n_frames]
    padded = np.empty((n_frames, spectrogram.shape[1]), dtype=np.float32)
    padded[:n_kept] = spectrogram
    padded[n_kept:] = padding
    return padded


def soften_levels(levels):
    """Raise very low levels, because the level of pauses depends on the microphone."""
    # The higher of two lines that cross at -_SOFTENING_DEPTH: below that, the flatter one.
    softened = levels * _SOFTENING_SLOPE
    softened -= (1 - _SOFTENING_SLOPE) * _SOFTENING_DEPTH
    return np.maximum(levels, softened, out=softened)


def standardization(spectrogram):
    """Return the mean and the scale that give a clip zero mean and unit variance."""
    values = spectrogram.reshape(-1)
    mean = np.add.reduce(values) / np.float32(values.size)
    centered = values - mean
    deviation = np.sqrt(np.dot(centered, centered) / np.float32(values.size))
    # Digital silence has zero deviation: only its mean is subtracted.
    return mean, deviation if deviation > 1e-6 else np.float32(1.0)

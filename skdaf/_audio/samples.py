"""Check blocks of samples, and mix channels."""

import numpy as np

from skdaf._audio.clips import AudioReadError

# Samples must be smaller than this; full scale is 1. The power of larger ones would overflow in
# float32 (in a window of one second at the highest sampling rate).
MAX_SAMPLE = np.float32(1e12)

# What 16-bit integers are multiplied by.
INT16_STEP = np.float32(2.0**-15)

# A clip with a lower peak is silent. This is 80 dB below full scale, the last few of 16 bits.
SILENT_PEAK = 1e-4


def check_samples(block, first_frame, sampling_rate, path):
    """Raise AudioReadError if a sample is NaN, infinite or not smaller than MAX_SAMPLE.

    Parameters
    ----------
    block : ndarray of shape (n_frames, n_channels)
    first_frame : int
        The position of the block in its file.
    sampling_rate : int
    path : str, os.PathLike or Source
        The file, for the message.
    """
    # A comparison with NaN is false.
    is_valid = np.abs(block) < MAX_SAMPLE
    if is_valid.all():
        return
    frame, channel = np.unravel_index(is_valid.argmin(), block.shape)
    seconds = round((first_frame + int(frame)) / sampling_rate, 6)
    value = block[frame, channel]
    shown = "NaN" if np.isnan(value) else f"{value:.3g}"
    raise AudioReadError.of(
        path,
        f"the sample at {seconds:.12g} s is {shown}: expected finite numbers, with full scale at 1",
    )


def to_float32(samples):
    """Return samples as float32 with full scale at 1; int16 samples are those of 16-bit files."""
    if samples.dtype.kind == "f":
        return samples
    # Exact, because this multiplies 16-bit integers by a power of two.
    converted = samples.astype(np.float32)
    converted *= INT16_STEP
    return converted


def is_silent(samples):
    """Return whether the peak of mono samples, float32 or int16, is below SILENT_PEAK."""
    limit = SILENT_PEAK if samples.dtype.kind == "f" else SILENT_PEAK / INT16_STEP
    # The maximum alone is nearly always enough: predictions of short clips are sensitive to time.
    return bool(samples.max() < limit and samples.min() > -limit)


def to_mono(block, channel=None):
    """Return one channel of a block `(n_frames, n_channels)`, or the mean of all channels."""
    if channel is not None:
        return np.ascontiguousarray(block[:, channel])
    mono, n_channels = block[:, 0], block.shape[1]
    if n_channels == 1:
        return mono
    # Channel by channel, because np.mean is slow for so few values per mean.
    for channel in range(1, n_channels):
        mono = mono + block[:, channel]
    return mono / n_channels

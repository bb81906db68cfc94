"""Upper bounds for parameters.

They leave plenty of room for real recordings and networks. A typing error or an untrusted file
cannot fill the memory or compute for days.
"""

# No recording is sampled faster.
MOST_HZ = 10_000_000
# Samples of an analysis window, and windows that contain the same sample.
MOST_WINDOW_SAMPLES = 2**20
MOST_OVERLAP = 4096
# Samples of any duration: more than a thousand years at the highest rate.
MOST_SAMPLES = 2**60
# Windows per second of `CNNFeatureExtractor`.
MOST_WINDOWS_PER_SECOND = 1000
# Samples from one analysis window to the next.
MOST_STEP_SAMPLES = 2**22
MOST_MEL_BANDS = 4096
# Weights of a mel filter bank: bands times frequencies.
MOST_MEL_WEIGHTS = 2**25
# Values of a spectrogram of fixed size, and of one as long as its recording.
MOST_VALUES = 2**24
MOST_VALUES_OF_RECORDING = 2**30
# Samples of a recording after resampling. Resampling to at most this multiple of the old rate is
# always possible.
MOST_RESAMPLED, FREE_RESAMPLING_FACTOR = 2**26, 16
# Blocks of each kind in a network, outputs of a block, and the side of a convolution kernel.
MOST_BLOCKS = 100
MOST_UNITS = 2**20
LARGEST_KERNEL = 1001
# Weights of a network; outputs of one of its modules and multiplications, per clip.
MOST_WEIGHTS = 2**30
MOST_ACTIVATIONS = 2**26
MOST_MULTIPLICATIONS = 10**13


def check_at_most(value, largest, what):
    """Raise a ValueError if a value exceeds its bound, or is NaN.

    Parameters
    ----------
    value, largest : float
        The value and its bound.
    what : str
        The parameter and its unit, such as "sampling_rate (in Hz)".
    """
    if not value <= largest:
        raise ValueError(f"{what} must be at most {largest}, got {value}.")


def check_windows(sampling_rate, window, step, names=("window_length", "hop_length")):
    """Check a sampling rate in Hz, and the length and step of analysis windows in samples."""
    check_at_most(sampling_rate, MOST_HZ, "sampling_rate (in Hz)")
    check_at_most(window, MOST_WINDOW_SAMPLES, f"{names[0]} (in samples)")
    check_at_most(step, MOST_STEP_SAMPLES, f"{names[1]} (in samples)")
    check_at_most(window / step, MOST_OVERLAP, f"{names[0]} divided by {names[1]}")


def check_mel_bands(n_mels, n_frequencies):
    """Check the number of mel bands for windows with `n_frequencies` frequencies."""
    check_at_most(n_mels, MOST_MEL_BANDS, "n_mels")
    check_at_most(n_mels * n_frequencies, MOST_MEL_WEIGHTS, "n_mels times frequencies per window")


def check_size(n_frames, n_bins):
    """Check the size of spectrograms of fixed size."""
    what = f"n_frames={n_frames} times {n_bins} bins"
    check_at_most(n_frames * n_bins, MOST_VALUES, what)


def check_recording(n_frames, n_bins):
    """Check the size of a spectrogram that is as long as its recording."""
    what = f"The size of a spectrogram ({n_frames} frames times {n_bins} bins)"
    check_at_most(n_frames * n_bins, MOST_VALUES_OF_RECORDING, what)


def check_resampling(n_samples, rate, new_rate):
    """Check the length of a recording after resampling; rates in Hz."""
    check_at_most(new_rate, MOST_HZ, "sampling_rate (in Hz)")
    if new_rate > FREE_RESAMPLING_FACTOR * rate:
        what = f"The number of samples of a recording, resampled from {rate} Hz to {new_rate} Hz,"
        check_at_most(n_samples * new_rate // rate, MOST_RESAMPLED, what)

"""Upper bounds for parameters.

They are far above what real recordings and networks need. Because of them, a typo or an untrusted
file cannot fill the memory or start a computation that takes days.
"""

# In Hz. No recording has a higher sampling rate.
MAX_SAMPLING_RATE = 10_000_000
# Samples per analysis window, and number of windows that contain the same sample.
MAX_WINDOW_SAMPLES = 2**20
MAX_OVERLAP = 4096
# Samples in any duration: more than a thousand years at the highest rate.
MAX_SAMPLES = 2**60
# Seconds of a frame of a spectrogram, and of a window of features. Larger numbers are likely to be
# milliseconds or samples.
MAX_FRAME = 1
MAX_WINDOW = 900
# Windows per second of `CNNFeatureExtractor`.
MAX_WINDOWS_PER_SECOND = 1000
# Samples from one analysis window to the next.
MAX_STEP_SAMPLES = 2**22
MAX_MEL_BANDS = 4096
# Weights of a mel filter bank: bands times frequencies.
MAX_MEL_WEIGHTS = 2**25
# Values in a spectrogram of fixed size, and in one that is as long as its recording.
MAX_VALUES = 2**24
MAX_VALUES_OF_RECORDING = 2**30
# Samples in a recording after resampling. Resampling by a factor of at most FREE_RESAMPLING_FACTOR
# is always allowed.
MAX_RESAMPLED_SAMPLES, FREE_RESAMPLING_FACTOR = 2**26, 16
# Bytes of a downloaded model file.
MAX_DOWNLOAD_BYTES = 2**33
# Blocks of each kind in a network, outputs of a block, and the size of a convolution kernel.
MAX_BLOCKS = 100
MAX_UNITS = 2**20
MAX_KERNEL_SIZE = 1001
# Weights of a network. Per clip: outputs of one of its modules, and multiplications.
MAX_WEIGHTS = 2**30
MAX_ACTIVATIONS = 2**26
MAX_MULTIPLICATIONS = 10**13


def check_at_most(value, largest, what):
    """Raise a ValueError if a value is above its bound or NaN.

    Parameters
    ----------
    value, largest : float
        The value and its bound.
    what : str
        What the message calls the value, such as "sampling_rate (in Hz)".
    """
    if not value <= largest:
        raise ValueError(f"{what} must be at most {largest}, got {value}.")


def check_windows(sampling_rate, window, step, names=("window_length", "hop_length")):
    """Check a sampling rate in Hz, and the length and step of analysis windows in samples."""
    check_at_most(sampling_rate, MAX_SAMPLING_RATE, "sampling_rate (in Hz)")
    check_at_most(window, MAX_WINDOW_SAMPLES, f"{names[0]} (in samples)")
    check_at_most(step, MAX_STEP_SAMPLES, f"{names[1]} (in samples)")
    check_at_most(window / step, MAX_OVERLAP, f"{names[0]} divided by {names[1]}")


def check_mel_bands(n_mels, n_frequencies):
    """Check the number of mel bands for windows with `n_frequencies` frequencies."""
    check_at_most(n_mels, MAX_MEL_BANDS, "n_mels")
    check_at_most(n_mels * n_frequencies, MAX_MEL_WEIGHTS, "n_mels times frequencies per window")


def check_size(n_frames, n_bins):
    """Check the size of spectrograms of fixed size."""
    what = f"n_frames={n_frames} times {n_bins} bins"
    check_at_most(n_frames * n_bins, MAX_VALUES, what)


def check_recording(n_frames, n_bins):
    """Check the size of a spectrogram that is as long as its recording."""
    what = f"The size of a spectrogram ({n_frames} frames times {n_bins} bins)"
    check_at_most(n_frames * n_bins, MAX_VALUES_OF_RECORDING, what)


def check_resampling(n_samples, rate, new_rate):
    """Check the length of a recording after resampling; rates in Hz."""
    check_at_most(new_rate, MAX_SAMPLING_RATE, "sampling_rate (in Hz)")
    if new_rate > FREE_RESAMPLING_FACTOR * rate:
        what = f"The number of samples of a recording, resampled from {rate} Hz to {new_rate} Hz,"
        check_at_most(n_samples * new_rate // rate, MAX_RESAMPLED_SAMPLES, what)

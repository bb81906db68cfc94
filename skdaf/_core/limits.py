"""The largest sizes that parameters may ask for.

They are generous for recordings and networks, and keep a slip of the keyboard, or the file of a
stranger, from filling the memory or computing for days.
"""

# As for recordings: nothing is sampled faster.
MOST_HZ = 10_000_000
# Samples of one analysis window, and windows that a sample may lie in.
MOST_WINDOW_SAMPLES = 2**20
MOST_OVERLAP = 4096
# Samples of any duration: more than a thousand years.
MOST_SAMPLES = 2**60
# Windows that an extractor cuts from one second.
MOST_WINDOWS_PER_SECOND = 1000
# Samples from one window to the next.
MOST_STEP_SAMPLES = 2**22
MOST_MEL_BANDS = 4096
# Weights of the mel bands: bands times frequencies.
MOST_MEL_WEIGHTS = 2**25
# Values of one spectrogram of fixed size, and of one of a recording's own length.
MOST_VALUES = 2**24
MOST_VALUES_OF_RECORDING = 2**30
# Resampling may make short recordings long without limit, long ones by this factor.
MOST_RESAMPLED, FREE_RESAMPLING_FACTOR = 2**26, 16
# Blocks of a network of each kind, outputs of a block, and the side of a convolution kernel.
MOST_BLOCKS = 100
MOST_UNITS = 2**20
LARGEST_KERNEL = 1001
# Weights of a network; outputs of one of its parts and multiplications, for one clip.
MOST_WEIGHTS = 2**30
MOST_ACTIVATIONS = 2**26
MOST_MULTIPLICATIONS = 10**13


def check_at_most(value, largest, what):
    """Refuse a size beyond its bound.

    Parameters
    ----------
    value, largest : float
    what : str
        Names the parameter and what is counted, as in "sampling_rate (in Hz)".

    Raises
    ------
    ValueError
        It names the parameter, the value and the bound.
    """
    if not value <= largest:
        raise ValueError(f"{what} must be at most {largest}, got {value}.")


def check_windows(sampling_rate, window, step, names=("window_length", "hop_length")):
    """Check the rate in Hz, and analysis windows and their step in samples."""
    check_at_most(sampling_rate, MOST_HZ, "sampling_rate (in Hz)")
    check_at_most(window, MOST_WINDOW_SAMPLES, f"{names[0]} (in samples)")
    check_at_most(step, MOST_STEP_SAMPLES, f"{names[1]} (in samples)")
    check_at_most(window / step, MOST_OVERLAP, f"{names[0]} divided by {names[1]}")


def check_mel_bands(n_mels, n_frequencies):
    """Check the number of mel bands for windows with that many frequencies."""
    check_at_most(n_mels, MOST_MEL_BANDS, "n_mels")
    check_at_most(n_mels * n_frequencies, MOST_MEL_WEIGHTS, "n_mels times frequencies of a window")


def check_size(n_frames, n_bins):
    """Check the size that all spectrograms are brought to."""
    what = f"n_frames={n_frames} times {n_bins} bins"
    check_at_most(n_frames * n_bins, MOST_VALUES, what)


def check_recording(n_frames, n_bins):
    """Check the spectrogram of a recording at its own length."""
    what = f"The number of values of a spectrogram ({n_frames} frames of {n_bins} bins)"
    check_at_most(n_frames * n_bins, MOST_VALUES_OF_RECORDING, what)


def check_resampling(n_samples, rate, new_rate):
    """Check how long a recording becomes at another rate."""
    check_at_most(new_rate, MOST_HZ, "sampling_rate (in Hz)")
    if new_rate > FREE_RESAMPLING_FACTOR * rate:
        what = f"The number of samples of a recording at {rate} Hz, resampled to {new_rate} Hz,"
        check_at_most(n_samples * new_rate // rate, MOST_RESAMPLED, what)

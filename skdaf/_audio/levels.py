"""Recognize samples that are not scaled, such as 16-bit integers converted to float."""

from skdaf._core.user_warnings import warn_user

# Samples above this are certainly not scaled. Resampling and effects can exceed full scale, and
# the checks of scikit-learn use values around 100.
MAX_SCALED = 200


def loudest(samples):
    """Return the highest absolute value; NaN if any sample is NaN."""
    return max(samples.max(), -samples.min())


def warn_of_unscaled(level, name):
    """Warn of samples whose highest absolute value is above MAX_SCALED."""
    warn_user(
        f"{name} has values up to {level:.6g}: waveforms should be between -1 and 1. Divide 16-bit "
        "samples by 32768."
    )

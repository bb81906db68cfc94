"""Change the sampling rate."""

import soxr

from skdaf._core.limits import check_resampling


def resample(samples, source_rate, target_rate):
    """Resample mono float32 samples with an anti-alias filter (soxr, high quality).

    Returns at least one sample, even for very short input.
    """
    if source_rate == target_rate:
        return samples
    check_resampling(len(samples), source_rate, target_rate)
    resampled = soxr.resample(samples, source_rate, target_rate, quality="HQ")
    return resampled if len(resampled) else samples.mean(keepdims=True)

"""Warnings about windows that are probably too long or too short."""

import warnings

from skdaf._estimators.fitted import find_frontend
from skdaf._features.usual_length import usual_seconds

# A classifier can hardly recognize sounds that are squeezed or stretched by this factor.
_MAX_FACTOR = 4.0

# In seconds. Up to here, recordings may well be shorter than a window.
LONGEST_WINDOW = 30.0


def warn_about_window(estimator, window):
    """Warn if a window is much longer or shorter than the clips of the training."""
    usual = usual_seconds(find_frontend(estimator))
    if usual is None or usual[0] / _MAX_FACTOR < window < usual[1] * _MAX_FACTOR:
        return
    clips = " to ".join(f"{seconds:.3g}" for seconds in dict.fromkeys(usual))
    warnings.warn(
        f"window={window:g} s is far from the length of the clips that the estimator was trained "
        f"on ({clips} s), so its predictions may be poor. Durations are in seconds; choose a "
        "window of about that length.",
        # The decorator that checks parameters is in between.
        stacklevel=4,
    )


def warn_about_short_recording(clip, window, seconds, stacklevel):
    """Warn if a window is longer than the recording, and so long that it may be a mistake."""
    if window > max(seconds, LONGEST_WINDOW):
        warnings.warn(
            f"window={window:g} s is longer than the recording {clip.name!r} ({seconds:.4g} s), so "
            "there is only one window. Durations are in seconds, not in milliseconds.",
            stacklevel=stacklevel,
        )

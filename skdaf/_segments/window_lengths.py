"""The length of windows: the default, and warnings about probable mistakes."""

import warnings

from skdaf._estimators.fitted import find_frontend, iterate_parts, unwrap

# Up to half or twice the length of the clips is a usual choice, and clips are rarely exact.
_MAX_FACTOR = 2.1

# In seconds. Up to here, recordings may well be shorter than a window.
LONGEST_WINDOW = 30.0

# In seconds, for estimators that do not know the length of their clips.
_DEFAULT_WINDOW = 1.0


def clip_length(estimator):
    """Return the median length in seconds of the clips that an estimator was fitted on, or None.

    The transformers of this package know it, except for those in files of earlier releases.
    """
    if estimator is None:
        return None
    parts = [find_frontend(estimator), *iterate_parts(unwrap(estimator))]
    lengths = (vars(part).get("clip_length_") for part in parts if part is not None)
    return next((length for length in lengths if length is not None), None)


def window_or_default(estimator, window):
    """Return a window in seconds; if it is None, the length of the clips of the training."""
    if window is not None:
        return window
    length = clip_length(estimator)
    return _DEFAULT_WINDOW if length is None else length


def warn_about_window(estimator, window):
    """Warn if a window is much longer or shorter than the clips of the training."""
    length = clip_length(estimator)
    if length is None or length / _MAX_FACTOR <= window <= length * _MAX_FACTOR:
        return
    warnings.warn(
        f"window={window:g} s is far from the length of the clips that the estimator was trained "
        f"on (median {length:.3g} s), so its predictions may be poor. Durations are in seconds; "
        "without `window`, windows have the length of these clips.",
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

"""Errors and warnings about durations that are probably too long or too short."""

import warnings

from skdaf._estimators.fitted import find_frontend
from skdaf._features.usual_length import usual_seconds

# A classifier can hardly recognize sounds that are squeezed or stretched by this factor.
_MAX_FACTOR = 4.0

# The parameters of front ends that are the duration of a frame.
_FRAME_LENGTHS = ("window_length", "short_window")

# In seconds. Up to here, recordings may well be shorter than a window.
LONGEST_WINDOW = 30.0

# A frame of the default front end, in seconds. Nobody labels windows that are shorter.
_SHORTEST_WINDOW = 0.032

# A recording whose annotations end this many times earlier is rather one in milliseconds.
_MILLISECONDS = 500


def warn_about_window(estimator, window):
    """Warn if a window is much longer or shorter than the clips of the training.

    Raise if it is shorter than a frame.
    """
    frontend = find_frontend(estimator)
    frame = next((getattr(frontend, x) for x in _FRAME_LENGTHS if hasattr(frontend, x)), None)
    if frame is not None and window < frame:
        raise ValueError(
            f"window={window:g} s is shorter than a frame of the estimator's front end ({frame:g} "
            "s), so windows have nothing to analyze. Durations are in seconds."
        )
    usual = usual_seconds(frontend)
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


def warn_about_short_window(window, stacklevel):
    """Warn if the windows of clips are so short that it is probably a mistake."""
    if window is not None and window < _SHORTEST_WINDOW:
        warnings.warn(
            f"window={window:g} s is shorter than a frame of the default front end "
            f"({_SHORTEST_WINDOW} s), so clips have nothing to analyze. Durations are in seconds.",
            stacklevel=stacklevel,
        )


def warn_about_long_durations(durations, seconds, stacklevel):
    """Warn of durations that are longer than everything they apply to, and 30 s.

    Parameters
    ----------
    durations : dict of str to float
        Parameters, in seconds.
    seconds : float
        The time that the longest recording takes.
    stacklevel : int
        As in `warnings.warn`, from here.
    """
    for name, value in durations.items():
        if value > max(seconds, LONGEST_WINDOW):
            warnings.warn(
                f"{name}={value:g} s is longer than all segments together ({seconds:.4g} s). "
                "Durations are in seconds, not in milliseconds.",
                stacklevel=stacklevel,
            )


def warn_about_duration(duration, end, stacklevel):
    """Warn if a recording is said to be much longer than the time of its segments."""
    if end > 0 and duration > _MILLISECONDS * end:
        warnings.warn(
            f"duration={duration:.10g} s, but the last segment of the recording ends at {end:.10g} "
            "s. Durations are in seconds, not in milliseconds.",
            stacklevel=stacklevel,
        )

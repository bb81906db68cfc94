"""The length of windows: the default; and durations that are probably too long or too short."""

import warnings
from typing import Any

from sklearn.utils.validation import check_is_fitted

from skdaf._core.public import public
from skdaf._estimators.fitted import find_frontend, load_if_path
from skdaf._estimators.places import fitted_parts

# Up to half or twice the length of the clips is a usual choice, and clips are rarely exact.
_MAX_FACTOR = 2.1

# The parameters of front ends that are the duration of a frame.
_FRAME_LENGTHS = ("window_length", "short_window")

# In seconds. Up to here, recordings may well be shorter than a window.
LONGEST_WINDOW = 30.0

# In seconds, for estimators that do not know the length of their clips.
_DEFAULT_WINDOW = 1.0

# A frame of the default front end, in seconds. Nobody labels windows that are shorter.
_SHORTEST_WINDOW = 0.032

# A recording whose annotations end this many times earlier is rather one in milliseconds.
_MILLISECONDS = 500


@public
def clip_length(estimator: Any) -> float | None:
    """Return the median length of the clips that an estimator was fitted on.

    It is the default `window` of `predict_segments` and `predict_stream`.

    Parameters
    ----------
    estimator : estimator, str or os.PathLike
        A fitted estimator that takes files, such as a network, a combined classifier, or a pipeline
        or a search that contains one; or the path of a file written by `save_model`.

    Returns
    -------
    seconds : float or None
        The `clip_length_` of the first part that knows it: a front end, or another transformer of
        this package. Parts that are frozen count only if no other knows it, because they may have
        been fitted on other clips. None if no part knows it, as in files of earlier releases.

    Raises
    ------
    NotFittedError
        If the estimator is not fitted.

    Examples
    --------
    >>> import numpy as np
    >>> from sklearn.linear_model import LogisticRegression
    >>> from sklearn.pipeline import make_pipeline
    >>> from skdaf import PyAudioAnalysisTransformer, clip_length
    >>> model = make_pipeline(PyAudioAnalysisTransformer(), LogisticRegression())
    >>> waveforms = np.random.default_rng(0).standard_normal((4, 8000))  # half a second at 16 kHz
    >>> clip_length(model.fit(waveforms, [0, 1, 0, 1]))
    0.5
    """
    if estimator is None:
        return None
    estimator = load_if_path(estimator)
    check_is_fitted(estimator)
    found: dict[bool, float] = {}
    for part, _, is_trained in fitted_parts(estimator):
        if "clip_length_" in vars(part):
            found.setdefault(is_trained, vars(part)["clip_length_"])
    return found.get(True, found.get(False))


def window_or_default(estimator, window):
    """Return a window in seconds; if it is None, the length of the clips of the training."""
    if window is not None:
        return window
    length = clip_length(estimator)
    return _DEFAULT_WINDOW if length is None else length


def warn_about_window(estimator, window):
    """Warn if a window is much longer or shorter than the clips of the training.

    Raise if it is shorter than a frame. Return whether there was a warning.
    """
    length = clip_length(estimator)
    if window == length:
        return False
    frontend = find_frontend(estimator)
    frame = next((getattr(frontend, x) for x in _FRAME_LENGTHS if hasattr(frontend, x)), None)
    if frame is not None and window < frame:
        raise ValueError(
            f"window={window:g} s is shorter than a frame of the estimator's front end ({frame:g} "
            "s), so windows have nothing to analyze. Durations are in seconds."
        )
    if length is None or length / _MAX_FACTOR <= window <= length * _MAX_FACTOR:
        return False
    warnings.warn(
        f"window={window:g} s is far from the length of the clips that the estimator was trained "
        f"on (median {length:.3g} s), so its predictions may be poor. Durations are in seconds; "
        "without `window`, windows have the length of these clips.",
        # The decorator that checks parameters is in between.
        stacklevel=4,
    )
    return True


def warn_about_step(window, step, stacklevel):
    """Warn if windows leave gaps, because they are shorter than the step between them."""
    if step is not None and step > window:
        warnings.warn(
            f"step={step:g} s is longer than window={window:g} s, so the sound between windows is "
            f"not used, and events there are missed. Set step to at most {window:g}.",
            stacklevel=stacklevel,
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

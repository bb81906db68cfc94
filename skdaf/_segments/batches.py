"""What functions share that go through a long recording window by window, in batches."""

import reprlib
from numbers import Integral, Real

from sklearn.utils._param_validation import Interval

from skdaf._audio.clips import Clip
from skdaf._audio.opening import on_disk
from skdaf._audio.reading import has_cut_end, read_info
from skdaf._audio.sources import is_source
from skdaf._audio.unusual_clips import (
    ClipFacts,
    report_clips,
    report_silent_recordings,
    windows_of_recordings,
)
from skdaf._core.parallel import progress_bar
from skdaf._estimators.fitted import load_fitted
from skdaf._estimators.table_columns import expected_table, find_table_columns, selects_columns
from skdaf._features.windows import Windows
from skdaf._segments.window_lengths import warn_about_short_recording, warn_about_step

# The constraint of a parameter that is a duration.
SECONDS = [Interval(Real, 0, None, closed="neither")]

# The constraints of functions that go through a recording window by window.
WINDOW_CONSTRAINTS = {
    "window": SECONDS,
    "step": [*SECONDS, None],
    "batch_size": [Interval(Integral, 1, None, closed="left")],
}


def load_for_windows(estimator, name, kind):
    """Return a fitted estimator that takes windows of recordings; load it if it is a path.

    `name` is the name of the parameter and `kind` what it must be ("classifier"), for errors.
    """
    estimator = load_fitted(estimator, name, kind)
    columns = find_table_columns(estimator)
    if columns and columns.others:
        raise ValueError(
            f"{name} expects {expected_table(columns)}, but the windows of a recording have no "
            "such values: train a model that takes recordings only."
        )
    if selects_columns(estimator):
        raise ValueError(
            f"{name} takes recordings from a column of a table, because it starts with a "
            "ColumnTransformer, but the windows of a recording are in no table: train a model "
            "without it, on the recordings themselves."
        )
    return estimator


def map_windows(
    function,
    path,
    *,
    window,
    step,
    batch_size,
    verbose,
    description,
    may_be_long=False,
    stacklevel=5,
):
    """Return `function(windows)` for each batch of windows of one recording, in order.

    Parameters
    ----------
    function : callable
        It gets a list of at most `batch_size` windows, which are Clips.
    path : str, os.PathLike, Clip, or a sound in memory
        The recording.
    window, step : float
        Length and step in seconds; a step of None is the length.
    batch_size, verbose : int
        As in `predict_segments`.
    description : str
        What the progress bar shows.
    may_be_long : bool, default=False
        Whether there is no warning of a window that is longer than the recording: it was chosen by
        default, which is no mistake of the user, or there was a warning already.
    stacklevel : int, default=5
        The level of the caller, for warnings; a decorator that checks parameters is in between.
    """
    warn_about_step(window, step, stacklevel)
    with on_disk(_one_recording(path)) as clip:
        info = read_info(clip)
        seconds = info.n_frames / info.sampling_rate
        report_clips([clip], [ClipFacts(seconds, is_cut_off=has_cut_end(clip))])
        if not may_be_long:
            warn_about_short_recording(clip, window, seconds, stacklevel)
        windows = Windows(clip, window, step or window, info.sampling_rate, info.n_frames)
        results = []
        bar = progress_bar(len(windows), description, "window", verbose)
        with windows_of_recordings() as report, bar as advance:
            for first in range(0, len(windows), batch_size):
                batch = windows[first : first + batch_size]
                results.append(function(batch))
                advance(len(batch))
        report_silent_recordings([clip], report)
    return results


def _one_recording(path):
    """Return a Clip of one recording, which may be a path, a Clip, or anything a Clip accepts."""
    if isinstance(path, Clip):
        return path
    if not is_source(path):
        raise TypeError(
            "path must be one recording (str, os.PathLike, Clip, (samples, sampling_rate) or an "
            f"open file), got a {type(path).__name__}: {reprlib.repr(path)}. Call the function "
            "once per recording."
        )
    return Clip(path)

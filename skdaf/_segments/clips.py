"""clips_from_segments: turn annotated segments into clips for training."""

import os
import warnings
from numbers import Number
from typing import Any

import numpy as np
import pandas as pd

from skdaf._audio.blocks import is_mostly_after
from skdaf._audio.clips import AudioReadError, Clip
from skdaf._audio.reading import read_info
from skdaf._core.arrays import plain_scalar
from skdaf._core.public import public
from skdaf._core.typing import PathLike
from skdaf._core.validation import validate_params
from skdaf._features.windows import cut_windows
from skdaf._segments.batches import SECONDS
from skdaf._segments.matching import warn_of_other_recording
from skdaf._segments.reading import checked_table
from skdaf._segments.tables import at_most, check_not_blank
from skdaf._segments.thresholds import contains, coverage
from skdaf._segments.window_lengths import (
    LONGEST_WINDOW,
    warn_about_short_recording,
    warn_about_short_window,
)


@public
@validate_params({"window": [*SECONDS, None], "step": [*SECONDS, None], "multilabel": ["boolean"]})
def clips_from_segments(
    path: Any,
    segments: pd.DataFrame | PathLike,
    *,
    window: float | None = None,
    step: float | None = None,
    multilabel: bool = False,
    background: Any = None,
) -> tuple[list[Clip], Any]:
    """Turn the annotated segments of a recording into clips and labels for training.

    Parameters
    ----------
    path : str, os.PathLike, or a sound in memory
        The recording; also a file opened for reading bytes, or a pair
        ``(samples, sampling_rate)``. Without a `window`, a file is not read; with one, only its
        header is read.
    segments : pandas.DataFrame, str or os.PathLike
        With the columns `start`, `end` (s) and `label`, as returned by `read_segments`; or the path
        of a file for it.
    window : float, default=None
        Length in seconds of the windows into which each segment is split; the last window of a
        segment may be shorter, as in `predict_segments`. If None, segments are not split. Networks
        learn best from clips that are as long as the windows in `predict_segments`.
    step : float, default=None
        Step from one window to the next in seconds. If None, `window`.
    multilabel : bool, default=False
        Whether segments with different labels can cover the same time. The clips are then the
        windows of the whole recording, and can have any number of labels: those of segments that
        cover at least half of the window, or of which the window covers at least half. Time that
        several segments of one label cover counts once, also with a `background`. Requires a
        `window`, and annotations of the whole recording.
    background : label, default=None
        The label of the time in which nothing is annotated, for annotations that list all events of
        a recording, and only these. The clips are then the windows of the whole recording, as in
        `predict_segments`, so that a classifier also learns what is not an event, and what the
        edges of events sound like. A window has the label of an event that covers at least half of
        it, or of which it covers at least half, and otherwise this one. Of several events, it is
        the one whose label covers most of the window; if there is a tie, the label that comes first
        in the recording. A last window of less than half the length is left out. The table may
        be empty. Requires a `window`. A multilabel indicator needs no background: its windows
        without an event are rows of zeros.

    Returns
    -------
    clips : list of Clip
        Sorted by time.
    labels : ndarray of shape (n_clips,), or DataFrame of shape (n_clips, n_labels)
        The label of each clip. If `multilabel`, an indicator with a column for each label of
        `segments`, sorted, that is 1 where a clip has the label, else 0. To join the indicators of
        several recordings: ``pd.concat(indicators).fillna(0).astype(int)``. If there is only one
        label, a classifier takes this column for two classes, 0 and 1.

    Raises
    ------
    AudioReadError
        If there is a `window` and the recording cannot be read, a segment starts after its end, or
        more than three quarters of a segment, and more than 1 s, are after its end.
    TypeError
        If `path` is not a recording, `segments` is not a table, or `background` is not a label of
        the same type as the others.
    ValueError
        If a column or a value is missing, a segment has no duration or an empty label, a parameter
        is out of range, there is a `step` or a `background`, or are several labels, without a
        `window`, or `background` is empty, missing or the label of a segment (``0`` and ``0.0`` are
        the same label).

    Warns
    -----
    UserWarning
        If `window` exceeds 30 s and the recording, or is shorter than 0.032 s: milliseconds are a
        common mistake. If there is a `background`, but no window without an event, or none with
        the label of some. If `segments` is a file that is named after another recording.

    See Also
    --------
    clips_from_recordings : The same for several recordings.
    read_segments : Read annotations.
    predict_segments : Classify recordings with the trained estimator.

    Notes
    -----
    Neighboring windows sound alike. In cross-validation, keep the windows of one recording
    together, for example with ``GroupKFold``.

    The last window of a segment can be very short. To leave out those below half a window, keep the
    clips with ``clip.end - clip.start >= window / 2``, and their labels.

    If events are rare, most clips are background. This is how often a detector will meet it, but
    training takes longer. For fewer of them, keep every tenth one, for example:
    ``np.flatnonzero((labels != "none") | (np.arange(len(labels)) % 10 == 0))``.

    Examples
    --------
    >>> import pandas as pd
    >>> from skdaf import clips_from_segments
    >>> segments = pd.DataFrame({"start": [0, 2.5], "end": [2.5, 4], "label": ["cat", "dog"]})
    >>> clips, labels = clips_from_segments("yard.wav", segments)
    >>> clips[1], labels[1].item()
    (Clip(path='yard.wav', start=2.5, end=4.0), 'dog')

    If only the events are annotated, the rest of the recording is background:

    >>> import numpy as np
    >>> recording = np.zeros(80_000), 8000
    >>> clips, labels = clips_from_segments(recording, segments, window=2, background="quiet")
    >>> [(clip.start, clip.end) for clip in clips]
    [(0.0, 2.0), (2.0, 4.0), (4.0, 6.0), (6.0, 8.0), (8.0, 10.0)]
    >>> labels.tolist()
    ['cat', 'dog', 'quiet', 'quiet', 'quiet']
    """
    check_needs_of_window(window, step, multilabel, background)
    warn_about_short_window(window, stacklevel=4)
    table = checked_table(segments, "segments")
    if isinstance(path, (str, os.PathLike)) and isinstance(segments, (str, os.PathLike)):
        warn_of_other_recording(path, segments, stacklevel=4)
    # All clips share one source, so that an open file is read only once.
    path = Clip(path).path
    # The decorator that checks parameters is in between.
    clips, labels = cut_recording(path, table, window, step, multilabel, background, stacklevel=4)
    warn_of_missing_labels(background, labels, [table], window, stacklevel=4)
    return clips, labels


def cut_recording(path, table, window, step, multilabel, background, *, stacklevel):
    """Return the clips and labels of a recording, whose checked table is sorted by time.

    A warning points to the function that is `stacklevel` calls above this one.
    """
    recording = Clip(path).path
    if window is not None and (len(table) or window > LONGEST_WINDOW):
        info = read_info(Clip(recording))
        seconds = info.n_frames / info.sampling_rate
        warn_about_short_recording(Clip(recording), window, seconds, stacklevel=stacklevel + 1)
        _check_ends(recording, table, info)
    if multilabel:
        windows, _ = cut_windows([Clip(recording)], window, step or window, None)
        return list(windows), _indicator(windows, table)
    clips = [Clip(recording, *span) for span in zip(table.start, table.end, strict=True)]
    labels = np.array(table.label.tolist())
    if background is not None:
        _check_background(background, labels)
        return _labeled_windows(Clip(recording), table, window, step or window, background)
    if window is not None and clips:
        clips, firsts = cut_windows(clips, window, step or window, None)
        labels = np.repeat(labels, np.diff([*firsts, len(clips)]))
    return clips, labels


def _check_ends(recording, table, info):
    """Raise AudioReadError if a segment is not in the recording."""
    seconds = info.n_frames / info.sampling_rate
    starts, ends = table.start.to_numpy(), table.end.to_numpy()
    is_after = np.round(starts * info.sampling_rate) >= info.n_frames
    spans = zip(starts, ends, strict=True)
    is_bad = is_after | np.array([is_mostly_after(*span, seconds) for span in spans], dtype=bool)
    if is_bad.any():
        row = int(is_bad.argmax())
        found = table.iloc[row]
        more = f" (and {is_bad.sum() - 1} more)" if is_bad.sum() > 1 else ""
        raise AudioReadError.of(
            recording,
            f"the segment from {found.start:g} s to {found.end:g} s, label "
            f"{plain_scalar(found.label)!r}, {'starts' if is_after[row] else 'ends long'} after "
            f"the recording, which ends at {seconds:g} s{more}. Start and end are seconds.",
        )


def check_needs_of_window(window, step, multilabel, background):
    """Raise if there is a parameter that needs a window, but no window."""
    if background is not None:
        check_not_blank(background, "background")
    background = plain_scalar(background)
    if multilabel and background is not None:
        raise ValueError(
            f"background={background!r} is not needed with multilabel=True, which returns all "
            "windows: those without an event are rows of zeros. Omit it."
        )
    needing = {
        f"step={step}": step is not None,
        "multilabel=True": multilabel,
        f"background={background!r}": background is not None,
    }
    for what, is_given in needing.items():
        if is_given and window is None:
            raise ValueError(f"{what} needs a window, but window is None.")


def _check_background(background, labels):
    """Raise unless a label can be that of the time without an event."""
    if not isinstance(background, (str, Number, np.generic)):
        raise TypeError(f"background must be a label, got {background!r}.")
    background = plain_scalar(background)
    is_text = [isinstance(label, str) for label in (*labels[:1].tolist(), background)]
    if len({*is_text}) > 1:
        # An array of both would turn numbers into texts.
        raise TypeError(
            f"background must be of the same type as the labels, got {background!r} and the labels "
            f"{np.unique(labels).tolist()}."
        )
    # Equal numbers, such as 0 and 0.0, would become one class.
    if any(label == background or str(label) == str(background) for label in np.unique(labels)):
        raise ValueError(
            f"background={background!r} is the label of a segment: time without a segment needs a "
            "label of its own. If the table has segments for all of the background, omit it."
        )


def warn_of_missing_labels(background, labels, tables, window, *, stacklevel):
    """Warn if no clip has the background label, or the label of some events.

    `tables` contains the checked tables of the recordings. The warning points to the function that
    is `stacklevel` calls above this one.
    """
    if background is None or len(labels) == 0:
        return
    if background not in labels:
        warnings.warn(
            f"There is no clip of background={plain_scalar(background)!r}: every window of "
            f"window={window:g} s contains an event. Choose a shorter window, or omit background.",
            stacklevel=stacklevel,
        )
        return
    missing = sorted(
        {plain_scalar(x) for table in tables for x in table.label} - {*labels.tolist()}, key=str
    )
    if missing:
        warnings.warn(
            f"No clip has the labels {missing}: other events cover more of the windows that "
            f"contain theirs, or the windows (window={window:g} s) leave gaps. Choose a shorter "
            "window or step.",
            stacklevel=stacklevel,
        )


def _labeled_windows(recording, table, window, step, background):
    """Return the windows of a whole recording, and the label of each."""
    windows, _ = cut_windows([recording], window, step, None)
    # The rest of a recording is often too short to be an example of anything.
    if len(windows) > 1 and windows[-1].end - windows[-1].start < window / 2:
        windows.pop()
    times = _times(windows)
    labels, longest = np.full(len(windows), background, dtype=object), np.zeros(len(windows))
    for label in table.label.unique():
        covered, is_in = coverage(times, table, label)
        is_in &= ~at_most(covered, longest)
        labels[is_in], longest[is_in] = label, covered[is_in]
    return windows, np.array(labels.tolist())


def _times(windows):
    """Return the start and the end of each window in seconds, as a table."""
    return pd.DataFrame({name: [getattr(w, name) for w in windows] for name in ("start", "end")})


def _indicator(windows, table):
    """Return which labels each window has, as a table with a column for each label."""
    times = _times(windows)
    labels = sorted(table.label.unique(), key=str)
    # The index keeps the rows of a recording without segments.
    return pd.DataFrame(
        {label: contains(times, table, label).astype(int) for label in labels}, index=times.index
    )

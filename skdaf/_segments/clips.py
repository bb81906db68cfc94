"""clips_from_segments: turn annotated segments into clips for training."""

from typing import Any

import numpy as np
import pandas as pd

from skdaf._audio.clips import Clip
from skdaf._core.public import public
from skdaf._core.validation import validate_params
from skdaf._features.windows import cut_windows
from skdaf._segments.batches import SECONDS
from skdaf._segments.tables import check_segments
from skdaf._segments.thresholds import contains


@public
@validate_params({"window": [*SECONDS, None], "step": [*SECONDS, None], "multilabel": ["boolean"]})
def clips_from_segments(
    path: Any,
    segments: pd.DataFrame,
    *,
    window: float | None = None,
    step: float | None = None,
    multilabel: bool = False,
) -> tuple[list[Clip], Any]:
    """Turn the annotated segments of a recording into clips and labels for training.

    Parameters
    ----------
    path : str, os.PathLike, or a sound in memory
        The recording; also a file opened for reading bytes, or a pair
        ``(samples, sampling_rate)``. Without a `window`, a file is not read; with one, only its
        header is read.
    segments : pandas.DataFrame
        With the columns `start`, `end` (s) and `label`, as returned by `read_segments`.
    window : float, default=None
        Length in seconds of the windows into which each segment is split; the last window of a
        segment may be shorter, as in `predict_segments`. If None, segments are not split. Networks
        learn best from clips that are as long as the windows in `predict_segments`.
    step : float, default=None
        Step from one window to the next in seconds. If None, `window`.
    multilabel : bool, default=False
        Whether segments with different labels can cover the same time. The clips are then the
        windows of the whole recording, and can have any number of labels: those of segments that
        cover at least half of the window, or of which the window covers at least half. Requires a
        `window`, and annotations of the whole recording.

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
        If there is a `window` and the recording cannot be read, or ends before a segment starts.
    TypeError
        If `path` is not a recording, or `segments` is not a table.
    ValueError
        If a column or a value is missing, a segment has no duration or an empty label, a parameter
        is out of range, or there is a `step`, or are several labels, without a `window`.

    See Also
    --------
    read_segments : Read annotations.
    predict_segments : Classify recordings with the trained estimator.

    Notes
    -----
    Neighboring windows sound alike. In cross-validation, keep the windows of one recording
    together, for example with ``GroupKFold``.

    Examples
    --------
    >>> import pandas as pd
    >>> from skdaf import clips_from_segments
    >>> segments = pd.DataFrame({"start": [0, 2.5], "end": [2.5, 4], "label": ["cat", "dog"]})
    >>> clips, labels = clips_from_segments("yard.wav", segments)
    >>> clips[1], labels[1].item()
    (Clip(path='yard.wav', start=2.5, end=4.0), 'dog')
    """
    if window is None and (step is not None or multilabel):
        needing = "multilabel=True" if multilabel else f"step={step}"
        raise ValueError(f"{needing} needs a window, but window is None.")
    table = check_segments(segments, "segments")
    # All clips share one source, so that an open file is read only once.
    recording = Clip(path).path
    if multilabel:
        windows, _ = cut_windows([Clip(recording)], window, step or window, None)
        return list(windows), _indicator(windows, table)
    clips = [Clip(recording, *span) for span in zip(table.start, table.end, strict=True)]
    labels = np.array(table.label.tolist())
    if window is None or not clips:
        return clips, labels
    windows, firsts = cut_windows(clips, window, step or window, None)
    return windows, np.repeat(labels, np.diff([*firsts, len(windows)]))


def _indicator(windows, table):
    """Return which labels each window has, as a table with a column for each label."""
    times = pd.DataFrame({name: [getattr(w, name) for w in windows] for name in ("start", "end")})
    labels = sorted(table.label.unique(), key=str)
    # The index keeps the rows of a recording without segments.
    return pd.DataFrame(
        {label: contains(times, table, label).astype(int) for label in labels}, index=times.index
    )

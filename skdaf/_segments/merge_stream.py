"""merge_stream: join the rows of `predict_stream` to segments while they arrive."""

import warnings
from collections.abc import Iterable, Iterator
from typing import Any

import pandas as pd

from skdaf._core.public import public
from skdaf._core.validation import validate_params
from skdaf._segments.merge import MERGING_CONSTRAINTS
from skdaf._segments.stream_labels import OneLabel, SeveralLabels
from skdaf._segments.stream_rows import RowReader, by_start
from skdaf._segments.tables import as_texts, is_long_enough


@public
@validate_params(
    MERGING_CONSTRAINTS
    | {
        "multilabel": ["boolean"],
    }
)
def merge_stream(
    rows: Iterable[Any],
    *,
    min_duration: float = 0.0,
    smooth: float = 0.0,
    background: Any = None,
    multilabel: bool = False,
    drop_shorter_than: float = 0.0,
) -> Iterator[dict[str, Any]]:
    """Join neighboring segments with the same label while they arrive.

    The segments are those of `merge_segments` for the table of all rows. Each is yielded as soon as
    later rows can no longer change it:

    - when it has ended, that is, when a row with another label starts, or none for its label;
    - with `smooth`, half of the smoothing window later;
    - with `min_duration`, when the next segment is long enough too, or after a gap. Which neighbor
      a short segment is joined with depends on how long the next one will be, so short segments
      delay those around them until two neighbors are long enough. If short segments follow each
      other without end, nothing is yielded before the stream ends.

    Parameters
    ----------
    rows : iterable of dict
        Rows with `start`, `end` (s), `label` and other numbers, as `predict_stream` yields them:
        sorted by start, and all with the same keys. Named tuples and rows of a table work too.
    min_duration : float, default=0.0
        The shortest segment that is not joined with a neighbor, in seconds.
    smooth : float, default=0.0
        Length of the smoothing window in seconds, an odd multiple of the step of the predictions.
    background : label or list of labels, default=None
        Labels of segments that are not events, compared as text. They are not yielded.
    multilabel : bool, default=False
        Whether segments with different labels can cover the same time. Segments are then yielded
        in the order in which they become final, not sorted by their start: a long event does not
        delay the short ones that end before it.
    drop_shorter_than : float, default=0.0
        The shortest segment to yield, in seconds. Its neighbors do not change.

    Returns
    -------
    segments : generator of dict
        For each segment, `start`, `end`, `label` and the highest values of the other numbers, as in
        a row of the table that `merge_segments` returns.

    Raises
    ------
    TypeError
        If a row is not a dict, or `background` is not a label.
    ValueError
        If a row lacks a start, an end or a label, has no duration, has other keys than the first
        row or starts before the previous one; or if a parameter is negative.

    Warns
    -----
    UserWarning
        At the end, if a background label is neither a label nor a key of the rows.

    See Also
    --------
    predict_stream : Yields such rows.
    merge_segments : The same for complete tables, with an explanation of the steps.

    Examples
    --------
    >>> from skdaf import merge_stream
    >>> rows = ({"start": i, "end": i + 1, "label": label} for i, label in enumerate("aabaac"))
    >>> for segment in merge_stream(rows, min_duration=1.5):
    ...     print(segment)
    {'start': 0.0, 'end': 6.0, 'label': 'a'}
    """
    dropped = as_texts(background, "background")
    if isinstance(rows, pd.DataFrame):
        raise TypeError("rows is a table: use merge_segments, which takes complete tables.")
    if not isinstance(rows, Iterable):
        raise TypeError(f"rows is {rows!r:.100}: expected an iterable of dicts.")
    reader = RowReader()
    merger = (SeveralLabels if multilabel else OneLabel)(reader, smooth, min_duration)
    return _segments(rows, reader, merger, dropped, drop_shorter_than)


def _segments(rows, reader, merger, dropped, shortest):
    for together, now in by_start(rows, reader):
        for run in merger.feed(together, now):
            is_kept = is_long_enough(run.start, run.end, shortest)
            if is_kept and str(run.label) not in dropped:
                numbers = dict(zip(reader.numbers, run.values, strict=True))
                yield {"start": run.start, "end": run.end, "label": run.label, **numbers}
    unknown = reader.unknown(dropped)
    if unknown:
        warnings.warn(
            f"No segment has the background label {unknown}: the labels are "
            f"{sorted(map(str, reader.labels))}.",
            stacklevel=2,
        )

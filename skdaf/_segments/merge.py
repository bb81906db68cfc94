"""merge_segments: resolve overlaps, smooth labels, join neighbors."""

import warnings
from numbers import Real
from typing import Any

import pandas as pd
from sklearn.utils._param_validation import Interval

from skdaf._core.public import public
from skdaf._core.validation import validate_params
from skdaf._segments.multilabel import merge_by_label
from skdaf._segments.pieces import (
    joined,
    numeric_columns,
    smoothed,
    without_overlaps,
    without_short,
)
from skdaf._segments.tables import (
    COLUMNS,
    as_texts,
    check_segments,
    is_long_enough,
    labeled,
    probability_columns,
)
from skdaf._segments.window_lengths import warn_about_long_durations

# The constraints of functions that merge segments.
MERGING_CONSTRAINTS = {
    name: [Interval(Real, 0, None, closed="left")]
    for name in ("smooth", "min_duration", "drop_shorter_than")
}


@public
@validate_params(
    MERGING_CONSTRAINTS
    | {
        "multilabel": ["boolean"],
    }
)
def merge_segments(
    segments: pd.DataFrame,
    *,
    min_duration: float = 0.0,
    smooth: float = 0.0,
    background: Any = None,
    multilabel: bool = False,
    drop_shorter_than: float = 0.0,
) -> pd.DataFrame:
    """Join neighboring segments with the same label, optionally after smoothing.

    The steps, in this order:

    1. Overlaps are resolved. Each instant gets one of the labels of the segments that cover it: the
       label with the highest mean probability if every label of the table has a column of
       probabilities, else the most frequent one. Ties go to the label that comes first in the
       table.
    2. `smooth`: a segment gets the label with the most time within `smooth` seconds around its
       middle. If there is a tie, it keeps its label; between other labels, the one that comes first
       in the table wins. For windows of equal length and two labels, this is a median filter.
    3. Neighbors that touch and have the same label become one segment.
    4. `min_duration`: the shortest segment below this duration is joined with the longer of the
       neighbors that it touches (the earlier one if they are equally long; the earliest of several
       shortest ones is first). This is repeated until no short segment is left.
    5. `drop_shorter_than`: segments below this duration are dropped. Gaps remain in their place.
    6. `background`: segments with this label are dropped.

    Rows without a label are not segments: the windows in which `predict_segments` found no class
    above its `threshold` become gaps, unless another window that covers the same time has a label.

    Times that differ by less than a microsecond are equal, so rounding errors decide nothing: a
    segment of exactly `min_duration` or `drop_shorter_than` is long enough.

    Gaps do not change: nothing is joined or moved across a gap, although smoothing counts the
    labels on the other side. A short segment between two gaps has no neighbor that `min_duration`
    could join it with; `drop_shorter_than` drops it.

    Parameters
    ----------
    segments : pandas.DataFrame
        With the columns `start`, `end` (s) and `label`, as returned by `predict_segments` and
        `read_segments`.
    min_duration : float, default=0.0
        The shortest segment that is not joined with a neighbor, in seconds. Also applies to
        segments of the background: events with a short pause between them become one.
    smooth : float, default=0.0
        Length of the smoothing window in seconds, an odd multiple of the step of the predictions.
        Values up to the step change nothing.
    background : label or list of labels, default=None
        Labels of segments that are not events, compared as text. They take part in all other steps:
        they are smoothed, and absorb events that are too short.
    multilabel : bool, default=False
        Whether segments with different labels can cover the same time, such as those that
        `predict_segments` returns for a classifier of several labels per clip. Overlaps of
        different labels then remain, and the other steps apply to each label by itself: at each
        instant that segments cover, it is present or absent. Windows without a label count.
    drop_shorter_than : float, default=0.0
        The shortest segment to keep, in seconds. Shorter ones are dropped, and their neighbors do
        not change: unlike `min_duration`, this joins no events.

    Returns
    -------
    merged : pandas.DataFrame
        `start`, `end` and `label`, sorted by time and without overlaps (unless `multilabel`), and
        the numeric columns of `segments`, such as probabilities: the highest value of each of them
        in the rows that became the segment. At each instant, these are the rows with the label that
        won. Thus the probability of an event's label is never below the threshold of its windows.
        With `smooth`, another label may have a higher one.

    Raises
    ------
    TypeError
        If `segments` is not a table, or `background` is not a label.
    ValueError
        If a column, a start or an end is missing, a segment has no duration, or a parameter is
        negative.

    Warns
    -----
    UserWarning
        If a background label is neither a label of the table nor the name of a column of it, or
        a duration exceeds 30 s and the time from the first to the last segment.

    Examples
    --------
    >>> import pandas as pd
    >>> from skdaf import merge_segments
    >>> segments = pd.DataFrame({"start": range(6), "end": range(1, 7), "label": [*"aabaac"]})
    >>> merge_segments(segments)
       start  end label
    0    0.0  2.0     a
    1    2.0  3.0     b
    2    3.0  5.0     a
    3    5.0  6.0     c
    >>> merge_segments(segments, min_duration=1.5)
       start  end label
    0    0.0  6.0     a
    >>> merge_segments(segments, drop_shorter_than=1.5)
       start  end label
    0    0.0  2.0     a
    1    3.0  5.0     a
    >>> merge_segments(segments, background="a")
       start  end label
    0    2.0  3.0     b
    1    5.0  6.0     c

    Two labels at a time:

    >>> segments = pd.DataFrame({"start": [0, 0, 1], "end": [1, 1, 2], "label": [*"abb"]})
    >>> merge_segments(segments, multilabel=True)
       start  end label
    0    0.0  1.0     a
    1    0.0  2.0     b
    """
    dropped = as_texts(background, "background")
    table = check_segments(segments, "segments", unlabeled=True)
    warn_of_unknown(dropped, labeled(table))
    if len(table):
        durations = {"smooth": smooth, "min_duration": min_duration}
        durations |= {"drop_shorter_than": drop_shorter_than}
        # The decorator that checks parameters is in between.
        warn_about_long_durations(durations, table.end.max() - table.start.min(), stacklevel=4)
    pieces = merged(
        table,
        smooth=smooth,
        min_duration=min_duration,
        drop_shorter_than=drop_shorter_than,
        multilabel=multilabel,
    )
    return without_labels(pieces, dropped) if dropped else pieces


def merged(table, *, smooth, min_duration, drop_shorter_than, multilabel):
    """Return the merged segments of a checked table, with those of the background."""
    if multilabel:
        pieces = merge_by_label(table, smooth, min_duration)
    else:
        pieces = _merged_labels(table, smooth, min_duration)
    is_kept = is_long_enough(pieces.start, pieces.end, drop_shorter_than)
    return pieces if is_kept.all() else pieces[is_kept].reset_index(drop=True)


def _merged_labels(table, smooth, min_duration):
    """Return the merged segments of which only one covers each instant."""
    pieces = without_overlaps(labeled(table))
    pieces = pieces[[*COLUMNS, *numeric_columns(pieces)]]
    if len(pieces) == 0:
        return pieces
    if smooth:
        pieces = pieces.assign(label=smoothed(pieces, smooth))
    pieces = joined(pieces)
    if min_duration:
        pieces = joined(pieces.assign(label=without_short(pieces, min_duration)))
    return pieces


def warn_of_unknown(background, table, others=()):
    """Warn of background labels that the table does not have, as they may be misspelled.

    `others` are labels that are known from elsewhere, as text.
    """
    labels = {str(label) for label in table.label.unique()} | {*others}
    # A class may have a column of probabilities without being the label of any window.
    columns = {str(name) for name in table.columns}
    names = dict(zip(background, probability_columns(background), strict=True))
    unknown = [label for label in background if label not in labels and names[label] not in columns]
    if labels and unknown:
        warnings.warn(
            f"No segment has the background label {unknown}: the labels are {sorted(labels)}.",
            # The decorator that checks parameters is in between.
            stacklevel=4,
        )


def without_labels(table, texts):
    """Return the segments whose labels, as text, are not among `texts`."""
    return table[~table.label.astype(str).isin(texts)].reset_index(drop=True)

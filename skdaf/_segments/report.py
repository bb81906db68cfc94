"""segment_report: compare predicted segments with the true ones."""

from collections.abc import Sequence
from numbers import Real
from typing import Any

import numpy as np
import pandas as pd
from sklearn.utils._param_validation import Interval

from skdaf._core.public import public
from skdaf._core.typing import PathLike
from skdaf._core.validation import validate_params
from skdaf._segments.boundaries import boundary_scores, count_boundaries
from skdaf._segments.events import event_scores
from skdaf._segments.frames import class_scores, confusion_matrix, sum_of_matrices
from skdaf._segments.merge import merge_segments, warn_of_unknown, without_labels
from skdaf._segments.multilabel import label_sets
from skdaf._segments.pieces import has_probabilities
from skdaf._segments.reading import checked_table
from skdaf._segments.scores import SegmentReport
from skdaf._segments.tables import N_DECIMALS, SAME_TIME, as_texts, labeled, paired
from skdaf._segments.window_lengths import warn_about_duration, warn_about_long_durations

_TIMES = ["start", "end"]

_DURATION = Interval(Real, 0, None, closed="neither")


@public
@validate_params(
    {
        "resolution": [Interval(Real, 0, None, closed="neither")],
        "tolerance": [Interval(Real, 0, None, closed="left")],
        "collar": [Interval(Real, 0, None, closed="left")],
        "duration": [_DURATION, list, tuple, np.ndarray, None],
        "multilabel": ["boolean"],
    }
)
def segment_report(
    true: pd.DataFrame | PathLike | Sequence[pd.DataFrame | PathLike],
    predicted: pd.DataFrame | PathLike | Sequence[pd.DataFrame | PathLike],
    *,
    resolution: float = 0.1,
    tolerance: float = 0.5,
    background: Any = None,
    collar: float = 0.2,
    duration: float | Sequence[float | None] | None = None,
    multilabel: bool = False,
) -> SegmentReport:
    """Compare predicted segments with the true ones.

    Frames are instants, one in the middle of each interval of `resolution` seconds, starting at
    zero. Only frames within the segments of `true` count, unless there is a `background`. Frames
    with a label in `true` but not in `predicted` are wrong; they are in the column ``(none)`` of
    the confusion matrix (with a ``_`` appended if a class is called so). For frames and boundaries,
    overlaps are resolved as in `merge_segments`, in both tables.

    A boundary is an instant where a label begins, ends or changes, after neighbors with the same
    label have been joined. It is a hit if the other table has a boundary within `tolerance`; each
    boundary is used once. The ends of the recording need not be detected, so boundaries within
    `tolerance` of the first start or the last end of `true`, or outside this range, do not count in
    either table. Predicted boundaries that are further than `tolerance` from all segments of `true`
    do not count either.

    An event is a segment that is not background; segments of one class that touch or overlap are
    one event. Events of different classes may overlap, such as two species in one window. Only in a
    table with a column of probabilities for each label, such as the windows that `predict_segments`
    returns, overlaps are resolved first. Apply `merge_segments` to overlapping windows without
    probabilities.

    A predicted event is a hit if it has the class of a true event, starts within `collar` seconds
    of its start, and ends within `collar` seconds or 20 % of the duration of the true event,
    whichever is more. Each event is used once, with as many hits as possible. These are the
    event-based scores of sed_eval [3]_. Windows are too coarse for them if they are longer than the
    collar. Therefore, the report also counts overlaps, wherever events start and end: the share of
    the true events that a predicted event of their class overlaps (overlap recall), and the share
    of the predicted events that overlap a true event of their class (overlap precision). One event
    may overlap several. A false alarm is a predicted event that overlaps no true event of its
    class. `true` must list all events of the recording: events count everywhere, also
    where `true` has no segment. If only a part of the recording was annotated, leave out the other
    predictions.

    Times that differ by less than a microsecond are equal, so rounding errors decide nothing:
    differences of exactly `tolerance` or `collar` are allowed.

    Parameters
    ----------
    true, predicted : pandas.DataFrame, str, os.PathLike, or list of them
        With the columns `start`, `end` (s) and `label`, or the paths of files for `read_segments`.
        Labels are compared as text, because files contain text. Rows of `predicted` without a label
        are not segments. Lists contain the tables of several recordings, in the same order: the
        report counts the frames, boundaries and events of all of them together.
    resolution : float, default=0.1
        Time between frames in seconds. It does not affect the computing time.
    tolerance : float, default=0.5
        The largest distance between two boundaries that match, in seconds.
    background : label or list of labels, default=None
        Labels that are not events. The whole recording is scored: time without a segment gets the
        (first) background label in both tables. If None, only annotated time is scored, and every
        class has events.
    collar : float, default=0.2
        The largest distance between the starts of two events that match, in seconds.
    duration : float or list, default=None
        The duration of the recording in seconds, or a list with that of each recording. If None,
        the latest end in the two tables, including rows of `predicted` without a label.
    multilabel : bool, default=False
        Whether segments with different labels can cover the same time, in both tables. No overlaps
        are resolved then. A frame is correct if all of its labels are; the confusion matrix counts
        pairs of sets of labels, such as ``dog + rain``; `per_class` counts the frames of each
        label; a boundary is an instant where the set of labels changes.

    Returns
    -------
    report : SegmentReport
        With `accuracy`, `macro_f1`, `per_class` (a table of `precision`, `recall`, `f1` and
        `support`; 0 if a class has no frames), `confusion_matrix`, `boundary_precision`,
        `boundary_recall` and `boundary_f1` (NaN if there are no boundaries), `events` (a table with
        the scores of each class; a precision without predicted events and a recall without true
        ones are NaN, and F1 is 0 then), `event_precision`, `event_recall`, `event_f1`,
        `overlap_precision` and `overlap_recall` of all classes together, `false_alarms_per_hour`,
        `annotated_seconds`, `scored_seconds` and `duration`.
        ``print(report)`` shows all of them; its first line says how much of the recording was
        scored, if not all of it was annotated.

    Raises
    ------
    TypeError
        If `true` or `predicted` is not a table, or `background` is not a label.
    ValueError
        If a column or a value is missing, a segment has no duration, `true` has no segments and
        there is no `background`, `true` contains no frame, a parameter is out of range, a segment
        ends after `duration`, or lists have different lengths.

    Warns
    -----
    UserWarning
        If `resolution`, `tolerance` or `collar` exceeds 30 s and the recording, or the last segment
        ends so early that `duration` may be in milliseconds, such as 600000 for ten minutes. Also
        if a background label occurs in neither table, although every instant has one of the classes
        of `predicted`, whose probabilities are known. Where there are gaps, they are background.

    See Also
    --------
    sklearn.metrics.classification_report : The same scores for clips.

    References
    ----------
    .. [1] D. Turnbull, G. Lanckriet, E. Pampalk and M. Goto, "A supervised approach for detecting
       boundaries in music using difference features and boosting", ISMIR 2007. Boundary hits
       within 0.5 s, as in MIREX.
    .. [2] C. Raffel, B. McFee, E. J. Humphrey, J. Salamon, O. Nieto, D. Liang and D. P. W. Ellis,
       "mir_eval: A transparent implementation of common MIR metrics", ISMIR 2014. Its
       ``segment.detection`` matches boundaries one to one as well.
    .. [3] A. Mesaros, T. Heittola and T. Virtanen, "Metrics for polyphonic sound event detection",
       Applied Sciences 6(6), 2016. In sed_eval: ``EventBasedMetrics(percentage_of_length=0.2)``.

    Examples
    --------
    >>> import pandas as pd
    >>> from skdaf import segment_report
    >>> true = pd.DataFrame({"start": [0, 4], "end": [4, 10], "label": ["cat", "dog"]})
    >>> predicted = pd.DataFrame({"start": [0, 5], "end": [5, 10], "label": ["cat", "dog"]})
    >>> report = segment_report(true, predicted, tolerance=1)
    >>> report.accuracy, report.boundary_f1
    (0.9, 1.0)
    >>> print(report)
    Accuracy 0.900, macro F1 0.899, over 100 frames of 0.1 s
    <BLANKLINE>
         precision  recall    f1  support
    cat      0.800   1.000 0.889       40
    dog      1.000   0.833 0.909       60
    <BLANKLINE>
    Boundaries within 1 s: precision 1.000, recall 1.000, F1 1.000
    <BLANKLINE>
    Events in 10 s, starts within 0.2 s, ends within 0.2 s or 20% of the duration:
           precision  recall    f1  true  predicted false alarms/h
    cat        0.000   0.000 0.000     1          1            0.0
    dog        0.000   0.000 0.000     1          1            0.0
    (all)      0.000   0.000 0.000     2          2            0.0
    <BLANKLINE>
    Events that overlap one of the same class, wherever they start and end:
           precision  recall
    cat        1.000   1.000
    dog        1.000   1.000
    (all)      1.000   1.000
    <BLANKLINE>
    Frames (rows: true labels, columns: predicted labels):
         cat  dog
    cat   40    0
    dog   10   50

    With rare events, say which label is the background:

    >>> true = pd.DataFrame({"start": [40], "end": [50], "label": ["cat"]})
    >>> predicted = pd.DataFrame({"start": [40, 70], "end": [49, 72], "label": ["cat", "cat"]})
    >>> report = segment_report(true, predicted, background="quiet", duration=120)
    >>> report.event_recall, report.false_alarms_per_hour, report.scored_seconds
    (1.0, 30.0, 120.0)
    """
    labels = as_texts(background, "background")
    recordings = [
        _Recording(one, other, seconds, labels, multilabel)
        for one, other, seconds in _with_durations(paired(true, predicted), duration)
    ]
    if not multilabel and all(one.is_complete() for one in recordings):
        known = [label for one in recordings for label in one.true.label]
        warn_of_unknown(labels, pd.concat([one.predicted for one in recordings]), known)
    total = sum(one.duration for one in recordings)
    durations = {"resolution": resolution, "tolerance": tolerance, "collar": collar}
    # The decorator that checks parameters is in between.
    warn_about_long_durations(durations, max(one.duration for one in recordings), stacklevel=4)
    for one in recordings:
        warn_about_duration(one.duration, one.last_end, stacklevel=4)
    events, overall = event_scores([one.events for one in recordings], collar, total)
    pieces = [one.pieces for one in recordings]
    confusion = sum_of_matrices(
        [confusion_matrix(one, other, resolution) for one, other, _ in pieces]
    )
    per_class = class_scores(confusion, {k: v for *_, sets in pieces for k, v in sets.items()})
    boundary_precision, boundary_recall, boundary_f1 = boundary_scores(
        [count_boundaries(one, other, tolerance) for one, other, _ in pieces]
    )
    return SegmentReport(
        accuracy=float(np.diag(confusion).sum() / confusion.to_numpy().sum()),
        macro_f1=float(per_class.f1[per_class.support > 0].mean()),
        per_class=per_class,
        confusion_matrix=confusion,
        boundary_precision=boundary_precision,
        boundary_recall=boundary_recall,
        boundary_f1=boundary_f1,
        resolution=resolution,
        tolerance=tolerance,
        events=events,
        **_of_all_classes(overall),
        collar=collar,
        annotated_seconds=sum(one.annotated_seconds for one in recordings),
        scored_seconds=sum(_total_time(one) for one, *_ in pieces),
        duration=total,
    )


class _Recording:
    """The tables of a recording, with labels as text, its events and its duration.

    `pieces` are both tables without overlaps and gaps, and what labels of sets stand for.
    `annotated_seconds` is the time that true segments cover.
    """

    def __init__(self, true, predicted, duration, background, multilabel):
        true = checked_table(true, "true")
        predicted = checked_table(predicted, "predicted", unlabeled=True)
        if len(true) == 0 and not background:
            raise ValueError(
                "true has no segments: pass background= (and duration=) to score a recording "
                "without events."
            )
        self.duration = _duration(duration, true=true, predicted=predicted)
        self.last_end = max((t.end.max() for t in (true, predicted) if len(t)), default=0.0)
        self.true, self.predicted = (_with_text_labels(labeled(t)) for t in (true, predicted))
        self.events = [_events(t, background, multilabel) for t in (self.true, self.predicted)]
        true, true_sets = _without_overlaps(self.true, multilabel)
        predicted, predicted_sets = _without_overlaps(self.predicted, multilabel)
        self.annotated_seconds = _total_time(true)
        if background:
            true, predicted = (_filled(t, background[0], self.duration) for t in (true, predicted))
        self.pieces = true, predicted, true_sets | predicted_sets

    def is_complete(self):
        """Return whether a classifier chose one of its classes for each instant."""
        return _is_complete(self.predicted, self.duration)


def _with_durations(pairs, duration):
    """Return the tables of each recording and its duration, which may be None."""
    if not pairs:
        raise ValueError("true and predicted must contain at least one table, got empty lists.")
    is_list = isinstance(duration, (list, tuple, np.ndarray))
    durations = list(duration) if is_list else [duration] * len(pairs)
    if len(durations) != len(pairs) or (not is_list and duration is not None and len(pairs) > 1):
        raise ValueError(
            f"duration must be a list of the durations of the {len(pairs)} recordings, got "
            f"{duration!r}."
        )
    for seconds in durations:
        if seconds is not None and not _DURATION.is_satisfied_by(seconds):
            raise ValueError(
                f"duration must contain numbers of seconds above 0, or None, got {seconds!r}."
            )
    return [(*tables, seconds) for tables, seconds in zip(pairs, durations, strict=True)]


def _of_all_classes(scores):
    """Return scores of the events of all classes together, named as in `SegmentReport`."""
    names = {f"event_{name}": name for name in ("precision", "recall", "f1")}
    names |= {name: name for name in scores if name.startswith(("false_alarms", "overlap"))}
    return {name: scores[old] for name, old in names.items()}


def _with_text_labels(table):
    return table.assign(label=table.label.astype(str))


def _without_overlaps(table, multilabel):
    """Return segments that do not overlap, and what each label stands for if it is a set."""
    return label_sets(table) if multilabel else (merge_segments(table), {})


def _events(table, background, multilabel):
    """Return the segments that are events, which may overlap if their classes differ.

    Of overlapping windows with probabilities, though, only one class is heard at a time, unless the
    classifier predicts several labels.
    """
    table = merge_segments(table) if has_probabilities(table) and not multilabel else table
    return without_labels(table, background)


def _duration(duration, **tables):
    """Return the duration of the recording; raise if a segment ends after it."""
    ends = {name: table.end.max() for name, table in tables.items() if len(table)}
    for name, end in ends.items():
        if duration is not None and end - duration >= SAME_TIME:
            raise ValueError(
                f"{name} has a segment that ends at {end:.10g} s, after the end of the recording: "
                f"duration={duration:.10g}."
            )
    return max(ends.values(), default=0.0) if duration is None else float(duration)


def _is_complete(predicted, duration):
    """Return whether a classifier chose one of its classes for each instant of the recording."""
    if len(predicted) == 0 or not has_probabilities(predicted):
        return False
    return duration - _total_time(merge_segments(predicted)) < SAME_TIME


def _total_time(table):
    return round(float((table.end - table.start).sum()), N_DECIMALS)


def _filled(table, label, duration):
    """Return segments without gaps: the time without one, from 0 to `duration`, has a label."""
    gaps = pd.DataFrame({"start": np.append(0.0, table.end), "end": [*table.start, duration]})
    gaps = gaps[gaps.end - gaps.start >= SAME_TIME].assign(label=label)
    return merge_segments(pd.concat([table[[*_TIMES, "label"]], gaps]) if len(table) else gaps)

"""segment_report: compare predicted segments with the true ones."""

from dataclasses import dataclass
from numbers import Real

import numpy as np
import pandas as pd
from sklearn.utils._param_validation import Interval

from skdaf._core.public import public
from skdaf._core.validation import validate_params
from skdaf._segments.merge import merge_segments
from skdaf._segments.tables import N_DECIMALS, check_segments

_NO_LABEL = "(none)"
_TIMES = ["start", "end"]


@public
@dataclass(frozen=True, repr=False)
class SegmentReport:
    """Scores of predicted segments, as returned by `segment_report`.

    ``print(report)`` shows them as text.

    Parameters
    ----------
    accuracy : float
        Share of the frames with the correct label.
    macro_f1 : float
        Mean F1 of the classes that occur in the true segments.
    per_class : pandas.DataFrame
        One row per class with `precision`, `recall`, `f1`, and `support` in frames.
    confusion_matrix : pandas.DataFrame
        Counts of frames; rows are true labels, columns predicted ones.
    boundary_precision, boundary_recall, boundary_f1 : float
        Share of the predicted boundaries that are correct, share of the true boundaries that are
        found, and their harmonic mean. NaN if there are no boundaries.
    resolution, tolerance : float
        The parameters of `segment_report`, in seconds.

    Examples
    --------
    >>> import pandas as pd
    >>> from skdaf import segment_report
    >>> truth = pd.DataFrame({"start": [0.0, 1.0], "end": [1.0, 2.0], "label": ["dog", "rain"]})
    >>> segment_report(truth, truth).accuracy
    1.0
    """

    accuracy: float
    macro_f1: float
    per_class: pd.DataFrame
    confusion_matrix: pd.DataFrame
    boundary_precision: float
    boundary_recall: float
    boundary_f1: float
    resolution: float
    tolerance: float

    def __repr__(self) -> str:
        n_frames = int(self.confusion_matrix.to_numpy().sum())
        return "\n".join(
            [
                f"Accuracy {self.accuracy:.3f}, macro F1 {self.macro_f1:.3f}, over {n_frames} "
                f"frames of {self.resolution:g} s",
                "",
                self.per_class.to_string(float_format="{:.3f}".format),
                "",
                f"Boundaries within {self.tolerance:g} s: precision {self.boundary_precision:.3f},"
                f" recall {self.boundary_recall:.3f}, F1 {self.boundary_f1:.3f}",
                "",
                "Frames (rows: true labels, columns: predicted labels):",
                # The names of the axes would need another line.
                self.confusion_matrix.rename_axis(index=None, columns=None).to_string(),
            ]
        )


@public
@validate_params(
    {
        "resolution": [Interval(Real, 0, None, closed="neither")],
        "tolerance": [Interval(Real, 0, None, closed="left")],
    }
)
def segment_report(
    true: pd.DataFrame,
    predicted: pd.DataFrame,
    *,
    resolution: float = 0.1,
    tolerance: float = 0.5,
) -> SegmentReport:
    """Compare predicted segments with the true ones.

    Frames are instants, one in the middle of each interval of `resolution` seconds, starting at
    zero. Only frames within the segments of `true` count. If the rest of the recording has a
    meaning, such as background, add segments with that label. Frames with a label in `true` but not
    in `predicted` are wrong; they are in the column ``(none)`` of the confusion matrix. In both
    tables, overlaps are resolved as in `merge_segments`.

    A boundary is an instant where a label begins, ends or changes, after neighbors with the same
    label have been joined. It is a hit if the other table has a boundary within `tolerance`; each
    boundary is used once. The ends of the recording need not be detected, so boundaries within
    `tolerance` of the first start or the last end of `true`, or outside this range, do not count in
    either table. Predicted boundaries that are further than `tolerance` from all segments of `true`
    do not count either.

    Parameters
    ----------
    true, predicted : pandas.DataFrame
        With the columns `start`, `end` (s) and `label`. Labels are compared as text, because files
        contain text.
    resolution : float, default=0.1
        Time between frames in seconds. It does not affect the computing time.
    tolerance : float, default=0.5
        The largest distance between two boundaries that match, in seconds.

    Returns
    -------
    report : SegmentReport
        With `accuracy`, `macro_f1`, `per_class` (a table of `precision`, `recall`, `f1` and
        `support`; 0 if a class has no frames), `confusion_matrix`, `boundary_precision`,
        `boundary_recall` and `boundary_f1` (NaN if there are no boundaries). ``print(report)``
        shows all of them.

    Raises
    ------
    TypeError
        If `true` or `predicted` is not a table.
    ValueError
        If a column or a value is missing, a segment has no duration, `true` contains no frame, or a
        parameter is out of range.

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
         precision  recall     f1  support
    cat      0.800   1.000  0.889       40
    dog      1.000   0.833  0.909       60
    <BLANKLINE>
    Boundaries within 1 s: precision 1.000, recall 1.000, F1 1.000
    <BLANKLINE>
    Frames (rows: true labels, columns: predicted labels):
         cat  dog
    cat   40    0
    dog   10   50
    """
    true = merge_segments(_with_text_labels(true, "true"))
    predicted = merge_segments(_with_text_labels(predicted, "predicted"))
    confusion = _confusion_matrix(true, predicted, resolution)
    per_class = _scores(confusion)
    n_frames = confusion.to_numpy().sum()
    boundary_precision, boundary_recall, boundary_f1 = _boundary_scores(true, predicted, tolerance)
    return SegmentReport(
        accuracy=float(np.diag(confusion).sum() / n_frames),
        macro_f1=float(per_class.f1[per_class.support > 0].mean()),
        per_class=per_class,
        confusion_matrix=confusion,
        boundary_precision=boundary_precision,
        boundary_recall=boundary_recall,
        boundary_f1=boundary_f1,
        resolution=resolution,
        tolerance=tolerance,
    )


def _with_text_labels(table, name):
    table = check_segments(table, name)
    return table.assign(label=table.label.astype(str))


def _confusion_matrix(true, predicted, resolution):
    """Count the frames of each pair of labels, from the times between all boundaries."""
    edges = np.unique(np.concatenate([t[name] for t in (true, predicted) for name in t[_TIMES]]))
    counts = np.diff(_first_frames(edges, resolution))
    classes = sorted({*true.label, *predicted.label})
    rows, columns = (_classes_at(edges[:-1], table, classes) for table in (true, predicted))
    counts[rows < 0] = 0
    # Pieces without a prediction have class -1: the last column.
    matrix = np.zeros((len(classes), len(classes) + 1), dtype=int)
    np.add.at(matrix, (rows, columns), counts)
    if not matrix.any():
        raise ValueError(
            f"true has {len(true)} segments, but none of them contains a frame: expected segments "
            f"longer than resolution={resolution} (seconds)."
        )
    n_columns = len(classes) + bool(matrix[:, -1].any())
    return pd.DataFrame(
        matrix[:, :n_columns],
        pd.Index(classes, name="true"),
        pd.Index([*classes, _NO_LABEL][:n_columns], name="predicted"),
    )


def _first_frames(instants, resolution):
    """Return the number of the first frame whose middle is at or after each instant."""
    # Rounded, because 0.15 / 0.1 is not 1.5.
    return np.ceil(np.round(instants / resolution - 0.5, N_DECIMALS)).astype(int)


def _classes_at(instants, table, classes):
    """Return the index in `classes` of the label at each instant, -1 if there is none."""
    if len(table) == 0:
        return np.full(len(instants), -1)
    segments = np.searchsorted(table.start, instants, side="right") - 1
    is_inside = (segments >= 0) & (instants < table.end.to_numpy()[segments])
    return np.where(is_inside, np.searchsorted(classes, table.label)[segments], -1)


def _scores(confusion):
    """Return precision, recall, F1 and support of each class."""
    matrix = confusion.to_numpy()
    hits, support = np.diag(matrix), matrix.sum(axis=1)
    n_predicted = matrix.sum(axis=0)[: len(matrix)]
    return pd.DataFrame(
        {
            "precision": hits / np.maximum(n_predicted, 1),
            "recall": hits / np.maximum(support, 1),
            "f1": 2 * hits / np.maximum(n_predicted + support, 1),
            "support": support,
        },
        index=list(confusion.index),
    )


def _boundary_scores(true, predicted, tolerance):
    """Return precision, recall and F1 of the boundaries inside the labeled time."""
    first, last = true.start.iloc[0], true.end.iloc[-1]

    def inside(instants):
        return instants[(instants > first + tolerance) & (instants < last - tolerance)]

    expected, found = inside(_boundaries(true)), inside(_boundaries(predicted))
    found = found[_distances(found, true) <= tolerance]
    n_hits = _count_matches(expected, found, tolerance)
    return (
        _share(n_hits, len(found)),
        _share(n_hits, len(expected)),
        _share(2 * n_hits, len(found) + len(expected)),
    )


def _boundaries(table):
    return np.unique(np.round(table[_TIMES].to_numpy(), N_DECIMALS))


def _distances(instants, table):
    """Return the distance of each instant from the nearest segment of a table; 0 inside one."""
    starts, ends = table.start.to_numpy(), table.end.to_numpy()
    places = np.searchsorted(starts, instants, side="right")
    since_last = instants - np.append(-np.inf, ends)[places]
    to_next = np.append(starts, np.inf)[places] - instants
    return np.round(np.clip(np.minimum(since_last, to_next), 0, None), N_DECIMALS)


def _count_matches(first, second, tolerance):
    """Count the pairs of matching instants, using each instant once.

    Repeatedly pairing the earliest two that match gives the largest number of pairs.
    """
    first, second = first.tolist(), second.tolist()
    n_pairs = i = j = 0
    while i < len(first) and j < len(second):
        difference = round(first[i] - second[j], N_DECIMALS)
        n_pairs += abs(difference) <= tolerance
        i, j = i + (difference <= tolerance), j + (difference >= -tolerance)
    return n_pairs


def _share(part, whole):
    return part / whole if whole else float("nan")

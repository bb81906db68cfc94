"""SegmentReport: the scores of predicted segments, and their text."""

from dataclasses import dataclass

import pandas as pd

from skdaf._core.public import public
from skdaf._segments.events import END_SHARE
from skdaf._segments.tables import SAME_TIME, unused_name

# A larger confusion matrix is not shown as text.
_MAX_SHOWN = 50


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
    events : pandas.DataFrame
        One row per class that is not background, with `precision`, `recall` and `f1` of its events,
        `n_true`, `n_predicted`, `false_alarms_per_hour`, `overlap_precision` and `overlap_recall`.
    event_precision, event_recall, event_f1 : float
        The same for the events of all classes together. NaN if there are no events.
    overlap_precision, overlap_recall : float
        Share of the predicted events that overlap a true one of their class, and share of the true
        events that a predicted one overlaps, wherever they start and end. NaN if there are none.
    false_alarms_per_hour : float
        Predicted events per hour that overlap no true event of their class.
    collar : float
        The parameter of `segment_report`, in seconds.
    annotated_seconds, scored_seconds, duration : float
        The time that segments of the true table cover, the time whose frames are scored, and the
        duration of the recording, in seconds.

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
    events: pd.DataFrame
    event_precision: float
    event_recall: float
    event_f1: float
    overlap_precision: float
    overlap_recall: float
    false_alarms_per_hour: float
    collar: float
    annotated_seconds: float
    scored_seconds: float
    duration: float

    def __repr__(self) -> str:
        n_frames = int(self.confusion_matrix.to_numpy().sum())
        return "\n".join(
            [
                f"Accuracy {self.accuracy:.3f}, macro F1 {self.macro_f1:.3f}, over {n_frames} "
                f"frames of {self.resolution:g} s{self._what_was_scored()}",
                "",
                self.per_class.to_string(float_format="{:.3f}".format),
                "",
                f"Boundaries within {self.tolerance:g} s: precision {self.boundary_precision:.3f},"
                f" recall {self.boundary_recall:.3f}, F1 {self.boundary_f1:.3f}",
                "",
                f"Events in {self.duration:.10g} s, starts within {self.collar:g} s, ends within "
                f"{self.collar:g} s or {END_SHARE:.0%} of the duration:",
                self._events_as_text(),
                "",
                *self._confusion_as_text(),
            ]
        )

    def _confusion_as_text(self):
        n_rows, n_columns = self.confusion_matrix.shape
        if max(n_rows, n_columns) > _MAX_SHOWN:
            return [f"Frames: see confusion_matrix ({n_rows} x {n_columns})."]
        # The names of the axes would need another line.
        matrix = self.confusion_matrix.rename_axis(index=None, columns=None)
        return ["Frames (rows: true labels, columns: predicted labels):", matrix.to_string()]

    def _what_was_scored(self):
        """Return a text that says how much time was not annotated or not scored, if any."""
        if self.duration - self.annotated_seconds < SAME_TIME:
            return ""
        annotated, scored, duration = (
            f"{seconds:.10g}"
            for seconds in (self.annotated_seconds, self.scored_seconds, self.duration)
        )
        if annotated == scored:
            return f": only the annotated {annotated} s of {duration} s"
        return f": {scored} s of {duration} s, of which {annotated} s are annotated"

    def _events_as_text(self):
        if self.events.empty:
            return "none"
        overall = {
            "precision": self.event_precision,
            "recall": self.event_recall,
            "f1": self.event_f1,
            "n_true": self.events.n_true.sum(),
            "n_predicted": self.events.n_predicted.sum(),
            "false_alarms_per_hour": self.false_alarms_per_hour,
            "overlap_precision": self.overlap_precision,
            "overlap_recall": self.overlap_recall,
        }
        total = unused_name("(all)", self.events.index)
        table = pd.concat([self.events, pd.DataFrame(overall, index=[total])])
        overlaps = ["overlap_precision", "overlap_recall"]
        return "\n".join(
            [
                _as_text(table.drop(columns=overlaps)),
                "",
                "Events that overlap one of the same class, wherever they start and end:",
                _as_text(table[overlaps].rename(columns=lambda x: x.removeprefix("overlap_"))),
            ]
        )


def _as_text(table):
    shown = {"n_true": "true", "n_predicted": "predicted"}
    shown["false_alarms_per_hour"] = "false alarms/h"
    return table.rename(columns=shown).to_string(
        float_format="{:.3f}".format, formatters={"false alarms/h": "{:.1f}".format}
    )

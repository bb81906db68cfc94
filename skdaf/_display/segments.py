"""SegmentsDisplay: show labeled segments of a recording on a timeline."""

from typing import Any, Self

import numpy as np
from sklearn.base import is_regressor

from skdaf._audio.clips import Clip
from skdaf._core.public import public
from skdaf._core.typing import DataFrame, PathLike
from skdaf._display.recording_spectrogram import recording_spectrogram
from skdaf._display.segment_bands import (
    all_classes,
    in_few_bands,
    label_probabilities,
    n_together,
    probabilities_over_time,
    probability_bands,
)
from skdaf._display.segment_lanes import (
    MAX_NAME_LENGTH,
    draw_lanes,
    draw_legend,
    within_span,
)
from skdaf._display.spectrogram import SpectrogramDisplay
from skdaf._display.style import (
    add_colorbar,
    check_axes,
    format_time_axis,
    new_figure,
    plain_text,
    require_matplotlib,
)
from skdaf._display.typing import Colormap, ManyAxes
from skdaf._estimators.argument_order import check_not_swapped
from skdaf._estimators.fitted import find_frontend, load_fitted
from skdaf._segments.merge import merge_segments, without_labels
from skdaf._segments.predict import is_multilabel, predict_segments
from skdaf._segments.reading import read_table
from skdaf._segments.tables import as_texts, check_segments

# In inches: the width of a panel; the heights of the spectrogram, of a band, of a lane, and of the
# row of one of several labels in a lane.
_WIDTH, _SPECTROGRAM, _BAND, _LANE, _ROW = 8.0, 2.0, 0.2, 0.4, 0.2

_CAPTION = "Height of predicted segments: probability of the label"
_NO_BAR = "No bar: no label"


@public
class SegmentsDisplay:
    """Show predicted and true segments of a recording on a timeline.

    There are up to three panels, from top to bottom: the spectrogram of the recording; one band per
    class, colored by the probability of the class (where windows overlap, their mean); the true
    segments above the predicted ones.

    If the probabilities are known, the height of a predicted segment follows the probability of its
    label over time, so that a guess does not look like a certain prediction. The faint part above
    it shows what is missing to one. Unlike in the bands, windows without a label do not count nor,
    with `multilabel`, windows without this label: detections should not look as if they were below
    the threshold.

    Create a display with `from_estimator` or `from_predictions`. All parameters are stored as
    attributes.

    Parameters
    ----------
    predicted : pandas.DataFrame
        As returned by `predict_segments` or `merge_segments`: `start`, `end` (s), `label` and, for
        the bands, a column of probabilities per class.
    true : pandas.DataFrame, default=None
        The true segments, with `start`, `end` (s) and `label`.
    spectrogram : SpectrogramDisplay, default=None
        The spectrogram of the recording, with times relative to its start.
    multilabel : bool, default=False
        Whether segments with different labels can cover the same time. Each label then has its own
        row in the true and in the predicted segments.

    Attributes
    ----------
    ax_ : ndarray of matplotlib Axes
        The panels from top to bottom; the last one contains the segments.
    figure_ : matplotlib Figure
        The figure that contains them.
    bands_ : matplotlib QuadMesh or None
        The probabilities.
    bars_ : dict of matplotlib PolyCollection
        The segments, as far as they are shown; the keys are pairs of "true" or "predicted" and the
        class.
    legend_ : matplotlib Legend
        The legend of the classes.

    See Also
    --------
    segment_report : Compare predicted with true segments in numbers.

    Examples
    --------
    >>> import matplotlib.pyplot as plt
    >>> import pandas as pd
    >>> from skdaf import SegmentsDisplay
    >>> predicted = pd.DataFrame({"start": [0, 1, 2], "end": [1, 2, 3], "label": [*"aab"]})
    >>> true = pd.DataFrame({"start": [0, 1.5], "end": [1.5, 3], "label": [*"ab"]})
    >>> display = SegmentsDisplay.from_predictions(true, predicted)
    >>> [tick.get_text() for tick in display.ax_[-1].get_yticklabels()]
    ['true', 'predicted']
    >>> plt.close(display.figure_)
    """

    def __init__(
        self,
        predicted: "DataFrame",
        *,
        true: "DataFrame | None" = None,
        spectrogram: SpectrogramDisplay | None = None,
        multilabel: bool = False,
    ):
        self.predicted = predicted
        self.true = true
        self.spectrogram = spectrogram
        self.multilabel = multilabel

    @classmethod
    def from_estimator(
        cls,
        estimator: Any,
        path: PathLike | Clip,
        *,
        true: "DataFrame | PathLike | None" = None,
        window: float | None = None,
        step: float | None = None,
        batch_size: int = 256,
        threshold: float | dict[Any, float] | None = None,
        smooth: float = 0.0,
        min_duration: float = 0.0,
        drop_shorter_than: float = 0.0,
        background: Any = None,
        ax: "ManyAxes | None" = None,
        cmap: "str | Colormap" = "viridis",
    ) -> Self:
        """Classify a recording window by window, and show the result.

        Parameters
        ----------
        estimator : classifier, str or os.PathLike
            A fitted classifier that takes files, or the path of a saved one.
        path : str, os.PathLike or Clip
            One recording, or a part of one, such as ``Clip("SITE01.wav", 60, 120)``. Times are
            those of the whole recording.
        true : pandas.DataFrame, str or os.PathLike, default=None
            The true segments, or the path of a file for `read_segments`.
        window, step : float, default=None
            Length of a window, and step from one window to the next, in seconds, as in
            `predict_segments`.
        batch_size : int, default=256
            Number of windows that are read and classified together.
        threshold : float or dict, default=None
            The lowest probability of a detection, as in `predict_segments`.
        smooth, min_duration, drop_shorter_than : float, default=0.0
            Parameters of `merge_segments`, in seconds. They do not affect the bands.
        background : label or list of labels, default=None
            Labels of segments that are not shown, as in `merge_segments`.
        ax : array of matplotlib Axes, default=None
            The axes to draw on, one per panel. If None, a new figure is created.
        cmap : str or matplotlib Colormap, default="viridis"
            The colormap of the spectrogram.

        Returns
        -------
        display : SegmentsDisplay
            The display.
        """
        require_matplotlib(f"{cls.__name__}.from_estimator")
        check_not_swapped(estimator, path, f"{cls.__name__}.from_estimator(estimator, path)")
        estimator = load_fitted(estimator, kind="classifier")
        _check_is_no_regressor(estimator)
        windows = predict_segments(
            estimator,
            path,
            window=window,
            step=step,
            batch_size=batch_size,
            threshold=threshold,
        )
        spectrogram = recording_spectrogram(path, find_frontend(estimator))
        display = cls(
            windows,
            true=read_table(true),
            spectrogram=spectrogram,
            multilabel=is_multilabel(estimator),
        )
        return display.plot(
            ax,
            smooth=smooth,
            min_duration=min_duration,
            drop_shorter_than=drop_shorter_than,
            background=background,
            cmap=cmap,
        )

    @classmethod
    def from_predictions(
        cls,
        true: "DataFrame | PathLike | None",
        predicted: "DataFrame | PathLike",
        *,
        path: PathLike | Clip | None = None,
        smooth: float = 0.0,
        min_duration: float = 0.0,
        drop_shorter_than: float = 0.0,
        background: Any = None,
        multilabel: bool = False,
        ax: "ManyAxes | None" = None,
        cmap: "str | Colormap" = "viridis",
    ) -> Self:
        """Show segments that were already predicted.

        Parameters
        ----------
        true : pandas.DataFrame, str, os.PathLike or None
            The true segments, or the path of a file for `read_segments`.
        predicted : pandas.DataFrame, str or os.PathLike
            The predicted segments, or the path of a file for `read_segments`. Tables from
            `predict_segments` contain the probabilities for the bands.
        path : str, os.PathLike or Clip, default=None
            The recording, or a part of it, if its spectrogram is to be shown.
        smooth, min_duration, drop_shorter_than : float, default=0.0
            Parameters of `merge_segments`, in seconds. They do not affect the bands.
        background : label or list of labels, default=None
            Labels of segments that are not shown, as in `merge_segments`.
        multilabel : bool, default=False
            Whether segments with different labels can cover the same time.
        ax : array of matplotlib Axes, default=None
            The axes to draw on, one per panel. If None, a new figure is created.
        cmap : str or matplotlib Colormap, default="viridis"
            The colormap of the spectrogram.

        Returns
        -------
        display : SegmentsDisplay
            The display.
        """
        require_matplotlib(f"{cls.__name__}.from_predictions")
        spectrogram = None if path is None else recording_spectrogram(path)
        display = cls(
            read_table(predicted),
            true=read_table(true),
            spectrogram=spectrogram,
            multilabel=multilabel,
        )
        return display.plot(
            ax,
            smooth=smooth,
            min_duration=min_duration,
            drop_shorter_than=drop_shorter_than,
            background=background,
            cmap=cmap,
        )

    def plot(
        self,
        ax: "ManyAxes | None" = None,
        *,
        smooth: float = 0.0,
        min_duration: float = 0.0,
        drop_shorter_than: float = 0.0,
        background: Any = None,
        cmap: "str | Colormap" = "viridis",
    ) -> Self:
        """Draw the display.

        Parameters
        ----------
        ax : array of matplotlib Axes, default=None
            The axes to draw on, one per panel. If None, a new figure is created.
        smooth, min_duration, drop_shorter_than : float, default=0.0
            Parameters of `merge_segments`, in seconds. They do not affect the bands.
        background : label or list of labels, default=None
            Labels of segments that are not shown, true or predicted, as in `merge_segments`. They
            keep their bands.
        cmap : str or matplotlib Colormap, default="viridis"
            The colormap of the spectrogram.

        Returns
        -------
        self : SegmentsDisplay
            The display itself.
        """
        require_matplotlib(f"{type(self).__name__}.plot")
        lanes = self._lanes(
            as_texts(background, "background"),
            smooth=smooth,
            min_duration=min_duration,
            drop_shorter_than=drop_shorter_than,
        )
        columns = probability_bands(self.predicted)
        classes = all_classes(columns, lanes.values())
        axes = self._axes(ax, len(columns), len(lanes), len(classes))
        self.ax_, self.figure_ = axes, axes[-1].figure
        first, last = self._time_span(lanes.values())
        self.bands_ = None
        if self.spectrogram is not None:
            self.spectrogram.plot(axes[0], cmap=cmap)
        shown = {name: within_span(table, first, last) for name, table in lanes.items()}
        if columns:
            known = classes[: len(columns)]
            self._draw_bands(axes[-2], columns, known)
            shown["predicted"]["steps"] = label_probabilities(
                shown["predicted"], self.predicted, columns, known, self.multilabel
            )
        self.bars_ = draw_lanes(axes[-1], shown, classes, last - first, self.multilabel)
        self.legend_ = draw_legend(self.figure_, self.bars_, classes, self._caption(columns))
        for panel in axes:
            panel.set_xlabel("")
            time_label = format_time_axis(panel, first, last)
        axes[-1].set_xlabel(time_label)
        return self

    def _lanes(self, background, **merging):
        """Return the tables of true and predicted segments, without background."""
        true = {} if self.true is None else {"true": check_segments(self.true, "true")}
        check_segments(self.predicted, "predicted", unlabeled=True)
        known = {str(label) for table in true.values() for label in table.label}
        merged = merge_segments(
            self.predicted,
            **merging,
            # This warns of labels that occur nowhere; those of the true segments do not matter.
            background=[label for label in background if label not in known],
            multilabel=self.multilabel,
        )
        lanes = {**true, "predicted": merged}
        return {name: without_labels(table, background) for name, table in lanes.items()}

    def _axes(self, ax, n_bands, n_lanes, n_classes):
        heights = [_SPECTROGRAM] if self.spectrogram is not None else []
        heights += [max(0.6, _BAND * n_bands)] if n_bands else []
        lane = max(_LANE, _ROW * n_classes) if self.multilabel else _LANE
        heights += [lane * n_lanes + 0.1]
        if ax is not None:
            return check_axes(ax, len(heights))
        figure, axes = new_figure(
            len(heights),
            size=(_WIDTH + 2.0, sum(heights) + 0.25 * len(heights) + 0.9),
            squeeze=False,
            sharex=True,
            height_ratios=heights,
        )
        figure.get_layout_engine().set(hspace=0.0, h_pad=0.04)
        return axes.ravel()

    def _caption(self, columns):
        """Return what the heights of bars mean and, if there are such windows, no bar at all."""
        texts = [_CAPTION] if columns else []
        texts += [_NO_BAR] if self.predicted.label.isna().any() else []
        return ". ".join(texts) or None

    def _time_span(self, tables):
        """Return the first and the last second to show."""
        if self.spectrogram is not None:
            return tuple(self.spectrogram.times[0][[0, -1]])
        tables = [table for table in tables if len(table)]
        first = min((table.start.min() for table in tables), default=0.0)
        return first, max((table.end.max() for table in tables), default=1.0)

    def _draw_bands(self, ax, columns, classes):
        edges, values = probabilities_over_time(self.predicted, columns)
        edges, values = in_few_bands(edges, values, n_together(values))
        borders = np.arange(len(classes) + 1) - 0.5
        self.bands_ = ax.pcolormesh(
            edges, borders, values.T, cmap="cividis", vmin=0.0, vmax=1.0, rasterized=True
        )
        names = [plain_text(label, MAX_NAME_LENGTH) for label in classes]
        ax.set_yticks(range(len(names)), names)
        # The first class is on top.
        ax.set_ylim(borders[[-1, 0]])
        ax.tick_params(axis="y", labelsize="small", length=0)
        add_colorbar(self.bands_, [ax], "Probability", height=_BAND * len(names))


def _check_is_no_regressor(estimator):
    if is_regressor(estimator):
        raise TypeError(
            "estimator must be a classifier, got a regressor: show its numbers with ValuesDisplay."
        )

"""ValuesDisplay: show the numbers that a regressor predicts for a recording over time."""

from typing import Any, Self

import numpy as np
from sklearn.base import is_classifier

from skdaf._audio.clips import Clip
from skdaf._core.public import public
from skdaf._core.typing import DataFrame, PathLike
from skdaf._display.recording_spectrogram import recording_spectrogram
from skdaf._display.spectrogram import SpectrogramDisplay
from skdaf._display.style import (
    COLORS,
    check_axes,
    format_time_axis,
    new_figure,
    require_matplotlib,
)
from skdaf._display.typing import Colormap, ManyAxes
from skdaf._estimators.argument_order import check_not_swapped
from skdaf._estimators.fitted import find_frontend, load_fitted
from skdaf._segments.predict import predict_segments
from skdaf._segments.smoothing import smooth_values
from skdaf._segments.tables import check_values, find_value_columns

# In inches: the width of a panel; the heights of the spectrogram and of a curve.
_WIDTH, _SPECTROGRAM, _CURVE = 8.0, 2.0, 1.5

# A few windows are marked; more of them would hide the curve.
_MAX_MARKERS = 100

# A curve has a gap where windows are missing: where the next one is later than this many steps.
_STEPS_OF_GAP = 1.5


@public
class ValuesDisplay:
    """Show the numbers that a regressor predicts for a recording as curves over time.

    From top to bottom, there are the spectrogram of the recording, and a panel for each target. The
    curve goes through the middles of the windows; true values are horizontal lines.

    Create a display with `from_estimator` or `from_predictions`. All parameters are stored as
    attributes.

    Parameters
    ----------
    predicted : pandas.DataFrame
        As returned by `predict_segments` for a regressor: `start`, `end` (s), and `value`, or
        `value_0`, `value_1` and so on.
    true : pandas.DataFrame, default=None
        The true values, with the same columns.
    spectrogram : SpectrogramDisplay, default=None
        The spectrogram of the recording, with times relative to its start.

    Attributes
    ----------
    ax_ : ndarray of matplotlib Axes
        The panels from top to bottom.
    figure_ : matplotlib Figure
        The figure that contains them.
    lines_ : dict of matplotlib Line2D
        The curves; the keys are pairs of "true" or "predicted" and the name of a column.

    See Also
    --------
    SegmentsDisplay : The classes of a recording over time.

    Examples
    --------
    >>> import matplotlib.pyplot as plt
    >>> import pandas as pd
    >>> from skdaf import ValuesDisplay
    >>> predicted = pd.DataFrame({"start": [0, 1, 2], "end": [1, 2, 3], "value": [3.5, 4.0, 2.5]})
    >>> display = ValuesDisplay.from_predictions(None, predicted)
    >>> display.lines_["predicted", "value"].get_xdata().tolist()
    [0.5, 1.5, 2.5]
    >>> plt.close(display.figure_)
    """

    def __init__(
        self,
        predicted: "DataFrame",
        *,
        true: "DataFrame | None" = None,
        spectrogram: SpectrogramDisplay | None = None,
    ):
        self.predicted = predicted
        self.true = true
        self.spectrogram = spectrogram

    @classmethod
    def from_estimator(
        cls,
        estimator: Any,
        path: PathLike | Clip,
        *,
        true: "DataFrame | None" = None,
        window: float | None = None,
        step: float | None = None,
        batch_size: int = 256,
        smooth: float = 0.0,
        ax: "ManyAxes | None" = None,
        cmap: "str | Colormap" = "viridis",
    ) -> Self:
        """Predict the numbers of a recording window by window, and show them.

        Parameters
        ----------
        estimator : regressor, str or os.PathLike
            A fitted regressor that takes files, or the path of a saved one.
        path : str, os.PathLike or Clip
            One recording, or a part of one, such as ``Clip("SITE01.wav", 60, 120)``. Times are
            those of the whole recording.
        true : pandas.DataFrame, default=None
            The true values, with the columns of `predict_segments`.
        window, step : float, default=None
            Length of a window, and step from one window to the next, in seconds, as in
            `predict_segments`.
        batch_size : int, default=256
            Number of windows that are read and predicted together.
        smooth : float, default=0.0
            Length in seconds of a median filter: each value becomes the median of the windows whose
            middles are within half of this time. An odd multiple of the step.
        ax : array of matplotlib Axes, default=None
            The axes to draw on, one per panel. If None, a new figure is created.
        cmap : str or matplotlib Colormap, default="viridis"
            The colormap of the spectrogram.

        Returns
        -------
        display : ValuesDisplay
            The display.
        """
        require_matplotlib(f"{cls.__name__}.from_estimator")
        check_not_swapped(estimator, path, f"{cls.__name__}.from_estimator(estimator, path)")
        estimator = load_fitted(estimator, kind="regressor")
        if is_classifier(estimator):
            raise TypeError(
                "estimator must be a regressor, got a classifier: show its labels with "
                "SegmentsDisplay."
            )
        windows = predict_segments(estimator, path, window=window, step=step, batch_size=batch_size)
        _columns_of(windows)  # before the spectrogram is computed
        spectrogram = recording_spectrogram(path, find_frontend(estimator))
        display = cls(windows, true=true, spectrogram=spectrogram)
        return display.plot(ax, smooth=smooth, cmap=cmap)

    @classmethod
    def from_predictions(
        cls,
        true: "DataFrame | None",
        predicted: "DataFrame",
        *,
        path: PathLike | Clip | None = None,
        smooth: float = 0.0,
        ax: "ManyAxes | None" = None,
        cmap: "str | Colormap" = "viridis",
    ) -> Self:
        """Show numbers that were already predicted.

        Parameters
        ----------
        true : pandas.DataFrame or None
            The true values, with the columns of `predicted`.
        predicted : pandas.DataFrame
            The predictions, as returned by `predict_segments`.
        path : str, os.PathLike or Clip, default=None
            The recording, or a part of it, if its spectrogram is to be shown.
        smooth : float, default=0.0
            Length in seconds of a median filter, as in `from_estimator`.
        ax : array of matplotlib Axes, default=None
            The axes to draw on, one per panel. If None, a new figure is created.
        cmap : str or matplotlib Colormap, default="viridis"
            The colormap of the spectrogram.

        Returns
        -------
        display : ValuesDisplay
            The display.
        """
        require_matplotlib(f"{cls.__name__}.from_predictions")
        spectrogram = None if path is None else recording_spectrogram(path)
        return cls(predicted, true=true, spectrogram=spectrogram).plot(ax, smooth=smooth, cmap=cmap)

    def plot(
        self,
        ax: "ManyAxes | None" = None,
        *,
        smooth: float = 0.0,
        cmap: "str | Colormap" = "viridis",
    ) -> Self:
        """Draw the display.

        Parameters
        ----------
        ax : array of matplotlib Axes, default=None
            The axes to draw on, one per panel. If None, a new figure is created.
        smooth : float, default=0.0
            Length in seconds of a median filter, as in `from_estimator`.
        cmap : str or matplotlib Colormap, default="viridis"
            The colormap of the spectrogram.

        Returns
        -------
        self : ValuesDisplay
            The display itself.
        """
        require_matplotlib(f"{type(self).__name__}.plot")
        columns = _columns_of(self.predicted)
        tables = {"predicted": smooth_values(self.predicted, smooth)}
        if self.true is not None:
            _check_columns(self.true, columns)
            tables["true"] = check_values(self.true, "true")
        self.ax_ = self._axes(ax, len(columns))
        self.figure_ = self.ax_[-1].figure
        if self.spectrogram is not None:
            self.spectrogram.plot(self.ax_[0], cmap=cmap)
        self.lines_: dict[tuple[str, str], Any] = {}
        panels = self.ax_[-len(columns) :]
        for panel, column in zip(panels, columns, strict=True):
            self._draw_curves(panel, column, tables)
        if self.true is not None:
            panels[0].legend(loc="upper right", fontsize="small")
        first, last = self._time_span(tables.values())
        for panel in self.ax_:
            panel.set_xlabel("")
            time_label = format_time_axis(panel, first, last)
        self.ax_[-1].set_xlabel(time_label)
        if self.spectrogram is not None:  # which may be that of a part of the recording
            for panel, column in zip(panels, columns, strict=True):
                lines = [line for (_, name), line in self.lines_.items() if name == column]
                _fit_values(panel, [_values_between(line, first, last) for line in lines])
        return self

    def _axes(self, ax, n_curves):
        heights = [_SPECTROGRAM] if self.spectrogram is not None else []
        heights += [_CURVE] * n_curves
        if ax is not None:
            return check_axes(ax, len(heights))
        size = (_WIDTH + 2.0, sum(heights) + 0.9)
        _, axes = new_figure(
            len(heights), size=size, squeeze=False, sharex=True, height_ratios=heights
        )
        return axes.ravel()

    def _draw_curves(self, panel, column, tables):
        """Draw the true values behind the predicted ones."""
        predicted = tables["predicted"]
        if "true" in tables:
            (line,) = panel.plot(*_steps(tables["true"], column), color=COLORS[1], label="true")
            self.lines_["true", column] = line
        (line,) = panel.plot(
            *_curve(predicted, column),
            color=COLORS[0],
            marker="." if len(predicted) <= _MAX_MARKERS else None,
            linewidth=1.2,
            label="predicted",
        )
        self.lines_["predicted", column] = line
        panel.set_ylabel(column)

    def _time_span(self, tables):
        """Return the first and the last second to show."""
        if self.spectrogram is not None:
            return tuple(self.spectrogram.times[0][[0, -1]])
        tables = [table for table in tables if len(table)]
        first = min((table.start.min() for table in tables), default=0.0)
        return first, max((table.end.max() for table in tables), default=1.0)


def _fit_values(panel, values):
    """Choose the limits of an axis of values so that it shows these, in a list of arrays."""
    values = np.concatenate(values)
    if len(values):
        panel.dataLim.intervaly = values.min(), values.max()
        panel.autoscale_view(scalex=False)


def _values_between(line, first, last):
    """Return the values of a line at its points between two times, and where it crosses these."""
    x, y = (np.asarray(values, dtype=float) for values in line.get_data())
    is_between = (x >= first) & (x <= last)
    crossings = []
    for time in (first, last):
        # NaN, as between the parts of a line, is not less than anything.
        at = np.flatnonzero((x[:-1] < time) & (x[1:] > time))
        crossings += [np.interp(time, x[i : i + 2], y[i : i + 2]) for i in at]
    values = np.append(y[is_between], crossings)
    return values[np.isfinite(values)]


def _columns_of(predicted):
    columns = find_value_columns(getattr(predicted, "columns", None))
    if not columns:
        advice = " For labels, use SegmentsDisplay." * hasattr(predicted, "columns")
        raise ValueError(
            "predicted must be a table with the numbers of a regressor (a column value, or "
            f"value_0, value_1, ...), got {_names(predicted)}.{advice}"
        )
    return columns


def _check_columns(true, columns):
    missing = [name for name in columns if name not in getattr(true, "columns", ())]
    if missing:
        raise ValueError(
            f"true must have the columns start, end, {', '.join(columns)} as predicted has, got "
            f"{_names(true)}."
        )


def _names(table):
    names = getattr(table, "columns", None)
    return f"a {type(table).__name__}" if names is None else f"the columns {list(names)}"


def _curve(table, column):
    """Return the middles of windows and their values, with NaN where windows are missing."""
    middles = ((table.start + table.end) / 2).to_numpy()
    steps = np.diff(middles)
    gaps = 1 + np.flatnonzero(steps > _STEPS_OF_GAP * np.median(steps)) if len(steps) else []
    values = table[column].to_numpy(float)
    return np.insert(middles, gaps, np.nan), np.insert(values, gaps, np.nan)


def _steps(table, column):
    """Return the points of a horizontal line for each row, with NaN between them."""
    blank = np.full(len(table), np.nan)
    values = table[column].to_numpy(float)
    times = np.column_stack([table.start, table.end, blank]).ravel()
    return times, np.column_stack([values, values, blank]).ravel()

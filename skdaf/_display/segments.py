"""SegmentsDisplay: what is where in a recording."""

import os
from dataclasses import replace

import numpy as np

from skdaf._audio.clips import Clip
from skdaf._core.public import public
from skdaf._display.sources import (
    MOST_FRAMES,
    band_edges,
    own_spectrogram,
    settings_for,
)
from skdaf._display.spectrogram import SpectrogramDisplay
from skdaf._display.style import (
    COLORS,
    add_colorbar,
    given_axes,
    new_figure,
    readable,
    require_matplotlib,
    shortened,
    show_time,
    width_of,
)
from skdaf._estimators.fitted import find_frontend
from skdaf._features.spectrogram_transformer import SpectrogramTransformer
from skdaf._segments.merge import merge_segments, without_overlaps
from skdaf._segments.predict import predict_segments
from skdaf._segments.tables import COLUMNS, check_segments, probability_columns, read_segments

# Letters of a class's name beside its band, and the size of names in segments, in points.
_LONGEST_NAME = 34
_NAME_SIZE = 8

# Inches: the width of a panel; the heights of the spectrogram, of a band, of a lane.
_WIDTH, _SPECTROGRAM, _BAND, _LANE = 8.0, 2.0, 0.2, 0.4

# Borders and hatches of more segments would be all that is seen, and slow to draw.
_MOST_BORDERS = 150

# After each round of colours comes another hatch.
_HATCHES = ["", "///", "...", "xxx", "\\\\\\", "+++", "ooo"]

# Names in the legend side by side.
_LETTERS_A_LINE = 130


@public
class SegmentsDisplay:
    """Show predicted and true segments of a recording on a time line.

    Up to three panels over each other: the spectrogram of the recording; a band a class, as bright
    as the class is probable; the true segments above the predicted ones.

    Use `from_estimator` or `from_predictions` to make one; all parameters are stored as attributes.

    Parameters
    ----------
    predicted : pandas.DataFrame
        As `predict_segments` or `merge_segments` give it: `start`, `end` (s), `label` and,
        for the bands, a column of probabilities a class.
    true : pandas.DataFrame, default=None
        The true segments, with `start`, `end` (s) and `label`.
    spectrogram : SpectrogramDisplay, default=None
        The spectrogram of the recording; its times are those of the segments.

    Attributes
    ----------
    ax_ : ndarray of matplotlib Axes
        The panels from top to bottom; the last one is the time line.
    figure_ : matplotlib Figure
        The figure around them.
    bands_ : matplotlib QuadMesh or None
        The probabilities.
    bars_ : dict of matplotlib PolyCollection
        The segments, by ("true" or "predicted", class).
    legend_ : matplotlib Legend
        Says which colour is which class.

    See Also
    --------
    segment_report : How well they agree, in numbers.

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

    def __init__(self, predicted, *, true=None, spectrogram=None):
        self.predicted = predicted
        self.true = true
        self.spectrogram = spectrogram

    @classmethod
    def from_estimator(
        cls,
        estimator,
        path,
        *,
        true=None,
        window=1.0,
        step=None,
        batch_size=256,
        smooth=0.0,
        min_duration=0.0,
        ax=None,
        cmap="viridis",
    ):
        """Classify a recording window by window, and show what was found where.

        Parameters
        ----------
        estimator : classifier, str or os.PathLike
            A fitted classifier that takes files, or the path of a saved one.
        path : str, os.PathLike or Clip
            One recording, or a part of it.
        true : pandas.DataFrame, str or os.PathLike, default=None
            The true segments, or a file of them for `read_segments`.
        window, step : float, default=1.0, None
            Length of a window and step from window to window in seconds, as in
            `predict_segments`.
        batch_size : int, default=256
            Number of windows read and classified together.
        smooth, min_duration : float, default=0.0
            In seconds, as in `merge_segments`: for the time line, not for the bands.
        ax : array of matplotlib Axes, default=None
            Where to draw, one a panel. None makes a figure.
        cmap : str or matplotlib Colormap, default="viridis"
            Colours of the spectrogram.

        Returns
        -------
        display : SegmentsDisplay
            What was drawn.
        """
        require_matplotlib(f"{cls.__name__}.from_estimator")
        windows = predict_segments(estimator, path, window=window, step=step, batch_size=batch_size)
        display = cls(windows, true=_table(true), spectrogram=_spectrogram_of(estimator, path))
        return display.plot(ax, smooth=smooth, min_duration=min_duration, cmap=cmap)

    @classmethod
    def from_predictions(
        cls,
        true,
        predicted,
        *,
        path=None,
        smooth=0.0,
        min_duration=0.0,
        ax=None,
        cmap="viridis",
    ):
        """Show segments that are there already.

        Parameters
        ----------
        true : pandas.DataFrame, str, os.PathLike or None
            The true segments, or a file of them for `read_segments`.
        predicted : pandas.DataFrame, str or os.PathLike
            The predicted ones; with their probabilities, if they come from `predict_segments`.
        path : str, os.PathLike or Clip, default=None
            The recording, for its spectrogram.
        smooth, min_duration : float, default=0.0
            In seconds, as in `merge_segments`: for the time line, not for the bands.
        ax : array of matplotlib Axes, default=None
            Where to draw, one a panel. None makes a figure.
        cmap : str or matplotlib Colormap, default="viridis"
            Colours of the spectrogram.

        Returns
        -------
        display : SegmentsDisplay
            What was drawn.
        """
        require_matplotlib(f"{cls.__name__}.from_predictions")
        spectrogram = None if path is None else _spectrogram_of(None, path)
        display = cls(_table(predicted), true=_table(true), spectrogram=spectrogram)
        return display.plot(ax, smooth=smooth, min_duration=min_duration, cmap=cmap)

    def plot(self, ax=None, *, smooth=0.0, min_duration=0.0, cmap="viridis"):
        """Draw.

        Parameters
        ----------
        ax : array of matplotlib Axes, default=None
            Where to draw, one a panel. None makes a figure.
        smooth, min_duration : float, default=0.0
            In seconds, as in `merge_segments`: for the time line, not for the bands.
        cmap : str or matplotlib Colormap, default="viridis"
            Colours of the spectrogram.

        Returns
        -------
        display : SegmentsDisplay
            The display itself.
        """
        require_matplotlib(f"{type(self).__name__}.plot")
        merged = merge_segments(self.predicted, smooth=smooth, min_duration=min_duration)
        lanes = {"predicted": merged}
        if self.true is not None:
            lanes = {"true": check_segments(self.true, "true"), **lanes}
        columns = _probabilities(self.predicted)
        classes = _classes(columns, lanes.values())
        with readable(classes) as names:
            axes = self._axes(ax, len(columns), len(lanes))
            self.ax_, self.figure_ = axes, axes[-1].figure
            first, last = self._span(lanes.values())
            self.bands_ = None
            if self.spectrogram is not None:
                self.spectrogram.plot(axes[0], cmap=cmap)
            if columns:
                self._draw_bands(axes[-2], columns, names[: len(columns)])
            self._draw_lanes(axes[-1], lanes, classes, names, last - first)
            for one in axes:
                one.set_xlabel("")
                time_name = show_time(one, first, last)
            axes[-1].set_xlabel(time_name)
        return self

    def _axes(self, ax, n_bands, n_lanes):
        heights = [_SPECTROGRAM] if self.spectrogram is not None else []
        heights += [max(0.6, _BAND * n_bands)] if n_bands else []
        heights += [_LANE * n_lanes + 0.1]
        if ax is not None:
            return given_axes(ax, len(heights))
        figure, axes = new_figure(
            len(heights),
            size=(_WIDTH + 2.0, sum(heights) + 0.25 * len(heights) + 0.9),
            squeeze=False,
            sharex=True,
            height_ratios=heights,
        )
        figure.get_layout_engine().set(hspace=0.0, h_pad=0.04)
        return axes.ravel()

    def _span(self, tables):
        """Return the first and the last second to show."""
        if self.spectrogram is not None:
            return tuple(self.spectrogram.times[0][[0, -1]])
        tables = [table for table in tables if len(table)]
        first = min((table.start.min() for table in tables), default=0.0)
        return first, max((table.end.max() for table in tables), default=1.0)

    def _draw_bands(self, ax, columns, names):
        edges, values = _banded(self.predicted, columns)
        borders = np.arange(len(columns) + 1) - 0.5
        self.bands_ = ax.pcolormesh(
            edges, borders, values.T, cmap="cividis", vmin=0.0, vmax=1.0, rasterized=True
        )
        ax.set_yticks(range(len(columns)), [shortened(name, _LONGEST_NAME) for name in names])
        # The first class is on top.
        ax.set_ylim(borders[[-1, 0]])
        ax.tick_params(axis="y", labelsize="small", length=0)
        add_colorbar(self.bands_, [ax], "Probability", height=_BAND * len(columns))

    def _draw_lanes(self, ax, lanes, classes, names, duration):
        self.bars_ = {}
        inches = ax.get_position().width * self.figure_.get_figwidth()
        for row, (lane, table) in enumerate(lanes.items()):
            labels = table.label.astype(str).to_numpy()
            is_short = len(table) <= _MOST_BORDERS
            for number, label in enumerate(classes):
                rows = table[labels == label]
                if len(rows):
                    self.bars_[lane, label] = ax.broken_barh(
                        np.column_stack([rows.start, rows.end - rows.start]),
                        (row - 0.42, 0.84),
                        **(_look(number) if is_short else {"color": _look(number)["facecolor"]}),
                        linewidth=0.5 if is_short else 0.0,
                    )
                    self._name_segments(ax, rows, row, number, names[number], inches / duration)
        ax.set_yticks(range(len(lanes)), list(lanes))
        ax.set_ylim(len(lanes) - 0.5, -0.5)
        ax.tick_params(axis="y", length=0)
        self._draw_legend(classes, names)

    def _name_segments(self, ax, rows, row, number, name, inches_a_second):
        """Write the name of a class into its segments where it has room."""
        # Black on hatches and light colours, white on dark ones.
        is_dark = COLORS[number % len(COLORS)] in ("#0072B2", "#000000", "#D55E00")
        is_plain = number < len(COLORS)
        needed = (width_of(name) + 1) * _NAME_SIZE * 0.6 / 72
        for start, end in zip(rows.start, rows.end, strict=True):
            if is_plain and (end - start) * inches_a_second >= needed:
                ax.text(
                    *((start + end) / 2, row, name),
                    ha="center",
                    va="center",
                    fontsize=_NAME_SIZE,
                    color="white" if is_dark else "black",
                    clip_on=True,
                )

    def _draw_legend(self, classes, names):
        from matplotlib.patches import Patch

        shown = {label for _, label in self.bars_}
        handles = [
            Patch(**_look(number), label=shortened(names[number], _LONGEST_NAME))
            for number, label in enumerate(classes)
            if label in shown
        ]
        widest = max((width_of(one.get_label()) for one in handles), default=1)
        self.legend_ = self.figure_.legend(
            handles=handles,
            loc="outside lower center",
            ncols=max(1, min(len(handles), _LETTERS_A_LINE // (widest + 6))),
            fontsize="small",
            frameon=False,
        )


def _look(number):
    """Return the look of a class: colours first, then hatches."""
    hatch = _HATCHES[number // len(COLORS) % len(_HATCHES)]
    return {"facecolor": COLORS[number % len(COLORS)], "hatch": hatch, "edgecolor": "white"}


def _table(segments):
    return read_segments(segments) if isinstance(segments, (str, os.PathLike)) else segments


def _spectrogram_of(estimator, path):
    """Return the mel spectrogram of a recording, at its own times."""
    clip = path if isinstance(path, Clip) else Clip(path)
    frontend = None if estimator is None else find_frontend(estimator)
    if not isinstance(frontend, SpectrogramTransformer):
        frontend = SpectrogramTransformer().fit([clip])
    settings = replace(settings_for(frontend, clip), features="mel")
    spectrogram, times = own_spectrogram(settings, clip)
    return SpectrogramDisplay(
        [spectrogram],
        times=[times + clip.start],
        frequencies=band_edges(settings),
        features="mel",
        unit="Level (dB)",
    )


def _probabilities(table):
    """Return the columns of probabilities: all that hold numbers from 0 to 1, if each label has."""
    numbers = table.drop(columns=COLUMNS, errors="ignore").select_dtypes("number")
    columns = [name for name in numbers if numbers[name].between(0.0, 1.0).all()]
    has_all = {*probability_columns(table.label.unique())} <= {*columns}
    return columns if has_all else []


def _classes(columns, tables):
    """Return all classes as text: those with probabilities in their order, then the others."""
    texts = sorted({str(label) for table in tables for label in table.label})
    of_column = dict(zip(probability_columns(texts), texts, strict=True))
    classes = [of_column.get(column, column) for column in columns]
    return [*classes, *(text for text in texts if text not in classes)]


def _banded(table, columns):
    """Return borders in time, and the probabilities between them (NaN where nothing is said)."""
    pieces = without_overlaps(check_segments(table, "predicted"))
    edges = np.unique(np.concatenate([pieces.start, pieces.end]))
    values = np.full((len(edges) - 1, len(columns)), np.nan)
    values[np.searchsorted(edges, pieces.start)] = pieces[columns]
    n_together = -(-len(values) // MOST_FRAMES)
    if n_together == 1:
        return edges, values
    firsts = np.arange(0, len(values), n_together)
    counts = np.add.reduceat(~np.isnan(values), firsts, axis=0)
    sums = np.add.reduceat(np.nan_to_num(values), firsts, axis=0)
    means = np.divide(sums, counts, out=np.full(sums.shape, np.nan), where=counts > 0)
    return np.append(edges[firsts], edges[-1]), means

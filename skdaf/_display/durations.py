"""DurationDisplay: show how long the clips of each class are."""

from typing import Literal, Self

import numpy as np
from numpy.typing import ArrayLike

from skdaf._audio.lengths import rate_and_lengths, read_infos
from skdaf._audio.recordings import clips_or_none, plain_arrays
from skdaf._core.public import public
from skdaf._core.typing import Clips
from skdaf._display.style import (
    COLORS,
    check_axes,
    new_figure,
    plain_text,
    require_matplotlib,
)
from skdaf._display.typing import Axes

# Longer class names are shortened.
_MAX_NAME_LENGTH = 40

# With more clips in a class, only a sample of them is shown.
_MAX_DOTS = 300

# If the longest clip exceeds the median by more than this factor, the axis is logarithmic.
_WIDE_RANGE = 20.0


@public
class DurationDisplay:
    """Show how long the clips of each class are, to help choose a common length.

    There is one row per class. Each dot is a clip, the thin line extends from the 5th to the 95th
    percentile, the thick line from the first to the third quartile, and the white dot is the
    median. The vertical lines are the median and the 95th percentile of all clips, which
    `SpectrogramTransformer` uses as the common length with ``length="resize"`` or "tile", and
    with ``length="pad"``.

    Create a display with `from_clips`. All parameters are stored as attributes.

    Parameters
    ----------
    durations : array-like of shape (n_clips,)
        The duration of each clip in seconds.
    labels : array-like of shape (n_clips,), default=None
        The class of each clip.

    Attributes
    ----------
    ax_ : matplotlib Axes
        The axes.
    figure_ : matplotlib Figure
        The figure that contains them.
    dots_ : list of matplotlib PathCollection
        The clips of each class, from top to bottom.
    median_line_, percentile_line_ : matplotlib Line2D
        The median and the 95th percentile of all clips.

    Examples
    --------
    >>> import matplotlib.pyplot as plt
    >>> from skdaf import DurationDisplay
    >>> display = DurationDisplay([0.5, 0.7, 1.2], labels=["cat", "cat", "dog"]).plot()
    >>> [tick.get_text() for tick in display.ax_.get_yticklabels()]
    ['cat (2)', 'dog (1)']
    >>> plt.close(display.figure_)
    """

    def __init__(self, durations: ArrayLike, *, labels: ArrayLike | None = None):
        self.durations = durations
        self.labels = labels

    @classmethod
    def from_clips(
        cls,
        X: Clips,
        y: ArrayLike | None = None,
        *,
        sampling_rate: int | None = None,
        n_jobs: int | None = None,
        ax: "Axes | None" = None,
        xscale: Literal["linear", "log"] | None = None,
    ) -> Self:
        """Show the durations of clips. Only the headers of files are read.

        Parameters
        ----------
        X : files or waveforms
            The clips.
        y : array-like of shape (n_clips,), default=None
            The label of each clip.
        sampling_rate : int, default=None
            The sampling rate of waveforms in Hz. If None, 16000.
        n_jobs : int, default=None
            Number of workers that read headers, through joblib.
        ax : matplotlib Axes, default=None
            The axes to draw on. If None, a new figure is created.
        xscale : {"linear", "log"}, default=None
            Scale of the time axis. If None, "log" if the longest clip is more than twenty times as
            long as the median, else "linear".

        Returns
        -------
        display : DurationDisplay
            The display.

        Raises
        ------
        AudioReadError
            If a file cannot be read; the error lists all such files.
        """
        require_matplotlib(f"{cls.__name__}.from_clips")
        durations = _durations(X, sampling_rate, n_jobs)
        return cls(durations, labels=y).plot(ax, xscale=xscale)

    def plot(
        self, ax: "Axes | None" = None, *, xscale: Literal["linear", "log"] | None = None
    ) -> Self:
        """Draw the display.

        Parameters
        ----------
        ax : matplotlib Axes, default=None
            The axes to draw on. If None, a new figure is created.
        xscale : {"linear", "log"}, default=None
            Scale of the time axis. If None, "log" if the longest clip is more than twenty times as
            long as the median, else "linear".

        Returns
        -------
        self : DurationDisplay
            The display itself.
        """
        require_matplotlib(f"{type(self).__name__}.plot")
        durations = np.asarray(self.durations, dtype=float)
        names, groups = self._groups(durations)
        if ax is None:
            _, ax = new_figure(size=(7.0, 1.6 + 0.26 * max(3, len(names))))
        [self.ax_] = check_axes(ax, 1)
        self.figure_ = self.ax_.figure
        self.dots_ = [self._draw(row, group) for row, group in enumerate(groups)]
        self._draw_lines(durations)
        self._label_axes(durations, names, groups, xscale)
        return self

    def _groups(self, durations):
        """Return the classes and the durations of each."""
        if self.labels is None:
            return ["all clips"], [durations]
        labels = np.asarray(self.labels)
        if labels.shape != durations.shape:
            raise ValueError(
                f"labels must contain one label for each of the {len(durations)} durations, got "
                f"shape {labels.shape}."
            )
        classes = np.unique(labels)
        return classes, [durations[labels == label] for label in classes]

    def _draw(self, row, durations):
        """Draw a class; return its dots."""
        ax = self.ax_
        low, first, median, third, high = np.quantile(durations, [0.05, 0.25, 0.5, 0.75, 0.95])
        # With a fixed seed, repeated figures are identical.
        rng = np.random.default_rng(row)
        shown = durations
        if len(shown) > _MAX_DOTS:
            shown = rng.choice(shown, _MAX_DOTS, replace=False)
        heights = row + rng.uniform(-0.28, 0.28, len(shown))
        dots = ax.scatter(shown, heights, s=7, color=COLORS[5], alpha=0.6, linewidths=0, zorder=1)
        ax.hlines(row, low, high, color="0.2", linewidth=1.2, zorder=2)
        ax.hlines(row, first, third, color="0.2", linewidth=5, zorder=3)
        ax.plot(median, row, "o", color="white", markeredgecolor="0.2", markersize=5, zorder=4)
        return dots

    def _draw_lines(self, durations):
        median, percentile = np.quantile(durations, [0.5, 0.95])
        self.median_line_ = self.ax_.axvline(
            median, color=COLORS[0], linestyle="--", label=f"median of all: {median:.3g} s"
        )
        self.percentile_line_ = self.ax_.axvline(
            percentile,
            color=COLORS[3],
            linestyle=":",
            linewidth=2,
            label=f"95th percentile of all: {percentile:.3g} s",
        )

    def _label_axes(self, durations, names, groups, xscale):
        ax = self.ax_
        if xscale is None:
            is_wide = durations.max() > _WIDE_RANGE * np.median(durations)
            xscale = "log" if is_wide else "linear"
        ax.set_xscale(xscale)
        if xscale == "linear":
            ax.set_xlim(0, 1.05 * max(durations.max(), self.percentile_line_.get_xdata()[0]))
        else:
            ax.xaxis.set_major_formatter("{x:g}")
            ax.grid(axis="x", which="both", alpha=0.25)
        texts = [
            f"{plain_text(name, _MAX_NAME_LENGTH)} ({len(group)})"
            for name, group in zip(names, groups, strict=True)
        ]
        ax.set_yticks(range(len(texts)), texts)
        # The first class is on top.
        ax.set_ylim(len(texts) - 0.4, -0.6)
        ax.set_xlabel("Duration (s)")
        ax.set_ylabel("Class (clips)" if self.labels is not None else "")
        self.figure_.legend(
            handles=[self.median_line_, self.percentile_line_],
            loc="outside upper right" if self.figure_.get_layout_engine() else "upper right",
            ncols=2,
            fontsize="small",
            frameon=False,
        )


def _durations(X, sampling_rate, n_jobs):
    """Return the durations of files or waveforms in seconds."""
    X = plain_arrays(X)
    clips = clips_or_none(X)
    if clips is not None:
        infos = read_infos(clips, n_jobs=n_jobs)
        return np.array([info.n_frames / info.sampling_rate for info in infos])
    waveforms = X if isinstance(X, list) else np.asarray(X)
    for position, samples in enumerate(waveforms):
        if np.ndim(samples) != 1 or len(samples) == 0:
            raise ValueError(
                f"X must contain files or waveforms, but X[{position}] has shape "
                f"{np.shape(samples)}: expected one-dimensional samples."
            )
    rate, lengths = rate_and_lengths(waveforms, sampling_rate)
    return np.array(lengths) / rate

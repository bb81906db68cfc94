"""DurationDisplay: how long clips are."""

import numpy as np

from skdaf._audio.clips import Clip
from skdaf._audio.inputs import validate_sounds
from skdaf._audio.lengths import rate_and_lengths, read_infos
from skdaf._core.public import public
from skdaf._display.style import (
    COLORS,
    given_axes,
    new_figure,
    readable,
    require_matplotlib,
    shortened,
)
from skdaf._features.spectrogram_transformer import SpectrogramTransformer

# Letters of a class's name that are shown.
_LONGEST_NAME = 40

# Dots of a class that are shown.
_MOST_DOTS = 300

# Durations that differ by more than this factor are drawn on a logarithmic axis.
_WIDE_RANGE = 20.0


@public
class DurationDisplay:
    """Show how long the clips of each class are: what to choose the clips' common length by.

    A row a class: dots are clips, the thin line spans from the 5th to the 95th percentile, the
    thick one the middle half, the white mark is the median. Vertical lines mark the median and the
    95th percentile of all clips: what `SpectrogramTransformer` takes as the common length with
    ``length="resize"`` and with ``length="pad"``.

    Use `from_clips` to make one; all parameters are stored as attributes.

    Parameters
    ----------
    durations : array-like of shape (n_clips,)
        In seconds.
    labels : array-like of shape (n_clips,), default=None
        Their classes.

    Attributes
    ----------
    ax_ : matplotlib Axes
        The axes.
    figure_ : matplotlib Figure
        The figure around them.
    dots_ : list of matplotlib PathCollection
        The clips of each class, from the top.
    median_line_, percentile_line_ : matplotlib Line2D
        The marks of all clips.

    Examples
    --------
    >>> import matplotlib.pyplot as plt
    >>> from skdaf import DurationDisplay
    >>> display = DurationDisplay([0.5, 0.7, 1.2], labels=["cat", "cat", "dog"]).plot()
    >>> [tick.get_text() for tick in display.ax_.get_yticklabels()]
    ['cat (2)', 'dog (1)']
    >>> plt.close(display.figure_)
    """

    def __init__(self, durations, *, labels=None):
        self.durations = durations
        self.labels = labels

    @classmethod
    def from_clips(cls, X, y=None, *, sampling_rate=None, n_jobs=None, ax=None, xscale=None):
        """Show the durations of clips; of files only the headers are read.

        Parameters
        ----------
        X : files or waveforms
            The clips.
        y : array-like of shape (n_clips,), default=None
            Their labels.
        sampling_rate : int, default=None
            The rate of waveforms in Hz; None is 16000.
        n_jobs : int, default=None
            Number of workers that read, through joblib.
        ax : matplotlib Axes, default=None
            Where to draw. None makes a figure.
        xscale : {"linear", "log"}, default=None
            The time axis. None is "log" where the longest clip has more than twenty times the
            median's duration.

        Returns
        -------
        display : DurationDisplay
            What was drawn.

        Raises
        ------
        AudioReadError
            If a file cannot be read; it names all such files.
        """
        require_matplotlib(f"{cls.__name__}.from_clips")
        clips = validate_sounds(SpectrogramTransformer(), X, reset=True)
        if isinstance(clips[0], Clip):
            infos = read_infos(clips, n_jobs=n_jobs)
            durations = [info.n_frames / info.sampling_rate for info in infos]
        else:
            rate, lengths = rate_and_lengths(clips, sampling_rate)
            durations = np.array(lengths) / rate
        return cls(np.asarray(durations), labels=y).plot(ax, xscale=xscale)

    def plot(self, ax=None, *, xscale=None):
        """Draw.

        Parameters
        ----------
        ax : matplotlib Axes, default=None
            Where to draw. None makes a figure.
        xscale : {"linear", "log"}, default=None
            The time axis. None is "log" where the longest clip has more than twenty times the
            median's duration.

        Returns
        -------
        display : DurationDisplay
            The display itself.
        """
        require_matplotlib(f"{type(self).__name__}.plot")
        durations = np.asarray(self.durations, dtype=float)
        names, groups = self._groups(durations)
        with readable(names) as names:
            if ax is None:
                _, ax = new_figure(size=(7.0, 1.6 + 0.26 * max(3, len(names))))
            [self.ax_] = given_axes(ax, 1)
            self.figure_ = self.ax_.figure
            self.dots_ = [self._draw(row, group) for row, group in enumerate(groups)]
            self._mark(durations)
            self._finish(durations, names, groups, xscale)
        return self

    def _groups(self, durations):
        if self.labels is None:
            return ["all clips"], [durations]
        labels = np.asarray(self.labels)
        if labels.shape != durations.shape:
            raise ValueError(
                f"labels must hold one label for each of the {len(durations)} durations, got shape "
                f"{labels.shape}."
            )
        classes = np.unique(labels)
        return classes, [durations[labels == label] for label in classes]

    def _draw(self, row, durations):
        """Draw a class; return its dots."""
        ax = self.ax_
        low, first, median, third, high = np.quantile(durations, [0.05, 0.25, 0.5, 0.75, 0.95])
        # The dots lie apart in the same way every time.
        rng = np.random.default_rng(row)
        some = durations
        if len(some) > _MOST_DOTS:
            some = rng.choice(some, _MOST_DOTS, replace=False)
        heights = row + rng.uniform(-0.28, 0.28, len(some))
        dots = ax.scatter(some, heights, s=7, color=COLORS[5], alpha=0.6, linewidths=0, zorder=1)
        ax.hlines(row, low, high, color="0.2", linewidth=1.2, zorder=2)
        ax.hlines(row, first, third, color="0.2", linewidth=5, zorder=3)
        ax.plot(median, row, "o", color="white", markeredgecolor="0.2", markersize=5, zorder=4)
        return dots

    def _mark(self, durations):
        median, most = np.quantile(durations, [0.5, 0.95])
        self.median_line_ = self.ax_.axvline(
            median, color=COLORS[0], linestyle="--", label=f"median of all: {median:.3g} s"
        )
        self.percentile_line_ = self.ax_.axvline(
            most, color=COLORS[3], linestyle=":", linewidth=2, label=f"95 % are up to {most:.3g} s"
        )

    def _finish(self, durations, names, groups, xscale):
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
            f"{shortened(name, _LONGEST_NAME)} ({len(group)})"
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

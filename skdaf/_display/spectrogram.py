"""SpectrogramDisplay: show the spectrograms of clips."""

from numbers import Integral
from typing import Any, Literal, Self

import numpy as np
import pandas as pd
from numpy.typing import ArrayLike, NDArray

from skdaf._audio.clips import Clip
from skdaf._audio.inputs import validate_clips
from skdaf._core.public import public
from skdaf._core.typing import Clips
from skdaf._display.clip_spectrogram import (
    band_edges,
    clip_spectrogram,
    input_times,
    settings_for,
)
from skdaf._display.frequency_axis import axis_label, bin_edges, format_frequency_axis
from skdaf._display.grid import Grid
from skdaf._display.style import (
    add_colorbar,
    check_axes,
    format_time_axis,
    new_figure,
    plain_text,
    require_matplotlib,
)
from skdaf._display.typing import Colormap, ManyAxes
from skdaf._estimators.fitted import find_frontend, find_networks, load_fitted
from skdaf._features.spectrogram_transformer import SpectrogramTransformer


@public
class SpectrogramDisplay:
    """Show the spectrograms of clips.

    Time is in seconds, the frequencies of mel bands are in Hz, and levels are in decibels below the
    peak of the clip. Create a display with `from_estimator`. All parameters are stored as
    attributes.

    Parameters
    ----------
    spectrograms : list of ndarray of shape (n_frames, n_bins)
        One spectrogram per panel.
    times : list of ndarray of shape (n_frames + 1,), default=None
        Edges of the frames in seconds. If None, frames are numbered.
    frequencies : ndarray of shape (n_mels + 1,), default=None
        Edges of the mel bands in Hz. If None, bins are numbered.
    features : {"mel", "mfcc", "mel+chroma"}, default=None
        What the bins contain, as in `SpectrogramTransformer`. Cepstral coefficients differ by
        orders of magnitude, so each of them is shown in units of its standard deviation.
    labels : list, default=None
        The class of each spectrogram. Spectrograms of the same class are next to each other, under
        the name of the class.
    titles : list of str, default=None
        The title of each spectrogram, instead of its class; it may have several lines.
    unit : str, default="Level (dB, peak = 0)"
        The label of the color bar.

    Attributes
    ----------
    ax_ : matplotlib Axes or ndarray of Axes
        The axes of the only panel, or the axes of all panels in order.
    figure_ : matplotlib Figure
        The figure that contains them.
    images_ : list of matplotlib QuadMesh
        The images, in the order of `spectrograms`.
    colorbar_ : matplotlib Colorbar or None
        The color bar, one for all panels.

    See Also
    --------
    SaliencyDisplay : Show which parts of a spectrogram are evidence for a class.

    Examples
    --------
    >>> import matplotlib.pyplot as plt
    >>> import numpy as np
    >>> from skdaf import SpectrogramDisplay, SpectrogramTransformer
    >>> tone = np.sin(2 * np.pi * 1000 * np.arange(8000) / 16000)
    >>> frontend = SpectrogramTransformer().fit([tone])
    >>> display = SpectrogramDisplay.from_estimator(frontend, [tone])
    >>> display.ax_.get_xlabel(), display.ax_.get_ylabel()
    ('Time (s)', 'Frequency (Hz)')
    >>> plt.close(display.figure_)
    """

    def __init__(
        self,
        spectrograms: list[NDArray[Any]],
        *,
        times: list[NDArray[Any]] | None = None,
        frequencies: NDArray[Any] | None = None,
        features: Literal["mel", "mfcc", "mel+chroma"] | None = None,
        labels: Any = None,
        titles: list[str] | None = None,
        unit: str = "Level (dB, peak = 0)",
    ):
        self.spectrograms = spectrograms
        self.times = times
        self.frequencies = frequencies
        self.features = features
        self.labels = labels
        self.titles = titles
        self.unit = unit

    @classmethod
    def from_estimator(
        cls,
        estimator: Any,
        X: Clips,
        y: ArrayLike | None = None,
        *,
        titles: ArrayLike | None = None,
        groups: ArrayLike | None = None,
        n_clips: int = 4,
        processed: bool = False,
        ax: "ManyAxes | None" = None,
        cmap: "str | Colormap" = "viridis",
        colorbar: bool = True,
        im_kw: dict[str, Any] | None = None,
    ) -> Self:
        """Show the spectrograms that a front end computes.

        Parameters
        ----------
        estimator : estimator, str or os.PathLike
            A fitted `SpectrogramTransformer`, or any fitted estimator that contains one (a network
            estimator, an extractor, a pipeline or a search), or the path of a saved model. For
            other front ends, the output is shown by frame and bin number.
        X : files, waveforms or spectrograms
            The clips. In recordings of many minutes, neighboring frames are averaged.
        y : array-like of shape (n_clips,), default=None
            The label of each clip, to arrange the clips by class: classes and the clips of each
            class are in the order of X.
        titles : array-like of str of shape (n_clips,), default=None
            The title of each clip of X, instead of its class. With `titles` and without `y`, clips
            are in the order of X.
        groups : array-like of shape (n_clips,), default=None
            The group of each clip, such as its speaker or recording. The clips that are shown come
            from as many groups as possible. If None, parts of the same file are a group.
        n_clips : int, default=4
            Number of clips to show: the first ones of each class, or of X if `y` is None.
        processed : bool, default=False
            If False, show each clip at its own length in decibels. If True, show the input of the
            network: at the common length, and softened and standardized if the front end does so.
        ax : matplotlib Axes or array of Axes, default=None
            The axes to draw on, one per panel. If None, a new figure is created.
        cmap : str or matplotlib Colormap, default="viridis"
            The colormap.
        colorbar : bool, default=True
            Whether to draw a color bar.
        im_kw : dict, default=None
            Further arguments of `matplotlib.axes.Axes.pcolormesh`, such as ``vmin``.

        Returns
        -------
        display : SpectrogramDisplay
            The display.
        """
        require_matplotlib(f"{cls.__name__}.from_estimator")
        if not isinstance(n_clips, Integral) or n_clips < 1:
            raise ValueError(f"n_clips must be an integer of at least 1, got {n_clips!r}.")
        estimator = load_fitted(estimator)
        frontend, networks = find_frontend(estimator), find_networks(estimator)
        kind, data = validate_clips(networks[0] if networks else frontend, X, reset=False)
        if groups is None and y is not None and kind != "spectrograms":
            groups = _files(data)
        names = None if titles is None else one_per_clip(titles, "titles", len(data))
        chosen, labels = _first_of_each(len(data), y, n_clips, groups)
        clips = data[chosen] if kind == "spectrograms" else [data[i] for i in chosen]
        parameters = display_parameters(frontend, kind, clips, processed)
        chosen_names = None if names is None else [str(names[i]) for i in chosen]
        display = cls(**parameters, labels=labels, titles=chosen_names)
        return display.plot(ax, cmap=cmap, colorbar=colorbar, im_kw=im_kw)

    def plot(
        self,
        ax: "ManyAxes | None" = None,
        *,
        cmap: "str | Colormap" = "viridis",
        colorbar: bool = True,
        im_kw: dict[str, Any] | None = None,
    ) -> Self:
        """Draw the display.

        Parameters
        ----------
        ax : matplotlib Axes or array of Axes, default=None
            The axes to draw on, one per panel. If None, a new figure is created.
        cmap : str or matplotlib Colormap, default="viridis"
            The colormap.
        colorbar : bool, default=True
            Whether to draw a color bar.
        im_kw : dict, default=None
            Further arguments of `matplotlib.axes.Axes.pcolormesh`, such as ``vmin``.

        Returns
        -------
        self : SpectrogramDisplay
            The display itself.
        """
        require_matplotlib(f"{type(self).__name__}.plot")
        n, self._grid = len(self.spectrograms), None
        for name in ("labels", "titles"):
            if getattr(self, name) is not None:
                one_per_clip(getattr(self, name), name, n)
        if ax is not None:
            axes = check_axes(ax, n)
        elif n == 1:
            axes = np.array([new_figure(size=(7.0, 3.5))[1]])
        else:
            titles = () if self.titles is None else self.titles
            n_lines = max((str(title).count("\n") + 1 for title in titles), default=0)
            labels = None if self.labels is None else [*self.labels]
            self._grid = Grid(n, labels, n_lines)
            axes = self._grid.new_axes()
        self.figure_ = axes[0].figure
        self.ax_ = axes[0] if n == 1 else axes
        self.images_ = self._draw(axes, {"cmap": cmap, **(im_kw or {})})
        self._label_axes(axes)
        self.colorbar_ = self.add_colorbar(self.images_[0], self.unit) if colorbar else None
        return self

    def add_colorbar(self, image: Any, label: str) -> Any:
        """Draw a color bar next to all panels.

        Parameters
        ----------
        image : matplotlib artist
            The image whose colors it shows.
        label : str
            The label of the color bar.

        Returns
        -------
        colorbar : matplotlib Colorbar
            The color bar.
        """
        if self._grid is not None:
            return self._grid.add_colorbar(image, label)
        return add_colorbar(image, np.atleast_1d(self.ax_), label)

    def _draw(self, axes, options):
        """Draw all panels with the same color scale."""
        values = [self._values(spectrogram) for spectrogram in self.spectrograms]
        limits = {"vmin": min(v.min() for v in values), "vmax": max(v.max() for v in values)}
        return [
            panel.pcolormesh(times, self.bins, v.T, rasterized=True, **(limits | options))
            for panel, times, v in zip(axes, self._times(), values, strict=True)
        ]

    def _values(self, spectrogram):
        if self.features != "mfcc":
            return spectrogram
        spread = spectrogram.std(axis=0)
        return (spectrogram - spectrogram.mean(axis=0)) / np.where(spread > 0, spread, 1.0)

    def _times(self):
        if self.times is not None:
            return self.times
        return [np.arange(len(spectrogram) + 1) - 0.5 for spectrogram in self.spectrograms]

    @property
    def bins(self) -> NDArray[Any]:
        """Edges of the bins on the vertical axis."""
        return bin_edges(self.features, self.frequencies, self.spectrograms[0].shape[1])

    def _label_axes(self, axes):
        times = self._times()
        first, last = min(t[0] for t in times), max(t[-1] for t in times)
        time_label = "Frame"
        for panel in axes:
            n_bins = self.spectrograms[0].shape[1]
            format_frequency_axis(panel, self.features, self.frequencies, n_bins)
            if self.times is None:
                panel.set_xlim(first, last)
            else:
                time_label = format_time_axis(panel, max(first, 0.0), last)
        bin_label = axis_label(self.features, self.frequencies)
        if self._grid is not None:
            self._grid.label_axes(axes, time_label, bin_label)
        else:
            for panel in axes:
                panel.set(xlabel=time_label, ylabel=bin_label)
        for panel, title in zip(axes, self._panel_titles(), strict=False):
            panel.set_title(title, loc="left", fontsize="medium")

    def _panel_titles(self):
        if self.titles is not None:
            n_letters = None if self._grid is None else self._grid.n_letters
            return [_plain_lines(title, n_letters) for title in self.titles]
        if self.labels is None:
            return []
        if self._grid is not None:
            return self._grid.class_titles()
        return [plain_text(label) for label in self.labels]


def _plain_lines(title, n_letters):
    return "\n".join(plain_text(line, n_letters) for line in str(title).split("\n"))


def _files(clips):
    """Return the file of each clip, or None for waveforms."""
    return [clip.path for clip in clips] if isinstance(clips[0], Clip) else None


def _first_of_each(n_clips, y, n_each, groups=None):
    """Return the numbers of the clips to show, class by class, and their labels or None."""
    groups = np.arange(n_clips) if groups is None else one_per_clip(groups, "groups", n_clips)
    if y is None:
        return _first_of_groups(np.arange(n_clips), n_each, groups), None
    y = one_per_clip(y, "y", n_clips)
    rows = [np.flatnonzero(y == label) for label in pd.unique(y)]
    chosen = np.concatenate([_first_of_groups(own, n_each, groups) for own in rows])
    return chosen, y[chosen]


def one_per_clip(values, name, n_clips):
    """Return labels, groups or titles as an array; raise ValueError for another number of them."""
    array = np.asarray(values)
    if array.shape != (n_clips,):
        what = {"y": "labels"}.get(name, name)[: -1 if n_clips == 1 else None]
        got = f"shape {array.shape}" if array.ndim else repr(values)
        raise ValueError(f"{name} must contain {n_clips} {what}, one per clip, got {got}.")
    return array


def _first_of_groups(rows, n, groups):
    """Return the first `n` of the rows, from as many groups as possible."""
    n_before = pd.Series(rows).groupby(groups[rows], dropna=False).cumcount()
    return np.sort(rows[np.argsort(n_before, kind="stable")[:n]])


def display_parameters(frontend, kind, clips, processed):
    """Return the parameters of a `SpectrogramDisplay` of clips, without labels."""
    if kind == "spectrograms":
        return {"spectrograms": list(np.asarray(clips)), "unit": "Value"}
    if not isinstance(frontend, SpectrogramTransformer):
        return {"spectrograms": _output_of(frontend, clips), "unit": "Value"}
    settings = [settings_for(frontend, clip) for clip in clips]
    shared = {"features": settings[0].features, "frequencies": band_edges(settings[0])}
    if shared["features"] == "mfcc":
        shared = {"features": "mfcc", "unit": "Standard deviations of the row"}
    if processed:
        if frontend.standardize and frontend.features != "mfcc":
            shared["unit"] = "Level (standard deviations)"
        times = [input_times(frontend, *pair) for pair in zip(settings, clips, strict=True)]
        return {"spectrograms": list(frontend.transform(clips)), "times": times, **shared}
    pairs = [clip_spectrogram(*pair) for pair in zip(settings, clips, strict=True)]
    spectrograms, times = zip(*pairs, strict=True)
    return {"spectrograms": list(spectrograms), "times": list(times), **shared}


def _output_of(frontend, clips):
    spectrograms = np.asarray(frontend.transform(clips))
    if spectrograms.ndim != 3:
        raise TypeError(
            "estimator must contain a front end that returns spectrograms (n_clips, n_frames, "
            f"n_bins); {frontend!r:.100} returns an array of shape {spectrograms.shape}."
        )
    return list(spectrograms)

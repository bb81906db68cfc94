"""SpectrogramDisplay: what clips look like."""

import numpy as np

from skdaf._audio.inputs import validate_clips
from skdaf._core.public import public
from skdaf._display.grid import Grid
from skdaf._display.sources import (
    band_edges,
    input_edges,
    own_spectrogram,
    settings_for,
)
from skdaf._display.style import (
    add_colorbar,
    given_axes,
    new_figure,
    readable,
    require_matplotlib,
    show_time,
)
from skdaf._estimators.fitted import find_frontend, find_networks, load_if_path
from skdaf._features.filter_banks import N_CHROMA, hz_to_mel, mel_to_hz
from skdaf._features.spectrogram_transformer import SpectrogramTransformer

_OCTAVES = [0, 250, 500, 1000, 2000, 4000, 8000, 16000, 32000, 64000]
_PITCH_CLASSES = ["C", "C♯", "D", "D♯", "E", "F", "F♯", "G", "G♯", "A", "A♯", "B"]
_PARTS_OF_MFCC = ["MFCC", "delta", "delta-delta"]

_LEVEL = "Level (dB below the peak)"

# Inches that a tick label needs to itself.
_TICK_HEIGHT = 0.17


@public
class SpectrogramDisplay:
    """Show the spectrograms of clips.

    Time is in seconds, mel bands lie at their frequencies in Hz, levels are in decibels below the
    loudest value of the clip. Use `from_estimator` to make one; all parameters are stored as
    attributes.

    Parameters
    ----------
    spectrograms : list of ndarray of shape (n_frames, n_bins)
        One a panel.
    times : list of ndarray of shape (n_frames + 1,), default=None
        Borders of the frames in seconds. None numbers the frames.
    frequencies : ndarray of shape (n_mels + 1,), default=None
        Borders of the mel bands in Hz. None numbers the bins.
    features : {"mel", "mfcc", "mel+chroma"}, default=None
        What the bins are, as in `SpectrogramTransformer`. Of cepstral coefficients, whose sizes
        differ by orders of magnitude, each row is drawn in its own standard deviations.
    labels : list, default=None
        The class of each spectrogram: those of one class stand side by side under its name.
    titles : list of str, default=None
        What to write over each spectrogram instead.
    unit : str, default="Level (dB below the peak)"
        What the colours mean.

    Attributes
    ----------
    ax_ : matplotlib Axes or ndarray of Axes
        The axes of the one panel, or of all panels in their order.
    figure_ : matplotlib Figure
        The figure around them.
    images_ : list of matplotlib QuadMesh
        The pictures, in the order of `spectrograms`.
    colorbar_ : matplotlib Colorbar or None
        The colour bar, one for all panels.

    See Also
    --------
    SaliencyDisplay : What in a spectrogram speaks for a class.

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
        spectrograms,
        *,
        times=None,
        frequencies=None,
        features=None,
        labels=None,
        titles=None,
        unit=_LEVEL,
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
        estimator,
        X,
        y=None,
        *,
        n_clips=4,
        processed=False,
        ax=None,
        cmap="viridis",
        colorbar=True,
        im_kw=None,
    ):
        """Show clips as a front end sees them.

        Parameters
        ----------
        estimator : estimator, str or os.PathLike
            A fitted `SpectrogramTransformer`, or anything fitted that holds one: a network
            estimator, an extractor, a pipeline, a search; or the path of a saved model. Of another
            front end the output is shown, in frames and bins.
        X : files, waveforms or spectrograms
            The clips. Of recordings of many minutes neighbouring frames are averaged.
        y : array-like of shape (n_clips,), default=None
            Their labels: the picture becomes a grid, by class.
        n_clips : int, default=4
            How many clips to show of each class, or of all without `y`: the first ones.
        processed : bool, default=False
            False shows each clip at its own length in decibels. True shows what the network gets:
            resized or padded to one length, softened and standardized if the front end does so.
        ax : matplotlib Axes or array of Axes, default=None
            Where to draw, one a panel. None makes a figure.
        cmap : str or matplotlib Colormap, default="viridis"
            Colours.
        colorbar : bool, default=True
            Whether to draw a colour bar.
        im_kw : dict, default=None
            Further arguments of `matplotlib.axes.Axes.pcolormesh`, such as ``vmin``.

        Returns
        -------
        display : SpectrogramDisplay
            What was drawn.
        """
        require_matplotlib(f"{cls.__name__}.from_estimator")
        estimator = load_if_path(estimator)
        frontend, networks = find_frontend(estimator), find_networks(estimator)
        kind, data = validate_clips(networks[0] if networks else frontend, X, reset=False)
        chosen, labels = first_of_each(len(data), y, n_clips)
        clips = data[chosen] if kind == "spectrograms" else [data[i] for i in chosen]
        display = cls(**parts_of(frontend, kind, clips, processed), labels=labels)
        return display.plot(ax, cmap=cmap, colorbar=colorbar, im_kw=im_kw)

    def plot(self, ax=None, *, cmap="viridis", colorbar=True, im_kw=None):
        """Draw.

        Parameters
        ----------
        ax : matplotlib Axes or array of Axes, default=None
            Where to draw, one a panel. None makes a figure.
        cmap : str or matplotlib Colormap, default="viridis"
            Colours.
        colorbar : bool, default=True
            Whether to draw a colour bar.
        im_kw : dict, default=None
            Further arguments of `matplotlib.axes.Axes.pcolormesh`, such as ``vmin``.

        Returns
        -------
        display : SpectrogramDisplay
            The display itself.
        """
        require_matplotlib(f"{type(self).__name__}.plot")
        with readable(self._given_names()) as names:
            n, layout = len(self.spectrograms), None
            if ax is not None:
                axes = given_axes(ax, n)
            elif n == 1:
                axes = np.array([new_figure(size=(7.0, 3.5))[1]])
            else:
                layout = Grid(n, self.labels, has_titles=self.titles is not None)
                axes = layout.new_axes()
            self.figure_ = axes[0].figure
            self.ax_ = axes[0] if n == 1 else axes
            self.images_ = self._draw(axes, {"cmap": cmap, **(im_kw or {})})
            self._finish(axes, names, layout)
            self._layout, self.colorbar_ = layout, None
            if colorbar:
                self.colorbar_ = self.add_colorbar(self.images_[0], self.unit)
        return self

    def _given_names(self):
        names = self.labels if self.titles is None else self.titles
        return [] if names is None else list(names)

    def add_colorbar(self, image, label):
        """Draw a colour bar beside all panels.

        Parameters
        ----------
        image : matplotlib artist
            What it explains.
        label : str
            What to write beside it.

        Returns
        -------
        colorbar : matplotlib Colorbar
            The colour bar.
        """
        if self._layout is not None:
            return self._layout.add_colorbar(image, label)
        return add_colorbar(image, np.atleast_1d(self.ax_), label)

    def _draw(self, axes, options):
        """Draw all panels with the same colours for the same values."""
        values = [self._values(spectrogram) for spectrogram in self.spectrograms]
        limits = {"vmin": min(v.min() for v in values), "vmax": max(v.max() for v in values)}
        return [
            one.pcolormesh(times, self.bins, v.T, rasterized=True, **(limits | options))
            for one, times, v in zip(axes, self._times(), values, strict=True)
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
    def bins(self):
        """Borders between the bins on the vertical axis."""
        if self._is_in_hz:
            return self.frequencies
        return np.arange(self.spectrograms[0].shape[1] + 1) - 0.5

    @property
    def _is_in_hz(self):
        return self.features == "mel" and self.frequencies is not None

    def _finish(self, axes, names, layout):
        times = self._times()
        first, last = min(t[0] for t in times), max(t[-1] for t in times)
        time_name = "Frame"
        for one in axes:
            self._finish_bins(one)
            if self.times is None:
                one.set_xlim(first, last)
            else:
                time_name = show_time(one, max(first, 0.0), last)
        (layout.label if layout else _label_each)(axes, time_name, self._name_of_bins())
        if layout is not None and self.labels is not None and self.titles is None:
            names = layout.class_titles(names)
        for one, title in zip(axes, names, strict=False):
            one.set_title(title, loc="left", fontsize="medium")

    def _finish_bins(self, ax):
        ticks, names, height = self._ticks(), None, _height(ax)
        if self._is_in_hz:
            ax.set_yscale("function", functions=(hz_to_mel, mel_to_hz))
            ticks = _apart(ticks, hz_to_mel(ticks), hz_to_mel(self.bins[[0, -1]]), height)
            names = [f"{tick:g}" for tick in ticks]
        elif self.features == "mel+chroma" and self.frequencies is not None:
            ticks, names = self._ticks_with_chroma(height)
            ax.axhline(len(self.frequencies) - 1.5, color="white", linewidth=1.5)
        elif self.features == "mfcc":
            n = self.spectrograms[0].shape[1] // 3
            ticks, names = [(part + 0.5) * n - 0.5 for part in range(3)], _PARTS_OF_MFCC
            for part in (1, 2):
                ax.axhline(part * n - 0.5, color="white", linewidth=1.5)
        if names is not None:
            ax.set_yticks(ticks, names)
            ax.set_yticks([], minor=True)
        ax.set_ylim(self.bins[[0, -1]])

    def _ticks(self):
        """Return frequencies to name: octaves, or round numbers where few of them are shown."""
        if self.frequencies is None:
            return None
        from matplotlib.ticker import MaxNLocator

        low, high = self.frequencies[[0, -1]]
        # The first band peaks a little above the lowest frequency.
        low = 0 if self.frequencies[0] < self.frequencies[1] - self.frequencies[0] else low
        ticks = [tick for tick in _OCTAVES if low <= tick <= high]
        if len(ticks) < 3:
            ticks = MaxNLocator(5).tick_values(low, high)
        return np.array([tick for tick in ticks if low <= tick <= high], dtype=float)

    def _ticks_with_chroma(self, height):
        """Return where the frequencies of mel bands and the pitch classes are, and their names."""
        n_mels = len(self.frequencies) - 1
        borders = hz_to_mel(self.frequencies)
        at = np.interp(hz_to_mel(self._ticks()), borders, np.arange(n_mels + 1) - 0.5)
        limits = np.array([-0.5, n_mels + N_CHROMA - 0.5])
        ticks = _apart(self._ticks(), at, limits, height)
        at = np.interp(hz_to_mel(ticks), borders, np.arange(n_mels + 1) - 0.5)
        room = height * N_CHROMA / (limits[1] - limits[0])
        step = next(
            s for s in (1, 2, 3, 4, 6, 12) if s * room >= N_CHROMA * _TICK_HEIGHT or s == 12
        )
        notes = range(0, N_CHROMA, step)
        return (
            [*at, *(n_mels + note for note in notes)],
            [*(f"{tick:g} Hz" for tick in ticks), *(_PITCH_CLASSES[note] for note in notes)],
        )

    def _name_of_bins(self):
        if self.features == "mfcc":
            return "Coefficient"
        if self.frequencies is None:
            return "Bin"
        return "Frequency (Hz)" if self._is_in_hz else "Mel band, pitch class"


# --- what to draw -----------------------------------------------------------------------------


def first_of_each(n_clips, y, n_each):
    """Return which clips to show, class by class, and their labels (None without `y`)."""
    if y is None:
        return np.arange(min(n_clips, n_each)), None
    y = np.asarray(y)
    if y.shape != (n_clips,):
        raise ValueError(f"y must hold {n_clips} labels, one per clip, got shape {y.shape}.")
    rows = [np.flatnonzero(y == label)[:n_each] for label in np.unique(y)]
    chosen = np.concatenate(rows)
    return chosen, y[chosen]


def parts_of(frontend, kind, clips, processed):
    """Return the parameters of a `SpectrogramDisplay` but the labels."""
    if kind == "spectrograms":
        return {"spectrograms": list(np.asarray(clips)), "unit": "Value"}
    if not isinstance(frontend, SpectrogramTransformer):
        return {"spectrograms": _three_dimensional(frontend, clips), "unit": "Value"}
    settings = [settings_for(frontend, clip) for clip in clips]
    shared = {"features": settings[0].features, "frequencies": band_edges(settings[0])}
    if shared["features"] == "mfcc":
        shared = {"features": "mfcc", "unit": "Standard deviations of the row"}
    if processed:
        if frontend.standardize and frontend.features != "mfcc":
            shared["unit"] = "Level (standard deviations)"
        times = [input_edges(frontend, *pair) for pair in zip(settings, clips, strict=True)]
        return {"spectrograms": list(frontend.transform(clips)), "times": times, **shared}
    pairs = [own_spectrogram(*pair) for pair in zip(settings, clips, strict=True)]
    spectrograms, times = zip(*pairs, strict=True)
    return {"spectrograms": list(spectrograms), "times": list(times), **shared}


def _three_dimensional(frontend, clips):
    spectrograms = np.asarray(frontend.transform(clips))
    if spectrograms.ndim != 3:
        raise TypeError(
            "estimator must hold a front end, which makes spectrograms (n_clips, n_frames, "
            f"n_bins); {frontend!r:.100} makes an array of shape {spectrograms.shape}."
        )
    return list(spectrograms)


# --- axes -------------------------------------------------------------------------------------


def _height(ax):
    return ax.get_position().height * ax.figure.get_figheight()


def _apart(ticks, at, limits, height):
    """Leave out ticks, from the lowest on, that would touch the one kept before."""
    kept = []
    for tick, place in zip(ticks, (at - limits[0]) / (limits[1] - limits[0]) * height, strict=True):
        if not kept or place - kept[-1][1] >= _TICK_HEIGHT:
            kept.append((tick, place))
    return np.array([tick for tick, _ in kept])


def _label_each(axes, x, y):
    for one in axes:
        one.set(xlabel=x, ylabel=y)

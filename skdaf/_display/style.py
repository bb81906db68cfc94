"""What all displays share: importing matplotlib, axes, colors, class names, time axes."""

import unicodedata

import numpy as np

from skdaf._core.requirements import MissingPackageError, how_to_install

# The colors of Okabe and Ito, which color-blind people can distinguish; without yellow, which is
# hard to see on white.
COLORS = ["#0072B2", "#E69F00", "#009E73", "#D55E00", "#CC79A7", "#56B4E9", "#000000"]

# The numbers of markers and colors have no common divisor, so that there are 70 different pairs.
MARKERS = ["o", "s", "^", "D", "v", "P", "X", "<", ">", "*"]
N_STYLES = len(COLORS) * len(MARKERS)


def require_matplotlib(caller):
    """Raise ImportError if matplotlib is not installed, before anything is computed."""
    try:
        import matplotlib  # noqa: F401
    except ImportError as error:
        raise MissingPackageError(
            f"{caller} needs matplotlib. Install it with: " + how_to_install("matplotlib", "plot")
        ) from error


def new_figure(*shape, size, **options):
    """Return a figure with constrained layout, and its axes; the size is in inches."""
    import matplotlib.pyplot as plt

    return plt.subplots(*shape, figsize=size, layout="constrained", **options)


def check_axes(ax, n_axes):
    """Return the axes that a user passes as an array of `n_axes` axes, or raise ValueError."""
    from matplotlib.axes import Axes

    axes = np.atleast_1d(np.asarray(ax, dtype=object)).ravel()
    if len(axes) != n_axes or not all(isinstance(panel, Axes) for panel in axes):
        raise ValueError(
            f"ax must contain {n_axes} matplotlib axes here, got {ax!r:.200}. With ax=None, a new "
            "figure is created."
        )
    return axes


def size_in_inches(ax):
    """Return the width and the height of axes in a figure or a subfigure."""
    return ax.bbox.width / ax.figure.dpi, ax.bbox.height / ax.figure.dpi


def add_colorbar(image, axes, label, height=None):
    """Draw one slim color bar next to the axes; `height` is their height in inches."""
    figure = axes[0].figure
    height = figure.bbox.height / figure.dpi if height is None else height
    return figure.colorbar(image, ax=list(axes), label=label, aspect=max(12, 9 * height), pad=0.02)


def class_styles(n_classes):
    """Return a (color, marker) for each class, different for up to `N_STYLES` classes."""
    return [(COLORS[i % len(COLORS)], MARKERS[i % len(MARKERS)]) for i in range(n_classes)]


# --- class names ----------------------------------------------------------------------------------


def plain_text(name, n_letters=None):
    """Return a class name as text that matplotlib draws as it is, on one line.

    Between dollar signs, matplotlib would draw a formula; legends leave out names that begin with
    an underscore. Names longer than `n_letters` are cut in the middle, because names often differ
    at their ends. Names of folders that are not UTF-8 contain surrogates, which matplotlib cannot
    draw; they are shown as escapes.
    """
    text = " ".join(str(name).split()).encode(errors="backslashreplace").decode()
    if n_letters is not None and len(text) > n_letters:
        n_last = (n_letters - 1) // 3
        first, last = text[: n_letters - 1 - n_last], text[len(text) - n_last :]
        text = f"{first.rstrip()}\u2026{last.lstrip()}"
    text = text.replace("$", r"\$")
    return f" {text}" if text.startswith("_") else text


def text_width(text):
    """Return the width of a string in average letters; East Asian letters count twice."""
    return sum(2 if unicodedata.east_asian_width(letter) in "WF" else 1 for letter in text)


# --- time -----------------------------------------------------------------------------------------

# From these durations (s) upwards, ticks show minutes and seconds, or also hours.
_MINUTES_FROM, _HOURS_FROM = 180.0, 7200.0
_STEPS = [15, 30, 60, 120, 300, 600, 900, 1800, 3600, 7200, 14400, 21600, 43200, 86400]
_MAX_TICKS = 9


def format_time_axis(ax, first, last):
    """Limit a time axis to `first` to `last` (s) and set readable ticks; return its label."""
    ax.set_xlim(first, last)
    ticks, formatter, label = time_ticks(first, last)
    if formatter is not None:
        ax.xaxis.set_major_locator(ticks)
        ax.xaxis.set_major_formatter(formatter)
    return label


def time_ticks(first, last):
    """Return the locator and the formatter of ticks for times in seconds, and the axis label.

    For short times, the locator and the formatter are None, which stands for those of matplotlib.
    """
    from matplotlib.ticker import MultipleLocator

    duration = last - first
    if duration < _MINUTES_FROM:
        return None, None, "Time (s)"
    step = next((s for s in _STEPS if duration / s <= _MAX_TICKS), duration / _MAX_TICKS)
    if duration < _HOURS_FROM:
        return MultipleLocator(step), _minutes, "Time (min:s)"
    return MultipleLocator(step), _hours, "Time (h:min:s)"


def _minutes(x, _):
    return f"{x // 60:.0f}:{x % 60:02.0f}"


def _hours(x, _):
    return f"{x // 3600:.0f}:{x // 60 % 60:02.0f}:{x % 60:02.0f}"

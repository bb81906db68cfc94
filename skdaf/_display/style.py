"""What all pictures share: matplotlib or a clear error, colours, names that can be drawn."""

import unicodedata
import warnings
from contextlib import contextmanager
from functools import lru_cache

import numpy as np

# Okabe and Ito's colours, told apart by colour-blind people; yellow is left out, since it is hardly
# seen on white.
COLORS = ["#0072B2", "#E69F00", "#009E73", "#D55E00", "#CC79A7", "#56B4E9", "#000000"]

# As many markers as no multiple of the colours: all pairs come before one is repeated.
MARKERS = ["o", "s", "^", "D", "v", "P", "X", "<", ">", "*", "p"]

# The width of an average letter, as a share of its height.
_LETTER = 0.58


def require_matplotlib(caller):
    """Say how to install matplotlib where it is missing, before anything is computed."""
    try:
        import matplotlib  # noqa: F401
    except ImportError as error:
        raise ImportError(
            f'{caller} draws with matplotlib: install it with "pip install matplotlib", or with '
            'skdaf as "pip install skdaf[plot]".'
        ) from error


def new_figure(*shape, size, **options):
    """Return a figure that keeps its labels apart, and its axes."""
    import matplotlib.pyplot as plt

    return plt.subplots(*shape, figsize=size, layout="constrained", **options)


def given_axes(ax, n_axes):
    """Return the axes that a caller passes, as many as are needed."""
    from matplotlib.axes import Axes

    axes = np.atleast_1d(np.asarray(ax, dtype=object)).ravel()
    if len(axes) != n_axes or not all(isinstance(one, Axes) for one in axes):
        raise ValueError(
            f"ax must hold {n_axes} matplotlib axes here, got {ax!r:.200}. None makes a figure of "
            "its own."
        )
    return axes


def add_colorbar(image, axes, label, height=None):
    """Draw one slim colour bar beside some axes, as high in inches as they are together."""
    figure = axes[0].figure
    height = figure.get_figheight() if height is None else height
    return figure.colorbar(image, ax=list(axes), label=label, aspect=max(12, 9 * height), pad=0.02)


def look_of_classes(n_classes):
    """Return a (colour, marker) for each class, different for up to 77 classes."""
    return [(COLORS[i % len(COLORS)], MARKERS[i % len(MARKERS)]) for i in range(n_classes)]


# --- text -----------------------------------------------------------------------------------------


def width_of(text):
    """Return the width of a text in letters; those of East Asia are twice as wide."""
    return sum(2 if unicodedata.east_asian_width(letter) in "WF" else 1 for letter in text)


def shortened(text, n_letters):
    """Cut a text to a width in letters, in its middle: names often differ at their ends."""
    if width_of(text) <= n_letters:
        return text
    n_last = (n_letters - 1) // 3
    first = _fitting(text, n_letters - 1 - n_last).rstrip()
    return f"{first}\u2026{_fitting(text[::-1], n_last)[::-1].lstrip()}"


def _fitting(text, n_letters):
    """Return the beginning of a text that has no more than a width in letters."""
    widths = np.cumsum([width_of(letter) for letter in text])
    return text[: int(np.searchsorted(widths, n_letters, side="right"))]


def letters_in(inches, size):
    """Return how many letters of a size in points have room in so many inches."""
    return max(3, int(inches * 72 / (size * _LETTER)))


def plain(name):
    """Return a class's name as matplotlib draws it letter by letter: no formulas, in one line."""
    text = " ".join(str(name).split()).replace("$", r"\$")
    # Legends leave out what begins with an underscore.
    return f" {text}" if text.startswith("_") else text


@contextmanager
def readable(names):
    """Draw with fonts that have the letters of some names; yield the names as they can be drawn.

    Letters that no installed font has become their number, and a warning says so: better than a
    row of equal boxes.
    """
    import matplotlib

    names = [plain(name) for name in names]
    missing = _missing(tuple(sorted({*"".join(names)})), tuple(matplotlib.rcParams["font.family"]))
    fonts, lost = _fonts_with(missing)
    if lost:
        warnings.warn(
            f"No installed font has the letters {''.join(sorted(lost))!r} of some class names; "
            'their numbers are drawn instead. A font such as "Noto Sans CJK" helps.',
            UserWarning,
            stacklevel=4,
        )
        names = ["".join(_numbered(c) if c in lost else c for c in name) for name in names]
    with matplotlib.rc_context({"font.family": [*matplotlib.rcParams["font.family"], *fonts]}):
        yield names


def _numbered(letter):
    return f"<{ord(letter):X}>"


def _missing(letters, families):
    """Return the letters that the usual fonts lack."""
    from matplotlib import font_manager

    found = [
        _letters_of(font_manager.findfont(font_manager.FontProperties(family=[family])))
        for family in families
    ]
    return frozenset(letters).difference(*found)


def _fonts_with(missing):
    """Return the fewest installed fonts that come to hand for some letters, and what none has."""
    from matplotlib import font_manager

    fonts = []
    for entry in font_manager.fontManager.ttflist if missing else ():
        # matplotlib's last resort draws each letter of a script as the same box.
        if entry.name.startswith("Last Resort"):
            continue
        here = missing & _letters_of(entry.fname)
        if here:
            fonts.append(entry.name)
            missing -= here
        if not missing:
            break
    return fonts, missing


@lru_cache(maxsize=256)
def _letters_of(path):
    from matplotlib.ft2font import FT2Font

    try:
        return frozenset(map(chr, FT2Font(path).get_charmap()))
    except (OSError, RuntimeError):
        return frozenset()


# --- time -----------------------------------------------------------------------------------------

# Up to so many seconds ticks are numbers of them; then minutes, then hours are told apart.
_MINUTES_FROM, _HOURS_FROM = 180.0, 7200.0
_STEPS = [15, 30, 60, 120, 300, 600, 900, 1800, 3600, 7200, 14400, 21600, 43200, 86400]
_MOST_TICKS = 9


def show_time(ax, first, last):
    """Limit a time axis to some seconds, with ticks that can be read; return what to call it."""
    from matplotlib.ticker import MultipleLocator

    ax.set_xlim(first, last)
    duration = last - first
    if duration < _MINUTES_FROM:
        return "Time (s)"
    step = next((s for s in _STEPS if duration / s <= _MOST_TICKS), duration / _MOST_TICKS)
    ax.xaxis.set_major_locator(MultipleLocator(step))
    if duration < _HOURS_FROM:
        ax.xaxis.set_major_formatter(lambda x, _: f"{x // 60:.0f}:{x % 60:02.0f}")
        return "Time (min:s)"
    ax.xaxis.set_major_formatter(
        lambda x, _: f"{x // 3600:.0f}:{x // 60 % 60:02.0f}:{x % 60:02.0f}"
    )
    return "Time (h:min:s)"

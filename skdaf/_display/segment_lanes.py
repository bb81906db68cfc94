"""The segments of `SegmentsDisplay`: a lane of bars each for the true and the predicted ones."""

import numpy as np

from skdaf._display.style import COLORS, plain_text, size_in_inches, text_width
from skdaf._segments.tables import COLUMNS

# The longest name of a class in a legend or next to a band.
MAX_NAME_LENGTH = 34

# The font size of names in segments, in points.
_NAME_SIZE = 8

# The height of the bars in a lane, as a share of that of the lane.
_HEIGHT = 0.84

# Behind a bar that is lower, because its label is not certain, its color fills the whole height
# with this opacity.
_FAINT = 0.25

# Names are in bars that are at least as high, and above those that are at most as high.
_HIGH_ENOUGH, _LOW_ENOUGH = 0.5, 0.65

# With more segments, borders and hatches would hide everything else, and be slow to draw.
_MAX_BORDERS = 150

# Bars that are narrower (in inches) get a border (in points) of their own color: a white one would
# hide them, so that some events of a long recording could not be seen.
_NARROW, _NARROW_BORDER = 0.04, 0.8

# When all colors are used up, they are repeated with the next hatch.
_HATCHES = ["", "///", "...", "xxx", "\\\\\\", "+++", "ooo"]

# Average letters per line of the legend.
_LETTERS_PER_LINE = 130


def within_span(table, first, last):
    """Return the parts of segments between two times, so that their names are where they are.

    The column `steps` is added: the full height at all times.
    """
    table = table.loc[(table.end > first) & (table.start < last), COLUMNS]
    table = table.assign(start=table.start.clip(lower=first), end=table.end.clip(upper=last))
    return table.assign(steps=_full_height(table))


def _full_height(table):
    edges = table[["start", "end"]].to_numpy(float)
    return [(of_bar, np.ones(1)) for of_bar in edges]


def draw_lanes(ax, lanes, classes, duration, multilabel):
    """Draw a lane of bars for each table of segments; return the bars of each lane and class.

    Parameters
    ----------
    ax : matplotlib Axes
    lanes : dict of str to DataFrame
        The segments of each lane. Their `steps` are pairs: edges in seconds, and the heights of the
        bar between them, as shares of the full height.
    classes : list of str
    duration : float
        The time on the axis, in seconds.
    multilabel : bool
        Whether each class has its own row in a lane.
    """
    bars = {}
    inches = size_in_inches(ax)[0]
    for lane, (name, table) in enumerate(lanes.items()):
        labels = table.label.astype(str).to_numpy()
        has_borders = len(table) <= _MAX_BORDERS
        for number, label in enumerate(classes):
            rows = table[labels == label]
            if len(rows) == 0:
                continue
            row = _row(lane, number, len(classes)) if multilabel else _row(lane, 0, 1)
            is_narrow = (rows.end - rows.start).to_numpy(float) * inches / duration < _NARROW
            style = _bar_style(number, is_narrow, has_borders)
            if any(heights.min() < 1 for _, heights in rows.steps):
                style = _add_full_height(ax, rows, row, style)
            bars[name, label] = ax.add_collection(_polygons(rows.steps, row, **style))
            _name_segments(ax, rows, row, number, label, inches / duration)
    ax.set_yticks(range(len(lanes)), list(lanes))
    ax.set_ylim(len(lanes) - 0.5, -0.5)
    ax.tick_params(axis="y", length=0)
    return bars


def _add_full_height(ax, rows, row, style):
    """Draw what is behind bars with steps, and around them; return the remaining style of the bars.

    White borders are around the full height: along many steps, they would hide the color. Bars of
    the color of the background, black in dark styles, need them.
    """
    from matplotlib.colors import same_color

    rectangles = _full_height(rows)
    faint = {"facecolor": style["facecolor"], "alpha": _FAINT, "linewidth": 0}
    ax.add_collection(_polygons(rectangles, row, zorder=0.9, **faint))
    widths = style["linewidth"]
    is_hidden = same_color(style["facecolor"], ax.get_facecolor())
    of_bars = np.where(is_hidden | (widths == _NARROW_BORDER), widths, 0.0)
    if (around := widths - of_bars).any():
        border = {"facecolor": "none", "edgecolor": style["edgecolor"], "linewidth": around}
        ax.add_collection(_polygons(rectangles, row, zorder=1.1, **border))
    return style | {"linewidth": of_bars}


def _row(lane, number, n_rows):
    """Return the top and the height of one of several rows in a lane."""
    height = _HEIGHT / n_rows
    return lane - _HEIGHT / 2 + number * height, height


def _polygons(steps, row, **style):
    """Return bars that stand on the lower edge of a row, with steps at their upper edges."""
    from matplotlib.collections import PolyCollection

    top, height = row
    low = top + height
    outlines = []
    for edges, shares in steps:
        y = np.pad(low - height * np.repeat(shares, 2), 1, constant_values=low)
        outlines.append(np.column_stack([np.repeat(edges, 2), y]))
    return PolyCollection(outlines, **style)


def _name_segments(ax, rows, row, number, label, inches_per_second):
    """Write the name of a class into those of its segments that are long enough.

    Names are in the bar or, if it is too low, above it; across its upper edge, with an outline.
    """
    if number >= len(COLORS):  # Names on hatches could not be read.
        return
    # Black on light colors, white on dark ones.
    on_color = "white" if _color(number) in ("#0072B2", "#000000", "#D55E00") else "black"
    name = plain_text(label)
    needed = (text_width(name) + 1) * _NAME_SIZE * 0.6 / 72 / inches_per_second
    for start, end, (edges, shares) in zip(rows.start, rows.end, rows.steps, strict=True):
        if end - start < needed:
            continue
        x = (start + end) / 2
        is_behind = (edges[:-1] < x + needed / 2) & (edges[1:] > x - needed / 2)
        lowest, highest = shares[is_behind].min(), shares[is_behind].max()
        if lowest >= _HIGH_ENOUGH:
            middle, style = lowest / 2, {"color": on_color}
        elif highest <= _LOW_ENOUGH:
            middle, style = (1 + highest) / 2, {}
        else:
            middle, style = 0.5, {"path_effects": _outline(ax)}
        y = row[0] + (1 - middle) * row[1]
        place = {"ha": "center", "va": "center", "clip_on": True}
        ax.text(x, y, name, fontsize=_NAME_SIZE, **place, **style)


def _outline(ax):
    from matplotlib.patheffects import withStroke

    return [withStroke(linewidth=2, foreground=ax.get_facecolor())]


def draw_legend(figure, bars, classes, title=None):
    """Add a legend of the classes that have bars to a figure, and return it."""
    from matplotlib.patches import Patch

    shown = {label for _, label in bars}
    handles = [
        Patch(**_class_style(number), label=plain_text(label, MAX_NAME_LENGTH))
        for number, label in enumerate(classes)
        if label in shown
    ]
    widest = max((text_width(handle.get_label()) for handle in handles), default=1)
    return figure.legend(
        handles=handles,
        title=title,
        title_fontsize="small",
        loc="outside lower center",
        ncols=max(1, min(len(handles), _LETTERS_PER_LINE // (widest + 6))),
        fontsize="small",
        frameon=False,
    )


def _bar_style(number, is_narrow, has_borders):
    """Return the style of the bars of a class; `is_narrow` has one value per bar."""
    style = _class_style(number)
    if not has_borders:
        style |= {"hatch": "", "edgecolor": style["facecolor"]}
    elif style["hatch"]:  # which has the color of the borders
        is_narrow = np.full_like(is_narrow, is_narrow.all())
    borders = np.where(is_narrow, style["facecolor"], style["edgecolor"]).tolist()
    widths = np.where(is_narrow, _NARROW_BORDER, 0.5 if has_borders else 0.0)
    return style | {"edgecolor": borders, "linewidth": widths}


def _class_style(number):
    """Return the style of a class: first plain colors, then the same colors with hatches."""
    hatch = _HATCHES[number // len(COLORS) % len(_HATCHES)]
    return {"facecolor": _color(number), "hatch": hatch, "edgecolor": "white"}


def _color(number):
    return COLORS[number % len(COLORS)]

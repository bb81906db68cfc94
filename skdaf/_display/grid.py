"""Grid: where many panels go."""

import math

import numpy as np

from skdaf._display.style import letters_in, shortened

# Columns up to which panels are large, and their widths in inches.
_FEW_COLUMNS = 6
_WIDE, _NARROW = 2.2, 1.5
_HEIGHT = 0.75  # of a panel, as a share of its width

# Around and between the panels, in inches: room for tick labels, names of axes and the colour bar.
_LEFT, _RIGHT, _BOTTOM, _TOP = 0.95, 0.95, 0.55, 0.3
_GAP, _TITLE = 0.1, 0.2
_GAP_BESIDE = 0.3  # numbers at the end of one axis and at the start of the next both fit
_BAR, _LONGEST_BAR = 0.12, 4.0

# How much wider than high a grid of many classes may be.
_LANDSCAPE = 1.5


class Grid:
    """Panels in rows: those of one class side by side, or all in the shape of a square.

    Parameters
    ----------
    n_panels : int
    labels : list, default=None
        Of each panel; those of one class follow each other.
    has_titles : bool
        Whether the panels have titles of their own.
    """

    def __init__(self, n_panels, labels=None, has_titles=False):
        self.labels = labels
        self.gap = _GAP if labels is None and not has_titles else _GAP + _TITLE
        if labels is None:
            self.n_columns = math.ceil(math.sqrt(n_panels))
            self.places = [divmod(i, self.n_columns) for i in range(n_panels)]
        else:
            self.places = self._class_by_class(labels)
        self.n_rows = 1 + max(row for row, _ in self.places)
        self.width = _WIDE if self.n_columns <= _FEW_COLUMNS else _NARROW

    def _class_by_class(self, labels):
        self.firsts = [i for i in range(len(labels)) if i == 0 or labels[i] != labels[i - 1]]
        counts = np.diff([*self.firsts, len(labels)])
        self.n_each = counts.max()
        # Many classes stand side by side, so that the page is not a ribbon.
        n_beside = max(1, round(math.sqrt(len(counts) / (self.n_each * _LANDSCAPE))))
        n_beside = min(n_beside, len(counts))
        self.n_columns = n_beside * self.n_each
        return [
            (number // n_beside, number % n_beside * self.n_each + i)
            for number, count in enumerate(counts)
            for i in range(count)
        ]

    def new_axes(self):
        """Return the axes of the panels in a figure of their own.

        All is laid out in inches: matplotlib's layout engines take minutes for hundreds of panels.
        """
        import matplotlib.pyplot as plt

        width, height = self.width, _HEIGHT * self.width
        inner = (self.n_columns * (width + _GAP_BESIDE), self.n_rows * (height + self.gap))
        size = (_LEFT + inner[0] + _RIGHT, _BOTTOM + inner[1] + _TOP)
        _, grid = plt.subplots(
            *(self.n_rows, self.n_columns),
            figsize=size,
            sharex=True,
            sharey=True,
            squeeze=False,
            gridspec_kw={
                "left": _LEFT / size[0],
                "right": (_LEFT + inner[0] - _GAP_BESIDE) / size[0],
                "bottom": _BOTTOM / size[1],
                "top": (_BOTTOM + inner[1] - self.gap + _GAP) / size[1],
                "wspace": _GAP_BESIDE / width,
                "hspace": self.gap / height,
            },
        )
        for place in {*np.ndindex(grid.shape)} - {*self.places}:
            grid[place].remove()
        return np.array([grid[place] for place in self.places])

    def add_colorbar(self, image, label):
        """Draw a colour bar at the right of all panels, not higher than it need be."""
        figure = image.figure
        width, height = figure.get_size_inches()
        length = min(_LONGEST_BAR, height - _BOTTOM - _TOP)
        bottom = height - _TOP - length
        place = ((width - _RIGHT + 0.1) / width, bottom / height, _BAR / width, length / height)
        return figure.colorbar(image, cax=figure.add_axes(place), label=label)

    def label(self, axes, x, y):
        """Name the axes once, and number them only where nothing lies between them and the edge."""
        taken = {*self.places}
        for one, (row, column) in zip(axes, self.places, strict=True):
            is_lowest = (row + 1, column) not in taken
            one.tick_params(
                labelbottom=is_lowest, labelleft=column == 0, labelsize="small", length=2
            )
        figure = axes[0].figure
        width, height = figure.get_size_inches()
        figure.supxlabel(x, y=0.08 / height, fontsize="medium")
        figure.supylabel(y, x=0.08 / width, fontsize="medium")

    def class_titles(self, names):
        """Return a title for each panel: its class's name over the first one, as it has room."""
        room = letters_in(self.width * self.n_each, 10)
        return [shortened(name, room) if i in self.firsts else "" for i, name in enumerate(names)]

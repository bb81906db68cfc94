"""Grid: arrange many panels in a figure."""

import math

import numpy as np

from skdaf._display.style import plain_text

# Up to this many columns, panels are wide. Widths in inches.
_FEW_COLUMNS = 6
_WIDE, _NARROW = 2.2, 1.5
_HEIGHT = 0.75  # of a panel, as a fraction of its width

# Margins around and between the panels, in inches: for tick labels, axis labels and the color bar.
_LEFT, _RIGHT, _BOTTOM, _TOP = 0.95, 0.95, 0.55, 0.3
_GAP, _TITLE = 0.1, 0.2
_COLUMN_GAP = 0.3  # enough for the last number of one axis and the first of the next
_BAR, _MAX_BAR = 0.12, 4.0

# Average letters per inch of a title.
_LETTERS_PER_INCH = 12.4

# The largest ratio of width to height of a grid of many classes.
_LANDSCAPE = 1.5


class Grid:
    """Panels in rows: panels of the same class next to each other, or all in a square.

    Parameters
    ----------
    n_panels : int
    labels : list, default=None
        The class of each panel, sorted by class.
    n_title_lines : int, default=0
        How many lines the titles of all panels have; 0 if only classes have titles.
    """

    def __init__(self, n_panels, labels=None, n_title_lines=0):
        self.labels = labels
        self.gap = _GAP + _TITLE * max(n_title_lines, labels is not None)
        if labels is None:
            self.n_columns = math.ceil(math.sqrt(n_panels))
            self.places = [divmod(i, self.n_columns) for i in range(n_panels)]
        else:
            self.places = self._places_by_class(labels)
        self.n_rows = 1 + max(row for row, _ in self.places)
        is_wide = self.n_columns <= _FEW_COLUMNS or n_title_lines
        self.width = _WIDE if is_wide else _NARROW
        self.n_letters = int(self.width * _LETTERS_PER_INCH)

    def _places_by_class(self, labels):
        """Return the (row, column) of each panel."""
        self.firsts = [i for i in range(len(labels)) if i == 0 or labels[i] != labels[i - 1]]
        counts = np.diff([*self.firsts, len(labels)])
        self.n_each = counts.max()
        # Several classes may share a row, so that the figure is not too narrow.
        n_per_row = max(1, round(math.sqrt(len(counts) / (self.n_each * _LANDSCAPE))))
        n_per_row = min(n_per_row, len(counts))
        self.n_columns = n_per_row * self.n_each
        return [
            (number // n_per_row, number % n_per_row * self.n_each + i)
            for number, count in enumerate(counts)
            for i in range(count)
        ]

    def new_axes(self):
        """Return the axes of the panels in a new figure.

        Sizes are in inches, because matplotlib's layout engines take minutes for hundreds of
        panels.
        """
        import matplotlib.pyplot as plt

        width, height = self.width, _HEIGHT * self.width
        inner = (self.n_columns * (width + _COLUMN_GAP), self.n_rows * (height + self.gap))
        size = (_LEFT + inner[0] + _RIGHT, _BOTTOM + inner[1] + _TOP)
        _, grid = plt.subplots(
            *(self.n_rows, self.n_columns),
            figsize=size,
            sharex=True,
            sharey=True,
            squeeze=False,
            gridspec_kw={
                "left": _LEFT / size[0],
                "right": (_LEFT + inner[0] - _COLUMN_GAP) / size[0],
                "bottom": _BOTTOM / size[1],
                "top": (_BOTTOM + inner[1] - self.gap + _GAP) / size[1],
                "wspace": _COLUMN_GAP / width,
                "hspace": self.gap / height,
            },
        )
        for place in {*np.ndindex(grid.shape)} - {*self.places}:
            grid[place].remove()
        return np.array([grid[place] for place in self.places])

    def add_colorbar(self, image, label):
        """Draw a color bar of moderate height to the right of all panels."""
        figure = image.figure
        width, height = figure.get_size_inches()
        length = min(_MAX_BAR, height - _BOTTOM - _TOP)
        bottom = height - _TOP - length
        place = ((width - _RIGHT + 0.1) / width, bottom / height, _BAR / width, length / height)
        return figure.colorbar(image, cax=figure.add_axes(place), label=label)

    def label_axes(self, axes, x, y):
        """Label the axes once, and keep tick labels only at the left and lower edges."""
        taken = {*self.places}
        for panel, (row, column) in zip(axes, self.places, strict=True):
            is_lowest = (row + 1, column) not in taken
            panel.tick_params(
                labelbottom=is_lowest, labelleft=column == 0, labelsize="small", length=2
            )
        figure = axes[0].figure
        width, height = figure.get_size_inches()
        figure.supxlabel(x, y=0.08 / height, fontsize="medium")
        figure.supylabel(y, x=0.08 / width, fontsize="medium")

    def class_titles(self):
        """Return a title for each panel: the name of its class above the first one."""
        n_letters = max(3, int(self.width * self.n_each * _LETTERS_PER_INCH))
        return [
            plain_text(label, n_letters) if i in self.firsts else ""
            for i, label in enumerate(self.labels)
        ]

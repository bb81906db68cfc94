"""The option --figure of segments: draw the timeline of a recording."""

import importlib.util
from pathlib import Path

import click

from skdaf._core.files import replacing
from skdaf.cli._paths import OutputFile
from skdaf.cli._program import note

_EXTENSIONS = (".png", ".svg", ".pdf")


class FigureFile(OutputFile):
    """A picture to write."""

    def convert(self, value, param, ctx):
        """Return the path of the file."""
        if value and Path(value).suffix.lower() not in _EXTENSIONS:
            self.fail(f"{value!r} must end in {', '.join(_EXTENSIONS)}.", param, ctx)
        return super().convert(value, param, ctx)


figure_option = click.option(
    "--figure",
    type=FigureFile(),
    metavar="FILE",
    help="Draw the recording to this file (*.png, *.svg, *.pdf), too: its spectrogram, the "
    "probabilities of the classes, the true and the predicted segments; or the predicted numbers.",
)


def check_figure(figure, recordings):
    """Raise an error if no figure of the recordings can be drawn."""
    if figure is None:
        return
    if len(recordings) != 1:
        raise click.UsageError(
            f"--figure draws one recording, got {len(recordings)}: pass only one of them."
        )
    if recordings == ["-"]:
        raise click.UsageError("--figure needs a file: standard input is not kept.")
    if importlib.util.find_spec("matplotlib") is None:
        raise click.UsageError(
            "--figure needs matplotlib: install the extra skdaf[plot], or matplotlib itself."
        )


def draw_segments(figure, windows, recording, truth, merging):
    """Draw the windows and the segments of a recording."""
    from skdaf import SegmentsDisplay

    true = None if truth is None else truth.tables[0]
    _save(SegmentsDisplay.from_predictions(true, windows, path=recording, **merging), figure)


def draw_values(figure, windows, recording, smooth):
    """Draw the numbers of a recording."""
    from skdaf import ValuesDisplay

    _save(ValuesDisplay.from_predictions(None, windows, path=recording, smooth=smooth), figure)


def _save(display, figure):
    with replacing(figure) as part:
        display.figure_.savefig(part, format=Path(figure).suffix[1:].lower())
    note(f"Wrote {figure}")

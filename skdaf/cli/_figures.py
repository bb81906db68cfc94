"""The option --figure of segments: draw the timeline of a recording."""

import importlib.util
import math
from pathlib import Path

import click

from skdaf._core.files import replacing
from skdaf.cli._options import combine_options
from skdaf.cli._paths import OutputFile
from skdaf.cli._program import note

# A figure of a longer recording shows few details.
_MOST_SECONDS = 180

_EXTENSIONS = (".png", ".svg", ".pdf")


class FigureFile(OutputFile):
    """A picture to write."""

    def convert(self, value, param, ctx):
        """Return the path of the file."""
        if value and Path(value).suffix.lower() not in _EXTENSIONS:
            self.fail(f"{value!r} must end in {', '.join(_EXTENSIONS)}.", param, ctx)
        return super().convert(value, param, ctx)


class Seconds(click.FloatRange):
    """A time in a recording."""

    name = "number of seconds"

    def convert(self, value, param, ctx):
        """Return the time."""
        seconds = super().convert(value, param, ctx)
        if not math.isfinite(seconds):  # NaN is in every range, because no comparison is true
            self.fail(f"{value!r} must be a number of seconds.", param, ctx)
        return seconds


figure_options = combine_options(
    click.option(
        "--figure",
        type=FigureFile(),
        metavar="FILE",
        help="Draw the recording to this file (*.png, *.svg, *.pdf), too: its spectrogram, the "
        "probabilities of the classes, the true and the predicted segments; or the predicted "
        "numbers.",
    ),
    *(
        click.option(
            f"--figure-{name}",
            type=Seconds(0),
            metavar="SECONDS",
            help=f"Time in the recording at which the figure {name}s, to see a part in detail.",
        )
        for name in ("start", "end")
    ),
)


def check_figure(values, recordings):
    """Raise an error if no figure of the recordings can be drawn."""
    figure, start, end = (values[name] for name in ("figure", "figure_start", "figure_end"))
    for name, value in (("start", start), ("end", end)):
        if figure is None and value is not None:
            raise click.UsageError(f"--figure-{name} needs --figure.")
    if figure is None:
        return
    if end is not None and end <= (start or 0):
        raise click.UsageError(
            f"--figure-end {end:g} must be after the start of the figure, {start or 0:g} s."
        )
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
    if start is not None:
        shown_part(recordings[0], start, end)  # which raises an error before any work is done


def shown_part(recording, start, end):
    """Return the part of a recording that is drawn, as a Clip, or the path of all of it.

    Raise ValueError if the recording ends before it.
    """
    from skdaf import Clip
    from skdaf._audio.reading import read_info

    info = read_info(Clip(recording))
    duration = info.n_frames / info.sampling_rate
    if (start or 0) >= duration:
        raise ValueError(
            f"--figure-start {start:g} is not before the end of {recording!r} ({duration:.4g} s)."
        )
    if start is None and end is None:
        if duration > _MOST_SECONDS:
            note(f"The figure shows {duration:.4g} s: --figure-start and --figure-end show a part.")
        return recording
    return Clip(recording, start or 0, None if end is None or end >= duration else end)


def draw_segments(figure, windows, recording, truth, merging):
    """Draw the windows and the segments of a recording, or of a Clip of it."""
    from skdaf import SegmentsDisplay

    true = None if truth is None else truth.tables[0]
    _save(SegmentsDisplay.from_predictions(true, windows, path=recording, **merging), figure)


def draw_values(figure, windows, recording, smooth):
    """Draw the numbers of a recording, or of a Clip of it."""
    from skdaf import ValuesDisplay

    _save(ValuesDisplay.from_predictions(None, windows, path=recording, smooth=smooth), figure)


def _save(display, figure):
    with replacing(figure) as part:
        display.figure_.savefig(part, format=Path(figure).suffix[1:].lower())
    note(f"Wrote {figure}")

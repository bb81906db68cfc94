"""The command segments: divide a long recording into labeled segments."""

import warnings

import click

from skdaf.cli._options import model_argument, output_option, using_options, window_options
from skdaf.cli._paths import InputPath
from skdaf.cli._predicting import probability_classifier
from skdaf.cli._program import Command, note, verbosity
from skdaf.cli._tables import format_by_name, show
from skdaf.cli._text import echo, to_json, visible

# Formats that write_segments writes, without probabilities.
_LABEL_FORMATS = ("audacity", "raven")


class Threshold(click.ParamType):
    """``P`` or ``CLASS=P``; the value is a pair of the class (or None) and the probability."""

    name = "threshold"

    def convert(self, value, param, ctx):
        """Return the class and the probability."""
        label, equals, text = value.rpartition("=")
        try:
            return label if equals else None, float(text)
        except ValueError:
            self.fail(f"{value!r} must have the form P or CLASS=P, with a number P.", param, ctx)


@click.command(cls=Command)
@model_argument
@click.argument("recording", type=InputPath(dir_okay=False))
@window_options
@click.option(
    "--smooth",
    type=float,
    default=0.0,
    show_default=True,
    metavar="SECONDS",
    help="Replace the label of each window by the most frequent one in a span of this many seconds "
    "around it. Must be an odd multiple of the step.",
)
@click.option(
    "--min-duration",
    type=float,
    default=0.0,
    show_default=True,
    metavar="SECONDS",
    help="Merge segments shorter than this many seconds into their neighbors.",
)
@click.option(
    "--threshold",
    "thresholds",
    type=Threshold(),
    multiple=True,
    metavar="[CLASS=]P",
    help="Only detect a class in windows in which its probability is at least P. CLASS=P sets the "
    "threshold of one class and can be repeated.",
)
@click.option(
    "--background",
    multiple=True,
    metavar="CLASS",
    help="Leave out segments of this class. Can be repeated. With --truth, time without an "
    "annotation belongs to the first one.",
)
@click.option("--proba", is_flag=True, help="Add the mean probability of each class.")
@click.option(
    "--truth",
    type=InputPath(dir_okay=False),
    help="Annotations of the recording: labels exported from Audacity, a selection table of Raven, "
    "results of BirdNET, or CSV lines of the form start,end,label. Print how well the segments "
    "agree with them, instead of the segments.",
)
@click.option(
    "--format",
    "format_",
    type=click.Choice(["table", "csv", "json", "audacity", "raven"]),
    help="Format of the results; audacity and raven need --output.  [default: from the extension "
    "of the output file, else table]",
)
@output_option("Write the segments to this file: *.csv, *.json, or otherwise Audacity labels.")
@using_options
def segments(
    model,
    recording,
    window,
    step,
    smooth,
    min_duration,
    thresholds,
    background,
    proba,
    truth,
    format_,
    output,
    trust,
    n_jobs,
):
    """Divide a long recording into labeled segments.

    Windows of the recording are classified, and neighboring windows with the same label become one
    segment.

    Example: skdaf segments model.skops meeting.wav --step 0.5 -o labels.txt
    """
    from skdaf import merge_segments, predict_segments

    _check_format(format_, truth, output)
    threshold, background = _threshold(thresholds), list(background) or None
    annotations = None if truth is None else _read_truth(truth, background)
    classifier = probability_classifier(model, proba, trust=trust, n_jobs=n_jobs, verbose=0)
    _check_background(background, classifier, annotations)
    options = {"window": window, "step": step, "threshold": threshold}
    windows = predict_segments(classifier, recording, **options, verbose=verbosity())
    found = merge_segments(windows, min_duration=min_duration, smooth=smooth, background=background)
    found = found if proba else found[["start", "end", "label"]]
    if output is not None:
        _write_segments(found, output, format_ if truth is None else None)
    if annotations is not None:
        # Annotations may end a little after the last sample.
        duration = max(windows.end.max(), annotations.end.max())
        _show_agreement(annotations, found, format_, background=background, duration=duration)
    elif output is None:
        show(found, format_)


def _check_format(format_, truth, output):
    if truth is not None and format_ not in ("table", "json", None):
        raise click.UsageError("With --truth, --format must be table or json.")
    if format_ in _LABEL_FORMATS and output is None:
        raise click.UsageError(f"--format {format_} requires --output.")


def _check_background(background, classifier, annotations):
    known = {str(label) for label in classifier.classes_}
    known |= set() if annotations is None else {*annotations.label}
    unknown = [label for label in background or () if label not in known]
    if unknown:
        raise ValueError(
            f"--background {unknown[0]!r} is not a class: the classes are {sorted(known)}."
        )


def _threshold(values):
    """Return the parameter `threshold` of `predict_segments`."""
    if not values:
        return None
    labels = [label for label, _ in values]
    if None not in labels:
        return dict(values)
    if len(values) > 1:
        raise click.UsageError("--threshold can only be repeated with classes, CLASS=P.")
    return values[0][1]


def _read_truth(path, background):
    """Return annotations; called before predicting, so that errors are reported early."""
    from skdaf import read_segments

    table = read_segments(path)
    is_span, has_label = table.start < table.end, table.label != ""
    spans = table[is_span & has_label]
    for n_left_out, problem in (
        ((~is_span).sum(), "without a duration"),
        ((is_span & ~has_label).sum(), "without a label"),
    ):
        if n_left_out:
            segments = "segment" if n_left_out == 1 else "segments"
            warnings.warn(f"Left out {n_left_out} {segments} {problem} in {path!r}.", stacklevel=2)
    if spans.empty and background is None:
        raise ValueError(f"{path!r} contains no segments: expected lines of start, end and label.")
    return spans


def _write_segments(found, output, format_):
    from skdaf import write_segments

    if format_ not in _LABEL_FORMATS and (format_ or format_by_name(output)):
        show(found, format_, output)
    else:
        write_segments(found, output, format=format_ or "audacity")
        note(f"Wrote {len(found)} segments to {output}")


def _show_agreement(annotations, found, format_, **options):
    """Print how well segments agree with annotations, as text or as JSON."""
    from skdaf import segment_report

    if format_ != "json":
        shown = (table.assign(label=table.label.map(visible)) for table in (annotations, found))
        if options["background"] is not None:
            options["background"] = [visible(label) for label in options["background"]]
        echo(str(segment_report(*shown, **options)))
        return
    facts = vars(segment_report(annotations, found, **options))
    echo(to_json({name: _json_value(value) for name, value in facts.items()}))


def _json_value(value):
    """Return a table as nested dicts. JSON has no NaN: scores that do not exist are None."""
    if hasattr(value, "to_dict"):
        value = value.to_dict("index")
    if isinstance(value, dict):
        return {name: _json_value(one) for name, one in value.items()}
    return None if value != value else value

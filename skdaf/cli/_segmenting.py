"""The command segments: divide a long recording into labeled segments."""

import warnings

import click

from skdaf.cli._models import load_predictor
from skdaf.cli._options import model_argument, output_option, using_options, window_options
from skdaf.cli._paths import InputPath
from skdaf.cli._program import Command, note, verbosity
from skdaf.cli._raw_audio import STANDARD_INPUT, check_raw_audio_options, raw_audio_options
from skdaf.cli._streaming import Stream
from skdaf.cli._tables import format_by_name, show
from skdaf.cli._text import echo, to_json, visible
from skdaf.cli._thresholds import as_threshold, threshold_option

# Parameters that do not apply to numbers.
_FOR_CLASSES = ("min_duration", "thresholds", "background", "truth", "collar")

_COLUMNS = ["start", "end", "label"]

# Formats that write_segments writes.
_LABEL_FORMATS = ("audacity", "raven")


@click.command(cls=Command)
@model_argument
@click.argument("recording", type=InputPath(dir_okay=False, allow_dash=True))
@raw_audio_options
@window_options
@click.option(
    "--smooth",
    type=float,
    default=0.0,
    show_default=True,
    metavar="SECONDS",
    help="Replace the label of each window by the most frequent one in a span of this many seconds "
    "around it, or its number by the median. Must be an odd multiple of the step.",
)
@click.option(
    "--min-duration",
    type=float,
    default=0.0,
    show_default=True,
    metavar="SECONDS",
    help="Merge segments shorter than this many seconds into their neighbors.",
)
@threshold_option
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
    "--collar",
    type=float,
    metavar="SECONDS",
    help="With --truth, how far the start of an event may be from the true one: about half a "
    "window, and a step. Windows of 1 s cannot meet the default.  [default: 0.2]",
)
@click.option(
    "--format",
    "format_",
    type=click.Choice(["table", "csv", "json", "audacity", "raven"], case_sensitive=False),
    help="Format of the results; audacity and raven need --output.  [default: from the name of the "
    "output file, else table]",
)
@output_option(
    "Write the segments to this file: *.csv, *.json, *.selections.txt (Raven), or otherwise "
    "Audacity labels (numbers: CSV)."
)
@using_options
def segments(
    model,
    recording,
    rate,
    channels,
    sample_format,
    window,
    step,
    smooth,
    min_duration,
    thresholds,
    background,
    proba,
    truth,
    collar,
    format_,
    output,
    trust,
    n_jobs,
):
    """Divide a long recording into labeled segments.

    Windows of the recording are classified, and neighboring windows with the same label become one
    segment. With several labels per recording, each label has its own segments, which may overlap.
    A model that predicts numbers gives a row for each window instead, smoothed by a median.

    If RECORDING is -, raw samples are read from standard input, and each segment is printed as soon
    as it has ended.

    Example: skdaf segments model.skops meeting.wav --step 0.5 -o labels.txt
    """
    from sklearn.base import is_regressor

    from skdaf._segments.predict import is_multilabel

    check_raw_audio_options(recording, rate, channels, sample_format)
    _check_format(format_, truth, output)
    _check_collar(collar, truth)
    threshold, background = as_threshold(thresholds), list(background) or None
    annotations, annotated = (None, set()) if truth is None else _read_truth(truth, background)
    predictor = load_predictor(model, proba=proba, trust=trust, n_jobs=n_jobs, verbose=0)
    stream = Stream(rate, channels, sample_format) if recording == STANDARD_INPUT else None
    options = {"window": window, "step": step}
    if is_regressor(predictor):
        _check_curve(format_)
        _curve(predictor, stream or recording, options, smooth, format_, output)
        return
    several = is_multilabel(predictor)
    if not several:
        # With several labels, none is needed for time without an event, but it may have a name.
        _check_background(background, predictor, annotated)
    options["threshold"] = threshold
    merging = {"min_duration": min_duration, "smooth": smooth, "multilabel": several}
    merging["background"] = _known(background, predictor)
    kind = format_ if truth is None else None
    if stream is None:
        found, end = _segments(predictor, recording, options, merging, proba)
        if output is not None:
            _write_segments(found, output, kind)
    else:
        writing = {"format_": kind, "output": output, "quiet": annotations is not None}
        found, end = _live_segments(predictor, stream, options, merging, proba, **writing)
    if annotations is not None:
        # Annotations may end a little after the last sample.
        scoring = {"duration": max(end, annotations.end.max()), "multilabel": several}
        scoring |= {} if collar is None else {"collar": collar}
        _show_agreement(annotations, found, format_, background=background, **scoring)
    elif output is None and stream is None:
        show(found, format_)


def _segments(classifier, recording, options, merging, proba):
    """Return the segments of a recording, and its end in seconds."""
    from skdaf import merge_segments, predict_segments

    windows = predict_segments(classifier, recording, **options, verbose=verbosity())
    found = merge_segments(windows, **merging)
    return found if proba else found[_COLUMNS], windows.end.max()


def _live_segments(classifier, stream, options, merging, proba, format_, output, quiet):
    """Print or write segments of standard input as they come; return the same as `_segments`."""
    import pandas as pd

    from skdaf import merge_stream
    from skdaf._estimators.fitted import names_of_labels

    rows = merge_stream(stream.rows(classifier, **options), **merging)
    if not proba:
        rows = ({name: row[name] for name in _COLUMNS} for row in rows)

    def as_table(rows):
        table = pd.DataFrame(rows, columns=stream.names if proba else _COLUMNS)
        # Segments of several labels come in the order in which they end.
        return table.sort_values(["start", "end"], kind="stable", ignore_index=True)

    def write(rows, announce):
        _write_segments(as_table(rows), output, format_, announce)

    rows = stream.consume(rows, None if output is None else write)
    if output is None and not quiet:
        stream.show(rows, _COLUMNS, format_, names_of_labels(classifier))
    found = list(rows)
    stream.raise_problem()
    return as_table(found), stream.end


def _check_format(format_, truth, output):
    if truth is not None and format_ not in ("table", "json", None):
        raise click.UsageError("With --truth, --format must be table or json.")
    if format_ in _LABEL_FORMATS and output is None:
        raise click.UsageError(f"--format {format_} requires --output.")


def _check_collar(collar, truth):
    if collar is not None and truth is None:
        raise click.UsageError("--collar needs --truth.")


def _curve(regressor, recording, options, smooth, format_, output):
    """Print or write the numbers of a recording, or of a Stream, over time."""
    import pandas as pd

    from skdaf import predict_segments
    from skdaf._segments.smoothing import smooth_stream, smooth_values

    default = "table" if output is None else "csv"
    if not isinstance(recording, Stream):
        windows = predict_segments(regressor, recording, **options, verbose=verbosity())
        show(smooth_values(windows, smooth), format_, output, default)
        return

    def write(rows, announce):
        show(pd.DataFrame(rows), format_, output, default, announce)

    rows = smooth_stream(recording.rows(regressor, **options), smooth)
    rows = recording.consume(rows, None if output is None else write)
    if output is None:
        recording.show(rows, ["start", "end", "value"], format_)
    for _ in rows:
        pass
    recording.raise_problem()


def _check_curve(format_):
    """Check that no option was given that needs classes."""
    context = click.get_current_context()
    for parameter in context.command.params:
        if parameter.name not in _FOR_CLASSES:
            continue
        if context.get_parameter_source(parameter.name).name != "DEFAULT":
            raise click.UsageError(
                f"{parameter.opts[0]} needs a model that predicts classes, and this one predicts "
                "numbers."
            )
    if format_ in _LABEL_FORMATS:
        raise click.UsageError(f"--format {format_} contains labels: use csv or json for numbers.")


def _known(background, classifier):
    """Return the background labels that the classifier knows; others only occur in annotations."""
    from skdaf._estimators.fitted import names_of_labels

    classes = {str(label) for label in names_of_labels(classifier)}
    return [label for label in background or () if label in classes]


def _check_background(background, classifier, annotated):
    from skdaf._estimators.fitted import names_of_labels

    known = {str(label) for label in names_of_labels(classifier)} | annotated
    unknown = [label for label in background or () if label not in known]
    if unknown:
        raise ValueError(
            f"--background {unknown[0]!r} is not a class: the classes are {sorted(known)}."
        )


def _read_truth(path, background):
    """Return annotations with a duration, and all labels in the file.

    Called before predicting, so that errors are reported early.
    """
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
    return spans, {*table.label} - {""}


def _write_segments(found, output, format_, announce=True):
    from skdaf import write_segments

    if format_ not in _LABEL_FORMATS and (format_ or format_by_name(output)):
        show(found, format_, output, announce=announce)
    else:
        write_segments(found, output, format=format_)
        if announce:
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

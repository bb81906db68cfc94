"""The command segments: divide long recordings into labeled segments."""

import os

import click

from skdaf.cli._agreement import Truth, annotated, check_truth_options, truth_options
from skdaf.cli._decimal_comma import decimal_comma_option
from skdaf.cli._figures import check_figure, draw_segments, draw_values, figure_options, shown_part
from skdaf.cli._models import load_predictor
from skdaf.cli._options import model_argument, output_option, using_options, window_options
from skdaf.cli._paths import InputPath
from skdaf.cli._program import Command, verbosity
from skdaf.cli._raven import check_raven_options, frequency_option, raven_parameters
from skdaf.cli._raw_audio import STANDARD_INPUT, check_raw_audio_options, raw_audio_options
from skdaf.cli._results import (
    COLUMNS,
    LABEL_FORMATS,
    OutputFileOrFolder,
    Results,
    check_output,
    is_folder,
    write_segments,
)
from skdaf.cli._skipping import readable, skip_option
from skdaf.cli._smoothing import warn_about_smooth
from skdaf.cli._streaming import Stream
from skdaf.cli._tables import audio_files
from skdaf.cli._thresholds import as_threshold, threshold_option

# Parameters that do not apply to numbers.
_FOR_CLASSES = (
    *("min_duration", "drop_shorter_than", "thresholds", "background", "truth", "collar"),
    *(
        "skip_unannotated",
        "tune_thresholds",
        "max_false_alarms_per_hour",
        "label_column",
        "frequency_range",
    ),
)


@click.command(cls=Command)
@model_argument
@click.argument(
    "recordings",
    type=InputPath(allow_dash=True),
    nargs=-1,
    required=True,
    metavar="RECORDING...",
)
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
    help="Merge segments shorter than this many seconds into their neighbors. Short pauses between "
    "events are merged into these, too.",
)
@click.option(
    "--drop-shorter-than",
    type=float,
    default=0.0,
    show_default=True,
    metavar="SECONDS",
    help="Drop segments shorter than this many seconds. Their neighbors do not change.",
)
@threshold_option
@click.option(
    "--background",
    multiple=True,
    metavar="CLASS",
    help="Leave out segments of this class. Can be repeated. With --truth, time without an "
    "annotation belongs to the first one.",
)
@click.option(
    "--proba",
    is_flag=True,
    help="Add the probability of each class: the highest one in the windows of each segment.",
)
@truth_options
@frequency_option
@figure_options
@skip_option
@click.option(
    "--format",
    "format_",
    type=click.Choice(["table", "csv", "json", "audacity", "raven"], case_sensitive=False),
    help="Format of the results; audacity and raven need --output.  [default: from the name of the "
    "output file, else table]",
)
@output_option(
    "Write the segments to this file: *.csv, *.json, *.selections.txt (Raven), or otherwise "
    "Audacity labels (numbers: CSV). For a folder (FOLDER/), which is created if it is "
    "missing, write a file for each recording, such as SITE01.skdaf.txt.",
    OutputFileOrFolder(),
)
@decimal_comma_option
@using_options
def segments(model, recordings, **values):
    """Divide long recordings into labeled segments.

    Windows of a recording are classified, and neighboring windows with the same label become one
    segment. With several labels per recording, each label has its own segments, which may overlap.
    A model that predicts numbers gives a row for each window instead, smoothed by a median.

    RECORDING can be a folder, and there can be several: the results then have a column with the
    file, or are written to a file for each recording. If RECORDING is -, raw samples are read from
    standard input, and each segment is printed as soon as it has ended.

    Example: skdaf segments model.skops meeting.wav --step 0.5 -o labels.txt
    """
    is_live = STANDARD_INPUT in recordings
    if is_live and len(recordings) > 1:
        raise click.UsageError("Standard input (-) must be the only recording.")
    raw = [values.pop(name) for name in ("rate", "channels", "sample_format")]
    check_raw_audio_options(recordings[0], *raw)
    check_truth_options(values)
    several = len(recordings) > 1 or os.path.isdir(recordings[0])
    check_output(values, several)
    check_raven_options(values)
    files = list(recordings) if is_live else annotated(audio_files(recordings), values)
    check_figure(values, files)
    _check_live(is_live, values)
    _check_skipping(is_live, values["skip_unreadable"])
    loading = {name: values[name] for name in ("proba", "trust", "cache", "n_jobs")}
    loading["threshold"] = bool(values["thresholds"])
    predictor = load_predictor(model, **loading, verbose=0)
    stream = Stream(*raw) if is_live else None
    with readable(files, values["skip_unreadable"], values["n_jobs"]) as files:
        _Job(predictor, files, several, values).run(stream)


class _Job:
    """What the command does with its recordings.

    Parameters
    ----------
    predictor : estimator
    files : list of str
        The recordings.
    several : bool
        Whether results have a column of recordings.
    values : dict
        The other options of the command.
    """

    def __init__(self, predictor, files, several, values):
        self.predictor, self.files, self.several = predictor, files, several
        self.values, self.background = values, list(values["background"]) or None
        self.truth = None
        if values["truth"]:
            self.truth = Truth(files, values["truth"], self.background, values["label_column"])
        self.windows = {name: values[name] for name in ("window", "step")}
        self.output, self.smooth = values["output"], values["smooth"]
        # With --truth, --format is that of the report.
        self.format = values["format_"] if self.truth is None else None

    def run(self, stream):
        """Do what the options say, with standard input if there is a stream."""
        from sklearn.base import is_regressor

        if is_regressor(self.predictor):
            _check_curve(self.values["format_"])
            self.curves() if stream is None else self.live_curve(stream)
        elif self.values["tune_thresholds"]:
            self.tune()
        else:
            self.segments() if stream is None else self.live_segments(stream)

    def segments(self):
        """Print or write the segments of all recordings, and how well they agree with the truth."""
        from skdaf import merge_segments

        merging, kept = self._merging(), []
        results = self._results("audacity")
        for file in self.files:
            windows = self._predict(file, threshold=as_threshold(self.values["thresholds"]))
            warn_about_smooth(windows, self.smooth)
            found = merge_segments(windows, **merging)
            found = found if self.values["proba"] else found[COLUMNS]
            if self.values["figure"] is not None:
                draw_segments(
                    self.values["figure"], windows, self._shown(file), self.truth, merging
                )
            if self.truth is None or self.output is not None:
                results.add(file, found)
            if self.truth is not None:
                kept.append(found[COLUMNS])
        results.finish(quiet=self.truth is not None)
        if self.truth is not None:
            self._show_agreement(kept)

    def live_segments(self, stream):
        """Print or write segments of standard input as they come."""
        merging, options = self._merging(), dict(self.windows)
        options["threshold"] = as_threshold(self.values["thresholds"])
        writing = {"format_": self.format, "output": self.output, "raven": self._raven()}
        writing["quiet"] = self.truth is not None
        proba = self.values["proba"]
        found = _live_segments(self.predictor, stream, options, merging, proba, **writing)
        if self.truth is not None and self.truth.end_at(stream.end):
            self._show_agreement([found])
        stream.raise_problem()

    def curves(self):
        """Print or write the numbers of all recordings over time."""
        from skdaf._segments.smoothing import smooth_values

        results = self._results("csv")
        for file in self.files:
            windows = self._predict(file)
            if self.values["figure"] is not None:
                draw_values(self.values["figure"], windows, self._shown(file), self.smooth)
            warn_about_smooth(windows, self.smooth)
            results.add(file, smooth_values(windows, self.smooth))
        results.finish()

    def live_curve(self, stream):
        """Print or write the numbers of standard input as they come."""
        _live_curve(self.predictor, stream, self.windows, self.smooth, self.format, self.output)

    def tune(self):
        """Print the thresholds that fit the annotations."""
        if not hasattr(self.predictor, "predict_proba"):
            raise ValueError(
                "--tune-thresholds needs probabilities, which this model does not predict."
            )
        _check_background(self.background, self.predictor, self.truth.labels)
        self.truth.keep_classes(_classes_of(self.predictor), self.background or [])
        self.truth.show_thresholds(
            [self._predict(file) for file in self.files],
            self.values["format_"],
            background=self.background,
            max_false_alarms_per_hour=self.values["max_false_alarms_per_hour"],
            **self._merging_of_labels(),
        )

    def _predict(self, file, **options):
        from skdaf import predict_segments

        return predict_segments(
            self.predictor, file, **self.windows, **options, verbose=verbosity()
        )

    def _shown(self, file):
        return shown_part(file, self.values["figure_start"], self.values["figure_end"])

    def _merging(self):
        """Return the parameters of `merge_segments`, after a check of the background."""
        from skdaf._segments.predict import is_multilabel

        several_labels = is_multilabel(self.predictor)
        if not several_labels:
            # With several labels, none is needed for time without an event, but it may have a name.
            annotated = set() if self.truth is None else self.truth.labels
            _check_background(self.background, self.predictor, annotated)
        return {
            **self._merging_of_labels(),
            "background": _known(self.background, self.predictor),
        }

    def _merging_of_labels(self):
        from skdaf._segments.predict import is_multilabel

        names = ("smooth", "min_duration", "drop_shorter_than")
        options = {name: self.values[name] for name in names}
        return {**options, "multilabel": is_multilabel(self.predictor)}

    def _results(self, default):
        inputs = [] if self.truth is None else self.truth.files
        return Results(
            self.files, self.several, self.format, self.output, inputs, default, self._raven()
        )

    def _raven(self):
        return raven_parameters(self.values, self.truth, self.predictor)

    def _show_agreement(self, found):
        from skdaf._segments.predict import is_multilabel

        self.truth.show_agreement(
            found,
            self.values["format_"],
            background=self.background,
            collar=self.values["collar"],
            multilabel=is_multilabel(self.predictor),
        )


def _live_segments(classifier, stream, options, merging, proba, format_, output, quiet, raven):
    """Print or write segments of standard input as they come; return them."""
    import pandas as pd

    from skdaf import merge_stream
    from skdaf._estimators.fitted import names_of_labels

    rows = merge_stream(stream.rows(classifier, **options), **merging)
    if not proba:
        rows = ({name: row[name] for name in COLUMNS} for row in rows)

    def as_table(rows):
        table = pd.DataFrame(rows, columns=stream.names if proba else COLUMNS)
        # Segments of several labels come in the order in which they end.
        return table.sort_values(["start", "end"], kind="stable", ignore_index=True)

    def write(rows, announce):
        write_segments(as_table(rows), output, format_, announce=announce, raven=raven)

    rows = stream.consume(rows, None if output is None else write)
    if output is None and not quiet:
        stream.show(rows, COLUMNS, format_, names_of_labels(classifier))
    return as_table(list(rows))


def _check_skipping(is_live, is_on):
    if is_live and is_on:
        raise click.UsageError("--skip-unreadable needs files: standard input is read once.")


def _check_live(is_live, values):
    """Check that no option was given that needs a file."""
    if is_live and values["tune_thresholds"]:
        raise click.UsageError("--tune-thresholds needs files: standard input is not kept.")
    if is_live and values["cache"] is not None:
        raise click.UsageError("--cache needs files: standard input cannot be recognized again.")
    if is_live and values["output"] is not None and is_folder(values["output"]):
        raise click.UsageError(
            f"--output {values['output']!r} is a folder, but standard input has no name: name a "
            "file in it."
        )


def _live_curve(regressor, stream, options, smooth, format_, output):
    """Print or write the numbers of standard input over time, as they come."""
    import pandas as pd

    from skdaf._segments.smoothing import smooth_stream

    def write(rows, announce):
        write_segments(pd.DataFrame(rows), output, format_, "csv", announce)

    rows = smooth_stream(stream.rows(regressor, **options), smooth)
    rows = stream.consume(rows, None if output is None else write)
    if output is None:
        stream.show(rows, ["start", "end", "value"], format_)
    for _ in rows:
        pass
    stream.raise_problem()


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
    if format_ in LABEL_FORMATS:
        raise click.UsageError(f"--format {format_} contains labels: use csv or json for numbers.")


def _classes_of(classifier):
    """Return the classes as text."""
    from skdaf._estimators.fitted import names_of_labels

    return {str(label) for label in names_of_labels(classifier)}


def _known(background, classifier):
    """Return the background labels that the classifier knows; others only occur in annotations."""
    return [label for label in background or () if label in _classes_of(classifier)]


def _check_background(background, classifier, annotated):
    known = _classes_of(classifier) | annotated
    unknown = [label for label in background or () if label not in known]
    if unknown:
        raise ValueError(
            f"--background {unknown[0]!r} is not a class: the classes are {sorted(known)}."
        )

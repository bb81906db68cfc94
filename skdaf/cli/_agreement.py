"""The options --truth and --tune-thresholds of segments: compare segments with annotations."""

import shlex

import click

from skdaf.cli._annotated_time import read_annotations, within_file, within_stream
from skdaf.cli._annotations import AnnotationsPath, tables_of
from skdaf.cli._options import combine_options, is_given
from skdaf.cli._program import note
from skdaf.cli._raw_audio import STANDARD_INPUT
from skdaf.cli._text import echo, to_json, visible

# Options for segments, which --tune-thresholds does not print.
_FOR_SEGMENTS = ("thresholds", "proba", "collar", "output", "figure", "frequency_range")

_RATE = "false_alarms_per_hour"

truth_options = combine_options(
    click.option(
        "--truth",
        type=AnnotationsPath(),
        multiple=True,
        metavar="PATH",
        help="Annotations of the recording: labels exported from Audacity, a selection table of "
        "Raven, results of BirdNET, or CSV lines of the form start,end,label. Print how well the "
        "segments agree with them, instead of the segments. For several recordings, the folder of "
        "the tables, whose names begin with those of the recordings.",
    ),
    click.option(
        "--skip-unannotated",
        is_flag=True,
        help="With --truth, leave out recordings that have no table.",
    ),
    click.option(
        "--label-column",
        metavar="NAME",
        help="Column of the labels in the tables of --truth, and in tables written for Raven.  "
        "[default: in Raven tables as in those of --truth, or Annotation]",
    ),
    click.option(
        "--collar",
        type=float,
        metavar="SECONDS",
        help="With --truth, how far the start of an event may be from the true one: about half a "
        "window, and a step. Windows of 1 s cannot meet the default.  [default: 0.2]",
    ),
    click.option(
        "--tune-thresholds",
        is_flag=True,
        help="With --truth, print the --threshold of each class with the best F1 over the windows "
        "instead, after --smooth, --min-duration and --drop-shorter-than. Use recordings that the "
        "model was not trained on. Thresholds are rounded down to digits that the same windows "
        "reach.",
    ),
    click.option(
        "--max-false-alarms-per-hour",
        type=click.FloatRange(0),
        metavar="N",
        help="With --tune-thresholds, raise thresholds until all classes together make at most N "
        "false alarms per hour, so that as many events as possible are still found.",
    ),
)


def check_truth_options(values):
    """Raise UsageError if options do not fit --truth and --tune-thresholds."""
    truth, tune = values["truth"], values["tune_thresholds"]
    if truth and values["format_"] not in ("table", "json", None):
        raise click.UsageError("With --truth, --format must be table or json.")
    for name in ("collar", "skip_unannotated", "tune_thresholds"):
        if is_given(values[name]) and not truth:
            raise click.UsageError(f"{_option(name)} needs --truth.")
    if values["max_false_alarms_per_hour"] is not None and not tune:
        raise click.UsageError("--max-false-alarms-per-hour needs --tune-thresholds.")
    source = click.get_current_context().get_parameter_source
    for name in _FOR_SEGMENTS if tune else ():
        if source(name).name != "DEFAULT":
            raise click.UsageError(f"--tune-thresholds prints no segments: omit {_option(name)}.")


def _option(name):
    names = {p.name: p.opts[0] for p in click.get_current_context().command.params}
    return names[name]


def annotated(files, values):
    """Return the recordings to compare: with --skip-unannotated, only those that have a table.

    Without any, all are returned: the error about a missing table is clearer.
    """
    if not values["skip_unannotated"] or len(files) == 1:  # whose table may have any name
        return files
    from skdaf._segments.matching import table_files, with_tables

    kept = with_tables(files, table_files(values["truth"]))
    skipped = sorted({*files} - {*kept})
    if kept and skipped:
        note(f"Skipped {len(skipped)} without a table: {', '.join(map(repr, skipped))}.")
    return kept or files


class Truth:
    """The annotations of recordings.

    Attributes
    ----------
    files : list of str
        The file of each recording.
    tables : list of DataFrame
        The annotations with a duration and a label, up to the end of the recording.
    durations : list of float
        The duration of each recording in seconds; unknown for standard input until it has ended.
    labels : set of str
        All labels in the files.
    label_column : str or None
        The column of labels, if the files are tables of Raven.
    """

    def __init__(self, recordings, paths, background, label_column):
        from skdaf._segments.reading import label_column_of

        self.files = tables_of(recordings, paths, "--truth")
        found = [read_annotations(file, label_column) for file in self.files]
        names = (label_column_of(file) for file in self.files)
        self.label_column = next(filter(None, names), None)
        self.tables = [table for table, _ in found]
        self.labels = {label for _, labels in found for label in labels}
        if background is None and all(table.empty for table in self.tables):
            raise ValueError(
                f"{self.files[0]!r} contains no segments: expected lines of start, end and label."
            )
        self.durations, self._has_background = None, background is not None
        if recordings != [STANDARD_INPUT]:
            # Now, because a prediction may take hours.
            pairs = map(within_file, self.tables, self.files, recordings)
            self.tables, self.durations = map(list, zip(*pairs, strict=True))

    def end_at(self, seconds):
        """Compare with the annotations until standard input ended; return whether that is possible.

        A signal or an error may end it before the first annotation, or before the first sample.
        """
        self.tables = [within_stream(self.tables[0], self.files[0], seconds)]
        self.durations = [seconds]
        is_possible = seconds > 0 and (self._has_background or not self.tables[0].empty)
        if not is_possible:
            note(f"Nothing is compared: there are no annotations of the first {seconds:g} s.")
        return is_possible

    def show_agreement(self, found, format_, *, background, collar, multilabel):
        """Print how well segments agree with the annotations, as text or as JSON."""
        from skdaf import segment_report

        if background is None:
            self._note_other_labels(found)
        options = {"multilabel": multilabel, "background": background, "duration": self.durations}
        options |= {} if collar is None else {"collar": collar}
        if format_ == "json":
            facts = vars(segment_report(self.tables, found, **options))
            echo(to_json({name: _json_value(value) for name, value in facts.items()}))
            return
        shown = (
            [t.assign(label=t.label.map(visible)) for t in some] for some in (self.tables, found)
        )
        if background is not None:
            options["background"] = [visible(label) for label in background]
        echo(str(segment_report(*shown, **options)))

    def _note_other_labels(self, found):
        """Print which classes were found but not annotated: there may be no such events."""
        others = sorted({str(x) for table in found for x in table.label} - self.labels)
        if others:
            options = " ".join(f"--background {shlex.quote(label)}" for label in others)
            note(f"Not in the annotations: {others}. If they are no events, add {options}.")

    def keep_classes(self, classes, background):
        """Leave out annotations of other classes than those of the model: they get no threshold.

        Raise ValueError if no event is left.
        """
        others = sorted(self.labels - {*classes, *background})
        if others:
            note(f"Not classes of the model, so they get no threshold: {others}.")
        known = {*classes} - {*background}
        kept = [table[~table.label.isin(others)] for table in self.tables]
        if not any(table.label.isin(known).any() for table in kept):
            raise ValueError(
                "--tune-thresholds needs annotated events, but --truth has none of the classes "
                f"{sorted(known)}."
            )
        self.tables = kept

    def show_thresholds(self, windows, format_, **options):
        """Print the thresholds that fit the windows of the recordings, as options or as JSON.

        What they change is printed to standard error. `options` are those of `tune_thresholds`.
        """
        from skdaf import tune_thresholds

        found, counts = tune_thresholds(self.tables, windows, **options, return_counts=True)
        texts = {label: _shortest(value, label, windows) for label, value in found.items()}
        note(_counts_as_text(counts, texts), keep="\n")
        if format_ == "json":
            echo(to_json({label: float(text) for label, text in texts.items()}))
            return
        if not texts:
            note("No thresholds are needed.")
        for label, text in texts.items():
            echo(visible(f"--threshold {shlex.quote(f'{label}={text}')}"))


def _counts_as_text(counts, thresholds):
    """Return what thresholds change as a table: events found and false alarms, before and after."""
    import pandas as pd

    index = [visible(label) for label in counts.index]
    table = pd.DataFrame({"threshold": [thresholds.get(x, "-") for x in counts.index]}, index)
    for when, suffix in (("before", "_before"), ("after", "")):
        found, false, rate = (
            counts[f"{name}{suffix}"].tolist() for name in ("n_found", "n_false_alarms", _RATE)
        )
        table[f"found {when}"] = [
            f"{n} of {n_true}" for n, n_true in zip(found, counts.n_true, strict=True)
        ]
        table[f"false alarms {when}"] = [
            f"{n} ({per_hour:.3g}/h)" for n, per_hour in zip(false, rate, strict=True)
        ]
    return table.to_string()


def _shortest(threshold, label, windows):
    """Return a threshold with as few digits as possible that the same windows reach, as text."""
    from skdaf._segments.tables import probability_columns

    (column,) = probability_columns([label])
    below = max(
        (table[column][table[column] < threshold].max() for table in windows),
        key=lambda value: -1 if value != value else value,
    )
    for n_digits in range(2, 16):
        # Rounded down, and compared in the precision of the probabilities.
        text = f"{int(threshold * 10**n_digits) / 10**n_digits:.{n_digits}f}"
        value = windows[0][column].dtype.type(text)
        if 0 < value <= threshold and not value <= below:
            return text
    return repr(threshold)


def _json_value(value):
    """Return a table as nested dicts. JSON has no NaN: scores that do not exist are None."""
    if hasattr(value, "to_dict"):
        value = value.to_dict("index")
    if isinstance(value, dict):
        return {name: _json_value(one) for name, one in value.items()}
    return None if value != value else value

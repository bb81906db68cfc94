"""The command report: compare predictions with the true labels or numbers."""

from difflib import get_close_matches

import click

from skdaf.cli._csv import csv_text
from skdaf.cli._decimal_comma import decimal_comma_option
from skdaf.cli._inputs import errors_name_table, find_inputs
from skdaf.cli._models import load_predictor
from skdaf.cli._multilabel import is_indicator
from skdaf.cli._options import model_argument, output_option, using_options
from skdaf.cli._paths import ReportFile
from skdaf.cli._program import Command, note, recorded_warnings
from skdaf.cli._recordings import folders_argument, recordings_options, table_of_model_option
from skdaf.cli._report_tables import report_table
from skdaf.cli._reports import report_data, report_text
from skdaf.cli._scores import predictions_of
from skdaf.cli._spelling import OptionSpelling
from skdaf.cli._tables import format_by_name, write
from skdaf.cli._text import to_json


@click.command(cls=Command)
@model_argument
@recordings_options(folders_argument, table_of_model_option)
@click.option(
    "--group-column",
    metavar="NAME",
    help="Column of the table with the group of each recording, such as its speaker or site: also "
    "report the scores of each group, worst first.",
)
@click.option(
    "--format",
    "format_",
    type=click.Choice(["table", "csv", "json"]),
    help="Format of the report.  [default: from the extension of the output file, else table]",
)
@output_option("Write the report to this file.", ReportFile())
@decimal_comma_option
@using_options
def report(model, recordings, format_, output, trust, cache, n_jobs):
    """Compare predictions with the true labels or numbers.

    FOLDER and --table are the same as for "skdaf train". The names of the class folders, or the
    labels in the table, must be classes of the model. A model that predicts numbers needs --table
    and --column target=NAME.

    CSV has a row for each class or target, for all clips and, with --group-column, for each group.

    A model does not know which clips it was trained on, and scores on them are too good.

    Example: skdaf report model.skops new_recordings
    """
    from sklearn.base import is_regressor

    options = {"trust": trust, "cache": cache, "n_jobs": n_jobs}
    predictor = load_predictor(model, tables=True, **options)
    recordings.needs_several_groups = False
    _note_predictions(recordings.table)
    if is_regressor(predictor):
        clips, true = recordings.numbers()
        scoring = {"targets": recordings.target_names()}
    else:
        clips, true = _labeled(recordings, predictor)
        scoring = {}
    scoring["groups"] = recordings.groups
    inputs = find_inputs(model, predictor, recordings, clips)
    with errors_name_table(recordings, inputs):
        found = predictions_of(predictor, inputs.X)
        kind = format_ or format_by_name(output)
        if kind == "csv":
            text = csv_text(report_table(found, true, **scoring), output)
        elif kind == "json":
            text = to_json(report_data(found, true, **scoring))
        else:
            text = report_text(found, true, **scoring)
    write(text, output)
    if output is not None:
        note(f"Wrote {output}")


def _note_predictions(table):
    """Say that predictions in a table, which --predictions has written, are not used."""
    if table is None:
        return
    from skdaf._audio.metadata.table import as_metadata

    names = as_metadata(table, OptionSpelling()).columns
    starts = {name.partition("_")[0] for name in map(str, names)}
    if {"true", "predicted"} <= starts:
        note(
            f"The table {table!r} contains predictions, which are not used: the model predicts its "
            "recordings again, and scores are too good if it was trained on them. For the scores "
            "of the predictions of --cv, --fold-column or --test-fraction, add --scores FILE.csv "
            "to that command."
        )


def _labeled(recordings, classifier):
    """Return the recordings and their labels, which are classes of the classifier.

    Then the folders are classes, too, even a single one: only an error about other labels has the
    advice that warnings give about folders.
    """
    from skdaf._audio.label_tables import FoldersWarning

    with recorded_warnings(FoldersWarning, shown=False) as found:
        clips, labels = recordings.labeled()
    _check_classes(classifier, labels, "".join(f" {warning}" for warning in found))
    return clips, labels


def _check_classes(classifier, labels, advice):
    from skdaf._estimators.fitted import names_of_labels
    from skdaf._segments.predict import is_multilabel

    if is_indicator(labels) and not is_multilabel(classifier):
        raise ValueError(
            "The model predicts one label per recording, but the table has several: omit "
            "--label-separator, and name a single column of labels."
        )
    known = [str(name) for name in names_of_labels(classifier)]
    # Iterating over a DataFrame yields the names of its columns.
    unknown = sorted(set(map(str, labels)) - set(known))
    if unknown:
        similar = {name.lower().strip(): name for name in known}
        close = get_close_matches(unknown[0].lower().strip(), similar, 1, cutoff=0.75)
        hint = f" Instead of {unknown[0]!r}, did you mean {similar[close[0]]!r}?" if close else ""
        raise ValueError(
            f"The model has no classes for the labels {unknown}: its classes are {known}.{hint}"
            f"{advice}"
        )

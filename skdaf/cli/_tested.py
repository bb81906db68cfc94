"""The options --predictions and --scores: tables about clips that were tested."""

from skdaf.cli._inputs import files_and_times
from skdaf.cli._multilabel import is_indicator, joined
from skdaf.cli._report_tables import report_table
from skdaf.cli._tables import show


def write_tables(found, clips, targets, plan, predictions, scores):
    """Write the tables of --predictions and --scores, if their files are given.

    The parameters are those of `predictions_table`, and the values of the options.
    """
    if predictions is not None:
        show(predictions_table(found, clips, targets, plan), "csv", predictions)
    if scores is not None:
        tests = {} if plan is None else plan.tests
        table = report_table(found, clips.labels, targets, clips.groups, tests)
        show(table, "csv", scores)


def predictions_table(found, clips, targets=("target",), plan=None):
    """Return a table with a row for each clip.

    Parameters
    ----------
    found : Predictions
        Of classes, of several labels, or of numbers.
    clips : LabeledClips
        The same clips.
    targets : sequence of str
        The names of numbers.
    plan : Plan, default=None
        The folds of a cross-validation, which get a column, too.
    """
    import pandas as pd

    from skdaf._segments.tables import probability_columns

    files, times = files_and_times(clips.paths)
    places = {"path": files, **({} if times is None else times)}
    results = _numbers(found, clips, targets) if found.kind == "numbers" else _labels(found, clips)
    # The group of an annotated recording is the recording itself.
    if clips.groups is not None and not _are_paths(clips.groups, files):
        name = probability_columns([clips.groups.what], [*places, *results])[0]
        places[name] = clips.groups.values
    if plan is not None:
        places[probability_columns(["fold"], [*places, *results])[0]] = plan.fold_of_clips()
    table = places | results
    if found.probabilities is not None:
        names = probability_columns(found.names, [*table])
        table |= dict(zip(names, found.probabilities.T, strict=True))
    return pd.DataFrame(table)


def _are_paths(groups, files):
    return groups.what == "recording" and [*map(str, groups.values)] == files


def _labels(found, clips):
    """Return the true and predicted labels; several are joined, as `skdaf predict` writes them."""
    true, predicted = clips.labels, found.values
    if is_indicator(true):
        true = joined(true.to_numpy() == 1, true.columns)
        predicted = joined(predicted, found.names)
    return {"true": [*map(str, true)], "predicted": predicted}


def _numbers(found, clips, targets):
    """Return the true and predicted numbers; the names of several targets are in the columns."""
    import numpy as np

    true = np.asarray(clips.labels, dtype=float).reshape(found.values.shape)
    endings = [""] if len(targets) == 1 else [f"_{target}" for target in targets]
    columns = {}
    for place, ending in enumerate(endings):
        columns |= {f"true{ending}": true[:, place], f"predicted{ending}": found.values[:, place]}
    return columns

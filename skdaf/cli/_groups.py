"""Groups of clips, such as speakers: whole groups are held out (--group-column, --annotations)."""

import os
import warnings
from typing import Any, NamedTuple

import click

from skdaf.cli._program import note

# A note names at most this many groups.
_MAX_NAMES = 10

# Usual names of columns of groups, which a note mentions if they are not used.
_USUAL_COLUMNS = ("group", "speaker")

# Options that hold clips out for a test.
_HOLD_OUT = ("test_fraction", "cv", "fold_column")

group_option = click.option(
    "--group-column",
    metavar="NAME",
    help="Column of the table with the group of each recording, such as its speaker or site. No "
    "group is both in training and in what is held out, by --test-fraction (which is then the "
    "fraction of the groups), by --cv, or to choose the best epoch. Reports contain the scores of "
    "each group.",
)


class Groups(NamedTuple):
    """The group of each clip, and what a group is: "recording", or the name of a column."""

    values: Any
    what: str

    def of(self, rows):
        """Return the groups of some clips."""
        return Groups(self.values[rows], self.what)

    @property
    def count(self):
        """The number of different groups."""
        return len(set(self.values))

    def listed(self):
        """Return the groups as text, such as "speaker anna, ben"."""
        names = [*dict.fromkeys(map(str, self.values))]
        if self.what == "recording":
            names = [os.path.basename(name) for name in names]
        shown = listed(names)
        return shown if self.what == "recording" else f"{self.what} {shown}"


def listed(names):
    """Return the names of groups as text; of many, only the first ones."""
    others = len(names) - _MAX_NAMES
    return ", ".join(names[:_MAX_NAMES]) + (f" and {others} more" if others > 0 else "")


def groups_of_recordings(values):
    """Return the groups of clips from annotated recordings."""
    return Groups(values, "recording")


def groups_of_column(values, column, path_column, needs_several):
    """Return the `Groups` in a column of a table, after a check that they are useful.

    Parameters
    ----------
    values : ndarray
        The group of each row.
    column, path_column : str
        The columns of the groups and of the paths.
    needs_several : bool
        Whether a single group is an error.
    """
    groups = Groups(values, column)
    if needs_several and groups.count < 2:
        raise ValueError(
            f"All rows have the same group, {column}={str(values[0])!r}: --group-column "
            f"{column} needs at least two groups, so that one can be held out."
        )
    note_similar_groups(groups)
    _check_groups_differ(groups, path_column)
    return groups


def check_group_column(column, columns):
    """Raise UsageError if whole classes would be held out, which a model cannot learn.

    Parameters
    ----------
    column : str or None
        The column of the groups.
    columns : dict
        The columns of the table that are used, by the names of parameters of `load_audio_table`.
    """
    if column is None or not _trains():
        return
    for name, what in (("label", "labels"), ("target", "numbers to learn")):
        if is_used(column, columns.get(name)):
            raise click.UsageError(
                f"--group-column {column} is the column of the {what}. Name a column of what "
                "recordings have in common, such as their speaker or site."
            )


def _check_groups_differ(groups, path_column):
    """Raise UsageError if each recording is its own group by its path; note it for other columns.

    Parameters
    ----------
    groups : Groups
    path_column : str
        The column of paths.
    """
    if not _trains() or groups.count < len(groups.values):
        return
    if groups.what == path_column:
        raise click.UsageError(
            f"--group-column {groups.what} has no effect: it is the column of the recordings, and "
            "each row has its own. Name a column of what recordings have in common, such as their "
            "speaker or site."
        )
    note(f"Each row has its own {groups.what}, so --group-column {groups.what} has no effect")


def note_similar_groups(groups):
    """Say that groups may be the same, if their names differ in case or spaces only."""
    by_text = {}
    for name in dict.fromkeys(map(str, groups.values)):
        by_text.setdefault("".join(name.lower().split()), []).append(name)
    for names in by_text.values():
        if len(names) > 1:
            note(
                f"These are different groups: {', '.join(map(repr, names))}. If they are the same "
                f"{groups.what}, correct the table: the scores would be too good."
            )
            return


def is_used(column, used):
    """Return whether a column is the one that is used, or one of several."""
    return column in used if isinstance(used, tuple) else column == used


def note_unused_column(metadata, columns):
    """Say that clips of one group can be on both sides of a test, if a table shows its groups.

    Parameters
    ----------
    metadata : Metadata
        The table.
    columns : dict
        The columns that are used, as in `check_group_column`.
    """
    options = click.get_current_context().params
    # Commands without the option have no groups.
    has_splits = holds_out() or options.get("calibrate")
    if options.get("group_column", "") is not None or not has_splits:
        return
    folds = metadata.values(columns["fold"]) if columns.get("fold") in metadata.columns else None
    for name in _USUAL_COLUMNS:
        has_use = any(is_used(name, used) for used in columns.values())
        if metadata.columns.count(name) == 1 and not has_use:
            cells = metadata.values(name)
            if 1 < len({*cells} - {None}) < len(cells):
                _note_group(name, cells, folds)
                return


def _note_group(name, cells, folds):
    """Say that clips of one group can be on both sides of a split, if no folds keep them apart."""
    if folds is not None and len({*zip(cells, folds, strict=True)}) > len({*cells}):
        note(
            f"Some recordings of one {name} are in several folds, so the scores are not those of "
            f"a new {name}. --group-column {name} names them."
        )
    elif folds is None:
        other = "the test" if holds_out() else "the calibration"
        note(
            f'The column "{name}" is not used, so recordings of one {name} can be both in '
            f"training and in {other}. --group-column {name} keeps them apart."
        )


def warn_if_groups_unused(model, n_clips):
    """Warn that --group-column has no effect if neither a test nor the fit holds out clips.

    Parameters
    ----------
    model : estimator
        Before its fit.
    n_clips : int
    """
    options = click.get_current_context().params
    column = options.get("group_column")
    calibrates = options.get("calibrate") or (options.get("proba") and not options.get("config"))
    if column is None or calibrates or holds_out():
        return
    from sklearn.base import clone

    from skdaf._estimators.fitting import count_held_out

    advice, network = "", _network_with_groups(model)
    if network is not None:
        if count_held_out(network, n_clips):
            return
        if count_held_out(clone(network).set_params(early_stopping=True), n_clips):
            advice = ", or --set early_stopping=True to choose the best epoch by them"
    warnings.warn(
        f"--group-column {column} has no effect, because no clips are held out. Add "
        f"--test-fraction 0.25 to test the model on other groups{advice}.",
        stacklevel=2,
    )


def _network_with_groups(model):
    """Return the network that holds out groups: a model, or a block of a combined classifier."""
    from sklearn.utils.validation import has_fit_parameter

    blocks = dict(getattr(model, "estimators", ())).values()
    parts = [part for part in (model, *blocks) if hasattr(part, "fit")]
    return next((part for part in parts if has_fit_parameter(part, "groups")), None)


def holds_out():
    """Return whether the current command holds clips out for a test."""
    return any(map(click.get_current_context().params.get, _HOLD_OUT))


def _trains():
    """Return whether the current command trains a model."""
    return "test_fraction" in click.get_current_context().params

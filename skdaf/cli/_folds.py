"""The folds of a column of a table, which a cross-validation uses (--fold-column)."""

import re
import warnings
from collections import Counter
from typing import Any, NamedTuple

import click

from skdaf.cli._counts import counted
from skdaf.cli._groups import Groups, is_used, listed
from skdaf.cli._program import note

fold_option = click.option(
    "--fold-column",
    metavar="NAME",
    help="Cross-validate as with --cv, but with the folds in this column of the table, such as "
    "those that a dataset comes with: rows with the same number or name are tested together.",
)

# What else a column can be used for, so that it cannot contain the folds.
_OTHER_USES = {"label": "labels", "target": "numbers to learn", "path": "recordings"}

# Datasets rarely come with more folds, and each of them needs a model.
_MANY = 20

# Names of the parts of a single split, which are no folds.
_SPLIT_NAMES = {
    *("train", "training", "test", "testing", "eval", "evaluation"),
    *("val", "valid", "validation", "dev", "devel", "development"),
}


class Folds(NamedTuple):
    """The fold of each clip, and the name of their column."""

    values: Any
    column: str

    def of(self, rows):
        """Return the folds of some clips."""
        return Folds(self.values[rows], self.column)

    @property
    def names(self):
        """The different folds, sorted, with numbers in names in the order of their values."""
        return sorted(set(self.values.tolist()), key=_natural_order)

    def rows(self):
        """Return the rows for training and for testing of each fold."""
        import numpy as np

        tests = [self.values == name for name in self.names]
        return [(np.flatnonzero(~test), np.flatnonzero(test)) for test in tests]


def called(name):
    """Return what messages call a fold, without saying "fold" twice."""
    return str(name) if str(name).lower().startswith("fold") else f"fold {name}"


def _natural_order(name):
    """Return a key to sort numbers by their values, and "fold2" before "fold10"."""
    if not isinstance(name, str):
        return (0, name)
    # Of the parts, every second one is a number.
    parts = re.split(r"([0-9]+)", name.lower())
    parts[1::2] = map(int, parts[1::2])
    return (1, parts, name)


def check_fold_column(column, columns):
    """Raise UsageError if a column is used for something else.

    Parameters
    ----------
    column : str or None
        The column of the folds.
    columns : dict
        The columns of the table that are used, by the names of parameters of `load_audio_table`.
    """
    for name, what in _OTHER_USES.items():
        if column is not None and is_used(column, columns.get(name)):
            raise click.UsageError(
                f"--fold-column {column} is the column of the {what}. Name a column that says in "
                "which fold each recording is tested."
            )


def checked_folds(values, column):
    """Return the folds in a column of a table; raise ValueError if there is only one."""
    folds = Folds(values, column)
    if len(folds.names) < 2:
        raise ValueError(
            f"All rows have the same fold, {column}={str(values[0])!r}: --fold-column {column} "
            "needs at least two folds, so that each can be tested by a model of the others."
        )
    _warn_if_many(folds)
    _note_split(folds)
    return folds


def _warn_if_many(folds):
    """Warn that a column has so many values that it may contain something else."""
    sizes = Counter(folds.values.tolist()).values()
    if len(sizes) > _MANY:
        least, most = min(sizes), max(sizes)
        size = counted(most, "clip") if least == most else f"{least} to {counted(most, 'clip')}"
        warnings.warn(
            f"{len(sizes)} folds of {size} each, and each needs a model of its own: is "
            f"{folds.column} the column of the folds?",
            stacklevel=2,
        )


def _note_split(folds):
    """Say what happens to the parts of a single split."""
    names = [*map(str, folds.names)]
    if {name.strip().lower() for name in names} <= _SPLIT_NAMES:
        note(
            f"The folds are {', '.join(names)}: each of them is tested by a model of the others. "
            "For a single split, make a table of each: train on one, and test the model on "
            'another with "skdaf report".'
        )


def divided_groups(groups, folds):
    """Return the names of those `Groups` that are in several `Folds`."""
    found = {}
    for group, fold in zip(groups.values, folds.values, strict=True):
        found.setdefault(str(group), set()).add(fold)
    return [group for group, its_folds in found.items() if len(its_folds) > 1]


def note_divided(folds, groups, recordings):
    """Say what is in several folds: groups or, without any, recordings with several clips.

    `recordings` are the names of the recordings, one per clip.
    """
    if groups is None:
        groups = Groups(recordings, "recording")
    note_divided_groups(groups, folds)


def note_divided_groups(groups, folds):
    """Say which groups are in several folds, so that models are tested on what they know."""
    divided, what = divided_groups(groups, folds), groups.what
    if divided:
        note(
            f"In several folds: {what} {listed(divided)}. The models that are tested on their "
            f"clips know them from others, so the scores are not those of a new {what}."
        )

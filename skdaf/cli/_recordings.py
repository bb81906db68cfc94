"""The labeled recordings that a command uses: class folders, or --table."""

from functools import wraps

import click

from skdaf.cli._checked import refuse_unreadable
from skdaf.cli._folds import check_fold_column, checked_folds, note_divided
from skdaf.cli._groups import check_group_column, groups_of_column, note_unused_column
from skdaf.cli._lines import Lines, errors_name_lines
from skdaf.cli._multilabel import is_indicator
from skdaf.cli._options import combine_options, one_value_per_name
from skdaf.cli._paths import InputPath, TableFile, check_output_is_not_listed
from skdaf.cli._spelling import OptionSpelling
from skdaf.cli._tables import (
    audio_files,
    check_is_no_other_table,
    class_of,
    is_table,
    labeled_files,
)

_COLUMNS = ("path", "label", "target", "start", "end")
_UNLABELED_COLUMNS = ("path", "start", "end")

# Names that can have an empty column, which means that there is none.
_OPTIONAL = ("label", "start", "end")


class ColumnName(click.ParamType):
    """``NAME=COLUMN``: the column of a table for a parameter of `load_audio_table`.

    For commands with a model, NAME can also be a column of the model.
    """

    name = "name=column"

    def __init__(self, *names, of_model=False):
        self._names, self._of_model = names or _COLUMNS, of_model

    def convert(self, value, param, ctx):
        """Return the name of the parameter and that of the column; an empty column means None."""
        name, equals, column = value.partition("=")
        is_known = name in self._names or (self._of_model and name)
        needs_column = name not in self._names or name not in _OPTIONAL
        if not equals or not is_known or (needs_column and not column):
            names = ", ".join(self._names) + ", or a column of the model" * self._of_model
            self.fail(
                f"{value!r} must have the form NAME=COLUMN, where NAME is one of {names}.",
                param,
                ctx,
            )
        return name, column or None


_ROOT = click.option(
    "--root",
    type=InputPath(file_okay=False),
    metavar="FOLDER",
    help="Folder from which relative paths in the table start.  [default: the folder of the table]",
)


def _table_options(of_model):
    """Return the options of tables with labels; `of_model` says whether a model has columns."""
    others = " A column that the model uses can have another name, too: age=Age." * of_model
    return combine_options(
        click.option(
            "--table",
            type=TableFile(),
            metavar="FILE",
            help="Use the recordings and labels of this CSV or TSV file instead of class folders.",
        ),
        click.option(
            "--column",
            "columns",
            type=ColumnName(of_model=of_model),
            multiple=True,
            callback=one_value_per_name("label", "target"),
            metavar="NAME=COLUMN",
            help="Column of the table for path, label, target (a number), start or end, such as "
            "label=category. Several columns can form a path or a label: path=fold{fold}/{name}. "
            "Can be repeated, also for several targets, or for a column of 1 and 0 for each label."
            f"{others}  [default: the columns with these names]",
        ),
        click.option(
            "--label-separator",
            metavar="TEXT",
            help="Recordings have any number of labels, and this text is between them in the "
            'column of labels, such as ";".',
        ),
        _ROOT,
    )


table_option = _table_options(of_model=False)
table_of_model_option = _table_options(of_model=True)

# For commands that need no labels.
unlabeled_table_option = combine_options(
    click.option(
        "--table",
        type=TableFile(),
        metavar="FILE",
        help="Use the recordings of this CSV or TSV file. For a model that also takes other "
        "columns, such as a temperature, the table must have them.",
    ),
    click.option(
        "--column",
        "columns",
        type=ColumnName(*_UNLABELED_COLUMNS, of_model=True),
        multiple=True,
        callback=one_value_per_name(),
        metavar="NAME=COLUMN",
        help="Column of the table for path, start or end, such as path=filename. Several columns "
        "can form a path: path=fold{fold}/{name}. A column that the model uses can have another "
        "name, too: age=Age. Can be repeated.  [default: the columns with these names]",
    ),
    _ROOT,
)

# For commands that also take single files.
any_argument = click.argument("folders", type=InputPath(), nargs=-1, metavar="[PATH...]")

folders_argument = click.argument("folders", type=InputPath(), nargs=-1, metavar="[FOLDER...]")


class Recordings:
    """The recordings of a command, in class folders or in a table.

    Parameters
    ----------
    folders : sequence of str
        The class folders, or the folder that contains them.
    table : str or None
        A CSV or TSV file.
    columns : sequence of (str, str or None)
        Parameters of `load_audio_table`, or columns of a model, and the names of columns; `target`
        and `label` can occur several times.
    label_separator : str or None
        What separates several labels in one cell.
    root : str or None
        The folder from which relative paths in the table start.
    output : str or None
        The file that the command writes, which must not be among the recordings.
    tables : dict, default=None
        Other such files, by option.
    group_column, fold_column : str, default=None
        The columns with the group and with the fold of each recording.
    skip_unreadable : bool, default=None
        Whether the command leaves out recordings that cannot be read; None without such an option.
    names : sequence of str, default=_COLUMNS
        The parameters of `load_audio_table` that `columns` can have; the others are of a model.

    Attributes
    ----------
    groups : Groups or None
        The groups of the recordings that were returned last.
    lines : Lines
        The lines of the recordings that were returned last.
    folds : Folds or None
        Their folds.
    needs_several_groups : bool
        Whether a single group is an error, because one is held out.
    other_columns : dict
        The column of the table for columns of a model.
    """

    def __init__(
        self,
        folders,
        table,
        columns,
        label_separator,
        root,
        output,
        tables=None,
        group_column=None,
        skip_unreadable=None,
        names=_COLUMNS,
        fold_column=None,
    ):
        self.other_columns = {name: column for name, column in columns if name not in names}
        columns = [(name, column) for name, column in columns if name in names]
        self.names = names
        self.group_column, self.groups, self.needs_several_groups = group_column, None, True
        self.fold_column, self.folds = fold_column, None
        self._skip_unreadable, self._lists_missing = skip_unreadable, False
        self.folders, self.table, self.label_separator = folders, table, label_separator
        self.columns = {name: column for name, column in columns if name != "target"}
        labels = tuple(column for name, column in columns if name == "label")
        if len(labels) > 1:
            self.columns["label"] = labels
        self.targets = tuple(column for name, column in columns if name == "target")
        self.root, self._output, self._tables = root, output, tables
        self.lines = Lines()

    @property
    def has_several_labels(self):
        """Whether the recordings have any number of labels."""
        return self.label_separator is not None or isinstance(self.columns.get("label"), tuple)

    def labeled(self):
        """Return the recordings and their labels, as text.

        With any number of labels per recording, these are an indicator, a DataFrame.
        """
        if self.table is None:
            return labeled_files(self.folders)
        if self.columns.get("label", "label") is None:
            raise click.UsageError("--column label= cannot be empty: this command needs labels.")
        import numpy as np
        import pandas as pd

        found = self._load(label_separator=self.label_separator)
        if found.target.ndim == 2:
            return found.clips, pd.DataFrame(found.target, columns=found.names)
        return found.clips, np.asarray(found.names)[found.target].astype(str)

    def with_one_label(self):
        """Return the same, but refuse several labels per recording."""
        files, labels = self.labeled()
        if is_indicator(labels):
            raise click.UsageError("This command needs a table with one label per recording.")
        return files, labels

    def numbers(self):
        """Return the recordings, and one or several numbers for each."""
        if self.table is None:
            raise click.UsageError(
                "Numbers need --table and --column target=NAME: class folders have only names."
            )
        if "label" in self.columns:
            raise click.UsageError("Name the column of numbers with --column target=NAME.")
        if self.label_separator is not None:
            raise click.UsageError("--label-separator is for labels, and this task uses numbers.")
        found = self._load(label=None, target=self.target_names())
        return found.clips, found.numbers[:, 0] if len(self.target_names()) == 1 else found.numbers

    def target_names(self):
        """Return the columns of numbers."""
        return self.targets or ("target",)

    def with_folder_names(self):
        """Return the recordings and their labels, or the names of the folders that they are in.

        The command check uses this, which may get a table with recordings that cannot be read, or
        that do not exist.
        """
        self._skip_unreadable = self._lists_missing = True
        if self.table is None:
            files = self.unlabeled()
            return files, [class_of(file, self.folders) for file in files]
        if self.columns.get("label", "label") is None:
            return self.unlabeled(), None
        return self.labeled()

    def unlabeled(self):
        """Return the recordings; without a table, `folders` can be any folders and files."""
        self._refuse_labels()
        if self.table is None:
            return audio_files(self.folders)
        return self._load(label=None).clips

    def _refuse_labels(self):
        """Raise UsageError if an option is for labels, which the command does not use."""
        has_column = self.columns.get("label") is not None
        if has_column or self.label_separator is not None:
            option = "--column label=NAME" if has_column else "--label-separator"
            raise click.UsageError(f"{option} has no effect here: no labels are used.")

    def _load(self, label_separator=None, **options):
        from skdaf import Clip
        from skdaf._audio.metadata.loading import load_rows
        from skdaf._audio.metadata.table import as_metadata

        if self.targets and "target" not in options:
            raise click.UsageError(
                f"--column target={self.targets[0]} is for numbers: use --task regression, or a "
                "model that predicts numbers. Labels are in --column label=NAME."
            )
        self.check_readable()
        columns = {"path": "path", "label": "label", "start": "auto", "end": "auto"}
        columns |= {"group": self.group_column, "fold": self.fold_column} | self.columns | options
        check_group_column(self.group_column, columns)
        check_fold_column(self.fold_column, columns)
        metadata = as_metadata(self.table, OptionSpelling())
        found = load_rows(metadata, columns, self.root, label_separator, self._lists_missing)
        parts = [clip if isinstance(clip, Clip) else Clip(clip) for clip in found.clips]
        self.lines.remember(metadata, [(part.name, part.start, part.end) for part in parts])
        note_unused_column(metadata, columns)
        if self.group_column is not None:
            self.groups = groups_of_column(
                found.groups, self.group_column, columns["path"], self.needs_several_groups
            )
        if self.fold_column is not None:
            self.folds = checked_folds(found.folds, self.fold_column)
            note_divided(self.folds, self.groups, [part.name for part in parts])
        self.check_output(part.name for part in parts)
        return found

    def check_readable(self):
        """Raise ValueError if a table of `skdaf check` contains recordings that cannot be read."""
        if not self._skip_unreadable:
            advice = "" if self._skip_unreadable is None else ", or add --skip-unreadable"
            refuse_unreadable(self.table, OptionSpelling(), advice)

    def check_output(self, files):
        """Check that the command does not overwrite one of the recordings of the table."""
        check_output_is_not_listed(self.table, self._output, files, self._tables)


def recordings_options(folders, tables=table_option):
    """Return a decorator that adds folders or --table; the command gets `recordings` for them.

    Parameters
    ----------
    folders : callable
        The decorator of the argument or option `folders`, which must not be required.
    tables : callable
        The decorator of the options of tables.
    """
    # Where single files are taken, a table is, too.
    takes_tables = folders is any_argument

    def decorate(command):
        @wraps(command)
        def run(
            folders,
            table,
            columns,
            root,
            output,
            label_separator=None,
            group_column=None,
            fold_column=None,
            **others,
        ):
            names = _UNLABELED_COLUMNS if tables is unlabeled_table_option else _COLUMNS
            if takes_tables:
                folders, table = _without_table(folders, table)
            given = {"column": columns, "label-separator": label_separator, "root": root}
            given |= {"group-column": group_column, "fold-column": fold_column}
            _check_combination(folders, table, given)
            recordings = Recordings(
                folders,
                table,
                columns,
                label_separator,
                root,
                output,
                {f"--{name}": others.get(name) for name in ("predictions", "scores")},
                group_column,
                others.get("skip_unreadable"),
                names,
                fold_column,
            )
            with errors_name_lines(recordings.lines):
                return command(recordings=recordings, output=output, **others)

        return combine_options(folders, tables)(run)

    return decorate


def _without_table(folders, table):
    """Return the other paths, and the one that is a table."""
    tables = [path for path in folders if is_table(path)]
    if not tables:
        return folders, table
    if table is not None or len(folders) > 1:
        raise click.UsageError(f"Pass a single table, and nothing else (got {tables[0]!r} too).")
    return (), tables[0]


def _check_combination(folders, table, given):
    if len(folders) == 1:
        check_is_no_other_table(folders[0])
    tables = [path for path in folders if is_table(path)]
    if tables and table is None:
        raise click.UsageError(f"{tables[0]!r} is a table: pass it as --table {tables[0]}.")
    if table is not None and folders:
        raise click.UsageError(f"Pass folders or --table, not both (got {folders[0]!r} too).")
    if table is None and not folders:
        raise click.UsageError(f"Pass {_name_of_folders()} or --table.")
    unused = [name for name, value in given.items() if value]
    if table is None and unused:
        raise click.UsageError(f"--{unused[0]} requires --table.")


def _name_of_folders():
    """Return how the current command takes recordings: "--data", or as arguments."""
    parameters = click.get_current_context().command.params
    folders = next(parameter for parameter in parameters if parameter.name == "folders")
    if isinstance(folders, click.Option):
        return folders.opts[0]
    return "recordings, their folders," if "PATH" in folders.metavar else "folders"

"""What a model gets: recordings, or a table for a model that also takes other values."""

import difflib
import re
import shlex
from contextlib import contextmanager

import click

from skdaf.cli._cells import read_cells
from skdaf.cli._spelling import OptionSpelling

# The times of a whole recording in a table.
_WHOLE = {"start": 0.0, "end": float("nan")}


class Inputs:
    """The input of a model.

    Parameters
    ----------
    X : list of str or Clip, or DataFrame
        What the model gets.
    files : list of str
        The recording of each row.
    times : DataFrame or None
        The columns start and end of parts of recordings.
    metadata : Metadata, default=None
        The table from which X is, whose index are the positions of rows in it.
    columns : dict, default=None
        The column of the table for each column of X.
    """

    def __init__(self, X, files, times=None, metadata=None, columns=None):
        self.X, self.files, self.times = X, files, times
        self.metadata, self.columns = metadata, columns

    def of(self, files):
        """Return the inputs of some of the recordings."""
        if len(files) == len(self.files):
            return self
        known = {*files}
        rows = [row for row, file in enumerate(self.files) if file in known]
        X = self.X.iloc[rows] if hasattr(self.X, "iloc") else [self.X[row] for row in rows]
        times = None if self.times is None else self.times.iloc[rows].reset_index(drop=True)
        files = [self.files[row] for row in rows]
        return Inputs(X, files, times, self.metadata, self.columns)


def find_inputs(path, model, recordings, clips=None):
    """Return the `Inputs` of the model in a file.

    Parameters
    ----------
    path : str
        The model file, for errors.
    model : estimator
    recordings : Recordings
        What the command got.
    clips : list of str or Clip, default=None
        The recordings in it, if they are known; not used if the model takes a table.
    """
    from skdaf._estimators.table_cells import expected_cells
    from skdaf._estimators.table_columns import expected_table, find_table_columns

    columns = find_table_columns(model)
    if columns is None:
        return find_recordings(recordings, clips)
    _check_given(recordings, columns.names)
    if not columns.recordings:
        raise ValueError(f"The model in {path!r} takes no recordings: it expects {columns.names}.")
    if recordings.table is not None:
        return _from_table(path, columns, expected_cells(model), recordings)
    if columns.others or len(columns.recordings) > 1:
        raise ValueError(
            f"The model in {path!r} expects {expected_table(columns)}, got recordings without a "
            "table: pass a CSV or TSV file with these columns."
        )
    return Inputs(_table_of_files(columns, clips), clips)


def find_recordings(recordings, clips=None):
    """Return the `Inputs` of a model that takes recordings only."""
    _check_given(recordings, [])
    clips = recordings.unlabeled() if clips is None else clips
    return Inputs(clips, *files_and_times(clips))


def files_and_times(clips):
    """Return the recording of each clip and, if there are parts, a table of start and end."""
    import pandas as pd

    from skdaf import Clip

    parts = [clip if isinstance(clip, Clip) else Clip(clip) for clip in clips]
    files, times = [part.name for part in parts], None
    if any(part.start or part.end is not None for part in parts):
        times = pd.DataFrame(
            {"start": [part.start for part in parts], "end": [part.end for part in parts]},
            dtype=float,
        )
    return files, times


def _check_given(recordings, names):
    """Raise UsageError if --column is for another column than `names`, those of a model."""
    for name, column in recordings.other_columns.items():
        if name not in names:
            known = [*dict.fromkeys([*recordings.names, *names])]
            close = difflib.get_close_matches(name, known, n=1, cutoff=0.7)
            hint = f" Did you mean --column {close[0]}={column}?" if close else ""
            raise click.UsageError(
                f"--column {name}={column}: nothing uses a column {name!r} here. NAME is one of "
                f"{', '.join(known)}.{hint}"
            )


def _table_of_files(columns, files):
    """Return a table of whole recordings."""
    import pandas as pd

    return pd.DataFrame(_WHOLE | {columns.recordings[0]: files})[columns.names]


def _from_table(path, columns, expected, recordings):
    import pandas as pd

    from skdaf._audio.metadata.files import find_files
    from skdaf._audio.metadata.table import as_metadata
    from skdaf._estimators.table_cells import Cells

    recordings.check_readable()
    metadata = as_metadata(recordings.table, OptionSpelling())
    given = recordings.columns | recordings.other_columns
    chosen = _chosen(columns, given)
    _check_columns(path, columns, chosen, given, metadata)
    root = metadata.folder if recordings.root is None else recordings.root
    cells = {
        name: find_files(metadata, column, root)
        if name in columns.recordings
        else read_cells(metadata, column, expected.get(name, Cells()))
        for name, column in chosen.items()
        if column is not None
    }
    table = pd.DataFrame(_WHOLE | cells)[columns.names]
    files = table[columns.recordings[0]].tolist()
    recordings.check_output(files)
    has_times = any(chosen.get(name) for name in _WHOLE)
    times = table[[name for name in _WHOLE if name in table]] if has_times else None
    _remember_lines(recordings.lines, metadata, files, table)
    return Inputs(table, files, times, metadata, chosen)


def _remember_lines(lines, metadata, files, table):
    starts, ends = (table.get(name, [default] * len(files)) for name, default in _WHOLE.items())
    # A missing end is None in clips, and a missing start is 0.
    clips = [
        (file, start if start == start else 0.0, end if end == end else None)
        for file, start, end in zip(files, starts, ends, strict=True)
    ]
    lines.remember(metadata, clips)


def _chosen(columns, given):
    """Return the column of the table for each column that a model expects; None for no column."""
    chosen = {name: given.get(name) or name for name in columns.names}
    # An empty column means that the recordings are used from the start, or to the end.
    chosen |= {name: None for name in _WHOLE if name in chosen and given.get(name, name) is None}
    if "path" in given and len(columns.recordings) == 1:
        chosen[columns.recordings[0]] = given["path"]
    return chosen


def _check_columns(path, columns, chosen, given, metadata):
    """Raise ValueError if a table lacks columns, or has several of the same name."""
    from skdaf._estimators.table_columns import expected_table

    missing = {
        name: column
        for name, column in chosen.items()
        if column is not None and column not in metadata.columns and "{" not in column
    }
    if missing:
        raise ValueError(
            f"{metadata.title} has no column {' or '.join(map(repr, missing.values()))}. The model "
            f"in {path!r} expects {expected_table(columns)}; the table has {metadata.columns}."
            f"{_similar_names(missing, metadata.columns)}"
        )
    for name in chosen.values():
        if metadata.columns.count(name) > 1:
            raise ValueError(f"{metadata.title} has several columns called {name!r}.")
    _check_times(path, columns, given, metadata)


def _check_times(path, columns, given, metadata):
    """Raise ValueError if a table has parts of recordings, which the model would take for whole."""
    times = [given.get(name, name) for name in _WHOLE if name not in columns.names]
    unused = [name for name in times if name in metadata.columns]
    if unused:
        raise ValueError(
            f"{metadata.title} has the column {' and '.join(map(repr, unused))}, but the model in "
            f"{path!r} uses whole recordings. For these, pass --column start= --column end=. For "
            'parts, fit a model whose ColumnTransformer selects ["path", "start", "end"].'
        )


def _similar_names(missing, names):
    """Return a hint about missing columns, such as others with similar names, as options."""
    lower = {str(name).lower(): name for name in names}
    found = [
        f"--column {shlex.quote(f'{name}={lower[close]}')}"
        for name, column in missing.items()
        for close in difflib.get_close_matches(column.lower(), lower, n=1, cutoff=0.75)
    ]
    if found:
        return f" Did you mean {' '.join(found)}?"
    if {*missing} <= {*_WHOLE}:
        return f" For whole recordings: {' '.join(f'--column {name}=' for name in missing)}."
    return " If they have other names in the table: --column NAME=COLUMN."


@contextmanager
def errors_name_table(recordings, inputs):
    """Let errors of models that get a table name its file, as errors about recordings do."""
    from skdaf import AudioReadError

    try:
        yield
    except AudioReadError:
        raise
    except (TypeError, ValueError) as error:
        if recordings.table is None or isinstance(error, click.ClickException):
            raise
        problem = _problem_of_cells(inputs, str(error)) or error
        raise ValueError(f"{recordings.table!r}: {problem}") from error


def _problem_of_cells(inputs, error):
    """Return a sentence about the cells that caused an error; "" if they are not found."""
    if inputs.metadata is None:
        return ""
    if "NaN" in error:
        return _empty_cells(inputs)
    value = next(iter(re.findall("'([^']*)'", error)), None)
    for name, values in inputs.X.items():
        rows = [row for row, cell in values.items() if isinstance(cell, str) and cell == value]
        if rows:
            at = inputs.metadata.at(*rows)
            column = inputs.columns[name]
            return f"{value!r} in the column {column!r} ({at}) cannot be used: {error}."
    return ""


def _empty_cells(inputs):
    """Return a sentence about empty cells; "" if there are none."""
    counts = inputs.X.drop(columns=["start", "end"], errors="ignore").isna()
    found = [
        f"{inputs.columns[name]!r} ({inputs.metadata.at(*empty.index[empty])})"
        for name, empty in counts.items()
        if empty.any()
    ]
    return found and (
        f"there is no value in the column {', '.join(found)}, which the model cannot use: fill "
        "them in or remove the rows."
    )

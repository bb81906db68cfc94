"""What a model gets: recordings, or a table for a model that also takes other values."""

import difflib
from contextlib import contextmanager

import click

from skdaf.cli._recordings import OptionSpelling


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
    """

    def __init__(self, X, files, times=None):
        self.X, self.files, self.times = X, files, times

    def of(self, files):
        """Return the inputs of some of the recordings."""
        if len(files) == len(self.files):
            return self
        known = {*files}
        rows = [row for row, file in enumerate(self.files) if file in known]
        X = self.X.iloc[rows] if hasattr(self.X, "iloc") else [self.X[row] for row in rows]
        times = None if self.times is None else self.times.iloc[rows].reset_index(drop=True)
        return Inputs(X, [self.files[row] for row in rows], times)


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
    from skdaf._estimators.table_columns import expected_table, find_table_columns

    columns = find_table_columns(model)
    if columns is None:
        return find_recordings(recordings, clips)
    if not columns.recordings:
        raise ValueError(f"The model in {path!r} takes no recordings: it expects {columns.names}.")
    if recordings.table is not None:
        return _from_table(path, columns, recordings)
    if columns.others or len(columns.recordings) > 1:
        raise ValueError(
            f"The model in {path!r} expects {expected_table(columns)}, got recordings without a "
            "table: pass a CSV or TSV file with these columns."
        )
    return Inputs(_table_of_files(columns, clips), clips)


def find_recordings(recordings, clips=None):
    """Return the `Inputs` of a model that takes recordings only."""
    import pandas as pd

    from skdaf import Clip

    clips = recordings.unlabeled() if clips is None else clips
    parts = [clip if isinstance(clip, Clip) else Clip(clip) for clip in clips]
    files, times = [part.name for part in parts], None
    if any(part.start or part.end is not None for part in parts):
        times = pd.DataFrame(
            {"start": [part.start for part in parts], "end": [part.end for part in parts]},
            dtype=float,
        )
    return Inputs(clips, files, times)


def _table_of_files(columns, files):
    """Return a table of whole recordings."""
    import pandas as pd

    values = {columns.recordings[0]: files, "start": 0.0, "end": float("nan")}
    return pd.DataFrame({name: values[name] for name in columns.names})


def _from_table(path, columns, recordings):
    import pandas as pd

    from skdaf._audio.metadata.files import find_files
    from skdaf._audio.metadata.table import as_metadata

    recordings.check_readable()
    metadata = as_metadata(recordings.table, OptionSpelling())
    chosen = _chosen(columns, recordings.columns)
    _check_columns(path, columns, chosen, recordings.columns, metadata)
    root = metadata.folder if recordings.root is None else recordings.root
    cells = {
        name: find_files(metadata, chosen[name], root)
        if name in columns.recordings
        else _typed(metadata.values(chosen[name]))
        for name in columns.names
    }
    table = pd.DataFrame(cells)
    files = table[columns.recordings[0]].tolist()
    recordings.check_output(files)
    times = [name for name in ("start", "end") if name in table]
    return Inputs(table, files, table[times] if times else None)


def _chosen(columns, given):
    """Return the column of the table for each column that a model expects."""
    chosen = {name: given.get(name) or name for name in columns.names}
    if "path" in given and len(columns.recordings) == 1:
        chosen[columns.recordings[0]] = given["path"]
    return chosen


def _check_columns(path, columns, chosen, given, metadata):
    """Raise ValueError if a table lacks columns, or has several of the same name."""
    from skdaf._estimators.table_columns import expected_table

    missing = [name for name in chosen.values() if name not in metadata.columns and "{" not in name]
    if missing:
        raise ValueError(
            f"{metadata.title} has no column {' or '.join(map(repr, missing))}. The model in "
            f"{path!r} expects {expected_table(columns)}; the table has {metadata.columns}."
            f"{_similar_names(missing, metadata.columns)}"
        )
    for name in chosen.values():
        if metadata.columns.count(name) > 1:
            raise ValueError(f"{metadata.title} has several columns called {name!r}.")
    _check_times(path, columns, given, metadata)


def _check_times(path, columns, given, metadata):
    """Raise ValueError if a table has parts of recordings, which the model would take for whole."""
    times = [given.get(name) or name for name in ("start", "end") if name not in columns.names]
    unused = [name for name in times if name in metadata.columns]
    if unused:
        raise ValueError(
            f"{metadata.title} has the column {' and '.join(map(repr, unused))}, but the model in "
            f"{path!r} uses whole recordings. Remove the column, or fit a model whose "
            'ColumnTransformer selects ["path", "start", "end"] for the recordings.'
        )


def _similar_names(missing, names):
    """Return a question about columns whose names are similar to missing ones."""
    lower = {str(name).lower(): name for name in names}
    found = [
        f"{lower[close]!r} instead of {name!r}"
        for name in missing
        for close in difflib.get_close_matches(name.lower(), lower, n=1, cutoff=0.7)
    ]
    return f" Did you mean {', '.join(found)}? Rename it." if found else ""


def _typed(cells):
    """Return the cells of a column as `pandas.read_csv` does: as numbers if all of them are."""
    import pandas as pd

    values = pd.Series(cells, dtype=object)
    known = values.dropna()
    if len(known) and known.isin(["True", "False"]).all():
        return values.map({"True": True, "False": False})
    numbers = pd.to_numeric(values, errors="coerce")
    return values if numbers.isna().sum() > values.isna().sum() else numbers


@contextmanager
def errors_name_table(recordings, X):
    """Let errors of models that get a table name its file, as errors about recordings do."""
    from skdaf import AudioReadError

    try:
        yield
    except AudioReadError:
        raise
    except (TypeError, ValueError) as error:
        if recordings.table is None or isinstance(error, click.ClickException):
            raise
        empty = _empty_columns(X) if "NaN" in str(error) else ""
        raise ValueError(f"{recordings.table!r}: {empty or error}") from error


def _empty_columns(X):
    """Return a sentence about the columns of a table with empty cells; "" if there are none."""
    if not hasattr(X, "columns"):
        return ""
    counts = X.drop(columns=["start", "end"], errors="ignore").isna().sum()
    found = [f"{name!r} ({count} of {len(X)})" for name, count in counts.items() if count]
    return found and (
        f"empty cells in the column {', '.join(found)}, which the model cannot use: fill them in "
        "or remove the rows."
    )

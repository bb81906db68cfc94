"""The other columns of a table, which the files of the command check contain, too."""

import re
import warnings

from skdaf.cli._cells import DECIMAL_COMMA
from skdaf.cli._checked import is_from_check
from skdaf.cli._csv import has_decimal_comma
from skdaf.cli._spelling import OptionSpelling

_DECIMAL_POINT = re.compile(r"[+-]?\d*\.\d+([eE][+-]?\d+)?")
_NO_DECIMALS = re.compile(r"[+-]?\d+([eE][+-]?\d+)?")

# Columns of check that contain the same as those of the table that have their names.
_SHARED = ("path", "label", "start", "end")


def with_other_columns(rows, recordings):
    """Return what check found, and after it the other columns of the table of the recordings.

    A column with the name of one of check's is left out if it is the one that check used, or if the
    table is from check. Otherwise, "_in_table" is added to its name.

    Parameters
    ----------
    rows : DataFrame
        What check found, with a row for each row of the table.
    recordings : Recordings
    """
    if recordings.table is None:
        return rows
    import pandas as pd

    from skdaf._audio.metadata.table import as_metadata

    metadata = as_metadata(recordings.table, OptionSpelling())
    _warn_about_repeated(metadata)
    replaced = {name for name in _SHARED if recordings.columns.get(name, name) == name}
    replaced &= {*rows.columns}
    if is_from_check(metadata):
        # Without labels, conflicts are not found again.
        replaced = {*rows.columns, "label_conflict"}
    others = {
        _free_name(name, rows.columns, metadata.columns): _texts(metadata, name)
        for name in metadata.columns
        if metadata.columns.count(name) == 1 and name not in replaced
    }
    return rows.join(pd.DataFrame(others, index=rows.index, dtype=object))


def _warn_about_repeated(metadata):
    """Warn about columns with the same name, which are left out."""
    names = metadata.columns
    repeated = [name for name in dict.fromkeys(names) if names.count(name) > 1]
    if repeated:
        warnings.warn(
            f"{metadata.title} has several columns called {' and '.join(map(repr, repeated))}, "
            "which are left out of the results.",
            stacklevel=2,
        )


def _free_name(name, taken, others):
    """Return a name of a column that is not taken, nor that of another column of the table."""
    if name not in taken:
        return name
    while name in taken or name in others:
        name += "_in_table"
    return name


def _texts(metadata, name):
    """Return the cells of a column as they are, except that its numbers are written as others are.

    Numbers with commas would be text in a table that is separated by commas, and the reverse.
    """
    cells = metadata.values(name)
    if metadata.has_decimal_commas == has_decimal_comma():
        return cells
    decimal, (old, new) = (_DECIMAL_POINT, ".,") if has_decimal_comma() else (DECIMAL_COMMA, ",.")
    texts = [cell.strip() for cell in cells if cell is not None]
    if not all(decimal.fullmatch(text) or _NO_DECIMALS.fullmatch(text) for text in texts):
        return cells
    return [cell and cell.replace(old, new) for cell in cells]

"""Several labels per row of a metadata table: lists in a column, or a column for each label."""

import unicodedata
import warnings

import numpy as np

from skdaf._audio.metadata.columns import cells, plain

_TRUE = {"1", "true", "yes", "1.0"}
_FALSE = {"0", "false", "no", "0.0"}


def indicator_of_lists(metadata, name, separator):
    """Return the labels of a column of lists, sorted, and the indicator.

    Parameters
    ----------
    metadata : Metadata
    name : str
        The column, or a pattern. A cell contains any number of labels; a missing one has none.
    separator : str
        What is between the labels of a cell.

    Returns
    -------
    labels : list of str
    indicator : ndarray of shape (n_rows, n_labels), int64
        1 where a row has a label, else 0.

    Warns
    -----
    UserWarning
        If no cell contains the separator: it may be another one.
    """
    rows = [_split(cell, separator) for cell in cells(metadata, name)]
    labels = sorted(set().union(*rows))
    if len(labels) < 2:
        raise ValueError(
            f"In {metadata.name}, column {name!r} with the separator {separator!r} contains the "
            f"labels {labels}, but several labels per row need at least two different ones."
        )
    if not any(separator in str(cell) for cell in cells(metadata, name)):
        warnings.warn(
            f"In {metadata.name}, no cell of the column {name!r} contains the separator "
            f"{separator!r}, so each of them is one label: {labels[:5]}.",
            stacklevel=2,
        )
    return labels, np.array([[label in row for label in labels] for row in rows], dtype=np.int64)


def indicator_of_columns(metadata, names):
    """Return the indicator in columns that contain 1, true or yes, or 0, false or no."""
    columns = [_flags(metadata, name) for name in names]
    return np.array(columns, dtype=np.int64).T


def _split(cell, separator):
    if cell is None:
        return set()
    parts = unicodedata.normalize("NFC", str(plain(cell))).split(separator)
    return {part.strip() for part in parts} - {""}


def _flags(metadata, name):
    flags = []
    for row, cell in enumerate(cells(metadata, name)):
        text = "" if cell is None else str(cell).strip().lower()
        if text not in _TRUE | _FALSE:
            raise ValueError(
                f"{metadata.title}, {metadata.at(row)}: expected 1 or 0 (or true or false, yes or "
                f"no) in the column {name!r} of a label, got {'nothing' if cell is None else cell}."
            )
        flags.append(text in _TRUE)
    return flags

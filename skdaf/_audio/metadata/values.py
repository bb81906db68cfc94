"""Labels, groups, folds and numbers of a metadata table, as arrays."""

import math
import re
import unicodedata

import numpy as np

from skdaf._audio.metadata.columns import plain, required_cells

# Integers as programs write them, so that "007" stays text. They fit into 64 bits. pandas adds ".0"
# if another row was empty.
_INTEGER = re.compile(r"(0|-?[1-9]\d{0,17})(\.0)?")
_NUMBER = re.compile(r"[+-]?(\d+([.,]\d*)?|[.,]\d+)([eE][+-]?\d+)?")


def values_of(metadata, parameter, name):
    """Return a column of labels, groups or folds as an array of integers or of text.

    Text has no surrounding blanks and is in Unicode's composed form, like the names of class
    folders. If all cells are integers, also as the text of a file, the result is integers.
    """
    found = [_normalized(plain(cell)) for cell in required_cells(metadata, parameter, name)]
    if metadata.is_file and all(map(_INTEGER.fullmatch, found)):
        found = [int(cell.removesuffix(".0")) for cell in found]
    if all(isinstance(cell, int) for cell in found):
        return np.array(found)
    if parameter == "label":
        _check_no_measurements(metadata, name, found)
    return np.array([str(cell) for cell in found])


def _normalized(cell):
    return unicodedata.normalize("NFC", cell.strip()) if isinstance(cell, str) else cell


def _check_no_measurements(metadata, name, labels):
    """Raise if a column of labels contains only numbers, with decimals."""
    if not all(_is_number(metadata, label) for label in labels):
        return
    decimals = (i for i, label in enumerate(labels) if not str(label).lstrip("+-").isdecimal())
    row = next(decimals, None)
    if row is not None:
        raise ValueError(
            f"In {metadata.name}, the column {name!r} contains numbers with decimals such as "
            f"{labels[row]} ({metadata.at(row)}), but labels are classes: integers or text. "
            f"{metadata.spelling.numbers}"
        )


def _is_number(metadata, label):
    if isinstance(label, str):
        return metadata.is_file and _NUMBER.fullmatch(label) is not None
    return True


def numbers_of(metadata, names):
    """Return columns of numbers as an array of shape (n_clips, n_columns)."""
    columns = []
    for name in names:
        found = enumerate(required_cells(metadata, "target", name))
        columns.append([_number(metadata, row, name, cell) for row, cell in found])
    return np.array(columns, dtype=float).T


def _number(metadata, row, name, cell):
    """Return a cell as a number; text may have a decimal comma."""
    try:
        number = float(cell.replace(",", ".") if isinstance(cell, str) else cell)
    except (TypeError, ValueError):
        number = math.nan
    if not math.isfinite(number):
        raise ValueError(
            f"{metadata.title}, {metadata.at(row)}: expected a number in column {name!r}, got "
            f"{cell!r}."
        )
    return number

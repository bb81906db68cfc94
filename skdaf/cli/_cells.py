"""Cells of a table as a model expects them; errors say which cell is wrong, and how."""

import difflib
import math
import re

# What pandas reads as a missing value, so that the tables of the training had none of it.
_MISSING = {
    *("", "NA", "N/A", "n/a", "<NA>", "#N/A", "#NA", "#N/A N/A", "NULL", "null", "None"),
    *("nan", "NaN", "-nan", "-NaN", "1.#IND", "-1.#IND", "1.#QNAN", "-1.#QNAN"),
}
_NUMBER = re.compile(r"[+-]?(\d+(\.\d*)?|\.\d+)([eE][+-]?\d+)?")
_INTEGER = re.compile(r"[+-]?\d{1,18}")
DECIMAL_COMMA = re.compile(r"[+-]?\d*,\d+([eE][+-]?\d+)?")
_THOUSANDS = re.compile(r"[+-]?\d{1,3}(,\d{3})+\.\d+|[+-]?\d{1,3}(\.\d{3})+,\d+")
_WITH_UNIT = re.compile(rf"({_NUMBER.pattern})\s*([^\W\d_]+|[°%]\s*\w*)")

# An error names at most this many categories, and as many other values.
_MAX_NAMES = 10


def read_cells(metadata, column, expected):
    """Return the cells of a column of a table as a list; missing ones are NaN.

    Parameters
    ----------
    metadata : Metadata
        The table.
    column : str
        The name of the column.
    expected : Cells
        What a model expects in it.

    Raises
    ------
    ValueError
        If a cell is not what is expected. Missing values are left to the model.
    """
    cells = [cell or "" for cell in metadata.values(column)]
    if expected.categories is not None:
        return _categories(metadata, column, cells, expected)
    if expected.are_numbers is False:
        return [math.nan if cell.strip() in _MISSING else cell for cell in cells]
    numbers = [_number(cell, metadata.has_decimal_commas) for cell in cells]
    bad = [row for row, number in enumerate(numbers) if number is None]
    if not bad:
        are_integers = all(_INTEGER.fullmatch(cell.strip()) for cell in cells)
        return [*map(int, numbers)] if are_integers else numbers
    if expected.are_numbers:
        cell = cells[bad[0]].strip()
        problem = f"expected a number in the column {column!r}, got {cell!r}."
        raise ValueError(_message(metadata, bad, problem + advice_on_number(cell)))
    return _texts(cells)


def _number(cell, has_decimal_commas):
    """Return a cell as a number, NaN if it is missing, None if it is something else."""
    cell = cell.strip()
    if cell in _MISSING:
        return math.nan
    if has_decimal_commas and DECIMAL_COMMA.fullmatch(cell):
        cell = cell.replace(",", ".")
    number = float(cell) if _NUMBER.fullmatch(cell) else math.inf
    return number if math.isfinite(number) else None


def _texts(cells):
    """Return cells as pandas reads them: as bool if all of them are, else as text."""
    texts = [math.nan if cell.strip() in _MISSING else cell for cell in cells]
    if {*texts} <= {"True", "False"}:
        return [text == "True" for text in texts]
    return texts


def advice_on_number(cell):
    """Return a sentence about what is probably wrong with a number."""
    if DECIMAL_COMMA.fullmatch(cell):
        return f" Write it with a decimal point: {cell.replace(',', '.')}."
    if _THOUSANDS.fullmatch(cell):
        *whole, decimals = re.split("[.,]", cell)
        return f" Write it without separators of thousands: {''.join(whole)}.{decimals}."
    if found := _WITH_UNIT.fullmatch(cell):
        return f" Write only the number: {found[1]}."
    return ""


def _categories(metadata, column, cells, expected):
    """Return the cells of a column of categories, with the type of the categories."""
    known = expected.categories
    values = [_category(cell, expected, metadata.has_decimal_commas) for cell in cells]
    # Missing values are NaN here.
    filled = [math.nan] if expected.is_filled else []
    bad = [row for row, value in enumerate(values) if not _is_in(value, known + filled)]
    if not (bad and expected.is_complete):
        return values
    first, *others = dict.fromkeys(cells[row].strip() for row in bad)
    got = "no value" if first in _MISSING else f"the unknown value {first!r}"
    problem = f"got {got} in the column {column!r}. The model knows {_listed(known)}."
    same = [row for row in bad if cells[row].strip() == first]
    message = _message(metadata, same, problem + _similar(first, known))
    more = f" Other values that it does not know: {_listed(others)}." if others else ""
    raise ValueError(f"{message}{more}")


def _category(cell, expected, has_decimal_commas):
    """Return a cell as one of the categories if it is one; else as a number or as text."""
    known = expected.categories
    for spelling in (cell, cell.strip()):
        if spelling in known:
            return spelling
    if expected.are_numbers:
        number = _number(cell, has_decimal_commas)
        return cell if number is None else number
    if cell.strip() in _MISSING:
        return None if None in known else math.nan
    truth = {"True": True, "False": False}.get(cell.strip())
    return cell if truth is None or not any(value is truth for value in known) else truth


def _is_in(value, known):
    """Return whether a value is one of the categories, also NaN."""
    return value in known or (value != value and any(one != one for one in known))


def _listed(values):
    """Return values as text."""
    shown = [repr(value) for value in values[:_MAX_NAMES]]
    rest = f" and {len(values) - len(shown)} more" if len(values) > len(shown) else ""
    return ", ".join(shown) + rest


def _similar(cell, known):
    """Return a question about a category that is probably meant."""
    lower = {value.lower(): value for value in known if isinstance(value, str)}
    close = difflib.get_close_matches(cell.lower(), lower, n=1, cutoff=0.75)
    return f" Did you mean {lower[close[0]]!r}?" if close else ""


def _message(metadata, rows, problem):
    """Return what is wrong in the first of some rows, and that the others have the same problem."""
    others = f" The same in {metadata.at(*rows[1:])}." if len(rows) > 1 else ""
    return f"{metadata.title}, {metadata.at(rows[0])}: {problem}{others}"

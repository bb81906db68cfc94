"""Tables and rows as CSV: with commas, or as Excel expects them where numbers have a comma."""

import csv
import io

import click

from skdaf.cli._text import is_for_terminal, visible

_DECIMAL_COMMA = "skdaf.decimal_comma"

# Without it, Excel takes a file for text in an older encoding than UTF-8.
_BYTE_ORDER_MARK = "\ufeff"

# What can be between the columns of a table.
_SEPARATORS = "\t;,"


def use_decimal_comma():
    """Let the current command write commas in numbers, and semicolons between columns."""
    click.get_current_context().meta[_DECIMAL_COMMA] = True


def has_decimal_comma():
    """Return whether the current command writes commas in numbers."""
    context = click.get_current_context(silent=True)
    return context is not None and context.meta.get(_DECIMAL_COMMA, False)


def csv_text(table, output=None):
    """Return a table as CSV, for a file or for standard output."""
    shows = output is None and is_for_terminal()
    if has_decimal_comma():
        table = table.apply(_with_commas)
    if shows:
        table = table.map(lambda value: visible(value) if isinstance(value, str) else value)
    header = csv_line(table.columns, shows, is_header=True)
    options = {"index": False, "header": False, "sep": _separator()}
    rows = table.to_csv(**options)
    if "\r" in rows:
        # The csv module does not quote "\r", which readers would treat as the end of a line.
        rows = table.to_csv(**options, quoting=csv.QUOTE_NONNUMERIC)
    return f"{csv_start(shows)}{header}\n{rows}".rstrip("\n")


def csv_start(shows):
    """Return how CSV begins, before the names of the columns.

    `shows` is true for a terminal, here and in `csv_line`.
    """
    return _BYTE_ORDER_MARK if has_decimal_comma() and not shows else ""


def csv_line(cells, shows, is_header=False):
    """Return a line of CSV, without its end."""
    if has_decimal_comma():
        cells = map(_with_comma, cells)
    cells = [visible(cell) if shows and isinstance(cell, str) else cell for cell in cells]
    # The csv module does not quote "\r", which readers would treat as the end of a line, nor other
    # separators, of which programs find out the right one by the header.
    unclear = {"\r", *(_SEPARATORS if is_header else ())} - {_separator()}
    is_unclear = any(unclear & {*cell} for cell in cells if isinstance(cell, str))
    quoting = csv.QUOTE_NONNUMERIC if is_unclear else csv.QUOTE_MINIMAL
    file = io.StringIO()
    # With another end of lines, "\n" in a cell would not be quoted.
    writer = csv.writer(file, delimiter=_separator(), lineterminator="\n", quoting=quoting)
    writer.writerow(cells)
    return file.getvalue().removesuffix("\n")


def _separator():
    return ";" if has_decimal_comma() else ","


def _with_commas(values):
    """Return a column whose numbers are text with a decimal comma."""
    if values.dtype.kind != "f":
        return values.map(_with_comma)
    # As text first: in other types, numbers in single precision would have more digits.
    texts = values.astype(str).str.replace(".", ",", regex=False)
    return texts.where(values.notna(), "")


def _with_comma(cell):
    """Return a number as text with a decimal comma, and other cells as they are."""
    import numpy as np

    is_number = isinstance(cell, (float, np.floating)) and cell == cell
    return str(cell).replace(".", ",") if is_number else cell

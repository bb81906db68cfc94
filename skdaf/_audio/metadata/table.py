"""Read CSV and TSV files, and use them and DataFrames in the same way."""

import codecs
import csv
import io
import os
import re
from collections.abc import Callable
from dataclasses import dataclass
from itertools import islice
from pathlib import Path
from typing import Any

from skdaf._audio.columns import column_names, column_values, is_lazy
from skdaf._audio.metadata.spelling import PYTHON, Spelling
from skdaf._audio.times import is_missing
from skdaf._core.files import not_found

_BOMS = {codecs.BOM_UTF16_LE: "utf-16", codecs.BOM_UTF16_BE: "utf-16"}

# How files begin that are passed in place of text.
_OTHER_FILES = {
    b"PK\x03\x04": "a workbook of Excel or LibreOffice, or another archive",
    b"\xd0\xcf\x11\xe0": "a workbook of Excel",
    b"PAR1": "a Parquet file",
    b"ARROW1": "a Feather file",
    **dict.fromkeys((b"RIFF", b"RF64", b"fLaC", b"OggS", b"FORM", b"ID3"), "a recording"),
}

# If a header contains several of these equally often, the first is taken.
_SEPARATORS = "\t;,"

# Cells of a file that are missing. Others, such as "NA" and "None", can be labels.
_MISSING = {"", "nan", "NaN"}

# An error names at most this many rows.
_MAX_ROWS = 10


@dataclass(frozen=True)
class Metadata:
    """A table with a row per clip.

    Parameters
    ----------
    name : str
        The table in errors.
    columns : list
        The names of the columns, which may contain duplicates.
    rows : list
        The line numbers of a file, or the index of a DataFrame, for errors.
    values : callable
        Takes the name of a column that exists once; returns its cells as a list. Missing cells of a
        file are None.
    folder : str
        The folder that relative paths start from by default.
    is_file : bool
        Whether the table was read from a file, where all cells are text.
    spelling : Spelling
        How errors write parameters.
    has_decimal_commas : bool
        Whether numbers of a file may have a decimal comma: its columns are separated by semicolons.
    """

    name: str
    columns: list[Any]
    rows: list[Any]
    values: Callable[[str], list[Any]]
    folder: str
    is_file: bool
    spelling: Spelling = PYTHON
    has_decimal_commas: bool = False

    @property
    def title(self) -> str:
        """The name at the start of a sentence."""
        return self.name[:1].upper() + self.name[1:]

    def at(self, *positions: int) -> str:
        """Return "line 3" or "rows 1, 2 and 5", for errors."""
        names = [str(self.rows[position]) for position in positions]
        if len(names) > _MAX_ROWS:
            names[_MAX_ROWS:] = [f"{len(names) - _MAX_ROWS} more"]
        listed = " and ".join(filter(None, [", ".join(names[:-1]), names[-1]]))
        return f"{'line' if self.is_file else 'row'}{'s' * (len(names) > 1)} {listed}"


def as_metadata(table, spelling=PYTHON):
    """Return the Metadata of a CSV or TSV file, or of a DataFrame of pandas, polars or PyArrow.

    Metadata are returned as they are.
    """
    if isinstance(table, Metadata):
        return table
    if isinstance(table, (str, os.PathLike)):
        return _read(table, spelling)
    names = None if is_lazy(table) else column_names(table)
    if names is None:
        raise TypeError(
            "Got a table of type "
            f"{type(table).__name__}; expected the path of a CSV or TSV file, or a DataFrame."
        )
    rows = list(getattr(table, "index", range(len(table))))
    if not rows:
        raise ValueError("The table has no rows.")
    return Metadata("the table", names, rows, lambda n: column_values(table, n), "", False)


def _read(path, spelling):
    name = repr(str(os.fspath(path)))
    text = _decoded(path, name, spelling)
    separator = _separator(text)
    lines = _lines(text, separator, name)
    if len(lines) < 2:
        raise ValueError(
            f"{name} has no rows: expected a first line with the names of the columns, and a line "
            "for each recording."
        )
    (_, header), *rest = lines
    _check_widths(name, header, rest)
    columns = [column.strip() for column in header]
    cells = {
        column: [None if row[i].strip() in _MISSING else row[i] for _, row in rest]
        for i, column in enumerate(columns)
    }
    numbers = [number for number, _ in rest]
    folder = os.path.dirname(path)
    has_decimal_commas = separator == ";"
    return Metadata(
        name, columns, numbers, cells.__getitem__, folder, True, spelling, has_decimal_commas
    )


def _lines(text, separator, name):
    """Return (number of its first line, cells) for each row that is not empty."""
    file = io.StringIO(text, newline="")
    reader = csv.reader(file, delimiter=separator, skipinitialspace=True, strict=True)
    lines, start = [], 1
    try:
        for cells in reader:
            # A line of separators only is empty, as at the end of a file from a spreadsheet.
            if any(map(str.strip, cells)):
                lines.append((start, cells))
            start = reader.line_num + 1
    except csv.Error as error:
        problem = str(error)
        if "end of data" in problem:
            problem = "a quotation mark opens a cell, but no other one closes it"
        raise ValueError(f"{name}, line {start}: {problem}.") from error
    return lines


def _decoded(path, name, spelling):
    """Return the text of a file in UTF-8 or UTF-16."""
    if os.path.isdir(path):
        raise IsADirectoryError(
            f"{name} is a folder; expected a CSV or TSV file. {spelling.class_folders}"
        )
    if not os.path.exists(path):
        raise FileNotFoundError(not_found(path, name))
    content = Path(path).read_bytes()
    for start, what in _OTHER_FILES.items():
        if content.startswith(start):
            raise ValueError(
                f"{name} is {what}; expected text: a CSV or TSV file. {spelling.other_files}"
            )
    try:
        text = content.decode(_BOMS.get(content[:2], "utf-8-sig"))
    except UnicodeDecodeError as error:
        line = content.count(b"\n", 0, error.start) + 1
        raise ValueError(
            f"{name}, line {line}, is not text in UTF-8 or UTF-16. {spelling.other_files}"
        ) from error
    if "\0" in text:
        raise ValueError(
            f"{name} is not text in UTF-8 or UTF-16: it has zeros. {spelling.other_files}"
        )
    return text


def _separator(text):
    """Return the separator that is most frequent in the first line, outside quotes."""
    header = next((line for line in text.splitlines() if line.strip()), "")
    header = re.sub(r'"[^"]*"', "", header)
    return max(_SEPARATORS, key=header.count) if set(_SEPARATORS) & set(header) else ","


def _check_widths(name, header, lines):
    for number, cells in lines:
        if len(cells) != len(header):
            raise ValueError(
                f"{name}, line {number}: expected {len(header)} columns, as in the first line, got "
                f"{len(cells)}: {cells}. Put cells that contain the separator in quotes."
            )


def first_rows(path, n_bytes, n_rows):
    """Return the cells of the first rows of a CSV or TSV file, including its header.

    Mistakes in the file are not noticed.

    Parameters
    ----------
    path : path-like
    n_bytes : int
        Only the first `n_bytes` are read, so the last cell may be incomplete.
    n_rows : int
        The maximum number of rows.
    """
    with open(path, "rb") as file:
        content = file.read(n_bytes)
    # An incremental decoder accepts that the last character is incomplete.
    text = codecs.getincrementaldecoder(_BOMS.get(content[:2], "utf-8-sig"))().decode(content)
    lines = io.StringIO(text, newline="")
    rows = csv.reader(lines, delimiter=_separator(text), skipinitialspace=True)
    return [*islice((row for row in rows if any(map(str.strip, row))), n_rows)]


def first_cell(metadata, name):
    """Return the first cell of a column that is not missing; None if there is none."""
    if metadata.columns.count(name) > 1:
        return None
    return next((cell for cell in metadata.values(name) if not is_missing(cell)), None)

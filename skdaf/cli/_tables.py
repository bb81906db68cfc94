"""Find recordings, and write tables of results."""

import math
import os
import shlex
from pathlib import Path

import click

from skdaf._core.files import write_whole
from skdaf.cli._csv import csv_text
from skdaf.cli._program import note
from skdaf.cli._text import echo, to_bytes, to_json, visible

# The extensions of other tables than CSV files.
_WORKBOOKS = (".xlsx", ".xls", ".xlsm", ".ods", ".numbers", ".parquet", ".feather")
_TEXTS = (".txt", ".tab", ".dat")

# Columns of seconds always have three decimals.
_SECONDS = {"start", "end", "duration"}


def audio_files(paths):
    """Return the files in a list of paths, and all recordings in the folders in it.

    Warns about audio and video files that are left out, counted per class folder.
    """
    from skdaf._audio.folders import warn_about_left_out

    files, left_out = [], {}
    for path in paths:
        if is_table(path):
            raise ValueError(
                f"{path!r} is a table; expected recordings, or folders of them. Tables are for "
                '"skdaf predict" and for commands with the option --table.'
            )
        found, others = _recordings_below(path) if Path(path).is_dir() else ([path], [])
        files += found
        for other in others:
            left_out.setdefault(class_of(other, paths), []).append(other)
    warn_about_left_out(left_out, stacklevel=2)
    return files


def _recordings_below(folder):
    """Return the recordings below a folder, and the audio and video files that are left out."""
    from skdaf._audio.folders import find_audio, how_to_read

    found, left_out = find_audio([folder])
    if not found:
        advice = f" that can be read. {how_to_read(left_out)}" if left_out else "."
        raise ValueError(f"The folder {folder!r} contains no audio files{advice}")
    return [str(path) for path in found], left_out


def class_of(file, paths):
    """Return the name of the class folder of a file from `audio_files(paths)`."""
    from skdaf._audio.folders import class_name

    given = next(path for path in paths if Path(file).is_relative_to(path))
    below = Path(file).relative_to(given).parts[:-1]
    if len(paths) == 1 and below:
        return class_name(below[0])
    return class_name((Path(given) if Path(given).is_dir() else Path(file).parent).resolve())


def labeled_files(folders):
    """Return the recordings of a root folder or of class folders, and their labels."""
    import numpy as np

    from skdaf.datasets import load_audio_folders

    found = load_audio_folders(folders[0] if len(folders) == 1 else list(folders))
    return found.filenames, np.asarray(found.target_names)[found.target]


def is_table(path):
    """Return whether the name of a file is that of a table."""
    return path.lower().endswith((".csv", ".tsv")) and not Path(path).is_dir()


def check_is_no_other_table(path):
    """Raise UsageError if a file is probably a table, but has another name than a CSV file."""
    suffix = Path(path).suffix.lower()
    if suffix in (*_WORKBOOKS, *_TEXTS) and os.path.isfile(path):
        remedy = f"pass it as --table {shlex.quote(path)}"
        if suffix in _WORKBOOKS:
            remedy = "save it as CSV in UTF-8, and pass that"
        raise click.UsageError(f"{path!r} is no recording. If it is a table, {remedy}.")


def show(table, format_=None, output=None, default="table", announce=True):
    """Write a table to a file, which a note says if `announce` is true, or to standard output."""
    kind = format_ or format_by_name(output) or default
    if kind == "csv":
        text = csv_text(table, output)
    else:
        text = _json(table) if kind == "json" else _aligned(table)
    write(text, output)
    if output is not None and announce:
        note(f"Wrote {len(table)} row{'s' * (len(table) != 1)} to {output}")


def format_by_name(output):
    """Return the format for the extension of a file; None for other extensions."""
    return {".csv": "csv", ".json": "json"}.get(Path(output or "").suffix.lower())


def _aligned(table):
    """Return an aligned table: text left, numbers right, few digits."""
    columns = []
    for name, values in table.items():
        cells = [visible(name), *(aligned_cell(name, value) for value in values)]
        width = max(map(len, cells))
        side = str.rjust if values.dtype.kind in "fiu" else str.ljust
        columns.append([side(cell, width) for cell in cells])
    return "\n".join("  ".join(row).rstrip() for row in zip(*columns, strict=True))


def aligned_cell(name, value):
    """Return a value of a column as it is shown in a table."""
    if _is_missing(value):
        return "-"
    digits = ".3f" if name in _SECONDS else ".4g"
    return format(value, digits) if isinstance(value, float) else visible(value)


def _json(table):
    columns = [values.tolist() for _, values in table.items()]
    rows = zip(*columns, strict=True)
    return json_rows([dict(zip(table.columns, row, strict=True)) for row in rows])


def json_rows(rows):
    """Return a list of dicts as JSON; values that are missing or not finite are null."""
    return to_json([{name: _json_value(x) for name, x in row.items()} for row in rows])


def _json_value(value):
    """Return a cell for JSON: None if it is missing or not finite."""
    return None if _is_missing(value) or value in (math.inf, -math.inf) else value


def _is_missing(value):
    if value is None:
        return True
    return not isinstance(value, str) and (str(value) == "<NA>" or value != value)


def write(text, output=None):
    """Write text to a file or to standard output."""
    if output is None:
        echo(text)
        return
    write_whole(output, to_bytes(f"{text}\n"))

"""read_segments: read annotations and detections from the files of several programs."""

import csv
import os
from pathlib import Path

import pandas as pd

from skdaf._core.files import not_found
from skdaf._core.public import public
from skdaf._core.typing import PathLike
from skdaf._core.validation import validate_params
from skdaf._segments.label_lines import (
    has_confidence,
    is_segment,
    read_lines,
    separator_of,
    to_number,
)
from skdaf._segments.named_columns import find_header, read_rows
from skdaf._segments.tables import COLUMNS, check_segments

_EXPECTED = (
    "expected lines of start, end and label (numbers of seconds and a text, separated by tabs or "
    "by commas, as exported from Audacity), or a first line with the names of the columns of a "
    "Raven selection table ('Begin Time (s)', 'End Time (s)', 'Annotation'), of BirdNET results "
    "('Start (s)', 'End (s)', 'Common name') or of a CSV table (start, end, label)"
)


@public
@validate_params({"label_column": [str, None]})
def read_segments(path: PathLike, *, label_column: str | None = None) -> pd.DataFrame:
    r"""Read labeled segments from a text file.

    The file may be

    - labels exported from Audacity: start, end and label, separated by tabs;
    - a selection table of Raven;
    - results of BirdNET, as CSV, for Raven, Audacity, R or Kaleidoscope;
    - a table of Kaleidoscope;
    - a segment file of pyAudioAnalysis or deep_audio_features: the same, separated by commas;
    - a table written as CSV, with a first line that names the columns `start`, `end` and `label`.

    Parameters
    ----------
    path : str or os.PathLike
        A file in UTF-8 or UTF-16 with one segment per line. Empty lines are ignored, as are a first
        line ``start,end,label`` and the lines in which Audacity writes the frequencies of a label
        (they begin with a backslash). If the first line names more columns, these are ignored,
        except for the confidence of BirdNET. Quotes around a label after a comma are removed. Times
        between tabs or semicolons may have decimal commas.
    label_column : str, default=None
        The column of labels of a table that names its columns, in upper or lower case. If None, the
        first of Annotation, Annotations, Label, Species, Common Name, Scientific Name and Species
        Code that a Raven table has; the common name in results of BirdNET; Manual ID in other
        tables of Kaleidoscope.

    Returns
    -------
    segments : pandas.DataFrame
        `start` and `end` in seconds, `label` as text without surrounding spaces, in the order of
        the file, and `confidence` for results of BirdNET. If a table of Raven has a column File
        Offset (s), times count from the beginning of the file of the segment, not from that of a
        series of files. The views of a Raven selection are one segment, and "nocall", which BirdNET
        writes for recordings without detections, is none.
        Audacity's point labels have ``start == end``, and its regions may have an empty label. Both
        are returned, but functions that need a duration or a class reject them. Remove them with
        ``segments[(segments.start < segments.end) & (segments.label != "")]``.

    Raises
    ------
    OSError
        If the file cannot be read.
    ValueError
        If the file has none of these formats, a line is not a segment, ends before it starts, or
        has more columns than the first line names, a table has no column of labels, or it belongs
        to several recordings. The error names the file, the line and what was expected. Also if
        `label_column` is not text.

    See Also
    --------
    write_segments : Write such a file.
    clips_from_segments : Turn segments into clips for training.

    References
    ----------
    .. [1] Audacity manual, "Importing and exporting labels",
       https://manual.audacityteam.org/man/importing_and_exporting_labels.html

    Examples
    --------
    >>> import tempfile, pathlib
    >>> from skdaf import read_segments
    >>> with tempfile.TemporaryDirectory() as folder:
    ...     path = pathlib.Path(folder, "labels.txt")
    ...     _ = path.write_text("0.0\t1.5\tspeech\n1.5\t4.0\tmusic, loud\n")
    ...     segments = read_segments(path)
    >>> segments
       start  end        label
    0    0.0  1.5       speech
    1    1.5  4.0  music, loud
    """
    name = repr(str(os.fspath(path)))
    text, encoding = _decoded(_content(path, name), name)
    if encoding != "UTF-8":
        name += f" ({encoding}, not UTF-8)"
    # Not splitlines: labels may contain the rare line separators at which it splits.
    lines = text.replace("\r\n", "\n").replace("\r", "\n").split("\n")
    try:
        rows, columns = _rows(lines, label_column)
    except csv.Error as error:
        raise ValueError(f"{name} is not a table that can be read ({error}).") from error
    except ValueError as error:
        end = "" if str(error).endswith("?") else "."
        raise ValueError(f"{name}: {error}{end}") from error
    for number, _, problem in rows:
        if problem:
            raise ValueError(
                f"{name}, line {number}: {problem}. The line is {lines[number - 1]!r}."
            )
    table = pd.DataFrame([values for _, values, _ in rows], columns=columns)
    types = {name: str if name == "label" else float for name in columns}
    return table if rows else table.astype(types)


def label_column_of(path):
    """Return the name of the column of labels of a Raven table; None for another file."""
    text, _ = _decoded(Path(path).read_bytes(), repr(str(path)))
    try:
        header = find_header(text.splitlines()[:10], None)
    except ValueError:
        return None
    if header is None or header.format.selection is None:
        return None
    return header.names[header.places[header.label]]


def read_table(segments):
    """Return a table of segments, which may be the path of a file; None stays None."""
    return read_segments(segments) if isinstance(segments, (str, os.PathLike)) else segments


def checked_table(segments, name, **options):
    """Return a checked table of segments, which may be the path of a file, named in errors.

    `name` and `options` are those of `check_segments`.
    """
    table = read_table(segments)
    try:
        return check_segments(table, name, **options)
    except ValueError as error:
        if table is segments:
            raise
        raise ValueError(f"{str(os.fspath(segments))!r}: {error}") from error


def _content(path, name):
    if os.path.isdir(path):
        raise IsADirectoryError(f"{name} is a folder; expected a file of annotations.")
    if not os.path.exists(path):
        raise FileNotFoundError(not_found(path, name))
    return Path(path).read_bytes()


def _decoded(content, name):
    """Return the text of a file and the name of its encoding."""
    # Text begins with ASCII in all formats, so one of the first two bytes is zero in UTF-16.
    order = {b"\xff\xfe": "utf-16", b"\xfe\xff": "utf-16"}.get(content[:2])
    if order is None and content[:2].count(0) == 1:
        order = "utf-16-be" if content[0] == 0 else "utf-16-le"
    try:
        # utf-8-sig: with or without the byte order mark that Windows writes.
        return content.decode(order or "utf-8-sig"), "UTF-16" if order else "UTF-8"
    except UnicodeDecodeError as error:
        raise ValueError(
            f"{name} is not text in UTF-8 or UTF-16 ({error}): {_EXPECTED}."
        ) from error


def _rows(lines, label_column):
    """Return the rows of a file, as `read_lines` yields them, and the names of their columns."""
    first = next((line for line in lines if is_segment(line)), "")
    names = [name.strip().lower() for name in first.split(separator_of(first))]
    is_plain = names[:3] == COLUMNS and label_column is None
    header = None if is_plain else find_header(lines, label_column)
    if header is not None:
        columns = [*COLUMNS, "confidence"] if header.has_confidence else COLUMNS
        return read_rows(header, lines), columns
    if label_column is not None:
        raise ValueError(
            f"label_column={label_column!r} needs names of columns in the first line, got {first!r}"
        )
    rows = list(read_lines(lines))
    if rows and rows[0][2] and not is_plain and not _begins_with_numbers(rows[0][1]):
        raise ValueError(f"found {first!r} in the first line; {_EXPECTED}")
    return rows, COLUMNS + ["confidence"] * has_confidence(lines)


def _begins_with_numbers(fields):
    try:
        start, end, _ = fields
        to_number(start), to_number(end)
    except ValueError:
        return False
    return True

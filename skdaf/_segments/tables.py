"""Tables of segments: check_segments, read_segments and write_segments."""

import csv
import math
import os
import re
from pathlib import Path

import numpy as np
import pandas as pd

from skdaf._audio.columns import column_names, column_values, first_value, interval_problem, is_lazy
from skdaf._audio.times import is_missing, to_seconds
from skdaf._core.files import write_whole
from skdaf._core.public import public
from skdaf._core.typing import PathLike

COLUMNS = ["start", "end", "label"]

# Times that differ by less than a microsecond are equal: that is less than a sample at any rate,
# and much more than rounding errors.
SAME_TIME = 1e-6
N_DECIMALS = 6

_QUOTED = re.compile(r'"(?:[^"]|"")*"')


def probability_columns(classes, others=COLUMNS):
    """Return the column names of classes: the class as text, with `_` appended if it is taken."""
    texts = [str(label) for label in classes]
    taken = {*others, *texts}
    names = []
    for name in texts:
        if name in others:
            while name in taken:
                name += "_"
            taken.add(name)
        names.append(name)
    return names


def check_segments(segments, name, *, points=False):
    """Check a table of segments, and return it sorted by time.

    Parameters
    ----------
    segments : DataFrame of pandas or polars, or table of PyArrow
        With the columns `start`, `end` and `label`, and any others.
    name : str
        The name of the parameter, for errors.
    points : bool, default=False
        Whether segments without a duration and empty labels are valid.
    """
    segments = _as_pandas(segments, name)
    names = list(segments.columns)
    missing = [column for column in COLUMNS if column not in names]
    if missing:
        problem = interval_problem(names, lambda column: first_value(segments, column))
        raise ValueError(
            f"{name} must have the columns start, end and label; {missing} not found among "
            f"{names}{'' if problem is None else '. Here ' + problem}."
        )
    repeated = [column for column in COLUMNS if names.count(column) > 1]
    if repeated:
        raise ValueError(f"{name} has several columns called {repeated[0]!r}.")
    starts, ends = (_seconds(segments, column, name) for column in ("start", "end"))
    _check_rows(segments, name, starts, ends, points)
    table = segments.assign(start=starts, end=ends)
    return table.iloc[np.lexsort([table.end, table.start])].reset_index(drop=True)


def _as_pandas(segments, name):
    if isinstance(segments, pd.DataFrame):
        return segments
    names = None if is_lazy(segments) else column_names(segments)
    if names is None or isinstance(segments, np.ndarray):
        raise TypeError(
            f"{name} must be a table (pandas DataFrame) with the columns start, end (s) and label, "
            f"got a {type(segments).__name__}."
        )
    return pd.DataFrame({column: column_values(segments, column) for column in names})


def _seconds(segments, column, name):
    """Return a column of times as floats in seconds; text that is not a number becomes NaN."""
    values = segments[column]
    if values.dtype.kind in "iuf":
        return values.to_numpy(float, na_value=np.nan)
    return np.array([_one_time(value, column, name) for value in values], dtype=float)


def _one_time(value, column, name):
    if is_missing(value):
        return np.nan
    if isinstance(value, str):  # tables read from text
        return pd.to_numeric(value, errors="coerce")
    try:
        return to_seconds(value)
    except TypeError as error:
        raise TypeError(f"{name}, column {column!r}: {error}.") from None


def _check_rows(segments, name, starts, ends, points):
    in_order = starts <= ends if points else starts < ends
    problems = {
        "0 <= start < end < infinity (seconds)": ~(in_order & (starts >= 0) & np.isfinite(ends)),
        "a label": segments.label.isna().to_numpy(),
    }
    if not points:
        is_blank = [isinstance(label, str) and not label.strip() for label in segments.label]
        problems = {
            "a duration, start < end": starts == ends,
            **problems,
            f"a label that is not empty (remove such segments: "
            f"{name}[{name}.label.str.strip() != ''])": np.array(is_blank, dtype=bool),
        }
    for expected, is_bad in problems.items():
        if is_bad.any():
            row = int(is_bad.argmax())
            found = segments.iloc[row]
            raise ValueError(
                f"{name}, row {segments.index[row]}: expected {expected}, got "
                f"start={found.start}, end={found.end}, label={found.label!r}."
            )


# --- files -------------------------------------------------------------------------------------


@public
def read_segments(path: PathLike) -> pd.DataFrame:
    r"""Read labeled segments from a text file.

    The file may be labels exported from Audacity (start, end and label, separated by tabs), a
    segment file of pyAudioAnalysis or deep_audio_features (separated by commas), or a table written
    as CSV.

    Parameters
    ----------
    path : str or os.PathLike
        A file in UTF-8 with one segment per line. Empty lines are ignored, as are a first line
        ``start,end,label`` and the lines in which Audacity writes the frequencies of a label (they
        begin with a backslash). If the first line names more columns, these are ignored. Quotes
        around a label after a comma are removed.

    Returns
    -------
    segments : pandas.DataFrame
        `start` and `end` in seconds, `label` as text without surrounding spaces, in the order of
        the file. Audacity's point labels have ``start == end``, and its regions may have an empty
        label. Both are returned, but functions that need a duration or a class reject them. Remove
        them with ``segments[(segments.start < segments.end) & (segments.label != "")]``.

    Raises
    ------
    OSError
        If the file cannot be read.
    ValueError
        If a line is not a segment, ends before it starts, or has more columns than the first line
        names. The error names the file, the line and what was expected.

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
    rows: list[tuple[float, float, str]] = []
    has_more = False
    for number, line in enumerate(_lines(path), start=1):
        if not line.strip() or line.startswith("\\"):
            continue
        names = [name.strip().lower() for name in line.split(_separator(line))]
        if not rows and names[:3] == COLUMNS:
            has_more = len(names) > 3
            continue
        fields = _fields(line, has_more)
        problem = _problem(fields)
        if problem:
            name = str(os.fspath(path))
            raise ValueError(f"{name!r}, line {number}: {problem}. The line is {line!r}.")
        rows.append((float(fields[0]), float(fields[1]), fields[2]))
    table = pd.DataFrame(rows, columns=COLUMNS)
    return table if rows else table.astype({"start": float, "end": float, "label": str})


def _lines(path):
    try:
        # utf-8-sig: with or without the byte order mark that Windows writes.
        text = Path(path).read_text(encoding="utf-8-sig")
    except UnicodeDecodeError as error:
        raise ValueError(
            f"{str(os.fspath(path))!r} is not text in UTF-8 ({error}): expected lines of start, "
            "end and label."
        ) from error
    # Not splitlines: labels may contain the rare line separators at which it splits.
    return text.split("\n")


def _fields(line, has_more=False):
    """Split a line at tabs if it has any, else at commas, into start, end and label.

    The label may contain further separators, unless the table has more columns.
    """
    separator = _separator(line)
    fields = line.split(separator, 2)
    is_quoted = separator == "," and _QUOTED.fullmatch(fields[-1].strip())
    if len(fields) == 3 and (has_more or is_quoted):
        rest = csv.reader([fields[2]], delimiter=separator, skipinitialspace=separator == ",")
        fields[2] = [*next(rest), ""][0]
    return [field.strip() for field in fields]


def _separator(line):
    return "\t" if "\t" in line else ","


def _problem(fields):
    """Return why fields are not a segment; None if they are."""
    if len(fields) < 3:
        return "expected start, end and label, separated by tabs or by commas"
    try:
        start, end = float(fields[0]), float(fields[1])
    except ValueError:
        return f"expected numbers of seconds, got start={fields[0]!r} and end={fields[1]!r}"
    if not 0 <= start < math.inf:
        return f"expected a start of at least 0 seconds, got {fields[0]}"
    if not start <= end < math.inf:
        return f"expected an end after the start, got start={fields[0]} and end={fields[1]}"
    if "\t" in fields[2]:
        return (
            f"expected three columns, got the label {fields[2]!r} with a tab. To ignore further "
            "columns, add a first line with the names of all columns (start, end, label, ...)"
        )
    return None


@public
def write_segments(segments: pd.DataFrame, path: PathLike) -> None:
    """Write segments as Audacity labels: start, end and label, separated by tabs.

    Import such a file in Audacity with File > Import > Labels.

    Parameters
    ----------
    segments : pandas.DataFrame
        With the columns `start`, `end` (s) and `label`; other columns are not written. Labels are
        written as text and may be empty; rows are sorted by time.
    path : str or os.PathLike
        The file to write. An existing file is replaced only when the new one is complete.

    Raises
    ------
    OSError
        If the file cannot be written. In that case, an existing file does not change.
    TypeError
        If `segments` is not a table.
    ValueError
        If a column or a value is missing, a segment ends before it starts, or a label could not be
        read back: it contains a tab or a line break, has surrounding spaces, or is not valid
        Unicode. In that case, nothing is written.

    See Also
    --------
    read_segments : Read such a file, with exactly the same times and labels.

    Examples
    --------
    >>> import tempfile, pathlib, pandas as pd
    >>> from skdaf import write_segments
    >>> segments = pd.DataFrame({"start": [0, 1.5], "end": [1.5, 4], "label": ["cat", "dog"]})
    >>> with tempfile.TemporaryDirectory() as folder:
    ...     path = pathlib.Path(folder, "labels.txt")
    ...     write_segments(segments, path)
    ...     print(path.read_text().expandtabs(12))
    0.000000    1.500000    cat
    1.500000    4.000000    dog
    """
    table = check_segments(segments, "segments", points=True)
    labels = [str(label) for label in table.label]
    for label in labels:
        problem = _problem_of_label(label)
        if problem:
            raise ValueError(f"The label {label!r} {problem}, so it could not be read back.")
    lines = [
        f"{_decimals(start)}\t{_decimals(end)}\t{label}\n"
        for start, end, label in zip(table.start, table.end, labels, strict=True)
    ]
    write_whole(path, "".join(lines).encode())


def _problem_of_label(label):
    """Return why a label cannot be written to a file of segments; None if it can."""
    if any(character in label for character in "\t\n\r"):
        return "contains a tab or a line break"
    if label != label.strip():
        return "has surrounding spaces"
    if label.encode(errors="replace").decode() != label:
        return "is not valid Unicode"
    return None


def _decimals(seconds):
    """Return a time with all digits needed to read it back exactly, without an exponent."""
    return np.format_float_positional(seconds, min_digits=6)

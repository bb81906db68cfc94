"""Tables of segments: what they must be, read_segments and write_segments."""

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

COLUMNS = ["start", "end", "label"]

# Times that differ by less than a microsecond are the same: that is a part of a sample at any rate,
# and far more than rounding does.
SAME_TIME = 1e-6
N_DECIMALS = 6

_QUOTED = re.compile(r'"(?:[^"]|"")*"')


def probability_columns(classes, others=COLUMNS):
    """Return the names of the classes' columns: their text, and `_` after it where it is taken."""
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
    """Return a table of segments in the order of time, or say what is wrong with it.

    Parameters
    ----------
    segments : DataFrame of pandas or polars, or table of PyArrow
        With the columns `start`, `end` and `label`, and any others.
    name : str
        What the caller calls it.
    points : bool, default=False
        Whether segments without a duration, or with an empty label, will do.
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
    """Return a column of times as floats in seconds; what is no number becomes NaN."""
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
            f"a label that is not empty (leave such segments out: "
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
def read_segments(path):
    r"""Read labelled segments from a text file.

    Takes what Audacity exports as labels (start, end and label, separated by tabs), the segment
    files of pyAudioAnalysis and deep_audio_features (separated by commas), and tables written as
    CSV.

    Parameters
    ----------
    path : str or os.PathLike
        A file in UTF-8 with one segment a line. Empty lines, one line ``start,end,label`` at the
        top, and Audacity's second lines of a label with its frequencies (they begin with a
        backslash) are passed over. If that top line names more columns, they are left out. Quotes
        around a label that follows a comma are taken off.

    Returns
    -------
    segments : pandas.DataFrame
        `start` and `end` in seconds, `label` as text without spaces around it, in the order of
        the file. Audacity's point labels have ``start == end``, and its regions may have no label:
        they are kept here, but what needs a duration or a class refuses them;
        ``segments[(segments.start < segments.end) & (segments.label != "")]`` leaves them out.

    Raises
    ------
    OSError
        If the file cannot be read.
    ValueError
        If a line is not a segment, ends before it starts, or has more columns than the first line
        names; it names the file, the line and what was expected.

    See Also
    --------
    write_segments : Write such a file.
    clips_from_segments : Turn segments into clips to train on.

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
    rows, has_more = [], False
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
        # utf-8-sig: with or without the mark that Windows puts at the top.
        text = Path(path).read_text(encoding="utf-8-sig")
    except UnicodeDecodeError as error:
        raise ValueError(
            f"{str(os.fspath(path))!r} is not text in UTF-8 ({error}): expected lines of start, "
            "end and label."
        ) from error
    # Not splitlines: labels may hold the rarer separators that it knows.
    return text.split("\n")


def _fields(line, has_more=False):
    """Split a line at tabs if it has any, else at commas; further ones belong to the label.

    Where a table has more columns the label ends at the next one.
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
    """Tell why fields are not a segment; None if they are."""
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
            f"expected three columns, got the label {fields[2]!r} with a tab. A first line with "
            "the names of all columns (start, end, label, ...) lets further ones be left out"
        )
    return None


@public
def write_segments(segments, path):
    """Write segments as Audacity labels: start, end and label, separated by tabs.

    Audacity shows such a file beside the recording (File > Import > Labels).

    Parameters
    ----------
    segments : pandas.DataFrame
        With the columns `start`, `end` (s) and `label`; others are not written. Labels are
        written as text, rows in the order of time. Labels may be empty.
    path : str or os.PathLike
        The file to write. One that is there is replaced when the new one is complete.

    Raises
    ------
    OSError
        If the file cannot be written; nothing is left half-written then.
    TypeError
        If `segments` is not a table.
    ValueError
        If a column or a value is missing, a segment ends before it starts, or a label could not be
        read back: it holds a tab or a line break, has spaces around it, or is no text in Unicode.
        Nothing is written then.

    See Also
    --------
    read_segments : Read such a file. Times and labels come back exactly.

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
            raise ValueError(f"The label {label!r} {problem}: it could not be read back.")
    lines = [
        f"{_decimals(start)}\t{_decimals(end)}\t{label}\n"
        for start, end, label in zip(table.start, table.end, labels, strict=True)
    ]
    write_whole(path, "".join(lines).encode())


def _problem_of_label(label):
    """Return why a label cannot stand in a file of segments; None if it can."""
    if any(character in label for character in "\t\n\r"):
        return "holds a tab or a line break"
    if label != label.strip():
        return "has spaces around it"
    if label.encode(errors="replace").decode() != label:
        return "is not text in Unicode"
    return None


def _decimals(seconds):
    """Write a time with as many digits as bring it back exactly, never with an exponent."""
    return np.format_float_positional(seconds, min_digits=6)

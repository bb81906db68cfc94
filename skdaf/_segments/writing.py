"""write_segments: write segments for Audacity and Raven, and as CSV."""

import csv
import io
import os
import warnings
from numbers import Real
from pathlib import Path

import numpy as np
import pandas as pd

from skdaf._audio.columns import column_names
from skdaf._core.files import write_whole
from skdaf._core.public import public
from skdaf._core.typing import PathLike
from skdaf._core.validation import validate_params
from skdaf._segments.pieces import has_probabilities
from skdaf._segments.tables import (
    COLUMNS,
    check_segments,
    check_values,
    find_value_columns,
    labeled,
    probability_columns,
)

_RAVEN_COLUMNS = ["Selection", "View", "Channel", "Begin Time (s)", "End Time (s)"]
_RAVEN_FREQUENCIES = ["Low Freq (Hz)", "High Freq (Hz)"]
_RAVEN_SCORE = "Score"

_FORMATS = ("audacity", "raven", "csv")


@public
@validate_params(
    {"format": [str, None], "label_column": [str], "frequency_range": [tuple, list, None]}
)
def write_segments(
    segments: pd.DataFrame,
    path: PathLike,
    *,
    format: str | None = None,
    label_column: str = "Annotation",
    frequency_range: tuple[float, float] | None = None,
) -> None:
    """Write segments as labels for Audacity, as a selection table for Raven, or as CSV.

    Import labels in Audacity with File > Import > Labels, and open a selection table in Raven with
    File > Open Selection Table.

    Parameters
    ----------
    segments : pandas.DataFrame
        With the columns `start`, `end` (s) and `label`; other columns are not written, except for
        probabilities in tables for Raven. Labels are written as text and may be empty. Rows without
        a label, such as windows below the threshold of `predict_segments`, are not segments and not
        written. Rows are sorted by time. The numbers of a regressor (`value`, or `value_0`,
        `value_1`, ...) are written instead of labels, with all digits; only CSV can contain them.
    path : str or os.PathLike
        The file to write. An existing file is replaced only when the new one is complete.
    format : {"audacity", "raven", "csv"}, default=None
        "audacity" writes start, end and label, separated by tabs; "raven" a selection table, with
        the label in the column Annotation and, if `segments` has a column of probabilities for each
        label, the probability of the label in the column Score (after `merge_segments`, the highest
        one of the windows of each event); "csv" a table with the columns `start`, `end` and
        `label`. In upper or lower case. If None, the name of the file decides:
        "csv" for ``*.csv``, "raven" for ``*.selections.txt``, as Raven calls its tables, else
        "audacity", with a warning if the name ends in another extension than ``.txt``.
    label_column : str, default="Annotation"
        The column of labels in a table for Raven, such as that of your other tables. The other
        formats have no such names.
    frequency_range : (float, float), default=None
        The lowest and the highest frequency of the selections in a table for Raven, in Hz, such as
        those between which the classifier listens. Selections then appear in the spectrogram. If
        None, they have no frequencies and belong to the waveform.

    Raises
    ------
    OSError
        If the file cannot be written. In that case, an existing file does not change.
    TypeError
        If `segments` is not a table.
    ValueError
        If a column, a start or an end is missing, a segment ends before it starts, or a label could
        not be read back: it contains a tab or a line break, has surrounding spaces, or is not valid
        Unicode; or if the segments have numbers and the format is not "csv", or the format is
        unknown, or `label_column` or `frequency_range` are not valid. In that case, nothing is
        written.

    Warns
    -----
    UserWarning
        If the extension of the file may stand for another format than labels for Audacity.

    See Also
    --------
    read_segments : Read such a file, with exactly the same times and labels.
    pandas.read_csv : Read a file with numbers.

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
    if format is None:
        format = segment_format(path)
        _warn_about_extension(path, format)
    format = format.lower()
    if format not in _FORMATS:
        raise ValueError(
            f"The 'format' parameter of write_segments must be one of {', '.join(_FORMATS)} or "
            f"None, got {format!r}."
        )
    header = _raven_header(label_column, frequency_range)
    values = find_value_columns(column_names(segments))
    if values:
        text = _csv(["start", "end", *values], _rows_with_numbers(segments, values, format))
    elif format == "csv":
        text = _csv(COLUMNS, _rows_with_labels(segments))
    else:
        is_raven = format == "raven"
        rows = _rows_with_labels(segments, with_scores=is_raven)
        text = _raven(rows, header, frequency_range) if is_raven else _tab_separated(rows)
    write_whole(path, text.encode())


def segment_format(path):
    """Return the format for the name of a file."""
    name = Path(path).name.lower()
    if name.endswith(".csv"):
        return "csv"
    return "raven" if name.endswith(".selections.txt") else "audacity"


def _warn_about_extension(path, format_):
    suffix = Path(path).suffix
    if format_ == "audacity" and suffix[1:].isalpha() and suffix.lower() != ".txt":
        warnings.warn(
            f"{str(os.fspath(path))!r} contains labels for Audacity, although {suffix} may stand "
            "for another format: call such files *.txt, tables for Raven *.selections.txt, and CSV "
            "*.csv, or pass format=.",
            # The decorator that checks parameters is in between.
            stacklevel=4,
        )


def _rows_with_labels(segments, with_scores=False):
    """Return the texts of the start, the end and the label of each segment.

    With scores, these are followed by the probability of the label, if the table has it.
    """
    table = labeled(check_segments(segments, "segments", points=True, unlabeled=True))
    labels = [str(label) for label in table.label]
    for label in labels:
        problem = _problem_of_label(label)
        if problem:
            raise ValueError(f"The label {label!r} {problem}, so it could not be read back.")
    scores = _scores(table) if with_scores and len(table) else None
    return _with_times(table, labels, *([] if scores is None else [scores]))


def _scores(table):
    """Return the probability of the label of each segment as text; None if they are not known."""
    if not has_probabilities(table):
        return None
    labels = table.label.unique()
    probabilities = {
        label: table[column].to_numpy()
        for label, column in zip(labels, probability_columns(labels), strict=True)
    }
    values = [probabilities[label][row] for row, label in enumerate(table.label)]
    is_probability = all(0 <= value <= 1 for value in values)
    # With all digits: a rounded one could be below the threshold that the probability reaches.
    return [_decimals(value, 4) for value in values] if is_probability else None


def _rows_with_numbers(segments, columns, format_):
    """Return the texts of the start, the end and the numbers of each row, with all digits."""
    if format_ != "csv":
        raise ValueError(
            f"segments contains numbers ({', '.join(columns)}) instead of labels, and only CSV can "
            f"contain them, got format={format_!r}: pass format='csv' or a path that ends in .csv."
        )
    table = check_values(segments, "segments")
    texts = table[columns].astype(object).map(lambda value: "" if pd.isna(value) else str(value))
    return _with_times(table, *texts.to_numpy().T)


def _with_times(table, *others):
    """Return rows of texts: the start, the end, and what other columns contain."""
    times = table.start.map(_decimals), table.end.map(_decimals)
    return [list(row) for row in zip(*times, *others, strict=True)]


def _tab_separated(rows):
    return "".join("\t".join(row) + "\n" for row in rows)


def _raven_header(label_column, frequency_range):
    """Return the names of the columns of a table for Raven, after a check of what they contain."""
    name = label_column.strip().lower()
    taken = {x.lower() for x in (*_RAVEN_COLUMNS, *_RAVEN_FREQUENCIES, _RAVEN_SCORE)}
    if not name or name in taken or _problem_of_label(label_column):
        raise ValueError(
            "label_column must be a name for the column of labels that no other column has, got "
            f"{label_column!r}."
        )
    if frequency_range is None:
        return [*_RAVEN_COLUMNS, label_column]
    numbers = [x for x in frequency_range if isinstance(x, (Real, np.number)) and np.isfinite(x)]
    if not (len(frequency_range) == len(numbers) == 2 and 0 <= numbers[0] < numbers[1]):
        raise ValueError(
            "frequency_range must be the lowest and the highest frequency in Hz, 0 <= low < high, "
            f"got {frequency_range!r}."
        )
    return [*_RAVEN_COLUMNS, *_RAVEN_FREQUENCIES, label_column]


def _raven(rows, header, frequency_range):
    """Return a selection table. Rows are those of `_rows_with_labels`."""
    view = "Waveform 1" if frequency_range is None else "Spectrogram 1"
    band = [_decimals(x, 1) for x in frequency_range or ()]
    selections = [
        [str(i), view, "1", start, end, *band, *labels]
        for i, (start, end, *labels) in enumerate(rows, start=1)
    ]
    has_scores = bool(rows) and len(rows[0]) > 3
    return _tab_separated([[*header, *[_RAVEN_SCORE] * has_scores], *selections])


def _csv(names, rows):
    file = io.StringIO()
    csv.writer(file, lineterminator="\n").writerows([names, *rows])
    return file.getvalue()


def _problem_of_label(label):
    """Return why a label cannot be written to a file of segments; None if it can."""
    if any(character in label for character in "\t\n\r"):
        return "contains a tab or a line break"
    if label != label.strip():
        return "has surrounding spaces"
    if label.encode(errors="replace").decode() != label:
        return "is not valid Unicode"
    return None


def _decimals(value, n_digits=6):
    """Return a number with all digits needed to read it back exactly, without an exponent."""
    return np.format_float_positional(value, min_digits=n_digits)

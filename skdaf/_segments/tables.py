"""Tables of segments: check them, and name their columns of probabilities and of numbers."""

import math
import os
import re
from numbers import Number

import numpy as np
import pandas as pd

from skdaf._audio.columns import column_names, column_values, first_value, interval_problem, is_lazy
from skdaf._audio.times import is_missing, to_seconds
from skdaf._core.arrays import plain_scalar

COLUMNS = ["start", "end", "label"]

# Times that differ by less than a microsecond are equal: that is less than a sample at any rate,
# and much more than rounding errors.
SAME_TIME = 1e-6
N_DECIMALS = 6


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


def unused_name(name, classes):
    """Return the name of a row or column beside those of classes, with `_` appended if needed."""
    while name in classes:
        name += "_"
    return name


def value_columns(n_targets):
    """Return the column names of the numbers that a regressor predicts."""
    return ["value"] if n_targets == 1 else [f"value_{number}" for number in range(n_targets)]


def find_value_columns(names):
    """Return the columns of predicted numbers among the names of columns; none if it has labels."""
    if names is None or "label" in names:
        return []
    return [name for name in names if re.fullmatch(r"value(_\d+)?", str(name))]


def check_values(segments, name):
    """Check a table of predicted numbers, and return it sorted by time.

    Parameters
    ----------
    segments : DataFrame of pandas or polars, or table of PyArrow
        With the columns `start` and `end`, and those of `value_columns`.
    name : str
        The name of the parameter, for errors.
    """
    table = _as_pandas(segments, name)
    return check_segments(table.assign(label=""), name, points=True).drop(columns="label")


def check_segments(segments, name, *, points=False, unlabeled=False):
    """Check a table of segments, and return it sorted by time.

    Parameters
    ----------
    segments : DataFrame of pandas or polars, or table of PyArrow
        With the columns `start`, `end` and `label`, and any others.
    name : str
        The name of the parameter, for errors.
    points : bool, default=False
        Whether segments without a duration and empty labels are valid.
    unlabeled : bool, default=False
        Whether rows without a label are valid, such as windows below the threshold of
        `predict_segments`. They are not segments; `labeled` removes them.
    """
    segments = _as_pandas(segments, name)
    names = list(segments.columns)
    missing = [column for column in COLUMNS if column not in names]
    if missing:
        problem = interval_problem(names, lambda column: first_value(segments, column))
        raise ValueError(
            f"{name} must have the columns start, end and label; {missing} not found among "
            f"{names}{'' if problem is None else '. Here ' + problem}.{_advice(name, names)}"
        )
    repeated = [column for column in COLUMNS if names.count(column) > 1]
    if repeated:
        raise ValueError(f"{name} has several columns called {repeated[0]!r}.")
    starts, ends = (_seconds(segments, column, name) for column in ("start", "end"))
    _check_rows(segments, name, starts, ends, points, unlabeled)
    table = segments.assign(start=starts, end=ends)
    return table.iloc[np.lexsort([table.end, table.start])].reset_index(drop=True)


def _advice(name, names):
    """Return a sentence about a table of numbers instead of labels; an empty one for others."""
    values = find_value_columns(names)
    if not values:
        return ""
    column = f"{name}.{values[0]}"
    return (
        " These are numbers that a regressor predicted. To use them as segments, add labels, as in "
        f"{name}.assign(label=numpy.where({column} > 1, 'high', 'low')). To smooth them, use "
        f"{column}.rolling(5, center=True, min_periods=1).median()."
    )


def labeled(table):
    """Return the rows with a label; labels get back the type that missing ones took from them."""
    has_label = table.label.notna()
    if has_label.all():
        return table
    table = table[has_label]
    return table.assign(label=table.label.infer_objects())


def at_most(seconds, limit):
    """Return whether times are at most as long as a limit; rounding must not decide."""
    return seconds - limit < SAME_TIME


def is_long_enough(start, end, shortest):
    """Return whether segments have a duration; rounding must not decide."""
    return at_most(shortest, end - start)


def whole_microseconds(seconds):
    """Return times such that those that differ only by rounding errors are equal, to sort them.

    Halves are not the limit between rounding down and up: 62.5 microseconds, a sample at 16 kHz,
    are common, so rounding errors would decide.
    """
    return math.floor(seconds * 10**N_DECIMALS + 0.6)


def as_texts(labels, name):
    """Return the texts of a label or of a list of labels; an empty list for None."""
    if labels is None:
        return []
    if isinstance(labels, (str, Number, np.generic)):
        labels = [labels]
    elif not isinstance(labels, (list, tuple, set, frozenset, np.ndarray, pd.Index, pd.Series)):
        raise TypeError(f"{name} must be a label or a list of labels, got {labels!r}.")
    for label in labels:
        check_not_blank(label, name)
    return [str(label) for label in labels]


def check_not_blank(label, name):
    """Raise ValueError for the label of a parameter if it is an empty text, or missing."""
    label = plain_scalar(label)
    if is_missing(label):
        raise ValueError(f"{name} must be a label that is not missing, got {label!r}.")
    if not str(label).strip():
        raise ValueError(f"{name} must be a label that is not empty, got {label!r}.")


def paired(true, predicted):
    """Return the tables of each recording; each parameter is a table or a list of them."""
    trues, predictions = (
        list(tables) if isinstance(tables, (list, tuple)) else [tables]
        for tables in (true, predicted)
    )
    if len(trues) != len(predictions):
        raise ValueError(
            f"true and predicted must be tables of the same recordings, got {len(trues)} and "
            f"{len(predictions)} tables."
        )
    return [*zip(trues, predictions, strict=True)]


def _as_pandas(segments, name):
    if isinstance(segments, pd.DataFrame):
        return segments
    names = None if is_lazy(segments) else column_names(segments)
    if names is None or isinstance(segments, np.ndarray):
        is_path = isinstance(segments, (str, os.PathLike))
        advice = " Read a file with read_segments." if is_path else ""
        raise TypeError(
            f"{name} must be a table (pandas DataFrame) with the columns start, end (s) and label, "
            f"got a {type(segments).__name__}.{advice}"
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


def _check_rows(segments, name, starts, ends, points, unlabeled):
    in_order = starts <= ends if points else starts < ends
    problems = {
        "0 <= start < end < infinity (seconds)": ~(in_order & (starts >= 0) & np.isfinite(ends)),
        "a label": segments.label.isna().to_numpy() & (not unlabeled),
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
                f"start={found.start}, end={found.end}, label={plain_scalar(found.label)!r}."
            )

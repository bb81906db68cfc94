"""Columns of tables from pandas, polars, PyArrow and others.

This module also detects time columns with unexpected names, so that an error can name them.
"""

import re
from datetime import timedelta
from decimal import Decimal
from numbers import Real

import numpy as np

from skdaf._audio.times import is_missing

# Words for the start, the end and the length of a clip in annotation tools and datasets. "offset"
# means the end if there is an "onset", and the start otherwise.
_STARTS = {"start", "begin", "beginning", "onset", "offset", "tstart", "tbegin", "tmin", "xmin"}
_STARTS |= {"starttime", "begintime", "timestart", "onsettime", "startoffset"}
_STARTS |= {"starts", "begins", "beg", "tbeg", "from", "t0"}
_STARTS |= {"von", "beginn", "anfang", "inicio", "inizio"}
_ENDS = {"end", "stop", "finish", "tend", "tstop", "tmax", "xmax"}
_ENDS |= {"endtime", "stoptime", "timeend", "offsettime", "endoffset"}
_ENDS |= {"ends", "stops", "fin", "to", "t1"}
_ENDS |= {"bis", "ende"}
_DURATIONS = {"duration", "dur", "length"}

# Words that do not change the meaning of a name.
_FILLERS = {"t", "time", "timestamp", "at", "in", "pos", "position"}
_FILLERS |= {"segment", "seg", "clip", "event", "annotation", "window", "chunk", "region"}
_FILLERS |= {"audio", "utterance", "utt", "speech", "word", "interval"}
_FILLERS |= {"s", "ss", "sec", "secs", "second", "seconds"}

# Units other than seconds.
_MILLISECONDS = {"ms", "msec", "msecs", "millis", "millisecond", "milliseconds"}
_SAMPLES = {"sample", "samples", "frame", "frames", "idx", "index"}


def python_string_storage():
    """Return a context in which pandas can store any text, even file names that are not UTF-8.

    If PyArrow is installed, pandas by default stores strings in PyArrow arrays, which require
    UTF-8.
    """
    import pandas as pd

    return pd.option_context("mode.string_storage", "python")


def is_lazy(X):
    """Return True if X is a query whose rows have not been computed yet (polars, Spark)."""
    return hasattr(type(X), "collect") and not hasattr(type(X), "__len__")


def column_names(X):
    """Return the names of the columns of a table; None for anything else."""
    names = getattr(X, "column_names", None)  # PyArrow, whose `columns` are the values
    if names is None:
        names = getattr(X, "columns", None)
    if names is None:
        names = getattr(getattr(X, "dtype", None), "names", None)
    return None if names is None or callable(names) else list(names)


def column_values(table, name):
    """Return the values of a column as a list; durations keep all their digits."""
    column = table[name]
    if hasattr(column, "to_pylist"):
        return column.to_pylist()
    if str(getattr(column, "dtype", "")).startswith("Duration"):  # polars
        return list(column.to_numpy())
    return list(column)


def first_value(table, name):
    """Return the first value of a column that is not missing; None if all are missing."""
    column = table[name]
    values = column_values(table, name) if hasattr(column, "to_pylist") else column
    return next((value for value in values if not is_missing(value)), None)


def interval_problem(names, first_value, *, with_code=True):
    """Return what is wrong with the names of time columns; None if they are correct.

    If there are columns `start` and `end`, other columns do not matter. A column `duration` alone
    does not define an interval: in most tables, it is the duration of the whole file.

    Parameters
    ----------
    names : list of str
        The column names.
    first_value : callable
        Takes a name; returns the first value of that column that is not missing. It shows whether
        the column contains times; columns of dates do not count.
    with_code : bool, default=True
        Whether to show the code that adds the missing columns to a DataFrame.
    """
    found = _roles([name for name in names if name not in ("start", "end")], first_value)
    start = "start" if "start" in names else found.get("start")
    end = "end" if "end" in names else found.get("end")
    is_open = start is not None and end is None
    duration = found.get("duration") if is_open else None
    wrong = [name for name in (start, end, duration) if name not in ("start", "end", None)]
    if not wrong:
        return None
    problem = (
        f"the columns {wrong} are not used: clips are defined by columns named 'start' and 'end', "
        "in seconds"
    )
    if not with_code:
        return problem
    return (
        f"{problem}. Add them with {_remedy(start, end, duration)}, or drop the columns if they "
        "have another meaning"
    )


def _roles(names, first_value):
    """Return the columns that look like the start, the end and the duration of clips."""
    words = {name: _role_word(str(name)) for name in names}
    timed = {name: word for name, word in words.items() if word and _is_time(first_value(name))}
    has_onset = "onset" in timed.values()
    roles = {}
    for name, word in timed.items():
        if word in _ENDS or (word == "offset" and has_onset):
            roles.setdefault("end", name)
        elif word in _STARTS:
            roles.setdefault("start", name)
        else:
            roles.setdefault("duration", name)
    return roles


def _role_word(name):
    """Return the word that shows the role of a column; None for other columns."""
    ignored = _FILLERS | _MILLISECONDS | _SAMPLES
    word = "".join(word for word in words_of(name) if word not in ignored)
    return word if word in _STARTS | _ENDS | _DURATIONS else None


def is_time_name(name):
    """Return whether a column is called like the start, the end or the duration of a clip."""
    return _role_word(name) is not None


def words_of(name):
    """Split 'Begin Time (s)', 'start_time', 'startTime', 't0' into words in lower case."""
    return re.findall(r"[a-z]+\d*", re.sub(r"(?<=[a-z])(?=[A-Z])", " ", name).lower())


def _is_time(value):
    if isinstance(value, str):
        return re.fullmatch(r"\s*[\d:.]+\s*", value) is not None
    is_flag = isinstance(value, (bool, np.bool_))
    return isinstance(value, (Real, Decimal, timedelta, np.timedelta64)) and not is_flag


def _remedy(start, end, duration):
    """Return the code that adds the columns `start` and `end`."""
    parts = []
    if start is not None and start != "start":
        parts.append(f"start={_in_seconds(start)}")
    if end is not None and end != "end":
        parts.append(f"end={_in_seconds(end)}")
    if duration is not None:
        parts.append(f"end={_in_seconds(start)} + {_in_seconds(duration)}")
    return f"table.assign({', '.join(parts)})"


def _in_seconds(name):
    words = set(words_of(str(name)))
    column = f"table[{name!r}]"
    # "ss.msec" means seconds with three decimals.
    if words & _MILLISECONDS and "ss" not in words:
        return f"{column} / 1000"
    return f"{column} / sampling_rate" if words & _SAMPLES else column

"""Tables of pandas, polars, PyArrow and others: their columns, and columns with other names."""

import re
from datetime import timedelta
from decimal import Decimal
from numbers import Real

import numpy as np

from skdaf._audio.times import is_missing

# Words for the start of a part, its end and its length, as annotation tools and data sets have
# them. "offset" is an end where there is an onset, and else a start.
_STARTS = {"start", "begin", "beginning", "onset", "offset", "tstart", "tbegin", "tmin", "xmin"}
_STARTS |= {"starttime", "begintime", "timestart", "onsettime", "startoffset"}
_STARTS |= {"starts", "begins", "beg", "tbeg", "from", "t0"}
_ENDS = {"end", "stop", "finish", "tend", "tstop", "tmax", "xmax"}
_ENDS |= {"endtime", "stoptime", "timeend", "offsettime", "endoffset"}
_ENDS |= {"ends", "stops", "fin", "to", "t1"}
_DURATIONS = {"duration", "dur", "length"}

# Words that change nothing about what a column is.
_FILLERS = {"t", "time", "timestamp", "at", "in", "pos", "position"}
_FILLERS |= {"segment", "seg", "clip", "event", "annotation", "window", "chunk", "region"}
_FILLERS |= {"audio", "utterance", "utt", "speech", "word", "interval"}
_FILLERS |= {"s", "ss", "sec", "secs", "second", "seconds"}

# Units other than seconds, and how to get seconds.
_MILLISECONDS = {"ms", "msec", "msecs", "millis", "millisecond", "milliseconds"}
_SAMPLES = {"sample", "samples", "frame", "frames", "idx", "index"}


def text_as_it_is():
    """Return a context in which pandas stores any text, also names that are not UTF-8.

    With PyArrow installed pandas would use its storage, which holds UTF-8 only.
    """
    import pandas as pd

    return pd.option_context("mode.string_storage", "python")


def is_lazy(X):
    """Return whether X is a query whose rows are still to be computed (polars, Spark)."""
    return hasattr(type(X), "collect") and not hasattr(type(X), "__len__")


def column_names(X):
    """Return the names of the columns of a table, None for anything that is not a table."""
    names = getattr(X, "column_names", None)  # of PyArrow, whose `columns` are the values
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
    if str(getattr(column, "dtype", "")).startswith("Duration"):  # of polars
        return list(column.to_numpy())
    return list(column)


def first_value(table, name):
    """Return the first value of a column that is not missing, None if there is none."""
    column = table[name]
    values = column_values(table, name) if hasattr(column, "to_pylist") else column
    return next((value for value in values if not is_missing(value)), None)


def interval_problem(names, first_value):
    """Return what is wrong with the names of the columns of times, None if nothing is.

    Columns `start` and `end` together settle it, whatever stands beside them. A lone column
    `duration` is no interval: most tables of recordings have one, of the whole file.

    Parameters
    ----------
    names : list of str
        The columns.
    first_value : callable
        Gets a name, and returns the first value in that column that is not missing. Columns of
        dates are no intervals.
    """
    found = _roles([name for name in names if name not in ("start", "end")], first_value)
    start = "start" if "start" in names else found.get("start")
    end = "end" if "end" in names else found.get("end")
    is_open = start is not None and end is None
    duration = found.get("duration") if is_open else None
    wrong = [name for name in (start, end, duration) if name not in ("start", "end", None)]
    if not wrong:
        return None
    return (
        f"the columns {wrong} are not used: parts of recordings are given by columns named 'start' "
        f"and 'end', in seconds. Make these with {_remedy(start, end, duration)}, or "
        "leave out the columns if they mean something else"
    )


def _roles(names, first_value):
    """Return the columns that look like the start, the end and the duration of parts."""
    cores = {name: _core(str(name)) for name in names}
    timed = {name: core for name, core in cores.items() if core and _is_time(first_value(name))}
    has_onset = "onset" in timed.values()
    roles = {}
    for name, core in timed.items():
        if core in _ENDS or (core == "offset" and has_onset):
            roles.setdefault("end", name)
        elif core in _STARTS:
            roles.setdefault("start", name)
        else:
            roles.setdefault("duration", name)
    return roles


def _core(name):
    """Return the word for a role in the name of a column, None if it says anything else."""
    words = _words(name)
    core = "".join(word for word in words if word not in _FILLERS | _MILLISECONDS | _SAMPLES)
    return core if core in _STARTS | _ENDS | _DURATIONS else None


def _words(name):
    """Split 'Begin Time (s)', 'start_time', 'startTime', 't0' into words in lower case."""
    return re.findall(r"[a-z]+\d*", re.sub(r"(?<=[a-z])(?=[A-Z])", " ", name).lower())


def _is_time(value):
    if isinstance(value, str):
        return re.fullmatch(r"\s*[\d:.]+\s*", value) is not None
    is_flag = isinstance(value, (bool, np.bool_))
    return isinstance(value, (Real, Decimal, timedelta, np.timedelta64)) and not is_flag


def _remedy(start, end, duration):
    """Return the call that makes the columns `start` and `end`."""
    parts = []
    if start is not None and start != "start":
        parts.append(f"start={_in_seconds(start)}")
    if end is not None and end != "end":
        parts.append(f"end={_in_seconds(end)}")
    if duration is not None:
        parts.append(f"end={_in_seconds(start)} + {_in_seconds(duration)}")
    return f"table.assign({', '.join(parts)})"


def _in_seconds(name):
    words = set(_words(str(name)))
    column = f"table[{name!r}]"
    # "ss.msec" are seconds with three digits behind the point.
    if words & _MILLISECONDS and "ss" not in words:
        return f"{column} / 1000"
    return f"{column} / sampling_rate" if words & _SAMPLES else column

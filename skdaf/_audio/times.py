"""Convert numbers and durations from Python, NumPy and pandas to seconds."""

from datetime import date, time, timedelta
from decimal import Decimal
from numbers import Real

import numpy as np

# NumPy's units of time: how many of the short ones make a second, and how many seconds the long
# ones have. Months and years have no fixed length.
_PER_SECOND = {"s": 1, "ms": 10**3, "us": 10**6, "ns": 10**9, "ps": 10**12, "fs": 10**15}
_PER_SECOND["as"] = 10**18
_SECONDS_IN = {"m": 60, "h": 3600, "D": 86_400, "W": 604_800}


def to_seconds(value):
    """Return a time in seconds.

    Parameters
    ----------
    value : float, datetime.timedelta, numpy.timedelta64 or pandas.Timedelta
        A number of seconds, or a duration in any unit. Durations are converted exactly: the result
        is the nearest float.

    Raises
    ------
    TypeError
        If the value is not such a time. The message continues a text such as "start=".
    """
    if type(value) is float:  # nearly always, so this saves time for many clips
        return value
    if isinstance(value, (date, time, np.datetime64)):
        raise TypeError(
            f"{value!r} is a date or a time of day; expected seconds from the start of the "
            "recording. Subtract the date and time at which the recording starts"
        )
    if hasattr(value, "to_timedelta64"):  # pandas, exact to the nanosecond
        value = value.to_timedelta64()
    if isinstance(value, np.timedelta64):
        return _seconds_of_numpy(value)
    if isinstance(value, timedelta):
        return value / timedelta(seconds=1)
    if isinstance(value, (bool, np.bool_)) or not isinstance(value, (Real, Decimal)):
        remedy = "; convert text with float" if isinstance(value, str) else ""
        raise TypeError(f"{value!r} is neither a number of seconds nor a duration{remedy}")
    return float(value)


def _seconds_of_numpy(value):
    unit, count = np.datetime_data(value.dtype)
    number = int(value.astype(np.int64)) * count
    if np.isnat(value) or unit not in _PER_SECOND | _SECONDS_IN:
        raise TypeError(f"{value!r} is not a duration with a fixed number of seconds")
    if unit in _SECONDS_IN:
        return float(number * _SECONDS_IN[unit])
    return number / _PER_SECOND[unit]


def is_missing(value):
    """Return True if a value of a table is missing: None, NaN, NaT or NA."""
    # pandas.NA has no truth value, so it cannot be compared with itself.
    if value is None or type(value).__name__ == "NAType":
        return True
    return np.ndim(value) == 0 and bool(value != value)

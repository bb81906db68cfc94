from datetime import date, datetime, time, timedelta
from decimal import Decimal
from fractions import Fraction

import numpy as np
import pandas as pd
import pytest
from hypothesis import given
from hypothesis import strategies as st

from skdaf._audio.times import is_missing, to_seconds

UNITS = {"h": 3600, "m": 60, "s": 1, "ms": 10**-3, "us": 10**-6, "ns": 10**-9, "ps": 10**-12}


@pytest.mark.parametrize("unit", UNITS)
def test_two_units_are_two_units_of_seconds(unit):
    assert to_seconds(np.timedelta64(2, unit)) == pytest.approx(2 * UNITS[unit], rel=1e-15)


@pytest.mark.parametrize(
    ("unit", "per_second"), [("s", 1), ("ms", 10**3), ("us", 10**6), ("ns", 10**9), ("as", 10**18)]
)
@given(number=st.integers(0, 2**62))
def test_durations_are_the_nearest_floats(unit, per_second, number):
    expected = float(Fraction(number, per_second))
    assert to_seconds(np.timedelta64(number, unit)) == expected
    if unit in ("s", "ms", "us", "ns"):
        assert to_seconds(pd.Timedelta(np.timedelta64(number, unit))) == expected


@given(number=st.integers(0, 2**52))
def test_durations_of_python(number):
    assert to_seconds(timedelta(microseconds=number)) == float(Fraction(number, 10**6))


@pytest.mark.parametrize("value", [1.5, np.float32(1.5), Fraction(3, 2), Decimal("1.5")])
def test_numbers_are_seconds(value):
    assert to_seconds(value) == 1.5
    assert type(to_seconds(value)) is float


def test_counts_of_units():
    assert to_seconds(np.timedelta64(3, "25ms")) == 0.075
    assert to_seconds(np.timedelta64(2, "W")) == 1_209_600


@pytest.mark.parametrize(
    "value",
    [
        datetime(2024, 5, 1),
        date(2024, 5, 1),
        time(6, 30),
        np.datetime64("2024-05-01"),
        pd.Timestamp("2024-05-01"),
    ],
)
def test_dates_and_times_of_day_are_refused(value):
    with pytest.raises(TypeError, match="is a date or a time of day; expected seconds"):
        to_seconds(value)


@pytest.mark.parametrize("value", [True, np.bool_(False), "1", b"1", None, 1j, [1.0]])
def test_what_is_not_a_time_is_refused(value):
    with pytest.raises(TypeError, match="neither a number of seconds nor a duration") as caught:
        to_seconds(value)
    assert ("convert text with float" in str(caught.value)) is isinstance(value, str)


@pytest.mark.parametrize(
    "value", [np.timedelta64(2, "M"), np.timedelta64(1, "Y"), np.timedelta64(3)]
)
def test_durations_without_a_fixed_length_are_refused(value):
    with pytest.raises(TypeError, match="fixed number of seconds"):
        to_seconds(value)
    with pytest.raises(TypeError, match="fixed number of seconds"):
        to_seconds(np.timedelta64("NaT", "s"))


@pytest.mark.parametrize("value", [None, np.nan, pd.NA, pd.NaT, np.timedelta64("NaT", "s")])
def test_missing_values(value):
    assert is_missing(value)


@pytest.mark.parametrize("value", [0, 0.0, "", False, np.timedelta64(0, "s"), np.zeros(2), [], {}])
def test_values_that_are_not_missing(value):
    assert not is_missing(value)

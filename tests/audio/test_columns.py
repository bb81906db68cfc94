from datetime import timedelta
from decimal import Decimal

import numpy as np
import pandas as pd
import pytest

from skdaf._audio.columns import (
    column_names,
    column_values,
    first_value,
    interval_problem,
    is_lazy,
)


def problem_of(**columns):
    return interval_problem(list(columns), columns.get)


@pytest.mark.parametrize(
    ("columns", "remedy"),
    [
        ({"offset": 0.5, "duration": 1}, "start={offset}, end={offset} + {duration}"),
        ({"begin": 0.5, "stop": 1}, "start={begin}, end={stop}"),
        ({"start_time": 0.5, "end_time": 1}, "start={start_time}, end={end_time}"),
        ({"startTime": 0.5, "endTime": 1}, "start={startTime}, end={endTime}"),
        ({"starttime": 0.5, "endtime": 1}, "start={starttime}, end={endtime}"),
        ({"onset": 0.5, "offset": 1}, "start={onset}, end={offset}"),
        ({"onset": 0.5, "duration": 1}, "start={onset}, end={onset} + {duration}"),
        ({"onset_s": 0.5}, "start={onset_s}"),
        ({"start_s": 0.5, "end_s": 1}, "start={start_s}, end={end_s}"),
        ({"start_seconds": 0.5, "end_seconds": 1}, "start={start_seconds}, end={end_seconds}"),
        ({"t_start": 0.5, "t_end": 1}, "start={t_start}, end={t_end}"),
        ({"tmin": 0.5, "tmax": 1}, "start={tmin}, end={tmax}"),
        ({"Begin Time (s)": 0.5, "End Time (s)": 1}, "start={Begin Time (s)}, end={End Time (s)}"),
        ({"OFFSET": 0.5, "Duration": 1}, "start={OFFSET}, end={OFFSET} + {Duration}"),
        ({"start": 0.5, "duration": 1}, "end={start} + {duration}"),
        ({"start": 0.5, "stop": 1}, "end={stop}"),
        ({"end": 0.5, "begin": 1}, "start={begin}"),
        ({"stop": 1}, "end={stop}"),
        ({"start_ms": 0.5, "end_ms": 1}, "start={start_ms} / 1000, end={end_ms} / 1000"),
        ({"start_sample": 5}, "start={start_sample} / sampling_rate"),
        ({"segment-start": 0.5}, "start={segment-start}"),
        ({"seg_start": 0.5, "seg_end": 1}, "start={seg_start}, end={seg_end}"),
        ({"utt_start": 0.5, "utt_end": 1}, "start={utt_start}, end={utt_end}"),
        ({"audio_start": 0.5}, "start={audio_start}"),
        ({"start_timestamp": 0.5}, "start={start_timestamp}"),
        ({"start_offset": 0.5, "end_offset": 1}, "start={start_offset}, end={end_offset}"),
        ({"start_idx": 5}, "start={start_idx} / sampling_rate"),
        ({"starts": 0.5, "ends": 1}, "start={starts}, end={ends}"),
        ({"beg": 0.5, "end": 1}, "start={beg}"),
        ({"Von": 0.5, "Bis": 1}, "start={Von}, end={Bis}"),
        ({"Beginn": 0.5, "Ende": 1}, "start={Beginn}, end={Ende}"),
        ({"from": 0.5, "to": 1}, "start={from}, end={to}"),
        ({"t0": 0.5, "t1": 1}, "start={t0}, end={t1}"),
        ({"Begin Time - ss.msec": 0.5}, "start={Begin Time - ss.msec}"),
        ({"begin": timedelta(seconds=1)}, "start={begin}"),
        ({"begin": np.timedelta64(1, "s")}, "start={begin}"),
        ({"begin": "00:01.5"}, "start={begin}"),
        ({"begin": "1.5"}, "start={begin}"),
        ({"begin": Decimal("1.5")}, "start={begin}"),
    ],
)
def test_other_names_of_times_are_an_error_with_code_that_renames_them(columns, remedy):
    problem = problem_of(path="a.wav", **columns)
    for name in columns:
        remedy = remedy.replace("{" + name + "}", f"table[{name!r}]")
    assert "'start' and 'end', in seconds" in problem
    assert f"with table.assign({remedy}), or" in problem
    for name in set(columns) - {"start", "end"}:
        assert repr(name) in problem.split(":")[0]


@pytest.mark.parametrize(
    "columns",
    [
        {},
        {"start": 0.5},
        {"end": 0.5},
        {"duration": 1},  # of the whole file, as most tables have it
        {"duration": 1, "length": 2, "label": "dog"},
        {"end": 0.5, "duration": 1},
        {"start": 0.5, "end": 1, "offset": 0, "duration": 1, "begin": 3, "start_time": 2},
        {"start_time": pd.Timestamp("2024-05-01")},  # of the recorder
        {"start_time": "2024-05-01 06:30"},
        {"start_time": None},
        {"onset": True},
        {"begin": "morning"},
        {"Begin File": "a.wav", "start_date": 1, "recording_start": 2, "utc_offset": 3},
        {"t": 1, "timestamp": 2, "duration": 3, "audio": 4, "index": 5, "from": "Ann"},
        {"time": 1, "event": 2, "window": 3, "num_frames": 4, "sampling_rate": 5},
    ],
)
def test_columns_that_mean_something_else_are_ignored(columns):
    assert problem_of(path="a.wav", **columns) is None


class Lazy:
    def collect(self):
        raise AssertionError("a lazy table must not be computed")

    @property
    def columns(self):
        raise AssertionError("a lazy table must not be asked")


class ForeignTable:
    """A table as polars and PyArrow have it, without what only pandas has."""

    def __init__(self, values, name_of_names="columns"):
        self.values = values
        setattr(self, name_of_names, list(values))

    def __getitem__(self, name):
        return self.values[name]

    def __len__(self):
        return len(next(iter(self.values.values())))


class ForeignColumn:
    """A column that is iterated and listed in different ways, as PyArrow has it."""

    def __init__(self, values):
        self.values = values

    def to_pylist(self):
        return self.values


class Durations:
    """A column of polars: iterating it loses nanoseconds."""

    dtype = "Duration(time_unit='ns')"

    def to_numpy(self):
        return np.array([1, 2], "m8[ns]")

    def __iter__(self):
        return iter([timedelta(0), timedelta(0)])


def test_tables_of_any_library():
    values = {"path": ForeignColumn(["a", "b"]), "start": Durations(), "x": [None, 2]}
    for name_of_names in ("columns", "column_names"):
        table = ForeignTable(values, name_of_names)
        assert column_names(table) == ["path", "start", "x"]
        assert column_values(table, "path") == ["a", "b"]
        assert column_values(table, "start") == [np.timedelta64(1, "ns"), np.timedelta64(2, "ns")]
        assert first_value(table, "path") == "a"
        assert first_value(table, "x") == 2
    table = pd.DataFrame({"path": ["a", "b"], "y": [np.nan, pd.NaT]})
    assert column_names(table) == ["path", "y"]
    assert column_values(table, "path") == ["a", "b"]
    assert first_value(table, "y") is None


def test_records_of_numpy_are_a_table():
    table = np.array([("a.wav", 1.0)], dtype=[("path", "U5"), ("start", float)])
    assert column_names(table) == ["path", "start"]
    assert column_values(table, "start") == [1.0]


@pytest.mark.parametrize("X", [[1], np.eye(2), pd.Series([1]), pd.Index([1]), "a", None])
def test_what_is_not_a_table(X):
    assert column_names(X) is None


def test_lazy_tables():
    assert is_lazy(Lazy())
    assert not is_lazy(pd.DataFrame())
    assert not is_lazy([1])

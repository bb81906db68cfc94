import io
from collections import namedtuple
from datetime import time, timedelta
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
import torch

from skdaf import Clip
from skdaf._audio.recordings import as_clips

NAMES = ["b.wav", "a.wav", "c d.flac"]
CLIPS = [Clip(name) for name in NAMES]


# Audio with its rate, and files in memory (their forms are those of test_sources).

PAIR = (np.zeros(9), 8000)


@pytest.mark.parametrize(
    "X",
    [
        ["a.wav", PAIR, Clip("b.wav"), io.BytesIO(b"a"), {"array": [0.0], "sampling_rate": 8000}],
        (PAIR, PAIR),
        [list(PAIR), PAIR[::-1]],
        pd.Series([PAIR, PAIR]),
        pd.DataFrame({"audio": [{"bytes": b"a"}, {"array": [0.0], "sampling_rate": 8000}]}),
        np.array([[np.zeros(9), 8000], [np.zeros(8), 8000]], dtype=object),
    ],
    ids=["mixed", "tuple", "both orders", "Series", "table", "array of pairs"],
)
def test_sounds_in_memory_are_clips(X):
    clips = as_clips(X)
    assert len(clips) == len(X)
    assert all(type(clip) is Clip for clip in clips)
    assert {clip.name for clip in clips if clip.is_in_memory} <= {f"X[{i}]" for i in range(5)}


def test_rows_have_times():
    row = {"path": "a.wav", "start": 1, "end": timedelta(seconds=2), "label": "dog"}
    assert as_clips([row, {**row, "end": None}]) == [Clip("a.wav", 1, 2), Clip("a.wav", 1)]
    [clip] = as_clips([{"audio": {"array": np.zeros(9), "sampling_rate": 8000}, "start": 0.5}])
    assert clip.start == 0.5
    with pytest.raises(
        ValueError, match=r"In X\[0\], the columns \['offset'\] are not used: .*start"
    ):
        as_clips([{"path": "a.wav", "offset": 1}])


@pytest.mark.parametrize(
    "X",
    [PAIR, list(PAIR), PAIR[::-1], (torch.zeros(1, 9), 8000), {"array": [0.0]}, io.BytesIO(b"a")],
    ids=["pair", "list", "SciPy", "torchaudio", "row", "file"],
)
def test_a_single_sound_must_be_put_in_a_list(X):
    with pytest.raises(TypeError, match=r"Expected a list of clips, got a single .*: pass \[X\]"):
        as_clips(X)


@pytest.mark.parametrize("position", [0, 1])
def test_a_waveform_among_files_needs_its_rate(position):
    X = ["a.wav", "b.wav"]
    X[position] = np.zeros(5)
    with pytest.raises(TypeError, match=rf"X\[{position}\] is array.* needs its sampling rate"):
        as_clips(X)


Row = namedtuple("Row", ["path", "start", "end"])


@pytest.mark.parametrize(
    ("row", "remedy"),
    [
        (("a.wav", 0, 1), r"\[Clip\(\*row\) for row in X\]"),
        ((Path("a.wav"), 0.5, None), r"\[Clip\(\*row\) for row in X\]"),
        (["a.wav", 0, 1], r"\[Clip\(\*row\) for row in X\]"),
        (Row("a.wav", 0, 1), r"\[Clip\(\*row\) for row in X\]"),
        (("a.wav", "dog"), "pass labels as y"),
        (("a.wav", 3), "pass labels as y"),
        ((np.zeros(9), 8000, "dog"), "pass labels as y"),
        ((torch.zeros(1, 9), 8000, "dog", "speaker", 3), "pass labels as y"),
        ((np.zeros(9), "8000"), "a number of Hz"),
        ((np.zeros(9), True), "a number of Hz"),
    ],
)
def test_rows_of_paths_or_samples_and_more(row, remedy):
    expected = rf"X\[0\] is a \w+ of {len(row)}: expected a path, or the pair .*{remedy}"
    with pytest.raises(TypeError, match=expected + "|.*" + remedy):
        as_clips([row, row])
    assert as_clips([Clip(*Row("a.wav", 0, 1))]) == [Clip("a.wav", 0, 1)]


def test_the_error_for_columns_of_text_names_tables():
    with pytest.raises(ValueError, match=r"pandas\.DataFrame\(X, columns=\['path', 'start', 'end'"):
        as_clips(np.array([["a.wav", "0", "1"]]))


# Tables.


@pytest.mark.parametrize("unit", ["s", "ms", "us", "ns"])
def test_durations_in_a_table_of_any_unit(unit):
    starts = np.array([2_000_000_000, 500_000_000], "m8[ns]").astype(f"m8[{unit}]")
    expected = [Clip("a.wav", s) for s in ([2, 0] if unit == "s" else [2, 0.5])]
    table = pd.DataFrame({"path": "a.wav", "start": starts})
    assert as_clips(table) == expected
    assert as_clips(table.astype({"start": object})) == expected
    ends = pd.to_timedelta(["2500ms", None])
    assert as_clips(pd.DataFrame({"path": "a.wav", "end": ends})) == [
        Clip("a.wav", 0, 2.5),
        Clip("a.wav"),
    ]


@pytest.mark.parametrize(
    "values", [pd.to_datetime(["2024-05-01"]), [time(6, 30)], [True], ["2"]], ids=str
)
def test_dates_flags_and_text_are_no_times(values):
    with pytest.raises(TypeError, match=r"'a\.wav': start and end must be numbers .* start="):
        as_clips(pd.DataFrame({"path": "a.wav", "start": values}))


def test_other_names_of_times_are_an_error_in_tables():
    table = pd.DataFrame({"path": ["a.wav"], "offset": [1.0], "duration": [2.0]})
    remedy = r"assign\(start=table\['offset'\], end=table\['offset'\] \+ table\['duration'\]\)"
    with pytest.raises(
        ValueError, match=rf"the columns \['offset', 'duration'\] are not .*{remedy}"
    ):
        as_clips(table)
    renamed = table.assign(start=table["offset"], end=table["offset"] + table["duration"])
    assert as_clips(renamed) == [Clip("a.wav", 1, 3)]
    assert as_clips(table.drop(columns="offset")) == [Clip("a.wav")]


def test_a_table_with_files_in_another_column():
    with pytest.raises(ValueError, match=r"needs a column 'path'.*as X\['file'\]"):
        as_clips(pd.DataFrame({"id": [3], "file": ["a.wav"]}))
    with pytest.raises(ValueError, match=r"needs a column 'path'.*as X\['file'\]"):
        as_clips(pd.DataFrame({"file": ["a.wav"], "loudness": [0.5]}))
    with pytest.raises(ValueError, match=r"pass X\.reset_index\(\)"):
        as_clips(pd.DataFrame({"dog": [1]}, index=pd.Index(["a.wav"], name="path")))
    with pytest.raises(ValueError, match="several columns called 'path'"):
        as_clips(pd.DataFrame([["a.wav", "b.wav"]], columns=["path", "path"]))


def test_the_only_column_of_a_table_can_have_any_name():
    # ColumnTransformer passes such tables if the column is selected by a list: ["file"].
    assert as_clips(pd.DataFrame({"file": NAMES})) == CLIPS
    assert as_clips(pd.DataFrame({0: [Clip("a.wav", 1, 2)]})) == [Clip("a.wav", 1, 2)]
    assert as_clips(Table(recording=NAMES)) == CLIPS
    assert as_clips(pd.DataFrame({"loudness": [0.5, 0.2]})) is None


class Table:
    """A table of a library that skdaf does not know."""

    def __init__(self, **columns):
        self.columns, self.values = list(columns), columns

    def __getitem__(self, name):
        return self.values[name]

    def __len__(self):
        return len(next(iter(self.values.values())))


def test_tables_of_other_libraries():
    assert as_clips(Table(path=NAMES, label=[1, 2, 3])) == CLIPS
    assert as_clips(Table(path=NAMES, start=[0] * 3, end=[None] * 3)) == CLIPS
    with pytest.raises(ValueError, match=r"needs a column 'path', .*\['id', 'file'\].*X\['file'\]"):
        as_clips(Table(id=[1, 2, 3], file=NAMES))
    assert as_clips(Table(x=[1.0], y=[2.0])) is None


def test_audio_of_a_data_set_is_preferred_to_its_names():
    table = pd.DataFrame({"path": ["a.wav"], "audio": [{"array": [0.0], "sampling_rate": 8000}]})
    assert as_clips(table)[0].is_in_memory
    assert as_clips(table.assign(audio="b.wav")) == [Clip("a.wav")]
    assert as_clips(table.assign(audio=[None])) == [Clip("a.wav")]


def test_tables_that_have_not_been_computed():
    class LazyFrame:
        def collect(self):
            raise AssertionError("a lazy table must not be computed")

    with pytest.raises(TypeError, match=r"is a LazyFrame, .*: pass X\.collect\(\)"):
        as_clips(LazyFrame())


def test_tables_of_polars():
    polars = pytest.importorskip("polars")
    table = polars.DataFrame({"path": NAMES, "label": [1, 2, 3]})
    for X in (table, table["path"]):
        assert as_clips(X) == CLIPS
    with pytest.raises(TypeError, match=r"pass X\.collect\(\)"):
        as_clips(table.lazy())
    with pytest.raises(ValueError, match=r"needs a column 'path', .*as X\['file'\]"):
        as_clips(table.rename({"path": "file"}))
    with pytest.raises(ValueError, match=r"the columns \['offset'\] are not used"):
        as_clips(table.with_columns(offset=polars.col("label")))
    starts = polars.Series(np.array([1_234_567_891, 0, 2], "m8[ns]"))
    clips = as_clips(table.with_columns(start=starts))
    assert [clip.start for clip in clips] == [1.234567891, 0.0, 2e-9]
    assert as_clips(polars.DataFrame(np.eye(3))) is None


def test_tables_of_pyarrow():
    pyarrow = pytest.importorskip("pyarrow")
    table = pyarrow.table({"path": NAMES, "label": [1, 2, 3]})
    for X in (table, table["path"], pyarrow.array(NAMES), table.to_batches()[0]):
        assert as_clips(X) == CLIPS
    with pytest.raises(ValueError, match=r"needs a column 'path', .*as X\['file'\]"):
        as_clips(table.rename_columns(["file", "label"]))
    for unit in ("s", "ms", "us", "ns"):
        starts = pyarrow.array(np.array([1, 0, 2], "m8[s]").astype(f"m8[{unit}]"))
        clips = as_clips(table.append_column("start", starts))
        assert [clip.start for clip in clips] == [1.0, 0.0, 2.0]


def test_contents_of_files_are_not_rows_of_numbers():
    for content in (b"RIFF", bytearray(b"RIFF"), memoryview(b"RIFF")):
        with pytest.raises(TypeError, match=r"io\.BytesIO\(content\)"):
            as_clips([content])
    with pytest.raises(TypeError, match=r"X\[0\] is a tuple of length 2: expected .*pair"):
        as_clips([(b"RIFF", 8000)])


@pytest.mark.parametrize(
    "item", [object(), 1j, pd.DataFrame({"path": ["a.wav"]})], ids=lambda item: type(item).__name__
)
def test_items_that_are_neither_recordings_nor_numbers(item):
    if isinstance(item, complex):
        assert as_clips([[item]]) is None  # scikit-learn has a sentence
        return
    with pytest.raises(TypeError, match=r"X\[0\] is (.|\n)*: expected a path"):
        as_clips([item, item])


def test_a_column_of_arrays_needs_rates():
    table = pd.DataFrame({"label": ["dog"], "audio": [np.zeros(9)]})
    with pytest.raises(
        ValueError, match=r"column 'audio' contains arrays: .*\(samples, sampling_rate"
    ):
        as_clips(table[["audio"]])
    with pytest.raises(ValueError, match="'label', 'audio'"):
        as_clips(table)


def test_the_error_for_a_dict_of_columns_names_tables():
    with pytest.raises(TypeError, match=r"got a dict: .*pandas\.DataFrame\(X\)"):
        as_clips({"path": ["a.wav"]})


class DataSet:
    """A data set of PyTorch: items by index, no iterator."""

    def __init__(self, item):
        self.item = item

    def __len__(self):
        return 2

    def __getitem__(self, index):
        if index >= len(self):
            raise IndexError
        return self.item


def test_data_sets_of_pytorch():
    [clip, _] = as_clips(DataSet((torch.zeros(1, 9), 8000)))
    assert clip.is_in_memory
    with pytest.raises(TypeError, match=r"X\[0\] is a tuple of length 4: .*pass labels as y"):
        as_clips(DataSet((torch.zeros(1, 9), 8000, "yes", "speaker")))

"""Labels, groups, folds, times and patterns of tables."""

from datetime import timedelta
from decimal import Decimal

import numpy as np
import pandas as pd
import pytest
from helpers import touch

from skdaf import Clip
from skdaf.datasets import load_audio_table


@pytest.fixture
def load(tmp_path):
    """Return a function that loads a table with these columns, as a frame and as a file."""
    touch(*(tmp_path / f"{n}.wav" for n in range(12)))

    def load(form="frame", /, *, options=None, **columns):
        n_rows = len(next(iter(columns.values())))
        rest = {"path": [f"{n}.wav" for n in range(n_rows)], "label": ["x"] * n_rows}
        table = pd.DataFrame({**rest, **columns})
        if form == "file":
            table.to_csv(tmp_path / "meta.csv", index=False)
            table = tmp_path / "meta.csv"
        return load_audio_table(table, root=tmp_path, **(options or {}))

    return load


@pytest.fixture(params=["frame", "file"])
def form(request):
    return request.param


def labels_of(bunch):
    return np.asarray(bunch.target_names)[bunch.target].tolist()


@pytest.mark.parametrize(
    ("labels", "expected"),
    [
        (["dog", " cat ", "dog\t"], ["dog", "cat", "dog"]),
        ([10, 9, 10], [10, 9, 10]),
        ([-1, 0, 1], [-1, 0, 1]),
        ([10.0, 9.0, 10.0], [10, 9, 10]),
        (["3b", 3, "3"], ["3b", "3", "3"]),
        ([True, False, True], ["True", "False", "True"]),
        (["NA", "None", "null"], ["NA", "None", "null"]),
        (["ho\u0308ren", "h\u00f6ren", "x"], ["h\u00f6ren", "h\u00f6ren", "x"]),
        (["12345678901234567890", "1", "2"], ["12345678901234567890", "1", "2"]),
        (["01", "1", "2"], ["01", "1", "2"]),
    ],
)
def test_labels(load, form, labels, expected):
    bunch = load(form, label=labels)
    assert labels_of(bunch) == expected
    assert bunch.target_names == sorted(set(expected))
    # The names are plain Python values, which are easy to print and to save.
    assert {type(name) for name in bunch.target_names} <= {str, int}


def test_numbers_are_sorted_as_numbers(load, form):
    assert load(form, label=[10, 9, 1]).target_names == [1, 9, 10]


def test_text_of_digits_stays_text_in_a_frame(load):
    # The types of a frame are chosen by the user; a file has no types.
    assert load("frame", label=["10", "9"]).target_names == ["10", "9"]
    assert load("file", label=["10", "9"]).target_names == [9, 10]


def test_categories(load):
    assert labels_of(load(label=pd.Categorical(["b", "a"], ["b", "a", "c"]))) == ["b", "a"]


@pytest.mark.parametrize("missing", [None, np.nan, pd.NA, "", "  "])
def test_rows_without_a_label_are_named(load, form, missing):
    rows = "lines 3 and 5" if form == "file" else "rows 1 and 3"
    with pytest.raises(ValueError, match=rf"2 of 4 rows have no label .*{rows}\..*label=None"):
        load(form, label=["a", missing, "b", missing])


def test_at_most_ten_rows_are_named(load, form):
    with pytest.raises(ValueError, match=r"12 of 12 rows have no label .* and 2 more\."):
        load(form, label=[None] * 12)


def test_nan_as_text_is_missing_in_a_file_only(load):
    assert load("frame", label=["nan", "a"]).target_names == ["a", "nan"]
    for text in ("nan", "NaN"):
        with pytest.raises(ValueError, match="1 of 2 rows have no label"):
            load("file", label=[text, "a"])


def test_rows_without_a_path(load, form):
    with pytest.raises(ValueError, match=r"1 of 2 rows have no path .*remove the rows\.$"):
        load(form, path=["0.wav", None])


@pytest.mark.parametrize("labels", [[0.5, 1.0], [1e-3, 2.5], ["1,5", "2"]])
def test_measurements_are_not_labels(load, labels):
    with pytest.raises(ValueError, match=r"decimals such as \S+ \(line 2\).*label=None"):
        load("file", label=labels)


def test_measurements_of_a_frame_are_not_labels(load):
    with pytest.raises(ValueError, match=r"decimals such as 0\.5 \(row 1\).*label=None"):
        load("frame", label=[1.0, 0.5])
    assert load("frame", label=["1.0", "0.5"]).target_names == ["0.5", "1.0"]


# Groups and folds.


@pytest.mark.parametrize(
    ("values", "expected"),
    [
        (["03", "08"], ["03", "08"]),
        ([3, 8], [3, 8]),
        (["train", " test"], ["train", "test"]),
        ([51.5, 3.25], ["51.5", "3.25"]),
    ],
)
def test_groups_and_folds(load, form, values, expected):
    bunch = load(form, group=values, fold=values)
    assert bunch.groups.tolist() == bunch.folds.tolist() == expected
    bunch = load(form, site=values, options={"group": "site"})
    assert (bunch.groups.tolist(), bunch.folds) == (expected, None)
    assert load(form, group=values, options={"group": None}).groups is None


def test_rows_without_a_group_are_named(load, form):
    with pytest.raises(ValueError, match=r"have no group .*without groups"):
        load(form, group=["a", None])
    assert load(form, group=["a", None], options={"group": None}).groups is None


def test_a_named_column_must_exist(load, form):
    for name in ("group", "fold", "start", "end"):
        with pytest.raises(ValueError, match=r"no column 'speakr'.*Its columns are"):
            load(form, label=["a"], options={name: "speakr"})
    with pytest.raises(ValueError, match="Did you mean group='speaker'"):
        load(form, speaker=["a"], options={"group": "speakr"})


# Times.


def test_times(load, form):
    bunch = load(form, path=["0.wav"] * 3, start=[None, 1.5, 2], end=[1.5, 2, None])
    names = [str(clip.path)[-5:] for clip in bunch.filenames]
    assert names == ["0.wav"] * 3
    assert [(clip.start, clip.end) for clip in bunch.filenames] == [(0, 1.5), (1.5, 2), (2, None)]
    whole = load(form, start=[1.0], end=[2.0], options={"start": None, "end": None})
    assert all(isinstance(name, str) for name in whole.filenames)


def test_only_starts_or_only_ends(load, form):
    assert [(clip.start, clip.end) for clip in load(form, start=[1.0]).filenames] == [(1, None)]
    assert [(clip.start, clip.end) for clip in load(form, end=[1.0]).filenames] == [(0, 1)]


def test_decimal_commas(tmp_path, load):
    path = tmp_path / "meta.csv"
    path.write_text("path;label;start;end\n0.wav;a;0,5;1,25\n0.wav;b;1,25;\n")
    assert [(c.start, c.end) for c in load_audio_table(path).filenames] == [
        (0.5, 1.25),
        (1.25, None),
    ]
    path.write_text("path;label;onset;offset\n0.wav;a;0,5;1,25\n")
    with pytest.raises(ValueError, match="'onset', 'offset'"):
        load_audio_table(path)


@pytest.mark.parametrize("value", [timedelta(milliseconds=500), Decimal("0.5"), np.float32(0.5)])
def test_durations(load, value):
    assert load(start=[value]).filenames[0].start == 0.5


@pytest.mark.parametrize(
    ("start", "end", "message"),
    [
        (2, 1, r"end=1\.0 must be greater than start=2\.0"),
        (-1, 1, r"start=-1\.0 must be at least 0"),
        ("0:30", 1, r"number of seconds in column 'start', got '0:30'"),
    ],
)
def test_wrong_times_name_their_row(load, form, start, end, message):
    row = "line 3" if form == "file" else "row 1"
    with pytest.raises(ValueError, match=f"{row}: .*{message}"):
        load(form, start=[0, start], end=[1, end])


def test_one_time_without_the_other(load, form):
    columns = {"onset": [0.0], "offset": [1.0]}
    for given, other in [("start", "end"), ("end", "start")]:
        with pytest.raises(ValueError, match=f"Got {given}='onset' without {other}="):
            load(form, **columns, options={given: "onset"})
    (clip,) = load(form, **columns, options={"start": "onset", "end": None}).filenames
    assert (clip.start, clip.end) == (0, None)


def test_the_same_part_in_two_rows(load, form):
    columns = {"path": ["0.wav"] * 3, "end": [1, 2, 1]}
    assert len(load(form, **columns, start=[0, 1, 0.5]).filenames) == 3
    with pytest.raises(ValueError, match="1 recording has several rows") as raised:
        load(form, **columns, start=[0, 1, 0])
    assert "name the columns" not in str(raised.value)


def test_clips_of_a_table_equal_those_that_estimators_make_of_it(load, tmp_path):
    table = pd.DataFrame({"path": ["0.wav"], "start": [0.25], "end": [1.0], "label": ["x"]})
    (clip,) = load(**{name: table[name] for name in table}).filenames
    assert clip == Clip(str(tmp_path / "0.wav"), 0.25, 1.0)


# Patterns.


def test_patterns(load, form):
    numbers = {
        "number": [1, 2],
        "kind": [" wav", "wav "],
        "genus": ["A", "B"],
        "species": ["c", "d"],
    }
    bunch = load(
        form,
        **numbers,
        options={"path": "{number}.{kind}", "label": "{genus} {species}", "group": "{genus}-{{1}}"},
    )
    assert [name[-5:] for name in bunch.filenames] == ["1.wav", "2.wav"]
    assert bunch.target_names == ["A c", "B d"]
    assert bunch.groups.tolist() == ["A-{1}", "B-{1}"]


def test_numbers_in_patterns_are_written_as_integers(load):
    # pandas makes floats of integers beside missing values.
    assert load(n=[1.0, 2.0], options={"path": "{n}.wav"}).filenames[0][-5:] == "1.wav"
    assert load(n=[1, 2], options={"path": "{n:d}.wav"}).filenames[0][-5:] == "1.wav"


def test_a_pattern_with_a_missing_cell_has_no_value(load, form):
    with pytest.raises(ValueError, match=r"no label \(column '\{a\} \{b\}'\)"):
        load(form, a=["x", "y"], b=["z", None], options={"label": "{a} {b}"})


def test_a_column_with_braces_is_no_pattern(load, form):
    assert load(form, **{"{a}": ["x", "y"]}, options={"label": "{a}"}).target_names == ["x", "y"]


@pytest.mark.parametrize("pattern", ["{n", "n}{n}}x{", "{n}{n!"])
def test_what_is_not_a_pattern(load, pattern):
    with pytest.raises(ValueError, match="is not a pattern of column names"):
        load(n=[1], options={"path": pattern})


def test_patterns_do_not_look_into_values(load):
    with pytest.raises(ValueError, match=r"no column 'n\.__class__'"):
        load(n=[1], options={"path": "{n.__class__}"})

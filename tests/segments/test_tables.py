"""Tables of segments: checking them, and the names of columns of probabilities."""

import datetime

import numpy as np
import pandas as pd
import pytest
from helpers import segment_table
from pandas.testing import assert_frame_equal, assert_series_equal

from skdaf import (
    clips_from_segments,
    merge_segments,
    merge_stream,
    segment_report,
    tune_thresholds,
    write_segments,
)
from skdaf._segments.tables import as_texts, check_segments, labeled, probability_columns


class TestCheck:
    @pytest.mark.parametrize("unit", ["s", "ms", "us", "ns"])
    def test_durations_become_seconds_in_any_unit(self, unit):
        starts = np.array([2, 0], "m8[s]").astype(f"m8[{unit}]")
        ends = np.array([2500, 1500], "m8[ms]")
        segments = pd.DataFrame({"start": starts, "end": ends, "label": ["b", "a"]})
        for form in (segments, segments.astype({"start": object, "end": object})):
            checked = check_segments(form, "true")
            assert checked.start.tolist() == [0.0, 2.0]
            assert checked.end.tolist() == [1.5, 2.5]

    @pytest.mark.parametrize(
        ("values", "problem"),
        [
            (pd.to_datetime(["2024-05-01"]), "a date or a time of day"),
            ([datetime.time(6, 30)], "a date or a time of day"),
            ([True], "duration"),
        ],
    )
    def test_dates_and_flags_are_refused(self, values, problem):
        segments = pd.DataFrame({"start": [0.0], "end": [1.0], "label": "a"})
        segments["start"] = pd.Series(values)
        with pytest.raises(TypeError, match=f"true, column 'start': .*{problem}"):
            check_segments(segments, "true")

    def test_numbers_as_text_are_accepted(self):
        segments = segment_table((0, 1, "a")).astype({"start": str, "end": str})
        assert check_segments(segments, "true").end.tolist() == [1.0]

    def test_errors_about_other_names_of_columns_name_a_remedy(self):
        segments = pd.DataFrame({"onset": [0.0], "duration": [1.0], "label": ["a"]})
        remedy = r"start=table\['onset'\], end=table\['onset'\] \+ table\['duration'\]"
        with pytest.raises(ValueError, match=rf"\['start', 'end'\] not found .*{remedy}"):
            check_segments(segments, "true")

    def test_repeated_columns_are_refused(self):
        segments = pd.DataFrame([[0, 1, 2, "a"]], columns=["start", "end", "end", "label"])
        with pytest.raises(ValueError, match="'end'"):
            check_segments(segments, "true")

    @pytest.mark.parametrize("label", ["", " "])
    def test_empty_labels_are_refused(self, label):
        segments = segment_table((0, 1, "a"), (1, 2, label))
        with pytest.raises(ValueError, match=r"true, row 1.*label.*true\["):
            check_segments(segments, "true")
        assert len(check_segments(segments, "true", points=True)) == 2

    def test_tables_of_polars_and_pyarrow(self):
        polars = pytest.importorskip("polars")
        segments = pd.DataFrame({"start": [2, 0], "end": [3, 1], "label": ["b", "a"]})
        expected = check_segments(segments, "true")
        in_polars = polars.DataFrame(segments.to_dict("list"))
        assert_frame_equal(check_segments(in_polars, "true"), expected)
        assert_frame_equal(check_segments(in_polars.to_arrow(), "true"), expected)
        exact = in_polars.with_columns(start=polars.Series(np.array([1, 0], "m8[ns]")))
        assert check_segments(exact, "true").start.tolist() == [0.0, 1e-9]
        with pytest.raises(TypeError, match="LazyFrame"):
            check_segments(in_polars.lazy(), "true")

    @pytest.mark.parametrize("segments", [None, [(0, 1, "a")], "a.txt", {"start": [0]}])
    def test_segments_must_be_a_table(self, segments):
        with pytest.raises(TypeError, match="true must be a table"):
            check_segments(segments, "true")

    @pytest.mark.parametrize("column", ["start", "end", "label"])
    def test_missing_columns_are_named(self, column):
        with pytest.raises(ValueError, match=rf"\['{column}'\] not found among"):
            check_segments(segment_table((0, 1, "a")).drop(columns=column), "true")

    @pytest.mark.parametrize(
        ("row", "expected"),
        [
            ((2, 1, "a"), "0 <= start < end"),
            ((-1, 1, "a"), "0 <= start < end"),
            ((np.nan, 1, "a"), "0 <= start < end"),
            ((0, np.inf, "a"), "0 <= start < end"),
            (("x", 1, "a"), "0 <= start < end"),
            ((1, 1, "a"), "a duration"),
            ((0, 1, None), "a label"),
            ((0, 1, np.nan), "a label"),
        ],
    )
    def test_bad_rows_are_named(self, row, expected):
        segments = segment_table((0, 1, "a"), row).set_index(pd.Index(["first", "second"]))
        with pytest.raises(ValueError, match=f"true, row second.*{expected}"):
            check_segments(segments, "true")

    @pytest.mark.parametrize("labels", [[1, None, 0], [True, None, False], ["a", None, "b"]])
    def test_rows_without_a_label_can_be_valid_and_removed(self, labels):
        segments = segment_table(*((i, i + 1, "") for i in range(3)))
        segments["label"] = pd.Series(labels, dtype=object)
        checked = check_segments(segments, "true", unlabeled=True)
        assert checked.label.isna().tolist() == [False, True, False]
        assert_series_equal(
            labeled(checked).label, pd.Series(labels[::2], index=[0, 2], name="label")
        )
        with pytest.raises(ValueError, match=r"true, row 1.*a label"):
            check_segments(segments, "true")

    @pytest.mark.parametrize(
        ("labels", "expected"),
        [(None, []), ("ab", ["ab"]), (0, ["0"]), (np.str_("a"), ["a"]), (["a", 1], ["a", "1"])],
    )
    def test_one_label_or_a_list_of_labels(self, labels, expected):
        assert as_texts(labels, "background") == expected
        with pytest.raises(TypeError, match=r"background must be a label or a list.*\{\}"):
            as_texts({}, "background")

    @pytest.mark.parametrize("labels", ["", " \t", ["a", ""], np.array([" "])])
    def test_labels_of_parameters_are_not_empty(self, labels):
        with pytest.raises(ValueError, match=r"background must be a label that is not empty, got "):
            as_texts(labels, "background")

    def test_points_are_valid_with_points_true(self):
        assert len(check_segments(segment_table((1, 1, "a")), "true", points=True)) == 1

    def test_rows_are_sorted_and_the_table_is_not_changed(self):
        segments = segment_table((2, 3, "c"), (0, 2, "b"), (0, 1, "a")).assign(extra=[3, 2, 1])
        before = segments.copy()
        checked = check_segments(segments, "true")
        assert checked.label.tolist() == ["a", "b", "c"]
        assert checked.extra.tolist() == [1, 2, 3]
        assert checked.start.dtype == float
        assert_frame_equal(segments, before)


@pytest.mark.parametrize(
    ("classes", "expected"),
    [
        (["a", "b"], ["a", "b"]),
        (np.array([0, 1]), ["0", "1"]),
        ([False, True], ["False", "True"]),
        (["end", "label", "start"], ["end_", "label_", "start_"]),
        (["start", "start_", "start__"], ["start___", "start_", "start__"]),
    ],
)
def test_names_of_probability_columns(classes, expected):
    assert probability_columns(classes) == expected


def test_annotations_can_be_paths(tmp_path):
    events = segment_table((0.0, 1.0, "a"), (2.0, 3.0, "b"))
    windows = segment_table((0, 1, "a", 0.9, 0.1), (2, 3, "b", 0.2, 0.8), columns=["a", "b"])
    path = tmp_path / "a.txt"
    write_segments(events, path)
    assert clips_from_segments("a.wav", path)[0] == clips_from_segments("a.wav", events)[0]
    assert str(segment_report(path, str(path))) == str(segment_report(events, events))
    assert tune_thresholds([path], [windows]) == tune_thresholds(events, windows)
    with pytest.raises(TypeError, match="Read a file with read_segments"):
        merge_segments(path)


DOG, BLANK = np.array(["dog", " "])
ROWS = pd.DataFrame({"start": [0.0], "end": [1.0], "label": [DOG]}, dtype=object)


@pytest.mark.parametrize(
    ("call", "shown"),
    [
        (lambda: merge_segments(ROWS, background=BLANK), "got ' '"),
        (lambda: merge_segments(ROWS.assign(start=2)), "label='dog'"),
        (lambda: clips_from_segments("a.wav", ROWS, background=DOG), "background='dog' needs"),
        (
            lambda: clips_from_segments((np.zeros(100), 100), ROWS, window=1, background=DOG),
            "='dog'",
        ),
        (lambda: tune_thresholds(ROWS, ROWS), "the class 'dog'"),
        (lambda: list(merge_stream([{"start": 0, "end": 1, "label": BLANK}])), "got ' '"),
        (
            lambda: list(merge_stream([{"start": np.float64(3), "end": 1, "label": DOG}])),
            "start=3.0, end=1, label='dog'",
        ),
    ],
)
def test_labels_of_numpy_are_shown_as_text(call, shown):
    with pytest.raises(ValueError, match=shown) as caught:
        call()
    assert "np." not in str(caught.value)

"""Tables of segments: reading, writing, checking."""

import datetime
import os

import numpy as np
import pandas as pd
import pytest
from helpers import segment_table
from hypothesis import given, settings
from hypothesis import strategies as st
from pandas.testing import assert_frame_equal

from skdaf import read_segments, write_segments
from skdaf._segments.tables import check_segments, probability_columns


@pytest.fixture
def read(tmp_path):
    def read(content):
        path = tmp_path / "labels.txt"
        path.write_bytes(content if isinstance(content, bytes) else content.encode())
        return read_segments(path)

    return read


AUDACITY = "0.000000\t1.500000\tspeech\n1.500000\t4.250000\tmusic\n"


class TestRead:
    @pytest.mark.parametrize(
        "content",
        [
            AUDACITY,
            AUDACITY.rstrip("\n"),
            AUDACITY.replace("\n", "\r\n"),
            "\n\n" + AUDACITY + " \n",
            "\ufeff" + AUDACITY,
            AUDACITY.replace("\n", "\n\\\t200.000000\t3000.000000\n"),
            "start\tend\tlabel\n" + AUDACITY,
            "0,1.5,speech\n1.5,4.25,music\n",
            "0, 1.5, speech \n1.5, 4.25, music\n",
            "start,end,label\n0,1.5,speech\n1.5,4.25,music",
            "\ufeffStart,End,Label\r\n0,1.5,speech\r\n15e-1,4.25,music\r\n",
        ],
    )
    def test_files_of_audacity_and_pyaudioanalysis(self, read, content):
        assert_frame_equal(read(content), segment_table((0.0, 1.5, "speech"), (1.5, 4.25, "music")))

    @pytest.mark.parametrize(
        ("line", "label"),
        [
            ("0\t1\ttwo words", "two words"),
            ("0\t1\tone, two", "one, two"),
            ("0,1,one, two", "one, two"),
            ("0\t1\t", ""),
            ("0\t1\tnaïve čaj 🐦", "naïve čaj 🐦"),
            ("0\t1\ta\u2028b", "a\u2028b"),
            ("0\t1\tstart,end,label", "start,end,label"),
            ("0\t1\t7", "7"),
            ('0,1,"one, two"', "one, two"),
            ('0,1, "say ""hi"", twice"', 'say "hi", twice'),
            ('0,1,"one" and "two"', '"one" and "two"'),
            ('0,1,say "hi"', 'say "hi"'),
            ('0\t1\t"quoted"', '"quoted"'),
            ('0,1,"', '"'),
            ("0,1,", ""),
        ],
    )
    def test_labels(self, read, line, label):
        assert read(line + "\n").label.tolist() == [label]

    @pytest.mark.parametrize("separator", [",", "\t"])
    def test_tables_with_more_columns(self, tmp_path, separator):
        segments = segment_table((0.0, 1.5, "one, two"), (1.5, 2.0, "three"), (2.0, 3.0, ""))
        path = tmp_path / "labels.csv"
        segments.assign(one=0.25, two="x").to_csv(path, sep=separator, index=False)
        assert_frame_equal(read_segments(path), segments)

    def test_points_are_kept(self, read):
        assert_frame_equal(read("1.5\t1.5\tclick\n"), segment_table((1.5, 1.5, "click")))

    def test_rows_are_in_the_order_of_the_file(self, read):
        assert read("3,4,b\n1,2,a\n").label.tolist() == ["b", "a"]

    @pytest.mark.parametrize("content", ["", "\n", "start,end,label\n"])
    def test_a_file_without_labels_is_an_empty_table(self, read, content):
        segments = read(content)
        assert len(segments) == 0
        assert segments.start.dtype == segments.end.dtype == float
        assert_frame_equal(segments, read("0,1,a")[:0])

    @pytest.mark.parametrize(
        ("line", "problem"),
        [
            ("1.0", "start, end and label"),
            ("1.0,2.0", "start, end and label"),
            ("1.0\t2.0", "start, end and label"),
            ("1.0;2.0;dog", "start, end and label"),
            ("1.0 2.0 dog", "start, end and label"),
            ("dog,1,2", "got start='dog' and end='1'"),
            ("0:01,0:02,dog", "numbers"),
            ("2,1,dog", "got start=2 and end=1"),
            ("-1,1,dog", "got -1"),
            ("nan,1,dog", "start of at least 0"),
            ("0,nan,dog", "end after the start"),
            ("0,inf,dog", "end after the start"),
            ("start,end,label,dog,cat", "numbers"),
            ("start,end,label", "numbers"),
            ("0\t1\tone\ttwo", "the label 'one\\ttwo' with a tab"),
            ("0\t1\tdog\t0.9", "a first line with the names of all columns"),
            ("0\t1\tdog\t\t0.9", "three columns"),
        ],
    )
    def test_other_lines_are_named(self, read, line, problem):
        with pytest.raises(ValueError, match=r"labels\.txt', line 3: ") as error:
            read(f"0\t1\tdog\n\n{line}\n0\t1\tdog\n")
        assert problem in str(error.value)
        assert repr(line) in str(error.value)

    @pytest.mark.parametrize("content", [b"\xff\xfe0\x00,\x001\x00", b"0,1,caf\xe9\n"])
    def test_other_encodings_are_named(self, read, content):
        with pytest.raises(ValueError, match=r"labels\.txt.*UTF-8"):
            read(content)

    def test_a_missing_file_is_named(self, tmp_path):
        with pytest.raises(FileNotFoundError, match=r"gone\.txt"):
            read_segments(tmp_path / "gone.txt")


class TestWrite:
    @pytest.mark.parametrize("rate", [8000, 11025, 16000, 44100, 48000, 192_000])
    def test_times_come_back_bit_for_bit(self, tmp_path, rate):
        rng = np.random.default_rng(rate)
        samples = np.unique(np.append(rng.integers(0, 86_400 * rate, 500), [0, 1, 2]))
        times = samples / rate
        segments = pd.DataFrame({"start": times[:-1], "end": times[1:], "label": "a"})
        write_segments(segments, tmp_path / "a.txt")
        assert_frame_equal(read_segments(tmp_path / "a.txt"), segments, check_exact=True)

    def test_labels_come_back_as_text(self, tmp_path):
        segments = segment_table(
            (0, 1, "two words"), (1, 2, "a,b"), (2, 2, ""), (3, 4, 7), (4, 5, "čaj")
        )
        write_segments(segments, tmp_path / "a.txt")
        found = read_segments(str(tmp_path / "a.txt"))
        assert found.label.tolist() == ["two words", "a,b", "", "7", "čaj"]

    def test_lines_have_the_format_of_audacity(self, tmp_path):
        write_segments(segment_table((1e-7, 0.5, "b"), (0, 1e5, "a")), tmp_path / "a.txt")
        assert (tmp_path / "a.txt").read_bytes() == (
            b"0.000000\t100000.000000\ta\n0.0000001\t0.500000\tb\n"
        )

    def test_a_table_without_rows_is_an_empty_file(self, tmp_path):
        write_segments(segment_table(), tmp_path / "a.txt")
        assert (tmp_path / "a.txt").read_bytes() == b""
        assert len(read_segments(tmp_path / "a.txt")) == 0

    @pytest.mark.parametrize(
        ("label", "problem"),
        [
            ("a\tb", "tab or a line break"),
            ("\ta", "tab or a line break"),
            ("a\nb", "tab or a line break"),
            ("a\r", "tab or a line break"),
            (" a", "spaces"),
            ("a\u3000", "spaces"),
            (" ", "spaces"),
            ("a\udcff", "Unicode"),
        ],
    )
    def test_labels_that_could_not_be_read_back(self, tmp_path, label, problem):
        labels = pd.Series([label], dtype=object)
        segments = pd.DataFrame({"start": 0.0, "end": 1.0, "label": labels})
        with pytest.raises(ValueError, match=f"label .*{problem}"):
            write_segments(segments, tmp_path / "a.txt")
        assert os.listdir(tmp_path) == []

    # Writing a file safely takes time.
    @settings(max_examples=20)
    @given(label=st.text(max_size=8) | st.text("\t\n\r ,\"'\\#;a\u2028\x1c\xa0\ufeff", max_size=6))
    def test_every_label_comes_back_or_is_refused(self, tmp_path_factory, label):
        path = tmp_path_factory.getbasetemp() / "every_label.txt"
        segments = pd.DataFrame({"start": [0.5], "end": [1.0], "label": [label]}).astype(
            {"label": object}
        )
        try:
            write_segments(segments, path)
        except ValueError:
            assert label != label.strip() or set(label) & set("\t\n\r")
            return
        assert read_segments(path).label.tolist() == [label]

    def test_an_existing_file_is_unchanged_if_writing_fails(self, tmp_path, monkeypatch):
        path = tmp_path / "a.txt"
        path.write_text("0\t1\told\n")

        def fail(*_):
            raise OSError(28, "No space left on device")

        with monkeypatch.context() as patch:
            patch.setattr(os, "replace", fail)
            with pytest.raises(OSError, match=r"a\.txt.*No space"):
                write_segments(segment_table((0, 1, "new")), path)
        assert path.read_text() == "0\t1\told\n"
        assert os.listdir(tmp_path) == ["a.txt"]
        write_segments(segment_table((0, 1, "new")), path)
        assert read_segments(path).label.tolist() == ["new"]


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

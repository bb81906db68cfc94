"""write_segments: files of Audacity, Raven and CSV, which read_segments reads back."""

import os
import warnings

import numpy as np
import pandas as pd
import pytest
from helpers import segment_table
from hypothesis import given, settings
from hypothesis import strategies as st
from pandas.testing import assert_frame_equal

from skdaf import read_segments, write_segments
from skdaf._segments.reading import label_column_of

FORMATS = ["audacity", "raven", "csv"]


class TestWrite:
    @pytest.mark.parametrize("format_", FORMATS)
    @pytest.mark.parametrize("rate", [8000, 11025, 16000, 44100, 48000, 192_000])
    def test_times_come_back_bit_for_bit(self, tmp_path, rate, format_):
        rng = np.random.default_rng(rate)
        samples = np.unique(np.append(rng.integers(0, 86_400 * rate, 500), [0, 1, 2]))
        times = samples / rate
        segments = pd.DataFrame({"start": times[:-1], "end": times[1:], "label": "a"})
        write_segments(segments, tmp_path / "a.txt", format=format_)
        assert_frame_equal(read_segments(tmp_path / "a.txt"), segments, check_exact=True)

    @pytest.mark.parametrize("format_", FORMATS)
    def test_labels_come_back_as_text(self, tmp_path, format_):
        segments = segment_table(
            (0, 1, "two words"), (1, 2, "a,b"), (2, 2, ""), (3, 4, 7), (4, 5, "čaj")
        )
        write_segments(segments, tmp_path / "a.txt", format=format_)
        found = read_segments(str(tmp_path / "a.txt"))
        assert found.label.tolist() == ["two words", "a,b", "", "7", "čaj"]

    def test_lines_have_the_format_of_audacity(self, tmp_path):
        write_segments(segment_table((1e-7, 0.5, "b"), (0, 1e5, "a")), tmp_path / "a.txt")
        assert (tmp_path / "a.txt").read_bytes() == (
            b"0.000000\t100000.000000\ta\n0.0000001\t0.500000\tb\n"
        )

    def test_a_raven_table_has_one_selection_per_segment(self, tmp_path):
        write_segments(segment_table((1, 2.5, "b"), (0, 1, "a")), tmp_path / "a", format="raven")
        assert (tmp_path / "a").read_bytes() == (
            b"Selection\tView\tChannel\tBegin Time (s)\tEnd Time (s)\tAnnotation\n"
            b"1\tWaveform 1\t1\t0.000000\t1.000000\ta\n"
            b"2\tWaveform 1\t1\t1.000000\t2.500000\tb\n"
        )

    def test_a_raven_table_with_frequencies(self, tmp_path):
        segments = segment_table((0, 1, "a"), (1, 2.5, "b"))
        options = {"format": "raven", "label_column": "Call type"}
        write_segments(segments, tmp_path / "a", **options, frequency_range=(300, 12000.5))
        assert (tmp_path / "a").read_bytes() == (
            b"Selection\tView\tChannel\tBegin Time (s)\tEnd Time (s)\tLow Freq (Hz)\t"
            b"High Freq (Hz)\tCall type\n"
            b"1\tSpectrogram 1\t1\t0.000000\t1.000000\t300.0\t12000.5\ta\n"
            b"2\tSpectrogram 1\t1\t1.000000\t2.500000\t300.0\t12000.5\tb\n"
        )
        found = read_segments(tmp_path / "a", label_column="Call type")
        assert_frame_equal(found, segments, check_dtype=False)
        assert label_column_of(tmp_path / "a") is None  # not one of the usual names
        write_segments(segments, tmp_path / "b", format="raven", label_column="Species")
        assert label_column_of(tmp_path / "b") == "Species"
        write_segments(segments, tmp_path / "c")
        assert label_column_of(tmp_path / "c") is None

    @pytest.mark.parametrize(
        "options",
        [
            *({"label_column": x} for x in ("", "View", "Score", "a\tb", "low freq (hz)")),
            *({"frequency_range": x} for x in ((3, 2), (1,), (-1, 2), (0, np.inf), ("0", "1"))),
        ],
    )
    def test_columns_of_raven_that_are_not_valid(self, tmp_path, options):
        with pytest.raises(ValueError, match=f"{next(iter(options))} must be .*, got "):
            write_segments(segment_table((0, 1, "a")), tmp_path / "a", format="raven", **options)
        assert not (tmp_path / "a").exists()

    @pytest.mark.parametrize("name", ["A.Table.1.selections.txt", "a.Selections.TXT"])
    def test_the_name_of_the_file_chooses_raven(self, tmp_path, name):
        segments = segment_table((0, 1, "a"))
        write_segments(segments, tmp_path / name)
        write_segments(segments, tmp_path / "b", format="Raven")
        assert (tmp_path / name).read_bytes() == (tmp_path / "b").read_bytes()
        assert (tmp_path / "b").read_text().startswith("Selection\t")
        write_segments(segments, tmp_path / name, format="audacity")
        assert (tmp_path / name).read_text().startswith("0.000000\t")

    @pytest.mark.parametrize("name", ["ev.raven", "ev.tsv", "ev.json"])
    def test_names_of_other_formats_give_a_warning(self, tmp_path, name):
        segments = segment_table((0, 1, "a"))
        with pytest.warns(
            UserWarning, match=rf"ev\{name[2:]}' contains labels for Audacity"
        ) as found:
            write_segments(segments, tmp_path / name)
        assert found[0].filename == __file__
        with warnings.catch_warnings():
            warnings.simplefilter("error")
            write_segments(segments, tmp_path / name, format="audacity")
            for usual in ("ev", "ev.TXT", "SITE01.5", "ev.csv", "ev.selections.txt"):
                write_segments(segments, tmp_path / usual)

    @pytest.mark.parametrize("dtype", ["float32", "float64"])
    def test_scores_are_not_rounded_below_a_threshold(self, tmp_path, dtype):
        values = np.array([0.94972, 0.5, 1 / 3, 1e-7], dtype=dtype)
        segments = segment_table(*((i, i + 1, "a") for i in range(4))).assign(a=values)
        path = tmp_path / "a.selections.txt"
        write_segments(segments, path)
        found = pd.read_csv(path, sep="\t", dtype={"Score": str}).Score
        assert found[:2].tolist() == ["0.94972", "0.5000"]
        np.testing.assert_array_equal(found.astype(dtype), values)
        assert "e" not in "".join(found)

    def test_a_raven_table_has_the_probability_of_the_label(self, tmp_path):
        rows = [(0, 1, "a", 0.75, 0.2, 9), (1, 2, "end", 0.1, 1, 9), (2, 3, None, 0.1, 0.2, 9)]
        segments = segment_table(*rows, columns=["a", "end_", "n"])
        path = tmp_path / "a.selections.txt"
        write_segments(segments, path)
        found = pd.read_csv(path, sep="\t")
        assert found.columns[-2:].tolist() == ["Annotation", "Score"]
        assert found.Score.tolist() == [0.75, 1]
        assert read_segments(path).label.tolist() == ["a", "end"]
        for table in (segments.drop(columns="a"), segments.assign(a=7), segments[2:]):
            write_segments(table, path)
            assert "Score" not in path.read_text()

    @pytest.mark.parametrize("name", ["a.csv", "a.CSV"])
    def test_the_name_of_the_file_chooses_csv(self, tmp_path, name):
        segments = segment_table((0, 1, "a, b"), (1, 2, 'say "c"'))
        write_segments(segments, tmp_path / name)
        assert (tmp_path / name).read_bytes() == (
            b'start,end,label\n0.000000,1.000000,"a, b"\n1.000000,2.000000,"say ""c"""\n'
        )
        assert pd.read_csv(tmp_path / name).label.tolist() == segments.label.tolist()
        write_segments(segments, tmp_path / name, format="audacity")
        assert (tmp_path / name).read_bytes().startswith(b"0.000000\t1.000000\ta, b\n")

    @pytest.mark.parametrize("value", ["xml", 3])
    def test_other_formats_are_refused(self, tmp_path, value):
        with pytest.raises(ValueError, match=r"'format' parameter.*(raven|str)"):
            write_segments(segment_table((0, 1, "a")), tmp_path / "a.txt", format=value)

    @pytest.mark.parametrize("format_", FORMATS)
    def test_rows_without_a_label_are_not_written(self, tmp_path, format_):
        labels = pd.Series([3, None, np.nan, 1], dtype=object)
        segments = segment_table(*((i, i + 1, "") for i in range(4))).assign(label=labels)
        write_segments(segments, tmp_path / "a", format=format_)
        expected = segment_table((0.0, 1.0, "3"), (3.0, 4.0, "1"))
        assert_frame_equal(read_segments(tmp_path / "a"), expected)

    @pytest.mark.parametrize("format_", ["raven", "csv"])
    def test_a_table_without_rows_has_only_names(self, tmp_path, format_):
        write_segments(segment_table(), tmp_path / "a", format=format_)
        assert_frame_equal(read_segments(tmp_path / "a"), segment_table((0.0, 1.0, "a"))[:0])

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
    @pytest.mark.parametrize("format_", FORMATS)
    @given(label=st.text(max_size=8) | st.text("\t\n\r ,\"'\\#;a\u2028\x1c\xa0\ufeff", max_size=6))
    def test_every_label_comes_back_or_is_refused(self, tmp_path_factory, format_, label):
        path = tmp_path_factory.getbasetemp() / "every_label.txt"
        segments = pd.DataFrame({"start": [0.5], "end": [1.0], "label": [label]}).astype(
            {"label": object}
        )
        try:
            write_segments(segments, path, format=format_)
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

"""CSV with commas in numbers and semicolons between columns, and with a point and commas."""

import io

import click
import numpy as np
import pandas as pd
import pytest
from cli_commands import COMMANDS, invoke, misuse, read_csv

from skdaf import read_segments
from skdaf._audio.metadata.table import as_metadata
from skdaf.cli import _csv
from skdaf.cli._csv import csv_line, csv_text, use_decimal_comma
from skdaf.cli._decimal_comma import decimal_comma_option
from skdaf.cli._paths import CsvFile, EmbeddingFile
from skdaf.cli._streaming import Stream
from skdaf.datasets import load_audio_table

MARK = b"\xef\xbb\xbf"
FRIENDLY = {"sep": ";", "decimal": ","}


@pytest.fixture
def _comma():
    """Run the test in a command with --decimal-comma."""
    with click.Context(click.Command("x")):
        use_decimal_comma()
        yield


TABLE = pd.DataFrame(
    {
        "file": ["größe, 1;2.wav", 'a "b".wav'],
        "x": [0.5, float("nan")],
        "small": np.array([0.1, 1e-5], "float32"),
        "n": [1, 2],
        "ok": [True, False],
        "mixed": pd.Series([0.25, "1.5"], dtype=object),
    }
)


@pytest.mark.usefixtures("_comma")
def test_numbers_have_a_comma_and_text_is_unchanged():
    header, *rows = csv_text(TABLE, "x.csv").splitlines()
    assert header == "\ufefffile;x;small;n;ok;mixed"
    assert rows[0] == '"größe, 1;2.wav";0,5;0,1;1;True;0,25'
    assert rows[1] == '"a ""b"".wav";;1e-05;2;False;1.5'
    assert csv_text(TABLE[:0], "x.csv") == header
    same = pd.read_csv(io.StringIO(csv_text(TABLE)), **FRIENDLY)
    assert same.file.tolist() == TABLE.file.tolist()
    assert same[["x", "small"]].equals(TABLE[["x", "small"]].astype(float).round(7))


def test_other_numbers_have_a_point():
    text = csv_text(TABLE, "x.csv")
    assert text.splitlines()[1] == '"größe, 1;2.wav",0.5,0.1,1,True,0.25'
    assert text == TABLE.to_csv(index=False).rstrip("\n")


@pytest.mark.parametrize("has_comma", [True, False])
def test_classes_with_other_separators_do_not_hide_the_separator(has_comma, tmp_path):
    names = ["path", "a,b,c,d,e", "a;b;c;d;e", "f\tg\th\ti\tj"]
    table = pd.DataFrame([["x.wav", 0.5, 0.25, 1.0]], columns=names)
    with click.Context(click.Command("x")):
        if has_comma:
            use_decimal_comma()
        (tmp_path / "x.csv").write_text(csv_text(table, "x.csv"), encoding="utf-8")
    found = as_metadata(tmp_path / "x.csv")
    assert found.columns == names
    assert found.values(names[1]) == ["0,5" if has_comma else "0.5"]


@pytest.mark.usefixtures("_comma")
def test_no_mark_is_shown_on_a_terminal(monkeypatch):
    monkeypatch.setattr(_csv, "is_for_terminal", lambda: True)
    assert csv_text(TABLE).startswith("file;x;")
    assert csv_text(TABLE, "x.csv").startswith("\ufefffile;x;")


@pytest.mark.usefixtures("_comma")
def test_rows_that_are_printed_as_they_come(capsys):
    rows = [{"start": 0.0, "end": 1.5, "label": "a,\nb", "p, q": np.float32(0.1)}]
    stream = Stream(16000, 1, "s16le")
    stream.show(rows, ["start", "end", "label"], "csv")
    expected = '\ufeff"start";"end";"label";"p, q"\n0,0;1,5;"a,\nb";0,1\n'
    assert capsys.readouterr().out == expected
    stream.show([], ["start", "end", "label"], "csv")
    assert capsys.readouterr().out == "\ufeffstart;end;label\n"


def test_a_line_break_in_a_cell_is_quoted():
    assert csv_line(["a\nb", 1], False) == '"a\nb",1'
    assert csv_line(["a\rb", 1.5], False) == '"a\rb",1.5'


def writes_csv(command):
    types = [parameter.type for parameter in command.params]
    choices = [choice for type_ in types for choice in getattr(type_, "choices", ())]
    return "csv" in choices or any(isinstance(type_, (CsvFile, EmbeddingFile)) for type_ in types)


def test_all_commands_that_write_csv_have_the_option():
    has_option = {
        words
        for words, command in COMMANDS.items()
        if any("--decimal-comma" in parameter.opts for parameter in command.params)
    }
    assert has_option == {words for words, command in COMMANDS.items() if writes_csv(command)}
    assert len(has_option) == 9


RESULTS = {"format_": None, "output": None}


@pytest.mark.parametrize(
    ("values", "advice"),
    [
        (RESULTS, "add --format csv, or add -o FILE.csv"),
        (RESULTS | {"format_": "json"}, "add --format csv, or add"),
        (RESULTS | {"output": "x.txt"}, "add --format csv, or name the output *.csv"),
        (RESULTS | {"output": "x.csv", "format_": "raven"}, "add --format csv, or"),
        (RESULTS | {"truth": ("x.txt",)}, "CSV: add -o FILE.csv"),
        (RESULTS | {"truth": ("x.txt",), "output": "found/"}, "CSV: name the output *.csv"),
        (RESULTS | {"truth": ("x.txt",), "tune_thresholds": True}, "omit --decimal-comma"),
        ({"output": "x.npy", "layers_dropped": 1}, "CSV: name the output *.csv"),
        ({"output": "x.skops", "predictions": None, "scores": None}, "csv or --scores FILE.csv"),
        ({"output": "x.skops", "predictions": None, "scores": "x.csv"}, None),
        (RESULTS | {"format_": "csv"}, None),
        (RESULTS | {"output": "x.CSV"}, None),
        (RESULTS | {"layers_dropped": 1}, None),
        (RESULTS | {"output": "x.csv", "truth": ("x.txt",), "format_": "json"}, None),
        ({"output": None}, None),
        ({"output": "x.skops", "predictions": "x.csv", "scores": None}, None),
    ],
)
def test_the_option_is_refused_where_no_csv_is_written(values, advice):
    command = decimal_comma_option(lambda **values: values)
    with click.Context(click.Command("x")):
        assert command(decimal_comma=False, **values) == values
        assert not _csv.has_decimal_comma()
        if advice is not None:
            with pytest.raises(click.UsageError) as caught:
                command(decimal_comma=True, **values)
            assert advice in str(caught.value)
            return
        assert command(decimal_comma=True, **values) == values
        assert _csv.has_decimal_comma()


@pytest.mark.usefixtures("inside_workspace")
class TestCommands:
    def test_predict_reads_what_it_writes(self, tmp_path):
        words = ("predict", "model.skops", "recordings/low_tone", "--proba")
        expected = read_csv(*words, "--format", "csv")
        out = tmp_path / "x.csv"
        invoke(*words, "-o", out, "--decimal-comma")
        assert out.read_bytes().startswith(MARK + b"file;label;high_tone;")
        assert invoke(*words, "--format", "csv", "--decimal-comma").stdout_bytes == out.read_bytes()
        pd.testing.assert_frame_equal(pd.read_csv(out, **FRIENDLY), expected)
        table = ("--table", out, "--root", ".", "--column", "path=file")
        pd.testing.assert_frame_equal(
            read_csv("predict", "model.skops", *table, "--proba", "--format", "csv"), expected
        )
        # The next command is not in this mode.
        assert invoke("report", "model.skops", *table).stdout.splitlines()[2].endswith(" 12")

    def test_parts_of_recordings_are_read(self, tmp_path):
        out = tmp_path / "x.csv"
        words = ("predict", "model.skops", "long.wav", "--segments", "--window", "0.25")
        invoke(*words, "-o", out, "--decimal-comma")
        assert "long.wav;0,25;0,5;" in out.read_text("utf-8-sig")
        clips = load_audio_table(out, path="file", root=".").filenames
        assert [clip.start for clip in clips[:3]] == [0, 0.25, 0.5]

    def test_segments_are_annotations(self, tmp_path):
        out = tmp_path / "x.csv"
        words = ("segments", "model.skops", "long.wav", "--window", "0.25")
        invoke(*words, "-o", out, "--decimal-comma", "--proba")
        expected = read_csv(*words, "--format", "csv")
        pd.testing.assert_frame_equal(read_segments(out), expected)
        assert "Accuracy 1.000" in invoke(*words, "--truth", out).stdout

    def test_others(self, tmp_path):
        for words, start in (
            (("embed", "model.skops", "long.wav"), "file;dense1_0;"),
            (("report", "model.skops", "recordings", "--format", "csv"), "kind;name;clips;"),
        ):
            text = invoke(*words, "--decimal-comma").stdout
            assert text.startswith(f"\ufeff{start}")
            assert "." not in text.replace("long.wav", "")
        out = tmp_path / "check.csv"
        invoke("check", "recordings/low_tone", "-o", out, "--decimal-comma")
        assert "12 files: no problems" in invoke("check", "--table", out, "--root", ".").stderr

    def test_the_option_without_csv(self):
        words = ("--decimal-comma", "-o", "x.json")
        error = misuse("predict", "model.skops", "recordings", *words)
        assert "--decimal-comma is for CSV: add --format csv, or name the output *.csv." in error

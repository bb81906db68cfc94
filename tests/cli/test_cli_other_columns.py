"""The other columns of a table, in the files of check."""

import io
import json
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
import soundfile as sf
from cli_commands import SMALL, invoke

TABLE = "file,category,speaker,fold,format,age\n" + "".join(
    f"{n}.wav,{'ab'[n % 2]},s{n // 2},{n % 2 + 1},WAV,{30 + n}.5\n" for n in range(4)
)
COLUMNS = ["--column", "path=file", "--column", "label=category"]


@pytest.fixture(autouse=True)
def folder(tmp_path, monkeypatch):
    """Change to a folder with four recordings and the table `clips.csv`."""
    monkeypatch.chdir(tmp_path)
    for seed in range(4):
        noise = np.random.default_rng(seed).normal(scale=0.1, size=800)
        sf.write(f"{seed}.wav", noise, 8000)
    Path("clips.csv").write_text(TABLE)


def checked(table, *options):
    """Return the CSV of `skdaf check --table`, where all cells are text."""
    Path("x.csv").write_text(table)
    out = invoke("check", "--table", "x.csv", *options, "--all", "--format", "csv").stdout
    return pd.read_csv(io.StringIO(out), dtype=str, keep_default_na=False)


def test_files_contain_them_after_those_of_check():
    invoke("check", "--table", "clips.csv", *COLUMNS, "-o", "check.csv")
    found, given = (pd.read_csv(name) for name in ("check.csv", "clips.csv"))
    names = ["file", "category", "speaker", "fold", "format_in_table", "age"]
    assert found.columns[-6:].tolist() == names
    assert found.columns[0] == "path"
    pd.testing.assert_frame_equal(found[names], given.set_axis(names, axis="columns"))
    out = invoke("check", "--table", "clips.csv", *COLUMNS, "--all", "--format", "json").stdout
    assert json.loads(out)[3]["speaker"] == "s1"
    text = invoke("check", "--table", "clips.csv", *COLUMNS, "--all").stdout
    assert "speaker" not in text


def test_they_can_be_used_for_training():
    invoke("check", "--table", "clips.csv", *COLUMNS, "-o", "check.csv")
    train = ("train", "--table", "check.csv", "-o", "x.skops", *SMALL)
    result = invoke(*train, "--group-column", "speaker", "--test-fraction", "0.5")
    assert "Held out speaker s" in result.stderr


def test_rows_with_findings():
    sf.write("2.wav", np.zeros(800), 8000)
    out = invoke("check", "--table", "clips.csv", *COLUMNS, "--format", "csv").stdout
    found = pd.read_csv(io.StringIO(out))
    assert found[["file", "age"]].values.tolist() == [["2.wav", 32.5]]


def test_a_table_of_check_is_checked_again():
    invoke("check", "--table", "clips.csv", *COLUMNS, "-o", "check.csv")
    invoke("check", "--table", "check.csv", "-o", "again.csv")
    assert Path("again.csv").read_text() == Path("check.csv").read_text()
    without = checked(Path("check.csv").read_text(), "--column", "label=")
    assert without.label.tolist() == ["a", "b", "a", "b"]
    assert "label_conflict" not in without


def test_names_of_check():
    found = checked("path,label,ok,ok_in_table,self\n0.wav,a,yes,1,me\n")
    assert found.columns[-3:].tolist() == ["ok_in_table_in_table", "ok_in_table", "self"]
    assert found.iloc[0, -3:].tolist() == ["yes", "1", "me"]
    assert found.columns.tolist().count("label") == 1
    other = checked("file,label,kind,path\n0.wav,a,x,p\n", *COLUMNS[:2], "--column", "label=kind")
    assert other[["path", "label", "label_in_table", "path_in_table"]].values.tolist() == [
        ["0.wav", "x", "a", "p"]
    ]


def test_several_columns_of_labels_stay():
    rows = "path,label,b\n0.wav,1,0\n1.wav,1,1\n"
    found = checked(rows, "--column", "label=label", "--column", "label=b")
    assert found.label.tolist() == ["label", "label, b"]
    assert found[["label_in_table", "b"]].values.tolist() == [["1", "0"], ["1", "1"]]


@pytest.mark.filterwarnings("default")
def test_columns_with_the_same_name():
    Path("x.csv").write_text("path,label,x,x,y\n0.wav,a,1,2,3\n")
    result = invoke("check", "--table", "x.csv", "--all", "--format", "csv")
    assert "Warning: 'x.csv' has several columns called 'x', which are left out" in result.stderr
    assert result.stdout.splitlines()[0].endswith(",label,label_conflict,problem,y")


@pytest.mark.parametrize(
    ("separator", "cells", "options", "expected"),
    [
        (";", ["1,5", "2"], [], ["1.5", "2"]),
        (";", ["1,5", "x"], [], ["1,5", "x"]),
        (";", ["1,5", "2"], ["--decimal-comma"], ["1,5", "2"]),
        (",", ["1.5", ""], ["--decimal-comma"], ["1,5", ""]),
        (",", ["1.5", "007"], [], ["1.5", "007"]),
        (",", ["1.5.2", "1"], ["--decimal-comma"], ["1.5.2", "1"]),
    ],
)
def test_decimal_commas(separator, cells, options, expected):
    rows = [("path", "label", "t"), *((f"{n}.wav", "a", cell) for n, cell in enumerate(cells))]
    Path("x.csv").write_text("".join(separator.join(row) + "\n" for row in rows))
    invoke("check", "--table", "x.csv", "-o", "check.csv", *options)
    found = pd.read_csv("check.csv", sep=None, engine="python", dtype=str, keep_default_na=False)
    assert found.t.tolist() == expected

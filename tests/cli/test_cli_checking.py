"""The command check with tables."""

import json
from pathlib import Path

import numpy as np
import pytest
import soundfile as sf
from cli_commands import invoke, misuse

TABLE = ["--table", "clips.csv"]


@pytest.fixture(autouse=True)
def folder(tmp_path, monkeypatch):
    """Change to a folder with a recording, and a table that also names another one."""
    monkeypatch.chdir(tmp_path)
    Path("rec").mkdir()
    sf.write("rec/a.wav", np.random.default_rng(0).normal(scale=0.1, size=800), 8000)
    Path("clips.csv").write_text("path,label\nrec/b.wav,x\nrec/a.wav,y\n")


def test_missing_files_are_listed():
    out = invoke("check", "--table", "clips.csv", "--all", "--format", "json", status=1).stdout
    found = [(row["path"], row["ok"], row["problem"]) for row in json.loads(out)]
    assert found == [("rec/b.wav", False, "no such file"), ("rec/a.wav", True, "")]
    assert "1 of 2 files not found" in misuse("train", "--table", "clips.csv", "-o", "x.skops")


def test_if_all_files_are_missing_the_folder_is_probably_wrong():
    Path("clips.csv").write_text("path,label\na.wav,x\nb.wav,y\n")
    error = misuse("check", "--table", "clips.csv")
    assert "2 of 2 files not found" in error
    assert f"rec/a.wav': pass --root {Path('rec').resolve()} or" in error


def test_a_table_as_argument():
    words = ("--column", "label=", "--strict")
    ours, theirs = (invoke("check", *t, *words, status=1) for t in (["clips.csv"], TABLE))
    assert ours.stdout == theirs.stdout
    assert ours.stderr == theirs.stderr
    assert ours.stderr.endswith("2 files: 1 unreadable\n")
    assert "nothing else (got 'clips.csv' too)" in misuse("check", "clips.csv", "rec")
    assert "nothing else (got 'clips.csv' too)" in misuse("check", "clips.csv", *TABLE)
    assert "--output 'clips.csv' is an input" in misuse("check", "clips.csv", "-o", "clips.csv")


def test_clips_with_several_rows_are_copies():
    Path("clips.csv").write_text("path,label\nrec/a.wav,x\nrec/a.wav,y\n")
    out = invoke("check", *TABLE, "--format", "json").stdout
    found = [(row["duplicate_of"], row["label_conflict"]) for row in json.loads(out)]
    assert found == [("", True), ("rec/a.wav", True)]
    rows = "path,label,start,end\n" + 2 * "rec/a.wav,x,0,0.05\n"
    Path("clips.csv").write_text(rows)
    out = invoke("check", *TABLE, "--all", "--format", "json").stdout
    assert [row["duplicate_of"] for row in json.loads(out)] == ["", "rec/a.wav"]
    assert "1 recording has several rows" in misuse("train", *TABLE, "-o", "x.skops")

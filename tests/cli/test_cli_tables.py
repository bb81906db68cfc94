"""The option --table: commands take recordings and labels from a table, not from class folders."""

import json
import shutil
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
from cli_commands import KINDS, SMALL, invoke, misuse

from skdaf import load_model
from skdaf.datasets import load_audio_folders

pytestmark = pytest.mark.usefixtures("inside_workspace")


@pytest.fixture(scope="module")
def table(workspace, tmp_path_factory):
    """A table of the recordings in the class folders, in their order."""
    found = load_audio_folders(workspace / "recordings")
    labels = np.asarray(found.target_names)[found.target]
    paths = [Path(path).relative_to(workspace).as_posix() for path in found.filenames]
    path = tmp_path_factory.mktemp("table") / "clips.csv"
    pd.DataFrame({"path": paths, "label": labels}).to_csv(path, index=False)
    return path


@pytest.fixture
def esc_50(table):
    """The same as a table with other columns; return the options that name them."""
    clips = pd.read_csv(table)
    parts = clips.path.str.extract("recordings/(?P<folder>.*)/(?P<filename>.*)")
    other = table.with_name("esc50.tsv")
    parts.assign(category=clips.label).to_csv(other, sep="\t", index=False)
    columns = ["--column", "path={folder}/{filename}", "--column", "label=category"]
    return ["--table", other, *columns, "--root", "recordings"]


def test_a_table_trains_the_same_model_as_class_folders(table, esc_50, tmp_path):
    options = ["--test-fraction", "0.25", *SMALL]
    folders = invoke("train", "recordings", "-o", tmp_path / "a.skops", *options)
    same = invoke(*("train", "--table", table, "--root", ".", "-o", tmp_path / "b.skops", *options))
    other = invoke("train", *esc_50, "-o", tmp_path / "c.skops", *options)
    assert folders.stdout == same.stdout == other.stdout
    assert "Training on 27 clips of 3 classes" in same.stderr
    one, two, three = (
        load_model(tmp_path / f"{name}.skops").predict_proba(["long.wav"]) for name in "abc"
    )
    assert np.array_equal(one, two)
    assert np.array_equal(one, three)


def test_report(esc_50):
    folders = invoke("report", "model.skops", "recordings")
    assert invoke("report", "model.skops", *esc_50).stdout == folders.stdout


def test_labels_that_are_not_classes_of_the_model(table, tmp_path):
    clips = pd.read_csv(table)
    other = tmp_path / "clips.csv"
    clips.assign(label=range(36)).to_csv(other, index=False)
    sentence = misuse("report", "model.skops", "--table", other, "--root", ".")
    assert "no classes for the labels ['0', '1', '10'," in sentence
    clips.assign(label=0).to_csv(other, index=False)
    assert "for the labels ['0']" in misuse(
        "report", "model.skops", "--table", other, "--root", "."
    )


def test_labels_that_are_numbers_become_text(table, tmp_path):
    clips = pd.read_csv(table)
    clips.assign(label=[KINDS.index(label) for label in clips.label]).to_csv(
        tmp_path / "clips.csv", index=False
    )
    options = ["--table", tmp_path / "clips.csv", "--root", "."]
    invoke("train", *options, "-o", tmp_path / "m.skops", "-q", *SMALL)
    assert load_model(tmp_path / "m.skops").classes_.tolist() == ["0", "1", "2"]
    report = invoke("report", tmp_path / "m.skops", *options, "--format", "json").stdout
    assert json.loads(report)["classes"] == ["0", "1", "2"]


def test_transfer_combine_and_embedder(table, tmp_path):
    options = ["--table", table, "--root", ".", "-q", "-o"]
    invoke("transfer", "model.skops", *options, tmp_path / "new.skops", *SMALL[:2])
    assert load_model(tmp_path / "new.skops").classes_.tolist() == KINDS
    invoke("combine", "model.skops", "--no-handcrafted", *options, tmp_path / "both.skops")
    assert load_model(tmp_path / "both.skops").classes_.tolist() == KINDS
    task = ["--task", "representation"]
    ours = invoke("train", *task, *options[:4], *SMALL, "-o", tmp_path / "ours.skops")
    theirs = invoke("train", *task, "recordings", *SMALL, "-o", tmp_path / "theirs.skops")
    assert ours.stderr.splitlines()[:2] == theirs.stderr.splitlines()[:2]


def test_parts_of_a_recording(tmp_path):
    rows = "onset;offset;what\n" + "".join(f"0,{n};0,{n + 2};{n % 2}\n" for n in range(8))
    (tmp_path / "parts.csv").write_text(rows)
    for name in ("0.wav", "1.wav"):
        shutil.copy("long.wav", tmp_path / name)
    options = ["--table", tmp_path / "parts.csv", "--column", "label=what"]
    options += ["--column", "path={what}.wav"]
    times = ["--column", "start=onset", "--column", "end=offset"]
    out = invoke("check", *options, *times, "--all", "--format", "json").stdout
    parts = [(row["start"], row["end"]) for row in json.loads(out)]
    assert parts == [(n / 10, (n + 2) / 10) for n in range(8)]
    result = invoke("train", *options, *times, *SMALL, "-o", tmp_path / "m.skops")
    assert result.stderr.startswith("Training on 8 clips of 2 classes")
    sentence = misuse("train", *options, "-o", tmp_path / "m.skops")
    assert "--column start=NAME and --column end=NAME" in sentence
    assert sentence.endswith("pass --column start= and --column end=.\n")
    sentence = misuse("train", *options, *times[:2], "-o", tmp_path / "m.skops")
    assert "Got --column start=onset without --column end=NAME" in sentence
    assert "--column end= for the end of the recording" in sentence
    whole = ["--column", "start=", "--column", "end="]
    assert "several rows" in misuse("train", *options, *whole, "-o", tmp_path / "m.skops")


def test_check(table, tmp_path):
    options = ["--table", table, "--root", "."]
    ours, theirs = (invoke("check", "--all", *words) for words in (options, ["recordings"]))
    assert ours.stdout == theirs.stdout
    assert ours.stderr == theirs.stderr
    assert ours.stderr.endswith("\n36 files: no problems\n")
    clips = pd.read_csv(table)
    clips.loc[len(clips)] = [str(tmp_path / "copy.wav"), "other"]
    clips.to_csv(tmp_path / "clips.csv", index=False)
    shutil.copy(clips.path[0], tmp_path / "copy.wav")
    arguments = ["--table", tmp_path / "clips.csv", "--root", ".", "--strict", "--format", "json"]
    rows = json.loads(invoke("check", *arguments, status=1).stdout)
    assert [row["path"] for row in rows if row["label_conflict"]] == [
        clips.path[0],
        str(tmp_path / "copy.wav"),
    ]


@pytest.fixture
def checked(workspace, inside_workspace, tmp_path, monkeypatch):
    """Change to a folder with recordings, one of which is damaged, and the table of `check`."""
    shutil.copytree(workspace / "recordings", tmp_path / "recordings")
    shutil.copy(workspace / "model.skops", tmp_path)
    monkeypatch.chdir(tmp_path)
    bad = Path("recordings/low_tone/bad.wav")
    bad.write_text("not a sound")
    invoke("check", "recordings", "-o", "check.csv", status=1)
    return bad


@pytest.mark.parametrize(
    "command", ["train -o x.skops", "predict model.skops", "embed model.skops"]
)
def test_a_table_of_check_is_refused_if_a_recording_is_unreadable(checked, command):
    name, *words = command.split()
    error = misuse(name, *words, "--table", "check.csv")
    assert "'check.csv' is from skdaf check and contains a recording that cannot be read" in error
    assert f"such as '{checked}': leave out such rows" in error
    if name == "train":
        assert "--skip-unreadable" not in error
    else:
        assert error.endswith("or add --skip-unreadable.\n")
        skipped = invoke(name, *words, "--table", "check.csv", "--skip-unreadable", status=1)
        assert f"Skipped 1 unreadable recording:\n'{checked}'" in skipped.stderr


def test_a_table_of_check_that_excel_saved(checked):
    path = Path("check.csv")
    path.write_text(path.read_text().replace("False", "FALSE").replace(",", ";"), "utf-8-sig")
    error = misuse("train", "--table", "check.csv", "-o", "x.skops")
    assert f"contains a recording that cannot be read (ok=False), such as '{checked}'" in error


@pytest.mark.usefixtures("checked")
def test_other_rows_of_a_table_of_check_are_used():
    table = pd.read_csv("check.csv", keep_default_na=False)
    table[table.ok].to_csv("good.csv", index=False)
    folders = [f"recordings/{kind}" for kind in KINDS]
    Path("recordings/low_tone/bad.wav").unlink()
    for words in (["predict", "model.skops"], ["report", "model.skops"], ["embed", "model.skops"]):
        expected = invoke(*words, *folders).stdout
        assert invoke(*words, "--table", "good.csv").stdout == expected
    result = invoke("train", "--table", "good.csv", "-o", "x.skops", *SMALL)
    assert "Training on 36 clips of 3 classes (high_tone 12, low_tone 12" in result.stderr
    assert "36 files: no problems" in invoke("check", "--table", "good.csv").stderr


def test_check_checks_its_own_table_again(checked):
    again = invoke("check", "--table", "check.csv", status=1)
    assert "37 files: 1 unreadable" in again.stderr


def test_recordings_of_a_table_are_not_overwritten(table, tmp_path):
    before = Path("recordings/low_tone/low_tone_000.wav").read_bytes()
    for output in ("recordings/low_tone/low_tone_000.wav", "long.wav"):
        clips = tmp_path / "clips.csv"
        pd.DataFrame({"path": [Path(output).absolute()], "label": "x"}).to_csv(clips, index=False)
        sentence = misuse("train", "--table", clips, "-o", output)
        assert "listed in" in sentence
        assert "an input of this command" in sentence
    assert Path("recordings/low_tone/low_tone_000.wav").read_bytes() == before


def test_tables_misused(table, tmp_path):
    def train(*arguments):
        return misuse("train", *arguments, "-o", tmp_path / "m.skops")

    assert "Pass folders or --table." in train()
    assert "not both (got 'recordings' too)" in train("recordings", "--table", table)
    assert "--column requires --table" in train("recordings", "--column", "label=x")
    assert "--root requires --table" in train("recordings", "--root", ".")
    names = "NAME is one of path, label, target, start, end"
    assert names in train("--table", table, "--column", "x=y")
    assert "NAME=COLUMN" in train("--table", table, "--column", "label")
    assert "NAME=COLUMN" in train("--table", table, "--column", "path=")
    assert "this command needs labels" in train("--table", table, "--column", "label=")
    assert "for numbers: use --task regression" in train("--table", table, "--column", "target=x")
    assert "no column 'class'. Its columns are" in train(
        "--table", table, "--column", "label=class"
    )
    assert "36 of 36 files not found" in train("--table", table)
    assert "does not exist" in train("--table", "nowhere.csv")
    assert "--table of the command" in misuse("train", "recordings/low_tone", "-o", tmp_path / "m")
    assert not list(tmp_path.iterdir())


def test_errors_write_options(table, esc_50, tmp_path):
    """No error about a table speaks of Python."""

    def check(content, *options):
        other = tmp_path / "my clips.csv"
        other.write_bytes(content.encode() if isinstance(content, str) else content)
        sentence = misuse("check", "--table", other, *options)
        assert not any(word in sentence for word in ("='", "=None", "pandas", "skdaf.datasets"))
        return sentence

    known = check("path,silent\na.wav,False\n", "--column", "path=file", "--column", "label=")
    assert known.endswith("Did you mean --column path=path?\n")
    hint = "Did you mean --column path=filename --column 'label=my class'?"
    assert hint in check("filename,my class\na.wav,x\n", "--column", "label=my klass")
    shutil.copy("long.wav", tmp_path / "a.wav")
    (tmp_path / "my sounds").mkdir()
    shutil.copy("long.wav", tmp_path / "my sounds" / "b.wav")
    assert "a pattern, --column 'path={path}.wav'." in check("path,label\na,x\n")
    found = check("path,label\nb.wav,x\n")
    assert f"pass --root '{tmp_path / 'my sounds'}' or, if files are in several folders" in found
    assert "--column 'path=fold{fold}/{name}'" in found
    (tmp_path / "twice.csv").write_text("path,label\na.wav,x\na.wav,y\n")
    twice = misuse("train", "--table", tmp_path / "twice.csv", "-o", tmp_path / "m.skops")
    assert "with --column start=NAME and" in twice
    assert "--column target=NAME" in check("path,label\na.wav,0.5\n")
    missing = check("path,label\na.wav,\n")
    assert "have no label (column 'label'): line 2. Fill them in or remove the rows." in missing
    assert "Save a table as CSV in UTF-8 (in Excel" in check(b"path,label\na.wav,\xff\n")
    assert "write the whole path" in check("path,label\n~/a.wav,x\n")


def test_check_without_labels(table, tmp_path):
    pd.read_csv(table)[["path"]].to_csv(tmp_path / "clips.csv", index=False)
    options = ["--table", tmp_path / "clips.csv", "--root", ".", "--column", "label="]
    lines = invoke("check", *options, "--strict").stderr.splitlines()
    assert lines[-1] == "36 files: no problems"
    assert not any(line.startswith("Per class") for line in lines)

"""The option --annotations of train and transfer: recordings, and tables of what occurs when."""

import shutil
from functools import wraps

import numpy as np
import pytest
import soundfile as sf
from cli_commands import SMALL, invoke, misuse
from helpers import segment_table, tone

from skdaf import CNNAudioClassifier, load_model, write_segments

RATE = 8000


@pytest.fixture(scope="module")
def field(tmp_path_factory):
    """A folder with four recordings of 6 s and their tables. Tests must not change it."""
    folder = tmp_path_factory.mktemp("field")
    for i, site in enumerate("ABCD"):
        samples = 0.01 * np.random.default_rng(i).standard_normal(6 * RATE)
        samples[RATE : 2 * RATE] += 0.3 * tone(500, 1, RATE)
        samples[4 * RATE : 5 * RATE] += 0.3 * tone(2000, 1, RATE)
        sf.write(folder / f"{site}.wav", samples, RATE)
        events = segment_table((1, 2, "low"), (4, 5, "high"))
        write_segments(events, folder / f"{site}.Table.1.selections.txt")
    return folder


@pytest.fixture(autouse=True)
def inside(field, monkeypatch):
    monkeypatch.chdir(field)


WINDOWS = ["--window", "0.5", "--step", "0.25", "--background", "nothing"]


def train(*arguments, output):
    return invoke("train", *arguments, "-o", output, *SMALL, "--set", "frontend__n_mels=16")


def spy_on_fit(monkeypatch):
    """Return a list of the arguments with which classifiers are fitted."""
    calls, fit = [], CNNAudioClassifier.fit

    @wraps(fit)
    def spy(self, X, y, **options):
        calls.append((X, y, options))
        return fit(self, X, y, **options)

    monkeypatch.setattr(CNNAudioClassifier, "fit", spy)
    return calls


def test_train_on_a_folder_of_recordings_and_tables(tmp_path):
    result = train(".", "--annotations", ".", *WINDOWS, output=tmp_path / "m.skops")
    # Per recording: 2 x 5 windows of which events cover at least half, and 13 others.
    assert result.stderr.startswith(
        "Training on 92 clips of 3 classes (high 20, low 20, nothing 52)\n"
    )
    assert list(load_model(tmp_path / "m.skops").classes_) == ["high", "low", "nothing"]


def test_whole_recordings_are_held_out(tmp_path, monkeypatch):
    calls = spy_on_fit(monkeypatch)
    options = ["--annotations", ".", *WINDOWS, "--test-fraction", "0.5"]
    result = train("A.wav", "B.wav", "C.wav", "D.wav", *options, output=tmp_path / "m.skops")
    ((clips, _, fitting),) = calls
    trained = {clip.path for clip in clips}
    assert len(trained) == 2
    assert fitting["groups"].tolist() == [clip.path for clip in clips]
    held_out, *_ = result.stderr.splitlines()
    assert {*held_out.removeprefix("Held out ").split(", ")} == {
        *("A.wav", "B.wav", "C.wav", "D.wav")
    } - trained
    assert "nothing" in result.stdout
    assert result.stdout.count(" 46\n") > 0  # windows of two recordings


def test_one_recording_has_no_groups(tmp_path, monkeypatch):
    calls = spy_on_fit(monkeypatch)
    # A single file may have any name.
    shutil.copy("B.Table.1.selections.txt", tmp_path / "any.txt")
    options = ["--annotations", tmp_path / "any.txt", "--window", "0.5"]
    train("A.wav", *options, output=tmp_path / "m.skops")
    assert calls[0][2] == {}
    assert calls[0][1].tolist() == ["low", "low", "high", "high"]


def test_labels_in_another_column(tmp_path):
    header = "Selection\tBegin Time (s)\tEnd Time (s)\tSpecies\tCall type\n"
    rows = "1\t1\t2\tx\tsong\n2\t4\t5\tx\tcall\n"
    (tmp_path / "A.txt").write_text(header + rows)
    options = ["--annotations", tmp_path, "--label-column", "call type"]
    train("A.wav", *options, output=tmp_path / "m.skops")
    assert list(load_model(tmp_path / "m.skops").classes_) == ["call", "song"]


def test_several_labels(tmp_path):
    options = ["--annotations", ".", "--window", "1", "--multilabel"]
    result = train(".", *options, output=tmp_path / "m.skops")
    assert result.stderr.startswith("Training on 24 clips with 2 labels (")
    assert load_model(tmp_path / "m.skops").multilabel_


def test_transfer(tmp_path):
    train(".", "--annotations", ".", *WINDOWS, output=tmp_path / "old.skops")
    result = invoke(
        *("transfer", tmp_path / "old.skops", ".", "--annotations", ".", "--window", "0.5"),
        *("-o", tmp_path / "new.skops", "--set", "max_epochs=1"),
    )
    assert "\nTraining on 16 clips of 2 classes (high 8, low 8)\n" in result.stderr


@pytest.mark.filterwarnings("default:The classes")
def test_classes_of_held_out_recordings_only(tmp_path):
    for name, label in [("A", "a"), ("B", "b")]:
        write_segments(segment_table((1, 2, label), (4, 5, "both")), tmp_path / f"{name}.txt")
    options = ["--annotations", tmp_path, "--window", "0.5", "--test-fraction", "0.5"]
    result = train("A.wav", "B.wav", *options, output=tmp_path / "m.skops")
    kept, lost = ("b", "a") if "Held out A.wav" in result.stderr else ("a", "b")
    assert f"Warning: The classes ['{lost}'] occur only in the recordings" in result.stderr
    assert list(load_model(tmp_path / "m.skops").classes_) == sorted([kept, "both"])


def test_folds_are_whole_recordings(tmp_path, monkeypatch):
    calls = spy_on_fit(monkeypatch)
    options = ["--annotations", ".", "--window", "0.5", "--cv", "2"]
    result = train("A.wav", "B.wav", *options, output=tmp_path / "m.skops")
    trained = [{clip.path for clip in clips} for clips, *_ in calls]
    assert sorted(trained, key=str) == sorted([{"A.wav"}, {"B.wav"}, {"A.wav", "B.wav"}], key=str)
    assert "Per recording, worst first" in result.stdout
    assert "Cross-validation with 2 folds of 2 recordings" in result.stdout


@pytest.mark.filterwarnings("default::UserWarning")
def test_annotations_without_a_duration_or_a_label_are_left_out(tmp_path):
    table = tmp_path / "points.txt"
    table.write_text("1\t1\tcalib\n1\t2\tlow\n3\t3.5\t\n4\t5\thigh\n")
    out = tmp_path / "m.skops"
    result = train("A.wav", "--annotations", table, output=out)
    assert "Warning: Left out 1 segment without a duration in" in result.stderr
    assert "Warning: Left out 1 segment without a label in" in result.stderr
    assert list(load_model(out).classes_) == ["high", "low"]


def test_errors_about_annotations_name_the_file(tmp_path):
    options = ["--annotations", ".", "--window", "1", "--background", "low"]
    message = misuse("train", "A.wav", *options, "-o", tmp_path / "m.skops")
    assert message.startswith("Error: 'A.Table.1.selections.txt': background='low' is")


def test_the_output_is_no_table():
    options = ["--annotations", ".", "-o", "A.Table.1.selections.txt"]
    assert "an input of this command" in misuse("train", ".", *options)


def test_misused(tmp_path):
    def fails(*arguments):
        return misuse("train", *arguments, "-o", tmp_path / "m.skops")

    (tmp_path / "A.txt").write_text("1\t0\tdog\n")
    assert "'A.wav' is a file; expected class folders." in fails("A.wav")
    assert "No table found in --annotations" in fails("A.wav", "B.wav", "--annotations", tmp_path)
    assert "A.txt', line 1: " in fails("A.wav", "--annotations", tmp_path)
    assert "has 2 tables" in fails("A.wav", "--annotations", ".", "--annotations", tmp_path)
    for option in (
        "--window 1",
        "--window 0",
        "--step 1",
        "--background x",
        "--label-column x",
        "--multilabel",
    ):
        assert f"{option.split()[0]} requires --annotations" in fails("A.wav", *option.split())
    for option in ("--step 1", "--background x", "--multilabel"):
        assert f"{option.split()[0]} requires --window" in fails(
            "A.wav", "--annotations", ".", *option.split()
        )
    both = ["--annotations", ".", "--window", "1", "--multilabel", "--background", "x"]
    assert "--background cannot be used with --multilabel" in fails("A.wav", *both)
    for options in (["--window", "-1"], ["--window", "1", "--step", "0"]):
        wrong = fails("A.wav", "--annotations", "A.Table.1.selections.txt", *options)
        assert wrong.startswith(f"Error: {options[-2]} must be a float in the range (0.0,")
        assert "clips_from_recordings" not in wrong
    background = ["A.wav", "--annotations", "A.Table.1.selections.txt", "--window", "1"]
    assert "is not empty, got ''" in fails(*background, "--background", "")
    assert "requires --task classification" in fails(
        "A.wav", "--annotations", ".", "--task", "representation"
    )
    table = ["--table", "A.Table.1.selections.txt", "--annotations", "."]
    assert "--table or --annotations, not both" in fails(*table)
    fraction = ["A.wav", "--annotations", ".", "--test-fraction", "0.5"]
    assert "cannot be used with 1 recording" in fails(*fraction)
    assert not (tmp_path / "m.skops").exists()


def test_combine(tmp_path):
    network, combined = tmp_path / "m.skops", tmp_path / "c.skops"
    train(".", "--annotations", ".", *WINDOWS, output=network)
    arguments = ["combine", network, "--data", ".", "--annotations", ".", "--no-handcrafted"]
    arguments += ["-o", combined]
    result = invoke(*arguments, *WINDOWS, "--test-fraction", "0.5")
    assert "Held out " in result.stderr
    assert "of 3 classes (high 10, low 10, nothing 26)" in result.stderr
    assert list(load_model(combined).classes_) == ["high", "low", "nothing"]
    several = ["--window", "0.5", "--multilabel"]
    assert "--method vote is for one label" in misuse(*arguments, *several, "--method", "vote")
    assert "--window requires --annotations" in misuse(
        "combine", network, "--data", ".", "--window", "1", "-o", combined
    )

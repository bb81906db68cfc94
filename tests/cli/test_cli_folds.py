"""The option --fold-column: cross-validation with the folds of a table."""

import click
import numpy as np
import pandas as pd
import pytest
from cli_commands import COMMANDS, invoke, misuse

from skdaf._audio.metadata.table import as_metadata
from skdaf.cli._folds import Folds, checked_folds, divided_groups, note_divided, note_divided_groups
from skdaf.cli._groups import Groups, note_unused_column
from skdaf.cli._held_out import LabeledClips, plan_of
from skdaf.datasets import load_audio_folders

QUICK = ("--set", "max_epochs=1", "--set", "channels=(4,)")


def clips(labels, groups=None):
    labels = np.array([*labels])
    groups = None if groups is None else Groups(np.array([*groups]), "speaker")
    return LabeledClips([f"{i}.wav" for i in range(len(labels))], labels, groups, labels)


def folds(values):
    return Folds(np.array([*values]), "part")


@pytest.fixture(scope="module")
def table(workspace, tmp_path_factory):
    """A table with folds of whole speakers, and others."""
    found = load_audio_folders(workspace / "recordings")
    rows = pd.DataFrame({"path": found.filenames, "site": np.resize([*"abcd"], 36)})
    rows["label"] = np.asarray(found.target_names)[found.target]
    rows["fold"] = rows.site.map({"a": 10, "b": 2, "c": 10, "d": 2})
    rows["other"] = [*"xyz"] * 12
    rows["same"], rows["pitch"] = 1, np.arange(36) / 10
    path = tmp_path_factory.mktemp("folds") / "clips.csv"
    rows.to_csv(path, index=False)
    return path


def test_each_fold_is_tested_by_the_others():
    plan = plan_of(clips("abab" * 2), None, folds([10, 10, 2, 2, 10, 10, 2, 2]))
    assert [test.tolist() for _, test in plan.rows] == [[2, 3, 6, 7], [0, 1, 4, 5]]
    assert [train.tolist() for train, _ in plan.rows] == [[0, 1, 4, 5], [2, 3, 6, 7]]
    assert plan.places == ["fold 2 (1 of 2)", "fold 10 (2 of 2)"]
    assert (plan.folds, plan.left_out) == ("the 2 folds of the column 'part'", "its fold")


@pytest.mark.parametrize(
    ("values", "names"),
    [
        ([10, 2, 2.5], ["2.0", "2.5", "10.0"]),
        (["fold10", "fold1", "fold2"], ["fold1", "fold2", "fold10"]),
        (["10", "x", "2"], ["2", "10", "x"]),
        (["b2c10", "b2c9", "b", "a3", "b02c9"], ["a3", "b", "b02c9", "b2c9", "b2c10"]),
    ],
)
def test_the_order_of_folds(values, names):
    assert [*map(str, folds(values).names)] == names


def test_what_folds_are_called():
    plan = plan_of(clips("abababab"), None, folds(["fold1", "Fold 2", "x", "3"] * 2))
    starts = ["fold 3 (1 of 4)", "fold1 (2 of 4)", "Fold 2 (3 of 4)", "fold x (4 of 4)"]
    assert plan.places == starts


@pytest.mark.parametrize("column", ["fold", "part"])
def test_folds_that_are_the_groups(column):
    both = clips("abab")._replace(groups=Groups(np.array([*"1122"]), column))
    assert plan_of(both, None, Folds(np.array([*"1122"]), column)).left_out == f"its {column}"


@pytest.mark.parametrize(
    ("speakers", "left_out"), [("xxyy", "its fold and its speaker"), ("xyxy", "its fold")]
)
def test_whether_groups_are_left_out(speakers, left_out):
    assert plan_of(clips("abab", speakers), None, folds("1122")).left_out == left_out


def test_classes_that_some_models_cannot_know():
    with pytest.warns(UserWarning, match=r"The classes \['c'\] occur in one fold each"):
        plan_of(clips("abcabab"), None, folds("1112233"))
    with pytest.raises(
        ValueError,
        match="--fold-column part: without fold 1, all clips are of the class 'b', and a model",
    ):
        plan_of(clips("aabb"), None, folds("1122"))


def test_a_single_fold():
    with pytest.raises(ValueError, match="All rows have the same fold, part='7': --fold-column"):
        checked_folds(np.array([7, 7]), "part")


@pytest.mark.filterwarnings("error")
def test_many_folds():
    with pytest.warns(
        UserWarning, match=r"^21 folds of 1 to 2 clips each, .* is part the column of the folds\?$"
    ):
        checked_folds(np.array([*range(21), 0]), "part")
    with pytest.warns(UserWarning, match="^21 folds of 1 clip each"):
        checked_folds(np.arange(21), "part")
    checked_folds(np.arange(20), "part")


@pytest.mark.parametrize(
    ("names", "is_split"),
    [(["train", "Test", "val"], True), (["train", "test", "fold3"], False), ([1, 2, 1], False)],
)
def test_parts_of_a_single_split(capsys, names, is_split):
    with click.Context(COMMANDS[("train",)]):
        checked_folds(np.array(names), "part")
    shown = capsys.readouterr().err
    assert ("of them is tested by a model of the others. For a single" in shown) is is_split
    assert bool(shown) is is_split


def test_divided_groups(capsys):
    groups = Groups(np.array(["anna", "ben", "anna", "ben", "carl"]), "speaker")
    assert divided_groups(groups, folds("12121")) == []
    with click.Context(COMMANDS[("train",)]):
        note_divided_groups(groups, folds("12121"))
        note_divided_groups(groups, folds("12112"))
        note_divided(folds("12121"), groups, ["a.wav"] * 5)
        note_divided(folds("12112"), None, ["a.wav", "b.wav", "a.wav", "a.wav", "b.wav"])
        note_divided(folds("12122"), None, ["a.wav", "b.wav", "a.wav", "c.wav", "a.wav"])
    lines = capsys.readouterr().err.splitlines()
    starts = [line.partition(". The models that are tested on")[0] for line in lines]
    assert starts == ["In several folds: speaker ben", "In several folds: recording a.wav"]


@pytest.mark.parametrize(
    ("fold", "calibrate", "expected"),
    [
        ("good", False, None),
        ("bad", False, "Some recordings of one speaker are in several folds"),
        ("good", True, None),
        ("bad", True, "Some recordings of one speaker are in several folds"),
        ("{good}{bad}", False, 'The column "speaker" is not used, so'),
    ],
)
def test_a_note_on_groups_that_are_not_used(tmp_path, capsys, fold, calibrate, expected):
    rows = {"path": [*"abcd"], "speaker": [*"xxyy"], "good": [1, 1, 2, 2], "bad": [1, 2, 1, 2]}
    pd.DataFrame(rows).to_csv(tmp_path / "clips.csv", index=False)
    with click.Context(COMMANDS[("train",)]) as context:
        context.params = {"group_column": None, "fold_column": fold, "calibrate": calibrate}
        note_unused_column(as_metadata(tmp_path / "clips.csv"), {"path": "path", "fold": fold})
    shown = capsys.readouterr().err
    assert shown.startswith(expected) if expected else not shown


@pytest.mark.usefixtures("inside_workspace")
class TestCommands:
    def test_train(self, table, tmp_path):
        result = invoke(
            *("train", "--table", table, "--fold-column", "fold", "--group-column", "site"),
            *(*QUICK, "-o", tmp_path / "m.skops", "--predictions", tmp_path / "p.csv"),
        )
        lines = result.stderr.splitlines()
        assert lines[0] == "Training 3 models: 2 for cross-validation, then one on all 36 clips"
        assert lines[1].startswith("Fold 2 (1 of 2): accuracy ")
        assert lines[1].endswith(" on 18 clips, site b, d")
        assert lines[2].startswith("Fold 10 (2 of 2): accuracy ")
        assert (
            "Cross-validation with the 2 folds of the column 'fold': each clip was tested by a "
            "model that was trained without its fold and its site.\nFolds: accuracy "
        ) in result.stdout
        assert "Per site, worst first" in result.stdout
        assert pd.read_csv(tmp_path / "p.csv").path.tolist() == pd.read_csv(table).path.tolist()

    @pytest.mark.parametrize(
        ("command", "score"),
        [
            (("train", "--task", "regression", "--column", "target=pitch"), "absolute error"),
            (("train", "--task", "representation"), "mean squared error"),
            (("transfer", "model.skops"), "accuracy"),
            (("combine", "model.skops", "--no-handcrafted"), "accuracy"),
        ],
    )
    def test_other_models(self, table, tmp_path, command, score):
        options = () if command[0] == "combine" else QUICK[: 4 if command[0] == "train" else 2]
        result = invoke(
            *(*command, "--table", table, "--fold-column", "other", *options),
            *("-o", tmp_path / "m.skops"),
        )
        assert "Fold z (3 of 3): " in result.stderr
        assert f"{score} " in result.stderr.partition("Fold z")[2].splitlines()[0]
        note = "Scores are too good if the"
        assert (note in result.stderr) is (command[0] != "train")
        assert "Cross-validation with the 3 folds of the column 'other'" in result.stdout

    def test_a_fold_of_one_clip(self, table, tmp_path):
        rows = pd.read_csv(table)
        rows["fold"] = [0] * 34 + [1, 2]
        rows.to_csv(tmp_path / "one.csv", index=False)
        lines = invoke(
            *("train", "--table", tmp_path / "one.csv", "--fold-column", "fold"),
            *("--task", "representation", *QUICK, "-o", tmp_path / "m.skops"),
        ).stderr.splitlines()
        assert lines[1].endswith(" on 34 clips")
        assert lines[2].endswith(" on 1 clip")

    def test_misuse(self, table, tmp_path):
        def train(*arguments, command=("train",)):
            return misuse(*command, *arguments, "-o", tmp_path / "m.skops")

        error = train("recordings", "--fold-column", "fold")
        assert "--fold-column requires --table" in error
        given = ("--table", table, "--fold-column")
        assert "Did you mean --fold-column fold?" in train(*given, "folds")
        assert "All rows have the same fold, same='1'" in train(*given, "same")
        for column, what in (("label", "labels"), ("path", "recordings")):
            assert f"--fold-column {column} is the column of the {what}" in train(*given, column)
        both = train(*given, "fold", "--cv", "2")
        assert "Pass --cv or --fold-column, not both" in both
        both = train(*given, "fold", "--test-fraction", "0.3")
        assert "Pass --test-fraction or --fold-column, not both" in both
        file = train(*given, "fold", "--checkpoint", "c.checkpoint")
        assert "With --fold-column, pass a folder for checkpoints, not a file" in file
        rows = pd.read_csv(table, dtype=str)
        rows.loc[3, "fold"] = None
        rows.to_csv(tmp_path / "empty.csv", index=False)
        error = train("--table", tmp_path / "empty.csv", "--fold-column", "fold")
        assert "1 of 36 rows have no fold (column 'fold'): line 5." in error

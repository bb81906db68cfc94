"""Scores of predictions: in all, per group, and of several models together."""

import json

import numpy as np
import pandas as pd
import pytest
from cli_commands import KINDS, invoke

from skdaf.cli._groups import Groups
from skdaf.cli._reports import confusion_of, report_data, report_text
from skdaf.cli._scores import Predictions, joined_predictions, mean_scores, scores_of_clips
from skdaf.datasets import load_audio_folders


def classes(*names):
    return Predictions("classes", np.array(names, object))


def test_predictions_of_several_models_are_in_the_order_of_the_clips():
    rows = [np.array([2, 0]), np.array([1, 3])]
    joined = joined_predictions([classes("c", "a"), classes("bird", "d")], rows)
    assert joined.values.tolist() == ["a", "bird", "c", "d"]
    assert joined.probabilities is None
    numbers = [Predictions("labels", np.eye(2), ["x", "y"], np.eye(2) / 2) for _ in rows]
    joined = joined_predictions(numbers, rows)
    assert joined.names == ["x", "y"]
    assert joined.probabilities.argmax(axis=1).tolist() == [1, 0, 0, 1]


def test_scores_of_clips():
    right = scores_of_clips(classes("a", "b", "b"), np.array(["a", "a", "b"]))
    assert right.accuracy.tolist() == [True, False, True]
    table = pd.DataFrame({"y": [1, 0], "x": [0, 0]})
    found = Predictions("labels", np.array([[False, True], [True, False]]), ["x", "y"])
    assert scores_of_clips(found, table)["all labels right"].tolist() == [True, False]
    one = scores_of_clips(Predictions("numbers", np.array([[1.0], [2.0]])), [1, 4])
    assert one["mean absolute error"].tolist() == [0, 2]
    two = scores_of_clips(Predictions("numbers", np.eye(2)), np.zeros((2, 2)), ["s", "t"])
    assert list(two) == ["mean absolute error of s", "mean absolute error of t"]


def test_the_worst_groups_come_first():
    right = pd.DataFrame({"accuracy": [True, False, True, True, True]})
    table = mean_scores(right, ["anna", "ben", "ben", "carl", "carl"])
    assert table.index.tolist() == ["ben", "anna", "carl"]
    assert table.loc["ben"].tolist() == [2, 0.5]
    # Errors in different units count the same.
    errors = pd.DataFrame({"mean error of Hz": [100, 400, 100], "mean error of s": [0.9, 0.1, 0.2]})
    assert mean_scores(errors, [1, 2, 3]).index.tolist() == ["1", "2", "3"]
    assert mean_scores(errors / [100, 1], [1, 2, 3]).index.tolist() == ["1", "2", "3"]


def test_the_confusion_matrix_of_a_single_class():
    # Warnings are errors here.
    assert confusion_of(["a", "a"], ["a", "a"]).loc["a", "a"] == 2


def test_a_text_shows_twenty_groups_and_json_all():
    names = [f"s{i:02d}" for i in range(25)]
    found = classes(*["a"] * 12, *["b"] * 13)
    text = report_text(found, ["a"] * 25, groups=Groups(np.array(names), "site"))
    lines = text.partition("Per site, worst first\n")[2].splitlines()
    assert lines[1].split() == ["s12", "1", "0.000"]
    assert len(lines) == 22
    assert lines[-1] == "5 more: accuracy 1.000 to 1.000"
    data = report_data(found, ["a"] * 25, groups=Groups(np.array(names), "site"))
    assert [*data["groups"]] == [*names[12:], *names[:12]]
    assert data["groups"]["s12"] == {"clips": 1, "accuracy": 0.0}
    assert json.loads(json.dumps(data)) == data


def test_names_of_groups_are_shown_safely():
    text = report_text(classes("a", "a"), ["a", "b"], groups=Groups(["\x1b[2J", "x"], "s\x07"))
    assert "Per s\\x07, worst first" in text
    assert "\\x1b[2J" in text


@pytest.mark.usefixtures("inside_workspace")
def test_report_of_groups(tmp_path):
    found = load_audio_folders("recordings")
    rows = pd.DataFrame({"path": [f"{path}" for path in found.filenames], "site": "north"})
    rows["label"] = np.asarray(found.target_names)[found.target]
    # Wrong labels of one site.
    rows.loc[:2, ["site", "label"]] = ["south", KINDS[2]]
    rows["path"] = [f"{tmp_path.cwd()}/{path}" for path in rows.path]
    rows.to_csv(tmp_path / "clips.csv", index=False)
    command = ("report", "model.skops", "--table", tmp_path / "clips.csv", "--group-column")
    facts = json.loads(invoke(*command, "site", "--format", "json").stdout)
    assert facts["groups"]["south"] == {"clips": 3, "accuracy": 0.0}
    assert [*facts["groups"]] == ["south", "north"]
    assert "Per site, worst first\n" in invoke(*command, "site").stdout
    # Nothing is held out, so a single group is no error.
    rows.assign(site="all").to_csv(tmp_path / "clips.csv", index=False)
    assert [*json.loads(invoke(*command, "site", "--format", "json").stdout)["groups"]] == ["all"]

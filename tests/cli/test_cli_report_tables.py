"""Reports as tables: skdaf report --format csv."""

import io

import numpy as np
import pandas as pd
import pytest
from cli_commands import KINDS, invoke, read_csv

from skdaf.cli._groups import Groups
from skdaf.cli._report_tables import report_table
from skdaf.cli._scores import Predictions

GROUPS = Groups(np.array(["x", "x", "y", "y"]), "site")


def test_classes_and_groups():
    found = Predictions("classes", np.array(["a", "b", "b", "c"], object))
    table = report_table(found, ["a", "a", "b", "b"], groups=GROUPS)
    assert table.columns.tolist() == [
        *("kind", "name", "clips", "precision", "recall", "f1", "accuracy")
    ]
    assert table.kind.tolist() == ["class"] * 3 + ["total"] + ["group"] * 2
    assert table.name.tolist() == ["a", "b", "c", "", "x", "y"]
    assert table.clips.tolist() == [2, 2, 0, 4, 2, 2]
    assert table.precision[:3].tolist() == [1, 0.5, 0]
    assert table.recall[:3].tolist() == [0.5, 0.5, 0]
    # The means over classes.
    assert table.precision[3] == pytest.approx(0.5)
    assert table.recall[3] == pytest.approx(1 / 3)
    assert table.accuracy[3:].tolist() == [0.5, 0.5, 0.5]
    assert table.accuracy[:3].isna().all()
    assert table.f1[4:].isna().all()


def test_labels_that_are_not_text():
    found = Predictions("classes", np.array(["0", "1"], object))
    assert report_table(found, np.array([0, 1])).accuracy.iloc[-1] == 1


def test_folds():
    folds = {"2": np.array([0, 3]), "10": np.array([1, 2])}
    found = Predictions("classes", np.array(["a", "b", "b", "b"], object))
    table = report_table(found, ["a", "a", "b", "b"], groups=GROUPS, folds=folds)
    assert table.kind.tolist() == ["class"] * 2 + ["total"] + ["fold"] * 2 + ["group"] * 2
    assert table.name.tolist()[3:5] == ["2", "10"]
    assert table.clips.tolist()[3:5] == [2, 2]
    assert table.accuracy.tolist()[3:5] == [1, 0.5]
    numbers = Predictions("numbers", np.array([[1.0], [2], [3], [6]]))
    table = report_table(numbers, [1, 2, 3, 4], folds=folds)
    assert table.kind.tolist() == ["total", "fold", "fold"]
    assert table.mean_absolute_error.tolist() == [0.5, 1, 0]
    errors = Predictions("errors", np.array([1.0, 2, 4, 5]))
    table = report_table(errors, None, folds=folds)
    assert table.mean_squared_error.tolist() == [3, 3, 3]


def test_several_labels():
    true = pd.DataFrame({"a": [1, 0, 1, 0], "b": [0, 1, 1, 0], "c": [0, 0, 0, 0]})
    present = np.array([[1, 0, 0], [0, 1, 0], [1, 0, 1], [0, 0, 0]], bool)
    found = Predictions("labels", present, ["a", "b", "c"], present * 0.5)
    table = report_table(found, true, groups=GROUPS)
    assert table.kind.tolist() == ["label"] * 3 + ["total"] + ["group"] * 2
    assert table.clips.tolist() == [2, 2, 0, 4, 2, 2]
    assert table.recall[:3].tolist() == [1, 0.5, 0]
    # The mean of the labels that occur, as in the report.
    assert table.recall[3] == 0.75
    assert table.average_precision[:2].tolist() == [1, 0.75]
    # The worst group comes first.
    assert table.name[4:].tolist() == ["y", "x"]
    assert table.all_labels_right[3:].tolist() == [0.75, 0.5, 1]


def test_numbers():
    found = Predictions("numbers", np.array([[1.0], [2], [3], [6]]))
    table = report_table(found, [1, 2, 3, 4], groups=GROUPS)
    assert table.columns.tolist()[:6] == [
        *("kind", "name", "target", "clips", "R2", "mean_absolute_error")
    ]
    assert table.kind.tolist() == ["total", "group", "group"]
    assert table.name.tolist() == ["", "y", "x"]
    assert table.clips.tolist() == [4, 2, 2]
    assert table.mean_absolute_error.tolist() == [0.5, 1, 0]


def test_several_numbers():
    found = Predictions("numbers", np.array([[1.0, 5], [2, 5], [3, 5], [6, 5]]))
    true = np.array([[1, 5], [2, 5], [3, 5], [4, 5]])
    table = report_table(found, true, ["pitch", "speed"], GROUPS)
    assert table.target.tolist() == ["pitch", "speed"] * 3
    assert table.name.tolist() == ["", "", "y", "y", "x", "x"]
    assert table.mean_absolute_error.tolist() == [0.5, 0, 1, 0, 0, 0]


@pytest.mark.usefixtures("inside_workspace")
def test_report_writes_csv(tmp_path):
    words = ("report", "model.skops", "recordings")
    printed = invoke(*words, "--format", "csv").stdout
    table = pd.read_csv(io.StringIO(printed), keep_default_na=False)
    assert table.name.tolist() == [*KINDS, ""]
    assert table.clips.tolist() == [12, 12, 12, 36]
    result = invoke(*words, "-o", tmp_path / "scores.csv")
    assert result.stderr.endswith(f"Wrote {tmp_path / 'scores.csv'}\n")
    assert (tmp_path / "scores.csv").read_text() == printed
    clips = pd.DataFrame(
        [(f"recordings/{kind}/{kind}_{n:03}.wav", kind, n % 3) for kind in KINDS for n in range(6)],
        columns=["path", "label", "site"],
    )
    clips.to_csv(tmp_path / "clips.csv", index=False)
    table = ("--table", tmp_path / "clips.csv", "--root", ".", "--group-column", "site")
    found = read_csv("report", "model.skops", *table, "--format", "csv").set_index("kind")
    assert sorted(found.loc["group"].name) == ["0", "1", "2"]
    assert found.loc["group"].clips.tolist() == [6, 6, 6]

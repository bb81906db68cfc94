"""The options --predictions and --scores of train, transfer and combine."""

from pathlib import Path

import numpy as np
import pandas as pd
import pytest
from cli_commands import KINDS, SMALL, invoke, misuse

from skdaf import Clip, load_model
from skdaf.cli._groups import Groups
from skdaf.cli._held_out import LabeledClips, Plan, split
from skdaf.cli._scores import Predictions, joined_predictions
from skdaf.cli._tested import predictions_table
from skdaf.datasets import load_audio_folders

QUICK = ("--set", "max_epochs=1", "--set", "channels=(4,)")


def clips(labels, groups=None, paths=("a.wav", "b.wav")):
    return LabeledClips([*paths], labels, groups, labels)


class TestTable:
    def test_classes(self):
        found = Predictions("classes", np.array(["x", "y"], object), ["true", "y"], np.eye(2))
        table = predictions_table(found, clips(["x", "x"], Groups(["anna", "ben"], "speaker")))
        assert table.to_dict("list") == {
            "path": ["a.wav", "b.wav"],
            "speaker": ["anna", "ben"],
            "true": ["x", "x"],
            "predicted": ["x", "y"],
            "true_": [1.0, 0.0],
            "y": [0.0, 1.0],
        }

    def test_parts_of_recordings(self):
        parts = [Clip("a.wav", 0.5, 1), Clip("a.wav", 1)]
        found = Predictions("classes", np.array(["x", "y"], object))
        groups = Groups(["a.wav", "a.wav"], "recording")
        table = predictions_table(found, clips(["x", "x"], groups, parts))
        assert [*table] == ["path", "start", "end", "true", "predicted"]
        assert table.start.tolist() == [0.5, 1.0]
        assert table.end.fillna(-1).tolist() == [1.0, -1]
        other = predictions_table(found, clips(["x", "x"], Groups(["u", "v"], "path"), parts))
        assert other.path_.tolist() == ["u", "v"]

    def test_several_labels(self):
        true = pd.DataFrame({"x": [1, 0], "y": [1, 0]})
        found = Predictions("labels", np.eye(2, dtype=bool), ["x", "y"], np.eye(2) / 2)
        table = predictions_table(found, clips(true))
        assert table.true.tolist() == ["x; y", ""]
        assert table.predicted.tolist() == ["x", "y"]
        assert table.y.tolist() == [0, 0.5]

    def test_folds(self):
        found = Predictions("classes", np.array(["x", "y"], object), ["fold", "y"], np.eye(2))
        some = clips(["x", "y"])
        rows = [(np.array([0]), np.array([1])), (np.array([1]), np.array([0]))]
        plan = Plan(rows, ["fold u", "fold v"], ["u", "v"], "two folds", "it")
        table = predictions_table(found, some, plan=plan)
        assert [*table] == ["path", "fold", "true", "predicted", "fold_", "y"]
        assert table.fold.tolist() == ["v", "u"]
        groups = Groups(["p", "q"], "fold")
        other = predictions_table(found, some._replace(groups=groups), plan=plan)
        assert other.fold.tolist() == ["p", "q"]
        assert other.fold_.tolist() == ["v", "u"]

    def test_numbers(self):
        one = predictions_table(Predictions("numbers", np.array([[1.0], [2]])), clips([1, 4]))
        assert one[["true", "predicted"]].to_numpy().tolist() == [[1, 1], [4, 2]]
        found = Predictions("numbers", np.array([[1.0, 2], [3, 4]]))
        two = predictions_table(found, clips(np.zeros((2, 2))), ["s", "t"])
        assert [*two] == ["path", "true_s", "predicted_s", "true_t", "predicted_t"]
        assert two.predicted_t.tolist() == [2, 4]


def test_a_class_that_a_fold_did_not_learn_has_probability_0():
    parts = [
        Predictions("classes", np.array(["c"], object), ["a", "c"], np.array([[0.25, 0.75]])),
        Predictions("classes", np.array(["b"], object), ["a", "b"], np.array([[0.5, 0.5]])),
    ]
    joined = joined_predictions(parts, [np.array([1]), np.array([0])])
    assert joined.names == ["a", "b", "c"]
    assert joined.probabilities.tolist() == [[0.5, 0.5, 0], [0.25, 0, 0.75]]


def test_clips_for_a_test_are_in_the_order_of_the_table():
    labels = np.array(["a", "b"] * 10)
    _, test = split(clips(labels, paths=[f"{i:02d}" for i in range(20)]), 0.5)
    assert test.paths == sorted(test.paths)
    assert [*test.labels] == [labels[int(path)] for path in test.paths]


@pytest.mark.usefixtures("inside_workspace")
class TestCommands:
    def test_cross_validation_of_a_table(self, workspace, tmp_path):
        found = load_audio_folders(workspace / "recordings")
        rows = pd.DataFrame({"path": found.filenames, "label": found.target}).sample(
            frac=1, random_state=0
        )
        rows["label"] = [KINDS[label] for label in rows.label]
        rows["site"] = np.resize([1, 2, 3], 36)
        rows.to_csv(tmp_path / "clips.csv", index=False)
        command = ("train", "--table", tmp_path / "clips.csv", "--group-column", "site", *SMALL)
        out = ("-o", tmp_path / "m.skops", "--predictions", tmp_path / "p.csv")
        result = invoke(*command, *out, "--cv", "3")
        assert f"Wrote 36 rows to {tmp_path / 'p.csv'}" in result.stderr
        table = pd.read_csv(tmp_path / "p.csv")
        assert [*table] == ["path", "site", "fold", "true", "predicted", *KINDS]
        assert table.path.tolist() == rows.path.tolist()
        assert table.site.tolist() == rows.site.tolist()
        assert table.true.tolist() == rows.label.tolist()
        assert table[KINDS].idxmax(axis=1).tolist() == table.predicted.tolist()
        assert {*table.fold} == {1, 2, 3}
        assert table.groupby("site").fold.nunique().tolist() == [1, 1, 1]
        # The report is about the same predictions.
        right = (table.true == table.predicted).groupby(table.site).mean()
        shown = result.stdout.partition("Per site, worst first\n")[2].splitlines()[1:4]
        assert {line.split()[0]: line.split()[2] for line in shown} == {
            str(site): f"{value:.3f}" for site, value in right.items()
        }

    def test_the_clips_of_a_test(self, tmp_path):
        for command in (
            ("transfer", "model.skops", "recordings", *QUICK[:2]),
            ("combine", "model.skops", "--data", "recordings", "--no-handcrafted"),
        ):
            out = ("-o", tmp_path / "m.skops", "--predictions", tmp_path / "p.csv", "-q")
            invoke(*command, "--test-fraction", "0.25", *out)
            table = pd.read_csv(tmp_path / "p.csv")
            assert len(table) == 9
            assert table.path.is_monotonic_increasing
            model = load_model(tmp_path / "m.skops")
            assert table.predicted.tolist() == model.predict(table.path.tolist()).tolist()
            np.testing.assert_allclose(
                table[KINDS], model.predict_proba(table.path.tolist()), atol=1e-5
            )

    def test_an_svm_has_no_probabilities(self, tmp_path):
        invoke(
            *("combine", "model.skops", "--data", "recordings", "--no-handcrafted", "--cv", "2"),
            *("--method", "svc", "-o", tmp_path / "m.skops", "--predictions", tmp_path / "p.csv"),
        )
        assert [*pd.read_csv(tmp_path / "p.csv")] == ["path", "fold", "true", "predicted"]

    def test_scores_of_a_cross_validation(self, workspace, tmp_path):
        found = load_audio_folders(workspace / "recordings")
        rows = pd.DataFrame({"path": found.filenames, "label": found.target})
        rows["site"], rows["part"] = np.resize([1, 2, 3, 4], 36), np.resize(["b", "a"], 36)
        rows.to_csv(tmp_path / "clips.csv", index=False)
        invoke(
            *("train", "--table", tmp_path / "clips.csv", "--group-column", "site", *QUICK, "-q"),
            *("--fold-column", "part", "-o", tmp_path / "m.skops", "--decimal-comma"),
            *("--predictions", tmp_path / "p.csv", "--scores", tmp_path / "s.csv"),
        )
        table, scores = (
            pd.read_csv(tmp_path / name, sep=";", decimal=",") for name in ("p.csv", "s.csv")
        )
        assert scores.kind.tolist() == ["class"] * 3 + ["total"] + ["fold"] * 2 + ["group"] * 4
        assert table.fold.tolist() == rows.part.tolist()
        right = table.true == table.predicted
        folds = scores[scores.kind == "fold"]
        assert folds.name.tolist() == ["a", "b"]
        assert folds.clips.tolist() == [18, 18]
        assert folds.accuracy.tolist() == pytest.approx(right.groupby(table.fold).mean().tolist())
        assert scores.accuracy[3] == pytest.approx(right.mean())

    def test_scores_of_a_test(self, tmp_path):
        out = ("-o", tmp_path / "m.skops", "--scores", tmp_path / "s.csv", "-q")
        invoke("transfer", "model.skops", "recordings", *QUICK[:2], "--test-fraction", "0.25", *out)
        scores = pd.read_csv(tmp_path / "s.csv")
        assert scores.kind.tolist() == ["class"] * 3 + ["total"]
        assert scores.clips.tolist() == [3, 3, 3, 9]
        invoke("train", "recordings", "--task", "representation", *QUICK, "--cv", "2", *out)
        scores = pd.read_csv(tmp_path / "s.csv")
        assert scores.kind.tolist() == ["total", "fold", "fold"]
        mean = scores.mean_squared_error
        assert mean[0] == pytest.approx(mean[1:].mean())

    def test_a_report_on_predictions(self, tmp_path):
        rows = pd.DataFrame({"path": load_audio_folders("recordings").filenames[::9]})
        rows["true"] = rows["predicted"] = KINDS[0]
        rows["predicted_other"] = 1
        note = "contains predictions, which are not used: the model predicts its recordings again"
        for columns, is_noted in (
            (["path", "true", "predicted"], True),
            (["path", "true"], False),
            (["path", "predicted_other", "true"], True),
        ):
            rows[columns].to_csv(tmp_path / "p.csv", index=False)
            command = ("report", "model.skops", "--table", tmp_path / "p.csv")
            shown = invoke(*command, "--root", ".", "--column", "label=true").stderr
            assert (note in shown) is is_noted

    @pytest.mark.parametrize("option", ["--predictions", "--scores"])
    def test_misuse(self, tmp_path, monkeypatch, option):
        def load(*_):
            pytest.fail("found only after the recordings were read")

        out = ("-o", tmp_path / "m.skops", option)
        file, cv = tmp_path / "p.csv", ("--cv", "2")
        monkeypatch.setattr("skdaf.cli._recordings.labeled_files", load)
        for command in (
            ("train", "recordings"),
            ("transfer", "model.skops", "recordings"),
            ("combine", "model.skops", "--data", "recordings"),
        ):
            problem = misuse(*command, *out, file)
            assert f"{option} needs --test-fraction, --cv or --fold-column." in problem
        assert "must end in .csv" in misuse("train", "recordings", *out, "p.json", *cv)
        if option == "--predictions":
            assert "an autoencoder has none" in misuse(
                *("train", "recordings", "--task", "representation", *out, file, *cv)
            )

    @pytest.mark.parametrize("option", ["--predictions", "--scores"])
    def test_no_input_is_overwritten(self, tmp_path, option):
        recording = Path("recordings").resolve() / KINDS[0] / f"{KINDS[0]}_000.wav"
        recordings = tmp_path / "sounds.csv"
        recordings.write_bytes(b"not a sound")
        (tmp_path / "clips.csv").write_text(f"path,label\nsounds.csv,a\n{recording},b\n")
        table = ("--table", tmp_path / "clips.csv", "--cv", "2", "-o")
        for output, name in [("m.skops", "clips.csv"), ("m.csv", "m.csv"), ("m", "sounds.csv")]:
            problem = misuse(*("train", *table, tmp_path / output, option, tmp_path / name))
            assert f"{option} '{tmp_path / name}'" in problem
        assert recordings.read_bytes() == b"not a sound"

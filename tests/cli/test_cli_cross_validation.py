"""The option --cv of train, transfer and combine."""

import math
import re

import numpy as np
import pandas as pd
import pytest
from cli_commands import KINDS, SMALL, invoke, misuse

from skdaf import CNNAudioClassifier, load_model
from skdaf._training.loop import Loop
from skdaf.cli._groups import Groups
from skdaf.cli._held_out import LabeledClips, folds
from skdaf.datasets import load_audio_folders

SPEAKERS = ["anna", "ben", "carl", "dora"]


def clips(labels, groups=None, classes=True):
    labels = np.asarray(labels)
    groups = None if groups is None else Groups(np.asarray(groups), "speaker")
    paths = [f"{i}.wav" for i in range(len(labels))]
    return LabeledClips(paths, labels, groups, labels if classes else None)


def check_folds(rows):
    """Return the rows for the test of each fold; check that each row is tested once."""
    assert sorted(row for _, test in rows for row in test) == [*range(sum(map(len, rows[0])))]
    for training, test in rows:
        assert not {*training} & {*test}
        assert len(training) + len(test) == sum(len(other) for _, other in rows)
    return [[*test] for _, test in rows]


class TestFolds:
    def test_each_clip_is_tested_once_and_classes_are_distributed(self):
        labels = np.array(["a"] * 9 + ["b"] * 6)
        rows = check_folds(folds(clips(labels), 3))
        assert [sorted(labels[test]) for test in rows] == [["a"] * 3 + ["b"] * 2] * 3

    def test_whole_groups_are_together(self):
        speakers = np.array(SPEAKERS * 6)
        rows = check_folds(folds(clips(["a", "a", "b", "b"] * 6, speakers), 2))
        assert [len({*speakers[test]}) for test in rows] == [2, 2]
        # Of both classes, as no fold could be stratified otherwise.
        assert {frozenset(speakers[test]) & {"anna", "ben"} for test in rows} == {
            *(frozenset({"anna"}), frozenset({"ben"}))
        }

    @pytest.mark.parametrize("labels", ["ab" * 12, "abcdef" * 4])
    def test_as_many_folds_as_groups_leave_one_out(self, labels):
        speakers = np.array(["x"] * 10 + ["y"] * 8 + SPEAKERS + ["anna", "ben"])
        rows = check_folds(folds(clips([*labels], speakers), 6))
        assert all(len({*speakers[test]}) == 1 for test in rows)

    def test_numbers_and_unlabeled_clips(self):
        rows = check_folds(folds(clips(np.arange(10.0), classes=False), 5))
        # Tables are often sorted by the numbers.
        assert [sorted(test) for test in rows] != [[i, i + 1] for i in range(0, 10, 2)]

    def test_several_labels(self):
        indicator = pd.DataFrame({"x": [0, 1] * 6, "y": [0] * 6 + [1] * 6})
        several = LabeledClips([*"abcdefghijkl"], indicator, None, indicator)
        for test in check_folds(folds(several, 3)):
            assert indicator.iloc[test].sum().tolist() == [2, 2]

    def test_errors_and_warnings(self):
        with pytest.raises(ValueError, match="needs at least 3 clips of the class 'b', got 2"):
            folds(clips(["a"] * 5 + ["b"] * 2), 3)
        with pytest.raises(ValueError, match="needs at least 4 clips, got 3"):
            folds(clips([1.0, 2.0, 3.0], classes=False), 4)
        with pytest.raises(ValueError, match="needs at least 5 speakers, got 4"):
            folds(clips(["a", "b"] * 4, SPEAKERS * 2), 5)
        with pytest.raises(
            ValueError, match="without speaker anna, all clips are of the class 'b'"
        ):
            folds(clips(["a", "b"] * 4, ["anna", "ben"] * 4), 2)
        labels = ["a", "b", "c", "b", "a", "b"]
        with pytest.warns(UserWarning, match=r"The classes \['c'\] occur in one fold each"):
            folds(clips(labels, ["anna", "anna", "ben", "ben", "carl", "carl"]), 3)


@pytest.fixture(scope="module")
def table(workspace, tmp_path_factory):
    """A table in which each speaker has recordings of all classes."""
    found = load_audio_folders(workspace / "recordings")
    rows = pd.DataFrame({"path": found.filenames, "speaker": np.resize(SPEAKERS, 36)})
    rows["label"] = np.asarray(found.target_names)[found.target]
    rows["pitch"] = np.arange(36) / 10
    path = tmp_path_factory.mktemp("folds") / "clips.csv"
    rows.to_csv(path, index=False)
    return path


@pytest.mark.usefixtures("inside_workspace")
@pytest.mark.filterwarnings("ignore:--group-column")
class TestCommands:
    def test_train(self, table, tmp_path, monkeypatch):
        seen, predict = [], CNNAudioClassifier.predict

        def spy(self, X):
            seen.append([str(path) for path in X])
            return predict(self, X)

        monkeypatch.setattr(CNNAudioClassifier, "predict", spy)
        command = ("train", "--table", table, "--group-column", "speaker", *SMALL, "-o")
        result = invoke(*command, tmp_path / "with.skops", "--cv", "4")
        lines = result.stderr.splitlines()
        assert lines[0] == ("Training 5 models: 4 for cross-validation, then one on all 36 clips")
        accuracies = []
        for i, line in enumerate(lines[1:5]):
            found = re.fullmatch(
                rf"Fold {i + 1} of 4: accuracy (\d\.\d+) on 9 clips, speaker {SPEAKERS[i]}", line
            )
            accuracies.append(float(found[1]))
        assert lines[5].startswith("Training on 36 clips of 3 classes")
        speakers = pd.read_csv(table).set_index("path").speaker
        assert [{*speakers[files]} for files in seen] == [{speaker} for speaker in SPEAKERS]
        text = result.stdout
        assert re.search(r"accuracy +\S+ +36\n", text)
        assert "Per speaker, worst first" in text
        low, high = (f"{value:.3f}" for value in (min(accuracies), max(accuracies)))
        assert text.splitlines()[-2:] == [
            "Cross-validation with 4 folds of 4 speakers: each clip was tested by a model that was "
            "trained without its speaker.",
            f"Folds: accuracy {np.mean(accuracies):.3f} on average, {low} to {high}",
        ]
        # The final model is the same as without --cv.
        invoke(*command, tmp_path / "without.skops")
        names = ("with.skops", "without.skops")
        one, other = ((tmp_path / name).read_bytes() for name in names)
        assert one == other

    def test_numbers(self, table, tmp_path):
        result = invoke(
            *("train", "--task", "regression", "--table", table, "--column", "target=pitch"),
            *("--cv", "2", "--set", "max_epochs=1", "--set", "channels=(4,)"),
            *("-o", tmp_path / "m.skops"),
        )
        assert "\n36 clips\n\nCross-validation with 2 folds: each clip was tested" in result.stdout
        assert "Folds: mean absolute error " in result.stdout

    def test_an_autoencoder(self, tmp_path):
        result = invoke(
            *("train", "recordings", "--task", "representation", "--cv", "2"),
            *("--set", "max_epochs=1", "--set", "channels=(4,)", "-o", tmp_path / "m.skops"),
        )
        assert result.stdout.startswith("mean squared error on 36 clips: ")

    def test_transfer(self, tmp_path):
        result = invoke(
            *("transfer", "model.skops", "recordings", "--cv", "2", "-o", tmp_path / "m.skops"),
            *("--set", "max_epochs=1"),
        )
        assert "Scores are too good if the source was trained on clips" in result.stderr
        assert "Cross-validation with 2 folds:" in result.stdout

    @pytest.mark.parametrize("options", [(), ("--method", "svc", "--proba")])
    def test_combine(self, table, tmp_path, options):
        command = ("combine", "model.skops", "--table", table, "--group-column", "speaker")
        command = (*command, "--no-handcrafted", *options, "-o")
        result = invoke(*command, tmp_path / "with.skops", "--cv", "2")
        assert "Scores are too good if the networks were trained on clips" in result.stderr
        assert "Cross-validation with 2 folds of 4 speakers" in result.stdout
        assert (
            "trained without its speaker, except for the networks that were passed. If these have "
            "learned the clips, or others of the same speakers, the scores are too good.\nFolds: "
        ) in result.stdout
        invoke(*command, tmp_path / "without.skops")
        one, other = (load_model(tmp_path / f"{name}.skops") for name in ("with", "without"))
        np.testing.assert_array_equal(*(m.predict_proba(["long.wav"]) for m in (one, other)))

    @pytest.mark.filterwarnings("default")
    @pytest.mark.parametrize("checkpoint", [False, True])
    def test_an_interruption_writes_no_model(self, tmp_path, monkeypatch, checkpoint):
        monkeypatch.setattr("skdaf._training.train._last_interrupt", -math.inf)
        epochs, train_epoch = [], Loop._train_epoch

        def interrupted(loop, epoch):
            epochs.append(epoch)
            if len(epochs) == 4:
                raise KeyboardInterrupt
            return train_epoch(loop, epoch)

        monkeypatch.setattr(Loop, "_train_epoch", interrupted)
        options = ["--checkpoint", tmp_path / "c"] if checkpoint else []
        result = invoke(
            *("train", "recordings", "--cv", "3", *SMALL, "-o", tmp_path / "m.skops", *options),
            status=130,
        )
        advice = " To go on, run the same command again." if checkpoint else ""
        last = result.stderr.splitlines()[-1]
        assert last == f"Interrupted in fold 2 of 3: wrote no model.{advice}"
        assert result.stdout == ""
        assert not (tmp_path / "m.skops").exists()

    def test_misuse(self, table, tmp_path):
        out = ("-o", tmp_path / "m.skops")
        assert "1 is not in the range x>=2" in misuse("train", "recordings", *out, "--cv", "1")
        both = ("--cv", "2", "--test-fraction", "0.5")
        assert "not both" in misuse("train", "recordings", *out, *both)
        file = ("--cv", "2", "--checkpoint", "c.checkpoint")
        for command in (("train",), ("transfer", "model.skops")):
            error = misuse(*command, "recordings", *out, *file)
            assert "pass a folder for checkpoints, not a file: each of the 3 models" in error
        many = misuse("train", "recordings", *out, "--cv", "13")
        assert f"needs at least 13 clips of the class '{KINDS[0]}', got 12" in many
        groups = ("--table", table, "--group-column", "speaker", "--cv", "5")
        assert "needs at least 5 speakers, got 4" in misuse("train", *groups, *out)

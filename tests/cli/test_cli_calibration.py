"""The option --calibrate of train: probabilities that can be taken at face value."""

import math
import re
from functools import wraps
from types import SimpleNamespace

import click
import numpy as np
import pandas as pd
import pytest
import sklearn
from cli_commands import COMMANDS, SMALL, invoke, misuse
from sklearn.calibration import CalibratedClassifierCV
from sklearn.metrics import log_loss

from skdaf import CNNAudioClassifier, load_model
from skdaf._training.loop import Loop
from skdaf.cli import _calibration
from skdaf.cli._calibration import (
    calibration_folds,
    log_losses,
    log_losses_text,
    note_temperature,
    temperatures,
)
from skdaf.cli._files import _temperature
from skdaf.cli._folds import Folds
from skdaf.cli._groups import Groups
from skdaf.cli._held_out import LabeledClips
from skdaf.cli._scores import Predictions
from skdaf.datasets import load_audio_folders

pytestmark = pytest.mark.usefixtures("inside_workspace")
has_temperature = pytest.mark.skipif(
    tuple(map(int, sklearn.__version__.split(".")[:2])) < (1, 8),
    reason="temperature scaling is newer than this scikit-learn",
)
QUICK = ("--set", "max_epochs=1", "--set", "channels=(4,)")


@pytest.fixture(scope="module")
def table(workspace, tmp_path_factory):
    """A table in which each of three speakers has recordings of all classes."""
    found = load_audio_folders(workspace / "recordings")
    rows = pd.DataFrame({"path": found.filenames})
    rows["label"] = np.asarray(found.target_names)[found.target]
    rows["speaker"] = np.resize(["anna", "ben", "carl"], len(rows))
    path = tmp_path_factory.mktemp("calibration") / "clips.csv"
    rows.to_csv(path, index=False)
    return path


def spy_on_fits(monkeypatch):
    """Return a list of the clips and groups with which networks are fitted."""
    calls, fit = [], CNNAudioClassifier.fit

    @wraps(fit)
    def spy(self, X, y, **options):
        calls.append(([*X], options.get("groups")))
        return fit(self, X, y, **options)

    monkeypatch.setattr(CNNAudioClassifier, "fit", spy)
    return calls


@has_temperature
class TestCommands:
    @pytest.mark.filterwarnings("ignore:--group-column", "ignore:Nearly all clips were predicted")
    @pytest.mark.parametrize("blocks", [(), ("--handcrafted",)])
    def test_whole_groups_are_held_out(self, table, tmp_path, monkeypatch, blocks):
        calls, out = spy_on_fits(monkeypatch), tmp_path / "m.skops"
        command = ("train", "--table", table, "--group-column", "speaker", *QUICK, *blocks)
        result = invoke(*command, "--calibrate", "-o", out)
        lines = result.stderr.splitlines()
        assert lines[0] == (
            "Training 4 models: 3 to calibrate the probabilities, then one on all 36 clips"
        )
        assert any(line.startswith("Kept epoch 1 of 1") for line in lines)
        expected = "Calibrated the probabilities on 3 folds of 3 speakers: they are now "
        assert any(line.startswith(expected) for line in lines)
        speakers = pd.read_csv(table).set_index("path").speaker
        assert [len({*speakers[paths]}) for paths, _ in calls] == [2, 2, 2, 3]
        # Each training also holds out whole groups, if it holds out any.
        assert all([*groups] == [*speakers[paths]] for paths, groups in calls)
        model = load_model(out)
        assert isinstance(model, CalibratedClassifierCV)
        assert model.cv is None
        # The final classifier is the same as without the option, and so are its labels.
        invoke(*command, "-o", tmp_path / "plain.skops", "--quiet")
        plain, paths = load_model(tmp_path / "plain.skops"), [*speakers.index]
        np.testing.assert_array_equal(model.predict(paths), plain.predict(paths))
        inner = model.calibrated_classifiers_[0].estimator
        np.testing.assert_array_equal(inner.predict_proba(paths), plain.predict_proba(paths))

    @pytest.mark.filterwarnings("ignore:Nearly all clips were predicted")
    def test_given_folds_are_held_out(self, table, tmp_path, monkeypatch):
        calls, out = spy_on_fits(monkeypatch), tmp_path / "m.skops"
        command = ("train", "--table", table, "--fold-column", "speaker", *QUICK, "--calibrate")
        lines = invoke(*command, "-o", out).stderr.splitlines()
        assert lines[0].startswith("Training 13 models: 9 for cross-validation, then 4 on all 36 ")
        start = "Calibrated the probabilities on the 3 folds of the column 'speaker': they are "
        assert lines[-2].startswith(start)
        speakers = pd.read_csv(table).set_index("path").speaker
        used = [sorted({*speakers[paths]}) for paths, _ in calls]
        # In each test, the two others calibrate each other.
        assert used[:3] == [["carl"], ["ben"], ["ben", "carl"]]
        assert [len(names) for names in used] == [1, 1, 2] * 3 + [2, 2, 2, 3]
        # As without --calibrate, the network itself may hold out any clips.
        assert all(groups is None for _, groups in calls)

    def test_it_is_the_calibration_of_scikit_learn(self, tmp_path):
        result = invoke("train", "recordings", "--calibrate", *SMALL, "-o", tmp_path / "m.skops")
        assert result.stderr.startswith("Training 6 models: 5 to calibrate")
        found = load_audio_folders("recordings")
        network = CNNAudioClassifier(max_epochs=2, channels=(4, 8), random_state=0)
        python = CalibratedClassifierCV(network, method="temperature", cv=5, ensemble=False)
        python.fit(found.filenames, np.asarray(found.target_names)[found.target])
        paths = found.filenames[::5]
        np.testing.assert_allclose(
            load_model(tmp_path / "m.skops").predict_proba(paths), python.predict_proba(paths)
        )
        shown = invoke("info", tmp_path / "m.skops").stdout
        assert f"\nscikit-learn: {sklearn.__version__}\n" in shown
        (temperature,) = re.findall(r"\ncalibration: temperature\ntemperature: (\S+)\n", shown)
        beta = python.calibrated_classifiers_[0].calibrators[0].beta_
        assert float(temperature) == pytest.approx(1 / beta, rel=1e-2)
        shown = invoke("predict", tmp_path / "m.skops", paths[0], "--proba").stdout
        assert "high_tone  low_tone  white_noise" in shown
        # The network inside knows only numbers, but the note has the names.
        folders = ("recordings/high_tone", "recordings/low_tone", "-o", tmp_path / "t.skops")
        told = invoke("transfer", tmp_path / "m.skops", *folders, *QUICK[:2]).stderr
        assert "have no clips now are not in the new model: white_noise. To add" in told

    def test_scores_with_and_without(self, table, tmp_path):
        out, predictions = tmp_path / "m.skops", tmp_path / "p.csv"
        command = ("train", "--table", table, "--group-column", "speaker", "--calibrate", *QUICK)
        tested = invoke(
            *(*command, "--test-fraction", "0.3", "-o", out, "--predictions", predictions)
        )
        rows, model = pd.read_csv(predictions), load_model(out)
        inner = model.calibrated_classifiers_[0].estimator
        after, before = (
            log_loss(rows.true, one.predict_proba([*rows.path])) for one in (model, inner)
        )
        line = f"(lower is better): {after:.3f} with calibration, {before:.3f} without"
        assert line in tested.stdout
        result = invoke(*command, "--cv", "3", "-o", out, "--predictions", predictions)
        assert result.stderr.startswith(
            "Training 13 models: 9 for cross-validation, then 4 on all 36 clips, because a "
            "calibration trains several\n"
        )
        rows = pd.read_csv(predictions)
        after = log_loss(rows.true, rows[[*model.classes_]])
        assert f"(lower is better): {after:.3f} with calibration" in result.stdout

    def test_an_interruption_writes_no_model(self, tmp_path, monkeypatch):
        monkeypatch.setattr("skdaf._training.train._last_interrupt", -math.inf)
        epochs, train_epoch = [], Loop._train_epoch

        def interrupted(loop, epoch):
            epochs.append(epoch)
            if len(epochs) == 4:
                raise KeyboardInterrupt
            return train_epoch(loop, epoch)

        monkeypatch.setattr(Loop, "_train_epoch", interrupted)
        result = invoke(
            *("train", "recordings", "--calibrate", *SMALL, "-o", tmp_path / "m.skops"),
            *("--checkpoint", tmp_path / "c"),
            status=130,
        )
        assert result.stderr.splitlines()[-1] == (
            "Interrupted while calibrating: wrote no model. To go on, run the same command again."
        )
        assert not (tmp_path / "m.skops").exists()

    def test_clips_that_cannot_be_calibrated(self, table, tmp_path):
        rows = pd.read_csv(table)
        out = ("-o", tmp_path / "m.skops", "--calibrate")
        rare = tmp_path / "rare.csv"
        rows[(rows.label != "low_tone") | (rows.index == 12)].to_csv(rare, index=False)
        error = misuse("train", "--table", rare, *out, "--group-column", "speaker")
        assert "--calibrate needs at least two clips of each class, got one of 'low_tone'" in error
        lost = tmp_path / "lost.csv"
        own = rows.assign(speaker=rows.speaker.where(rows.label != "low_tone", "dora"))
        own.to_csv(lost, index=False)
        error = misuse("train", "--table", lost, *out, "--group-column", "speaker")
        assert "--calibrate cannot keep the speakers apart" in error
        # Errors of a fold come before the first training.
        two = tmp_path / "two.csv"
        rows[rows.speaker != "anna"].to_csv(two, index=False)
        error = misuse("train", "--table", two, *out, "--group-column", "speaker", "--cv", "2")
        assert "Error: Without the clips of fold 1 of 2: --calibrate needs clips of at " in error
        assert (
            "least two speakers, got those of speaker carl: a model that knows a speaker is"
            in error
        )

    def test_misuse(self, table, tmp_path):
        def train(*arguments):
            return misuse("train", *arguments, "--calibrate", "-o", tmp_path / "m.skops")

        for task in ("regression", "representation"):
            assert "requires --task classification" in train("recordings", "--task", task)
        several = train("--table", table, "--label-separator", ";")
        assert "--calibrate is for one label per clip, not for several" in several
        several = train("long.wav", "--annotations", "truth.csv", "--window", "1", "--multilabel")
        assert "--calibrate is for one label per clip, not for several" in several
        hard = train("recordings", "--handcrafted", "--set", "voting=hard")
        assert "--calibrate needs probabilities: omit --set voting=hard" in hard
        file = train("recordings", "--checkpoint", "c.checkpoint")
        assert "With --calibrate, pass a folder for checkpoints, not a file" in file
        one = train("long.wav", "--annotations", "truth.csv", "--window", "0.2")
        assert "needs clips of at least two recordings, got those of long.wav" in one

    def test_groups_that_are_not_used_are_noted(self, table, tmp_path):
        result = invoke(
            *("train", "--table", table, "--calibrate", *QUICK, "-o", tmp_path / "m.skops")
        )
        assert "can be both in training and in the calibration. --group-column sp" in result.stderr


@pytest.mark.parametrize(("release", "is_refused"), [("1.7.2", True), ("1.10.0", False)])
def test_releases_of_scikit_learn(monkeypatch, release, is_refused):
    monkeypatch.setattr(_calibration, "version", lambda _: release)
    if not is_refused:
        _calibration.check_calibration("classification", False)
        return
    error = misuse("train", "recordings", "--calibrate", "-o", "never.skops")
    assert "--calibrate needs scikit-learn 1.8 or later, and 1.7.2 is installed." in error


def fitted(beta=1.0, probabilities=None):
    """Return what the functions use of a fitted classifier."""
    inner = SimpleNamespace(predict_proba=lambda X: np.asarray(probabilities)[: len(X)])
    pair = SimpleNamespace(estimator=inner, calibrators=[SimpleNamespace(beta_=beta)])
    return SimpleNamespace(method="temperature", calibrated_classifiers_=[pair], cv=[0, 1])


def labeled(labels, speakers=None, folds=None):
    labels = np.array([*labels])
    groups = None if speakers is None else Groups(np.array([*speakers]), "speaker")
    folds = None if folds is None else Folds(np.array([*folds]), "part")
    paths = [f"{i:02}.wav" for i in range(len(labels))]
    return LabeledClips(paths, labels, groups, labels, folds)


@pytest.mark.parametrize(
    ("speakers", "folds", "expected"),
    [
        (None, None, "2 folds of clips"),
        ("xyz" * 4, None, "2 folds of 3 speakers"),
        ("xyz" * 4, "12" * 6, "2 folds of 3 speakers"),
        (None, "12" * 6, "the 2 folds of the column 'part'"),
        (None, "123" * 4, "2 parts of the 3 folds of the column 'part'"),
    ],
)
def test_what_a_calibration_used(monkeypatch, speakers, folds, expected):
    notes = []
    monkeypatch.setattr(_calibration, "note", notes.append)
    note_temperature(fitted(), labeled("ab" * 6, speakers, folds))
    assert notes[0].startswith(f"Calibrated the probabilities on {expected}: they are now ")


@pytest.mark.parametrize(("folds", "n_folds"), [("112233" * 2, 3), ("1234567" * 4, 5)])
def test_given_folds_are_kept_apart_in_the_calibration(folds, n_folds):
    some = labeled("ab" * (len(folds) // 2), folds=folds)
    rows = calibration_folds(some)
    assert len(rows) == n_folds
    assert sorted(np.concatenate([test for _, test in rows])) == [*range(len(folds))]
    for training, test in rows:
        assert not {*some.folds.values[training]} & {*some.folds.values[test]}
        assert len(training) + len(test) == len(folds)


def test_few_given_folds_are_used_as_they_are():
    # Stratified folds would put the small ones together.
    some = labeled("ab" * 8, folds="1" * 12 + "2233")
    assert [len(test) for _, test in calibration_folds(some)] == [12, 2, 2]


def test_a_single_fold_is_left():
    with click.Context(COMMANDS[("train",)]) as context:
        context.params = {"calibrate": True}
        with pytest.raises(ValueError, match=r"two folds, got those of fold 7.*or omit --cal"):
            calibration_folds(labeled("abab", folds="7777"))
    # Without --calibrate, the SVM of combine --proba uses clips, as for a single group.
    assert len(calibration_folds(labeled("abab", folds="7777"))) == 2


@pytest.mark.parametrize("speakers", [None, "xxyyzz" * 4])
def test_the_order_of_rows_does_not_change_the_folds(speakers):
    some = labeled("aab" * 8, speakers)
    order = np.random.default_rng(0).permutation(24)
    expected, found = (
        {frozenset(one.paths[row] for row in test) for _, test in calibration_folds(one)}
        for one in (some, some.of(order))
    )
    assert found == expected


def test_losses_of_known_classes():
    labels = np.array(["b", "new", "a"])
    clips = LabeledClips(["0.wav", "1.wav", "2.wav"], labels, None, labels)
    found = Predictions("classes", labels, ["a", "b"], np.array([[0.5, 0.5], [1, 0], [0.2, 0.8]]))
    losses = log_losses(fitted(probabilities=[[0.75, 0.25], [0, 1]]), clips, found)
    assert losses[0] == pytest.approx(-np.log([0.25, 0.5]))
    assert np.isnan(losses[1]).all()
    assert losses[2][0] == pytest.approx(-math.log(np.finfo(float).eps))  # as scikit-learn does
    assert losses[2][1] == pytest.approx(-math.log(0.2))
    assert len(log_losses(SimpleNamespace(), clips, found)) == 0


def test_text_on_losses():
    assert log_losses_text([]) == ""
    assert "0.500 with calibration, 1.000 without" in log_losses_text([(0.5, 0.25), (1.5, 0.75)])
    assert "did not help" not in log_losses_text([(1, 0.5)])
    assert log_losses_text([(0.5, 0.52)]).endswith("without\nHere, the calibration did not help.")
    assert log_losses_text([(0.5, 1)]).endswith(
        "1.000 with calibration, 0.500 without\nHere, the calibration made the probabilities "
        "worse, by 0.500: train without --calibrate."
    )
    unknown = (math.nan, math.nan)
    assert log_losses_text([unknown]) == ""
    assert log_losses_text([unknown, (1, 0.5)]).endswith(
        "Log loss of the probabilities of 1 of 2 clips (lower is better): 0.500 with calibration, "
        "1.000 without\nThe classes of the other clips are unknown to the models that test them."
    )


def test_temperatures():
    assert temperatures(SimpleNamespace()) == []
    assert temperatures(fitted(0.5)) == [2]
    several = fitted(0.5)
    several.calibrated_classifiers_ += fitted(0.8).calibrated_classifiers_
    assert temperatures(several) == [2, 1.25]
    assert _temperature(several) == {"temperature": ["2", "1.25"]}


def test_temperatures_are_noted(monkeypatch):
    notes = []
    monkeypatch.setattr(_calibration, "note", notes.append)
    some = labeled("abab")
    note_temperature(SimpleNamespace(), some)
    note_temperature(fitted(0.5), some)
    note_temperature(fitted(1.25), some)
    with pytest.warns(UserWarning, match="made most probabilities 0 or 1"):
        note_temperature(fitted(20000), some)
    note_temperature(fitted(20000), some, is_tested=True)  # then, the log loss decides
    start = "Calibrated the probabilities on 2 folds of clips: they are now "
    assert notes[:2] == [
        f"{start}less certain (temperature 2)",
        f"{start}more certain (temperature 0.8)",
    ]

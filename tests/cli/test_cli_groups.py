"""The option --group-column: whole groups of a table are held out."""

from functools import wraps

import click
import numpy as np
import pandas as pd
import pytest
from cli_commands import COMMANDS, SMALL, invoke, misuse
from sklearn.calibration import CalibratedClassifierCV

from skdaf import CNNAudioClassifier, CNNAudioRegressor, load_model, make_combined_classifier
from skdaf._audio.metadata.table import as_metadata
from skdaf.cli._calibration import calibration_folds
from skdaf.cli._groups import Groups, note_similar_groups, note_unused_column, warn_if_groups_unused
from skdaf.cli._held_out import LabeledClips
from skdaf.datasets import load_audio_folders

pytestmark = pytest.mark.usefixtures("inside_workspace")
SPEAKERS = ["anna", "ben", "carl"]


@pytest.fixture(scope="module")
def table(workspace, tmp_path_factory):
    """A table in which each speaker has recordings of all classes."""
    found = load_audio_folders(workspace / "recordings")
    rows = pd.DataFrame({"path": found.filenames})
    rows["label"] = np.asarray(found.target_names)[found.target]
    rows["speaker"] = np.resize(SPEAKERS, len(rows))
    rows["pitch"] = np.arange(len(rows))
    path = tmp_path_factory.mktemp("groups") / "clips.csv"
    rows.to_csv(path, index=False)
    return path


def clips(labels, groups):
    return LabeledClips([f"{i:02}.wav" for i in range(len(labels))], labels, groups, labels)


def spy_on(monkeypatch, estimator):
    """Return a list of the clips and the groups with which estimators of a class are fitted."""
    calls, fit = [], estimator.fit

    @wraps(fit)
    def spy(self, X, y, **options):
        calls.append((list(X), options.get("groups")))
        return fit(self, X, y, **options)

    monkeypatch.setattr(estimator, "fit", spy)
    return calls


@pytest.mark.parametrize(
    ("command", "options"),
    [
        (("train",), ()),
        (("transfer", "model.skops"), ()),
        (("train", "--task", "regression", "--column", "target=pitch"), ("regression",)),
    ],
)
def test_whole_groups_are_held_out(table, tmp_path, monkeypatch, command, options):
    calls = spy_on(monkeypatch, CNNAudioRegressor if options else CNNAudioClassifier)
    result = invoke(
        *(*command, "--table", table, "--group-column", "speaker", "--test-fraction", "0.3"),
        *("-o", tmp_path / "m.skops", "--set", "max_epochs=2"),
    )
    ((clips, groups),) = calls
    speakers = pd.read_csv(table).set_index("path").speaker
    (held_out,) = {*SPEAKERS} - {*speakers[clips]}
    assert f"Held out speaker {held_out}\n" in result.stderr
    # Training itself also holds out whole groups, if it holds out any.
    assert [*groups] == [*speakers[clips]]


def test_combine_calibrates_by_groups(table, tmp_path, monkeypatch):
    folds, fit = [], CalibratedClassifierCV.fit

    def spy(self, X, y):
        folds.extend(self.cv)
        return fit(self, X, y)

    monkeypatch.setattr(CalibratedClassifierCV, "fit", spy)
    result = invoke(
        *("combine", "model.skops", "--table", table, "--group-column", "speaker", "--proba"),
        *(
            "--method",
            "svc",
            "--no-handcrafted",
            "-o",
            tmp_path / "m.skops",
            "--test-fraction",
            "0.3",
        ),
    )
    assert "Held out speaker" in result.stderr
    assert len(folds) == 2  # of the two speakers that are not held out
    assert load_model(tmp_path / "m.skops").cv is None


@pytest.mark.filterwarnings("error")
@pytest.mark.parametrize(
    ("labels", "speakers", "n_folds"),
    [
        ("aaabbb", None, 3),
        ("a" * 9 + "bb", None, 5),
        ("ab" * 6, "xxyyzz" * 2, 3),
        ("abab", "xxxx", 2),
    ],
)
def test_folds_of_the_calibration_know_all_classes(labels, speakers, n_folds):
    labels = np.array([*labels])
    groups = speakers and Groups(np.array([*speakers]), "speaker")
    folds = calibration_folds(clips(labels, groups))
    assert len(folds) == n_folds
    for training, test in folds:
        assert {*labels[training]} == {"a", "b"}
        if groups is not None and groups.count > 1:
            assert not {*groups.values[training]} & {*groups.values[test]}


@pytest.mark.parametrize(
    ("labels", "speakers", "expected"),
    [
        ("aaab", None, "needs at least two clips of each class, got one of 'b'"),
        ("aabbbb", "xxxyyy", "all clips of the class 'a' are of speaker x, without which"),
    ],
)
def test_calibration_that_would_lose_a_class(labels, speakers, expected):
    groups = speakers and Groups(np.array([*speakers]), "speaker")
    with pytest.raises(ValueError, match=expected):
        calibration_folds(clips(np.array([*labels]), groups))


def test_lost_classes_are_named_before_a_cross_validation(table, tmp_path):
    one = tmp_path / "one.csv"
    rows = pd.read_csv(table)
    rows.assign(speaker=rows.label.where(rows.index > 2, "other")).to_csv(one, index=False)
    error = misuse(
        *("combine", "model.skops", "--table", one, "--group-column", "speaker", "--proba"),
        *("--method", "svc", "--cv", "2", "--no-handcrafted", "-o", tmp_path / "m.skops"),
    )
    assert "--proba cannot keep the speakers apart" in error
    assert "Fold" not in error


def test_an_embedder_is_tested_on_other_groups(table, tmp_path):
    command = ("train", "--task", "representation", "--table", table, "--group-column", "speaker")
    result = invoke(*command, "--test-fraction", "0.3", "-o", tmp_path / "m.skops", *SMALL)
    assert "Held out speaker" in result.stderr
    assert "mean squared error on 12 clips" in result.stdout


def test_misuse(table, tmp_path):
    out = ("-o", tmp_path / "m.skops")
    command = ("train", "--table", table, *out, "--group-column")
    missing = misuse(*command, "Speeker")
    assert "clips.csv' has no column 'Speeker'. Its columns are ['path', 'label'" in missing
    assert "Did you mean --group-column speaker?" in missing
    pd.read_csv(table).assign(site="north").to_csv(tmp_path / "one.csv", index=False)
    single = ("train", "--table", tmp_path / "one.csv", *out, "--group-column", "site")
    assert "All rows have the same group, site='north'" in misuse(*single)
    assert "--group-column requires --table" in misuse(
        "train", "recordings", *out, "--group-column", "speaker"
    )
    assert "cannot be used with 3 speakers: " in misuse(
        *command, "speaker", "--test-fraction", "0.999"
    )


def test_many_groups_are_not_all_listed():
    groups = Groups(np.arange(12).repeat(2), "site")
    assert groups.listed() == "site 0, 1, 2, 3, 4, 5, 6, 7, 8, 9 and 2 more"


def test_counts_per_class_and_few_clips(table, tmp_path):
    rows = pd.read_csv(table)
    rows[rows.index > 8].to_csv(tmp_path / "few.csv", index=False)
    result = invoke("train", "--table", tmp_path / "few.csv", "-o", tmp_path / "m.skops", *SMALL)
    first, second, *_ = result.stderr.splitlines()
    assert first == ("Training on 27 clips of 3 classes (high_tone 3, low_tone 12, white_noise 12)")
    assert second == "With fewer than 5 clips, a class is hardly learned: high_tone 3"


@pytest.mark.parametrize(
    ("column", "expected"),
    [
        ("path", "--group-column path has no effect: it is the column of the recordings"),
        ("label", "--group-column label is the column of the labels"),
    ],
)
def test_a_column_that_cannot_be_one_of_groups(table, tmp_path, column, expected):
    out = ("-o", tmp_path / "m.skops", "--test-fraction", "0.3")
    assert expected in misuse("train", "--table", table, *out, "--group-column", column)


def test_the_targets_are_no_groups(table, tmp_path):
    options = ("--task", "regression", "--column", "target=pitch", "-o", tmp_path / "m.skops")
    error = misuse("train", "--table", table, *options, "--group-column", "pitch")
    assert "--group-column pitch is the column of the numbers to learn" in error


def test_paths_can_be_groups_of_parts(table, tmp_path):
    rows = pd.read_csv(table)
    parts = [rows.assign(start=start, end=start + 0.1) for start in (0, 0.1)]
    pd.concat(parts).to_csv(tmp_path / "parts.csv", index=False)
    options = ("--group-column", "path", "--test-fraction", "0.3", "-o", tmp_path / "m.skops")
    result = invoke("train", "--table", tmp_path / "parts.csv", *options, *SMALL)
    assert "Training on 50 clips" in result.stderr
    assert result.stderr.startswith("Held out path ")


@pytest.mark.filterwarnings("default:--group-column")
@pytest.mark.parametrize(
    ("settings", "has_effect"),
    [
        ((), False),
        (("--set", "early_stopping=True", "--set", "validation_fraction=0.3"), True),
        (
            ("--handcrafted", "--set", "early_stopping=True", "--set", "validation_fraction=0.3"),
            True,
        ),
    ],
)
def test_a_warning_if_groups_have_no_effect(table, tmp_path, settings, has_effect):
    options = ("--group-column", "speaker", "-o", tmp_path / "m.skops", *SMALL, *settings)
    shown = "Warning: --group-column speaker has no effect, because no clips are held out."
    assert (shown in invoke("train", "--table", table, *options).stderr) is not has_effect


@pytest.mark.parametrize(
    ("n_clips", "options", "expected"),
    [
        (36, {}, "to test the model on other groups."),
        (360, {}, "--set early_stopping=True to choose the best epoch by them."),
        (36, {"test_fraction": 0.3}, None),
        (36, {"proba": True}, None),
        (36, {"proba": True, "config": "old.yaml"}, "to test the model on other groups."),
    ],
)
@pytest.mark.parametrize("combine", [lambda network: network, make_combined_classifier])
def test_advice_where_groups_have_no_effect(n_clips, options, expected, combine, recwarn):
    with click.Context(COMMANDS[("train",)]) as context:
        context.params = {"group_column": "speaker"} | options
        warn_if_groups_unused(combine(CNNAudioClassifier()), n_clips)
    assert [str(one.message).endswith(expected or "") for one in recwarn] == [True] * bool(expected)


@pytest.mark.parametrize(
    ("options", "columns", "is_noted"),
    [
        ({"test_fraction": 0.3}, {}, True),
        ({"test_fraction": 0.3}, {"label": ("speaker", "other")}, False),
        ({"test_fraction": 0.3}, {"label": "speaker"}, False),
        ({"test_fraction": 0.3, "group_column": "pitch"}, {}, False),
        ({}, {}, False),
    ],
)
def test_a_note_on_groups_that_are_not_used(table, capsys, options, columns, is_noted):
    with click.Context(COMMANDS[("train",)]) as context:
        context.params = {"group_column": None, "test_fraction": None} | options
        note_unused_column(as_metadata(table), {"label": "label", "path": "path"} | columns)
    sentence = 'The column "speaker" is not used, so recordings of one speaker can be both in'
    assert capsys.readouterr().err.startswith(sentence) is is_noted


def test_the_note_comes_from_commands_with_a_test(table, tmp_path):
    out = ("--test-fraction", "0.3", "-o", tmp_path / "m.skops", *SMALL)
    note = "--group-column speaker keeps them apart.\n"
    assert invoke("train", "--table", table, *out).stderr.count(note) == 1
    rows = pd.read_csv(table)
    # A group per row, or one for all, says nothing.
    for name, speakers in (("each", rows.path), ("all", "anna")):
        rows.assign(speaker=speakers).to_csv(tmp_path / f"{name}.csv", index=False)
        result = invoke("train", "--table", tmp_path / f"{name}.csv", *out)
        assert "speaker" not in result.stderr


def test_groups_with_similar_names_are_noted(capsys):
    with click.Context(COMMANDS[("train",)]):
        note_similar_groups(Groups(np.array(["Anna", "ben", "anna ", "Ben 2"]), "speaker"))
        note_similar_groups(Groups(np.array(["anna", "ben", "anna", "7"]), "speaker"))
    (line,) = capsys.readouterr().err.splitlines()
    assert line.startswith("These are different groups: 'Anna', 'anna '. If they are the same spea")


def test_a_group_per_row_is_noted(table, tmp_path):
    rows = pd.read_csv(table)
    rows.assign(number=rows.index).to_csv(tmp_path / "numbers.csv", index=False)
    options = ("--group-column", "number", "--test-fraction", "0.3", "-o", tmp_path / "m.skops")
    result = invoke("train", "--table", tmp_path / "numbers.csv", *options, *SMALL)
    assert "Each row has its own number, so --group-column number has no effect" in result.stderr

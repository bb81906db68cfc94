"""Commands with any number of labels per recording."""

import json

import numpy as np
import pandas as pd
import pytest
import soundfile as sf
from cli_commands import invoke, misuse
from sklearn.metrics import average_precision_score

from skdaf import load_model, read_segments
from skdaf.datasets import load_audio_table

pytestmark = pytest.mark.filterwarnings("ignore:.*copies of others")

RATE = 8000
TONES = {"high": 3000.0, "low": 300.0, "mid": 1000.0}
VOTE = "--method=vote"
SMALL = ["--set", "channels=[8, 8]", "--set", "max_epochs=12", "--set", "augment=None"]


def sound_of(labels, seconds=0.5, seed=0):
    times = np.arange(int(seconds * RATE)) / RATE
    samples = 0.02 * np.random.default_rng(seed).standard_normal(len(times))
    return samples + sum(0.3 * np.sin(2 * np.pi * TONES[label] * times) for label in labels)


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    """A folder with 48 recordings, tables of their labels, and a long recording."""
    folder = tmp_path_factory.mktemp("several")
    rng = np.random.default_rng(0)
    indicator = pd.DataFrame(rng.integers(0, 2, (48, 3)), columns=list(TONES))
    lists = [[name for name in TONES if row[name]] for row in indicator.to_dict("records")]
    paths = [f"{number:02d}.wav" for number in range(48)]
    for number, labels in enumerate(lists):
        sf.write(folder / paths[number], sound_of(labels, seed=number), RATE)
    tags = [";".join(labels) for labels in lists]
    pd.DataFrame({"path": paths, "label": tags}).to_csv(folder / "lists.csv", index=False)
    indicator.assign(path=paths).to_csv(folder / "columns.csv", index=False)
    parts = [[], ["low"], ["low", "high"], ["high"], ["mid"], []]
    sf.write(folder / "long.wav", np.concatenate([sound_of(p, 1.0) for p in parts]), RATE)
    (folder / "long.txt").write_text("1\t3\tlow\n2\t4\thigh\n4\t5\tmid\n")
    return folder


@pytest.fixture(scope="module")
def model(folder):
    invoke(
        *("train", "--table", folder / "lists.csv", "--label-separator", ";"),
        *SMALL,
        "-o",
        folder / "model.skops",
    )
    return folder / "model.skops"


def test_both_kinds_of_tables_train_the_same_model(folder, model, tmp_path):
    columns = [option for name in TONES for option in ("--column", f"label={name}")]
    result = invoke(
        *("train", "--table", folder / "columns.csv", *columns, *SMALL),
        *("-o", tmp_path / "b.skops"),
    )
    assert "Training on 48 clips with 3 labels" in result.stderr
    one, two = load_model(model), load_model(tmp_path / "b.skops")
    paths = sorted(folder.glob("??.wav"))
    np.testing.assert_array_equal(one.predict_proba(paths), two.predict_proba(paths))
    assert one.multilabel_
    assert one.label_names_.tolist() == list(TONES)


def test_predict_writes_what_train_reads(folder, model, tmp_path):
    files = sorted(folder.glob("??.wav"))
    invoke("predict", model, *files, "-o", tmp_path / "found.csv")
    found = pd.read_csv(tmp_path / "found.csv", keep_default_na=False)
    predicted = load_model(model).predict(files)
    expected = ["; ".join(np.array(list(TONES))[row == 1]) for row in predicted]
    assert found.label.tolist() == expected
    assert {"", "high; low", "high; low; mid"} <= set(expected)
    again = load_audio_table(tmp_path / "found.csv", path="file", label_separator=";")
    np.testing.assert_array_equal(again.target, predicted)
    with_probabilities = invoke("predict", model, files[0], "--proba", "--format", "csv").stdout
    assert with_probabilities.startswith("file,label,high,low,mid\n")


def test_report(folder, model):
    table = ["--table", folder / "lists.csv", "--label-separator", ";"]
    facts = json.loads(invoke("report", model, *table, "--format", "json").stdout)
    bunch = load_audio_table(folder / "lists.csv", label_separator=";")
    fitted = load_model(model)
    probabilities = fitted.predict_proba(bunch.filenames)
    for number, name in enumerate(TONES):
        expected = average_precision_score(bunch.target[:, number], probabilities[:, number])
        assert facts["labels"][name]["average_precision"] == pytest.approx(expected)
        assert facts["labels"][name]["support"] == bunch.target[:, number].sum()
    assert facts["all_labels_right"] == fitted.score(bunch.filenames, bunch.target)
    text = invoke("report", model, *table).stdout
    assert "average precision" in text
    assert "(mean)" in text
    assert "All labels right" in text


def test_a_report_on_one_label_per_recording_and_on_fewer_labels(folder, model, tmp_path):
    table = pd.read_csv(folder / "lists.csv", keep_default_na=False)
    single = table[table.label.isin(["low", "high"])]
    single.to_csv(folder / "single.csv", index=False)
    facts = json.loads(
        invoke("report", model, "--table", folder / "single.csv", "--format", "json").stdout
    )
    assert list(facts["labels"]) == list(TONES)
    assert facts["labels"]["mid"]["support"] == 0
    assert facts["labels"]["mid"]["average_precision"] is None


# The sounds of one set of labels are all the same.
@pytest.mark.filterwarnings("ignore:12 of the clips .* are copies of training clips")
def test_held_out_recordings(folder, tmp_path):
    result = invoke(
        *("train", "--table", folder / "lists.csv", "--label-separator", ";", *SMALL),
        *("--test-fraction", "0.25", "-o", tmp_path / "model.skops"),
    )
    assert "Training on 36 clips with 3 labels" in result.stderr
    assert "of 12 recordings" in result.stdout


def test_combine_and_cross_validation(folder, model, tmp_path):
    combined, table = tmp_path / "combined.skops", ["--table", folder / "lists.csv"]
    result = invoke(
        *("combine", model, *table, "--label-separator", ";", "--no-handcrafted", "--cv", "2"),
        *("-o", combined, "--set", "svc__estimator__C=2"),
    )
    assert "All labels right: " in result.stdout
    assert "of 48 recordings" in result.stdout
    assert "Cross-validation with 2 folds:" in result.stdout
    fitted = load_model(combined)
    assert fitted["svc"].estimators_[0].C == 2
    files = sorted(folder.glob("??.wav"))
    rows = fitted.predict(files)
    expected = ["; ".join(np.array(list(TONES))[row == 1]) for row in rows]
    invoke("predict", combined, *files, "-o", tmp_path / "found.csv")
    found = pd.read_csv(tmp_path / "found.csv", keep_default_na=False)
    assert found.label.tolist() == expected
    assert json.loads(invoke("info", combined, "--json").stdout)["labels"] == list(TONES)


def test_segments_overlap(folder, model, tmp_path):
    invoke("segments", model, folder / "long.wav", "--window", "0.5", "-o", tmp_path / "found.txt")
    found = read_segments(tmp_path / "found.txt")
    assert found[["start", "end", "label"]].to_numpy().tolist() == [
        [1.0, 3.0, "low"],
        [2.0, 4.0, "high"],
        [4.0, 5.0, "mid"],
    ]
    agreement = ["--window", "0.5", "--truth", folder / "long.txt", "--background", "quiet"]
    text = invoke("segments", model, folder / "long.wav", *agreement).stdout
    assert "Accuracy 1.000" in text
    assert "high + low" in text
    rows = invoke("predict", model, folder / "long.wav", "--segments", "--window", "1").stdout
    assert [line.split()[-1] for line in rows.splitlines()[1:]] == [
        *("-", "low", "high", "low", "high", "mid", "-")
    ]


def test_info_and_check(folder, model):
    facts = json.loads(invoke("info", model, "--json").stdout)
    assert facts["labels"] == list(TONES)
    result = invoke("check", "--table", folder / "lists.csv", "--label-separator", ";")
    assert "Per class: high 28, low 26, mid 28\n48 files: no problems\n" in result.stderr


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (["train", "--label-separator", ";"], "Pass folders or --table"),
        (["train", ".", "--label-separator", ";"], "--label-separator requires --table"),
        (
            ["train", "--table", "columns.csv", "--column", "label=low", "--column", "label=path"],
            "line 2: expected 1 or 0 (or true or false, yes or no) in the column 'path'",
        ),
        (
            [*("combine", "model.skops", "--table", "lists.csv"), "--label-separator", ";", VOTE],
            "--method vote is for one label per clip. With several, use --method svc.",
        ),
        (
            [*("combine", "model.skops", "--table", "lists.csv"), "--label-separator=;", "--proba"],
            "--proba is for one label per clip",
        ),
        (
            ["train", "--handcrafted", "--table", "lists.csv", "--label-separator", ";"],
            "--handcrafted is for one label per clip, not for several",
        ),
        (
            [*("train", "--task", "regression", "--table", "lists.csv"), "--label-separator", ";"],
            "--label-separator is for labels, and this task uses numbers.",
        ),
    ],
)
def test_misuse(folder, model, monkeypatch, arguments, message):
    monkeypatch.chdir(folder)
    assert message in misuse(*arguments, "-o", "new.skops")

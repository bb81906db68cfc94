"""Commands for models that predict numbers."""

import io
import json
import shutil

import numpy as np
import pandas as pd
import pytest
from cli_commands import KINDS, invoke, misuse

from skdaf import load_model, predict_segments
from skdaf._segments.smoothing import smooth_values
from skdaf.datasets import load_audio_folders

pytestmark = pytest.mark.usefixtures("inside_workspace")

PITCHES = {"low_tone": 150.0, "high_tone": 1000.0, "white_noise": 4000.5}
SETTINGS = ["--set", "max_epochs=20", "--set", "channels=(4,8)", "--set", "frontend__n_mels=24"]
SETTINGS += ["--set", "augment=None"]


@pytest.fixture(scope="module")
def folder(workspace, tmp_path_factory):
    """A folder with a table of numbers, and a model with one target and one with two."""
    folder = tmp_path_factory.mktemp("numbers")
    paths = load_audio_folders(workspace / "recordings").filenames
    kinds = [path.replace("\\", "/").split("/")[-2] for path in paths]
    pitch = [PITCHES[kind] for kind in kinds]
    numbers = pd.DataFrame({"path": paths, "pitch": pitch, "target": -np.array(pitch)})
    numbers.to_csv(folder / "clips.csv", index=False)
    train = ["train", "--task", "regression", "--table", folder / "clips.csv", *SETTINGS, "-q"]
    invoke(*train, "--column", "target=pitch", "-o", folder / "one.skops")
    both = ["--column", "target=pitch", "--column", "target=target"]
    invoke(*train, *both, "-o", folder / "two.skops")
    return folder


def options(folder):
    return ["--table", folder / "clips.csv", "--column", "target=pitch"]


def test_train_is_the_regressor_of_the_package(folder):
    one, two = (load_model(folder / f"{name}.skops") for name in ("one", "two"))
    table = pd.read_csv(folder / "clips.csv")
    assert type(one).__name__ == "CNNAudioRegressor"
    assert one.score(table.path.tolist(), table.pitch) > 0.8
    assert two.predict(["long.wav"]).shape == (1, 2)
    np.testing.assert_allclose(one.target_mean_, [table.pitch.mean()])
    np.testing.assert_allclose(two.target_scale_, [table.pitch.std(ddof=0)] * 2)


def test_train_reports_on_held_out_clips(folder, tmp_path):
    arguments = ["train", "--task", "regression", *options(folder), *SETTINGS]
    result = invoke(*arguments, "--test-fraction", "0.25", "-o", tmp_path / "m.skops")
    assert result.stderr.startswith("Training on 27 clips\nKept epoch 20 of 20: loss ")
    lines = result.stdout.splitlines()
    assert [line.split()[0] for line in lines] == [
        *("pitch", "R2", "mean", "median", "root", "standard", "9"),
    ]


def test_report(folder):
    model = load_model(folder / "two.skops")
    table = pd.read_csv(folder / "clips.csv")
    errors = model.predict(table.path.tolist())[:, 1] - table.target
    arguments = ["report", folder / "two.skops", *options(folder), "--column", "target=target"]
    facts = json.loads(invoke(*arguments, "--format", "json").stdout)
    assert facts["clips"] == 36
    assert list(facts["targets"]) == ["pitch", "target"]
    scores = facts["targets"]["target"]
    assert scores["mean_absolute_error"] == pytest.approx(abs(errors).mean())
    assert scores["median_absolute_error"] == pytest.approx(abs(errors).median())
    assert scores["root_mean_squared_error"] == pytest.approx((errors**2).mean() ** 0.5)
    assert scores["R2"] == pytest.approx(1 - (errors**2).mean() / table.target.var(ddof=0))
    text = invoke(*arguments).stdout
    assert "mean absolute error" in text
    assert text.endswith("36 clips\n")


def test_report_of_one_clip_has_no_r2(folder, tmp_path):
    pd.read_csv(folder / "clips.csv").iloc[:1].to_csv(tmp_path / "one.csv", index=False)
    arguments = ["report", folder / "one.skops", "--table", tmp_path / "one.csv"]
    arguments += ["--column", "target=pitch"]
    facts = json.loads(invoke(*arguments, "--format", "json").stdout)
    assert facts["targets"]["pitch"]["R2"] is None
    assert "NaN" in invoke(*arguments).stdout


@pytest.mark.parametrize("format_", ["csv", "json"])
def test_predict(folder, format_):
    files = load_audio_folders("recordings").filenames[:3]
    for name, columns in [("one", ["value"]), ("two", ["value_0", "value_1"])]:
        model = folder / f"{name}.skops"
        text = invoke("predict", model, *files, "--format", format_).stdout
        read = pd.read_csv if format_ == "csv" else pd.read_json
        table = read(io.StringIO(text))
        assert list(table.columns) == ["file", *columns]
        assert table.file.tolist() == files
        expected = load_model(model).predict(files).reshape(3, -1)
        np.testing.assert_allclose(table[columns], expected)
    shown = invoke("predict", folder / "one.skops", files[0]).stdout.splitlines()
    assert shown[0].split() == ["file", "value"]


def test_predict_segments(folder):
    arguments = ["predict", folder / "one.skops", "long.wav", "--segments", "--window", "0.2"]
    table = pd.read_csv(io.StringIO(invoke(*arguments, "--format", "csv").stdout))
    expected = predict_segments(folder / "one.skops", "long.wav", window=0.2)
    expected.insert(0, "file", "long.wav")
    pd.testing.assert_frame_equal(table, expected)


def test_segments_are_a_curve(folder, tmp_path):
    options = ["--window", "0.2", "--step", "0.05"]
    arguments = ["segments", folder / "one.skops", "long.wav", *options]
    expected = predict_segments(folder / "one.skops", "long.wav", window=0.2, step=0.05)
    plain = pd.read_csv(io.StringIO(invoke(*arguments, "--format", "csv").stdout))
    pd.testing.assert_frame_equal(plain, expected)
    invoke(*arguments, "--smooth", "0.25", "-o", tmp_path / "curve.txt")
    smooth = pd.read_csv(tmp_path / "curve.txt")
    pd.testing.assert_frame_equal(smooth, smooth_values(expected, 0.25))
    assert not smooth.equals(plain)
    rows = json.loads(invoke(*arguments, "--format", "json").stdout)
    assert list(rows[0]) == ["start", "end", "value"]


def test_curves_of_several_recordings(folder, tmp_path):
    shutil.copy("long.wav", tmp_path / "a.wav")
    arguments = ["segments", folder / "one.skops", "long.wav", tmp_path, "--window", "0.2"]
    table = pd.read_csv(io.StringIO(invoke(*arguments, "--format", "csv").stdout))
    assert list(table.columns) == ["file", "start", "end", "value"]
    assert table.file.unique().tolist() == ["long.wav", str(tmp_path / "a.wav")]
    invoke(*arguments, "-o", f"{tmp_path}/new/")
    expected = predict_segments(folder / "one.skops", "long.wav", window=0.2)
    for name in ("long", "a"):
        found = pd.read_csv(tmp_path / "new" / f"{name}.skdaf.csv")
        pd.testing.assert_frame_equal(found, expected)


def test_the_curve_is_drawn(folder, tmp_path):
    pytest.importorskip("matplotlib")
    options = ["--window", "0.2", "--figure", tmp_path / "curve.png"]
    invoke("segments", folder / "one.skops", "long.wav", *options)
    assert (tmp_path / "curve.png").read_bytes().startswith(b"\x89PNG")


def test_info(folder):
    facts = json.loads(invoke("info", folder / "two.skops", "--json").stdout)
    model = load_model(folder / "two.skops")
    assert facts["networks"][0]["targets"] == [
        {"target": name, "mean": mean, "scale": scale}
        for name, mean, scale in zip(
            ["value_0", "value_1"], model.target_mean_, model.target_scale_, strict=True
        )
    ]
    assert "classes" not in facts
    lines = invoke("info", folder / "one.skops").stdout.splitlines()
    assert [line.split() for line in lines if line.strip().startswith("value")] == [
        ["value", "1717", "1652"]
    ]


def test_transfer_and_embed(folder, tmp_path):
    new = tmp_path / "new.skops"
    small = ["--set", "max_epochs=2", "-q", "-o", new]
    invoke("transfer", "model.skops", "--task", "regression", *options(folder), *small)
    assert invoke("predict", new, "long.wav", "--format", "csv").stdout.startswith("file,value\n")
    invoke("transfer", folder / "one.skops", "recordings", *small)
    assert load_model(new).classes_.tolist() == KINDS
    assert invoke("embed", folder / "one.skops", "long.wav").stdout.startswith("file,dense1_0,")


def test_numbers_that_cannot_be_learned(folder, tmp_path):
    def train(content, *arguments):
        (tmp_path / "bad.csv").write_text(content)
        train = ["train", "--task", "regression", "--table", tmp_path / "bad.csv", *arguments]
        return misuse(*train, "-o", tmp_path / "m.skops")

    old = "bad.csv', line 3: expected a number in column 'age', got 'old'"
    ages = "path,age\na.wav,1\na.wav,{}\n"
    assert old in train(ages.format("old"), "--column", "target=age")
    for wrong in ("inf", "true"):
        assert f"got '{wrong}'" in train(ages.format(wrong), "--column", "target=age")
    missing = train(ages.format(""), "--column", "target=age")
    assert "bad.csv', 1 of 2 rows have no target (column 'age'): line 3" in missing
    assert "Did you mean --column target=age" in train(ages, "--column", "target=agee")
    assert "no column 'target'" in train(ages)
    assert "with --column target=NAME" in train(ages, "--column", "label=age")
    assert "NAME=COLUMN" in train(ages, "--column", "target=")
    weight = train(ages, "--column", "target=age", "--class-weight", "sqrt")
    assert "--class-weight requires --task classification" in weight


@pytest.mark.filterwarnings("ignore:.*copies of others")
def test_decimal_commas(tmp_path):
    import shutil

    rows = ""
    for number in range(4):
        shutil.copy(f"recordings/low_tone/low_tone_00{number}.wav", tmp_path / f"{number}.wav")
        rows += f"{number}.wav;{number},5\n"
    (tmp_path / "clips.csv").write_text(f"path;target\n{rows}")
    arguments = ["train", "--task", "regression", "--table", tmp_path / "clips.csv", "-q"]
    invoke(*arguments, "--set", "max_epochs=1", "-o", tmp_path / "m.skops")
    assert load_model(tmp_path / "m.skops").target_mean_.tolist() == [2.0]


def test_regressors_misused(folder, tmp_path):
    one, out = folder / "one.skops", ["-o", tmp_path / "m.skops"]
    sentence = misuse("train", "recordings", "--task", "regression", *out)
    assert "Numbers need --table and --column target=NAME: class folders have only" in sentence
    assert "Numbers need --table" in misuse("report", one, "recordings")
    two = ["report", folder / "two.skops", *options(folder)]
    assert "predicts 2 numbers per clip, but --column target= names 1" in misuse(*two)
    assert "--column target=pitch is for numbers" in misuse(
        "report", "model.skops", *options(folder)
    )
    assert "omit --proba" in misuse("predict", one, "long.wav", "--proba")
    threshold = ["--segments", "--threshold", "0.5"]
    advice = "predicts numbers, not classes: omit --threshold."
    assert advice in misuse("predict", one, "long.wav", *threshold)
    assert advice in misuse("segments", one, "long.wav", "--threshold", "0.5")
    for option in (
        *(
            ["--background", "x"],
            ["--min-duration", "1"],
            ["--drop-shorter-than", "1"],
        ),
        *(["--truth", "truth.csv", "--background", "x"],),
    ):
        sentence = misuse("segments", one, "long.wav", *option)
        assert "needs a model that predicts classes" in sentence
        assert option[0] in sentence or option[2] in sentence
    raven = ["--format", "raven", "-o", tmp_path / "a.txt"]
    assert "contains labels: use csv or json" in misuse("segments", one, "long.wav", *raven)
    few = ["train", "--task", "regression", *options(folder), "--test-fraction", "0.999", *out]
    assert "there must be clips for training" in misuse(*few)
    assert list(tmp_path.iterdir()) == []

"""The commands predict, segments, embed and report."""

import io
import json
import re
import shutil
from pathlib import Path

import joblib
import numpy as np
import pandas as pd
import pytest
from cli_commands import KINDS, invoke, misuse, read_csv, run
from sklearn.base import BaseEstimator, ClassifierMixin

import skdaf
from skdaf import load_model, read_segments
from skdaf.datasets import load_audio_folders

pytestmark = [
    pytest.mark.usefixtures("inside_workspace"),
    pytest.mark.filterwarnings("ignore:window=.* is far from the length"),
]


def test_predict(workspace):
    out = run("predict", "model.skops", "recordings/low_tone", "long.wav", cwd=workspace).stdout
    header, *rows = (line.split() for line in out.splitlines())
    assert header == ["file", "label"]
    files = [*load_audio_folders(["recordings/low_tone"]).filenames, "long.wav"]
    labels = load_model("model.skops").predict(files)
    assert rows == [list(pair) for pair in zip(files, labels, strict=True)]


def test_predict_writes_csv_and_json(tmp_path):
    classifier = load_model("model.skops")
    files = load_audio_folders("recordings").filenames
    expected = classifier.predict_proba(files)

    def read(path):
        return pd.read_csv(path) if path.suffix == ".csv" else pd.read_json(path)

    for name, options in [("p.csv", []), ("p.json", []), ("p.csv", ["--format", "csv"])]:
        path = tmp_path / name
        result = invoke(
            "predict", "model.skops", "recordings", "--proba", "-o", path, "--n-jobs", "2", *options
        )
        assert result.stdout == ""
        table = read(path)
        assert list(table.columns) == ["file", "label", *KINDS]
        assert list(table.file) == files
        assert list(table.label) == list(classifier.predict(files))
        np.testing.assert_allclose(table[KINDS], expected, atol=1e-6)
    assert sorted(path.name for path in tmp_path.iterdir()) == ["p.csv", "p.json"]
    records = json.loads(invoke("predict", "model.skops", "long.wav", "--format", "json").stdout)
    assert [list(record) for record in records] == [["file", "label"]]


def test_predict_returns_the_outputs_of_inner_layers():
    model = load_model("model.skops")
    out = invoke("predict", "model.skops", "long.wav", "--layers-dropped", "1").stdout
    table = pd.read_csv(io.StringIO(out))
    assert list(table.columns[:2]) == ["file", "dense1_0"]
    np.testing.assert_allclose(
        table.iloc[0, 1:].to_numpy(float), model.layer_outputs(["long.wav"], 3)[0], rtol=1e-5
    )


def test_predict_segments_above_thresholds():
    arguments = ["predict", "model.skops", "long.wav", "--segments", "--window", "0.2"]
    rows = json.loads(invoke(*arguments, "--format", "json").stdout)
    assert all(row["label"] for row in rows)
    for values in (["1"], [f"{kind}=1" for kind in KINDS]):
        options = [word for value in values for word in ("--threshold", value)]
        certain = json.loads(invoke(*arguments, "--format", "json", *options).stdout)
        assert [row["label"] for row in certain] == [None] * len(rows)
        assert "-" in invoke(*arguments, *options).stdout.split()
    assert "--threshold requires --segments" in misuse(*arguments[:3], "--threshold", "1")
    assert "cannot be used with --threshold" in misuse(
        *arguments, "--threshold", "1", "--layers-dropped", "1"
    )


def test_predict_segments():
    out = invoke(
        "predict", "model.skops", "long.wav", "--segments", "--window", "0.3", "--format", "csv"
    ).stdout
    table = pd.read_csv(io.StringIO(out))
    assert list(table.columns) == ["file", "start", "end", "label"]
    assert len(table) > 3
    np.testing.assert_allclose(table.start, 0.3 * np.arange(len(table)))


class Undecided(ClassifierMixin, BaseEstimator):
    """Predicts "file", although "label" has a higher probability."""

    classes_ = np.array(["file", "label"])

    def fit(self, X, y=None):
        return self

    def predict(self, X):
        return self.classes_[[0] * len(X)]

    def predict_proba(self, X):
        return np.tile([0.25, 0.75], (len(X), 1))

    def __sklearn_is_fitted__(self):
        return True


def test_labels_and_column_names_do_not_depend_on_options(tmp_path):
    joblib.dump(Undecided(), tmp_path / "undecided")
    arguments = ["predict", tmp_path / "undecided", "long.wav", "--trust", "--format", "json"]
    (plain,) = json.loads(invoke(*arguments).stdout)
    (probabilities,) = json.loads(invoke(*arguments, "--proba").stdout)
    assert plain == {"file": "long.wav", "label": "file"}
    assert probabilities == {**plain, "file_": 0.25, "label_": 0.75}
    windows = ["--segments", "--window", "9"]
    (window,) = json.loads(invoke(*arguments, *windows, "--proba").stdout)
    assert list(window) == ["file", "start", "end", "label", "file_", "label_"]
    assert {name: window[name] for name in probabilities} == probabilities


def test_features_of_windows(tmp_path):
    """`predict --layers-dropped` and `embed` write the features of the same windows."""
    files = ["long.wav", load_audio_folders("recordings").filenames[0]]
    windows = ["--segments", "--window", "0.3", "--step", "0.2"]
    table = read_csv("predict", "model.skops", *files, *windows, "--layers-dropped", "1")
    assert list(table.columns[:4]) == ["file", "start", "end", "dense1_0"]
    times = read_csv("predict", "model.skops", *files, *windows, "--format", "csv")
    pd.testing.assert_frame_equal(table.iloc[:, :3], times.iloc[:, :3])
    clips = [skdaf.Clip(*place) for place in zip(table.file, table.start, table.end, strict=True)]
    assert len(clips) > 4
    expected = load_model("model.skops").layer_outputs(clips, 3)
    np.testing.assert_allclose(table.iloc[:, 3:], expected, rtol=1e-5, atol=1e-5)
    invoke("embed", "model.skops", *files, *windows, "-o", tmp_path / "x.csv")
    pd.testing.assert_frame_equal(pd.read_csv(tmp_path / "x.csv"), table)


def test_embeddings_of_windows(embedder):
    table = read_csv("embed", embedder, "long.wav", "--segments", "--window", "0.5")
    expected = skdaf.transform_segments(embedder, "long.wav", window=0.5)
    pd.testing.assert_frame_equal(table.drop(columns="file"), expected, check_dtype=False)
    assert set(table.file) == {"long.wav"}


def test_predict_misused(embedder, tmp_path):
    def predict(*arguments, model="model.skops"):
        return misuse("predict", model, *arguments)

    assert "Pass recordings, their folders, or --table" in predict()
    assert "Path 'no.wav' does not exist" in predict("no.wav")
    assert "File 'no.skops' does not exist" in predict("long.wav", model="no.skops")
    sentence = predict("long.wav", model=embedder)
    assert "ConvAutoencoderEmbedder" in sentence
    assert '"skdaf embed"' in sentence
    assert '"skdaf embed"' in predict("long.wav", "--segments", model=embedder)
    assert "truth.csv" in predict("truth.csv")
    assert "no audio files" in predict(tmp_path)
    assert "--step requires --segments" in predict("long.wav", "--step", "2")
    assert "--proba" in predict("long.wav", "--proba", "--layers-dropped", "1")
    assert "between 0 and 3" in predict("long.wav", "--layers-dropped", "4")
    assert "'xml' is not one of" in predict("long.wav", "--format", "xml")


@pytest.mark.slow
def test_segments(workspace, tmp_path):
    options = ["--window", "0.2", "--step", "0.1", "--smooth", "0.3", "--min-duration", "0.2"]
    labels = tmp_path / "labels.txt"
    result = invoke("segments", "model.skops", "long.wav", "-o", labels, *options)
    assert result.stdout == ""
    found = read_segments(labels)
    assert set(found.label) <= set(KINDS)
    assert (found.end - found.start).min() > 0.15
    out = invoke("segments", "model.skops", "long.wav", *options, "--format", "csv").stdout
    table = pd.read_csv(io.StringIO(out))
    assert list(table.columns) == ["start", "end", "label"]
    assert list(table.label) == list(found.label)
    with_probabilities = invoke("segments", "model.skops", "long.wav", *options, "--proba").stdout
    assert with_probabilities.split()[:6] == ["start", "end", "label", *KINDS]


def test_segments_compared_with_annotations(tmp_path):
    arguments = ["segments", "model.skops", "long.wav", "--window", "0.2", "--truth", "truth.csv"]
    assert invoke(*arguments).stdout.startswith("Accuracy ")
    result = invoke(*arguments, "--proba", "--format", "json", "-o", tmp_path / "found.CSV")
    assert 0 < json.loads(result.stdout)["accuracy"] <= 1
    assert len(read_segments(tmp_path / "found.CSV"))
    # The file that was written agrees completely with the same segments.
    arguments[-1] = tmp_path / "found.CSV"
    facts = json.loads(invoke(*arguments, "--format", "json").stdout)
    assert (facts["accuracy"], facts["macro_f1"]) == (1.0, 1.0)


def test_segments_above_thresholds_without_background(tmp_path):
    arguments = ["segments", "model.skops", "long.wav", "--window", "0.2", "--format", "json"]
    every = json.loads(invoke(*arguments, "--proba").stdout)
    certain = json.loads(invoke(*arguments, "--threshold", "1").stdout)
    assert len(certain) < len(every)
    tones = json.loads(invoke(*arguments, "--background", "white_noise").stdout)
    assert [row["label"] for row in tones] == [
        row["label"] for row in every if row["label"] != "white_noise"
    ]
    chosen = ["--threshold", "low_tone=1e-6", "--threshold", "high_tone=1", "--step", "0.1"]
    (row,) = json.loads(invoke(*arguments, *chosen).stdout)
    assert (row["label"], row["start"]) == ("low_tone", 0)


def test_the_name_of_the_file_chooses_the_table_of_raven(tmp_path):
    path = tmp_path / "a.selections.txt"
    arguments = ["segments", "model.skops", "long.wav", "--window", "0.2", "-o", path]
    invoke(*arguments)
    assert path.read_text().splitlines()[0].endswith("\tAnnotation")
    invoke(*arguments, "--proba", "--format", "RAVEN")
    assert path.read_text().splitlines()[0].endswith("\tAnnotation\tScore")


@pytest.mark.parametrize(("format_", "first"), [("raven", "Selection"), ("audacity", "0.000000")])
def test_segments_in_other_formats(tmp_path, format_, first):
    arguments = ["segments", "model.skops", "long.wav", "--window", "0.2", "-o", tmp_path / "a.csv"]
    invoke(*arguments)
    expected = read_segments(tmp_path / "a.csv")
    result = invoke(*arguments, "--format", format_)
    assert result.stdout == ""
    assert (tmp_path / "a.csv").read_text().startswith(first)
    found = read_segments(tmp_path / "a.csv")
    assert found.label.tolist() == expected.label.tolist()
    np.testing.assert_allclose(found.start, expected.start)


def test_segments_compared_with_rare_events(tmp_path):
    truth = tmp_path / "truth.txt"
    truth.write_text("0\t0.2\tlow_tone\n")
    arguments = ["segments", "model.skops", "long.wav", "--window", "0.1", "--truth", truth]
    assert " s: only the annotated 0.2 s of 1." in invoke(*arguments).stdout
    arguments += ["--background", "white_noise", "--threshold", "1"]
    assert "of which 0.2 s are annotated" in invoke(*arguments).stdout
    facts = json.loads(invoke(*arguments, "--format", "json").stdout)
    assert facts["events"]["low_tone"] == {
        **{"precision": None, "recall": 0.0, "f1": 0.0},
        **{"n_true": 1, "n_predicted": 0, "false_alarms_per_hour": 0.0},
        **{"overlap_precision": None, "overlap_recall": 0.0},
    }
    assert facts["collar"] == 0.2
    arguments += ["--collar", "0.7"]
    assert json.loads(invoke(*arguments, "--format", "json").stdout)["collar"] == 0.7
    assert facts["scored_seconds"] == facts["duration"] > 1


def test_a_collar_needs_annotations():
    for collar in (0, 1):
        assert "--collar needs --truth" in misuse(
            "segments", "model.skops", "long.wav", "--collar", collar
        )


@pytest.mark.filterwarnings("default")
def test_the_background_can_be_a_label_of_the_annotations(tmp_path):
    truth = tmp_path / "truth.txt"
    truth.write_text("0\t0.2\tlow_tone\n0.2\t0.6\tquiet\n0.6\t0.6\tmark\n")
    arguments = ["segments", "model.skops", "long.wav", "--window", "0.1", "--truth", truth]
    arguments += ["--format", "json", "--background"]
    result = invoke(*arguments, "quiet", "--background", "mark")
    facts = json.loads(result.stdout)
    assert result.stderr.count("Warning") == 1
    assert "Left out 1 segment" in result.stderr
    assert facts["scored_seconds"] == facts["duration"] > 1
    assert "quiet" in facts["confusion_matrix"]
    assert "quiet" not in facts["events"]


@pytest.mark.filterwarnings("default")
def test_annotations_without_a_duration_or_a_label_are_left_out(tmp_path):
    points = tmp_path / "points.txt"
    arguments = ["segments", "model.skops", "long.wav", "--window", "0.2", "--truth", points]
    points.write_text(Path("truth.csv").read_text() + "0.1,0.1,click\n")
    result = invoke(*arguments)
    assert "Warning: Left out 1 segment without a duration" in result.stderr
    arguments[-1] = "truth.csv"
    assert result.stdout == invoke(*arguments).stdout
    arguments[-1] = points
    points.write_text(Path("truth.csv").read_text() + "0.1,0.2,\n")
    assert "Warning: Left out 1 segment without a label" in invoke(*arguments).stderr


def test_segments_misused(embedder, tmp_path):
    def segments(*arguments, model="model.skops"):
        return misuse("segments", model, "long.wav", *arguments)

    assert "--window must be" in segments("--window", "-1")
    assert "'much' is not a number. See" in segments("--step", "much")
    assert "training.txt" in segments("--truth", "training.txt")
    (tmp_path / "empty.txt").write_text("\n")
    assert "empty.txt' contains no segments" in segments("--truth", tmp_path / "empty.txt")
    assert "ConvAutoencoderEmbedder" in segments(model=embedder)
    for format_ in ("csv", "raven", "audacity"):
        assert "table or json" in segments("--truth", "truth.csv", "--format", format_)
    assert "--format raven requires --output" in segments("--format", "raven")
    assert "'half' must have the form P or CLASS=P" in segments("--threshold", "half")
    assert "can only be repeated with classes" in segments(*["--threshold", "0.5"] * 2)
    assert "between 0 and 1" in segments("--threshold", "1.5")
    assert "['dog']" in segments("--threshold", "dog=0.5")
    assert "--background 'dog' is not a class" in segments("--background", "dog")
    assert "truth.csv" in misuse("segments", "model.skops", "truth.csv")


def test_embed(tmp_path):
    invoke("embed", "model.skops", "recordings", "-o", tmp_path / "x.npy")
    values = np.load(tmp_path / "x.npy")
    files = (tmp_path / "x.files.txt").read_text().splitlines()
    assert files == load_audio_folders("recordings").filenames
    assert values.shape == (36, 128)
    assert np.array_equal(values, load_model("model.skops").layer_outputs(files, 3))


def test_embed_as_csv(embedder, tmp_path):
    invoke("embed", embedder, "long.wav", "-o", tmp_path / "x.csv")
    table = pd.read_csv(tmp_path / "x.csv")
    expected = load_model(embedder).transform(["long.wav"])
    assert list(table.columns[:2]) == ["file", "embedding_0"]
    np.testing.assert_allclose(table.iloc[:, 1:], expected, rtol=1e-5)
    out = invoke("embed", embedder, "long.wav", "--layers-dropped", "5").stdout
    assert out.startswith("file,conv")


def test_a_combined_classifier_is_embedded_by_its_network(tmp_path):
    found = load_audio_folders("recordings")
    files, labels = found.filenames[::4], found.target[::4]
    network = skdaf.CNNAudioClassifier(channels=(4,), max_epochs=1, random_state=0)
    combined = skdaf.make_combined_classifier(network, weights=[3, 1]).fit(files, labels)
    skdaf.save_model(combined, tmp_path / "combined.skops")
    out = invoke("info", tmp_path / "combined.skops").stdout
    assert "cnn1: CNNAudioClassifier(" in out
    assert "handcrafted__logistic: LogisticRegression(C=3.0" in out
    assert "weights: 3, 1\n" in out
    invoke("embed", tmp_path / "combined.skops", *files[:2], "-o", tmp_path / "x.npy")
    fitted = combined.named_estimators_["cnn1"]
    expected = fitted.layer_outputs(files[:2], len(fitted.layer_names_) - 1)
    np.testing.assert_array_equal(np.load(tmp_path / "x.npy"), expected)


def test_embed_misused(tmp_path):
    x = tmp_path / "x.npy"
    assert "must end in .npy or .csv" in misuse("embed", "model.skops", "long.wav", "-o", "x.txt")
    for options, said in [
        (["--window", "1"], "--window requires --segments"),
        (["--segments", "-o", x], "With --segments, --output must end in .csv"),
        (["--segments", "--window", "-1"], "--window must be"),
    ]:
        assert said in misuse("embed", "model.skops", "long.wav", *options)
    assert "layers_dropped=9" in misuse(
        "embed", "model.skops", "long.wav", "--layers-dropped", "9", "-o", x
    )
    assert "save_model" in misuse("embed", "long.wav", "long.wav", "-o", x)
    assert not list(tmp_path.iterdir())


def test_report():
    out = invoke("report", "model.skops", "recordings").stdout
    assert re.search(r"macro avg .* 36\n", out)
    assert re.search(r"Confusion matrix.*\n +high_tone +low_tone +white_noise\n", out)


def test_report_as_json_on_some_of_the_classes(tmp_path):
    path = tmp_path / "report.json"
    folders = ["recordings/low_tone", "recordings/high_tone"]
    result = invoke("report", "model.skops", *folders, "-o", path)
    assert (result.stdout, result.stderr) == ("", f"Wrote {path}\n")
    facts = json.loads(path.read_text())
    assert sum(map(sum, facts["confusion_matrix"])) == 24
    assert facts["scores"]["low_tone"]["support"] == 12


def test_report_misused(embedder, tmp_path):
    # Similar names are not accepted.
    for name in ("low", "low_tones", "LOW_TONE"):
        shutil.copytree("recordings/low_tone", tmp_path / name)
    sentence = misuse("report", "model.skops", tmp_path)
    assert "['LOW_TONE', 'low', 'low_tones']" in sentence
    assert str(KINDS) in sentence
    assert "Instead of 'LOW_TONE', did you mean 'low_tone'?" in sentence
    assert "ConvAutoencoderEmbedder" in misuse("report", embedder, "recordings")
    assert "recordings/low_tone" in misuse("report", "model.skops", "recordings/low_tone")

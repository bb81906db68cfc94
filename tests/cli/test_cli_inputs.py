"""Models that take a table: recordings beside numbers, as with a ColumnTransformer."""

import json
from types import SimpleNamespace

import numpy as np
import pandas as pd
import pytest
from cli_commands import invoke, misuse, read_csv
from sklearn.compose import ColumnTransformer
from sklearn.linear_model import LogisticRegression
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import FunctionTransformer, OrdinalEncoder, StandardScaler

from skdaf import (
    BlockScaler,
    CappedPCA,
    CNNAudioClassifier,
    CNNFeatureExtractor,
    PyAudioAnalysisTransformer,
    load_model,
    predict_segments,
    predict_stream,
    save_model,
    transform_segments,
)
from skdaf._estimators.table_columns import find_table_columns
from skdaf.cli._inputs import find_inputs
from skdaf.cli._recordings import Recordings
from skdaf.datasets import make_audio_dataset


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    """A folder with recordings, tables of them, and models of such tables."""
    folder = tmp_path_factory.mktemp("inputs")
    made = make_audio_dataset(folder / "clips", n_clips_per_class=4, duration=(0.2, 0.3))
    labels = np.asarray(made.target_names)[made.target]
    table = pd.DataFrame({"path": made.filenames, "warmth": np.arange(len(labels)) % 5})
    table["site"] = np.where(table.warmth > 2, "12", "north")
    network = CNNAudioClassifier(max_epochs=1, channels=(2,), random_state=0)
    sound = ("sound", CNNFeatureExtractor(network), ["path"])
    others = [
        ("number", StandardScaler(), ["warmth"]),
        ("text", OrdinalEncoder(), ["site"]),
    ]
    several = ColumnTransformer([sound, *others])
    model = make_pipeline(several, LogisticRegression(max_iter=1000))
    # The labels are in the table, too, but no part of the model reads them.
    model.fit(table.assign(species=labels), labels)
    save_model(model, folder / "both.skops")
    only = make_pipeline(ColumnTransformer([sound]), LogisticRegression())
    save_model(only.fit(table, labels), folder / "only.skops")
    save_model(network.fit(table.path, labels), folder / "plain.skops")
    names = [name.removeprefix(f"{folder}/") for name in made.filenames]
    table.assign(path=names).to_csv(folder / "new.csv", index=False)
    table.assign(path=names, species=labels).to_csv(folder / "true.csv", index=False)
    table.to_pickle(folder / "table.pkl")
    return folder


@pytest.fixture
def inside(folder, monkeypatch):
    """Run the test in the folder."""
    monkeypatch.chdir(folder)


@pytest.fixture
def table(folder):
    """The table of the training, with whole paths."""
    return pd.read_pickle(folder / "table.pkl")


def test_predict_passes_the_columns_of_a_table(folder, table):
    model = load_model(folder / "both.skops")
    # Relative paths start from the folder of the table, which is not the current one.
    found = read_csv("predict", folder / "both.skops", folder / "new.csv", "--proba", *CSV)
    assert [*found.file] == [*table.path]
    assert [*found.label] == [*model.predict(table)]
    np.testing.assert_allclose(found[model.classes_], model.predict_proba(table), atol=1e-6)


CSV = ["--format", "csv"]


@pytest.mark.usefixtures("inside")
def test_columns_can_have_other_names_and_order(table, tmp_path):
    other = tmp_path / "other.tsv"
    renamed = table[["site", "warmth", "path"]].rename(columns={"path": "file"})
    renamed.to_csv(other, sep="\t", index=False)
    found = read_csv("predict", "both.skops", "--table", other, "--column", "path=file", *CSV)
    assert found.equals(read_csv("predict", "both.skops", "new.csv", *CSV).assign(file=table.path))


@pytest.mark.usefixtures("inside")
def test_missing_columns_are_named_with_the_file(table, tmp_path):
    other = tmp_path / "other.csv"
    table.rename(columns={"warmth": "Warmth"}).drop(columns="site").to_csv(other, index=False)
    error = misuse("predict", "both.skops", other)
    assert f"'{other}' has no column 'warmth' or 'site'." in error
    assert "expects a table with the columns 'path', 'warmth', 'site'" in error
    assert "Did you mean --column warmth=Warmth?" in error
    table.drop(columns="site").to_csv(other, index=False)
    assert "other names in the table: --column NAME=COLUMN." in misuse(
        "predict", "both.skops", other
    )


@pytest.mark.usefixtures("inside")
@pytest.mark.parametrize("command", ["predict", "report"])
@pytest.mark.parametrize(
    ("cells", "expected"),
    [
        (
            {"warmth": "hot"},
            "line 2: expected a number in the column 'warmth', got 'hot'. The same",
        ),
        ({"site": "12 "}, None),
        ({"site": "west"}, "line 2: got the unknown value 'west' in the column 'site'."),
        ({"warmth": None}, "there is no value in the column 'warmth' (lines 2, 3"),
    ],
)
def test_cells_that_a_model_cannot_use(table, tmp_path, command, cells, expected):
    other = tmp_path / "other.csv"
    table.assign(label="low_energy", **cells).to_csv(other, index=False)
    words = (command, "both.skops", *(["--table"] if command == "report" else []), other)
    if expected is None:
        invoke(*words)
    else:
        error = misuse(*words)
        assert f"Error: '{other}'" in error
        assert expected in error


@pytest.mark.usefixtures("inside")
def test_a_column_of_the_model_has_another_name_in_the_table(table, tmp_path):
    other = tmp_path / "other.csv"
    renamed = table.rename(columns={"warmth": "T", "site": "Place"}).assign(label="low_energy")
    renamed.to_csv(other, index=False)
    columns = ("--column", "warmth=T", "--column", "site=Place")
    expected = read_csv("predict", "both.skops", "new.csv", *CSV).label
    assert read_csv("predict", "both.skops", other, *columns, *CSV).label.equals(expected)
    assert len(read_csv("embed", "both.skops", other, *columns)) == len(table)
    assert "accuracy" in invoke("report", "both.skops", "--table", other, *columns).stdout
    renamed.assign(T=None).to_csv(other, index=False)
    assert "no value in the column 'T'" in misuse("predict", "both.skops", other, *columns)


@pytest.mark.usefixtures("inside")
@pytest.mark.parametrize(
    ("words", "expected"),
    [
        (("predict", "both.skops", "new.csv", "--column", "wrmth=x"), "--column warmth=x?"),
        (
            ("predict", "plain.skops", "new.csv", "--column", "warmth=x"),
            "one of path, start, end.",
        ),
        (
            ("predict", "plain.skops", "new.csv", "--column", "label=x"),
            "uses a column 'label'",
        ),
        (("report", "plain.skops", "--table", "true.csv", "--column", "warmth=x"), "nothing uses"),
        (("embed", "plain.skops", "new.csv", "--column", "pth=x"), "Did you mean --column path=x?"),
        (("predict", "both.skops", "new.csv", "--column", "warmth="), "the form NAME=COLUMN"),
        (("predict", "both.skops", "new.csv", "--column", "label="), "the form NAME=COLUMN"),
    ],
)
def test_a_name_that_nothing_uses_is_refused(words, expected):
    if words[0] == "report":
        words = (*words, "--column", "label=species")
    assert expected in misuse(*words)


@pytest.mark.usefixtures("inside")
def test_errors_of_other_transformers_say_where_the_value_is(folder, table, tmp_path):
    sound = ("sound", PyAudioAnalysisTransformer(), ["path"])
    passed = ColumnTransformer([sound], remainder="passthrough")
    model = make_pipeline(passed, LogisticRegression(max_iter=10_000))
    model.fit(table[["path", "warmth"]], table.site)
    save_model(model, tmp_path / "model.skops")
    table.assign(warmth=["1", "warm", *["3"] * (len(table) - 2)]).to_csv(tmp_path / "t.csv")
    error = misuse("predict", tmp_path / "model.skops", tmp_path / "t.csv")
    assert "t.csv': 'warm' in the column 'warmth' (line 3) cannot be used: could not" in error


@pytest.mark.usefixtures("inside")
@pytest.mark.parametrize("names", [("start", "end"), ("begin", "end")])
def test_parts_are_refused_by_models_of_whole_recordings(table, names, tmp_path):
    parts = tmp_path / "parts.csv"
    table.assign(**dict.fromkeys(names, 0.1)).to_csv(parts, index=False)
    columns = ["--column", f"start={names[0]}"] if names[0] == "begin" else []
    error = misuse("predict", "both.skops", parts, *columns)
    assert f"parts.csv' has the column '{names[0]}' and 'end', but the model" in error
    assert 'selects ["path", "start", "end"]' in error
    assert "For these, pass --column start= --column end=." in error


@pytest.mark.usefixtures("inside")
def test_empty_columns_mean_whole_recordings(table, tmp_path):
    expected = read_csv("predict", "both.skops", "new.csv", *CSV)
    parts = tmp_path / "parts.csv"
    table.assign(start=0.1, end=0.2).to_csv(parts, index=False)
    whole = ("--column", "start=", "--column", "end=")
    found = read_csv("predict", "both.skops", parts, *whole, *CSV)
    assert found.label.equals(expected.label)
    assert [*found] == ["file", "label"]
    assert "has the column 'end', but" in misuse("predict", "both.skops", parts, *whole[:2])


def test_times_for_a_model_of_parts(table, tmp_path):
    parts = tmp_path / "parts.csv"
    table.assign(start=0.1, end=0.2).to_csv(parts, index=False)
    model = SimpleNamespace(feature_names_in_=["end", "path", "start", "warmth"])

    def inputs(*names):
        given = Recordings((), parts, [(name, None) for name in names], None, None, None)
        return find_inputs("model.skops", model, given)

    whole = inputs("start", "end")
    assert [*whole.X] == model.feature_names_in_
    assert whole.X.start.eq(0).all()
    assert whole.X.end.isna().all()
    assert whole.times is None
    assert inputs("start").times.agg(["min", "max"]).to_numpy().tolist() == [[0, 0.2]] * 2
    table.to_csv(parts, index=False)
    with pytest.raises(ValueError, match=r"For whole recordings: --column end= --column start=\.$"):
        inputs()
    assert inputs("start", "end").X.equals(whole.X)


@pytest.mark.usefixtures("inside")
def test_recordings_without_a_table_are_refused():
    expected = "both.skops' expects a table with the columns 'path', 'warmth', 'site'"
    for command in (
        ("predict", "both.skops", "clips"),
        ("predict", "both.skops", "clips", "--segments"),
        ("report", "both.skops", "clips"),
        ("segments", "both.skops", "clips"),
        ("embed", "both.skops", "clips"),
    ):
        assert expected in misuse(*command)
    for function in (predict_segments, transform_segments):
        with pytest.raises(ValueError, match="expects a table with the columns 'path', 'warmth'"):
            function("both.skops", "clips/any.wav", window=0.1)


@pytest.mark.usefixtures("inside")
def test_a_model_of_one_column_of_recordings_needs_no_table():
    by_table = read_csv("predict", "only.skops", "new.csv", *CSV)
    assert by_table.label.equals(read_csv("predict", "only.skops", "clips", *CSV).label)


@pytest.mark.usefixtures("inside")
def test_tables_for_models_of_recordings(table, tmp_path):
    whole = read_csv("predict", "plain.skops", "clips", *CSV)
    assert read_csv("predict", "plain.skops", "new.csv", *CSV).label.equals(whole.label)
    parts = tmp_path / "parts.csv"
    table.assign(start=0.05, end=0.15).to_csv(parts, index=False)
    found = read_csv("predict", "plain.skops", parts, "--proba", *CSV)
    assert [*found.columns[:4]] == ["file", "start", "end", "label"]
    assert set(found.end) == {0.15}
    assert "nothing else" in misuse("predict", "plain.skops", "clips", "new.csv")
    assert "--segments takes" in misuse("predict", "plain.skops", "new.csv", "--segments")
    assert "--segments takes" in misuse("embed", "plain.skops", "new.csv", "--segments")


@pytest.mark.usefixtures("inside")
@pytest.mark.parametrize("command", [("embed",), ("predict", "--layers-dropped", "1")])
def test_features_of_the_recordings_of_a_table(command, table, tmp_path):
    name, *options = command
    whole = read_csv(name, "plain.skops", "clips", *options)
    found = read_csv(name, "plain.skops", "new.csv", *options)
    # The paths differ: those of a table start from its folder.
    assert found.drop(columns="file").equals(whole.drop(columns="file"))
    parts = tmp_path / "parts.csv"
    table.assign(start=0.05, end=0.15).to_csv(parts, index=False)
    found = read_csv(name, "plain.skops", "--table", parts, *options)
    assert [*found.columns[:3]] == ["file", "start", "end"]
    assert set(found.end) == {0.15}
    if name == "embed":
        error = misuse(name, "plain.skops", parts, "-o", tmp_path / "x.npy")
        assert "parts of recordings" in error


@pytest.mark.usefixtures("inside")
def test_embed_passes_the_columns_of_a_table(table):
    found = read_csv("embed", "both.skops", "new.csv")
    expected = load_model("both.skops")[:-1].transform(table)
    assert found.file.tolist() == [*pd.read_csv("new.csv").path]
    np.testing.assert_allclose(found.iloc[:, 1:], expected, atol=1e-5)
    assert "expects a table" in misuse("embed", "both.skops", "clips")
    # The layers of its network need the recordings only.
    assert len(read_csv("embed", "both.skops", "new.csv", "--layers-dropped", "1")) == len(table)


@pytest.mark.usefixtures("inside")
def test_report_and_info():
    options = ["--table", "true.csv", "--column", "label=species", "--format", "json"]
    scores = json.loads(invoke("report", "both.skops", *options).stdout)
    found = read_csv("predict", "both.skops", "new.csv", *CSV)
    accuracy = np.mean(found.label == pd.read_csv("true.csv").species)
    assert scores["scores"]["accuracy"] == pytest.approx(accuracy)
    facts = json.loads(invoke("info", "both.skops", "--json").stdout)
    assert facts["columns"] == ["path", "warmth", "site"]
    assert facts["columns of recordings"] == ["path"]
    assert "columns: path, warmth, site\n" in invoke("info", "both.skops").stdout


@pytest.mark.usefixtures("inside")
def test_unreadable_recordings_of_a_table_are_skipped(table, tmp_path):
    (tmp_path / "bad.wav").write_bytes(b"RIFF")
    rows = table.assign(path=[tmp_path / "bad.wav", *table.path[1:]])
    rows.to_csv(tmp_path / "rows.csv", index=False)
    result = invoke("predict", "both.skops", tmp_path / "rows.csv", "--skip-unreadable", status=1)
    assert "Skipped 1 unreadable recording" in result.stderr
    assert len(result.stdout.splitlines()) == len(table)


def test_columns_of_other_estimators(table):
    labels = np.arange(len(table)) % 2
    features = PyAudioAnalysisTransformer()
    by_place = ColumnTransformer([("a", features, [0]), ("b", StandardScaler(), slice(1, 2))])
    assert find_table_columns(by_place.fit(table, labels)) == (["path", "warmth"], ["path"])
    of_other_name = ColumnTransformer([("a", features, "file")], remainder="drop")
    of_other_name.fit(table.rename(columns={"path": "file"}))
    assert find_table_columns(of_other_name) == (["file"], ["file"])
    whole = make_pipeline(FunctionTransformer(), features).fit(table[["path"]])
    assert find_table_columns(whole) == (["path"], ["path"])
    assert find_table_columns(features.fit(table[["path"]])) is None


@pytest.mark.parametrize("scaler", [BlockScaler(), make_pipeline(CappedPCA(), BlockScaler())])
def test_numbers_are_no_recordings(table, scaler):
    parts = [("a", PyAudioAnalysisTransformer(), ["path"]), ("b", scaler, ["warmth"])]
    fitted = ColumnTransformer(parts).fit(table)
    assert find_table_columns(fitted) == (["path", "warmth"], ["path"])


def test_windows_are_in_no_table(table):
    columns = ColumnTransformer([("a", PyAudioAnalysisTransformer(), "path")])
    of_array = ColumnTransformer([("a", PyAudioAnalysisTransformer(), 0)])
    of_array.fit(table[["path"]].to_numpy())
    recording = table.path[0]
    model = make_pipeline(columns, LogisticRegression()).fit(table, np.arange(len(table)) % 2)
    calls = [
        lambda: predict_segments(model, recording, window=0.1),
        lambda: predict_stream(model, [np.zeros(8000)], 8000, window=0.1),
        lambda: transform_segments(model[:-1], recording, window=0.1),
        lambda: transform_segments(of_array, recording, window=0.1),
    ]
    for call in calls:
        with pytest.raises(ValueError, match="takes recordings from a column of a table"):
            call()

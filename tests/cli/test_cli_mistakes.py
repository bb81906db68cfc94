"""Arguments that are often mixed up, and values that are refused before any work is done."""

import copy
import shutil

import numpy as np
import pytest
from cli_commands import KINDS, invoke, misuse
from helpers import touch
from sklearn.ensemble import VotingClassifier
from sklearn.preprocessing import LabelEncoder, StandardScaler
from sklearn.utils import Bunch

from skdaf import datasets, load_model, save_model
from skdaf.cli import _recordings, _tables

pytestmark = pytest.mark.usefixtures("inside_workspace")


@pytest.mark.parametrize(
    "words",
    [
        ("predict", "long.wav", "model.skops"),
        ("predict", "--proba", "recordings", "model.skops"),
        ("predict", "truth.csv", "model.skops"),
        ("segments", "long.wav", "model.skops"),
        ("report", "recordings", "model.skops"),
        ("embed", "recordings", "model.skops"),
        ("similar", "index", "long.wav", "model.skops", "-o", "new.skops"),
    ],
)
def test_a_model_after_the_recordings(words):
    command = [word for word in words if word.isalpha() and word != "recordings"]
    first = words[words.index("model.skops") - 1]
    expected = f"The model comes first: skdaf {' '.join(command)} model.skops {first}."
    assert expected in " ".join(misuse(*words).replace("main ", "skdaf ").split())


def test_outputs_are_not_taken_for_models_after_recordings():
    error = misuse("transfer", "recordings", "recordings", "-o", "model.skops")
    assert "'recordings' is a folder; expected a model file. To train" in error
    assert "comes first" not in misuse("predict", "long.wav", "-o", "model.skops", "recordings")


def test_tables_in_place_of_folders(tmp_path):
    out = ("-o", tmp_path / "x.skops")
    for command in (
        ("train", "truth.csv", *out),
        ("report", "model.skops", "truth.csv"),
        ("combine", "model.skops", "--data", "truth.csv", *out),
    ):
        assert "'truth.csv' is a table: pass it as --table truth.csv." in misuse(*command)


@pytest.mark.filterwarnings("default")
def test_a_folder_with_a_table_beside_it(tmp_path):
    touch(tmp_path / "data/audio/one.wav", tmp_path / "data/audio/two.wav")
    table = tmp_path / "data/clips.csv"
    table.write_text("path,label\naudio/one.wav,a\naudio/two.wav,b\n")
    out = ("-o", tmp_path / "x.skops")
    text = invoke("train", tmp_path / "data", *out, status=2).stderr
    assert f"of one class, 'audio'. The table '{table}' names the recordings" in text
    assert f"--table {table} of the command" in text
    assert f"--table {table} of the command" in misuse("train", tmp_path / "data/audio", *out)


@pytest.mark.filterwarnings("default")
def test_a_report_on_folders_that_are_no_classes(tmp_path):
    rows = [f"{number},take_{number}.wav\n" for number in range(2)]
    for number in range(2):
        # A single class is not reported, whatever is in its folder or beside it.
        folder = tmp_path / "new/low_tone" / f"s{number}"
        folder.mkdir(parents=True)
        source = f"recordings/low_tone/low_tone_{number:03d}.wav"
        shutil.copy(source, folder / f"take_{number}.wav")
    (tmp_path / "notes.csv").write_text("".join(["number,path\n", *rows]))
    assert invoke("report", "model.skops", tmp_path / "new").stderr == ""
    for part in ("test", "train"):
        shutil.copytree("recordings/low_tone", tmp_path / "data" / part / "low_tone")
        shutil.copytree("recordings/low_tone", tmp_path / "data" / part / "high_tone")
    error = misuse("report", "model.skops", tmp_path / "data")
    assert "no classes for the labels ['test', 'train']" in error
    assert f"'{tmp_path / 'data/test'}' to score the model." in error


def test_columns_without_a_usual_separator(tmp_path):
    table = tmp_path / "clips.csv"
    for header in ("path|label", "path label"):
        table.write_text(f"{header}\nx.wav|a\n")
        error = misuse("train", "--table", table, "-o", tmp_path / "x.skops")
        assert error.endswith("Separate them by commas, semicolons or tabs.\n")


@pytest.mark.parametrize(
    ("name", "remedy"),
    [
        ("clips.xlsx", "save it as CSV in UTF-8, and pass that."),
        ("clips.TXT", "pass it as --table "),
    ],
)
def test_tables_with_other_names(name, remedy, tmp_path):
    path = tmp_path / name
    path.write_bytes(b"path,label\n")
    for command in (("train", "-o", tmp_path / "x.skops"), ("predict", "model.skops"), ("check",)):
        error = misuse(*command, path)
        assert f"'{path}' is no recording. If it is a table, {remedy}" in error
    # Among others, as from a shell's wildcard, it is listed as any other file.
    assert "2 files: 1 unreadable" in invoke("check", path, "long.wav", status=1).stderr


def test_a_folder_in_place_of_a_table(tmp_path):
    error = misuse("train", "--table", "recordings", "-o", tmp_path / "x.skops")
    assert "'recordings' is a folder; expected a CSV or TSV file. Pass folders without" in error


def test_annotations_without_segments(tmp_path):
    (tmp_path / "empty.txt").touch()
    options = ("--annotations", tmp_path / "empty.txt", "-o", tmp_path / "x.skops")
    error = misuse("train", "long.wav", *options)
    assert f"--annotations '{tmp_path / 'empty.txt'}': no segments to train on." in error


@pytest.mark.parametrize(
    ("words", "expected"),
    [
        (("predict", "--channel", "1"), "that it was trained with (skdaf train --channel N)"),
        (("segments", "--channel", "1"), "the mean of all channels. See"),
        (("similar", "index", "--channel", "1"), "skdaf train --channel N"),
        (("train", "--target", "x"), "Columns of a table need --column, such as --column target="),
        (("train", "--labels", "x"), "such as --column label=NAME. See"),
        (
            ("predict", "--class-weight", "x"),
            'an option of "skdaf train" and "skdaf transfer". See',
        ),
        (("predict", "--group-column", "x"), '"skdaf combine" and "skdaf report". See'),
        (("embed", "--label-separator", ";"), '"skdaf report" and "skdaf check". See'),
        (("similar", "index", "--include-self"), 'an option of "skdaf similar query". See'),
        (("predict", "--prob"), "No such option: --prob. Did you mean --proba?"),
        (("predict", "--foo"), "No such option: --foo. See"),
    ],
)
def test_options_that_a_command_does_not_have(words, expected):
    assert expected in misuse(*words)


TRUTH = ("--truth", "truth.csv")


@pytest.mark.parametrize(
    ("words", "expected"),
    [
        (TRUTH, "only written to a file: omit --proba, or add -o FILE.csv."),
        ((*TRUTH, "-o", "x.txt"), "omit --proba, or name the output *.csv or *.json."),
        (("-o", "x.txt"), "Audacity contain no probabilities: omit --proba, or add --format csv,"),
        (("-o", "found/"), "omit --proba, or add --format csv, json or raven."),
        (("-o", "x.csv", "--format", "audacity"), "omit --proba, or add --format csv,"),
    ],
)
def test_probabilities_that_would_not_be_written(words, expected):
    assert expected in misuse("segments", "model.skops", "long.wav", "--proba", *words)


@pytest.mark.parametrize(
    "words",
    [
        (),
        ("-o", "x.csv"),
        ("-o", "x.json"),
        ("-o", "x.selections.txt"),
        ("-o", "found/", "--format", "raven"),
        (*TRUTH, "--format", "json", "-o", "x.csv"),
    ],
)
def test_probabilities_that_are_written(words, tmp_path):
    words = [tmp_path / word if word.startswith(("x.", "found")) else word for word in words]
    if "found" in str(words):
        words[words.index(tmp_path / "found")] = f"{tmp_path / 'found'}/"
    window = ("--window", "0.25", "--quiet")
    invoke("segments", "model.skops", "long.wav", *window, "--proba", *words)


def test_files_of_the_wrong_kind(embedder, tmp_path):
    out = ("-o", tmp_path / "x.skops")
    combine = misuse("combine", "model.skops", "recordings", *out)
    assert "'recordings' is a folder that has no file config.json" in combine
    assert "Pass recordings with --data." in combine
    convert = misuse("convert", "model.skops", tmp_path / "new.skops")
    assert "'model.skops' is a model of skdaf already" in convert
    assert "must be the name of an ONNX file" in misuse("export", embedder, tmp_path / "x.skops")
    save_model(StandardScaler().fit([[0.0], [1.0]]), tmp_path / "scaler.skops")
    for command in (
        ("transfer", tmp_path / "scaler.skops", "recordings", *out),
        ("predict", tmp_path / "scaler.skops", "long.wav", "--layers-dropped", "1"),
    ):
        assert "scaler.skops': estimator must contain one fitted network" in misuse(*command)


def test_models_that_combine_several_networks(tmp_path):
    model, out = tmp_path / "vote.skops", ("-o", tmp_path / "x.skops")
    network, kinds = load_model("model.skops"), np.array(KINDS)
    vote = VotingClassifier([("a", network), ("b", network)])
    vote.estimators_ = [network, copy.deepcopy(network)]
    vote.le_, vote.classes_ = LabelEncoder().fit(kinds), kinds
    vote.named_estimators_ = Bunch(a=vote.estimators_[0], b=vote.estimators_[1])
    save_model(vote, model)
    for command in (
        ("embed", model, "long.wav"),
        ("embed", model, "long.wav", "--layers-dropped", "1"),
        ("predict", model, "long.wav", "--layers-dropped", "1"),
        ("transfer", model, "recordings", *out),
        ("similar", "index", model, "recordings", *out),
    ):
        message = misuse(*command)
        assert "vote.skops' combines 2 networks, but this command uses one: pass the" in message
        assert 'estimator.named_estimators_["b"]' in message


def test_misspelt_files_and_options(tmp_path):
    assert "'mode1.skops' does not exist. Did you mean 'model.skops'?" in misuse(
        "predict", "mode1.skops", "long.wav"
    )
    assert "Did you mean 'recordings/low_tone'?" in misuse("check", "recordings/low_tome")
    assert "Parameters of the model need --set" in misuse(
        "train", "recordings", "-o", tmp_path / "x.skops", "--epochs", "5"
    )


@pytest.mark.parametrize("name", ["x.parquet", "x.XLSX", "x.npy"])
def test_tables_are_not_written_as_other_files(name, tmp_path):
    for words in (("predict", "model.skops", "long.wav"), ("check", "recordings")):
        error = misuse(*words, "-o", tmp_path / name)
        assert f"{name[1:].lower()} files cannot be written. Use *.csv, *.json" in error
    if name != "x.npy":
        error = misuse("embed", "model.skops", "long.wav", "-o", tmp_path / name)
        assert "must end in .npy or .csv. For other formats" in error
    assert not list(tmp_path.iterdir())


@pytest.mark.parametrize(
    ("words", "name", "formats"),
    [
        ("report model.skops recordings", "x.tsv", "*.csv, *.json, or a text report by any other"),
        ("report model.skops recordings", "x.npy", "*.csv, *.json, or a text report by any other"),
        ("predict model.skops recordings", "x.TSV", "*.csv, *.json, or a text table by any other"),
    ],
)
def test_text_is_not_written_under_the_name_of_a_table(words, name, formats, tmp_path):
    error = misuse(*words.split(), "-o", tmp_path / name)
    assert f"{name[1:].lower()} files cannot be written. Use {formats}" in error


@pytest.fixture
def nothing_is_read(monkeypatch):
    """Let commands fail if they search for recordings or read tables."""

    def fail(*args, **options):
        raise AssertionError("a file was read")

    monkeypatch.setattr(datasets, "load_audio_folders", fail)
    for module in (_tables, _recordings):
        monkeypatch.setattr(module, "audio_files", fail)
    monkeypatch.setattr(_recordings.Recordings, "_load", fail)


@pytest.mark.usefixtures("nothing_is_read")
@pytest.mark.parametrize(
    ("words", "expected"),
    [
        (("--set", "max_epochs=five"), "The 'max_epochs' parameter of CNNAudioClassifier must be"),
        (("--set", "frontend__n_mels=0"), "The 'n_mels' parameter of SpectrogramTransformer must"),
        (("--set", "channels=(8,0)"), "channels must contain integers greater than 0"),
        (("--set", "n_networks=2", "--set", "network=daf"), "n_networks=2 needs network='cnn'"),
        (("--set", "max_epoch=5"), "has no parameter 'max_epoch': did you mean max_epochs"),
        (("--task", "regression", "--set", "loss=x"), "The 'loss' parameter of CNNAudioRegressor"),
        (("--task", "representation", "--set", "batch_size=0"), "The 'batch_size' parameter of"),
        (("--seed", "-1"), "'--seed': -1 is not in the range"),
        (("--n-jobs", "0"), "'--n-jobs': 0 is not allowed"),
    ],
)
def test_settings_are_checked_before_files_are_read(words, expected, tmp_path):
    assert expected in misuse("train", "recordings", "-o", tmp_path / "x.skops", *words)


@pytest.mark.usefixtures("nothing_is_read")
def test_settings_of_other_commands(tmp_path):
    out = ("-o", tmp_path / "x.skops")
    combine = ("combine", "model.skops", "--data", "recordings", *out, "--set")
    assert "The 'C' parameter of SVC must be" in misuse(*combine, "svc__C=-1", "--method", "svc")
    assert "The 'C' parameter of LogisticR" in misuse(*combine, "handcrafted__logistic__C=-1")
    train = ("train", "recordings", "--handcrafted", *out, "--set")
    assert "The 'C' parameter of LogisticR" in misuse(*train, "handcrafted__logistic__C=-1")
    transfer = ("transfer", "model.skops", "recordings", *out, "--frozen-layers", "all")
    assert "--frozen-layers must be" in misuse(*transfer)

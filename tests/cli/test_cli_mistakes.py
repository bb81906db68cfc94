"""Arguments that are often mixed up, and values that are refused before any work is done."""

import pytest
from cli_commands import misuse

from skdaf import datasets
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


@pytest.mark.parametrize("name", ["x.parquet", "x.XLSX", "x.npy"])
def test_tables_are_not_written_as_other_files(name, tmp_path):
    for words in (("predict", "model.skops", "long.wav"), ("check", "recordings")):
        error = misuse(*words, "-o", tmp_path / name)
        assert "Write *.csv, and convert it with pandas." in error
    if name != "x.npy":
        error = misuse("embed", "model.skops", "long.wav", "-o", tmp_path / name)
        assert "must end in .npy or .csv. For other formats" in error
    assert not list(tmp_path.iterdir())


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
    combine = ("combine", "model.skops", "--data", "recordings", *out, "--set", "svc__C=-1")
    assert "The 'C' parameter of SVC must be" in misuse(*combine)
    transfer = ("transfer", "model.skops", "recordings", *out, "--frozen-layers", "all")
    assert "The 'frozen_layers' parameter of CNNAudioClassifier must be" in misuse(*transfer)

"""`skdaf combine --config`: configuration files of deep_audio_features."""

import json
import re
import shutil
import sys

import numpy as np
import pytest
from cli_commands import KINDS, SMALL, invoke, misuse, old_model
from config_files import ABSENT, EXAMPLE, write_config
from model_server import serving
from sklearn.frozen import FrozenEstimator

from skdaf import (
    CNNFeatureExtractor,
    PyAudioAnalysisTransformer,
    load_deep_audio_features,
    load_model,
    make_combined_classifier,
)
from skdaf._core.download import address
from skdaf.datasets import load_audio_folders

# All kernels have the same C; gamma makes the search five times longer.
LINEAR = {"which_classifier__parameters__kernel": "linear"}


@pytest.fixture(scope="module")
def models(workspace, tmp_path_factory):
    """A folder with a model of this package and one of deep_audio_features."""
    folder = tmp_path_factory.mktemp("models")
    out = folder / "one.skops"
    invoke("train", workspace / "recordings", "-o", out, *SMALL, "--quiet")
    found = load_audio_folders(workspace / "recordings")
    old_model(folder / "old.pt", found.filenames, np.asarray(found.target_names)[found.target])
    return folder


@pytest.fixture
def config(models, monkeypatch, tmp_path):
    """A function that writes a configuration file; the current folder is that of the models."""
    monkeypatch.chdir(models)
    path = tmp_path / "config.yaml"
    return lambda **changes: write_config(path, **LINEAR, **changes)


@pytest.fixture
def out(tmp_path):
    return tmp_path / "combined.skops"


def test_from_the_file_of_deep_audio_features_to_predictions(
    models, workspace, monkeypatch, tmp_path, out
):
    monkeypatch.chdir(models)
    (tmp_path / "config.yaml").write_text(EXAMPLE)
    recordings = workspace / "recordings"
    command = "combine", "--config", tmp_path / "config.yaml", "--data", recordings, "-o", out
    result = invoke(*command)
    assert result.stdout == ""
    text = (
        r"Training on 36 clips of 3 classes \(.*\)\nChose C=(\S+), gamma=(\S+) of 35 candidates: "
    )
    text += r"f1_macro ([01]\.\d{3}) in cross-validation \(standard deviation [01]\.\d{3}\)\n"
    found = re.fullmatch(text + re.escape(f"Wrote {out}\n"), result.stderr)
    assert found, result.stderr
    assert float(found[3]) > 0.8
    table = json.loads(invoke("predict", out, recordings, "--format", "json").stdout)
    assert {row["label"] for row in table} == {*KINDS}

    # The same pipeline in Python.
    networks = load_model("one.skops"), load_deep_audio_features("old.pt")
    extractors = [
        CNNFeatureExtractor(
            FrozenEstimator(network), layers_dropped=dropped, window=window, step=5 * hop
        )
        for network, dropped, window, hop in [
            (networks[0], 2, networks[0].frontend_.n_frames_ * 0.01, 0.01),
            (networks[1], 3, 128 * 0.02, 0.02),
        ]
    ]
    handcrafted = PyAudioAnalysisTransformer(short_step=0.01)
    gamma = found[2] if found[2] == "auto" else float(found[2])
    pipeline = make_combined_classifier(
        extractors, handcrafted=handcrafted, method="svc", C=float(found[1]), gamma=gamma
    )
    sounds = load_audio_folders(recordings)
    labels = np.asarray(sounds.target_names)[sounds.target]
    pipeline.fit(sounds.filenames, labels)
    loaded = load_model(out)
    decisions = pipeline.decision_function(sounds.filenames)
    np.testing.assert_allclose(
        loaded.decision_function(sounds.filenames), decisions, rtol=1e-6, atol=1e-6
    )
    assert [row["label"] for row in table] == pipeline.predict(sounds.filenames).tolist()
    # Parameters of this run are not saved.
    assert loaded.get_params()["memory"] is None


def test_the_same_seed_gives_the_same_model(config, workspace, tmp_path):
    path = config(extract_basic_features=False, model_paths=["one.skops"], google_drive_ids=ABSENT)
    shutil.copy(workspace / "long.wav", "one.wav")
    texts = []
    for name, seed in [("a", 1), ("b", 1)]:
        command = "combine", "--config", path, "--data", workspace / "recordings"
        texts.append(invoke(*command, "-o", tmp_path / name, "--seed", seed).stderr)
    assert texts[0].replace("/a\n", "/b\n") == texts[1]
    one, same = (load_model(tmp_path / name).decision_function(["one.wav"]) for name in "ab")
    assert np.array_equal(one, same)


def test_a_test_set_probabilities_and_layers(config, workspace, out):
    path = config(extract_basic_features=False, model_paths=["one.skops"], google_drive_ids=ABSENT)
    result = invoke(
        *("combine", "--config", path, "--data", workspace / "recordings", "-o", out, "--proba"),
        *("--layers-dropped", "1", "--test-fraction", "0.25", "--n-jobs", "1"),
    )
    assert result.stderr.startswith(
        "Training on 27 clips of 3 classes (high_tone 9, low_tone 9, white_noise 9)\nChose C="
    )
    assert "of 7 candidates" in result.stderr
    assert re.search(r"accuracy +\S+ +9\n", result.stdout)
    model = load_model(out)
    assert model.predict_proba([workspace / "long.wav"]).sum() == pytest.approx(1)
    assert "features__cnn1__extractor__layers_dropped" in model.estimator.get_params()
    assert model.estimator.get_params()["features__cnn1__extractor__layers_dropped"] == 1


def test_a_table_of_recordings(config, workspace, out, tmp_path):
    found = load_audio_folders(workspace / "recordings")
    labels = np.asarray(found.target_names)[found.target]
    rows = "".join(f"{file},{label}\n" for file, label in zip(found.filenames, labels, strict=True))
    (tmp_path / "clips.csv").write_text(f"path,label\n{rows}")
    path = config(extract_nn_features=False)
    invoke("combine", "--config", path, "--table", tmp_path / "clips.csv", "-o", out, "-q")
    assert load_model(out).classes_.tolist() == KINDS


@pytest.mark.filterwarnings("default:The file at .* has the SHA-256")
def test_models_are_downloaded(config, models, workspace, out, tmp_path, monkeypatch):
    monkeypatch.setenv("SKDAF_MODELS", str(tmp_path / "cache"))
    monkeypatch.delenv("http_proxy", raising=False)
    with serving() as server:
        server.content = (models / "one.skops").read_bytes()
        monkeypatch.setattr(address, "_DRIVE_URL", f"{server.address}/uc")
        path = config(
            model_paths=["pretrained/ONE"],
            google_drive_ids=["large-".ljust(33, "x")],
            extract_basic_features=False,
        )
        command = "combine", "--config", path, "--data", workspace / "recordings", "-o", out, "-q"
        result = invoke(*command)
        assert re.fullmatch(r"Warning: The file at .* has the SHA-256 hash .*\n", result.stderr)
        assert load_model(out).classes_.tolist() == KINDS
        server.content = b"not a model"
        written = out.read_bytes()
        missing = config(model_paths=["a"], google_drive_ids=["gone-".ljust(33, "x")])
        assert "404" in misuse("combine", "--config", missing, *command[3:])
        assert out.read_bytes() == written


def test_misused(config, workspace, models, out, tmp_path, monkeypatch):
    def combine(*arguments):
        data = "--data", workspace / "recordings"
        return misuse("combine", *data, "-q", "-o", out, *arguments)

    path = config()
    assert "Pass models or --config." in combine()
    assert "not both (got 'one.skops' too)" in combine("one.skops", "--config", path)
    for option in (["--set", "svc__C=1"], ["--no-handcrafted"], ["--trust"]):
        assert "cannot be used with --config" in combine("--config", path, *option)
    assert "'nowhere.yaml' does not exist" in combine("--config", "nowhere.yaml")
    assert "config.yaml': unknown key 'C'" in combine("--config", config(C=1))
    assert "/missing.pt' is not there" in combine(
        "--config", config(model_paths=["missing.pt"], download_models=False)
    )
    assert "cannot be loaded as a model" in combine(
        "--config", config(model_paths=[path], google_drive_ids=ABSENT)
    )
    metric = {"which_classifier__parameters__metric": "roc_auc"}
    error = combine("--config", config(**metric))
    assert "config.yaml': which_classifier.parameters.metric 'roc_auc' cannot score" in error
    listed = misuse(
        *("combine", "--config", config(), "--data", workspace / "recordings"),
        *("-o", models / "old.pt"),
    )
    assert "old.pt' is the same file as 'old.pt', listed in" in listed
    table = shutil.copy(models / "old.pt", models / "old.csv")
    for option in ("--predictions", "--scores"):
        listed = misuse(
            *("combine", "--config", config(model_paths=[str(table)], google_drive_ids=ABSENT)),
            *("--data", workspace / "recordings", "-o", out, "--cv", "2"),
            *(option, table),
        )
        assert f"{option} " in listed
        assert "listed in" in listed
    assert "an input of this command" in misuse(
        *("combine", "--config", path, "--data", workspace / "recordings", "-o", path)
    )
    monkeypatch.setitem(sys.modules, "yaml", None)
    assert "pip install pyyaml, or" in combine("--config", path)
    assert not out.exists()

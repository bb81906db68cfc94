"""Layers of all kinds in ONNX, and networks of users through torch's exporter."""

import sys

import numpy as np
import pytest
from exporting import exported, fitted_on_noise, run, session_of
from helpers import import_or_skip, noise, small_embedder
from own_networks import Flattened
from sklearn.frozen import FrozenEstimator
from torch import nn

from skdaf import CNNAudioClassifier, CNNFeatureExtractor
from skdaf._estimators.export import layers
from skdaf._estimators.export.graph import OnnxGraph
from skdaf._estimators.export.layers import add_network
from skdaf._networks.building import build_network
from skdaf._networks.inference import apply_network

LABELS = np.arange(8) % 3
SHAPE = 21, 18


def network_session(network):
    import_or_skip("onnx")
    graph = OnnxGraph()
    channel = graph.op("Unsqueeze", "spectrograms", np.array([1]))
    graph.rename(add_network(graph, network.eval(), channel, SHAPE), "outputs")
    shapes = {"spectrograms": ["n", *SHAPE]}, {"outputs": ["n", "n_outputs"]}
    model = graph.to_model(*shapes, description="", metadata={}, producer_version="")
    return session_of(model.SerializeToString())


def check_same(network, n_clips=3):
    """Check that a network has the same outputs in ONNX."""
    rng = np.random.default_rng(0)
    for name, tensor in network.state_dict().items():
        if tensor.is_floating_point():
            low = 0.5 if name.endswith("var") else -0.5
            tensor.copy_(nn.init.uniform_(tensor.clone(), low, 1.0))
    x = rng.standard_normal((n_clips, *SHAPE)).astype(np.float32)
    expected = apply_network(network, x, "cpu")
    (found,) = network_session(network).run(None, {"spectrograms": x})
    np.testing.assert_allclose(found, expected, rtol=1e-4, atol=1e-4 * np.abs(expected).max())


@pytest.mark.parametrize(
    ("name", "n_outputs", "options"),
    [
        ("cnn", 3, {}),
        ("cnn", 3, {"n_networks": 2, "channels": (3, 4)}),
        ("daf", 2, {"channels": (2, 3)}),
        ("legacy daf", 2, {"channels": (2, 3), "hidden_units": (5,)}),
        ("on encoder", 3, {"n_maps": 4, "channels": (2, 3)}),
        ("on encoder", 3, {"n_maps": 4, "encoder": "legacy autoencoder", "channels": (2, 3)}),
    ],
    ids=str,
)
def test_networks_of_the_library(name, n_outputs, options):
    check_same(build_network(name, SHAPE, n_outputs, options))


@pytest.mark.parametrize("name", ["autoencoder", "legacy autoencoder"])
def test_encoders(name):
    network = build_network(name, SHAPE, 4, {"channels": (2, 3)})
    check_same(network[: [*dict(network.named_children())].index("embedding") + 1])


def test_layers_with_other_settings():
    modules = [
        nn.Conv2d(1, 4, (3, 2), stride=(1, 2), padding=(2, 1), dilation=(2, 1), bias=False),
        nn.BatchNorm2d(4, eps=0.1),
        nn.LeakyReLU(0.3),
        nn.MaxPool2d((3, 2), stride=2, padding=1),
        nn.Sequential(nn.Conv2d(4, 6, 3, groups=2), nn.Identity(), nn.Flatten()),
        nn.LazyLinear(5, bias=False),
        nn.BatchNorm1d(5),
        nn.ReLU(),
    ]
    network = nn.Sequential(*modules).eval()
    apply_network(network, np.zeros((1, *SHAPE)), "cpu")  # gives the lazy layer its weights
    check_same(network)


# --- with torch's exporter ---------------------------------------------------------------------


class DependsOnValues(nn.Module):
    def __init__(self, n_outputs):
        super().__init__()
        self.linear = nn.Linear(1, n_outputs)

    def forward(self, x):
        mean = x.mean((1, 2, 3))[:, None]
        return self.linear(mean if float(x.max()) > 0 else -mean)


class Doubled:
    """Ways to change what a layer computes without changing its type."""

    @staticmethod
    def hook(layer):
        layer.register_forward_hook(lambda module, inputs, outputs: 2 * outputs)

    @staticmethod
    def pre_hook(layer):
        layer.register_forward_pre_hook(lambda module, inputs: (2 * inputs[0],))

    @staticmethod
    def method(layer):
        original = layer.forward
        layer.forward = lambda x: 2 * original(x)


@pytest.mark.parametrize("change", ["hook", "pre_hook", "method"])
@pytest.mark.parametrize("place", ["layer", "sequence"])
def test_layers_that_users_have_changed_need_the_exporter(change, place, monkeypatch):
    def add_with_torch(graph, network, x, input_shape):
        raise InterruptedError

    monkeypatch.setattr(layers, "add_with_torch", add_with_torch)
    network = nn.Sequential(nn.Conv2d(1, 2, 3), nn.ReLU())
    network_session(network)
    getattr(Doubled, change)(network if place == "sequence" else network[0])
    with pytest.raises(InterruptedError):
        network_session(network)


class MinusMeanOfBatch(nn.Module):
    def forward(self, x):
        return (x - x.mean(0)).flatten(1)


def test_networks_whose_results_depend_on_other_clips():
    import_or_skip("onnxscript")
    with pytest.raises(ValueError, match="results for a clip depend on the other clips"):
        network_session(nn.Sequential(MinusMeanOfBatch()))


@pytest.mark.slow
def test_networks_of_users(tmp_path, capfd):
    import_or_skip("onnxscript")
    network = CNNAudioClassifier(network=Flattened, max_epochs=1, random_state=0)
    classifier = fitted_on_noise({"n_mels": 16}, network, LABELS)
    clips = [noise(seed, 3000) for seed in range(3)]
    session = exported(classifier, tmp_path)
    (found,) = session.run(None, {"waveform": np.stack(clips)})
    np.testing.assert_allclose(found, classifier.predict_proba(clips), rtol=0, atol=1e-4)
    np.testing.assert_allclose(run(session, clips), found, rtol=0, atol=1e-5)
    assert capfd.readouterr() == ("", "")
    # The exporter describes where the code of the user is on this computer.
    assert b"own_networks" not in (tmp_path / "model.onnx").read_bytes()


def test_code_that_torch_cannot_export(tmp_path):
    import_or_skip("onnxscript")
    network = CNNAudioClassifier(network=DependsOnValues, max_epochs=1, random_state=0)
    classifier = fitted_on_noise({"n_mels": 16}, network, LABELS)
    with pytest.raises(ValueError, match=r"torch\.onnx\.export fails for it"):
        exported(classifier, tmp_path)
    assert list(tmp_path.iterdir()) == []


def test_without_onnxscript(tmp_path, monkeypatch):
    monkeypatch.setitem(sys.modules, "onnxscript", None)
    embedder = fitted_on_noise({"n_mels": 16}, small_embedder(max_epochs=1), None)
    decoder = CNNFeatureExtractor(FrozenEstimator(embedder)).fit([noise()])
    with pytest.raises(ImportError, match=r"onnxscript .*pip install onnx onnxscript, or"):
        exported(decoder, tmp_path)

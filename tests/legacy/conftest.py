"""Fixtures of the tests of models of deep_audio_features."""

import sys
import types

import pytest
from legacy_models import ConvAutoEncoder, ConvDecoder, ConvEncoder, dumps

from skdaf import load_deep_audio_features


@pytest.fixture(autouse=True)
def package(monkeypatch):
    """Let pickles contain the class names of the original package."""
    module = types.ModuleType("deep_audio_features.models.convAE")
    for kind in (ConvAutoEncoder, ConvEncoder, ConvDecoder):
        monkeypatch.setattr(kind, "__module__", module.__name__)
        setattr(module, kind.__name__, kind)
    with monkeypatch.context() as patch:
        patch.setitem(sys.modules, "deep_audio_features", types.ModuleType("deep_audio_features"))
        patch.setitem(sys.modules, "deep_audio_features.models", types.ModuleType("models"))
        patch.setitem(sys.modules, module.__name__, module)
        yield


@pytest.fixture
def load(tmp_path):
    """A function that writes bytes or a model to a file and loads it."""

    def load(content, **options):
        path = tmp_path / "old.pt"
        path.write_bytes(content if isinstance(content, bytes) else dumps(content))
        return load_deep_audio_features(path, **options)

    return load

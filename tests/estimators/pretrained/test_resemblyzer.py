import sys
import types
import warnings
from importlib.util import find_spec

import numpy as np
import pytest
import torch
from helpers import import_or_skip, noise

from skdaf._estimators.pretrained import resemblyzer
from skdaf._estimators.pretrained.resemblyzer import load_resemblyzer
from skdaf._networks.device import single_torch_thread

pytestmark = pytest.mark.skipif(find_spec("resemblyzer") is None, reason="needs resemblyzer")


@pytest.fixture(scope="module")
def backbone():
    return load_resemblyzer()


@pytest.fixture(scope="module")
def encoder(librosa):
    """The network of the package itself, which imports a library that it does not need here."""
    with pytest.MonkeyPatch.context() as patch, warnings.catch_warnings():
        warnings.simplefilter("ignore")
        patch.setitem(sys.modules, "webrtcvad", types.ModuleType("webrtcvad"))
        return import_or_skip("resemblyzer").VoiceEncoder("cpu", verbose=False)


def voice(duration):
    """Return harmonics of a gliding pitch in syllables, with breath noise."""
    times = np.arange(round(duration * 16_000)) / 16_000
    phase = 2 * np.pi * np.cumsum(120 + 30 * np.sin(3 * times)) / 16_000
    harmonics = sum(np.sin(k * phase) / k for k in range(1, 20))
    syllables = np.maximum(np.sin(2 * np.pi * 4 * times), 0.0)
    return (0.1 * harmonics * syllables + 0.05 * noise(1, len(times))).astype(np.float32)


SOUNDS = {
    "noise": lambda duration: noise(2, round(duration * 16_000)),
    "voice": voice,
}


@pytest.mark.parametrize("duration", [0.01, 0.3, 1.6, 3.7, 10.0])
@pytest.mark.parametrize("kind", SOUNDS)
def test_features_equal_those_of_the_package(kind, duration, backbone, encoder):
    waveform = SOUNDS[kind](duration)
    (rows,) = backbone.apply([waveform])
    assert rows.shape == (1, backbone.n_features)
    assert rows.dtype == np.float32
    with single_torch_thread:
        expected = encoder.embed_utterance(waveform)
    np.testing.assert_allclose(rows[0], expected, atol=1e-5)


@pytest.mark.parametrize("n_samples", [1, 160, 25_599, 25_600, 37_920, 37_921, 57_120, 100_000])
def test_parts_start_where_those_of_the_package_start(n_samples, encoder):
    _, expected = encoder.compute_partial_slices(n_samples, rate=1.3, min_coverage=0.75)
    assert resemblyzer._starts(n_samples) == [part.start for part in expected]


def test_the_rest_of_a_batch_changes_features_only_by_rounding(backbone):
    waveforms = [voice(duration) for duration in (2.5, 0.3, 4.0)]
    together = backbone.apply(waveforms)
    alone = [backbone.apply([waveform])[0] for waveform in waveforms]
    np.testing.assert_allclose(together, alone, atol=1e-5)
    np.testing.assert_allclose(load_resemblyzer(batch_size=2).apply(waveforms), alone, atol=1e-5)


def test_vectors_have_unit_length_even_for_silence(backbone):
    rows = np.concatenate(backbone.apply([np.zeros(16_000, np.float32), voice(2.0)]))
    np.testing.assert_allclose(np.linalg.norm(rows, axis=1), 1.0, atol=1e-5)


def test_what_a_caller_needs_to_know(backbone):
    assert (backbone.sampling_rate, backbone.window, backbone.min_samples) == (16_000, None, 1)
    assert len(backbone.sha256) == 64
    assert backbone.apply([]) == []


def test_there_is_one_output():
    with pytest.raises(ValueError, match=r"output=2.*resemblyzer"):
        load_resemblyzer(output=2)


@pytest.mark.parametrize("content", [b"no weights", {"model_state": {}}, {"other": 1}])
def test_a_broken_file_is_refused(content, tmp_path, monkeypatch):
    path = tmp_path / "pretrained.pt"
    path.write_bytes(content) if isinstance(content, bytes) else torch.save(content, path)
    monkeypatch.setattr(resemblyzer, "find_in_package", lambda *args, **kwargs: path)
    with pytest.raises(ValueError, match="does not contain the weights of the voice encoder"):
        load_resemblyzer()

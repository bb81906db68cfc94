import threading

import joblib
import numpy as np
import pytest
import torch
from torch import nn

from skdaf._networks import inference
from skdaf._networks.building import build_network
from skdaf._networks.inference import apply_network, evaluation_batch

pytestmark = pytest.mark.oldest


def test_the_rest_of_a_batch_changes_outputs_only_by_rounding():
    network = build_network("cnn", (12, 10), 2, {"channels": (4, 8), "hidden_units": (8,)})
    inputs = np.random.default_rng(0).standard_normal((70, 12, 10)).astype(np.float32)
    together = apply_network(network, inputs, "cpu")
    alone = np.concatenate([apply_network(network, inputs[i : i + 1], "cpu") for i in range(70)])
    np.testing.assert_allclose(together, alone, atol=1e-5)


def test_batches_are_larger_on_a_gpu_and_limited_by_their_size():
    for shape in ((1, 1), (43, 40), (250, 40), (5000, 128)):
        assert evaluation_batch(shape, "cpu") == 32
        for device in ("cuda", "cuda:1", "mps"):
            n_clips = evaluation_batch(shape, device)
            assert 32 <= n_clips <= 512
            assert n_clips == 32 or n_clips * shape[0] * shape[1] <= 2**21
    assert evaluation_batch((43, 40), "cuda") == 512
    assert evaluation_batch((250, 40), "cuda") == 209


def test_dropout_in_training_mode_does_not_reach_predictions():
    network = build_network("cnn", (12, 10), 2, {"channels": (4,), "dropout": 0.5})
    inputs = np.random.default_rng(0).standard_normal((5, 12, 10)).astype(np.float32)
    expected = apply_network(network.eval(), inputs, "cpu")
    # The network as a whole is in evaluation mode, but one of its layers is not.
    network[-1].train()
    assert not network.training
    np.testing.assert_array_equal(apply_network(network, inputs, "cpu"), expected)
    assert not any(module.training for module in network.modules())


@pytest.fixture
def three_torch_threads():
    before = torch.get_num_threads()
    torch.set_num_threads(3)
    yield
    torch.set_num_threads(before)


class Recorder(nn.Module):
    """A module of a user, which notes the threads that call it."""

    def __init__(self):
        super().__init__()
        self.threads = set()

    def forward(self, x):
        self.threads.add(threading.current_thread())
        return x


def threads_that_apply(network, monkeypatch, n_clips=100):
    """Return the names of the threads that apply a network to clips."""
    threads, forward = [], inference.forward

    def recording_forward(*args):
        threads.append(threading.current_thread())
        return forward(*args)

    monkeypatch.setattr(inference, "forward", recording_forward)
    apply_network(network, np.zeros((n_clips, 12, 10), np.float32), "cpu")
    return set(threads)


@pytest.mark.parametrize("n_clips", [65, 100, 200])
def test_bytes_do_not_depend_on_the_number_of_torch_threads(n_clips, three_torch_threads):
    network = build_network("cnn", (12, 10), 2, {"channels": (4, 8), "hidden_units": (8,)})
    inputs = np.random.default_rng(0).standard_normal((n_clips, 12, 10)).astype(np.float32)
    several = apply_network(network, inputs, "cpu")
    torch.set_num_threads(1)
    np.testing.assert_array_equal(apply_network(network, inputs, "cpu"), several)


def test_predictions_are_made_in_float32_inside_of_autocast(three_torch_threads):
    network = build_network("cnn", (12, 10), 2, {"channels": (4, 8), "hidden_units": (8,)})
    inputs = np.random.default_rng(0).standard_normal((70, 12, 10)).astype(np.float32)
    expected = apply_network(network, inputs, "cpu")
    with torch.autocast("cpu", torch.bfloat16):
        np.testing.assert_array_equal(apply_network(network, inputs, "cpu"), expected)
        assert torch.is_autocast_enabled("cpu")


def test_batches_are_distributed_over_the_threads_of_torch(monkeypatch, three_torch_threads):
    network = build_network("cnn", (12, 10), 2, {"channels": (4,)})
    assert len(threads_that_apply(network, monkeypatch)) > 1
    assert torch.get_num_threads() == 3


def test_networks_of_users_run_in_the_calling_thread(monkeypatch, three_torch_threads):
    network = build_network("cnn", (12, 10), 2, {"channels": (4,)})
    here = {threading.current_thread()}
    hook = network[0].register_forward_hook(lambda module, args, output: None)
    assert threads_that_apply(network, monkeypatch) == here
    hook.remove()
    network.append(Recorder())
    assert threads_that_apply(network, monkeypatch) == here == network[-1].threads


def test_threads_of_joblib_start_no_further_threads(monkeypatch, three_torch_threads):
    network = build_network("cnn", (12, 10), 2, {"channels": (4,)})

    def work():
        torch.set_num_threads(3)
        return len(threads_that_apply(network, monkeypatch))

    assert joblib.Parallel(2, "threading")(joblib.delayed(work)() for _ in range(1)) == [1]

import numpy as np
import pytest

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

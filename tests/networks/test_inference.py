import numpy as np
import pytest

from skdaf._networks.building import build_network
from skdaf._networks.inference import apply_network

pytestmark = pytest.mark.oldest


def test_the_rest_of_a_batch_changes_outputs_only_by_rounding():
    network = build_network("cnn", (12, 10), 2, {"channels": (4, 8), "hidden_units": (8,)})
    inputs = np.random.default_rng(0).standard_normal((70, 12, 10)).astype(np.float32)
    together = apply_network(network, inputs, "cpu")
    alone = np.concatenate([apply_network(network, inputs[i : i + 1], "cpu") for i in range(70)])
    np.testing.assert_allclose(together, alone, atol=1e-5)

"""Apply networks to spectrograms, a batch at a time, in float32.

Lower precision would be faster on some devices, but then a clip's probabilities would depend on the
size of its batch by up to 0.01, and labels near the border between two classes could change.
"""

import math
from collections.abc import Sequence

import numpy as np
import torch
from numpy.typing import NDArray
from torch import nn

from skdaf._core.contexts import exit_thread_at_shutdown
from skdaf._networks.device import reproducible, single_torch_thread
from skdaf._networks.forward import forward, is_training

# Number of clips per batch outside of training. On the CPU, the maps of this many clips stay in its
# caches. Other devices need large batches to be busy.
_CPU_BATCH = 32
_MAX_BATCH = 512

# Batches on other devices contain up to this many values: with 64 maps of this size, half a GB. The
# free memory does not matter, because results differ by rounding between sizes of batches.
_VALUES_PER_BATCH = 2**21


def evaluation_batch(input_shape: Sequence[int], device: str) -> int:
    """Return the number of clips per batch outside of training.

    Parameters
    ----------
    input_shape : tuple of (n_frames, n_bins)
    device : str
    """
    if device == "cpu" or torch.device(device).type == "cpu":
        return _CPU_BATCH
    return int(np.clip(_VALUES_PER_BATCH // math.prod(input_shape), _CPU_BATCH, _MAX_BATCH))


def apply_network(
    network: nn.Sequential,
    spectrograms: NDArray[np.floating],
    device: str,
    n_layers: int | None = None,
) -> NDArray[np.float32]:
    """Return the outputs of a network, or of its first layers, flattened to one row per clip."""
    outputs = []
    # Usually it is in this mode already, and checking takes less time than setting it.
    if is_training(network):
        network.eval()
    n_clips = evaluation_batch(spectrograms.shape[1:], device)
    with single_torch_thread, reproducible(device), torch.inference_mode():
        for first in range(0, len(spectrograms), n_clips):
            exit_thread_at_shutdown()
            batch = np.asarray(spectrograms[first : first + n_clips], dtype=np.float32)
            inputs = torch.tensor(batch).unsqueeze(1).to(device)
            outputs.append(forward(network, inputs, n_layers).flatten(1).cpu().numpy())
    return outputs[0] if len(outputs) == 1 else np.concatenate(outputs)

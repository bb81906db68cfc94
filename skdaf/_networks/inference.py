"""Apply networks to spectrograms, a batch at a time, in float32.

Lower precision would be faster on some devices, but then a clip's probabilities would depend on the
size of its batch by up to 0.01, and labels near the border between two classes could change.
"""

import math
from collections.abc import Sequence
from functools import partial
from itertools import pairwise

import numpy as np
import torch
from numpy.typing import NDArray
from torch import nn

from skdaf._core.contexts import exit_thread_at_shutdown
from skdaf._core.parallel import is_worker_thread
from skdaf._networks.device import reproducible, single_torch_thread, without_autocast
from skdaf._networks.forward import forward, has_only_known_modules, is_training
from skdaf._networks.threads import WorkerThreads

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
    # Usually it is in this mode already, and checking takes less time than setting it.
    if is_training(network):
        network.eval()
    n_clips = evaluation_batch(spectrograms.shape[1:], device)
    batches = [spectrograms[i : i + n_clips] for i in range(0, len(spectrograms), n_clips)]
    apply = partial(_apply_to_batches, network, device=device, n_layers=n_layers)
    with single_torch_thread as n_free, reproducible(device), without_autocast(device):
        n_threads = min(n_free, len(batches))
        if n_threads < 2 or not _can_use_threads(network, device):
            outputs = apply(batches)
        else:
            # Each batch is computed by one thread, so their number does not change any bytes.
            ends = [len(batches) * i // n_threads for i in range(n_threads + 1)]
            with WorkerThreads(n_threads) as workers:
                shares = workers.map(apply, [batches[a:b] for a, b in pairwise(ends)])
            outputs = [output for share in shares for output in share]
    return outputs[0] if len(outputs) == 1 else np.concatenate(outputs)


def _apply_to_batches(network, batches, device, n_layers):
    """Return the outputs of each batch, flattened to one row per clip."""
    outputs = []
    with torch.inference_mode():
        for batch in batches:
            exit_thread_at_shutdown()
            inputs = torch.tensor(np.asarray(batch, dtype=np.float32)).unsqueeze(1).to(device)
            outputs.append(forward(network, inputs, n_layers).flatten(1).cpu().numpy())
    return outputs


def _can_use_threads(network, device):
    """Return whether several threads may apply a network at the same time, and would be faster."""
    if device != "cpu" or is_worker_thread():
        return False
    # Modules and hooks of users may keep values between calls, as layers in training mode do.
    return has_only_known_modules(network) and not is_training(network)

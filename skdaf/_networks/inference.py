"""Apply networks to spectrograms, a batch at a time."""

import numpy as np
import torch
from numpy.typing import NDArray
from torch import nn

from skdaf._core.contexts import exit_thread_at_shutdown
from skdaf._networks.device import single_torch_thread

# Number of clips per batch outside of training.
EVALUATION_BATCH = 32


def apply_network(
    network: nn.Module, spectrograms: NDArray[np.floating], device: str
) -> NDArray[np.float32]:
    """Return the outputs of a network (or of its first layers), flattened to one row per clip."""
    outputs = []
    network.eval()
    with single_torch_thread, torch.inference_mode():
        for first in range(0, len(spectrograms), EVALUATION_BATCH):
            exit_thread_at_shutdown()
            batch = np.asarray(spectrograms[first : first + EVALUATION_BATCH], dtype=np.float32)
            inputs = torch.tensor(batch).unsqueeze(1).to(device)
            outputs.append(network(inputs).flatten(1).cpu().numpy())
    return np.concatenate(outputs)

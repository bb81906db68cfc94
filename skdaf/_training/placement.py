"""Move the examples of a training run to its GPU once, if they fit."""

from dataclasses import replace

import numpy as np
import torch
from numpy.typing import DTypeLike, NDArray

from skdaf._core.arrays import blocks
from skdaf._networks.device import is_cuda
from skdaf._training.run import PlacedExamples, TrainingRun

# The share of the free memory of a GPU that examples may take. The network, its maps and other
# programs need the rest.
_SHARE = 1 / 4


def place_examples(run: TrainingRun) -> TrainingRun:
    """Return a training run whose examples are on its GPU, if there is enough memory.

    Otherwise, and on other devices, each batch is moved when it is needed. The values are the same.
    """
    device = run.plan.device
    if not is_cuda(device):
        return run
    examples, others = run.examples, run.validation_examples
    if _n_bytes(examples) + _n_bytes(others) > _SHARE * _free_bytes(device):
        return run
    return replace(
        run, examples=_placed(examples, device), validation_examples=_placed(others, device)
    )


def _free_bytes(device):
    return torch.cuda.mem_get_info(device)[0]


def _n_bytes(examples):
    """Return the size of examples on a device, where inputs are float32."""
    if examples is None:
        return 0
    n_bytes = np.dtype(np.float32).itemsize * examples.inputs.size
    return n_bytes if _are_inputs(examples) else n_bytes + examples.targets.nbytes


def _are_inputs(examples):
    """Return whether inputs are their own targets, as for an autoencoder."""
    return examples.targets is examples.inputs and examples.inputs.dtype == np.float32


def _placed(examples, device):
    if examples is None:
        return None
    inputs = _to_tensor(examples.inputs, np.float32, device)
    if _are_inputs(examples):
        return PlacedExamples(inputs, inputs)
    return PlacedExamples(inputs, _to_tensor(examples.targets, examples.targets.dtype, device))


def _to_tensor(array: NDArray, dtype: DTypeLike, device: str) -> torch.Tensor:
    """Copy an array, which may be larger than the memory of this machine, to a device."""
    return torch.cat([torch.tensor(np.asarray(b, dtype=dtype)).to(device) for b in blocks(array)])

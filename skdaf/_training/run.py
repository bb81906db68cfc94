"""The description of a training run: the network, the examples, the objective and the plan."""

from collections.abc import Callable
from dataclasses import dataclass
from typing import Literal

import numpy as np
import torch
from numpy.typing import NDArray
from torch import nn

from skdaf._training.objectives import Objective


@dataclass(frozen=True)
class Examples:
    """Spectrograms `(n, n_frames, n_bins)` and their targets; both may be memory-mapped."""

    inputs: NDArray
    targets: NDArray

    def batch(self, rows: NDArray[np.integer], device: str) -> tuple[torch.Tensor, torch.Tensor]:
        """Return the inputs and targets of some rows as tensors on a device."""
        # Indexing with an array copies only these rows, even from read-only or mapped memory.
        inputs = torch.from_numpy(np.asarray(self.inputs[rows], dtype=np.float32))
        return inputs.to(device), torch.from_numpy(np.array(self.targets[rows])).to(device)


@dataclass(frozen=True)
class PlacedExamples:
    """Examples that are on their device already, as tensors."""

    inputs: torch.Tensor
    targets: torch.Tensor

    def batch(self, rows: NDArray[np.integer], device: str) -> tuple[torch.Tensor, torch.Tensor]:
        """Return the inputs and targets of some rows; `device` is where they are."""
        index = torch.tensor(rows).to(device)
        return self.inputs[index], self.targets[index]


@dataclass(frozen=True)
class Plan:
    """How to train: epochs, batches, the optimizer, the device and augmentation.

    `optimizer` takes a list of parameters, and `lr` and `weight_decay` if it has parameters with
    these names; None is AdamW.
    `scoring` is the value of held-out examples that decides which epoch is best. In the last
    `n_unchanged_epochs` epochs, clips are neither augmented nor mixed. The learning rate follows
    one cycle, or is always `constant_share` of `learning_rate`.
    """

    max_epochs: int
    batch_size: int
    learning_rate: float
    weight_decay: float
    patience: int | None
    device: str
    precision: Literal["float32", "bfloat16"] = "float32"
    augment: Callable[[torch.Tensor, torch.Generator], torch.Tensor] | None = None
    mixup: bool = False
    n_unchanged_epochs: int = 0
    n_frozen: int = 0
    scoring: Literal["loss", "score"] = "loss"
    optimizer: Callable[..., torch.optim.Optimizer] | None = None
    constant_share: float | None = None


@dataclass(frozen=True)
class TrainingRun:
    """The complete description of a training run: equal runs have equal results.

    Attributes
    ----------
    network : nn.Sequential
        The network to train, in place.
    examples : Examples or PlacedExamples
    objective : Objective
    plan : Plan
    train_rows : ndarray of int
        The examples to learn from.
    validation_rows : ndarray of int or None
        The examples that decide which epoch is best and when to stop. If None, all epochs run and
        the weights of the last one are kept.
    seed : int
        Determines the order of examples, dropout and augmentation.
    train_weights : ndarray of shape (n_train_rows,) or None, default=None
        How often to draw each training example in an epoch, on average; their mean is one. If
        None, each is used once.
    validation_examples : Examples, PlacedExamples or None, default=None
        The examples that `validation_rows` refer to, if they are not those for training.
    """

    network: nn.Sequential
    examples: Examples | PlacedExamples
    objective: Objective
    plan: Plan
    train_rows: NDArray[np.integer]
    validation_rows: NDArray[np.integer] | None
    seed: int
    train_weights: NDArray[np.float64] | None = None
    validation_examples: Examples | PlacedExamples | None = None

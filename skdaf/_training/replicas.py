"""Replicas of a network that share the work on each batch, in several threads.

Each batch is split into the same parts for any number of threads, and each part goes through its
own replica. Therefore the sums over parts, and all weights, have the same bytes with any number of
cores.
"""

import copy
from collections.abc import Iterable, Sequence
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from torch import nn

from skdaf._core.contexts import exit_thread_at_shutdown
from skdaf._networks.layers import seed_dropout, use_running_statistics
from skdaf._networks.weights import load_arrays, to_arrays
from skdaf._training.augmentation import mix
from skdaf._training.run import TrainingRun


class Replica:
    """A network that shares its parameters with all other replicas.

    Each replica has its own gradients, running statistics and random numbers.
    """

    def __init__(self, run: TrainingRun, network: nn.Sequential, seed: int):
        self.run, self.network = run, network
        self.generator = torch.Generator().manual_seed(seed)
        self.dropout = seed_dropout(network, seed, run.plan.device)
        self.changes_clips = False

    def set_mode(self, *, training: bool, changes_clips: bool = False) -> None:
        """Prepare for training, with or without augmentation and mixup, or for evaluation."""
        self.changes_clips = changes_clips
        self.network.train(training)
        # Frozen layers also keep their running statistics.
        self.network[: self.run.plan.n_frozen].eval()

    def train_step(self, rows: NDArray[np.integer], n_rows: int) -> NDArray[np.float64]:
        """Compute gradients for a part of a batch of `n_rows`; return sums of loss and score."""
        exit_thread_at_shutdown()
        plan = self.run.plan
        self.network.zero_grad(set_to_none=True)
        if n_rows == 1:
            use_running_statistics(self.network)
        inputs, targets = self._training_batch(rows)
        with torch.autocast(
            torch.device(plan.device).type,
            dtype=torch.bfloat16,
            enabled=plan.precision == "bfloat16",
        ):
            outputs = self.network(inputs.unsqueeze(1)).float()
        loss = self.run.objective.loss(outputs, targets)
        (loss * (len(rows) / n_rows)).backward()
        return self._sums(loss, outputs.detach(), targets)

    def evaluate(self, batches: Iterable[NDArray[np.integer]]) -> NDArray[np.float64]:
        """Return the sums of loss and score over batches, in float32 as for predictions."""
        device = self.run.plan.device
        examples = self.run.validation_examples or self.run.examples
        sums = np.zeros(2)
        with torch.inference_mode():
            for rows in batches:
                exit_thread_at_shutdown()
                inputs, targets = examples.batch(rows, device)
                outputs = self.network(inputs.unsqueeze(1))
                sums += self._sums(self.run.objective.loss(outputs, targets), outputs, targets)
        return sums

    def state_dict(self) -> dict[str, Any]:
        """Return the state that replicas do not share: running statistics and random states."""
        return {
            "statistics": to_arrays(self.network.buffers()),
            "generator": self.generator.get_state().numpy(),
            "dropout": self.dropout.get_state().numpy(),
        }

    def load_state_dict(self, state: dict[str, Any]) -> None:
        load_arrays(self.network.buffers(), state["statistics"])
        self.generator.set_state(torch.tensor(state["generator"]))
        self.dropout.set_state(torch.tensor(state["dropout"]))

    def _training_batch(self, rows):
        """Return the inputs and targets of some rows, augmented and mixed according to the plan."""
        plan = self.run.plan
        inputs, targets = self.run.examples.batch(rows, plan.device)
        if not self.changes_clips:
            return inputs, targets
        if plan.augment is not None:
            inputs = _augment(plan.augment, inputs, self.generator)
        if plan.mixup:
            soft_targets = self.run.objective.soft_targets
            targets = targets if soft_targets is None else soft_targets(targets)
            inputs, targets = mix(inputs, targets, self.generator)
        return inputs, targets

    def _sums(self, loss, outputs, targets):
        score = self.run.objective.score
        mean_score = 0.0 if score is None else score(outputs, targets)
        return np.array([loss.item(), mean_score]) * len(targets)


def make_replicas(run: TrainingRun, n_replicas: int) -> list[Replica]:
    """Return replicas, each with its own random numbers; the first one is the network itself."""
    networks = [run.network, *(_replicate(run.network) for _ in range(n_replicas - 1))]
    return [Replica(run, network, run.seed + index) for index, network in enumerate(networks)]


def average_statistics(replicas: Sequence[Replica]) -> None:
    """Give all replicas the mean of their running statistics."""
    for buffers in zip(*(replica.network.buffers() for replica in replicas), strict=True):
        if buffers[0].is_floating_point():
            mean = torch.stack(buffers).mean(dim=0)
            for buffer in buffers:
                buffer.copy_(mean)


def shard_parameters(replicas: Sequence[Replica]) -> list[list[tuple[nn.Parameter, ...]]]:
    """Distribute the trainable parameters over one shard per replica, of about the same size.

    Each entry of a shard is one parameter in all replicas: equal values, different gradients.
    """
    shards: list[list[tuple[nn.Parameter, ...]]] = [[] for _ in replicas]
    trainable = [
        parameter
        for parameter in zip(*(r.network.parameters() for r in replicas), strict=True)
        if parameter[0].requires_grad
    ]
    for parameter in sorted(trainable, key=lambda copies: -copies[0].numel()):
        min(shards, key=lambda shard: sum(first.numel() for first, *_ in shard)).append(parameter)
    return shards


def add_gradients(shard: Iterable[tuple[nn.Parameter, ...]]) -> None:
    """Add the gradients of all replicas to those of the first."""
    for first, *others in shard:
        for other in others:
            # Some replicas lack a gradient if the network skips a layer for some inputs.
            if first.grad is None:
                first.grad = other.grad
            elif other.grad is not None:
                first.grad.add_(other.grad)


def _replicate(network):
    """Return a copy of a network that shares its parameters."""
    replica = copy.deepcopy(network)
    for own, shared in zip(replica.parameters(), network.parameters(), strict=True):
        own.data = shared.data
    return replica


def _augment(augment, inputs, generator):
    outputs = augment(inputs, generator)
    if not isinstance(outputs, torch.Tensor) or outputs.shape != inputs.shape:
        got = getattr(outputs, "shape", type(outputs).__name__)
        raise TypeError(
            f"augment must return a tensor with the shape of the batch, {tuple(inputs.shape)}, "
            f"got {got if isinstance(got, str) else tuple(got)}."
        )
    return outputs

"""Optimizers: AdamW, whose work several threads share, and those of torch that users choose.

An optimizer has `peak`, the highest learning rate, and the methods `step`, `state` and
`load_state` (for the same training run), `named_state` and `load_named_state` (for another one).
"""

from collections.abc import Iterable, Iterator, Mapping, Sequence
from typing import Any

import torch
from torch import nn
from torch.optim.adamw import adamw

from skdaf._networks.device import is_cuda
from skdaf._networks.threads import WorkerThreads
from skdaf._networks.weights import load_arrays, to_arrays
from skdaf._training.custom_optimizer import CustomOptimizer
from skdaf._training.replicas import Replica, add_gradients, shard_parameters
from skdaf._training.run import TrainingRun


def make_optimizer(
    run: TrainingRun, replicas: Sequence[Replica]
) -> "ShardedAdamW | CustomOptimizer":
    """Return the optimizer that the plan of a training run asks for."""
    if run.plan.optimizer is None:
        return ShardedAdamW(run, replicas)
    return CustomOptimizer(run, replicas)


class ShardedAdamW:
    """AdamW on all parameters; each thread updates its own share of them."""

    def __init__(self, run: TrainingRun, replicas: Sequence[Replica]):
        self.peak = run.plan.learning_rate
        self.shards = shard_parameters(replicas)
        # The fastest of torch's implementations. Fused steps are not available on all other
        # devices, and many small ones would keep a GPU waiting.
        fused, foreach = run.plan.device == "cpu", is_cuda(run.plan.device)
        self.optimizers = [
            AdamW([first for first, *_ in shard], run.plan.weight_decay, fused, foreach)
            for shard in self.shards
        ]

    def step(self, factor: float, workers: WorkerThreads) -> None:
        """Update all parameters; `factor` is the share of the peak learning rate."""
        rates = [self.peak * factor] * len(self.shards)
        workers.map(_update_shard, self.shards, self.optimizers, rates)

    def state(self) -> list[Any]:
        """Return the state of each shard as arrays."""
        return [to_arrays(optimizer.tensors()) for optimizer in self.optimizers]

    def named_state(self, network: nn.Module) -> dict[str, Any]:
        """Return the state by the names of the weights that it belongs to."""
        names = {weight: name for name, weight in network.named_parameters()}
        return {
            f"{names[weight]}.{part}": array
            for optimizer in self.optimizers
            for weight, tensors in optimizer.states()
            for part, array in zip(AdamW.PARTS, to_arrays(tensors), strict=True)
        }

    def load_named_state(self, network: nn.Module, state: Mapping[str, Any]) -> None:
        """Continue from the result of `named_state`; it may lack some of the weights."""
        names = {weight: name for name, weight in network.named_parameters()}
        for optimizer in self.optimizers:
            for weight, tensors in optimizer.states():
                keys = [f"{names[weight]}.{part}" for part in AdamW.PARTS]
                if state.keys() >= set(keys):
                    load_arrays(tensors, [state[key] for key in keys])

    def load_state(self, state: list[Any]) -> None:
        """Continue from the result of `state`."""
        for optimizer, arrays in zip(self.optimizers, state, strict=True):
            load_arrays(optimizer.tensors(), arrays)


def _update_shard(shard, optimizer, learning_rate):
    """Add up the gradients of all replicas, and take a step."""
    add_gradients(shard)
    optimizer.step(learning_rate)


class AdamW:
    """AdamW with torch's own arithmetic; parameters without a gradient are skipped.

    `torch.optim.AdamW` is not used because constructing it imports torch's compiler: about a second
    and 70 MB in every process that trains.
    """

    #: Names of the tensors in the state of a parameter.
    PARTS = ("gradient_mean", "square_mean", "n_steps")

    def __init__(
        self,
        parameters: Iterable[nn.Parameter],
        weight_decay: float,
        fused: bool,
        foreach: bool = False,
    ):
        self.parameters = list(parameters)
        self.weight_decay, self.fused, self.foreach = weight_decay, fused, foreach
        self.state = [self._initial_state(parameter) for parameter in self.parameters]

    def _initial_state(self, parameter):
        """Return the running means of gradients and of their squares, and a count of steps."""
        step = torch.zeros((), device=parameter.device if self.fused else "cpu")
        return torch.zeros_like(parameter), torch.zeros_like(parameter), step

    def states(self) -> Iterator[tuple[nn.Parameter, tuple[torch.Tensor, ...]]]:
        """Return pairs of a parameter and its state, one tensor for each of `PARTS`."""
        return zip(self.parameters, self.state, strict=True)

    def tensors(self) -> list[torch.Tensor]:
        """Return all tensors of the state, in order."""
        return [tensor for state in self.state for tensor in state]

    @torch.no_grad()
    def step(self, learning_rate: float) -> None:
        """Update each parameter that has a gradient."""
        updated = [
            (parameter, parameter.grad, *state)
            for parameter, state in zip(self.parameters, self.state, strict=True)
            if parameter.grad is not None
        ]
        if not updated:
            return
        parameters, gradients, means, squares, steps = map(list, zip(*updated, strict=True))
        adamw(
            parameters,
            gradients,
            means,
            squares,
            [],
            steps,
            fused=self.fused,
            foreach=self.foreach,
            amsgrad=False,
            beta1=0.9,
            beta2=0.999,
            lr=learning_rate,
            weight_decay=self.weight_decay,
            eps=1e-8,
            maximize=False,
        )

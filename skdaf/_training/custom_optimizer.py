"""An optimizer of torch that a user chose, and its state as plain values."""

import inspect
from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
import torch

from skdaf._core.callables import name_of, takes_argument
from skdaf._networks.threads import WorkerThreads
from skdaf._training.replicas import Replica, add_gradients, shard_parameters
from skdaf._training.run import Plan, TrainingRun

_PLAIN = (bool, int, float, str, type(None))

# The name of the whole state in `named_state`; weights have other names.
_STATE = "optimizer"


class CustomOptimizer:
    """One optimizer for all parameters, so that it may combine them, as some optimizers do.

    Several threads add up the gradients of the replicas, and one of them takes the step. The
    learning rates of its parameter groups are the peaks of the schedule.
    """

    def __init__(self, run: TrainingRun, replicas: Sequence[Replica]):
        build = run.plan.optimizer or torch.optim.AdamW
        self.name = f"optimizer={name_of(build)}"
        self.shards = shard_parameters(replicas)
        trained = {id(first): copies for shard in self.shards for first, *copies in shard}
        parameters = [p for p in run.network.parameters() if id(p) in trained]
        self.copies = [(first, trained[id(first)]) for first in parameters]
        self.optimizer = _build(build, run.plan, parameters, self.name)
        self.peaks = [_learning_rate(group, self.name) for group in self.optimizer.param_groups]
        self.peak = self.peaks[0]

    def step(self, factor: float, workers: WorkerThreads) -> None:
        """Update all parameters; `factor` is the share of the peak learning rates."""
        workers.map(add_gradients, self.shards)
        for group, peak in zip(self.optimizer.param_groups, self.peaks, strict=True):
            group["lr"] = peak * factor
        self.optimizer.step()
        for first, copies in self.copies:
            for copy in copies:
                # Some optimizers replace the data of a parameter, which the replicas share.
                if copy.data_ptr() != first.data_ptr():
                    copy.data = first.data

    def state(self) -> list[Any]:
        """Return the state of the optimizer as lists, arrays and plain values.

        Raises
        ------
        TypeError
            If it contains anything else.
        """
        return [self._packed_state()]

    def load_state(self, state: list[Any]) -> None:
        """Continue from the result of `state`.

        Raises
        ------
        ValueError
            If the optimizer does not accept its own state.
        """
        [packed] = state
        self.optimizer.load_state_dict(_unpack(packed))
        if not _are_equal(self._packed_state(), packed):
            raise ValueError(f"{self.name} does not load the state that it returns")

    def named_state(self, network: torch.nn.Module) -> dict[str, Any]:
        """Return the state for another training run of the same layers."""
        return {_STATE: self.state()}

    def load_named_state(self, network: torch.nn.Module, state: Mapping[str, Any]) -> None:
        """Continue from the result of `named_state`; the state of AdamW is ignored."""
        if _STATE in state:
            self.load_state(state[_STATE])

    def _packed_state(self):
        try:
            return _pack(self.optimizer.state_dict())
        except TypeError as error:
            raise TypeError(
                f"{self.name} has a state that a checkpoint cannot contain: {error}. Use another "
                "optimizer, or checkpoint=None."
            ) from None


def _build(build, plan: Plan, parameters, name):
    """Return the optimizer of a plan, checked."""
    values = {"lr": plan.learning_rate, "weight_decay": plan.weight_decay}
    arguments = {key: value for key, value in values.items() if takes_argument(build, key)}
    try:
        optimizer = build(parameters, **arguments)
    except Exception as error:  # the code of a user may raise anything
        raise ValueError(
            f"{name} failed for a list of {len(parameters)} parameters ({type(error).__name__}: "
            f"{error})."
        ) from error
    if not isinstance(optimizer, torch.optim.Optimizer):
        raise TypeError(
            f"{name} must return a torch.optim.Optimizer for a list of parameters, got "
            f"{type(optimizer).__name__}."
        )
    closure = inspect.signature(optimizer.step).parameters.get("closure")
    if closure is not None and closure.default is closure.empty:
        raise ValueError(
            f"{name} evaluates the loss several times per step, which training does not support."
        )
    return optimizer


def _learning_rate(group, name):
    if "lr" not in group:
        raise ValueError(f"{name} has parameters without a learning rate (lr).")
    return float(group["lr"])


# --- states as plain values ------------------------------------------------------------------

# A list is packed as ["list", items], a dict as ["dict", keys, values], and so on, because JSON has
# neither tuples nor keys that are numbers.


def _pack(value):
    """Return a state as lists, arrays and plain values."""
    if type(value) in _PLAIN:
        return value
    if isinstance(value, torch.Tensor):
        return ["tensor", _to_array(value), _strides_to_keep(value)]
    if isinstance(value, dict):
        return ["dict", list(map(_pack, value)), list(map(_pack, value.values()))]
    if type(value) in (list, tuple):
        return [type(value).__name__, list(map(_pack, value))]
    raise TypeError(f"a {type(value).__name__}")


def _to_array(tensor):
    return np.array(tensor.detach().cpu().numpy(), order="C")


def _strides_to_keep(tensor):
    """Return the strides of a tensor, because the last bits of results depend on its format."""
    n_values = 1
    for stride, size in sorted(zip(tensor.stride(), tensor.shape, strict=True)):
        if size > 1 and stride != n_values:  # part of another tensor
            return list(torch.empty(tensor.shape).stride())
        n_values *= size
    return list(tensor.stride())


def _unpack(value):
    if not isinstance(value, list):
        return value
    kind, content, *rest = value
    if kind == "tensor":
        return _to_tensor(content, *rest)
    if kind == "dict":
        return dict(zip(map(_unpack, content), map(_unpack, *rest), strict=True))
    items = map(_unpack, content)
    return tuple(items) if kind == "tuple" else list(items)


def _to_tensor(array, strides):
    tensor = torch.tensor(array)
    return torch.empty_strided(array.shape, strides, dtype=tensor.dtype).copy_(tensor)


def _are_equal(left, right):
    """Return whether two packed states are the same."""
    if isinstance(left, np.ndarray) or isinstance(right, np.ndarray):
        return (
            isinstance(left, np.ndarray)
            and isinstance(right, np.ndarray)
            and (left.dtype, left.shape, left.tobytes())
            == (right.dtype, right.shape, right.tobytes())
        )
    if isinstance(left, list) and isinstance(right, list):
        return len(left) == len(right) and all(map(_are_equal, left, right))
    return repr(left) == repr(right)

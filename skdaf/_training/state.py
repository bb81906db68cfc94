"""The progress of a training run: the values of each epoch, and the best weights so far."""

import math
from dataclasses import dataclass, field, fields
from typing import Any

import numpy as np
from numpy.typing import NDArray
from torch import nn

from skdaf._networks.weights import get_weights


@dataclass
class TrainingState:
    """The history of a training run so far, one value per epoch, and its best weights."""

    history: dict[str, list[float]] = field(default_factory=dict)
    best_epoch: int = 0
    best_loss: float = math.inf
    best_weights: dict[str, NDArray] | None = None

    @property
    def n_epochs(self) -> int:
        return len(self.history.get("train_loss", ()))

    def epochs(self) -> list[dict[str, float]]:
        """Return the values of each epoch so far."""
        return [
            dict(zip(self.history, values, strict=True))
            for values in zip(*self.history.values(), strict=True)
        ]

    def record(self, values: dict[str, float]) -> None:
        """Append the values of an epoch."""
        for name, value in values.items():
            self.history.setdefault(name, []).append(value)

    def keep_if_best(self, loss: float, network: nn.Module) -> None:
        """Keep the weights of the network if the loss of the last epoch is the lowest so far."""
        if loss < self.best_loss:
            self.best_epoch, self.best_loss = self.n_epochs, loss
            self.best_weights = get_weights(network)


def is_stored_state(value: Any) -> bool:
    """Return whether a value from a file contains the fields of a `TrainingState`."""
    names = {field.name for field in fields(TrainingState)}
    if type(value) is not dict or value.keys() != names:
        return False
    history = value["history"]
    return (
        _is_history(history)
        and type(value["best_loss"]) in (int, float)
        and type(value["best_epoch"]) is int
        and 0 < value["best_epoch"] <= len(history["train_loss"])
        and _is_weights(value["best_weights"])
    )


def _is_history(value):
    """Return whether a value is a dict of equally long lists of numbers."""
    if type(value) is not dict or "train_loss" not in value:
        return False
    return (
        all(type(values) is list for values in value.values())
        and len({len(values) for values in value.values()}) == 1
        and all(type(number) in (int, float) for values in value.values() for number in values)
    )


def _is_weights(value):
    return type(value) is dict and all(
        isinstance(array, np.ndarray) and array.dtype.kind in "fi" for array in value.values()
    )

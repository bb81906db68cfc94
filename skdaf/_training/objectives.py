"""Objectives: the loss that a training run minimizes, and the score that it reports.

To add a loss, write a function here that returns an `Objective`, and pass its result to the
`TrainingRun` of the estimator that uses it.
"""

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
import torch
from numpy.typing import NDArray
from torch.nn import functional

Loss = Callable[[torch.Tensor, torch.Tensor], torch.Tensor]
Score = Callable[[torch.Tensor, torch.Tensor], float]


@dataclass(frozen=True)
class Objective:
    """A loss, with the score and the soft targets that match it.

    Attributes
    ----------
    loss : callable
        ``loss(outputs, targets)`` returns the mean loss of a batch as a tensor with gradients. In
        training, several networks side by side have outputs of shape
        (n_clips, n_networks, n_outputs).
    score : callable, default=None
        ``score(outputs, targets)`` returns the mean score of a batch as a float, for the history.
    soft_targets : callable, default=None
        ``soft_targets(targets)`` returns targets that mixup can blend, such as one row of shares
        per class index. `loss` and `score` must accept both kinds of targets. If None, targets are
        blended as they are.
    """

    loss: Loss
    score: Score | None = None
    soft_targets: Callable[[torch.Tensor], torch.Tensor] | None = None


def classification(class_weights: NDArray[np.float32], label_smoothing: float) -> Objective:
    """Return cross-entropy, with accuracy as the score, for one class index per clip."""
    weights = torch.from_numpy(class_weights)

    def loss(logits, targets):
        logits, targets = all_networks(logits, targets)
        return functional.cross_entropy(
            logits.float(),
            targets,
            weight=weights.to(logits.device),
            label_smoothing=label_smoothing,
        )

    def one_hot(targets):
        return functional.one_hot(targets, len(weights)).float()

    return Objective(loss, accuracy, one_hot)


def multilabel_classification(
    class_weights: NDArray[np.float32], label_smoothing: float
) -> Objective:
    """Return binary cross-entropy, with the accuracy of sets of labels as the score.

    Parameters
    ----------
    class_weights : ndarray of shape (2, n_labels), float32
        Weights of labels that are absent and of those that are present.
    label_smoothing : float
        Share of the targets that is replaced with 1/2.
    """
    weights = torch.from_numpy(class_weights)

    def loss(logits, targets):
        logits, targets = all_networks(logits, targets)
        absent, present = weights.to(logits.device)
        return functional.binary_cross_entropy_with_logits(
            logits.float(),
            targets * (1 - label_smoothing) + label_smoothing / 2,
            # In between if mixup has blended the targets.
            weight=torch.lerp(absent, present, targets),
        )

    return Objective(loss, subset_accuracy)


def regression(loss: str) -> Objective:
    """Return the mean error between outputs and targets, of shape (n_clips, n_targets) each.

    Parameters
    ----------
    loss : {"squared_error", "absolute_error"}
    """
    error = functional.mse_loss if loss == "squared_error" else functional.l1_loss

    def mean_error(outputs, targets):
        outputs, targets = all_networks(outputs, targets)
        return error(outputs.float(), targets)

    return Objective(mean_error)


def reconstruction() -> Objective:
    """Return the mean squared error between outputs and spectrograms, which are the targets."""
    return Objective(squared_error)


def accuracy(logits: torch.Tensor, targets: torch.Tensor) -> float:
    """Return the share of clips whose largest logit belongs to their (largest) class."""
    if targets.ndim == 2:
        targets = targets.argmax(dim=1)
    if logits.ndim == 3:
        logits = logits.mean(dim=1)
    return (logits.argmax(dim=1) == targets).float().mean().item()


def subset_accuracy(logits: torch.Tensor, targets: torch.Tensor) -> float:
    """Return the share of clips whose labels are exactly right."""
    if logits.ndim == 3:
        logits = logits.mean(dim=1)
    return ((logits > 0) == (targets > 0.5)).all(dim=1).float().mean().item()


def all_networks(outputs: torch.Tensor, targets: torch.Tensor) -> tuple[torch.Tensor, torch.Tensor]:
    """Return one row per network and clip if the outputs are those of several networks."""
    if outputs.ndim == 2:
        return outputs, targets
    return outputs.flatten(0, 1), targets.repeat_interleave(outputs.shape[1], dim=0)


def squared_error(outputs: torch.Tensor, targets: torch.Tensor) -> torch.Tensor:
    return functional.mse_loss(outputs.float().squeeze(1), targets)

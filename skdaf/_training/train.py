"""The training loop: tensors and networks, neither paths nor scikit-learn."""

import math
import time
import warnings
from collections.abc import Callable
from dataclasses import dataclass, field, fields

import numpy as np
import torch

from skdaf._core.contexts import leave_if_closing
from skdaf._core.parallel import is_worker_thread
from skdaf._networks.building import get_weights, set_weights
from skdaf._networks.device import single_torch_thread
from skdaf._training.loop import EVALUATION_BATCH, Loop

# Seconds within which a second interruption stops more than one fit.
_INTERRUPTS_APART = 10.0
_last_interrupt = -math.inf


@dataclass(frozen=True)
class Objective:
    """What is to be learned.

    `loss(outputs, targets)` is the mean over a batch; `score(outputs, targets)`, if any, too.
    `as_shares(targets)`, if any, makes targets that can be blended; loss and score take both kinds.
    """

    loss: Callable
    score: Callable | None = None
    as_shares: Callable | None = None


@dataclass(frozen=True)
class Examples:
    """Spectrograms `(n, n_frames, n_bins)` and their targets; the arrays may lie on disk."""

    inputs: np.ndarray
    targets: np.ndarray

    def batch(self, rows, device):
        # Indexing with an array copies just these rows, also from read-only or mapped memory.
        inputs = torch.from_numpy(np.asarray(self.inputs[rows], dtype=np.float32))
        return inputs, torch.from_numpy(np.array(self.targets[rows])).to(device)


@dataclass(frozen=True)
class Plan:
    """How to train."""

    max_epochs: int
    batch_size: int
    learning_rate: float
    weight_decay: float
    patience: int | None
    device: str
    precision: str = "float32"
    augment: Callable | None = None
    mixup: bool = False
    n_frozen: int = 0


@dataclass
class Progress:
    """What has been reached: one value an epoch, and the best weights so far."""

    history: dict = field(default_factory=dict)
    best_epoch: int = 0
    best_loss: float = math.inf
    best_weights: dict | None = None

    @property
    def n_epochs(self):
        return len(self.history.get("train_loss", ()))

    def epochs(self):
        """Return the values of each epoch so far."""
        return [
            dict(zip(self.history, values, strict=True))
            for values in zip(*self.history.values(), strict=True)
        ]

    def record(self, values):
        for name, value in values.items():
            self.history.setdefault(name, []).append(value)

    def keep_if_best(self, loss, network):
        if loss < self.best_loss:
            self.best_epoch, self.best_loss = self.n_epochs, loss
            self.best_weights = get_weights(network)


def _interrupted_just_before():
    """Return whether another training was interrupted in the last seconds; remember this one."""
    global _last_interrupt
    before, _last_interrupt = _last_interrupt, time.monotonic()
    return _last_interrupt - before < _INTERRUPTS_APART


def resolve_device(device, *, else_cpu=False):
    """Turn "auto" into the best device there is: CUDA, then MPS, then the CPU.

    A device that is not there is an error, or with `else_cpu` a warning.
    """
    available = {
        "cuda": torch.cuda.is_available(),
        "mps": torch.backends.mps.is_available(),
        "cpu": True,
    }
    if device == "auto":
        return next(kind for kind, is_there in available.items() if is_there)
    try:
        kind = torch.device(device).type
    except RuntimeError as error:
        raise ValueError(
            f"device={device!r} is unknown: expected 'auto', 'cpu', 'cuda', 'mps' or another "
            "device of torch."
        ) from error
    if available.get(kind, True):
        return str(device)
    problem = f"device={device!r} is not available on this machine"
    if not else_cpu:
        raise ValueError(f"{problem}.")
    warnings.warn(f"{problem}; going on with the CPU.", stacklevel=2)
    return "cpu"


def resolve_precision(precision, device):
    """Turn "auto" into the quicker of the precisions that are known to learn as well."""
    if precision != "auto":
        return precision
    # Without these instructions bfloat16 is emulated, and slower than float32.
    is_native = device == "cpu" and getattr(torch.cpu, "_is_avx512_bf16_supported", bool)()
    return "bfloat16" if is_native else "float32"


def train(
    network,
    examples,
    objective,
    plan,
    *,
    rows,
    validation_rows=None,
    seed,
    report=None,
    checkpoint=None,
):
    """Train a network in place; leave it with the weights of its best epoch, on the CPU.

    Parameters
    ----------
    network : nn.Module
    examples : Examples
    objective : Objective
    plan : Plan
    rows, validation_rows : ndarray of int
        Which examples to learn from, and which to judge epochs by. Without the latter all epochs
        are run and the last one counts.
    seed : int
        Decides the order of examples, dropout and augmentation.
    report : callable, default=None
        Called with the values of each finished epoch; True from it ends the training.
    checkpoint : Checkpoint, default=None
        Its `state` is where to go on from; its `write` gets what each epoch comes to.

    Returns
    -------
    Progress
    """
    progress = Progress() if checkpoint is None else _progress_of(checkpoint, network)
    try:
        with (
            single_torch_thread as n_threads,
            Loop(
                *(network.to(plan.device), examples, objective, plan, len(rows), seed),
                n_threads=1 if is_worker_thread() else n_threads,
            ) as loop,
        ):
            if progress.n_epochs and not loop.is_over(progress):
                _restore(loop, checkpoint)
            for values in _all_epochs(loop, rows, validation_rows, progress, checkpoint):
                if report is not None and report(values):
                    break
    except KeyboardInterrupt:
        # Twice in short order means: stop all of it, a search around this fit included.
        if progress.n_epochs == 0 or _interrupted_just_before():
            raise
        warnings.warn(
            f"Training was interrupted in epoch {progress.n_epochs + 1}; the model is kept as of "
            f"its best epoch so far ({progress.best_epoch}). Interrupt again within "
            f"{_INTERRUPTS_APART:.0f} s to stop altogether.",
            stacklevel=2,
        )
    network.to("cpu")
    if progress.best_weights is not None:
        set_weights(network, progress.best_weights)
    network.eval()
    return progress


def _restore(loop, checkpoint):
    """Continue from the state in a checkpoint; insist that it is that of such a loop."""
    try:
        loop.restore(checkpoint.state["loop"])
    except Exception as error:  # a file with a valid checksum may hold anything
        raise ValueError(
            f"The checkpoint {str(checkpoint.path)!r} does not hold the state of this training "
            f"({type(error).__name__}: {error}). Delete it to start from the beginning."
        ) from error


def _progress_of(checkpoint, network):
    """Return how far a checkpoint has come; insist that it is of such a network."""
    if checkpoint.state is None:
        return Progress()
    if not _is_progress(checkpoint.state["progress"]):
        raise ValueError(
            f"The checkpoint {str(checkpoint.path)!r} does not hold the progress of a training, "
            "though its checksum is right. Delete it to start from the beginning."
        )
    progress = Progress(**checkpoint.state["progress"])
    shapes, own = (
        {name: array.shape for name, array in weights.items()}
        for weights in (progress.best_weights, get_weights(network))
    )
    if shapes != own:
        raise ValueError(
            f"The checkpoint {str(checkpoint.path)!r} holds a network with other layers, though "
            "the parameters are the same. Delete it to start from the beginning."
        )
    return progress


def _is_progress(found):
    """Return whether a value from a file is the progress of a training."""
    names = {field.name for field in fields(Progress)}
    if type(found) is not dict or found.keys() != names:
        return False
    history, weights = found["history"], found["best_weights"]
    if type(history) is not dict or not all(type(values) is list for values in history.values()):
        return False
    lengths = {len(values) for values in history.values()}
    is_history = "train_loss" in history and len(lengths) == 1
    values = [value for values in history.values() for value in values]
    return (
        is_history
        and all(type(value) in (int, float) for value in [*values, found["best_loss"]])
        and type(found["best_epoch"]) is int
        and 0 < found["best_epoch"] <= max(lengths)
        and type(weights) is dict
        and all(isinstance(array, np.ndarray) for array in weights.values())
        and all(array.dtype.kind in "fi" for array in weights.values())
    )


def _all_epochs(loop, rows, validation_rows, progress, checkpoint):
    """Yield the values of the epochs behind a checkpoint and of those to come, and keep these."""
    yield from progress.epochs()
    for values in loop.epochs(rows, validation_rows, progress):
        if checkpoint is not None:
            checkpoint.write(vars(progress), None if loop.is_over(progress) else loop.state())
        yield values


def apply_network(network, spectrograms, device):
    """Return what a network (or its first layers) makes of spectrograms, flattened, as float32."""
    outputs = []
    network.eval()
    with single_torch_thread, torch.inference_mode():
        for first in range(0, len(spectrograms), EVALUATION_BATCH):
            leave_if_closing()
            batch = np.asarray(spectrograms[first : first + EVALUATION_BATCH], dtype=np.float32)
            inputs = torch.tensor(batch).unsqueeze(1).to(device)
            outputs.append(network(inputs).flatten(1).cpu().numpy())
    return np.concatenate(outputs)

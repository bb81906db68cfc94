"""The training loop: tensors and networks, neither paths nor scikit-learn."""

import math
import threading
import time
import warnings
from collections.abc import Callable
from dataclasses import dataclass, field

import numpy as np
import torch

from skdaf._networks import get_weights, seed_dropout, set_weights

# Share of the steps in which the learning rate rises.
_WARM_UP = 0.25

# Seconds within which a second interruption stops more than one fit.
_INTERRUPTS_APART = 10.0
_last_interrupt = -math.inf

# Clips that go through a network together when it is not trained.
_EVALUATION_BATCH = 32


@dataclass(frozen=True)
class Objective:
    """What is to be learned.

    `loss(outputs, targets)` is the mean over a batch; `score(outputs, targets)`, if any, too.
    """

    loss: Callable
    score: Callable | None = None


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
    augment: Callable | None = None
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

    def record(self, values):
        for name, value in values.items():
            self.history.setdefault(name, []).append(value)

    def keep_if_best(self, loss, network):
        if loss < self.best_loss:
            self.best_epoch, self.best_loss = self.n_epochs, loss
            self.best_weights = get_weights(network)


class _SingleTorchThread:
    """Run torch on one thread, so that sums come out alike however many cores there are."""

    def __init__(self):
        self._lock = threading.Lock()
        self._n_inside = 0
        self._before = None

    def __enter__(self):
        with self._lock:
            if self._n_inside == 0:
                self._before = torch.get_num_threads()
            self._n_inside += 1
        # torch keeps the number for each thread of Python: every one that enters must say it.
        torch.set_num_threads(1)

    def __exit__(self, *exception):
        torch.set_num_threads(self._before)
        with self._lock:
            self._n_inside -= 1


single_torch_thread = _SingleTorchThread()


def _interrupted_just_before():
    """Tell whether another training was interrupted in the last seconds; remember this one."""
    global _last_interrupt
    before, _last_interrupt = _last_interrupt, time.monotonic()
    return _last_interrupt - before < _INTERRUPTS_APART


def resolve_device(device):
    """Turn "auto" into the best device there is: CUDA, then MPS, then the CPU."""
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
    if not available.get(kind, True):
        raise ValueError(f"device={device!r} is not available on this machine.")
    return str(device)


def train(network, examples, objective, plan, *, rows, validation_rows=None, seed, report=None):
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
        Called with the values of each finished epoch.

    Returns
    -------
    Progress
    """
    progress = Progress()
    loop = _Loop(network.to(plan.device), examples, objective, plan, len(rows), seed)
    try:
        with single_torch_thread:
            for values in loop.epochs(rows, validation_rows, progress):
                if report is not None:
                    report(values)
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


class _Loop:
    """One network, its optimizer, and the epochs they go through."""

    def __init__(self, network, examples, objective, plan, n_rows, seed):
        self.network, self.examples, self.objective, self.plan = network, examples, objective, plan
        self.shuffle = np.random.default_rng(seed)
        self.generator = torch.Generator().manual_seed(seed)
        seed_dropout(network, seed, plan.device)
        # At least two clips a batch: statistics of one are none.
        self.n_batches = max(1, min(math.ceil(n_rows / plan.batch_size), n_rows // 2))
        self.frozen, learning = network[: plan.n_frozen], network[plan.n_frozen :]
        self.frozen.requires_grad_(False)
        learned = list(learning.parameters())
        self.optimizer = torch.optim.AdamW(
            learned, lr=plan.learning_rate, weight_decay=plan.weight_decay
        )
        n_steps = plan.max_epochs * self.n_batches
        self.schedule = torch.optim.lr_scheduler.LambdaLR(
            self.optimizer, lambda step: one_cycle(step, n_steps)
        )

    def epochs(self, rows, validation_rows, progress):
        """Yield the values of each epoch until it is time to stop."""
        for epoch in range(1, self.plan.max_epochs + 1):
            values = {"learning_rate": self.optimizer.param_groups[0]["lr"]}
            batches = np.array_split(self.shuffle.permutation(rows), self.n_batches)
            values.update(self._run(batches, epoch, "train", learn=True))
            if validation_rows is not None:
                batches = _in_batches(validation_rows)
                values.update(self._run(batches, epoch, "valid", learn=False))
            progress.record(values)
            # Without validation every epoch counts as better than the one before.
            progress.keep_if_best(values.get("valid_loss", -epoch), self.network)
            yield values
            patience = self.plan.patience
            if patience is not None and progress.n_epochs - progress.best_epoch >= patience:
                break

    def _run(self, batches, epoch, name, *, learn):
        """Go once through batches of examples; learn from them or only judge."""
        self.network.train(learn)
        # Frozen layers keep their running statistics too.
        self.frozen.eval()
        total_loss, total_score, n_seen = 0.0, 0.0, 0
        with torch.set_grad_enabled(learn):
            for rows in batches:
                inputs, targets = self.examples.batch(rows, self.plan.device)
                if learn and self.plan.augment is not None:
                    inputs = _augmented(self.plan.augment, inputs, self.generator)
                outputs = self.network(inputs.to(self.plan.device).unsqueeze(1))
                loss = self.objective.loss(outputs, targets)
                value = loss.item()
                self._check(value, epoch, name)
                if learn:
                    self._step(loss)
                total_loss += value * len(rows)
                if self.objective.score is not None:
                    total_score += self.objective.score(outputs.detach(), targets) * len(rows)
                n_seen += len(rows)
        values = {f"{name}_loss": total_loss / n_seen}
        if self.objective.score is not None:
            values[f"{name}_score"] = total_score / n_seen
        return values

    def _step(self, loss):
        self.optimizer.zero_grad(set_to_none=True)
        loss.backward()
        self.optimizer.step()
        self.schedule.step()

    def _check(self, loss, epoch, name):
        if not math.isfinite(loss):
            raise ValueError(
                f"The {'training' if name == 'train' else 'validation'} loss became {loss} in "
                f"epoch {epoch}. The usual cause is too high a learning rate "
                f"(learning_rate={self.plan.learning_rate:g}): try a tenth of it."
            )


def _augmented(augment, inputs, generator):
    outputs = augment(inputs, generator)
    if not isinstance(outputs, torch.Tensor) or outputs.shape != inputs.shape:
        got = getattr(outputs, "shape", type(outputs).__name__)
        raise TypeError(
            f"augment must return a tensor of the shape of its batch, {tuple(inputs.shape)}; "
            f"got {got if isinstance(got, str) else tuple(got)}."
        )
    return outputs


def one_cycle(step, n_steps):
    """Return the share of the learning rate at a step: a linear rise, then half a cosine."""
    rise = _WARM_UP * n_steps
    if step < rise:
        return (step + 1) / (rise + 1)
    done = (step - rise) / max(n_steps - rise, 1)
    return 0.5 * (1.0 + math.cos(math.pi * min(done, 1.0)))


def _in_batches(rows):
    return np.array_split(rows, math.ceil(len(rows) / _EVALUATION_BATCH))


def apply_network(network, spectrograms, device):
    """Return what a network (or its first layers) makes of spectrograms, flattened, as float32."""
    outputs = []
    network.eval()
    with single_torch_thread, torch.inference_mode():
        for first in range(0, len(spectrograms), _EVALUATION_BATCH):
            batch = np.asarray(spectrograms[first : first + _EVALUATION_BATCH], dtype=np.float32)
            inputs = torch.tensor(batch).unsqueeze(1).to(device)
            outputs.append(network(inputs).flatten(1).cpu().numpy())
    return np.concatenate(outputs)

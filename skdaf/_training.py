"""The training loop: tensors and networks, neither paths nor scikit-learn."""

import copy
import math
import threading
import time
import warnings
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field
from functools import partial

import numpy as np
import torch

from skdaf._augmentation import mix
from skdaf._networks import get_weights, seed_dropout, set_weights

# Share of the steps in which the learning rate rises.
_WARM_UP = 0.25

# Seconds within which a second interruption stops more than one fit.
_INTERRUPTS_APART = 10.0
_last_interrupt = -math.inf

# Clips that go through a network together when it is not trained.
_EVALUATION_BATCH = 32

# Clips that are worth a thread of their own in every step of training.
_SMALLEST_PART = 16


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

    def record(self, values):
        for name, value in values.items():
            self.history.setdefault(name, []).append(value)

    def keep_if_best(self, loss, network):
        if loss < self.best_loss:
            self.best_epoch, self.best_loss = self.n_epochs, loss
            self.best_weights = get_weights(network)


class _SingleTorchThread:
    """Run torch on one thread, so that sums come out alike however many cores there are.

    Entering returns how many threads torch had before.
    """

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
        return self._before

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


def resolve_precision(precision, device):
    """Turn "auto" into the quicker of the precisions that are known to learn as well."""
    if precision != "auto":
        return precision
    # Without these instructions bfloat16 is emulated, and slower than float32.
    is_native = device == "cpu" and getattr(torch.cpu, "_is_avx512_bf16_supported", bool)()
    return "bfloat16" if is_native else "float32"


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
    try:
        with (
            single_torch_thread as n_threads,
            _Loop(
                network.to(plan.device), examples, objective, plan, len(rows), seed, n_threads
            ) as loop,
        ):
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


class _Learner:
    """One thread's share of the work: a network, or a twin that has the same weights.

    Twins have gradients, running statistics and random numbers of their own.
    """

    def __init__(self, network, examples, objective, plan, seed):
        self.network, self.examples, self.objective, self.plan = network, examples, objective, plan
        self.generator = torch.Generator().manual_seed(seed)
        seed_dropout(network, seed, plan.device)

    def learn(self, rows, n_rows):
        """Add the gradients of some of a batch's `n_rows`; return the sums of loss and score."""
        inputs, targets = self.examples.batch(rows, self.plan.device)
        if self.plan.augment is not None:
            inputs = _augmented(self.plan.augment, inputs, self.generator)
        if self.plan.mixup:
            as_shares = self.objective.as_shares
            targets = targets if as_shares is None else as_shares(targets)
            inputs, targets = mix(inputs, targets, self.generator)
        with torch.autocast(
            torch.device(self.plan.device).type,
            dtype=torch.bfloat16,
            enabled=self.plan.precision == "bfloat16",
        ):
            outputs = self.network(inputs.to(self.plan.device).unsqueeze(1)).float()
        loss = self.objective.loss(outputs, targets)
        (loss * (len(rows) / n_rows)).backward()
        return self._sums(loss, outputs.detach(), targets)

    def judge(self, batches):
        """Return the sums of loss and score over several batches, as a prediction would be."""
        sums = np.zeros(2)
        with torch.inference_mode():
            for rows in batches:
                inputs, targets = self.examples.batch(rows, self.plan.device)
                outputs = self.network(inputs.to(self.plan.device).unsqueeze(1))
                sums += self._sums(self.objective.loss(outputs, targets), outputs, targets)
        return sums

    def _sums(self, loss, outputs, targets):
        score = self.objective.score
        score = 0.0 if score is None else score(outputs, targets)
        return np.array([loss.item(), score]) * len(targets)


class _Loop:
    """A network, its optimizer, and the epochs they go through.

    Every batch is cut into the same parts whatever the number of threads, so that the sums, and
    with them all weights, come out alike: a twin of the network works on each part.
    """

    def __init__(self, network, examples, objective, plan, n_rows, seed, n_threads):
        self.network, self.objective, self.plan = network, objective, plan
        self.shuffle = np.random.default_rng(seed)
        # At least two clips a batch: statistics of one are none.
        self.n_batches = max(1, min(math.ceil(n_rows / plan.batch_size), n_rows // 2))
        network[: plan.n_frozen].requires_grad_(False)
        is_split = plan.device == "cpu" and n_rows // self.n_batches >= 2 * _SMALLEST_PART
        self.learners = [
            _Learner(one, examples, objective, plan, seed + number)
            for number, one in enumerate([network, _twin(network)] if is_split else [network])
        ]
        learned = [parameter for parameter in network.parameters() if parameter.requires_grad]
        # Elsewhere torch knows better what the device can do.
        fused = True if plan.device == "cpu" else None
        self.optimizer = torch.optim.AdamW(
            learned, lr=plan.learning_rate, weight_decay=plan.weight_decay, fused=fused
        )
        n_steps = plan.max_epochs * self.n_batches
        self.schedule = torch.optim.lr_scheduler.LambdaLR(
            self.optimizer, lambda step: one_cycle(step, n_steps)
        )
        n_others = min(len(self.learners), n_threads) - 1
        self.pool = (
            ThreadPoolExecutor(n_others, initializer=torch.set_num_threads, initargs=(1,))
            if n_others
            else None
        )

    def __enter__(self):
        return self

    def __exit__(self, *exception):
        if self.pool is not None:
            self.pool.shutdown()

    def epochs(self, rows, validation_rows, progress):
        """Yield the values of each epoch until it is time to stop."""
        for epoch in range(1, self.plan.max_epochs + 1):
            values = {"learning_rate": self.optimizer.param_groups[0]["lr"]}
            values.update(self._values("train", self._learn(rows, epoch), len(rows)))
            if validation_rows is not None:
                sums = self._judge(validation_rows)
                self._check(sums[0], epoch, "validation")
                values.update(self._values("valid", sums, len(validation_rows)))
            progress.record(values)
            # Without validation every epoch counts as better than the one before.
            progress.keep_if_best(values.get("valid_loss", -epoch), self.network)
            yield values
            patience = self.plan.patience
            if patience is not None and progress.n_epochs - progress.best_epoch >= patience:
                break

    def _learn(self, rows, epoch):
        """Go once through the examples; return the sums of loss and score."""
        for learner in self.learners:
            learner.network.train()
            # Frozen layers keep their running statistics too.
            learner.network[: self.plan.n_frozen].eval()
        total = np.zeros(2)
        for batch in np.array_split(self.shuffle.permutation(rows), self.n_batches):
            self._forget_gradients()
            parts = np.array_split(batch, len(self.learners))
            sums = self._all(partial(_Learner.learn, n_rows=len(batch)), parts)
            self._check(sums[0], epoch, "training")
            self._add_gradients()
            self.optimizer.step()
            self.schedule.step()
            total += sums
        self._share_statistics()
        return total

    def _judge(self, rows):
        for learner in self.learners:
            learner.network.eval()
        batches, n = _in_batches(rows), len(self.learners)
        return self._all(_Learner.judge, [batches[number::n] for number in range(n)])

    def _all(self, function, parts):
        """Return the sum of `function(learner, part)`, the first in this thread."""
        pairs = list(zip(self.learners, parts, strict=True))
        if self.pool is None:
            return sum(function(*pair) for pair in pairs)
        others = [self.pool.submit(function, *pair) for pair in pairs[1:]]
        return sum([function(*pairs[0]), *(other.result() for other in others)])

    def _forget_gradients(self):
        for learner in self.learners:
            learner.network.zero_grad(set_to_none=True)

    def _add_gradients(self):
        for learner in self.learners[1:]:
            pairs = zip(self.network.parameters(), learner.network.parameters(), strict=True)
            for parameter, other in pairs:
                # A layer that is skipped at random may have been used by some of the parts only.
                if parameter.grad is None:
                    parameter.grad = other.grad
                elif other.grad is not None:
                    parameter.grad.add_(other.grad)

    def _share_statistics(self):
        """Give all twins the mean of their running statistics."""
        for buffers in zip(*(learner.network.buffers() for learner in self.learners), strict=True):
            if buffers[0].is_floating_point():
                mean = torch.stack(buffers).mean(dim=0)
                for buffer in buffers:
                    buffer.copy_(mean)

    def _values(self, name, sums, n_examples):
        loss, score = (sums / n_examples).tolist()
        values = {f"{name}_loss": loss}
        return values if self.objective.score is None else {**values, f"{name}_score": score}

    def _check(self, loss, epoch, name):
        if not math.isfinite(loss):
            raise ValueError(
                f"The {name} loss became {loss} in epoch {epoch}. The usual cause is too high a "
                f"learning rate (learning_rate={self.plan.learning_rate:g}): try a tenth of it."
            )


def _twin(network):
    """Return a copy of a network that shares its parameters."""
    twin = copy.deepcopy(network)
    for own, shared in zip(twin.parameters(), network.parameters(), strict=True):
        own.data = shared.data
    return twin


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

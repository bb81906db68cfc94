"""The inside of training: batches, the threads that share them, and epochs."""

import copy
import math
from concurrent.futures import ThreadPoolExecutor
from functools import partial

import numpy as np
import torch

from skdaf._core.contexts import leave_if_closing
from skdaf._networks.building import put_arrays, seed_dropout, to_arrays
from skdaf._networks.device import use_one_torch_thread
from skdaf._training.augmentation import mix
from skdaf._training.optimizer import AdamW, one_cycle

# Clips that go through a network together when it is not trained.
EVALUATION_BATCH = 32

# Clips that are worth a thread of their own in every step of training.
_SMALLEST_PART = 8


class _Learner:
    """One thread's share of the work: a network, or a twin that has the same weights.

    Twins have gradients, running statistics and random numbers of their own.
    """

    def __init__(self, network, examples, objective, plan, seed):
        self.network, self.examples, self.objective, self.plan = network, examples, objective, plan
        self.generator = torch.Generator().manual_seed(seed)
        self.dropout = seed_dropout(network, seed, plan.device)

    def learn(self, rows, n_rows):
        """Find the gradients of some of a batch's `n_rows`; return the sums of loss and score."""
        leave_if_closing()
        self.network.zero_grad(set_to_none=True)
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

    def state(self):
        """Return what it has of its own: running statistics and random numbers."""
        return {
            "statistics": to_arrays(self.network.buffers()),
            "generator": self.generator.get_state().numpy(),
            "dropout": self.dropout.get_state().numpy(),
        }

    def restore(self, state):
        put_arrays(self.network.buffers(), state["statistics"])
        self.generator.set_state(torch.tensor(state["generator"]))
        self.dropout.set_state(torch.tensor(state["dropout"]))

    def judge(self, batches):
        """Return the sums of loss and score over several batches, as a prediction would be."""
        sums = np.zeros(2)
        with torch.inference_mode():
            for rows in batches:
                leave_if_closing()
                inputs, targets = self.examples.batch(rows, self.plan.device)
                outputs = self.network(inputs.to(self.plan.device).unsqueeze(1))
                sums += self._sums(self.objective.loss(outputs, targets), outputs, targets)
        return sums

    def _sums(self, loss, outputs, targets):
        score = self.objective.score
        score = 0.0 if score is None else score(outputs, targets)
        return np.array([loss.item(), score]) * len(targets)


class _Updater:
    """One thread's share of the parameters, and the optimizer that changes them."""

    def __init__(self, owned, plan):
        # The same parameter in the network and in its twins.
        self.owned = owned
        # Elsewhere than on a CPU, fused steps are not there for every device.
        self.optimizer = AdamW(
            [first for first, *_ in owned], plan.weight_decay, fused=plan.device == "cpu"
        )

    def update(self, learning_rate):
        for first, *others in self.owned:
            for other in others:
                # A layer that is skipped at random may have been used by some twins only.
                if first.grad is None:
                    first.grad = other.grad
                elif other.grad is not None:
                    first.grad.add_(other.grad)
        self.optimizer.step(learning_rate)


class Loop:
    """A network, its optimizer, and the epochs they go through.

    Every batch is cut into the same parts whatever the number of threads, so that the sums, and
    with them all weights, come out alike: a twin of the network works on each part.
    """

    def __init__(self, network, examples, objective, plan, n_rows, seed, n_threads):
        self.network, self.objective, self.plan = network, objective, plan
        self.shuffle = np.random.default_rng(seed)
        # At least two clips a batch: statistics of one are none.
        self.n_batches = max(1, min(math.ceil(n_rows / plan.batch_size), n_rows // 2))
        self.n_steps = 0
        network[: plan.n_frozen].requires_grad_(False)
        is_split = plan.device == "cpu" and n_rows // self.n_batches >= 2 * _SMALLEST_PART
        networks = [network, _twin(network)] if is_split else [network]
        self.learners = [
            _Learner(one, examples, objective, plan, seed + number)
            for number, one in enumerate(networks)
        ]
        self.updaters = [_Updater(owned, plan) for owned in _shared_out(networks)]
        n_others = min(len(self.learners), n_threads) - 1
        self.pool = (
            ThreadPoolExecutor(n_others, "skdaf-training", use_one_torch_thread)
            if n_others
            else None
        )

    def __enter__(self):
        return self

    def __exit__(self, *exception):
        if self.pool is not None:
            self.pool.shutdown()

    def state(self):
        """Return all that the next epoch depends on, as arrays and plain values."""
        return {
            "n_steps": self.n_steps,
            "shuffle": self.shuffle.bit_generator.state,
            "parameters": to_arrays(self.network.parameters()),
            "learners": [learner.state() for learner in self.learners],
            "optimizers": [to_arrays(updater.optimizer.tensors()) for updater in self.updaters],
        }

    def restore(self, state):
        """Go on from where another loop of the same training was."""
        self.n_steps = int(state["n_steps"])
        self.shuffle.bit_generator.state = state["shuffle"]
        put_arrays(self.network.parameters(), state["parameters"])
        for learner, own in zip(self.learners, state["learners"], strict=True):
            learner.restore(own)
        for updater, arrays in zip(self.updaters, state["optimizers"], strict=True):
            put_arrays(updater.optimizer.tensors(), arrays)

    def is_over(self, progress):
        """Return whether it is time to stop."""
        n_vain = progress.n_epochs - progress.best_epoch
        is_vain = self.plan.patience is not None and n_vain >= self.plan.patience
        return is_vain or progress.n_epochs >= self.plan.max_epochs

    def epochs(self, rows, validation_rows, progress):
        """Yield the values of each epoch until it is time to stop."""
        while not self.is_over(progress):
            epoch = progress.n_epochs + 1
            values = {"learning_rate": float(self._learning_rate())}
            values.update(self._values("train", self._learn(rows, epoch), len(rows)))
            if validation_rows is not None:
                sums = self._judge(validation_rows)
                self._check(sums[0], epoch, "validation")
                values.update(self._values("valid", sums, len(validation_rows)))
            progress.record(values)
            # Without validation every epoch counts as better than the one before.
            progress.keep_if_best(values.get("valid_loss", -epoch), self.network)
            yield values

    def _learning_rate(self):
        n_steps = self.plan.max_epochs * self.n_batches
        return self.plan.learning_rate * one_cycle(self.n_steps, n_steps)

    def _learn(self, rows, epoch):
        """Go once through the examples; return the sums of loss and score."""
        for learner in self.learners:
            learner.network.train()
            # Frozen layers keep their running statistics too.
            learner.network[: self.plan.n_frozen].eval()
        total = np.zeros(2)
        for batch in np.array_split(self.shuffle.permutation(rows), self.n_batches):
            sums = sum(self._each(self.learners, "learn", self._parts(batch), len(batch)))
            self._check(sums[0], epoch, "training")
            rate = self._learning_rate()
            self._each(self.updaters, "update", [rate] * len(self.updaters))
            self.n_steps += 1
            total += sums
        self._share_statistics()
        return total

    def _parts(self, batch):
        return np.array_split(batch, len(self.learners))

    def _judge(self, rows):
        for learner in self.learners:
            learner.network.eval()
        batches, n = _in_batches(rows), len(self.learners)
        return sum(self._each(self.learners, "judge", [batches[number::n] for number in range(n)]))

    def _each(self, workers, method, parts, *args):
        """Return what a method of each worker makes of its part, the first in this thread."""
        calls = [
            partial(getattr(worker, method), part, *args)
            for worker, part in zip(workers, parts, strict=True)
        ]
        others = [self._start(call) for call in calls[1:]]
        return [calls[0](), *(result() for result in others)]

    def _start(self, call):
        """Let the pool make a call; return a function that waits for its result."""
        if self.pool is not None:
            try:
                return self.pool.submit(call).result
            except RuntimeError:
                # Once the main thread has ended pools take no more work, but other threads may
                # still train: this one does everything by itself, with the same result.
                self.pool = None
        return call

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


def _shared_out(networks):
    """Deal the parameters that are learned to as many hands, of about the same size."""
    hands = [[] for _ in networks]
    learned = [
        same
        for same in zip(*(n.parameters() for n in networks), strict=True)
        if same[0].requires_grad
    ]
    for same in sorted(learned, key=lambda same: -same[0].numel()):
        min(hands, key=lambda hand: sum(first.numel() for first, *_ in hand)).append(same)
    return hands


def _augmented(augment, inputs, generator):
    outputs = augment(inputs, generator)
    if not isinstance(outputs, torch.Tensor) or outputs.shape != inputs.shape:
        got = getattr(outputs, "shape", type(outputs).__name__)
        raise TypeError(
            f"augment must return a tensor of the shape of its batch, {tuple(inputs.shape)}; "
            f"got {got if isinstance(got, str) else tuple(got)}."
        )
    return outputs


def _in_batches(rows):
    return np.array_split(rows, math.ceil(len(rows) / EVALUATION_BATCH))

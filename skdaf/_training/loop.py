"""The training loop: epochs, steps and the schedule of the learning rate."""

import math
from collections.abc import Callable, Iterator, Mapping
from typing import Any

import numpy as np

from skdaf._networks.inference import evaluation_batch
from skdaf._networks.threads import WorkerThreads
from skdaf._networks.weights import load_arrays, to_arrays
from skdaf._training.optimizers import make_optimizer
from skdaf._training.replicas import (
    Replica,
    average_statistics,
    make_replicas,
)
from skdaf._training.run import TrainingRun
from skdaf._training.sampling import draw_by_weight
from skdaf._training.state import TrainingState

# A second thread pays off with at least this many clips, and values of spectrograms, per thread in
# every step. Less work takes less time than starting the operations of torch.
_MIN_CLIPS_PER_THREAD = 8
_MIN_VALUES_PER_THREAD = 20_000

# Share of the steps during which the learning rate rises.
_WARM_UP = 0.25


class Loop:
    """The epochs of a training run, on replicas of its network.

    Use it as a context manager, which shuts down the worker threads at the end. After each batch,
    it calls `report_batch` with the share of the batches of the epoch that are done.
    """

    def __init__(
        self,
        run: TrainingRun,
        n_threads: int,
        report_batch: Callable[[float], None] | None = None,
    ):
        self.run, self.report_batch = run, report_batch
        self.shuffle = np.random.default_rng(run.seed)
        n_rows, plan = len(run.train_rows), run.plan
        # Batch norm needs at least two clips per batch.
        self.n_batches = max(1, min(math.ceil(n_rows / plan.batch_size), n_rows // 2))
        self.n_steps = 0
        run.network[: plan.n_frozen].requires_grad_(False)
        self.replicas = make_replicas(run, 2 if self._is_split(n_rows // self.n_batches) else 1)
        self.optimizer = make_optimizer(run, self.replicas)
        self.workers = WorkerThreads(min(len(self.replicas), n_threads))

    def _is_split(self, n_clips):
        """Return whether batches of this many clips are split into halves."""
        # Two halves would not be faster on a GPU, which has threads of its own.
        if self.run.plan.device != "cpu" or n_clips < 2 * _MIN_CLIPS_PER_THREAD:
            return False
        n_values = n_clips * math.prod(self.run.examples.inputs.shape[1:])
        return n_values >= 2 * _MIN_VALUES_PER_THREAD

    def __enter__(self):
        return self

    def __exit__(self, *exception):
        self.workers.shutdown()

    def state_dict(self) -> dict[str, Any]:
        """Return everything that the next epoch depends on, as arrays and plain values."""
        return {
            "n_steps": self.n_steps,
            "shuffle": self.shuffle.bit_generator.state,
            "parameters": to_arrays(self.run.network.parameters()),
            # The keys are names in checkpoint files, which must not change.
            "replicas": [replica.state_dict() for replica in self.replicas],
            "optimizers": self.optimizer.state(),
        }

    def load_state_dict(self, state: dict[str, Any]) -> None:
        """Continue from the state of another loop of the same run."""
        self.n_steps = int(state["n_steps"])
        self.shuffle.bit_generator.state = state["shuffle"]
        load_arrays(self.run.network.parameters(), state["parameters"])
        for replica, own in zip(self.replicas, state["replicas"], strict=True):
            replica.load_state_dict(own)
        self.optimizer.load_state(state["optimizers"])

    def optimizer_state(self) -> dict[str, Any]:
        """Return the state of the optimizer.

        Unlike that in `state_dict`, it fits loops with other batches, or other frozen layers.
        """
        return self.optimizer.named_state(self.run.network)

    def load_optimizer_state(self, state: Mapping[str, Any]) -> None:
        """Continue with the state of another loop; it may lack some of the weights."""
        self.optimizer.load_named_state(self.run.network, state)

    def is_finished(self, state: TrainingState) -> bool:
        """Return whether the last epoch is over, or the validation loss stopped improving."""
        plan = self.run.plan
        n_without_improvement = state.n_epochs - state.best_epoch
        is_stopped = plan.patience is not None and n_without_improvement >= plan.patience
        return is_stopped or state.n_epochs >= plan.max_epochs

    def epochs(self, state: TrainingState) -> Iterator[dict[str, float]]:
        """Run epochs until the training is finished; record and yield the values of each."""
        while not self.is_finished(state):
            epoch = state.n_epochs + 1
            values = {"learning_rate": float(self.optimizer.peak * self._schedule())}
            means = self._train_epoch(epoch)
            values.update(self._values("train", means))
            if self.run.validation_rows is not None:
                means = self._evaluate(self.run.validation_rows)
                self._check_finite(means[0], epoch, "validation")
                values.update(self._values("valid", means))
            state.record(values)
            state.keep_if_best(self._value_to_minimize(values, epoch), self.run.network)
            yield values

    def _value_to_minimize(self, values, epoch):
        if self.run.validation_rows is None:
            # Every epoch counts as better than the previous one.
            return -epoch
        is_score = self.run.plan.scoring == "score"
        return -values["valid_score"] if is_score else values["valid_loss"]

    def _schedule(self):
        """Return the current share of the peak learning rate."""
        plan = self.run.plan
        if plan.constant_share is not None:
            return plan.constant_share
        return one_cycle(self.n_steps, plan.max_epochs * self.n_batches)

    def _train_epoch(self, epoch):
        """Go through the training examples once; return the means of loss and score."""
        plan = self.run.plan
        changes_clips = epoch <= plan.max_epochs - plan.n_unchanged_epochs
        for replica in self.replicas:
            replica.set_mode(training=True, changes_clips=changes_clips)
        total = np.zeros(2)
        order = self.shuffle.permutation(self._rows_of_epoch())
        for n_done, batch in enumerate(np.array_split(order, self.n_batches), 1):
            sums = self._train_step(batch)
            self._check_finite(sums[0], epoch, "training")
            self._update_parameters()
            total += sums
            if self.report_batch is not None:
                self.report_batch(n_done / self.n_batches)
        average_statistics(self.replicas)
        return total / len(order)

    def _rows_of_epoch(self):
        rows, weights = self.run.train_rows, self.run.train_weights
        return rows if weights is None else draw_by_weight(rows, weights, self.shuffle.uniform())

    def _train_step(self, batch):
        """Compute the gradients of a batch; return the sums of loss and score."""
        n = len(self.replicas)
        parts = np.array_split(batch, n)
        return sum(self.workers.map(Replica.train_step, self.replicas, parts, [len(batch)] * n))

    def _update_parameters(self):
        self.optimizer.step(self._schedule(), self.workers)
        self.n_steps += 1

    def _evaluate(self, rows):
        """Return the means of loss and score over examples, without training."""
        for replica in self.replicas:
            replica.set_mode(training=False)
        plan, input_shape = self.run.plan, self.run.examples.inputs.shape[1:]
        n_batches = math.ceil(len(rows) / evaluation_batch(input_shape, plan.device))
        batches = np.array_split(rows, n_batches)
        n = len(self.replicas)
        shares = [batches[index::n] for index in range(n)]
        return sum(self.workers.map(Replica.evaluate, self.replicas, shares)) / len(rows)

    def _values(self, name, means):
        loss, score = means.tolist()
        values = {f"{name}_loss": loss}
        has_score = self.run.objective.score is not None
        return {**values, f"{name}_score": score} if has_score else values

    def _check_finite(self, loss, epoch, name):
        if not math.isfinite(loss):
            rate = self.optimizer.peak
            raise ValueError(
                f"The {name} loss became {loss} in epoch {epoch}. The learning rate is probably "
                f"too high: try a tenth of learning_rate={rate:g}."
            )


def one_cycle(step: int, n_steps: int) -> float:
    """Return the factor of the learning rate at a step: a linear rise, then half a cosine."""
    rise = _WARM_UP * n_steps
    if step < rise:
        return (step + 1) / (rise + 1)
    done = (step - rise) / max(n_steps - rise, 1)
    return 0.5 * (1.0 + math.cos(math.pi * min(done, 1.0)))

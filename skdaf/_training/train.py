"""Train a network from the first epoch or a checkpoint to the last epoch or an interruption."""

import math
import sys
import time
from collections.abc import Callable, Mapping
from contextlib import contextmanager

from numpy.typing import NDArray
from torch import nn

from skdaf._core.interruption import SECOND_INTERRUPT_WITHIN, TrainingInterrupted
from skdaf._core.parallel import is_worker_thread
from skdaf._core.user_warnings import warn_user
from skdaf._networks.device import reproducible, single_torch_thread, without_autocast
from skdaf._networks.weights import get_weights, set_weights
from skdaf._training.checkpoint import Checkpoint
from skdaf._training.loop import Loop
from skdaf._training.placement import place_examples
from skdaf._training.run import TrainingRun
from skdaf._training.state import TrainingState, is_stored_state

_last_interrupt = -math.inf

# The modules of scikit-learn that fit an estimator to measure it, for cross-validation and
# searches. The final fit of a search is not among them.
_MEASURING = {
    "sklearn.model_selection._classification_threshold",
    "sklearn.model_selection._validation",
}


def train(
    run: TrainingRun,
    *,
    report: Callable[[dict[str, float]], bool | None] | None = None,
    report_batch: Callable[[float], None] | None = None,
    checkpoint: Checkpoint | None = None,
) -> TrainingState:
    """Train a network in place; leave it with the weights of its best epoch, on the CPU.

    Parameters
    ----------
    run : TrainingRun
    report : callable, default=None
        Called with the values of each finished epoch. If it returns True, training ends.
    report_batch : callable, default=None
        Called after each batch with the share of the epoch that is done, from 0 to 1.
    checkpoint : Checkpoint, default=None
        Training continues from its `state`, and writes to it after each epoch.

    Returns
    -------
    TrainingState
    """
    network = run.network
    state = TrainingState() if checkpoint is None else _stored_state(checkpoint, network)
    try:
        _run_epochs(run, state, report, report_batch, checkpoint)
    except KeyboardInterrupt:
        # The score of a fit that was cut short would be compared with those of whole fits. The
        # second interruption in quick succession also stops what else is around a fit.
        if state.n_epochs == 0 or _is_measured() or _is_second_interrupt():
            raise
        warn_user(TrainingInterrupted(state.n_epochs + 1, state.best_epoch))
    network.to("cpu")
    if state.best_weights is not None:
        set_weights(network, state.best_weights)
    network.eval()
    return state


def count_stored_epochs(checkpoint: Checkpoint | None, network: nn.Module) -> int:
    """Return how many epochs `train` reports from a checkpoint before it runs new ones."""
    return 0 if checkpoint is None else _stored_state(checkpoint, network).n_epochs


def _run_epochs(run, state, report, report_batch, checkpoint):
    """Run the remaining epochs, and report all of them."""
    run.network.to(run.plan.device)
    with _loop(run, report_batch) as loop:
        if state.n_epochs and not loop.is_finished(state):
            _resume(loop, checkpoint)
        for values in _all_epochs(loop, state, checkpoint):
            if report is not None and report(values):
                break


def train_one_epoch(
    run: TrainingRun,
    optimizer_state: Mapping[str, NDArray],
    *,
    report: Callable[[dict[str, float]], bool | None] | None = None,
    report_batch: Callable[[float], None] | None = None,
) -> tuple[TrainingState, dict[str, NDArray]]:
    """Train a network in place for one epoch; leave it on the CPU.

    Parameters
    ----------
    run : TrainingRun
    optimizer_state : dict of arrays
        The state that an earlier call returned; empty for a new optimizer.
    report : callable, default=None
        Called with the values of the epoch.
    report_batch : callable, default=None
        Called after each batch, as in `train`.

    Returns
    -------
    state : TrainingState
    optimizer_state : dict of arrays
    """
    state = TrainingState()
    run.network.to(run.plan.device)
    with _loop(run, report_batch) as loop:
        loop.load_optimizer_state(optimizer_state)
        values = next(loop.epochs(state))
        new_state = loop.optimizer_state()
        if report is not None:
            report(values)
    run.network.to("cpu").eval()
    return state, new_state


@contextmanager
def _loop(run, report_batch):
    """Return a context with the loop of a run, with as many threads as are free."""
    with (
        single_torch_thread as n_threads,
        reproducible(run.plan.device),
        without_autocast(run.plan.device),
        Loop(
            place_examples(run),
            n_threads=1 if is_worker_thread() else n_threads,
            report_batch=report_batch,
        ) as loop,
    ):
        yield loop


def _all_epochs(loop, state, checkpoint):
    """Yield the values of the epochs in a checkpoint, then run and save the remaining ones."""
    yield from state.epochs()
    for values in loop.epochs(state):
        if checkpoint is not None:
            checkpoint.write(vars(state), None if loop.is_finished(state) else loop.state_dict())
        yield values


def _is_measured():
    """Return whether this fit is part of a cross-validation or a search of scikit-learn."""
    frame = sys._getframe()
    while frame is not None:
        if frame.f_globals.get("__name__") in _MEASURING:
            return True
        frame = frame.f_back
    return False


def _is_second_interrupt():
    """Return whether a fit was interrupted in the last seconds; record this interruption.

    The fits of a loop are separate calls, so the count cannot restart with each of them: the second
    interruption must stop a loop whose fits take less time than a keypress.
    """
    global _last_interrupt
    before, _last_interrupt = _last_interrupt, time.monotonic()
    return _last_interrupt - before < SECOND_INTERRUPT_WITHIN


def _stored_state(checkpoint, network):
    """Return the state in a checkpoint; raise ValueError if it does not fit the network."""
    if checkpoint.state is None:
        return TrainingState()
    if not is_stored_state(checkpoint.state["progress"]):
        raise ValueError(
            f"The checkpoint {str(checkpoint.path)!r} does not contain the progress of a fit, "
            "although its checksum is valid. Delete it to start from the beginning."
        )
    state = TrainingState(**checkpoint.state["progress"])
    if _shapes(state.best_weights) != _shapes(get_weights(network)):
        raise ValueError(
            f"The checkpoint {str(checkpoint.path)!r} contains a network with different layers, "
            "although the parameters are the same. Delete it to start from the beginning."
        )
    return state


def _shapes(weights):
    return {name: array.shape for name, array in weights.items()}


def _resume(loop, checkpoint):
    """Continue from the state in a checkpoint; raise ValueError if it does not fit the loop."""
    try:
        loop.load_state_dict(checkpoint.state["loop"])
    except Exception as error:  # a file with a valid checksum may contain anything
        raise ValueError(
            f"The checkpoint {str(checkpoint.path)!r} does not contain the state of this fit "
            f"({type(error).__name__}: {error}). Delete it to start from the beginning."
        ) from error

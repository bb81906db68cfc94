import threading
from concurrent.futures import ThreadPoolExecutor

import numpy as np
import pytest
import torch
from training_helpers import make_examples, make_run

from skdaf._networks.building import build_network
from skdaf._networks.device import single_torch_thread
from skdaf._training.loop import Loop, one_cycle
from skdaf._training.optimizers import AdamW


@pytest.mark.parametrize("kind", [{}, {"fused": True}, {"foreach": True}])
def test_steps_are_the_same_as_those_of_torch(kind):
    torch.manual_seed(0)
    ours = [torch.randn(5, 3, requires_grad=True), torch.randn(4, requires_grad=True)]
    theirs = [parameter.detach().clone().requires_grad_() for parameter in ours]
    optimizer = AdamW(ours, weight_decay=0.1, **{"fused": False, **kind})
    reference = torch.optim.AdamW(theirs, weight_decay=0.1, **{"foreach": False, **kind})
    for step in range(5):
        for parameter, other in zip(ours, theirs, strict=True):
            # The second parameter has a gradient only in every other step.
            used = parameter.ndim == 2 or step % 2
            parameter.grad = torch.randn(parameter.shape) if used else None
            other.grad = parameter.grad
        rate = 0.01 * (step + 1)
        reference.param_groups[0]["lr"] = rate
        optimizer.step(rate)
        reference.step()
    for parameter, other in zip(ours, theirs, strict=True):
        assert torch.equal(parameter, other)


def test_a_step_without_gradients_changes_nothing():
    frozen = torch.ones(3)
    AdamW([frozen], weight_decay=0.1, fused=True).step(0.1)
    AdamW([], weight_decay=0.1, fused=True).step(0.1)
    assert torch.equal(frozen, torch.ones(3))


def test_one_cycle_rises_then_falls_to_zero():
    rates = np.array([one_cycle(step, 100) for step in range(100)])
    assert 0 < rates[0] < 0.1
    assert np.argmax(rates) in (24, 25, 26)
    assert rates.max() <= 1
    assert (np.diff(rates[:25]) > 0).all()
    assert (np.diff(rates[26:]) < 0).all()
    assert rates[-1] < 0.01


@pytest.mark.parametrize("n_steps", [1, 2, 3])
def test_one_cycle_of_few_steps_has_a_positive_rate_in_each(n_steps):
    assert all(0 < one_cycle(step, n_steps) <= 1 for step in range(n_steps))


@pytest.mark.oldest
@pytest.mark.usefixtures("small_batches_are_split")
@pytest.mark.parametrize("where", ["single_torch_thread", "workers of a loop"])
def test_a_new_thread_uses_one_torch_thread_whatever_others_set(where):
    before = torch.get_num_threads()

    def number_after(wait):
        """Return the number of torch threads in a new thread, after another set its own."""
        wait()
        return torch.get_num_threads()

    def inside(wait):
        with single_torch_thread:
            return number_after(wait)

    def set_in_another_thread():
        other = threading.Thread(target=torch.set_num_threads, args=(3,))
        other.start()
        other.join()

    network = build_network("cnn", (12, 10), 2, {"channels": (4,)})
    run = make_run(network, make_examples(64))
    try:
        with (
            single_torch_thread,
            ThreadPoolExecutor(1) as pool,
            Loop(run, n_threads=2) as loop,
        ):
            if where == "single_torch_thread":
                number = pool.submit(inside, set_in_another_thread)
            else:
                number = loop.workers.pool.submit(number_after, set_in_another_thread)
            assert number.result() == 1
    finally:
        torch.set_num_threads(before)

"""Examples on a GPU: the same values, within the memory; all steps happen on one device."""

from contextlib import nullcontext
from dataclasses import replace

import numpy as np
import pytest
import torch
from helpers import same_weights
from training_helpers import make_examples, make_plan, make_run

from skdaf._networks.building import build_network
from skdaf._networks.weights import get_weights
from skdaf._training import optimizers, placement, replicas
from skdaf._training.augmentation import AUGMENTATION_NAMES, compose
from skdaf._training.loop import Loop
from skdaf._training.objectives import classification, reconstruction
from skdaf._training.placement import place_examples
from skdaf._training.run import Examples, PlacedExamples
from skdaf._training.train import train

SIZE = 60 * 12 * 10 * 4


@pytest.fixture
def gpu(monkeypatch):
    """Treat every device like a GPU, and return a function that sets its free memory."""
    monkeypatch.setattr(placement, "is_cuda", lambda device: True)

    def set_free(n_bytes):
        monkeypatch.setattr(torch.cuda, "mem_get_info", lambda device: (n_bytes, 2 * n_bytes))

    set_free(2**30)
    return set_free


def run_of(examples=None, plan=None, **changes):
    """Return a run of a small network, half of whose examples are held out."""
    options = {"channels": (4, 8), "hidden_units": (8,), "n_networks": 2}
    network = build_network("cnn", (12, 10), 2, options)
    augment, mixup = compose(AUGMENTATION_NAMES)
    rows = {"train_rows": np.arange(40), "validation_rows": np.arange(40, 60)}
    return make_run(
        network,
        examples or make_examples(),
        plan or make_plan(augment=augment, mixup=mixup, max_epochs=2),
        **{"objective": classification(np.ones(2, np.float32), 0.1), **rows, **changes},
    )


def test_training_on_placed_examples_gives_the_same_bytes(gpu):
    usual = run_of()
    state = train(usual)
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(placement, "is_cuda", lambda device: False)
        other = run_of()
        assert train(other).history == state.history
    assert same_weights(get_weights(usual.network), get_weights(other.network))


@pytest.mark.parametrize("dtype", [np.float32, np.float64])
def test_placed_batches_have_the_values_of_others(gpu, dtype):
    examples = make_examples()
    inputs = examples.inputs.astype(dtype)
    inputs.flags.writeable = False
    run = run_of(Examples(inputs, examples.targets), validation_examples=make_examples(seed=1))
    placed, rows = place_examples(run), np.array([5, 0, 59, 5])
    for name in ("examples", "validation_examples"):
        assert isinstance(getattr(placed, name), PlacedExamples)
        usual, ours = (getattr(one, name).batch(rows, "cpu") for one in (run, placed))
        assert all(map(torch.equal, usual, ours))
        assert getattr(placed, name).inputs.dtype == torch.float32


def test_large_arrays_are_placed_block_by_block(gpu, monkeypatch):
    monkeypatch.setattr("skdaf._core.arrays._BYTES_PER_BLOCK", 5000)
    run = run_of()
    placed = place_examples(run).examples
    np.testing.assert_array_equal(placed.inputs, run.examples.inputs)


def test_spectrograms_that_are_their_own_targets_are_placed_once(gpu):
    inputs = make_examples().inputs
    run = run_of(Examples(inputs, inputs), objective=reconstruction())
    gpu(4 * SIZE)
    placed = place_examples(run).examples
    assert placed.targets is placed.inputs


def test_examples_take_a_quarter_of_the_free_memory_at_most(gpu):
    run = run_of()
    needed = SIZE + run.examples.targets.nbytes
    for free, is_placed in ((4 * needed, True), (4 * needed - 4, False)):
        gpu(free)
        assert isinstance(place_examples(run).examples, PlacedExamples) == is_placed
    gpu(4 * needed)
    both = replace(run, validation_examples=make_examples())
    assert place_examples(both) is both


def test_examples_stay_where_they_are_without_a_gpu():
    run = run_of()
    assert place_examples(run) is run


@pytest.mark.parametrize("is_placed", [False, True])
def test_a_step_needs_no_tensor_on_another_device(gpu, monkeypatch, is_placed):
    # The device "meta" has shapes but no values; it refuses to work with tensors of the CPU.
    monkeypatch.setattr(replicas, "seed_dropout", lambda *args: torch.Generator())
    monkeypatch.setattr(torch, "autocast", lambda *args, **options: nullcontext())
    monkeypatch.setattr(replicas.Replica, "_sums", lambda *args: np.zeros(2))
    monkeypatch.setattr(optimizers, "is_cuda", lambda device: True)
    run = run_of()
    run = replace(run, plan=replace(run.plan, device="meta"))
    run.network.to("meta")
    gpu(2**30 if is_placed else 0)
    with Loop(place_examples(run), n_threads=2) as loop:
        assert len(loop.replicas) == 1
        loop._train_epoch(1)
        loop._evaluate(run.validation_rows)
    assert loop.n_steps == 3
    assert {weight.grad.device.type for weight in run.network.parameters()} == {"meta"}

import itertools
import math
import threading
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace

import numpy as np
import pytest
import torch
from torch import nn
from torch.nn import functional

from skdaf._networks.building import build_network
from skdaf._networks.device import single_torch_thread
from skdaf._networks.inference import apply_network
from skdaf._networks.weights import get_weights
from skdaf._training.loop import Loop
from skdaf._training.objectives import Objective, accuracy
from skdaf._training.run import Examples, Plan, TrainingRun
from skdaf._training.train import train

pytestmark = pytest.mark.oldest

OBJECTIVE = Objective(functional.cross_entropy, accuracy)


def make_examples(n=60, size=(12, 10), seed=0):
    """Two classes: loud low bins against loud high bins."""
    rng = np.random.default_rng(seed)
    targets = np.arange(n) % 2
    inputs = rng.standard_normal((n, *size)).astype(np.float32)
    half = size[1] // 2
    inputs[targets == 0, :, :half] += 1.5
    inputs[targets == 1, :, half:] += 1.5
    return Examples(inputs, targets)


def make_plan(**changes):
    values = {
        "max_epochs": 6,
        "batch_size": 16,
        "learning_rate": 1e-2,
        "weight_decay": 0.0,
        "patience": None,
        "device": "cpu",
    }
    return Plan(**{**values, **changes})


def make_run(network, examples, plan=None, **changes):
    values = {
        "network": network,
        "examples": examples,
        "objective": OBJECTIVE,
        "plan": plan or make_plan(),
        "train_rows": np.arange(len(examples.inputs)),
        "validation_rows": None,
        "seed": 0,
    }
    return TrainingRun(**{**values, **changes})


def fit(examples=None, plan=None, train_rows=None, validation_rows=None, *, seed=0, report=None):
    """Train a small network; return it and the final state."""
    examples = examples or make_examples()
    options = {"channels": (4, 8), "hidden_units": (8,)}
    network = build_network("cnn", examples.inputs.shape[1:], 2, options, seed)
    rows = np.arange(len(examples.inputs)) if train_rows is None else train_rows
    run = make_run(
        network, examples, plan, train_rows=rows, validation_rows=validation_rows, seed=seed
    )
    return network, train(run, report=report)


def same(weights, others):
    return all(np.array_equal(weights[name], others[name]) for name in weights)


def test_learns_to_tell_two_classes_apart():
    examples = make_examples()
    network, state = fit(examples)
    logits = apply_network(network, make_examples(seed=1).inputs, "cpu")
    assert (logits.argmax(1) == examples.targets).mean() > 0.95
    assert state.history["train_loss"][-1] < state.history["train_loss"][0] / 2


def test_history_has_one_value_an_epoch():
    _, state = fit(train_rows=np.arange(40), validation_rows=np.arange(40, 60))
    assert set(state.history) == {
        "learning_rate",
        "train_loss",
        "train_score",
        "valid_loss",
        "valid_score",
    }
    assert {len(values) for values in state.history.values()} == {6}
    assert state.n_epochs == 6


def test_best_epoch_is_the_one_of_lowest_validation_loss_and_its_weights_are_kept():
    examples = make_examples()
    # So high a rate that late epochs are worse than some early one.
    plan = make_plan(max_epochs=12, learning_rate=0.3)
    held_out = np.arange(40, 60)
    network, state = fit(examples, plan, train_rows=np.arange(40), validation_rows=held_out)
    losses = state.history["valid_loss"]
    assert state.best_epoch == 1 + int(np.argmin(losses))
    logits = torch.from_numpy(apply_network(network, examples.inputs[held_out], "cpu"))
    loss = functional.cross_entropy(logits, torch.from_numpy(examples.targets[held_out]))
    assert loss.item() == pytest.approx(min(losses), rel=1e-5)


def test_without_validation_the_last_epoch_counts():
    _, state = fit()
    assert state.best_epoch == state.n_epochs == 6
    assert "valid_loss" not in state.history


def test_stops_when_validation_has_not_improved_for_patience_epochs():
    examples = make_examples()
    # Labels of the held-out part are turned round: learning makes it worse and worse.
    examples.targets[40:] = 1 - examples.targets[40:]
    plan = make_plan(max_epochs=50, patience=3)
    _, state = fit(examples, plan, np.arange(40), np.arange(40, 60))
    assert state.n_epochs < 50
    assert state.n_epochs - state.best_epoch == 3


def test_held_out_examples_do_not_touch_the_weights():
    examples, others = make_examples(), make_examples()
    others.inputs[40:] = 0
    plan = make_plan(max_epochs=1)
    weights, other = (
        get_weights(fit(e, plan, np.arange(40), np.arange(40, 60))[0]) for e in (examples, others)
    )
    assert same(weights, other)


@pytest.mark.parametrize(
    ("n", "batch_size"), [(60, 16), (33, 16), (17, 16), (5, 2), (3, 2), (2, 64)]
)
def test_every_example_is_seen_once_an_epoch_and_never_alone(n, batch_size):
    seen = []

    class Spy(nn.Module):
        def forward(self, x):
            if self.training:
                seen.append(x[:, 0, 0, 0].tolist())
            return x

    inputs = np.arange(n, dtype=np.float32)[:, None, None].repeat(4, 1)
    network = nn.Sequential(Spy(), nn.Flatten(), nn.Linear(4, 2))
    plan = make_plan(max_epochs=1, batch_size=batch_size)
    examples = Examples(inputs, np.arange(n) % 2)
    train(make_run(network, examples, plan))
    assert sorted(itertools.chain(*seen)) == list(range(n))
    assert min(map(len, seen)) >= 2
    assert max(map(len, seen)) <= max(batch_size, 3)


def test_same_seed_same_bytes_and_another_seed_others():
    weights, again, other = (get_weights(fit(seed=seed)[0]) for seed in (1, 1, 2))
    assert same(weights, again)
    assert not same(weights, other)


@pytest.mark.parametrize("precision", ["float32", "bfloat16"])
def test_bytes_do_not_depend_on_the_number_of_torch_threads(precision):
    plan = make_plan(
        batch_size=40,
        precision=precision,
        augment=lambda x, g: x + 0.1 * torch.randn(x.shape, generator=g),
    )
    before = torch.get_num_threads()
    try:
        results = []
        for n_threads in (1, 2, 3):
            torch.set_num_threads(n_threads)
            network, state = fit(make_examples(120), plan, np.arange(80), np.arange(80, 120))
            results.append((get_weights(network), state.history))
            assert torch.get_num_threads() == n_threads
    finally:
        torch.set_num_threads(before)
    for weights, history in results[1:]:
        assert same(results[0][0], weights)
        assert history == results[0][1]


def without_statistics(seed=0):
    """Build a network in which no clip depends on the others of its batch."""
    torch.manual_seed(seed)
    return nn.Sequential(
        nn.Sequential(nn.Conv2d(1, 4, 3), nn.ReLU()),
        nn.Sequential(nn.Flatten(), nn.Linear(4 * 10 * 8, 2)),
    )


@pytest.mark.parametrize("n", [64, 63, 37])
def test_a_batch_in_parts_gives_the_gradients_of_the_whole(n, monkeypatch):
    weights = []
    for smallest_part in (8, 1000):
        monkeypatch.setattr("skdaf._training.loop._SMALLEST_PART", smallest_part)
        network = without_statistics()
        train(make_run(network, make_examples(n), make_plan(batch_size=n)))
        weights.append(get_weights(network))
    for name in weights[0]:
        np.testing.assert_allclose(weights[0][name], weights[1][name], atol=1e-4)


def test_layers_that_some_parts_of_a_batch_skip_learn_from_the_others():
    class Skipped(nn.Linear):
        def forward(self, x):
            return x if (x[0, 0] > 0) == self.skips else super().forward(x)

    examples = Examples(np.ones((32, 1, 4), np.float32), np.arange(32) % 2)
    examples.inputs[::2] = -1
    for skips in (True, False):
        layer = Skipped(4, 4)
        layer.skips = skips
        before = layer.weight.detach().clone()
        network = nn.Sequential(nn.Flatten(), layer, nn.Linear(4, 2))
        plan = make_plan(max_epochs=20, batch_size=32)
        train(make_run(network, examples, plan))
        assert not torch.equal(layer.weight, before)


def test_statistics_are_those_of_all_parts_of_a_batch():
    # A rate of zero but for rounding: the statistics are all that changes.
    plan = make_plan(max_epochs=60, batch_size=64, learning_rate=1e-12)
    examples = make_examples(64)
    norm = nn.BatchNorm2d(1)
    network = nn.Sequential(norm, nn.Sequential(nn.Flatten(), nn.Linear(120, 2)))
    train(make_run(network, examples, plan))
    assert norm.running_mean.item() == pytest.approx(examples.inputs.mean(), abs=0.01)
    assert norm.running_var.item() == pytest.approx(examples.inputs.var(), rel=0.02)
    assert norm.num_batches_tracked == 60


def test_small_batches_are_not_cut():
    sizes = []
    plan = make_plan(max_epochs=1, augment=lambda x, g: sizes.append(len(x)) or x)
    fit(plan=replace(plan, batch_size=15))
    assert sizes == [15] * 4
    sizes.clear()
    fit(plan=replace(plan, batch_size=60))
    assert sizes == [30, 30]


def test_bfloat16_learns_as_well_and_leaves_float32_weights():
    examples = make_examples(120)
    losses = {}
    for precision in ("float32", "bfloat16"):
        network, state = fit(examples, make_plan(batch_size=40, precision=precision))
        assert {p.dtype for p in network.parameters()} == {torch.float32}
        losses[precision] = state.history["train_loss"]
    assert losses["bfloat16"] != losses["float32"]
    np.testing.assert_allclose(losses["bfloat16"], losses["float32"], atol=0.05)


def test_global_generators_are_left_alone():
    torch.manual_seed(0)
    np.random.seed(0)
    expected = torch.rand(1), np.random.rand()
    torch.manual_seed(0)
    np.random.seed(0)
    fit(plan=make_plan(augment=lambda x, g: x + torch.randn(x.shape, generator=g)))
    assert (torch.rand(1), np.random.rand()) == expected


def test_read_only_memory_mapped_inputs_train_the_same(tmp_path):
    examples = make_examples()
    np.save(tmp_path / "inputs.npy", examples.inputs)
    mapped = Examples(np.load(tmp_path / "inputs.npy", mmap_mode="r"), examples.targets)
    assert same(get_weights(fit(examples)[0]), get_weights(fit(mapped)[0]))


def test_augmentation_is_for_learning_only():
    calls = []

    def count(batch, generator):
        calls.append(len(batch))
        return batch

    fit(None, make_plan(max_epochs=1, augment=count), np.arange(40), [40, 41])
    assert sum(calls) == 40


def test_a_diverging_loss_names_the_epoch_and_the_learning_rate():
    def diverge(logits, targets):
        return functional.cross_entropy(logits, targets) * math.nan

    examples = make_examples()
    network = build_network("cnn", (12, 10), 2, {"channels": (4,)})
    with pytest.raises(ValueError, match=r"loss became nan in epoch 1\..*learning_rate=0.01"):
        train(make_run(network, examples, objective=Objective(diverge)))


@pytest.fixture(autouse=True)
def no_interruption_before(monkeypatch):
    monkeypatch.setattr("skdaf._training.train._last_interrupt", -math.inf)


def test_interruption_keeps_the_best_epoch_and_warns():
    def interrupt(values):
        reports.append(values)
        if len(reports) == 3:
            raise KeyboardInterrupt

    reports = []
    with pytest.warns(UserWarning, match=r"interrupted in epoch 4.*best epoch so far \(3\)"):
        network, state = fit(report=interrupt)
    assert state.n_epochs == 3
    assert not network.training
    assert same(get_weights(network), state.best_weights)


def test_interruption_before_anything_is_learned_goes_through():
    def interrupt(batch, generator):
        raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        fit(plan=make_plan(augment=interrupt))


def test_a_second_interruption_soon_after_stops_everything(monkeypatch):
    def interrupt(values):
        raise KeyboardInterrupt

    with pytest.warns(UserWarning, match="Interrupt again within 10 s"):
        fit(report=interrupt)
    with pytest.raises(KeyboardInterrupt):
        fit(report=interrupt)
    monkeypatch.setattr("skdaf._training.train._INTERRUPTS_APART", 0.0)
    with pytest.warns(UserWarning, match="interrupted in epoch 2"):
        fit(report=interrupt)


@pytest.mark.parametrize(
    ("result", "shown"), [(None, "NoneType"), (torch.zeros(2, 3), r"\(2, 3\)"), (7, "int")]
)
def test_an_augmentation_that_returns_something_else_is_named(result, shown):
    with pytest.raises(TypeError, match=rf"augment must return a tensor .*got {shown}"):
        fit(plan=make_plan(augment=lambda batch, generator: result))


def test_outputs_do_not_depend_on_the_batch_beyond_rounding():
    network, _ = fit()
    inputs = make_examples(n=70).inputs
    together = apply_network(network, inputs, "cpu")
    alone = np.concatenate([apply_network(network, inputs[i : i + 1], "cpu") for i in range(70)])
    np.testing.assert_allclose(together, alone, atol=1e-5)


@pytest.mark.parametrize("where", ["single_torch_thread", "pool of a loop"])
def test_a_new_thread_keeps_to_one_torch_thread_whatever_others_set(where):
    before = torch.get_num_threads()

    def numbers(wait):
        """Tell the number in a thread that is new to torch, after others have set theirs."""
        wait()
        return torch.get_num_threads()

    def inside(wait):
        with single_torch_thread:
            return numbers(wait)

    def set_by_others():
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
                number = pool.submit(inside, set_by_others)
            else:
                number = loop.workers.pool.submit(numbers, set_by_others)
            assert number.result() == 1
    finally:
        torch.set_num_threads(before)

"""Training learns, keeps the best epoch, and gives the same bytes however it runs."""

import itertools
import math
from dataclasses import replace

import numpy as np
import pytest
import torch
from helpers import same_weights
from sklearn.model_selection import (
    GridSearchCV,
    TunedThresholdClassifierCV,
    cross_val_score,
    learning_curve,
)
from torch import nn
from torch.nn import functional
from training_helpers import (
    EpochCounter,
    make_classifier,
    make_examples,
    make_plan,
    make_run,
    make_spectrograms,
)

from skdaf._networks.building import build_network
from skdaf._networks.inference import apply_network
from skdaf._networks.weights import get_weights
from skdaf._training.objectives import Objective
from skdaf._training.run import Examples
from skdaf._training.train import train

pytestmark = [pytest.mark.oldest, pytest.mark.usefixtures("small_batches_are_split")]


def fit(examples=None, plan=None, train_rows=None, validation_rows=None, *, seed=0, **reports):
    """Train a small network; return it and the final state."""
    examples = examples or make_examples()
    options = {"channels": (4, 8), "hidden_units": (8,)}
    network = build_network("cnn", examples.inputs.shape[1:], 2, options, seed)
    rows = np.arange(len(examples.inputs)) if train_rows is None else train_rows
    run = make_run(
        network, examples, plan, train_rows=rows, validation_rows=validation_rows, seed=seed
    )
    return network, train(run, **reports)


def test_learns_to_separate_two_classes():
    examples = make_examples()
    network, state = fit(examples)
    logits = apply_network(network, make_examples(seed=1).inputs, "cpu")
    assert (logits.argmax(1) == examples.targets).mean() > 0.95
    assert state.history["train_loss"][-1] < state.history["train_loss"][0] / 2


def test_history_has_one_value_per_epoch():
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


def test_the_weights_of_the_lowest_validation_loss_are_kept():
    examples = make_examples()
    # With such a high rate, late epochs are worse than some earlier one.
    plan = make_plan(max_epochs=12, learning_rate=0.3)
    held_out = np.arange(40, 60)
    network, state = fit(examples, plan, train_rows=np.arange(40), validation_rows=held_out)
    losses = state.history["valid_loss"]
    assert state.best_epoch == 1 + int(np.argmin(losses))
    logits = torch.from_numpy(apply_network(network, examples.inputs[held_out], "cpu"))
    loss = functional.cross_entropy(logits, torch.from_numpy(examples.targets[held_out]))
    assert loss.item() == pytest.approx(min(losses), rel=1e-5)


def test_without_validation_the_last_epoch_is_kept():
    _, state = fit()
    assert state.best_epoch == state.n_epochs == 6
    assert "valid_loss" not in state.history


def test_stops_when_validation_has_not_improved_for_patience_epochs():
    examples = make_examples()
    # The labels of the validation part are swapped: training makes its loss worse and worse.
    examples.targets[40:] = 1 - examples.targets[40:]
    plan = make_plan(max_epochs=50, patience=3)
    _, state = fit(examples, plan, np.arange(40), np.arange(40, 60))
    assert state.n_epochs < 50
    assert state.n_epochs - state.best_epoch == 3


def test_validation_examples_do_not_change_the_weights():
    examples, others = make_examples(), make_examples()
    others.inputs[40:] = 0
    plan = make_plan(max_epochs=1)
    weights, other = (
        get_weights(fit(e, plan, np.arange(40), np.arange(40, 60))[0]) for e in (examples, others)
    )
    assert same_weights(weights, other)


@pytest.mark.parametrize(
    ("n", "batch_size"), [(60, 16), (33, 16), (17, 16), (5, 2), (3, 2), (2, 64)]
)
def test_every_example_is_seen_once_per_epoch_and_never_alone(n, batch_size):
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


def test_the_same_seed_gives_the_same_bytes_and_another_seed_other_bytes():
    weights, again, other = (get_weights(fit(seed=seed)[0]) for seed in (1, 1, 2))
    assert same_weights(weights, again)
    assert not same_weights(weights, other)


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
        assert same_weights(results[0][0], weights)
        assert history == results[0][1]


def test_autocast_around_a_training_has_no_effect():
    plan = make_plan(precision="float32")
    history = fit(make_examples(120), plan, np.arange(80), np.arange(80, 120))[1].history
    with torch.autocast("cpu", torch.bfloat16):
        inside = fit(make_examples(120), plan, np.arange(80), np.arange(80, 120))[1].history
    assert inside == history


def network_without_batch_norm(seed=0):
    """Build a network in which a clip does not depend on the others of its batch."""
    torch.manual_seed(seed)
    return nn.Sequential(
        nn.Sequential(nn.Conv2d(1, 4, 3), nn.ReLU()),
        nn.Sequential(nn.Flatten(), nn.Linear(4 * 10 * 8, 2)),
    )


@pytest.mark.parametrize("n", [64, 63, 37])
def test_a_split_batch_has_the_gradients_of_the_whole_batch(n, monkeypatch):
    weights = []
    for smallest_part in (8, 1000):
        monkeypatch.setattr("skdaf._training.loop._MIN_CLIPS_PER_THREAD", smallest_part)
        network = network_without_batch_norm()
        train(make_run(network, make_examples(n), make_plan(batch_size=n)))
        weights.append(get_weights(network))
    for name in weights[0]:
        np.testing.assert_allclose(weights[0][name], weights[1][name], atol=1e-4)


def test_layers_that_one_replica_skips_learn_from_the_other():
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


def test_running_statistics_cover_all_parts_of_a_batch():
    # With a learning rate of almost zero, only the running statistics change.
    plan = make_plan(max_epochs=60, batch_size=64, learning_rate=1e-12)
    examples = make_examples(64)
    norm = nn.BatchNorm2d(1)
    network = nn.Sequential(norm, nn.Sequential(nn.Flatten(), nn.Linear(120, 2)))
    train(make_run(network, examples, plan))
    assert norm.running_mean.item() == pytest.approx(examples.inputs.mean(), abs=0.01)
    assert norm.running_var.item() == pytest.approx(examples.inputs.var(), rel=0.02)
    assert norm.num_batches_tracked == 60


def test_small_batches_are_not_split(monkeypatch):
    sizes = []
    plan = make_plan(max_epochs=1, augment=lambda x, g: sizes.append(len(x)) or x)
    fit(plan=replace(plan, batch_size=15))
    assert sizes == [15] * 4
    sizes.clear()
    fit(plan=replace(plan, batch_size=60))
    assert sizes == [30, 30]
    sizes.clear()
    monkeypatch.setattr("skdaf._training.loop._MIN_VALUES_PER_THREAD", 30 * 120 + 1)
    fit(plan=replace(plan, batch_size=60))
    assert sizes == [60]


def test_bfloat16_learns_equally_well_and_keeps_float32_weights():
    examples = make_examples(120)
    losses = {}
    for precision in ("float32", "bfloat16"):
        network, state = fit(examples, make_plan(batch_size=40, precision=precision))
        assert {p.dtype for p in network.parameters()} == {torch.float32}
        losses[precision] = state.history["train_loss"]
    assert losses["bfloat16"] != losses["float32"]
    np.testing.assert_allclose(losses["bfloat16"], losses["float32"], atol=0.05)


def test_global_generators_do_not_change():
    torch.manual_seed(0)
    np.random.seed(0)
    expected = torch.rand(1), np.random.rand()
    torch.manual_seed(0)
    np.random.seed(0)
    fit(plan=make_plan(augment=lambda x, g: x + torch.randn(x.shape, generator=g)))
    assert (torch.rand(1), np.random.rand()) == expected


def test_read_only_memory_mapped_inputs_give_the_same_weights(tmp_path):
    examples = make_examples()
    np.save(tmp_path / "inputs.npy", examples.inputs)
    mapped = Examples(np.load(tmp_path / "inputs.npy", mmap_mode="r"), examples.targets)
    assert same_weights(get_weights(fit(examples)[0]), get_weights(fit(mapped)[0]))


def test_batches_are_reported_and_change_nothing():
    shares = []
    plan = make_plan(max_epochs=1, batch_size=8)
    reported, _ = fit(plan=plan, report_batch=shares.append)
    silent, _ = fit(plan=plan)
    assert len(shares) > 2
    assert shares == [n / len(shares) for n in range(1, len(shares) + 1)]
    assert same_weights(get_weights(reported), get_weights(silent))


def test_only_training_examples_are_augmented():
    calls = []

    def count(batch, generator):
        calls.append(len(batch))
        return batch

    fit(None, make_plan(max_epochs=1, augment=count), np.arange(40), [40, 41])
    assert sum(calls) == 40


def test_a_diverging_loss_names_the_epoch_and_the_learning_rate():
    def diverge(logits, targets):
        return functional.cross_entropy(logits, targets) * math.nan

    network = build_network("cnn", (12, 10), 2, {"channels": (4,)})
    run = make_run(network, make_examples(), objective=Objective(diverge))
    with pytest.raises(ValueError, match=r"nan in epoch 1\..*learning_rate=0.01"):
        train(run)


@pytest.fixture(autouse=True)
def no_earlier_interruption(monkeypatch):
    monkeypatch.setattr("skdaf._training.train._last_interrupt", -math.inf)


def test_an_interruption_keeps_the_best_epoch_and_warns():
    def interrupt(values):
        reports.append(values)
        if len(reports) == 3:
            raise KeyboardInterrupt

    reports = []
    with pytest.warns(UserWarning, match=r"interrupted in epoch 4.*best epoch .*\(3\)"):
        network, state = fit(report=interrupt)
    assert state.n_epochs == 3
    assert not network.training
    assert same_weights(get_weights(network), state.best_weights)


def test_an_interruption_in_the_first_epoch_is_raised():
    def interrupt(batch, generator):
        raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        fit(plan=make_plan(augment=interrupt))


def test_a_second_interruption_within_seconds_stops_everything(monkeypatch):
    def interrupt(values):
        raise KeyboardInterrupt

    with pytest.warns(UserWarning, match="within 10 s"):
        fit(report=interrupt)
    with pytest.raises(KeyboardInterrupt):
        fit(report=interrupt)
    monkeypatch.setattr("skdaf._training.train.SECOND_INTERRUPT_WITHIN", 0.0)
    with pytest.warns(UserWarning, match="interrupted in epoch 2"):
        fit(report=interrupt)


MEASURING = {
    "cross_val_score": lambda model, X, y: cross_val_score(model, X, y, cv=2),
    "learning_curve": lambda model, X, y: learning_curve(model, X, y, cv=2, train_sizes=[1.0]),
    "GridSearchCV": lambda model, X, y: GridSearchCV(model, {"weight_decay": [0.0, 0.1]}, cv=2).fit(
        X, y
    ),
    "TunedThresholdClassifierCV": lambda model, X, y: TunedThresholdClassifierCV(model, cv=2).fit(
        X, y
    ),
}


@pytest.mark.parametrize("name", MEASURING)
def test_one_interruption_stops_what_measures_fits(name, monkeypatch):
    X, y = make_spectrograms(32)
    epochs = EpochCounter(monkeypatch, stop=3, error=KeyboardInterrupt)
    with pytest.raises(KeyboardInterrupt):
        MEASURING[name](make_classifier(max_epochs=3), X, y)
    assert epochs.n == 2


def test_an_interruption_of_the_final_fit_of_a_search_keeps_the_best_epoch(monkeypatch):
    X, y = make_spectrograms(32)
    n_candidates, n_folds = 2, 2
    EpochCounter(monkeypatch, total=n_candidates * n_folds * 3 + 2, error=KeyboardInterrupt)
    search = GridSearchCV(make_classifier(max_epochs=3), {"weight_decay": [0.0, 0.1]}, cv=n_folds)
    with pytest.warns(UserWarning, match="interrupted in epoch 3"):
        search.fit(X, y)
    assert search.best_estimator_.n_epochs_ == 2
    assert search.predict(X).shape == (32,)


@pytest.mark.parametrize(
    ("result", "shown"), [(None, "NoneType"), (torch.zeros(2, 3), r"\(2, 3\)"), (7, "int")]
)
def test_an_augmentation_must_return_a_batch_of_the_same_shape(result, shown):
    with pytest.raises(TypeError, match=rf"augment .*got {shown}"):
        fit(plan=make_plan(augment=lambda batch, generator: result))

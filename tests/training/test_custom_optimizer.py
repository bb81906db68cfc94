"""Optimizers of torch that a user chooses."""

import collections
import functools

import numpy as np
import pytest
import torch
from helpers import same_weights
from own_networks import Momentum, ResidualNetwork, half_log_loss
from torch import nn
from training_helpers import (
    fit_results,
    fit_until,
    make_classifier,
    make_examples,
    make_plan,
    make_run,
    make_spectrograms,
    same_trees,
)

from skdaf._networks.building import build_network
from skdaf._networks.weights import get_weights
from skdaf._training.loop import one_cycle
from skdaf._training.train import train

pytestmark = [pytest.mark.oldest, pytest.mark.usefixtures("small_batches_are_split")]

SGD = functools.partial(torch.optim.SGD, momentum=0.9)


def train_with(optimizer, n=64, **plan):
    """Train a small network in one replica or two; return its weights and the final state."""
    network = build_network("cnn", (12, 10), 2, {"channels": (4, 8), "hidden_units": (8,)})
    plan = make_plan(optimizer=optimizer, **plan)
    state = train(make_run(network, make_examples(n), plan))
    return get_weights(network), state


def build_momentum_sgd(parameters):
    return torch.optim.SGD(parameters, lr=0.1, momentum=0.9)


OPTIMIZERS = [
    SGD,
    build_momentum_sgd,
    torch.optim.Adam,
    torch.optim.RMSprop,
    torch.optim.NAdam,
    Momentum,
]
if hasattr(torch.optim, "Adafactor"):  # came with torch 2.5
    OPTIMIZERS.append(torch.optim.Adafactor)


@pytest.mark.parametrize("optimizer", [torch.optim.AdamW, *OPTIMIZERS])
def test_it_learns(optimizer):
    _, state = train_with(optimizer, learning_rate=3e-2)
    assert state.history["train_loss"][-1] < 0.8 * state.history["train_loss"][0]


def test_the_adam_w_of_torch_is_the_default():
    found = []
    for optimizer in (None, torch.optim.AdamW):
        torch.manual_seed(0)
        network = nn.Sequential(nn.Flatten(), nn.Linear(120, 8), nn.ReLU(), nn.Linear(8, 2))
        plan = make_plan(optimizer=optimizer, weight_decay=0.1, batch_size=64)
        train(make_run(network, make_examples(64), plan))
        found.append(get_weights(network))
    for name in found[0]:
        np.testing.assert_allclose(found[1][name], found[0][name], atol=1e-5, err_msg=name)


@pytest.mark.parametrize("n_replicas", [1, 2])
def test_steps_are_those_of_the_optimizer_at_the_rates_of_the_schedule(n_replicas, monkeypatch):
    monkeypatch.setattr("skdaf._training.loop._MIN_CLIPS_PER_THREAD", 32 // n_replicas)
    examples = make_examples(32)
    network = nn.Sequential(nn.Flatten(), nn.Linear(120, 2))
    reference = nn.Linear(120, 2)
    reference.load_state_dict(network[1].state_dict())
    plan = make_plan(
        optimizer=SGD, learning_rate=0.05, weight_decay=0.01, max_epochs=5, batch_size=32
    )
    state = train(make_run(network, examples, plan))
    optimizer = torch.optim.SGD(reference.parameters(), lr=0.05, momentum=0.9, weight_decay=0.01)
    inputs, targets = (
        torch.from_numpy(examples.inputs).flatten(1),
        torch.from_numpy(examples.targets),
    )
    for step in range(5):
        optimizer.param_groups[0]["lr"] = 0.05 * one_cycle(step, 5)
        optimizer.zero_grad()
        nn.functional.cross_entropy(reference(inputs.flatten(1)), targets).backward()
        optimizer.step()
    torch.testing.assert_close(network[1].weight, reference.weight, atol=1e-5, rtol=1e-4)
    rates = [0.05 * one_cycle(step, 5) for step in range(5)]
    assert state.history["learning_rate"] == pytest.approx(rates)


def test_each_group_keeps_its_share_of_the_learning_rate():
    rates = []

    class Spy(torch.optim.SGD):
        def step(self):
            rates.append([group["lr"] for group in self.param_groups])
            super().step()

    def build(parameters):
        first, *others = parameters
        return Spy([{"params": [first], "lr": 0.01}, {"params": others}], lr=0.1)

    _, state = train_with(build, max_epochs=3)
    assert len(rates) == 12
    np.testing.assert_allclose([first / other for first, other in rates], 0.1)
    assert state.history["learning_rate"][0] == pytest.approx(rates[0][0])
    assert max(first for first, _ in rates) == pytest.approx(0.01, rel=0.2)


@pytest.mark.parametrize(
    ("build", "expected"),
    [
        (torch.optim.SGD, (0.02, 0.3)),
        (functools.partial(torch.optim.SGD, lr=0.5), (0.5, 0.3)),
        (functools.partial(torch.optim.SGD, weight_decay=0.0), (0.02, 0.0)),
        (build_momentum_sgd, (0.1, 0)),
        (lambda parameters, lr: torch.optim.SGD(parameters, lr=2 * lr), (0.04, 0)),
    ],
)
def test_it_gets_the_rate_and_the_decay_that_its_signature_names(build, expected):
    found = []
    is_partial = isinstance(build, functools.partial)
    spy = spied(build.func if is_partial else build, found)
    spy = functools.partial(spy, **build.keywords) if is_partial else spy
    train_with(spy, learning_rate=0.02, weight_decay=0.3, max_epochs=1)
    assert found == [expected]


def spied(kind, found):
    """Return a function with the signature of an optimizer, which records what it returns."""

    @functools.wraps(kind, updated=())
    def build(parameters, **arguments):
        optimizer = kind(parameters, **arguments)
        found.append((optimizer.param_groups[0]["lr"], optimizer.param_groups[0]["weight_decay"]))
        return optimizer

    return build


@pytest.mark.parametrize("optimizer", [SGD, Momentum, torch.optim.NAdam])
def test_bytes_do_not_depend_on_the_number_of_torch_threads(optimizer):
    before = torch.get_num_threads()
    found = []
    try:
        for n_threads in (1, 2):
            torch.set_num_threads(n_threads)
            found.append(train_with(optimizer, batch_size=32))
    finally:
        torch.set_num_threads(before)
    (weights, state), (other, other_state) = found
    assert same_weights(weights, other)
    assert state.history == other_state.history


def test_an_optimizer_that_replaces_parameters_trains_all_replicas():
    class Replacing(torch.optim.SGD):
        @torch.no_grad()
        def step(self):
            for p in self.param_groups[0]["params"]:
                p.data = p - self.param_groups[0]["lr"] * p.grad

    plan = {"learning_rate": 0.05, "weight_decay": 0.0, "batch_size": 32}
    (weights, _), (expected, _) = (
        train_with(kind, **plan) for kind in (Replacing, torch.optim.SGD)
    )
    for name in expected:
        np.testing.assert_allclose(weights[name], expected[name], atol=1e-4, err_msg=name)


@pytest.mark.parametrize(
    ("optimizer", "batch_size"), [*((optimizer, 24) for optimizer in OPTIMIZERS), (Momentum, 8)]
)
def test_a_fit_that_is_killed_after_every_epoch_ends_with_the_same_bytes(
    optimizer, batch_size, tmp_path
):
    X, y = make_spectrograms(60)
    values = {
        "network": ResidualNetwork,
        "channels": None,
        "hidden_units": None,
        "optimizer": optimizer,
        "loss": half_log_loss,
        "max_epochs": 3,
        "batch_size": batch_size,
        "learning_rate": 3e-3,
    }
    expected = fit_results(make_classifier(**values), X, y)
    for epoch in (2, 3):
        fit_until(epoch, make_classifier(tmp_path, **values), X, y)
    assert same_trees(fit_results(make_classifier(tmp_path, **values), X, y), expected)


def test_another_optimizer_loss_or_network_is_another_fit(tmp_path):
    X, y = make_spectrograms(40)
    path = tmp_path / "one.checkpoint"
    own = {"network": ResidualNetwork, "channels": None, "hidden_units": None, "max_epochs": 2}
    make_classifier(path, **own).fit(X, y)
    for name, value in [
        ("optimizer", SGD),
        ("loss", half_log_loss),
        ("network", functools.partial(ResidualNetwork, width=3)),
        ("network_params", {"width": 3}),
    ]:
        with pytest.raises(ValueError, match=rf"another fit \({name}: "):
            make_classifier(path, **{**own, name: value}).fit(X, y)


class WithHistory(torch.optim.SGD):
    """An optimizer with a state that no checkpoint can contain."""

    def step(self):
        super().step()
        for p in self.param_groups[0]["params"]:
            self.state[p]["history"] = collections.deque([0.0])


class Forgetful(Momentum):
    """An optimizer that does not load its state."""

    def load_state_dict(self, state):
        pass


def test_a_state_that_cannot_be_saved_is_an_error_only_with_a_checkpoint(tmp_path):
    X, y = make_spectrograms(40)
    make_classifier(optimizer=WithHistory, max_epochs=2).fit(X, y)
    with pytest.raises(TypeError, match=r"optimizer=WithHistory .*a deque\. .*checkpoint=None"):
        make_classifier(tmp_path, optimizer=WithHistory, max_epochs=2).fit(X, y)


def test_a_state_that_is_not_loaded_is_an_error(tmp_path):
    X, y = make_spectrograms(40)
    values = {"optimizer": Forgetful, "learning_rate": 3e-3}
    fit_until(3, make_classifier(tmp_path, **values), X, y)
    with pytest.raises(ValueError, match="optimizer=Forgetful does not load the state"):
        make_classifier(tmp_path, **values).fit(X, y)


@pytest.mark.parametrize(
    ("optimizer", "error", "message"),
    [
        (lambda parameters: None, TypeError, "torch.optim.Optimizer .*got NoneType"),
        (lambda parameters: 1 / 0, ValueError, "failed for a list of .*ZeroDivisionError"),
        (functools.partial(torch.optim.SGD, lr=-1), ValueError, "SGD failed .*learning rate"),
        (torch.optim.LBFGS, ValueError, "LBFGS evaluates the loss several times"),
    ],
)
def test_other_results_are_errors_that_name_the_optimizer(optimizer, error, message):
    with pytest.raises(error, match=message) as info:
        train_with(optimizer)
    assert str(info.value).startswith("optimizer=")


@pytest.mark.parametrize(
    ("optimizer", "name", "value"),
    [
        (build_momentum_sgd, "learning_rate", 0.1),
        (build_momentum_sgd, "weight_decay", 0.1),
        (functools.partial(torch.optim.SGD, lr=0.1), "learning_rate", 0.1),
    ],
)
def test_parameters_that_an_optimizer_does_not_take_are_errors(optimizer, name, value):
    X, y = make_spectrograms(20)
    values = {"learning_rate": 3e-3, "weight_decay": 0.0, name: value}
    with pytest.raises(ValueError, match=rf"{name}={value} has no effect, because optimizer="):
        make_classifier(optimizer=optimizer, **values).fit(X, y)

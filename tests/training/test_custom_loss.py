"""The loss of a user."""

import functools
import math

import numpy as np
import pytest
import torch
from torch import nn
from torch.nn import functional
from training_helpers import make_classifier, make_spectrograms, results, same_trees

from skdaf import CNNAudioClassifier, CNNAudioRegressor
from skdaf._training.custom_loss import with_loss
from skdaf._training.objectives import classification

pytestmark = pytest.mark.oldest

WEIGHTS = np.array([0.5, 1.5], dtype=np.float32)


def objective(function, **arguments):
    return with_loss(classification(WEIGHTS, 0.0), function, arguments)


def outputs_and_targets(n=6):
    generator = torch.Generator().manual_seed(0)
    outputs = torch.randn(n, 2, generator=generator, requires_grad=True)
    return outputs, torch.arange(n) % 2


def test_the_function_gets_outputs_and_class_indices():
    def loss(outputs, targets):
        assert outputs.dtype == torch.float32
        return functional.nll_loss(outputs, targets)

    outputs, targets = outputs_and_targets()
    expected = functional.nll_loss(outputs, targets)
    assert objective(loss).loss(outputs, targets) == expected
    # Everything else stays that of the objective.
    own, other = objective(loss), classification(WEIGHTS, 0.0)
    assert own.score is other.score
    assert torch.equal(own.soft_targets(targets), other.soft_targets(targets))


def test_several_networks_have_one_row_each():
    outputs = torch.randn(6, 3, 2, requires_grad=True)
    shapes = []

    def loss(outputs, targets):
        shapes.append((tuple(outputs.shape), tuple(targets.shape)))
        return outputs.mean()

    objective(loss).loss(outputs, torch.arange(6) % 2)
    assert shapes == [((18, 2), (18,))]


@pytest.mark.parametrize(
    ("function", "names"),
    [
        (functional.cross_entropy, {"weight", "label_smoothing"}),
        (functools.partial(functional.cross_entropy, label_smoothing=0.3), {"weight"}),
        (nn.CrossEntropyLoss(), set()),
        (lambda outputs, targets: outputs.mean(), set()),
        (lambda outputs, targets, **options: outputs.mean() + len(options), set()),
        (lambda outputs, targets, weight: outputs.mean() * weight.sum(), {"weight"}),
    ],
)
def test_it_also_gets_the_arguments_that_its_signature_names(function, names):
    outputs, targets = outputs_and_targets()
    arguments = {"weight": WEIGHTS, "label_smoothing": 0.1}
    passed = {name: arguments[name] for name in names}
    if "weight" in passed:
        passed["weight"] = torch.from_numpy(WEIGHTS)
    expected = function(outputs, targets, **passed)
    assert objective(function, **arguments).loss(outputs, targets) == expected


@pytest.mark.parametrize(
    ("function", "error", "message"),
    [
        (lambda outputs, targets: None, TypeError, "scalar tensor, got NoneType"),
        (nn.CrossEntropyLoss, TypeError, "is a class: pass an instance"),
        (lambda outputs, targets: outputs, ValueError, r"mean over all clips, got shape \(6, 2\)"),
        (lambda outputs, targets: outputs.detach().mean(), ValueError, "depends on the outputs"),
        (
            lambda outputs, targets: 1 / 0,
            ValueError,
            r"outputs of shape \(6, 2\) .*ZeroDivisionError",
        ),
        (lambda outputs: outputs.mean(), ValueError, "TypeError"),
    ],
)
def test_other_results_are_errors_that_name_the_loss(function, error, message):
    with pytest.raises(error, match=message) as info:
        objective(function).loss(*outputs_and_targets())
    assert str(info.value).startswith("loss=")


def test_the_function_that_the_classifier_uses_gives_the_same_model():
    X, y = make_spectrograms(60)
    y[:20] = 0
    plain, own = (
        make_classifier(max_epochs=3, loss=loss).fit(X, y)
        for loss in ("log_loss", functional.cross_entropy)
    )
    assert same_trees(results(plain, X), results(own, X))


def test_a_regressor_minimizes_a_function_of_standardized_targets():
    X, y = make_spectrograms(60)
    targets = np.column_stack([100 + 5 * y, -3 * y])
    values = {"channels": (4, 8), "max_epochs": 3, "augment": None, "random_state": 0}
    plain = CNNAudioRegressor(**values).fit(X, targets)
    seen = []

    def loss(outputs, targets):
        seen.append(targets)
        assert outputs.shape == targets.shape
        return functional.mse_loss(outputs, targets)

    own = CNNAudioRegressor(loss=loss, **values).fit(X, targets)
    np.testing.assert_array_equal(own.predict(X), plain.predict(X))
    assert own.history_ == plain.history_
    assert torch.cat(seen).mean().item() == pytest.approx(0, abs=0.1)


def test_mixup_passes_shares_of_classes():
    X, y = make_spectrograms(60)
    shapes = set()

    def loss(outputs, targets):
        shapes.add(tuple(targets.shape[1:]))
        return functional.cross_entropy(outputs, targets)

    make_classifier(max_epochs=2, augment="mixup", loss=loss).fit(X, y)
    assert shapes == {(2,)}


@pytest.mark.parametrize(
    ("values", "message"),
    [
        ({"class_weight": "balanced"}, "class_weight='balanced' has no effect, because loss=Cross"),
        ({"class_weight": {0: 1, 1: 2}}, "class_weight={0: 1, 1: 2} has no effect"),
        ({"label_smoothing": 0.2}, "label_smoothing=0.2 has no effect"),
    ],
)
def test_parameters_that_a_loss_does_not_take_are_errors(values, message):
    X, y = make_spectrograms(20)
    with pytest.raises(ValueError, match=message):
        CNNAudioClassifier(loss=nn.CrossEntropyLoss(), **values).fit(X, y)
    # These mean that nothing is to be passed.
    off = {"class_weight": None, "label_smoothing": 0.0}
    make_classifier(max_epochs=1, loss=nn.CrossEntropyLoss(), **off).fit(X, y)


def test_a_loss_that_is_not_finite_names_the_epoch():
    X, y = make_spectrograms(20)
    with pytest.raises(ValueError, match="nan in epoch 1"):
        make_classifier(loss=lambda outputs, targets: outputs.mean() * math.nan).fit(X, y)

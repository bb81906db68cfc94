import numpy as np
import pytest
import torch
from torch.nn import functional

from skdaf._training.objectives import accuracy, classification, reconstruction


@pytest.fixture
def logits():
    return torch.randn(20, 3, generator=torch.Generator().manual_seed(0))


def test_classification_takes_class_numbers_and_one_hot_rows_alike(logits):
    objective = classification(np.ones(3, np.float32), label_smoothing=0.1)
    targets = torch.arange(20) % 3
    one_hot = objective.soft_targets(targets)
    assert one_hot.tolist() == np.eye(3)[targets].tolist()
    torch.testing.assert_close(objective.loss(logits, one_hot), objective.loss(logits, targets))
    assert objective.score(logits, one_hot) == objective.score(logits, targets)


def test_the_loss_of_classification_weights_classes_and_smooths_labels(logits):
    weights, targets = np.array([1, 2, 0.5], np.float32), torch.arange(20) % 3
    expected = functional.cross_entropy(
        logits, targets, weight=torch.from_numpy(weights), label_smoothing=0.2
    )
    assert torch.equal(classification(weights, 0.2).loss(logits, targets), expected)


def test_the_loss_of_several_networks_is_their_mean_and_their_score_that_of_their_mean(logits):
    objective = classification(np.array([1, 2, 0.5], np.float32), label_smoothing=0.1)
    targets = torch.arange(20) % 3
    together = torch.stack([logits, logits.flip(0), 3 * logits], dim=1)
    for goals in (targets, objective.soft_targets(targets)):
        losses = [objective.loss(outputs, goals) for outputs in together.unbind(dim=1)]
        torch.testing.assert_close(objective.loss(together, goals), torch.stack(losses).mean())
        assert objective.score(together, goals) == accuracy(together.mean(dim=1), targets)


def test_accuracy_is_the_share_of_clips_with_the_largest_logit_right():
    logits = torch.tensor([[1.0, 0.0], [0.0, 1.0], [2.0, 1.0], [0.0, 3.0]])
    assert accuracy(logits, torch.tensor([0, 1, 1, 1])) == 0.75


def test_reconstruction_is_the_mean_squared_error_and_has_no_score():
    objective = reconstruction()
    targets = torch.zeros(2, 4, 5)
    assert objective.loss(torch.full((2, 1, 4, 5), 3.0), targets).item() == 9.0
    assert objective.score is None
    assert objective.soft_targets is None

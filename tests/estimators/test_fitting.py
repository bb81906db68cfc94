"""What `fit` chooses from the number of clips and their labels."""

from types import SimpleNamespace

import numpy as np
import pytest

from skdaf import CNNAudioClassifier, CNNAudioRegressor
from skdaf._estimators.fitting import count_held_out
from skdaf._estimators.labels import encode_labels

pytestmark = pytest.mark.oldest


@pytest.mark.parametrize("early_stopping", [True, False, "auto"])
def test_which_numbers_of_clips_are_held_out(early_stopping):
    classifier = CNNAudioClassifier(early_stopping=early_stopping)
    held_out = [count_held_out(classifier, n) for n in (50, 100, 9_999, 10_000)]
    expected = {True: [0, 10, 1000, 1000], False: [0] * 4, "auto": [0, 0, 0, 1000]}
    assert held_out == expected[early_stopping]
    classifier.set_params(patience=3)
    assert count_held_out(classifier, 100) == (0 if early_stopping is False else 10)


def test_weights_of_classes():
    y = np.repeat(["many", "few"], [90, 10])
    few, many = encode_labels(y, 100, "sqrt", "").class_weights
    assert few / many == pytest.approx(3)
    assert (90 * many + 10 * few) / 100 == pytest.approx(1)
    few, many = encode_labels(y, 100, "balanced", "").class_weights
    assert few / many == pytest.approx(9)
    even = np.repeat(["a", "b"], 5)
    assert encode_labels(even, 10, "sqrt", "").class_weights.tolist() == [1, 1]


def test_parallel_networks_need_the_default_network():
    X, y = np.zeros((4, 800)), [0, 1, 0, 1]
    for network in ("daf", lambda *args, **options: SimpleNamespace()):
        with pytest.raises(ValueError, match="n_networks=2 needs network='cnn'"):
            CNNAudioClassifier(network=network, n_networks=2).fit(X, y)


@pytest.mark.parametrize(("max_epochs", "n_changed"), [(1, 1), (4, 4), (5, 4), (10, 8)])
def test_the_last_fifth_of_the_epochs_shows_unchanged_clips(max_epochs, n_changed, monkeypatch):
    calls = []

    def augment(batch, generator):
        calls.append("augment")
        return batch

    def mix(inputs, targets, generator):
        calls.append("mix")
        return inputs, targets

    monkeypatch.setattr("skdaf._training.replicas.mix", mix)
    X = np.random.default_rng(0).standard_normal((8, 12, 10)).astype(np.float32)
    CNNAudioClassifier(
        channels=(2,), max_epochs=max_epochs, augment=[augment, "mixup"], random_state=0
    ).fit(X, [0, 1] * 4)
    # Eight clips are one batch.
    assert calls == ["augment", "mix"] * n_changed


def labels(*counts):
    return np.repeat(np.arange(len(counts)), counts)


@pytest.mark.parametrize(
    ("options", "y", "problem"),
    [
        ({"early_stopping": True}, labels(10, 10), r"=True has no.*0\.1 of 20 clips is 2.*than 10"),
        ({"patience": 2}, labels(10, 10), r"^patience=2 has no effect"),
        (
            {"early_stopping": True, "validation_fraction": 0.99},
            labels(10, 10),
            "leaves fewer than 2 clips",
        ),
        (
            {"early_stopping": True, "validation_fraction": 0.5},
            labels(23, 1),
            "one of the classes has a single clip",
        ),
    ],
)
def test_early_stopping_that_has_no_effect_is_reported(options, y, problem):
    X = np.random.default_rng(0).standard_normal((len(y), 8, 8))
    classifier = CNNAudioClassifier(channels=(2,), max_epochs=1, augment=None, **options)
    with pytest.warns(UserWarning, match=problem) as records:
        classifier.fit(X, y)
    assert records[0].filename == __file__
    assert "valid_loss" not in classifier.history_


def test_regressors_report_it_too():
    X, y = np.random.default_rng(0).standard_normal((20, 8, 8)), np.arange(20.0)
    regressor = CNNAudioRegressor(channels=(2,), max_epochs=1, early_stopping=True)
    with pytest.warns(UserWarning, match=r"early_stopping=True has no effect"):
        regressor.fit(X, y)


def test_no_report_without_a_wish_or_with_clips_for_validation():
    X, y = np.random.default_rng(0).standard_normal((20, 8, 8)), labels(10, 10)
    small = {"channels": (2,), "max_epochs": 1, "augment": None}
    CNNAudioClassifier(**small).fit(X, y)
    CNNAudioClassifier(**small, early_stopping=False, patience=1).fit(X, y)
    CNNAudioClassifier(**small, early_stopping=True).fit(X, y, X_val=X, y_val=y)
    held_out = CNNAudioClassifier(**small, early_stopping=True, validation_fraction=0.5).fit(X, y)
    assert "valid_loss" in held_out.history_


def test_sizes_of_layers_are_not_flags():
    with pytest.raises(ValueError, match="channels must contain integers"):
        CNNAudioClassifier(channels=(True, 8)).fit(np.zeros((4, 800)), [0, 1, 0, 1])

"""Losses and scores by epoch."""

import matplotlib.pyplot as plt
import numpy as np
import pytest
from helpers import fitted_frontend, texts

from skdaf import (
    ConvAutoencoderEmbedder,
    TrainingDisplay,
)

pytestmark = pytest.mark.oldest


def test_losses_and_scores_match_the_history(classifier):
    display = TrainingDisplay.from_estimator(classifier)
    assert set(display.lines_) == {"train_loss", "valid_loss", "train_score", "valid_score"} & set(
        classifier.history_
    )
    for name, line in display.lines_.items():
        np.testing.assert_array_equal(line.get_xdata(), np.arange(1, classifier.n_epochs_ + 1))
        np.testing.assert_array_equal(line.get_ydata(), classifier.history_[name])
    losses, scores = display.ax_
    assert [ax.get_xlabel() for ax in display.ax_] == ["Epoch", "Epoch"]
    assert losses.get_ylabel() == "Loss (cross-entropy)"
    assert scores.get_ylabel() == "Accuracy"
    # Nothing was held out, so no epoch is better than the last one.
    assert "valid_loss" not in classifier.history_
    assert list(display.best_lines_) == []


def test_the_best_epoch_is_marked_after_validation(classifier, monkeypatch):
    history = {**classifier.history_, "valid_loss": classifier.history_["train_loss"]}
    monkeypatch.setattr(classifier, "history_", history)
    monkeypatch.setattr(classifier, "best_epoch_", 2)
    display = TrainingDisplay.from_estimator(classifier)
    assert [line.get_xdata()[0] for line in display.best_lines_] == [2, 2]
    legend = display.ax_[0].get_legend()
    assert "Best epoch (2)" in texts(legend.get_texts())


def test_curves_differ_without_colors():
    history = {"train_loss": [2.0, 1.0], "valid_loss": [2.1, 1.2]}
    train, valid = TrainingDisplay(history).plot().lines_.values()
    assert train.get_linestyle() != valid.get_linestyle()
    assert train.get_marker() != valid.get_marker()


def test_ticks_are_whole_epochs_starting_at_one():
    for n_epochs in (1, 2, 3, 100):
        ax = TrainingDisplay({"train_loss": [1.0] * n_epochs}, best_epoch=1).plot().ax_
        ticks = [tick for tick in ax.get_xticks() if ax.get_xlim()[0] <= tick <= ax.get_xlim()[1]]
        assert ticks
        assert all(tick == int(tick) >= 1 for tick in ticks)


def test_an_autoencoder_has_only_losses(sounds):
    embedder = ConvAutoencoderEmbedder(max_epochs=2, channels=(4,), random_state=0)
    display = TrainingDisplay.from_estimator(embedder.fit(sounds.filenames))
    assert display.ax_.get_ylabel() == "Mean squared error"
    with pytest.raises(ValueError, match="kind='score'"):
        TrainingDisplay.from_estimator(embedder, kind="score")


def test_one_kind_needs_one_axes(classifier):
    figure, ax = plt.subplots()
    display = TrainingDisplay.from_estimator(classifier, kind="score", ax=ax)
    assert display.ax_ is ax
    assert display.figure_ is figure
    assert ax.get_ylabel() == "Accuracy"
    with pytest.raises(ValueError, match="ax must contain 2"):
        TrainingDisplay.from_estimator(classifier, ax=ax)


def test_an_estimator_without_a_network_raises(sounds):
    with pytest.raises(ValueError, match="CNNAudioClassifier"):
        TrainingDisplay.from_estimator(fitted_frontend(sounds.filenames))

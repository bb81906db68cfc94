"""Which clips train and which are held out: sample weights, groups, clips for validation."""

import numpy as np
import pandas as pd
import pytest
from sklearn import config_context
from sklearn.ensemble import AdaBoostClassifier, BaggingClassifier
from sklearn.metrics import balanced_accuracy_score, make_scorer
from sklearn.model_selection import GroupKFold, TunedThresholdClassifierCV, cross_validate
from sklearn.pipeline import make_pipeline

from skdaf import CNNAudioClassifier, CNNFeatureExtractor, ConvAutoencoderEmbedder
from skdaf._estimators.selection import ClipData, content_order, select
from skdaf._training.sampling import draw_by_weight

SMALL = {"channels": (4, 4), "max_epochs": 3, "random_state": 0}


def make_data(n=40, seed=0):
    """Return spectrograms of two classes that differ in the upper bins."""
    rng = np.random.default_rng(seed)
    X, y = rng.standard_normal((n, 12, 10)).astype(np.float32), np.arange(n) % 2
    X[y == 1, :, 5:] += 1.5
    return X, y


def classifier(**changes):
    return CNNAudioClassifier(**{**SMALL, **changes})


# --- order and weights ---


@pytest.mark.parametrize("early_stopping", [False, True])
def test_a_fit_does_not_depend_on_the_order_of_the_clips(early_stopping):
    X, y = make_data(100)
    order = np.random.default_rng(1).permutation(100)
    one = classifier(early_stopping=early_stopping).fit(X, y)
    other = classifier(early_stopping=early_stopping).fit(X[order], y[order])
    np.testing.assert_array_equal(one.predict_proba(X), other.predict_proba(X))
    one, other = (ConvAutoencoderEmbedder(**SMALL).fit(data) for data in (X, X[order]))
    np.testing.assert_array_equal(one.transform(X), other.transform(X))


def test_the_order_of_contents_separates_equal_clips_of_different_classes():
    X = np.zeros((4, 3, 2), np.float32)
    targets = np.array([1, 0, 1, 0])
    assert targets[content_order(X, targets)].tolist() == [0, 0, 1, 1]


@pytest.mark.parametrize("class_weight", [None, "sqrt", "balanced", {0: 2.0}])
def test_integer_weights_are_repeated_clips(class_weight):
    X, y = make_data()
    weights = np.random.default_rng(2).integers(0, 4, 40)
    weights[::4] = 0  # mostly of one class
    weighted = classifier(class_weight=class_weight).fit(X, y, sample_weight=weights)
    repeated = classifier(class_weight=class_weight).fit(X.repeat(weights, 0), y.repeat(weights))
    np.testing.assert_array_equal(weighted.predict_proba(X), repeated.predict_proba(X))
    assert weighted.history_ == repeated.history_


def test_integer_weights_are_repeated_clips_of_an_autoencoder():
    X, _ = make_data()
    weights = np.random.default_rng(2).integers(0, 4, 40)
    weighted = ConvAutoencoderEmbedder(**SMALL).fit(X, sample_weight=weights)
    repeated = ConvAutoencoderEmbedder(**SMALL).fit(X.repeat(weights, 0))
    np.testing.assert_array_equal(weighted.transform(X), repeated.transform(X))
    score = weighted.score(X, sample_weight=weights)
    assert score == pytest.approx(weighted.score(X.repeat(weights, 0)))
    assert score != weighted.score(X)


def test_other_weights_are_relative():
    X, y = make_data()
    weights = np.random.default_rng(3).uniform(0.5, 2.0, 40)
    one = classifier().fit(X, y, sample_weight=weights)
    other = classifier().fit(X, y, sample_weight=weights / 64)
    np.testing.assert_array_equal(one.predict_proba(X), other.predict_proba(X))
    equal = classifier().fit(X, y, sample_weight=np.full(40, 0.3))
    assert not np.array_equal(one.predict_proba(X), equal.predict_proba(X))


def test_clips_are_drawn_in_proportion_to_their_weights():
    rng = np.random.default_rng(0)
    rows, weights = np.arange(5), np.array([0.1, 0.4, 1.0, 1.5, 2.0])
    draws = [np.bincount(draw_by_weight(rows, weights, rng.uniform()), minlength=5)
             for _ in range(4000)]  # fmt: skip
    np.testing.assert_allclose(np.mean(draws, axis=0), weights, atol=0.03)
    assert np.abs(np.array(draws) - weights).max() < 1
    assert {int(np.sum(counts)) for counts in draws} == {5}
    whole = np.array([2.0, 0.0, 3.0])
    assert draw_by_weight(rows[:3], whole, 0.999).tolist() == [0, 0, 2, 2, 2]


def test_a_heavier_class_is_predicted_more_often():
    rng = np.random.default_rng(0)
    X, y = rng.standard_normal((60, 12, 10)).astype(np.float32), np.arange(60) % 2
    X[y == 1] += 0.1
    options = {"class_weight": None, "augment": None}
    shares = [
        (classifier(**options).fit(X, y, sample_weight=weights).predict(X) == 1).mean()
        for weights in (np.where(y == 1, 3.5, 0.25), np.where(y == 1, 0.25, 3.5))
    ]
    assert shares[0] > 0.7 > 0.3 > shares[1]


def test_clips_without_weight_are_left_out_of_the_front_end(tmp_path):
    rng = np.random.default_rng(0)
    sounds = [rng.standard_normal(1600) for _ in range(12)] + [rng.standard_normal(32_000)] * 20
    y, weights = np.arange(32) % 2, np.repeat([1, 0], [12, 20])
    fitted = classifier().fit(sounds, y, sample_weight=weights)
    assert fitted.frontend_.n_frames_ == 11


def test_classes_without_weight_remain_classes():
    X, y = make_data()
    y = y + (np.arange(40) < 4) * 2
    fitted = classifier().fit(X, y, sample_weight=np.where(y > 1, 0.0, 1.0))
    assert fitted.classes_.tolist() == [0, 1, 2, 3]
    assert fitted.predict_proba(X).shape == (40, 4)
    assert set(fitted.predict(X)) <= {0, 1}


@pytest.mark.parametrize(
    ("weights", "message"),
    [
        ([1.0] * 39 + [-0.5], r"sample_weight must not be negative, but row 39 contains -0\.5"),
        ([0.0] * 40, "(?i)sample.weights? must contain"),
        ([1.0] * 39, "sample_weight"),
        ([np.nan] + [1.0] * 39, "sample_weight.*NaN"),
        ([1.0, 0.0] * 20, "at least 2 classes.*sample_weight above zero: 0"),
    ],
)
def test_wrong_weights_are_refused(weights, message):
    X, y = make_data()
    with pytest.raises(ValueError, match=message):
        classifier().fit(X, y, sample_weight=weights)


def test_weights_change_a_checkpoint(tmp_path):
    X, y = make_data()
    for weights in (None, np.repeat([1, 2], 20), np.repeat([2, 1], 20)):
        classifier(checkpoint=tmp_path).fit(X, y, sample_weight=weights)
    assert len(list(tmp_path.iterdir())) == 3


# --- groups ---


def held_out_of(n=120, n_groups=12, **changes):
    groups = np.arange(n) // (n // n_groups)
    data = ClipData(None, None, np.arange(n) % 2, None, groups)
    options = {"early_stopping": True, "validation_fraction": 0.25, **changes}
    chosen = select(classifier(**options), np.arange(n), np.random.RandomState(0), data)
    return groups, chosen


def test_held_out_clips_are_whole_groups():
    groups, chosen = held_out_of()
    held_out, others = groups[chosen.validation_rows], groups[chosen.train_rows]
    assert not set(held_out) & set(others)
    assert len(held_out) == 30
    assert len(held_out) + len(others) == 120


@pytest.mark.parametrize(
    ("options", "has_validation", "reason"),
    [
        ({}, False, "early_stopping='auto' holds out no clips, because there are 40, fewer than"),
        ({"early_stopping": False}, False, "early_stopping=False holds out no clips"),
        ({"early_stopping": True}, True, "X_val is used"),
    ],
)
def test_groups_without_held_out_clips_have_no_effect(options, has_validation, reason):
    X, y = make_data()
    validation = {"X_val": X, "y_val": y} if has_validation else {}
    plain = classifier(**options).fit(X, y, **validation).predict_proba(X)
    grouped = classifier(**options)
    with pytest.warns(UserWarning, match=f"groups has no effect: {reason}") as caught:
        grouped.fit(X, y, groups=np.arange(40) % 4, **validation)
    assert [warning.filename for warning in caught] == [__file__]
    np.testing.assert_array_equal(plain, grouped.predict_proba(X))


def test_groups_of_too_few_clips_give_one_warning():
    X, y = make_data()
    with pytest.warns(UserWarning, match="early_stopping=True has no effect") as caught:
        classifier(early_stopping=True).fit(X, y, groups=np.arange(40) % 4)
    assert len(caught) == 1


def test_all_classes_remain_for_training():
    # The second class occurs in two groups only.
    groups = np.arange(100) // 10
    targets = np.isin(groups, [0, 1]).astype(int)
    data = ClipData(None, None, targets, None, groups)
    options = {"early_stopping": True, "validation_fraction": 0.2}
    for seed in range(5):
        chosen = select(classifier(**options), np.arange(100), np.random.RandomState(seed), data)
        assert set(targets[chosen.train_rows]) == {0, 1}
        assert not set(groups[chosen.train_rows]) & set(groups[chosen.validation_rows])


def test_an_error_says_that_no_group_can_be_held_out():
    X, y = make_data(100)
    for groups in (np.zeros(100), y):
        with pytest.raises(ValueError, match=r"None of the \d groups .*X_val"):
            classifier(early_stopping=True).fit(X, y, groups=groups)


@pytest.mark.parametrize(
    ("groups", "message"),
    [
        ([1, 2], r"groups must contain one value per clip, in the shape \(40,\), got \(2,\)"),
        ("speaker", r"shape \(40,\), got \(\)"),
        (np.zeros((40, 2)), r"got \(40, 2\)"),
        (["a", None] * 20, r"groups contains NaN, None or NA in 20 of 40 rows .*row 1\)"),
        (np.array([np.nan, *range(39)]), r"row 0\): each clip needs a group"),
        (pd.Series([pd.NA, *range(39)], dtype="Int64"), "each clip needs a group"),
    ],
)
def test_wrong_groups_are_refused(groups, message):
    X, y = make_data()
    with pytest.raises(ValueError, match=message):
        classifier().fit(X, y, groups=groups)


def test_groups_are_routed_by_cross_validate():
    X, y = make_data(120)
    groups = np.arange(120) // 10
    with config_context(enable_metadata_routing=True):
        model = classifier(early_stopping=True, validation_fraction=0.3)
        model.set_fit_request(groups=True)
        scores = cross_validate(
            model,
            X,
            y,
            cv=GroupKFold(2),
            params={"groups": groups},
            return_estimator=True,
        )
    assert all("valid_loss" in fitted.history_ for fitted in scores["estimator"])


# --- clips for validation ---


def test_own_clips_are_used_for_validation():
    X, y = make_data(100)
    fitted = classifier(max_epochs=8).fit(X[:60], y[:60], X_val=X[60:], y_val=y[60:])
    assert len(fitted.history_["valid_loss"]) == fitted.n_epochs_
    # All clips of X train, so that the weights after the first epoch are those without validation.
    plain = classifier(max_epochs=8).fit(X[:60], y[:60])
    n = fitted.n_epochs_
    assert fitted.history_["train_loss"] == plain.history_["train_loss"][:n]
    best = min(fitted.history_["valid_loss"])
    assert fitted.history_["valid_loss"][fitted.best_epoch_ - 1] == best
    accuracy = fitted.history_["valid_score"][fitted.best_epoch_ - 1]
    assert fitted.score(X[60:], y[60:]) == pytest.approx(accuracy)


def test_own_clips_can_be_files(sounds):
    files, labels = sounds.filenames, sounds.target
    fitted = classifier().fit(files[::2], labels[::2], X_val=files[1::2], y_val=labels[1::2])
    assert "valid_loss" in fitted.history_
    with pytest.raises(ValueError, match=r"^X_val: X contains spectrograms of shape \(5, 5\)"):
        classifier().fit(files, labels, X_val=np.zeros((2, 5, 5)), y_val=labels[:2])


def test_own_labels_are_checked_before_files_are_read(sounds):
    files, labels = ["missing.wav", *sounds.filenames[1:]], sounds.target
    with pytest.raises(ValueError, match=r"y_val contains labels that y does not: \[99\]"):
        classifier().fit(files, labels, X_val=files[:1], y_val=[99])


@pytest.mark.parametrize(
    ("changes", "own", "message"),
    [
        ({}, {"X_val": 4}, "y_val is None"),
        ({}, {"y_val": 4}, "X_val is None"),
        ({"early_stopping": False}, {"X_val": 4, "y_val": 4}, "early_stopping=False"),
        ({}, {"X_val": 4, "y_val": 3}, "y_val must contain 4 labels, one per clip, got 3"),
    ],
)
def test_wrong_own_clips_are_refused(changes, own, message):
    X, y = make_data()
    own = {name: {"X_val": X, "y_val": y}[name][:n] for name, n in own.items()}
    with pytest.raises(ValueError, match=message):
        classifier(**changes).fit(X, y, **own)


def test_own_labels_must_be_known():
    X, y = make_data()
    with pytest.raises(ValueError, match=r"y_val contains labels that y does not: \['bird'\]"):
        classifier().fit(X, np.array(["cat", "dog"])[y], X_val=X[:1], y_val=["bird"])


def test_the_best_epoch_has_the_highest_score():
    X, y = make_data(200, seed=4)
    y = np.where(np.random.default_rng(0).uniform(size=200) < 0.3, 1 - y, y)
    options = {"early_stopping": True, "max_epochs": 12, "augment": None, "learning_rate": 0.01}
    fitted = classifier(scoring="score", **options).fit(X, y)
    scores = fitted.history_["valid_score"]
    assert fitted.best_epoch_ == int(np.argmax(scores)) + 1
    by_loss = classifier(scoring="loss", **options).fit(X, y)
    losses = by_loss.history_["valid_loss"]
    assert by_loss.best_epoch_ == int(np.argmin(losses)) + 1


# --- meta-estimators of scikit-learn ---


@pytest.mark.parametrize("kind", [AdaBoostClassifier, BaggingClassifier])
def test_ensembles_with_weights(kind):
    X, y = make_tones()
    weights = np.random.default_rng(1).uniform(0.5, 1.5, 40)
    ensemble = kind(classifier(), n_estimators=2, random_state=0)
    assert ensemble.fit(X, y, sample_weight=weights).score(X, y, sample_weight=weights) > 0.8


def test_a_threshold_is_tuned_with_weights():
    X, y = make_tones()
    weights = np.random.default_rng(1).uniform(0.5, 1.5, 40)
    with config_context(enable_metadata_routing=True):
        weighted = classifier().set_fit_request(sample_weight=True)
        scorer = make_scorer(balanced_accuracy_score).set_score_request(sample_weight=True)
        tuned = TunedThresholdClassifierCV(weighted, scoring=scorer, cv=2, random_state=0)
        assert tuned.fit(X, y, sample_weight=weights).score(X, y) > 0.8


def make_tones():
    """Return waveforms, because these meta-estimators accept tables of numbers only."""
    rng, time, y = np.random.default_rng(0), np.arange(800) / 16_000, np.arange(40) % 2
    tones = np.sin(2 * np.pi * np.where(y, 3000, 500)[:, None] * time)
    return tones + 0.1 * rng.standard_normal((40, 800)), y


def test_weights_reach_the_network_of_an_extractor():
    X, y = make_data()
    weights = np.random.default_rng(2).integers(0, 4, 40)
    weighted = CNNFeatureExtractor(classifier()).fit(X, y, sample_weight=weights)
    repeated = CNNFeatureExtractor(classifier()).fit(X.repeat(weights, 0), y.repeat(weights))
    np.testing.assert_array_equal(weighted.transform(X), repeated.transform(X))


def test_weights_pass_through_a_pipeline():
    X, y = make_data()
    pipeline = make_pipeline("passthrough", classifier())
    weights = np.repeat([0, 1], 20)
    pipeline.fit(X, y, cnnaudioclassifier__sample_weight=weights)
    alone = classifier().fit(X[20:], y[20:])
    np.testing.assert_array_equal(pipeline.predict_proba(X), alone.predict_proba(X))

"""The labels that classifiers accept, and the messages for others."""

import re

import numpy as np
import pandas as pd
import pytest

from skdaf import CNNAudioClassifier
from skdaf._estimators.labels import (
    check_keys_of_weights,
    check_weights_of_classes,
    encode_labels,
)

LABELS = ["cat", "dog"] * 10


def fit(y):
    X = np.random.default_rng(0).standard_normal((20, 8, 6)).astype(np.float32)
    return CNNAudioClassifier(channels=(4,), max_epochs=1, random_state=0).fit(X, y)


@pytest.mark.parametrize(
    "y",
    [
        tuple(LABELS),
        np.array(LABELS, dtype=object),
        pd.Series(LABELS, dtype="string", index=range(5, 25)),
        pd.Series(LABELS, dtype="category"),
    ],
    ids=lambda y: type(y).__name__,
)
def test_strings_of_all_kinds(y):
    assert fit(y).classes_.tolist() == ["cat", "dog"]


@pytest.mark.skipif(not hasattr(np.dtypes, "StringDType"), reason="needs NumPy 2")
def test_strings_of_any_length():
    assert fit(np.array(LABELS, dtype=np.dtypes.StringDType())).classes_.tolist() == ["cat", "dog"]


@pytest.mark.parametrize("missing", [None, np.nan, pd.NA, pd.NaT])
@pytest.mark.parametrize("kind", [list, pd.Series, lambda y: np.array(y, dtype=object)])
def test_missing_labels_are_refused(missing, kind):
    y = [*LABELS[:7], missing, *LABELS[8:]]
    with pytest.raises(ValueError, match=r"y contains NaN, None or NA in 1 of 20 rows .* row 7"):
        fit(kind(y))
    X = np.zeros((20, 8, 6))
    with pytest.raises(ValueError, match="y_val contains NaN, None or NA"):
        CNNAudioClassifier(channels=(4,)).fit(X, LABELS, X_val=X, y_val=kind(y))


def test_missing_numbers_and_dates_are_refused():
    for y in (np.array([np.nan, *range(19)]), pd.Series([None, *[1.0, 2.0] * 9, 1.0])):
        with pytest.raises(ValueError, match="Input y contains NaN"):
            fit(y)
    with pytest.raises(ValueError, match="in 1 of 20 rows"):
        fit(pd.Series(pd.date_range("2020-01-01", periods=20)).where(np.arange(20) != 3))


@pytest.mark.parametrize(
    "y",
    [
        [["cat"], ["dog"]] * 10,
        [["cat"], ["cat", "dog"]] * 10,
        [{"cat"}, set()] * 10,
        pd.Series([("cat",), ("cat", "dog")] * 10),
    ],
    ids=["lists", "ragged", "sets", "column"],
)
def test_lists_of_labels_are_refused_with_advice(y):
    with pytest.raises(ValueError, match=r"y contains lists of labels.*MultiLabelBinarizer"):
        fit(y)


def test_continuous_numbers_are_refused_with_advice():
    with pytest.raises(ValueError, match=r"Unknown label type: continuous.*CNNAudioRegressor"):
        fit(np.linspace(0, 1, 20))


def test_labels_of_numpy_are_shown_as_text():
    with pytest.raises(ValueError, match=r"class_weight\['dog'\] must be .* got -1\.0\."):
        check_weights_of_classes(dict.fromkeys(np.unique(LABELS)[1:], np.float64(-1)))


class TestKeysOfWeights:
    def test_they_are_labels(self):
        error = (
            "class_weight has the key 'dgo', which is no label: the labels are 'cat', 'dog'. "
            "Did you mean 'dog'?"
        )
        with pytest.raises(ValueError, match=re.escape(error)):
            encode_labels(LABELS, 20, {"dgo": 2.0}, "")
        with pytest.raises(ValueError, match="the keys 'x', 1, which are no labels: "):
            encode_labels(LABELS, 20, {"x": 2.0, "dog": 1.0, 1: 3}, "")
        with pytest.raises(ValueError, match=r"the labels are 0, 1\. A VotingClassifier numb"):
            encode_labels([0, 1], 2, {"dog": 2.0}, "")
        with pytest.raises(ValueError, match=r"is no label: the labels are 0.* and 2 more\.$"):
            check_keys_of_weights({30: 1.0}, [*range(12)])

    def test_those_of_numbers_as_text(self):
        with pytest.raises(ValueError, match=r"the key 7, .* Did you mean '7'\?"):
            encode_labels(["7", "8"], 2, {7: 2.0}, "")

    def test_as_in_scikit_learn(self):
        # A class without a weight has the weight 1. All weights may be given for a part.
        assert encode_labels(LABELS, 20, {"dog": 3.0}, "").class_weights.tolist() == [0.5, 1.5]
        weights = {"cat": 1.0, "dog": 3.0, "owl": 9.0}
        assert encode_labels(LABELS, 20, weights, "").class_weights.tolist() == [0.5, 1.5]

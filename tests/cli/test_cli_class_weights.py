"""Weights of classes that --set gives by name."""

import numpy as np
import pandas as pd
import pytest
import sklearn
from cli_commands import KINDS, SMALL, invoke, misuse
from sklearn.base import BaseEstimator, ClassifierMixin
from sklearn.ensemble import VotingClassifier
from sklearn.linear_model import LogisticRegression
from sklearn.pipeline import make_pipeline
from sklearn.svm import SVC

from skdaf import CNNAudioClassifier, load_model
from skdaf._estimators.fitted import find_network
from skdaf.cli._class_weights import (
    check_class_weights,
    names_of_weights,
    set_class_weights,
    with_class_weights,
)
from skdaf.datasets import load_audio_folders

has_temperature = pytest.mark.skipif(
    tuple(map(int, sklearn.__version__.split(".")[:2])) < (1, 8),
    reason="temperature scaling is newer than this scikit-learn",
)
LABELS = np.array(["7", "dog", "rain"] * 2)
WEIGHTS = {"rain": 2.0, "7": 5.0}


def vote(**weights):
    """Return a vote of a network and a linear model, which both have weights of classes."""
    blocks = [("cnn1", CNNAudioClassifier()), ("linear", make_pipeline(LogisticRegression()))]
    return VotingClassifier(blocks).set_params(**weights)


class Calibrated(ClassifierMixin, BaseEstimator):
    """A model like CalibratedClassifierCV, whose releases differ."""

    def __init__(self, estimator, method="temperature"):
        self.estimator, self.method = estimator, method


class TestKeys:
    @pytest.mark.parametrize(
        "model",
        [
            CNNAudioClassifier(class_weight={"dgo": 2.0}),
            Calibrated(CNNAudioClassifier(class_weight={"dgo": 2.0})),
            vote(cnn1__class_weight={"dgo": 2.0}),
            vote(linear__logisticregression__class_weight={"dgo": 2.0}),
            make_pipeline(SVC(class_weight={"dgo": 2.0, **dict.fromkeys(LABELS, 1.0)})),
        ],
    )
    def test_unknown_ones(self, model):
        with pytest.raises(ValueError, match=r"the key 'dgo', .* '7', 'dog', 'rain'\. Did you"):
            check_class_weights(model, LABELS)

    def test_numbers_are_no_names(self):
        with pytest.raises(ValueError, match="the keys 0, 7, which are no labels"):
            check_class_weights(vote(cnn1__class_weight={0: 2.0, 7: 1.0, "7": 2.0}), LABELS)

    def test_others_are_not_changed(self):
        for weights in ("sqrt", None, {}, WEIGHTS):
            check_class_weights(vote(cnn1__class_weight=weights), LABELS)
        with pytest.raises(ValueError, match=r"class_weight\['dog'\] must be a number"):
            check_class_weights(CNNAudioClassifier(class_weight={"dog": -1}), LABELS)

    def test_those_of_several_labels(self):
        labels = pd.DataFrame([[0, 1]], columns=["dog", "rain"])
        check_class_weights(CNNAudioClassifier(class_weight={"dog": 2.0}), labels)
        with pytest.raises(ValueError, match="the key 'dg'"):
            check_class_weights(CNNAudioClassifier(class_weight={"dg": 2.0}), labels)
        # The classifiers of each label have classes of their own: whether it is there.
        check_class_weights(make_pipeline(SVC(class_weight={1: 2.0})), labels)


class TestFolds:
    @pytest.mark.parametrize(
        ("labels", "names", "numbers"),
        [
            (LABELS, WEIGHTS, {2: 2.0, 0: 5.0}),
            (LABELS[LABELS != "7"], {"rain": 2.0}, {1: 2.0}),
            (LABELS[LABELS == "dog"], {}, {}),
        ],
    )
    def test_weights_of_missing_classes_are_omitted(self, labels, names, numbers):
        network = CNNAudioClassifier(class_weight=WEIGHTS)
        set_class_weights(network, labels)
        assert network.class_weight == names
        model = vote(cnn1=CNNAudioClassifier(class_weight=WEIGHTS))
        set_class_weights(model, labels)
        assert model.get_params()["cnn1__class_weight"] == numbers
        for method, expected in (("temperature", numbers), ("sigmoid", names)):
            model = Calibrated(CNNAudioClassifier(class_weight=WEIGHTS), method)
            set_class_weights(model, labels)
            assert model.estimator.class_weight == expected

    def test_what_a_model_is_trained_with(self):
        train = with_class_weights(lambda model, *clips: (model.class_weight, clips))
        model, clips = CNNAudioClassifier(class_weight=WEIGHTS), (["a.wav"], LABELS[1:2], None)
        assert train(model, *clips) == ({}, clips)


def test_names_of_weights():
    network, other = CNNAudioClassifier(), CNNAudioClassifier()
    network.classes_ = other.classes_ = np.arange(2)
    model = vote()
    model.estimators_ = [network]
    assert names_of_weights(model, network, ["a", "b"]) == {"0": "a", "1": "b"}
    assert names_of_weights(network, network, ["a", "b"]) == {"0": "a", "1": "b"}
    assert names_of_weights(model, network, ["a", "b", "c"]) == {}
    # The classes of a network that was trained before are its own.
    assert names_of_weights(model, other, ["a", "b"]) == {}
    network.classes_ = np.array(["a", "b"])
    assert names_of_weights(network, network, ["a", "b"]) == {}


@pytest.mark.usefixtures("inside_workspace")
class TestCommands:
    @pytest.mark.filterwarnings("ignore:The classes", "ignore:Nearly all clips were predicted")
    @pytest.mark.parametrize(
        "blocks",
        [(), ("--handcrafted",), pytest.param(("--calibrate",), marks=has_temperature)],
    )
    def test_a_fold_without_a_class(self, tmp_path, blocks):
        found = load_audio_folders("recordings")
        rows = pd.DataFrame({"path": [f"{tmp_path.cwd()}/{path}" for path in found.filenames]})
        rows["label"] = np.asarray(found.target_names)[found.target]
        rows["fold"] = np.where(rows.label == KINDS[0], 1, np.resize([1, 2], len(rows)))
        rows["day"] = np.resize([1, 2, 3, 4, 5], len(rows))
        rows.to_csv(tmp_path / "clips.csv", index=False)
        weights = f"class_weight={{'{KINDS[0]}': 5.0, '{KINDS[2]}': 2.0}}"
        out, command = tmp_path / "m.skops", ("train", "--table", tmp_path / "clips.csv", *blocks)
        # A calibration that keeps the folds apart would not know the class.
        group = "day" if "--calibrate" in blocks else "fold"
        folds = ("--fold-column", "fold", "--group-column", group)
        result = invoke(*command, *folds, *SMALL, "--set", weights, "-o", out)
        assert "trained without its fold.\n" in result.stdout
        unknown = "Log loss of the probabilities of 24 of 36 clips (lower is better)"
        assert (unknown in result.stdout) is ("--calibrate" in blocks)
        model = load_model(out)
        network = find_network(model)
        keys = [0, 2] if blocks else [KINDS[0], KINDS[2]]
        assert network.class_weight == {keys[0]: 5.0, keys[1]: 2.0}
        shown = f"class_weight {{'{KINDS[0]}': 5.0, '{KINDS[2]}': 2.0}}"
        assert shown in invoke("info", out).stdout
        # Without the command, a combined classifier can learn the same classes again.
        model.fit(rows.path.tolist(), rows.label.tolist())

    def test_an_svc_that_is_calibrated(self, tmp_path):
        weights = f"svc__class_weight={{'{KINDS[0]}': 5.0}}"
        options = ("--method", "svc", "--no-handcrafted", "--proba", "--set", weights)
        out = tmp_path / "m.skops"
        invoke("combine", "model.skops", "--data", "recordings", *options, "-o", out)
        model = load_model(out)
        assert set(model.predict(load_audio_folders("recordings").filenames)) <= {*KINDS}

    def test_weights_of_zero(self, tmp_path):
        weights = "class_weight={" + ", ".join(f"'{kind}': 0" for kind in KINDS) + "}"
        out = tmp_path / "m.skops"
        error = misuse("train", "recordings", "--set", weights, "-o", out)
        assert "class_weight is 0 for all classes with clips to learn from: [" in error

    def test_mistakes_come_before_training(self, tmp_path):
        for blocks in ((), ("--handcrafted",), ("--cv", "3")):
            error = misuse(
                *("train", "recordings", *blocks, "--set", "class_weight={'low_tne': 2.0}"),
                *("-o", tmp_path / "m.skops"),
            )
            assert "class_weight has the key 'low_tne', which is no label" in error
            assert "Did you mean 'low_tone'?" in error
            assert "Training" not in error
        assert not list(tmp_path.iterdir())

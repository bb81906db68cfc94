"""`skdaf train --handcrafted`: a network and hand-crafted features, which vote."""

from functools import wraps

import numpy as np
import pandas as pd
import pytest
from cli_commands import KINDS, SMALL, invoke, misuse

from skdaf import CNNAudioClassifier, load_model, make_combined_classifier
from skdaf.datasets import load_audio_folders

pytestmark = pytest.mark.usefixtures("inside_workspace")


def test_it_is_the_combined_classifier_of_the_package(tmp_path):
    out = tmp_path / "m.skops"
    result = invoke(
        *("train", "recordings", "--handcrafted", "-o", out, *SMALL, "--set", "weights=[2, 1]"),
        *("--set", "cnn1__learning_rate=0.01", "--set", "handcrafted__logistic__C=2"),
        *("--class-weight", "balanced", "--channel", "0", "--cache", tmp_path / "cache"),
    )
    assert result.stderr.startswith("Training on 36 clips of 3 classes")
    assert "Kept epoch 2 of 2: accuracy " in result.stderr
    network = CNNAudioClassifier(
        max_epochs=2, channels=(4, 8), learning_rate=0.01, class_weight="balanced", random_state=0
    ).set_params(frontend__channel=0)
    python = make_combined_classifier(network, weights=[2, 1])
    python.set_params(handcrafted__logistic__C=2)
    found = load_audio_folders("recordings")
    python.fit(found.filenames, np.asarray(found.target_names)[found.target])
    loaded = load_model(out)
    np.testing.assert_array_equal(
        loaded.predict_proba(found.filenames), python.predict_proba(found.filenames)
    )
    assert list(loaded.classes_) == KINDS
    assert loaded.named_estimators_["handcrafted"]["extractor"].channel == 0
    # Parameters of this run are not saved.
    cached = ("cnn1__frontend__cache", "handcrafted__extractor__cache")
    assert [loaded.get_params()[name] for name in cached] == [None, None]


@pytest.mark.filterwarnings("ignore:--group-column")
def test_training_holds_out_whole_groups(tmp_path, monkeypatch):
    calls, fit = [], CNNAudioClassifier.fit

    @wraps(fit)
    def spy(self, X, y, **options):
        calls.append((list(X), options.get("groups")))
        return fit(self, X, y, **options)

    monkeypatch.setattr(CNNAudioClassifier, "fit", spy)
    found = load_audio_folders("recordings")
    rows = pd.DataFrame({"path": found.filenames, "speaker": np.resize(["anna", "ben"], 36)})
    rows["path"] = [f"{tmp_path.cwd()}/{path}" for path in rows.path]
    rows["label"] = np.asarray(found.target_names)[found.target]
    rows.to_csv(tmp_path / "clips.csv", index=False)
    command = ("train", "--handcrafted", "--table", tmp_path / "clips.csv", *SMALL)
    invoke(*command, "--group-column", "speaker", "-o", tmp_path / "m.skops")
    ((clips, groups),) = calls
    assert [*groups] == [*rows.set_index("path").speaker[clips]]
    # The groups belong to the fit, not to the model.
    invoke(*command, "-o", tmp_path / "without.skops")
    one, other = ((tmp_path / name).read_bytes() for name in ("m.skops", "without.skops"))
    assert one == other


def test_it_continues_from_its_checkpoint(tmp_path):
    command = ("train", "recordings", "--handcrafted", "-o", tmp_path / "m.skops", *SMALL)
    texts = [invoke(*command, "--checkpoint", tmp_path / "c").stderr for _ in range(2)]
    assert "resumed" not in texts[0]
    assert "Training, resumed after epoch 2 of 2\n" in texts[1]


def test_misuse(tmp_path):
    def train(*arguments):
        return misuse("train", "recordings", "--handcrafted", *arguments, "-o", tmp_path / "m")

    for task in ("regression", "representation"):
        assert "--handcrafted requires --task classification" in train("--task", task)
    assert "did you mean learning_rate" in train("--set", "learning_rat=1")
    assert "did you mean weights" in train("--set", "weight=1")
    assert "did you mean frontend__n_mels" in train("--set", "frontend__n_mel=1")
    assert "'learning_rate' parameter of CNNAudioClassifier" in train("--set", "learning_rate=x")
    assert "'weights' parameter of VotingClassifier" in train("--set", "weights=1")
    assert not list(tmp_path.iterdir())


def test_weights_of_classes(tmp_path):
    out = tmp_path / "m.skops"
    weights = "class_weight={'low_tone': 2.0, 'high_tone': 1.5}"
    invoke("train", "recordings", "--handcrafted", "-o", out, *SMALL, "--set", weights)
    # The networks of a VotingClassifier learn the positions of the classes.
    network = load_model(out).named_estimators_["cnn1"]
    assert network.class_weight == {KINDS.index("low_tone"): 2.0, KINDS.index("high_tone"): 1.5}

"""The option --cache of the commands that use a model."""

import numpy as np
import pytest
import soundfile as sf
from cli_commands import KINDS, invoke, misuse
from sklearn.dummy import DummyClassifier
from sklearn.frozen import FrozenEstimator
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import FunctionTransformer

from skdaf import (
    CNNFeatureExtractor,
    load_model,
    make_combined_classifier,
    save_model,
)
from skdaf._features import extraction
from skdaf.datasets import load_audio_folders

pytestmark = pytest.mark.usefixtures("inside_workspace")


@pytest.fixture(scope="module")
def combined(workspace, tmp_path_factory):
    """Two combined models, of a network and hand-crafted features: one votes, one has an SVC."""
    folder = tmp_path_factory.mktemp("combined")
    found = load_audio_folders(workspace / "recordings")
    labels = np.asarray(found.target_names)[found.target]
    network = FrozenEstimator(load_model(workspace / "model.skops"))
    files, labels = found.filenames[::3], labels[::3]
    votes = make_combined_classifier(network)
    save_model(votes.fit(files, labels), folder / "votes.skops")
    svc = make_combined_classifier([CNNFeatureExtractor(network)], method="svc")
    save_model(svc.fit(files, labels), folder / "svc.skops")
    return folder


@pytest.fixture
def computed(monkeypatch):
    """The clips whose features are computed, instead of read from the cache."""
    clips = []
    compute = extraction.Extraction._compute_clips

    def spy(self, numbered_clips, lengths):
        numbered_clips = list(numbered_clips)
        clips.extend(numbered_clips)
        return compute(self, numbered_clips, lengths)

    monkeypatch.setattr(extraction.Extraction, "_compute_clips", spy)
    return clips


def check_that_nothing_is_computed_twice(line, cache, computed, n_expected):
    without = invoke(*line).stdout
    computed.clear()
    assert invoke(*line, "--cache", cache).stdout == without
    assert len(computed) == n_expected
    assert any(path.stat().st_size for path in cache.iterdir())
    computed.clear()
    assert invoke(*line, "--cache", cache).stdout == without
    assert computed == []


@pytest.mark.parametrize(
    "line",
    [
        ("predict", "--proba", "--format", "csv", "model.skops", "recordings/low_tone"),
        ("predict", "--layers-dropped", "1", "model.skops", "recordings/low_tone"),
        ("embed", "model.skops", "recordings/low_tone"),
        ("embed", "model.joblib", "--trust", "recordings/low_tone"),
        ("report", "model.skops", *(f"recordings/{kind}" for kind in KINDS)),
    ],
)
def test_features_are_kept_and_used_again(line, tmp_path, computed):
    n_clips = 36 if line[0] == "report" else 12
    check_that_nothing_is_computed_twice(line, tmp_path / "cache", computed, n_clips)


def test_windows_are_kept_too(tmp_path, computed):
    line = ("segments", "model.skops", "long.wav", "--window", "0.5", "--proba")
    n_windows = len(invoke("predict", "--segments", *line[1:], "--format", "csv").stdout.split())
    check_that_nothing_is_computed_twice(line, tmp_path / "cache", computed, n_windows - 1)


@pytest.mark.parametrize("name", ["votes", "svc"])
def test_combined_models_keep_all_features(combined, name, tmp_path, computed):
    model = combined / f"{name}.skops"
    for command in ("predict", "embed") if name == "svc" else ("predict",):
        line = (command, model, "recordings/low_tone")
        cache = tmp_path / command
        # Spectrograms, and hand-crafted features.
        check_that_nothing_is_computed_twice(line, cache, computed, 2 * 12)


def test_after_an_interruption_only_the_rest_is_computed(tmp_path, computed):
    cache, line = tmp_path / "cache", ("predict", "model.skops", "--cache", tmp_path / "cache")
    # As much as a command that was interrupted has done.
    invoke(*line, "recordings/low_tone")
    computed.clear()
    found = invoke(*line, "recordings").stdout
    assert len(computed) == 24
    assert found == invoke("predict", "model.skops", "recordings").stdout
    assert any(cache.iterdir())


@pytest.mark.parametrize(
    ("command", "n_expected"),
    [
        (("transfer", "model.skops", "recordings", "--set", "max_epochs=1"), 36),
        (("combine", "model.skops", "--data", "recordings"), 72),
    ],
)
def test_training_on_a_model_keeps_features(command, n_expected, tmp_path, computed):
    line = (*command, "--cache", tmp_path / "cache", "-o", tmp_path / "new.skops")
    invoke(*line)
    assert len(computed) == n_expected
    computed.clear()
    invoke(*line)
    assert computed == []
    assert str(tmp_path / "cache") not in str(load_model(tmp_path / "new.skops").get_params())


def test_an_index_does_not_remember_the_cache(tmp_path, computed):
    line = ("similar", "index", "model.skops", "recordings", "-o", tmp_path / "index.skops")
    invoke(*line, "--cache", tmp_path / "cache")
    computed.clear()
    invoke(*line, "--cache", tmp_path / "cache")
    assert computed == []
    assert load_model(tmp_path / "index.skops")[
        0
    ].estimator.estimator.estimator.frontend_.cache is (None)


def _lengths(paths):
    return np.array([[sf.info(path).frames] for path in paths])


def test_models_without_features_of_skdaf_refuse_a_cache(tmp_path):
    import joblib

    model = make_pipeline(FunctionTransformer(_lengths), DummyClassifier())
    files = load_audio_folders("recordings").filenames
    joblib.dump(model.fit(files, KINDS * 12), tmp_path / "model.joblib")
    for command in ("predict", "embed"):
        line = (command, tmp_path / "model.joblib", "--trust", "long.wav")
        invoke(*line)
        error = misuse(*line, "--cache", tmp_path / "cache")
        assert "computes nothing that --cache can keep" in error
    assert not (tmp_path / "cache").exists()


def test_standard_input_cannot_be_recognized_again(tmp_path):
    line = ("segments", "model.skops", "-", "--rate", "16000", "--cache", tmp_path)
    assert "--cache needs files" in misuse(*line)

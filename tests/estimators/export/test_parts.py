"""What cannot be exported is refused with a reason, before anything is written."""

import numpy as np
import pytest
from exporting import fitted_on_noise
from helpers import import_or_skip, noise, small_classifier, small_embedder, small_frontend
from legacy_models import classifier_model, dumps
from sklearn.calibration import CalibratedClassifierCV
from sklearn.frozen import FrozenEstimator
from sklearn.linear_model import LogisticRegression
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import FunctionTransformer

from skdaf import (
    CNNAudioClassifier,
    CNNFeatureExtractor,
    PyAudioAnalysisTransformer,
    SpectrogramTransformer,
    export_onnx,
    load_deep_audio_features,
    make_combined_classifier,
)

CLIPS = np.stack([noise(seed) for seed in range(12)])
LABELS = np.arange(12) % 2


@pytest.fixture(scope="module")
def classifier():
    return small_classifier(max_epochs=1).fit(CLIPS, LABELS)


@pytest.fixture
def refused(tmp_path):
    """A function that exports an estimator, which must fail, and returns the message."""
    import_or_skip("onnx")

    def refused(estimator, error=ValueError):
        with pytest.raises(error) as info:
            export_onnx(estimator, tmp_path / "model.onnx")
        assert list(tmp_path.glob("*.onnx")) == []
        return str(info.value)

    return refused


def test_a_classifier_after_the_features(classifier, refused):
    extractor = CNNFeatureExtractor(FrozenEstimator(classifier))
    pipeline = make_pipeline(extractor, LogisticRegression()).fit(CLIPS, LABELS)
    message = refused(pipeline)
    assert "LogisticRegression cannot be exported" in message
    assert "pipeline[:-1]" in message


def test_estimators_around_several_networks_or_none(classifier, refused):
    combined = make_combined_classifier(FrozenEstimator(classifier)).fit(CLIPS, LABELS)
    assert "VotingClassifier cannot be exported, only the networks in it" in refused(combined)
    calibrated = CalibratedClassifierCV(FrozenEstimator(classifier)).fit(CLIPS, LABELS)
    assert "CalibratedClassifierCV cannot" in refused(calibrated)
    handcrafted = PyAudioAnalysisTransformer().fit(CLIPS)
    assert "PyAudioAnalysisTransformer cannot" in refused(handcrafted)
    assert "without a network" in refused(small_frontend().fit(CLIPS))


def test_spectrograms_without_a_front_end(refused):
    spectrograms = small_frontend().fit_transform(CLIPS)
    network = small_classifier(frontend=None, max_epochs=1).fit(spectrograms, LABELS)
    message = refused(network)
    assert "fitted on spectrograms" in message
    assert "pipeline" in message
    assert refused(CNNFeatureExtractor(FrozenEstimator(network)).fit(spectrograms)) == message


class OwnTransformer(SpectrogramTransformer):
    def transform(self, X):
        return super().transform(X)[:, ::-1]


def test_front_ends_of_other_kinds(refused):
    two = make_pipeline(small_frontend(), FunctionTransformer(np.negative))
    for frontend in (OwnTransformer(), two):
        network = small_classifier(frontend=frontend, max_epochs=1).fit(CLIPS, LABELS)
        assert "must be a SpectrogramTransformer and nothing else" in refused(network)
    bare = small_classifier(frontend=None, max_epochs=1)
    before = make_pipeline(*two, bare).fit(CLIPS, LABELS)
    assert "SpectrogramTransformer and FunctionTransformer" in refused(before)
    changed = make_pipeline(FunctionTransformer(np.negative), small_classifier(max_epochs=1))
    assert "FunctionTransformer before the network" in refused(changed.fit(CLIPS, LABELS))


def test_a_pipeline_in_the_network_with_one_front_end(classifier, tmp_path):
    import_or_skip("onnx")
    nested = small_classifier(frontend=make_pipeline(small_frontend()), max_epochs=1)
    for name, model in {"plain": classifier, "nested": nested.fit(CLIPS, LABELS)}.items():
        export_onnx(model, tmp_path / name)
    assert (tmp_path / "plain").read_bytes() == (tmp_path / "nested").read_bytes()


class OwnClassifier(CNNAudioClassifier):
    def predict_proba(self, X):
        return super().predict_proba(X) ** 2


def test_results_that_are_computed_in_another_way(refused):
    own = OwnClassifier(small_frontend(), channels=(2,), max_epochs=1).fit(CLIPS, LABELS)
    assert "OwnClassifier has its own method 'predict_proba'" in refused(own)


def test_windows(classifier, refused):
    extractor = CNNFeatureExtractor(FrozenEstimator(classifier), window=0.1).fit(CLIPS)
    message = refused(extractor)
    assert "window=0.1" in message
    assert "average" in message


def test_models_of_deep_audio_features(refused, tmp_path):
    path = tmp_path / "old.pt"
    path.write_bytes(dumps(classifier_model()))
    assert "sampling_rate=" in refused(load_deep_audio_features(path))
    old = load_deep_audio_features(path, sampling_rate=8000)
    old.frontend_.features = "mel+chroma"
    assert "tunes its chroma to each clip" in refused(old)


def test_what_is_not_fitted_or_no_estimator(refused):
    assert "not fitted" in refused(CNNAudioClassifier())
    assert "not fitted" in refused(make_pipeline(small_frontend(), small_embedder()))
    assert "the class CNNAudioClassifier" in refused(CNNAudioClassifier, TypeError)
    assert "got 3" in refused(3, TypeError)
    assert "There is no" in refused("nowhere.skops", FileNotFoundError)
    assert "no steps" in refused(make_pipeline("passthrough"))


def test_windows_too_long_for_a_file(refused):
    frontend = {"sampling_rate": 100_000, "window_length": 1.0, "n_mels": 4, "n_frames": 4}
    network = fitted_on_noise(frontend, small_classifier(max_epochs=1), LABELS[:8])
    frontend = network.frontend_
    assert frontend._extraction_at_one_rate().settings.n_fft == 100_000
    frontend._fitted_settings["sampling_rate"] = 2_000_000
    frontend._fitted_settings["window_length"] = 1_000_000
    assert "window_length" in refused(network)

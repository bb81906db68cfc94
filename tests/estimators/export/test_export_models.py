"""Exported estimators of each kind give the results of the estimators."""

import json
import sys

import numpy as np
import pandas as pd
import pytest
from exporting import difficult_clips, exported, fitted_on_noise, metadata, run
from helpers import (
    any_length,
    import_or_skip,
    noise,
    run_python,
    silence,
    small_classifier,
    small_embedder,
    small_frontend,
)
from legacy_models import classifier_model, dumps
from sklearn.frozen import FrozenEstimator
from sklearn.model_selection import GridSearchCV
from sklearn.pipeline import make_pipeline

import skdaf
from skdaf import (
    CNNAudioClassifier,
    CNNAudioRegressor,
    CNNFeatureExtractor,
    export_onnx,
    load_audio,
    load_deep_audio_features,
    make_combined_classifier,
    save_model,
)

pytestmark = [any_length, silence]

CLIPS = difficult_clips()
LABELS = np.array(["dog", "rain", "Vögel"])[np.arange(8) % 3]
TINY = {"channels": (4, 8), "hidden_units": (8,), "max_epochs": 3, "random_state": 0}


def classifier_on_noise(frontend, **params):
    return fitted_on_noise(frontend, CNNAudioClassifier(**{**TINY, **params}), LABELS)


@pytest.fixture(scope="module")
def classifier(sounds, sound_labels):
    """A classifier that has learned the kinds of `sounds`, so that its probabilities differ."""
    frontend = small_frontend(sampling_rate=16_000)
    return small_classifier(frontend=frontend).fit(sounds.filenames, sound_labels)


@pytest.fixture(scope="module")
def onnx_file(classifier, tmp_path_factory):
    import_or_skip("onnx")
    path = tmp_path_factory.mktemp("exported") / "model.onnx"
    export_onnx(classifier, path)
    return path


def check_same(session, predict, clips=CLIPS, tolerance=1e-4):
    np.testing.assert_allclose(run(session, clips), predict(clips), rtol=0, atol=tolerance)


# --- classifiers -------------------------------------------------------------------------------


@pytest.mark.parametrize(
    "frontend",
    [
        {},
        {"features": "mfcc"},
        {"features": "mel+chroma", "length": "pad"},
        {"length": "pad", "n_frames": 40},
        {"length": "tile", "n_frames": 20},
        {"standardize": False, "sampling_rate": 44_100},
    ],
    ids=str,
)
def test_probabilities(frontend, tmp_path):
    classifier = classifier_on_noise(frontend)
    check_same(exported(classifier, tmp_path), classifier.predict_proba)


@pytest.mark.parametrize(
    "params",
    [
        {"network": "daf", "channels": (2, 3), "hidden_units": (4,)},
        {"n_networks": 3},
        {"hidden_units": ()},
        {"kernel_size": 5, "channels": (3,)},
    ],
    ids=str,
)
def test_networks(params, tmp_path):
    classifier = classifier_on_noise({}, **params)
    check_same(exported(classifier, tmp_path), classifier.predict_proba)


def test_a_trained_classifier(sounds, classifier, onnx_file, tmp_path):
    session = exported(classifier, tmp_path)
    clips = [load_audio(path)[0].astype(np.float32) for path in sounds.filenames]
    expected = classifier.predict_proba(sounds.filenames)
    assert np.ptp(expected, axis=0).min() > 0.5
    np.testing.assert_allclose(run(session, clips), expected, rtol=0, atol=1e-5)
    assert metadata(session) == {
        "skdaf_version": skdaf.__version__,
        "sampling_rate": "16000",
        "task": "classification",
        "classes": '["high_tone", "low_tone", "white_noise"]',
    }
    # The same estimator gives the same bytes.
    assert (tmp_path / "model.onnx").read_bytes() == onnx_file.read_bytes()


def test_a_batch_of_clips(classifier, onnx_file):
    (session_input,) = (session := exported(classifier, onnx_file.parent)).get_inputs()
    assert (session_input.name, session_input.type) == ("waveform", "tensor(float)")
    batch = np.stack([clip for clip in CLIPS if len(clip) == 4000] * 3)
    (rows,) = session.run(["probabilities"], {"waveform": batch})
    np.testing.assert_allclose(rows, classifier.predict_proba(batch), rtol=0, atol=1e-5)


def test_several_labels(tmp_path):
    y = pd.DataFrame(np.arange(24).reshape(8, 3) % 5 % 2, columns=["dog", "rain", "wind"])
    classifier = fitted_on_noise({}, CNNAudioClassifier(**TINY), y)
    session = exported(classifier, tmp_path)
    check_same(session, classifier.predict_proba)
    assert metadata(session)["task"] == "multilabel"
    assert json.loads(metadata(session)["classes"]) == ["dog", "rain", "wind"]


@pytest.mark.parametrize("y", [np.arange(8) % 2, LABELS == "dog", LABELS], ids=str)
def test_classes_are_a_json_array(y, tmp_path):
    classifier = fitted_on_noise(small_frontend(), CNNAudioClassifier(**TINY), y)
    classes = json.loads(metadata(exported(classifier, tmp_path))["classes"])
    assert classes == classifier.classes_.tolist()


def test_classes_of_a_part_of_a_combined_classifier_are_positions(tmp_path):
    network = CNNAudioClassifier(small_frontend(), **TINY)
    clips = [noise(seed, 2000) for seed in range(8)]
    combined = make_combined_classifier(network).fit(clips, LABELS)
    session = exported(combined.named_estimators_["cnn1"], tmp_path)
    classes = json.loads(metadata(session)["classes"])
    assert classes == [0, 1, 2]
    assert combined.classes_[classes].tolist() == sorted(set(LABELS))


def test_models_of_deep_audio_features(tmp_path):
    path = tmp_path / "old.pt"
    for model in (classifier_model(), classifier_model(zero_pad=True, max_sequence_length=18)):
        path.write_bytes(dumps(model))
        # 1102 samples in a window, and an odd number at the second rate.
        for rate in (22_050, 8_020):
            old = load_deep_audio_features(path, sampling_rate=rate)
            check_same(exported(old, tmp_path), old.predict_proba)


# --- other estimators --------------------------------------------------------------------------


@pytest.mark.parametrize("n_targets", [1, 2])
def test_numbers_are_in_the_units_of_y(n_targets, tmp_path):
    y = np.random.default_rng(0).normal(100, 20, (8, n_targets)) * [1, 0.01][:n_targets]
    regressor = fitted_on_noise({}, CNNAudioRegressor(**TINY), y[:, 0] if n_targets == 1 else y)
    session = exported(regressor, tmp_path)
    expected = regressor.predict(CLIPS).reshape(-1, n_targets)
    np.testing.assert_allclose(run(session, CLIPS), expected, rtol=1e-4)
    assert session.get_outputs()[0].name == "values"
    assert metadata(session)["task"] == "regression"
    assert "classes" not in metadata(session)


def test_embeddings(tmp_path):
    embedder = fitted_on_noise({}, small_embedder(max_epochs=2), None)
    session = exported(embedder, tmp_path)
    check_same(session, embedder.transform, tolerance=1e-3)
    assert session.get_outputs()[0].name == "embedding"
    assert metadata(session)["task"] == "embedding"


@pytest.mark.parametrize("layers_dropped", [0, 1, 3])
def test_inner_layers(classifier, layers_dropped, tmp_path):
    extractor = CNNFeatureExtractor(FrozenEstimator(classifier), layers_dropped=layers_dropped)
    session = exported(extractor.fit(CLIPS[-3:]), tmp_path)
    check_same(session, extractor.transform, CLIPS[-8:], tolerance=1e-3)


def test_estimators_in_others(classifier, onnx_file, sounds, sound_labels, tmp_path):
    saved, out = tmp_path / "model.skops", tmp_path / "model.onnx"
    save_model(classifier, saved)
    search = GridSearchCV(classifier, {"max_epochs": [1]}, refit=False)
    search.best_estimator_ = FrozenEstimator(classifier)
    for wrapped in (saved, FrozenEstimator(classifier), search):
        export_onnx(wrapped, str(out))
        assert out.read_bytes() == onnx_file.read_bytes()


def test_pipelines(classifier, onnx_file, sounds, sound_labels, tmp_path):
    network = small_classifier(frontend=None)
    pipeline = make_pipeline("passthrough", small_frontend(sampling_rate=16_000), network)
    pipeline.fit(sounds.filenames, sound_labels)
    out = tmp_path / "model.onnx"
    for same in (pipeline, make_pipeline(pipeline[:-1], FrozenEstimator(pipeline[-1]))):
        export_onnx(same, out)
        assert out.read_bytes() == onnx_file.read_bytes()


# --- files -------------------------------------------------------------------------------------


def test_a_file_is_replaced_as_a_whole(classifier, tmp_path):
    import_or_skip("onnx")
    out = tmp_path / "model.onnx"
    out.write_bytes(b"before")
    unfit = CNNAudioClassifier()
    with pytest.raises(ValueError, match="not fitted"):
        export_onnx(unfit, out)
    assert out.read_bytes() == b"before"
    export_onnx(classifier, out)
    assert [path.name for path in tmp_path.iterdir()] == ["model.onnx"]
    with pytest.raises(OSError, match=r"nowhere.*could not be written"):
        export_onnx(classifier, tmp_path / "nowhere" / "model.onnx")


def test_the_file_describes_itself(onnx_file):
    onnx = import_or_skip("onnx")
    model = onnx.load(onnx_file)
    assert "16000 Hz" in model.doc_string
    assert (model.producer_name, model.producer_version) == ("skdaf", skdaf.__version__)
    # Programs that are some years old can read it.
    assert (model.opset_import[0].version, model.ir_version) == (18, 8)


BARE = """
import sys

BLOCKED = {"torch", "skdaf", "sklearn", "scipy", "onnx", "pandas", "soundfile"}


class Blocker:
    def find_spec(self, name, path=None, target=None):
        if name.split(".")[0] in BLOCKED:
            raise ImportError(f"{name} is blocked")


sys.meta_path.insert(0, Blocker())
import numpy as np
import onnxruntime

try:
    import torch
except ImportError:
    print("blocked")
clips = np.load(sys.argv[2])
session = onnxruntime.InferenceSession(sys.argv[1])
np.save(sys.argv[3], session.run(["probabilities"], {"waveform": clips})[0])
print(sorted({name.split(".")[0] for name in sys.modules} & BLOCKED))
"""


def test_a_process_that_has_only_numpy_and_onnxruntime(classifier, onnx_file, tmp_path):
    import_or_skip("onnxruntime")
    clips = np.stack([clip[:1000] for clip in CLIPS if len(clip) >= 1000])
    np.save(tmp_path / "clips.npy", clips)
    arguments = onnx_file, tmp_path / "clips.npy", tmp_path / "found.npy"
    printed = run_python(BARE, *arguments, on_warning="default", cwd=tmp_path)
    assert printed == "blocked\n[]\n"
    found = np.load(tmp_path / "found.npy")
    np.testing.assert_allclose(found, classifier.predict_proba(clips), rtol=0, atol=1e-4)


def test_without_onnx(classifier, tmp_path, monkeypatch):
    monkeypatch.setitem(sys.modules, "onnx", None)
    with pytest.raises(ImportError, match=r"export_onnx needs onnx.*pip install onnx, or"):
        export_onnx(classifier, tmp_path / "model.onnx")


# --- recordings --------------------------------------------------------------------------------


def test_spoken_digits(fsdd, tmp_path):
    paths, digits, _, takes = fsdd
    train = np.flatnonzero(takes >= 5)[::40]
    classifier = CNNAudioClassifier(channels=(4, 8), max_epochs=12, random_state=0)
    classifier.fit(paths[train], digits[train])
    test = paths[takes < 5][::15]
    clips = [load_audio(path)[0].astype(np.float32) for path in test]
    found, expected = run(exported(classifier, tmp_path), clips), classifier.predict_proba(test)
    np.testing.assert_allclose(found, expected, rtol=0, atol=1e-4)
    assert np.ptp(expected, axis=0).max() > 0.15

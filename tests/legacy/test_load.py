"""Models of deep_audio_features: outputs, parameters, copies, use in other estimators."""

import pickle

import joblib
import numpy as np
import pytest
import soundfile as sf
import torch
from helpers import DATA
from legacy_models import (
    CLASSES,
    N_FRAMES,
    ConvAutoEncoder,
    LegacyClassifier,
    autoencoder_model,
    classifier_model,
    dumps,
    make_network,
)
from sklearn.base import clone
from sklearn.frozen import FrozenEstimator
from sklearn.neighbors import NearestNeighbors
from sklearn.utils._param_validation import InvalidParameterError

from skdaf import (
    CNNAudioClassifier,
    CNNFeatureExtractor,
    ConvAutoencoderEmbedder,
    load_deep_audio_features,
    load_model,
    make_combined_classifier,
    save_model,
)

pytestmark = pytest.mark.oldest

# How much the outputs of one network may differ between builds of torch, relative to the largest.
ACROSS_BUILDS = 1e-4

# The same for one build.
SAME_BUILD = 1e-5


def distance(found, expected):
    """Return the largest difference, relative to the largest value."""
    return np.abs(np.asarray(found) - expected).max() / np.abs(expected).max()


@pytest.fixture(scope="module")
def inputs():
    levels = np.random.default_rng(0).uniform(-80, 0, (6, N_FRAMES, 128))
    return levels.astype(np.float32)


@pytest.fixture(scope="module")
def paths(tmp_path_factory):
    folder = tmp_path_factory.mktemp("clips")
    rng = np.random.default_rng(0)
    for number in range(6):
        sf.write(folder / f"{number}.wav", 0.1 * rng.standard_normal(3000 + 500 * number), 8000)
    return sorted(folder.iterdir())


# --- what is loaded --------------------------------------------------------------------------


def test_a_classifier_has_the_outputs_of_the_original(load, inputs):
    network = make_network(LegacyClassifier)
    classifier = load(classifier_model(network))
    assert isinstance(classifier, CNNAudioClassifier)
    with torch.inference_mode():
        tensor = torch.tensor(inputs).unsqueeze(1)
        logits = network(tensor).numpy()
        assert (logits < 0).any()
        assert distance(classifier.decision_function(inputs), logits) < SAME_BUILD
        for dropped in range(7):
            extractor = CNNFeatureExtractor(FrozenEstimator(classifier), layers_dropped=dropped)
            found = extractor.fit(inputs).transform(inputs)
            assert distance(found, network(tensor, dropped).numpy()) < SAME_BUILD
    np.testing.assert_array_equal(
        classifier.predict(inputs), [CLASSES[index] for index in logits.argmax(axis=1)]
    )
    probabilities = classifier.predict_proba(inputs)
    np.testing.assert_allclose(probabilities.sum(axis=1), 1)


def test_an_autoencoder_has_the_outputs_of_the_original(load, inputs):
    network = make_network(ConvAutoEncoder)
    embedder = load(autoencoder_model(network))
    assert isinstance(embedder, ConvAutoencoderEmbedder)
    with torch.inference_mode():
        reconstructed, embedding = network(torch.tensor(inputs).unsqueeze(1))
    assert distance(embedder.transform(inputs), embedding.numpy()) < SAME_BUILD
    assert distance(embedder.reconstruct(inputs), reconstructed.numpy()) < SAME_BUILD
    assert embedder.transform(inputs).shape == (6, 5 * 1 * 8)
    assert len(embedder.get_feature_names_out()) == 5 * 1 * 8
    assert embedder.score(inputs) < 0


@pytest.mark.parametrize("protocol", [3, 4, 5])
@pytest.mark.parametrize("model", [classifier_model, autoencoder_model])
def test_every_default_protocol_of_pickle_is_read(load, inputs, model, protocol):
    expected = load(model()).layer_outputs(inputs)
    found = load(dumps(model(), protocol)).layer_outputs(inputs)
    np.testing.assert_array_equal(found, expected)


def test_classes_are_in_the_order_of_the_file(load):
    assert load(classifier_model()).classes_.tolist() == ["up", "down", "left"]
    shuffled = {2: "left", 0: "up", 1: "down"}
    assert load(classifier_model(classes_mapping=shuffled)).classes_.tolist() == [
        *("up", "down", "left")
    ]


def test_parameters_come_from_the_file(load):
    classifier = load(classifier_model())
    parameters = classifier.get_params()
    assert parameters["network"] == "daf"
    assert parameters["channels"] == (2, 3, 4, 5)
    assert parameters["hidden_units"] == (7, 6)
    assert parameters["kernel_size"] == 5
    expected = {
        "features": "mel",
        "sampling_rate": None,
        "window_length": 0.05,
        "hop_length": 0.02,
        "n_mels": 128,
        "standardize": False,
        "n_frames": N_FRAMES,
        "length": "resize",
    }
    found = {name: parameters[f"frontend__{name}"] for name in expected}
    assert found == expected
    assert classifier.input_shape_ == (N_FRAMES, 128)
    assert classifier.layer_names_ == [
        *("conv1", "conv2", "conv3", "conv4", "dense1", "dense2", "output")
    ]
    embedder = load(autoencoder_model())
    assert (embedder.n_channels, embedder.channels) == (5, (2, 3, 4))


def test_padding_and_chroma_come_from_the_file(load, paths):
    network = make_network(LegacyClassifier, n_bins=140)
    model = classifier_model(
        network, fuse=True, zero_pad=True, spec_size=(140, 18), max_sequence_length=20
    )
    classifier = load(model)
    assert classifier.frontend.features == "mel+chroma"
    assert classifier.frontend.length == "pad"
    assert classifier.input_shape_ == (20, 140)
    assert classifier.predict(paths).shape == (6,)


def test_sampling_rate_is_passed_to_the_front_end(load, paths):
    assert load(classifier_model(), sampling_rate=8000).frontend_.sampling_rate_ == 8000
    own = load(classifier_model()).decision_function(paths)
    given = load(classifier_model(), sampling_rate=8000).decision_function(paths)
    np.testing.assert_array_equal(own, given)
    other = load(classifier_model(), sampling_rate=16000).decision_function(paths)
    assert np.abs(other - own).max() > 0
    with pytest.raises(InvalidParameterError, match="sampling_rate"):
        load(classifier_model(), sampling_rate="fast")


@pytest.mark.parametrize("model", [classifier_model, autoencoder_model])
def test_copies_and_saved_files_have_the_same_outputs(load, paths, tmp_path, model):
    estimator = load(model())
    joblib.dump(estimator, tmp_path / "model.joblib")
    save_model(estimator, tmp_path / "model.skops")
    expected = estimator.layer_outputs(paths)
    for copy in (
        joblib.load(tmp_path / "model.joblib"),
        load_model(tmp_path / "model.skops"),
        pickle.loads(pickle.dumps(estimator)),
    ):
        np.testing.assert_array_equal(copy.layer_outputs(paths), expected)
    save_model(load_model(tmp_path / "model.skops"), tmp_path / "again.skops")
    again = load_model(tmp_path / "again.skops")
    np.testing.assert_array_equal(again.layer_outputs(paths), expected)


def test_a_clone_trains_a_network_without_the_activation(load, paths):
    classifier = load(classifier_model())
    new = clone(classifier)
    assert not hasattr(new, "network_")
    new.set_params(max_epochs=1, random_state=0).fit(paths, [0, 1] * 3)
    assert not hasattr(new.network_.output, "activation")
    assert hasattr(classifier.network_.output, "activation")
    assert new.input_shape_ == classifier.input_shape_


def test_a_classifier_can_be_trained_further(load, paths):
    old = load(classifier_model())
    new = CNNAudioClassifier(
        pretrained=FrozenEstimator(old), frozen_layers="conv", max_epochs=1, random_state=0
    ).fit(paths, [0, 1] * 3)
    assert not hasattr(new.network_.output, "activation")
    found, expected = new.layer_outputs(paths, 4), old.layer_outputs(paths, 4)
    np.testing.assert_array_equal(found, expected)


def test_an_encoder_can_initialize_a_classifier(load, paths, tmp_path):
    old = load(autoencoder_model())
    new = CNNAudioClassifier(
        pretrained=FrozenEstimator(old), frozen_layers="conv", max_epochs=1, random_state=0
    ).fit(paths, [0, 1] * 3)
    np.testing.assert_array_equal(new.layer_outputs(paths, 4), old.transform(paths))
    save_model(new, tmp_path / "new.skops")
    loaded = load_model(tmp_path / "new.skops")
    np.testing.assert_array_equal(loaded.predict_proba(paths), new.predict_proba(paths))


def test_loaded_models_work_inside_other_estimators(load, sounds, sound_labels, tmp_path):
    rows = np.arange(0, 60, 3)
    files = np.array(sounds.filenames)[rows]
    classifier, embedder = load(classifier_model()), load(autoencoder_model())
    save_model(classifier, tmp_path / "model.skops")
    extractors = [
        CNNFeatureExtractor(FrozenEstimator(classifier), window=0.1),
        CNNFeatureExtractor(tmp_path / "model.skops"),
    ]
    combined = make_combined_classifier(extractors, handcrafted=False, n_components=3, method="svc")
    combined.fit(files, sound_labels[rows])
    assert combined.predict(files).shape == (20,)
    neighbors = NearestNeighbors(n_neighbors=1).fit(embedder.transform(files))
    assert neighbors.kneighbors(embedder.transform(files))[1].ravel().tolist() == list(range(20))


def test_torch_loads_weights_only_and_keeps_its_random_state(load, inputs, monkeypatch):
    seen = []
    original = torch.load
    monkeypatch.setattr(torch, "load", lambda *a, **k: seen.append(k) or original(*a, **k))
    before = torch.get_rng_state()
    load(classifier_model())
    assert torch.equal(torch.get_rng_state(), before)
    assert len(seen) == len(make_network(LegacyClassifier).state_dict())
    assert all(options["weights_only"] is True for options in seen)


# --- real models -----------------------------------------------------------------------------


@pytest.fixture(scope="module", params=["cnn", "autoencoder"])
def real(request):
    """An estimator, the outputs of the original, and the recordings (None if they are absent)."""
    folder = DATA / "daf"
    if not folder.is_dir():
        pytest.skip(f"no models in {folder}")
    estimator = load_deep_audio_features(folder / f"fsdd_{request.param}.pt")
    with np.load(folder / f"fsdd_{request.param}_reference.npz") as file:
        outputs = {name: file[name] for name in file.files}
    paths = [DATA / "fsdd" / name[0] / name for name in outputs["basename"].tolist()]
    if not all(path.is_file() for path in paths):
        found = {path.name: path for path in (DATA / "fsdd").rglob("*.wav")}
        paths = [found.get(name) for name in outputs["basename"].tolist()]
    return request.param, estimator, outputs, None if None in paths else paths


def test_real_models_have_the_outputs_of_the_original(real):
    kind, estimator, outputs, _ = real
    inputs = outputs["input"][:, 0]
    if kind == "autoencoder":
        assert distance(estimator.transform(inputs), outputs["embedding"]) < ACROSS_BUILDS
        # In silence, neighboring values are equal except for rounding, so max pooling may choose
        # either. The same network in float64 differs as much.
        reconstructed, expected = (
            estimator.reconstruct(inputs),
            outputs["reconstruction"][:, 0],
        )
        assert distance(reconstructed, expected) < 2e-2
        far = np.abs(reconstructed - expected) > ACROSS_BUILDS * np.abs(expected).max()
        assert far.mean() < 2e-2
        return
    assert distance(estimator.decision_function(inputs), outputs["logits"]) < ACROSS_BUILDS
    for dropped in (1, 2, 3, 4):
        extractor = CNNFeatureExtractor(FrozenEstimator(estimator), layers_dropped=dropped)
        found = extractor.fit(inputs).transform(inputs)
        assert distance(found, outputs[f"drop{dropped}"]) < ACROSS_BUILDS


def test_real_recordings_have_the_outputs_of_the_original(real):
    kind, estimator, outputs, paths = real
    if paths is None:
        pytest.skip("no recordings")
    inputs = estimator.frontend_.transform(paths)
    np.testing.assert_allclose(inputs, outputs["input"][:, 0], atol=5e-3)
    if kind == "autoencoder":
        assert distance(estimator.transform(paths), outputs["embedding"]) < ACROSS_BUILDS
        return
    assert estimator.classes_.tolist() == list("0123456789")
    expected = estimator.classes_[outputs["logits"].argmax(axis=1)]
    np.testing.assert_array_equal(estimator.predict(paths), expected)
    assert distance(estimator.decision_function(paths), outputs["logits"]) < ACROSS_BUILDS

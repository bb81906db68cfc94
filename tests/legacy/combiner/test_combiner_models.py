"""The models that a configuration file names: where they are found, and which layers are used."""

import re
import shutil
from pathlib import Path

import numpy as np
import pytest
from config_files import ABSENT, VALUES, write_config
from helpers import DATA
from model_server import serving
from sklearn.frozen import FrozenEstimator
from sklearn.preprocessing import StandardScaler

from skdaf import (
    CNNAudioClassifier,
    CNNFeatureExtractor,
    ConvAutoencoderEmbedder,
    PyAudioAnalysisTransformer,
    SpectrogramTransformer,
    load_deep_audio_features,
    save_model,
)
from skdaf._core.download import address
from skdaf._legacy.combiner.config import CombinerConfig
from skdaf._legacy.combiner.models import find_model_files, make_extractors
from skdaf._legacy.combiner.pipeline import make_pipeline

pytestmark = [
    pytest.mark.oldest,
    pytest.mark.filterwarnings("ignore:The file at .* has the SHA-256"),
]

DRIVE_ID = "small-".ljust(33, "x")


@pytest.fixture
def server(monkeypatch, tmp_path):
    """A server that plays Google Drive; its file is a model."""
    monkeypatch.setenv("SKDAF_MODELS", str(tmp_path / "cache"))
    monkeypatch.delenv("http_proxy", raising=False)
    with serving() as server:
        monkeypatch.setattr(address, "_DRIVE_URL", f"{server.address}/uc")
        yield server


@pytest.fixture
def find(workspace):
    """A function that writes a configuration file and finds its models."""

    def find(**changes):
        path = write_config(workspace / "config.yaml", **changes)
        return find_model_files(CombinerConfig.read(path))

    return find


# --- where they are ---


def test_files_that_are_there_are_used(find, server):
    assert find() == ["one.skops", "old.pt"]
    assert find(download_models=False) == ["one.skops", "old.pt"]
    assert server.requested == []


def test_missing_files_are_downloaded(find, server):
    ids = [DRIVE_ID, "x" * 30]
    missing, there = find(model_paths=["no.pt", "old.pt"], google_drive_ids=ids)
    assert there == "old.pt"
    assert missing.endswith(DRIVE_ID)
    assert Path(missing).read_bytes() == server.content
    assert find(model_paths=ABSENT, google_drive_ids=[DRIVE_ID]) == [missing]
    assert find(model_paths=[DRIVE_ID], google_drive_ids=ABSENT) == [missing]
    assert len(server.requested) == 2


def test_addresses_are_fetched(find, server):
    (path,) = find(
        model_paths=[f"{server.address}/file/a.pt"], download_models=ABSENT, google_drive_ids=ABSENT
    )
    assert Path(path).read_bytes() == server.content


def test_nothing_is_downloaded_without_permission(find, server):
    url = f"{server.address}/file"
    with pytest.raises(ValueError, match=f"model_paths.0. is the address '{url}', but download_mo"):
        find(model_paths=[url], download_models=False)
    with pytest.raises(FileNotFoundError, match=f"{DRIVE_ID}' is not there"):
        find(model_paths=[DRIVE_ID], download_models=False)
    with pytest.raises(FileNotFoundError, match=r"no.pt' is not there.*download_models to true"):
        find(model_paths=["one.skops", "no.pt"], download_models=False)
    assert server.requested == []


def test_missing_files_are_named(find, workspace, server):
    where = re.escape(f"'{workspace / 'config.yaml'}': model_paths[1]")
    with pytest.raises(FileNotFoundError, match=f"{where} must be a model file, but '.*/no.pt'"):
        find(model_paths=["one.skops", "no.pt"], download_models=ABSENT)
    (workspace / "folder").mkdir()
    with pytest.raises(FileNotFoundError, match=f"{where} must be .*/folder' is a folder"):
        find(model_paths=["one.skops", "folder"], google_drive_ids=ABSENT)
    with pytest.raises(OSError, match="404"):
        find(model_paths=["no.pt"], google_drive_ids=["gone-".ljust(33, "x")])


# --- what they compute ---


def test_each_network_has_the_output_of_its_last_conv_layer(workspace, sounds):
    ours, old = make_extractors(["one.skops", "old.pt"], segment_step=5)
    assert isinstance(ours.estimator, FrozenEstimator)
    assert (ours.layers_dropped, old.layers_dropped) == (2, 3)
    names = [one.fit(sounds.filenames).get_feature_names_out()[0] for one in (ours, old)]
    assert names == ["conv2_0", "conv4_0"]
    others = make_extractors(["one.skops", "old.pt"], segment_step=5, layers_dropped=1)
    assert [one.layers_dropped for one in others] == [1, 1]


def test_windows_and_steps(workspace):
    ours, old = make_extractors(["one.skops", "old.pt"], segment_step=5)
    # As many frames as the network saw in training; frames of 10 ms.
    assert (ours.window, ours.step) == pytest.approx((0.12, 0.05))
    # As many frames as the original takes, which is the number of bins; frames of 20 ms.
    assert (old.window, old.step) == pytest.approx((128 * 0.02, 0.1))


def test_an_autoencoder_has_its_embedding(sounds, tmp_path):
    embedder = ConvAutoencoderEmbedder(
        SpectrogramTransformer(n_mels=16, n_frames=12), channels=(4, 8), max_epochs=1
    ).fit(sounds.filenames)
    save_model(embedder, tmp_path / "embedder.skops")
    (extractor,) = make_extractors([tmp_path / "embedder.skops"], segment_step=12)
    assert extractor.fit(sounds.filenames).get_feature_names_out()[0] == "embedding_0"
    # Frames of 10 ms: one window of 0.12 s for each clip of 0.12 s.
    samples = np.random.default_rng(0).standard_normal((4, 1920))
    clips = [(one, 16_000) for one in samples]
    np.testing.assert_allclose(extractor.transform(clips), embedder.transform(clips), rtol=1e-5)


def test_models_without_networks_or_frames_are_refused(workspace, sounds):
    save_model(StandardScaler().fit(np.ones((2, 2))), "scaler.skops")
    with pytest.raises(ValueError, match=r"No network found in 'scaler.skops'"):
        make_extractors(["scaler.skops"], segment_step=5)
    network = CNNAudioClassifier(channels=(4,), max_epochs=1)
    network.fit(np.random.default_rng(0).standard_normal((8, 12, 16)), [0, 1] * 4)
    save_model(network, "spectrograms.skops")
    with pytest.raises(ValueError, match=r"'spectrograms\.skops' cannot be used with segment_step"):
        make_extractors(["spectrograms.skops"], segment_step=5)
    shutil.copy("config.yaml", "no.pt")
    with pytest.raises(
        ValueError, match=r"'no\.pt' cannot be loaded as a model of deep_audio_feat"
    ):
        make_extractors(["no.pt"], segment_step=5)


def test_a_real_model_has_the_features_of_the_original():
    folder = DATA / "daf"
    if not folder.is_dir():
        pytest.skip(f"no models in {folder}")
    with np.load(folder / "fsdd_cnn_reference.npz") as file:
        names, expected = file["basename"].tolist(), file["drop3"]
    found = {path.name: path for path in (DATA / "fsdd").rglob("*.wav")}
    if not {*names} <= found.keys():
        pytest.skip("no recordings")
    (extractor,) = make_extractors([folder / "fsdd_cnn.pt"], segment_step=5)
    paths = [found[name] for name in names]
    features = extractor.fit(paths).transform(paths)
    # They are shorter than a window, so each of them is used as a whole.
    assert np.abs(features - expected).max() < 1e-4 * np.abs(expected).max()


# --- the pipeline ---


def test_the_pipeline_has_the_settings_of_the_file(workspace):
    basic = {"mid_window": 2.0, "mid_step": 0.5, "short_window": 0.04, "short_step": 0.02}
    path = write_config(
        workspace / "config.yaml",
        basic_features_params=basic,
        n_components=7,
        which_classifier__parameters__kernel="poly",
    )
    config = CombinerConfig.read(path)
    parameters = make_pipeline(config, find_model_files(config)).get_params()
    part = "features__handcrafted__extractor"
    assert {name: parameters[f"{part}__{name}"] for name in basic} == basic
    assert isinstance(parameters[part], PyAudioAnalysisTransformer)
    assert [parameters[f"features__cnn{n}__pca__n_components"] for n in (1, 2)] == [7, 7]
    assert isinstance(parameters["features__cnn2__extractor"], CNNFeatureExtractor)
    assert parameters["svc__kernel"] == "poly"
    assert parameters["svc__class_weight"] == "balanced"


def test_features_that_are_left_out(workspace):
    for kind, blocks in [("basic", ["cnn1", "cnn2"]), ("nn", ["handcrafted"])]:
        path = write_config(workspace / "config.yaml", **{f"extract_{kind}_features": False})
        config = CombinerConfig.read(path)
        union = make_pipeline(config, find_model_files(config)).named_steps["features"]
        assert [name for name, block in union.transformer_list if block != "drop"] == blocks


def test_the_old_model_is_the_old_model(workspace):
    # Guards the fixtures: the models that are compared differ.
    assert VALUES["model_paths"] == ["one.skops", "old.pt"]
    assert load_deep_audio_features("old.pt").layer_names_[3] == "conv4"

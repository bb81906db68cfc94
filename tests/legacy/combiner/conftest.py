"""Fixtures: a workspace with two models and a configuration file that names them."""

import pytest
from config_files import write_config
from legacy_models import classifier_model, dumps

from skdaf import CNNAudioClassifier, SpectrogramTransformer, save_model


@pytest.fixture(scope="session")
def network(sounds, sound_labels):
    """A small network of this package."""
    frontend = SpectrogramTransformer(n_mels=16, n_frames=12)
    classifier = CNNAudioClassifier(frontend, channels=(4, 8), max_epochs=4, random_state=0)
    return classifier.fit(sounds.filenames, sound_labels)


@pytest.fixture
def workspace(network, tmp_path, monkeypatch):
    """The current folder, with one.skops, old.pt and config.yaml."""
    monkeypatch.chdir(tmp_path)
    save_model(network, "one.skops")
    (tmp_path / "old.pt").write_bytes(dumps(classifier_model()))
    write_config(tmp_path / "config.yaml", n_components=4)
    return tmp_path

"""What belongs to a run is neither saved nor loaded."""

import os
import zipfile

import numpy as np
import pytest
from crafting import (
    attribute,
    plain,
)
from saved_models import SMALL, fit_classifier
from sklearn import config_context
from sklearn.base import clone
from sklearn.exceptions import UnsetMetadataPassedError
from sklearn.frozen import FrozenEstimator
from sklearn.model_selection import GridSearchCV
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler
from sklearn.svm import SVC

from skdaf import (
    CNNAudioClassifier,
    CNNFeatureExtractor,
    SpectrogramTransformer,
    load_model,
    save_model,
)

pytestmark = pytest.mark.oldest


def test_run_parameters_are_neither_saved_nor_loaded(waveforms, tmp_path):
    front_end = SpectrogramTransformer(n_mels=8, cache=tmp_path / "cached", n_jobs=1)
    network = CNNAudioClassifier(
        front_end, **SMALL, device="cpu", checkpoint=tmp_path / "kept", n_jobs=1
    )
    pipeline = make_pipeline(CNNFeatureExtractor(network), SVC(), memory=str(tmp_path / "memory"))
    cache = "cnnfeatureextractor__estimator__frontend__cache"
    grid = {"svc__C": [1.0, 2.0], cache: [str(tmp_path / "searched")]}
    search = GridSearchCV(pipeline, grid, cv=2, n_jobs=1).fit(waveforms, np.arange(20) % 2)
    before = search.get_params()
    save_model(search, tmp_path / "model.skops")
    assert search.get_params() == before
    assert search.best_params_[cache] == str(tmp_path / "searched")
    with zipfile.ZipFile(tmp_path / "model.skops") as archive:
        assert str(tmp_path) not in archive.read("schema.json").decode()
    loaded = load_model(tmp_path / "model.skops")
    for name, value in [*loaded.get_params().items(), *loaded.best_estimator_.get_params().items()]:
        last = name.split("__")[-1]
        assert value is None or last not in ("cache", "checkpoint", "memory", "n_jobs"), name
        assert (last, value) != ("device", "cpu")
    assert loaded.param_grid == {"svc__C": [1.0, 2.0]}
    assert set(loaded.best_params_) == {"svc__C"}
    np.testing.assert_array_equal(
        loaded.decision_function(waveforms), search.decision_function(waveforms)
    )


def test_paths_of_models_are_not_written(waveforms, tmp_path):
    path, saved = tmp_path / "network.skops", tmp_path / "model.skops"
    save_model(fit_classifier(waveforms), path)
    extractor = CNNFeatureExtractor(path).fit(waveforms)
    transferred = CNNAudioClassifier(pretrained=str(path), max_epochs=1)
    transferred.fit(waveforms, np.arange(20) % 2)
    for name, model in (("estimator", extractor), ("pretrained", transferred)):
        save_model(model, saved)
        assert isinstance(getattr(load_model(saved), name), FrozenEstimator)
    path.unlink()
    save_model(extractor, saved)
    np.testing.assert_array_equal(
        load_model(saved).transform(waveforms), extractor.transform(waveforms)
    )
    save_model(transferred, saved)
    assert load_model(saved).pretrained is None
    with pytest.warns(UserWarning, match="saved as None: There is no model file"):
        save_model(clone(transferred), saved)
    attribute(saved, "pretrained", plain("/etc/hostname"))
    assert load_model(saved).pretrained is None


def test_run_parameters_in_an_untrusted_file_are_not_loaded(waveforms, tmp_path):
    path = tmp_path / "model.skops"
    save_model(SpectrogramTransformer(n_mels=8).fit(waveforms), path)
    attribute(path, "cache", plain(str(tmp_path / "cached")))
    attribute(path, "n_jobs", plain(10_000))
    loaded = load_model(path)
    assert (loaded.cache, loaded.n_jobs) == (None, None)
    loaded.transform(waveforms)
    assert os.listdir(tmp_path) == ["model.skops"]


def test_requests_of_metadata_are_saved(tmp_path):
    with config_context(enable_metadata_routing=True):
        classifier = CNNAudioClassifier().set_fit_request(sample_weight=True)
        pipeline = make_pipeline(StandardScaler().set_fit_request(sample_weight=False), classifier)
        owner = classifier.get_metadata_routing().fit.owner
        save_model(pipeline, tmp_path / "model.skops")
        scaler, loaded = load_model(tmp_path / "model.skops")
        requests = [part.get_metadata_routing().fit.requests for part in (scaler, loaded)]
        assert requests == [{"sample_weight": False}, {**requests[1], "sample_weight": True}]
        assert classifier.get_metadata_routing().fit.owner == owner
        with pytest.raises(UnsetMetadataPassedError, match=r"CNNAudioClassifier\.fit"):
            clone(make_pipeline(loaded)).fit(np.zeros((4, 800)), [0, 1, 0, 1], groups=[1, 2, 3, 4])

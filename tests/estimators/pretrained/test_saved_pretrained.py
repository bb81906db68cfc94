"""What save_model keeps of a PretrainedFeatureExtractor, and what load_model accepts."""

import json
import shutil
import zipfile

import numpy as np
import pytest
from helpers import noise
from sklearn.base import clone
from sklearn.linear_model import LogisticRegression
from sklearn.model_selection import GridSearchCV
from sklearn.pipeline import make_pipeline
from torch import nn

from skdaf import PretrainedFeatureExtractor, load_model, save_model

RATE = 16_000


@pytest.fixture
def fitted(tmp_path, clips, write_network):
    folder = tmp_path / "folder"
    folder.mkdir()
    path = write_network(folder / "level.onnx")
    return PretrainedFeatureExtractor(path, sampling_rate=RATE, window=0.25).fit(clips)


def test_the_content_of_an_onnx_file_is_kept_but_not_its_path(tmp_path, fitted, clips):
    save_model(fitted, tmp_path / "model.skops")
    assert isinstance(fitted.model, str)  # unchanged
    shutil.rmtree(tmp_path / "folder")
    loaded = load_model(tmp_path / "model.skops")
    np.testing.assert_array_equal(loaded.transform(clips), fitted.transform(clips))
    assert loaded.sha256_ == fitted.sha256_
    assert "level.onnx" not in (tmp_path / "model.skops").read_bytes().decode("latin-1")
    again = clone(loaded).fit(clips)
    np.testing.assert_array_equal(again.transform(clips), fitted.transform(clips))
    save_model(loaded, tmp_path / "again.skops")
    np.testing.assert_array_equal(
        load_model(tmp_path / "again.skops").transform(clips), fitted.transform(clips)
    )


def test_unfitted_ones_are_kept_too(tmp_path, fitted, clips):
    save_model(clone(fitted), tmp_path / "model.skops")
    loaded = load_model(tmp_path / "model.skops").fit(clips)
    np.testing.assert_array_equal(loaded.transform(clips), fitted.transform(clips))


def test_a_name_is_kept(tmp_path, clips):
    pytest.importorskip("silero_vad")
    pytest.importorskip("onnxruntime")
    model = PretrainedFeatureExtractor("silero-vad").fit(clips)
    save_model(model, tmp_path / "model.skops")
    loaded = load_model(tmp_path / "model.skops")
    assert loaded.model == "silero-vad"
    np.testing.assert_array_equal(loaded.transform(clips), model.transform(clips))
    loaded.sha256_ = "0" * 64
    with pytest.raises(ValueError, match=r"silero\-vad.*are not those that fit found"):
        loaded.transform(clips)


def function(waveforms):
    return waveforms[:, :2]


@pytest.mark.parametrize("kind", ["function", "module", "torchscript"])
def test_code_is_refused(kind, tmp_path, clips, write_torchscript):
    model = function
    if kind != "function":
        model = nn.Sequential(nn.Unflatten(1, (1, -1)), nn.AdaptiveAvgPool1d(2), nn.Flatten())
    if kind == "torchscript":
        write_torchscript(model, tmp_path / "net.pt")
        model = tmp_path / "net.pt"
    fitted = PretrainedFeatureExtractor(model, sampling_rate=RATE).fit(clips)
    with pytest.raises(ValueError, match=rf"{kind}.*no code.*joblib.dump"):
        save_model(fitted, tmp_path / "model.skops")
    assert not (tmp_path / "model.skops").exists()


def test_paths_in_searches_are_not_saved(tmp_path, fitted):
    X = [(noise(seed, 4000), RATE) for seed in range(6)]
    pipeline = make_pipeline(clone(fitted), LogisticRegression())
    grid = {"pretrainedfeatureextractor__model": [fitted.model]}
    search = GridSearchCV(pipeline, grid, cv=2).fit(X, [0, 1] * 3)
    save_model(search, tmp_path / "model.skops")
    loaded = load_model(tmp_path / "model.skops")
    np.testing.assert_array_equal(loaded.predict(X), search.predict(X))
    with zipfile.ZipFile(tmp_path / "model.skops") as archive:
        everything = b"".join(archive.read(name) for name in archive.namelist())
    assert b"level.onnx" not in everything


def test_searches_over_networks_of_loaded_models_are_saved(tmp_path, fitted):
    X = [(noise(seed, 4000), RATE) for seed in range(6)]
    save_model(fitted, tmp_path / "model.skops")
    content = load_model(tmp_path / "model.skops").model
    pipeline = make_pipeline(clone(fitted), LogisticRegression())
    grid = {"pretrainedfeatureextractor__model": [content]}
    search = GridSearchCV(pipeline, grid, cv=2).fit(X, [0, 1] * 3)
    save_model(search, tmp_path / "search.skops")
    found = load_model(tmp_path / "search.skops").best_params_["pretrainedfeatureextractor__model"]
    assert found.dtype == np.uint8
    np.testing.assert_array_equal(found, content)


def test_a_file_with_a_path_or_another_model_is_refused(tmp_path, clips):
    pytest.importorskip("silero_vad")
    pytest.importorskip("onnxruntime")
    save_model(PretrainedFeatureExtractor("silero-vad").fit(clips), tmp_path / "model.skops")
    with zipfile.ZipFile(tmp_path / "model.skops") as archive:
        parts = {name: archive.read(name) for name in archive.namelist()}
    schema = parts["schema.json"].decode()
    for model in ("secret.onnx", "https://example.org/a.onnx", "birdnet2"):
        changed = schema.replace(
            json.dumps(json.dumps("silero-vad")), json.dumps(json.dumps(model))
        )
        assert changed != schema
        with zipfile.ZipFile(tmp_path / "changed.skops", "w") as archive:
            for name, content in (parts | {"schema.json": changed.encode()}).items():
                archive.writestr(name, content)
        with pytest.raises(ValueError, match=f"model cannot be {model!r}"):
            load_model(tmp_path / "changed.skops")

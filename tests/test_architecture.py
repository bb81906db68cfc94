"""What may import what. Imports point down the list of layers: never up, never sideways."""

import ast
import subprocess
import sys
from pathlib import Path

import pytest

import skdaf

pytestmark = pytest.mark.oldest

SOURCES = Path(skdaf.__file__).parent

# Top to bottom. A module may import from the layers below its own only.
LAYERS = [
    ["__main__"],
    ["cli"],
    ["__init__"],
    ["_display"],
    ["datasets", "_segmentation", "_combine", "_legacy"],
    ["_segment_report"],
    ["_segment_merging"],
    ["_segments"],
    ["_extractor"],
    ["_classifier", "_autoencoder"],
    ["_base", "_old_frontend"],
    ["_frontend", "_handcrafted", "_persistence", "_check", "_saliency"],
    ["_model_reader"],
    ["_model_schema", "_model_checks", "_run_settings"],
    ["_training", "_windows"],
    ["_loop"],
    ["_chunks", "_checkpoint"],
    ["_fingerprint"],
    [
        "_augmentation",
        "_callbacks",
        "_optimizer",
        "_networks",
        "_inputs",
        "_parallel",
        "_cache",
        "_spectrogram",
        "_short_term",
        "_torch_threads",
        "_unpickle",
    ],
    ["_audio", "_recordings"],
    ["_ffmpeg", "_mp3"],
    ["_headers"],
    [
        "_clip",
        "_containers",
        "_wav",
        "_ogg",
        "_view",
        "_frame_blocks",
        "_mute",
        "_estimator",
        "_files",
        "_version",
        "_model_archive",
    ],
    ["_columns", "_sounds"],
    ["_trusted_types", "_limits", "_shared", "_arrays", "_times"],
]

# Libraries that only some modules may know of.
TORCH = {
    "_networks",
    "_training",
    "_loop",
    "_optimizer",
    "_torch_threads",
    "_augmentation",
    "_base",
    "_classifier",
    "_autoencoder",
    "_legacy",
    "_saliency",
}
RESERVED = {
    "matplotlib": {"_display"},
    "soundfile": {"_audio", "_mp3", "datasets"},
    "soxr": {"_audio", "datasets"},
    "av": {"_ffmpeg"},
    "torch": TORCH,
    "librosa": set(),
    "torchaudio": set(),
    "numba": set(),
}

DEPTH = {module: depth for depth, layer in enumerate(LAYERS) for module in layer}


def imports(tree, names):
    """Yield the dotted name of everything that a source imports, also inside functions.

    `from skdaf import name` is `skdaf.name` for a module of `names`, `skdaf.__init__` for what the
    front door offers.
    """
    for node in ast.walk(tree):
        if isinstance(node, ast.Import):
            for alias in node.names:
                yield "skdaf.__init__" if alias.name == "skdaf" else alias.name
        elif isinstance(node, ast.ImportFrom):
            source = "skdaf" if node.level else ""
            source = ".".join(filter(None, [source, node.module]))
            if source == "skdaf":
                for alias in node.names:
                    yield f"skdaf.{alias.name if alias.name in names else '__init__'}"
            else:
                yield source


def module_of(path):
    """Return the name of a file's module in the package; a folder is one module."""
    return path.relative_to(SOURCES).parts[0].removesuffix(".py")


FILES = sorted(SOURCES.rglob("*.py"))
MODULES = {module_of(path) for path in FILES}
IMPORTS = [
    (module_of(path), name)
    for path in FILES
    for name in imports(ast.parse(path.read_text(encoding="utf-8")), MODULES)
]


def climbs(importer, imported):
    """Tell whether an import does not point down."""
    return importer != imported and DEPTH[imported] <= DEPTH[importer]


def test_every_module_has_its_layer():
    unknown = sorted(MODULES - set(DEPTH))
    assert not unknown, f"add {unknown} to LAYERS"


def test_no_module_stands_in_two_layers():
    assert len(DEPTH) == sum(map(len, LAYERS))


def test_imports_point_down():
    inside = [(a, b.split(".")[1]) for a, b in IMPORTS if b.split(".")[0] == "skdaf"]
    assert inside
    known = [(a, b) for a, b in inside if {a, b} <= set(DEPTH)]
    assert [f"{a} imports {b}" for a, b in known if climbs(a, b)] == []


@pytest.mark.parametrize("library", RESERVED)
def test_libraries_stay_with_the_modules_that_may_know_them(library):
    users = {importer for importer, name in IMPORTS if name.split(".")[0] == library}
    assert users <= RESERVED[library]


@pytest.mark.parametrize(
    ("source", "expected"),
    [
        ("import skdaf", "skdaf.__init__"),
        ("from skdaf import Clip", "skdaf.__init__"),
        ("from . import Clip", "skdaf.__init__"),
        ("from skdaf import _audio", "skdaf._audio"),
        ("from . import _audio", "skdaf._audio"),
        ("from skdaf._audio import Clip", "skdaf._audio"),
        ("from ._audio import Clip", "skdaf._audio"),
        ("import skdaf._audio as audio", "skdaf._audio"),
        ("def f():\n    import torch.nn", "torch.nn"),
        ("class A:\n    def f(self):\n        from torch import nn", "torch"),
    ],
)
def test_no_kind_of_import_is_overlooked(source, expected):
    assert list(imports(ast.parse(source), {"_audio"})) == [expected]


@pytest.mark.parametrize(
    ("importer", "imported", "expected"),
    [
        ("_classifier", "_audio", False),
        ("_audio", "_classifier", True),
        ("_classifier", "_autoencoder", True),
        ("_classifier", "_classifier", False),
        ("_frontend", "__init__", True),
        ("cli", "__init__", False),
    ],
)
def test_up_and_sideways_are_told_from_down(importer, imported, expected):
    assert climbs(importer, imported) == expected


# What an import costs.


def loaded_by(statement):
    """Return the libraries that a statement loads in a fresh interpreter."""
    code = f"{statement}\nimport sys\nprint(*sys.modules)"
    run = subprocess.run(
        [sys.executable, "-W", "error", "-c", code], capture_output=True, text=True, check=True
    )
    return set(run.stdout.split())


def test_the_package_alone_loads_no_heavy_library():
    heavy = ["torch", "matplotlib", "pandas", "pyAudioAnalysis", "soundfile", "soxr", "librosa"]
    loaded = loaded_by("import skdaf")
    assert "skdaf" in loaded
    assert loaded.isdisjoint([*heavy, "numpy", "scipy", "sklearn"])


def test_spectrograms_need_no_torch():
    loaded = loaded_by("from skdaf import SpectrogramTransformer")
    assert "skdaf._frontend" in loaded
    assert loaded.isdisjoint(["torch", "matplotlib", "librosa", "pyAudioAnalysis"])


def test_only_saving_and_loading_need_skops():
    loaded = loaded_by("from skdaf import CNNAudioClassifier, load_model")
    assert "skdaf._persistence" in loaded
    assert loaded.isdisjoint(["skops", "pytest", "matplotlib", "librosa", "pyAudioAnalysis"])


# The front door.


def test_there_are_public_names():
    assert {"SpectrogramTransformer", "CNNAudioClassifier", "load_audio"} <= set(skdaf.__all__)


@pytest.mark.parametrize("name", sorted(skdaf.__all__))
def test_every_public_name_is_there(name):
    assert getattr(skdaf, name) is not None
    assert name in dir(skdaf)

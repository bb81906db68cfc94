"""Which package may import which. The page "Architecture" of the docs is drawn from the table."""

import ast
import re
import subprocess
import sys
from pathlib import Path

import pytest
from helpers import ROOT

import skdaf

pytestmark = pytest.mark.oldest

SOURCES = Path(skdaf.__file__).parent

# A package may import from those in its row, and from itself. `cli` goes through the public names
# where it can.
ALLOWED_IMPORTS = {
    "_core": [],
    "_audio": ["_core"],
    "_features": ["_core", "_audio"],
    "_networks": ["_core"],
    "_training": ["_core", "_networks"],
    "_estimators": ["_core", "_audio", "_features", "_networks", "_training"],
    "_segments": ["_core", "_audio", "_features", "_estimators"],
    "_legacy": ["_core", "_audio", "_features", "_networks", "_estimators"],
    "_display": ["_core", "_audio", "_features", "_networks", "_estimators", "_segments"],
    "datasets": ["_core", "_audio"],
    "cli": ["skdaf", "datasets", "_core", "_audio", "_estimators", "_segments", "_legacy"],
}

# Modules without imports, which all may use; and the start of `python -m skdaf`.
FOR_ALL = {"_version"}
ENTRY = {"__main__": {"cli"}, "__init__": {"_version"}}

# Libraries that only some files may import.
TORCH = [
    "_networks",
    "_training",
    "_estimators.base",
    "_estimators.classifier",
    "_estimators.autoencoder",
    "_estimators.regressor",
    "_estimators.parameters",
    "_estimators.pretrained",
    "_estimators.resuming",
    "_estimators.export.layers",
    "_estimators.export.custom_layers",
    "_legacy.load",
]
RESERVED = {
    "matplotlib": ["_display"],
    "soundfile": ["_audio.formats", "_audio.folders", "_audio.synthesis"],
    "soxr": ["_audio.resampling"],
    "av": ["_audio.formats.ffmpeg"],
    "torch": TORCH,
    "pooch": ["_core.download"],
    "requests": ["_core.download"],
    "onnx": ["_estimators.export"],
    "onnxscript": ["_estimators.export"],
    "yaml": ["_legacy.combiner"],
    "transformers": ["_estimators.pretrained.transformers_folder"],
    "librosa": [],
    "torchaudio": [],
    "numba": [],
}


def imports(tree):
    """Yield the dotted name of everything that a source imports, also inside functions.

    ``from skdaf.a import b`` yields both ``skdaf.a`` and ``skdaf.a.b``, which may be a module.
    """
    for node in ast.walk(tree):
        if isinstance(node, ast.Import):
            for alias in node.names:
                yield alias.name
        elif isinstance(node, ast.ImportFrom):
            source = ".".join(filter(None, ["skdaf" if node.level else "", node.module]))
            yield source
            yield from (f"{source}.{alias.name}" for alias in node.names)


def name_of(path):
    """Return the dotted name of a file below skdaf."""
    parts = path.relative_to(SOURCES).with_suffix("").parts
    return ".".join(parts[:-1] if len(parts) > 1 and parts[-1] == "__init__" else parts)


def package_of(name):
    """Return the top-level package or module that a name inside skdaf belongs to."""
    return name.split(".")[0]


FILES = {name_of(path): path for path in sorted(SOURCES.rglob("*.py"))}
PACKAGES = {package_of(name) for name in FILES}
IMPORTED = {
    name: set(imports(ast.parse(path.read_text(encoding="utf-8")))) for name, path in FILES.items()
}


def target(name):
    """Return what an imported name of skdaf counts as: a package, or "skdaf" for a public name."""
    first = name.removeprefix("skdaf.").split(".")[0]
    return first if first in PACKAGES else "skdaf"


def forbidden(importer, name):
    """Return whether a package may not import a name."""
    if name.split(".")[0] != "skdaf":
        return False
    imported, allowed = target(name), ALLOWED_IMPORTS.get(importer) or ENTRY.get(importer, ())
    if name == "skdaf":  # `from skdaf import b`: judged by `skdaf.b`
        return False
    return imported not in {importer, *allowed, *FOR_ALL}


def test_every_package_is_in_the_table():
    assert {*ALLOWED_IMPORTS, *FOR_ALL, *ENTRY} == PACKAGES


def test_the_table_has_no_cycle():
    done = []
    for package, allowed in ALLOWED_IMPORTS.items():
        assert set(allowed) <= {*done, "skdaf"}, package
        done.append(package)


def test_packages_import_only_what_the_table_allows():
    found = [
        f"{importer} imports {name}"
        for importer, names in IMPORTED.items()
        for name in names
        if forbidden(package_of(importer), name)
    ]
    assert found == []


def test_the_table_allows_nothing_that_is_not_used():
    used = {
        (package_of(importer), target(name))
        for importer, names in IMPORTED.items()
        for name in names
        if name.startswith("skdaf.")
    }
    unused = [
        (package, name)
        for package, allowed in ALLOWED_IMPORTS.items()
        for name in allowed
        if (package, name) not in used
    ]
    assert unused == []


def test_no_files_import_each_other():
    inside = {
        name: {n for n in (i.removeprefix("skdaf.") for i in found) if n in FILES and n != name}
        for name, found in IMPORTED.items()
    }
    left = dict(inside)
    while ready := [name for name, needed in left.items() if not needed & left.keys()]:
        for name in ready:
            del left[name]
    assert sorted(left) == []


@pytest.mark.parametrize("library", RESERVED)
def test_libraries_stay_in_the_files_that_may_use_them(library):
    users = [
        importer
        for importer, names in IMPORTED.items()
        if any(name.split(".")[0] == library for name in names)
        and not any(f"{importer}.".startswith(f"{allowed}.") for allowed in RESERVED[library])
    ]
    assert users == []


@pytest.mark.parametrize(
    ("source", "expected"),
    [
        ("import skdaf", "skdaf"),
        ("from skdaf import Clip", "skdaf.Clip"),
        ("from . import Clip", "skdaf.Clip"),
        ("from skdaf import _audio", "skdaf._audio"),
        ("from . import _audio", "skdaf._audio"),
        ("from skdaf._audio.clips import Clip", "skdaf._audio.clips"),
        ("from ._audio.clips import Clip", "skdaf._audio.clips"),
        ("import skdaf._audio.clips as clips", "skdaf._audio.clips"),
        ("def f():\n    import torch.nn", "torch.nn"),
        ("class A:\n    def f(self):\n        from torch import nn", "torch"),
    ],
)
def test_every_form_of_import_is_found(source, expected):
    assert expected in set(imports(ast.parse(source)))


@pytest.mark.parametrize(
    ("importer", "name", "expected"),
    [
        ("_estimators", "skdaf._audio.clips", False),
        ("_audio", "skdaf._estimators.classifier", True),
        ("_segments", "skdaf._legacy.load", True),
        ("_estimators", "skdaf._estimators.base", False),
        ("_features", "skdaf.SpectrogramTransformer", True),
        ("cli", "skdaf.SpectrogramTransformer", False),
        ("_features", "numpy", False),
    ],
)
def test_what_is_forbidden(importer, name, expected):
    assert forbidden(importer, name) == expected


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


def test_front_ends_features_the_export_and_displays_need_no_torch():
    loaded = loaded_by(
        "from skdaf import SpectrogramTransformer, BlockScaler, CappedPCA\n"
        "from skdaf import PretrainedFeatureExtractor, export_onnx\n"
        "from skdaf import SpectrogramDisplay, SaliencyDisplay"
    )
    assert "skdaf._features.spectrogram_transformer" in loaded
    modules = ("feature_blocks", "pretrained.transformer", "export.models")
    assert {f"skdaf._estimators.{name}" for name in modules} <= loaded
    others = ["onnx", "onnxruntime", "transformers", "ai_edge_litert"]
    assert loaded.isdisjoint(["torch", "matplotlib", "librosa", "pyAudioAnalysis", *others])


FIT = """
import numpy as np
from skdaf import CNNAudioClassifier, load_model
X = np.random.default_rng(0).standard_normal((40, 10, 8)).astype("float32")
CNNAudioClassifier(max_epochs=1).fit(X, np.arange(40) % 2)
"""


def test_training_needs_neither_skops_nor_the_compiler_of_torch():
    loaded = loaded_by(FIT)
    assert "skdaf._estimators.persistence.models" in loaded
    assert loaded.isdisjoint(["skops", "pytest", "matplotlib", "librosa", "pyAudioAnalysis"])
    assert "torch" in loaded
    assert "torch._dynamo" not in loaded


# Public names.


def test_there_are_public_names():
    assert {"SpectrogramTransformer", "CNNAudioClassifier", "load_audio"} <= set(skdaf.__all__)


@pytest.mark.parametrize("name", sorted(skdaf.__all__))
def test_every_public_name_is_there(name):
    assert getattr(skdaf, name) is not None
    assert name in dir(skdaf)


# The page "Architecture".


def test_the_page_names_files_and_packages_that_exist():
    page = (ROOT / "docs" / "architecture.md").read_text(encoding="utf-8")
    named = set(re.findall(r"`((?:skdaf/)?_[a-z_]+(?:/[\w.]+)*)`", page))
    missing = [name for name in named if not (SOURCES / name.removeprefix("skdaf/")).exists()]
    assert len(named) > 15
    assert missing == []


# Sizes.


def body_lines(function):
    """Return the number of lines of a function's body, without its docstring."""
    body = function.body[1:] if ast.get_docstring(function) else function.body
    return body[-1].end_lineno - body[0].lineno + 1 if body else 0


def test_files_have_at_most_400_lines():
    lines = {name: len(path.read_text("utf-8").splitlines()) for name, path in FILES.items()}
    assert {name: n for name, n in lines.items() if n > 400} == {}


def test_function_bodies_have_at_most_40_lines():
    long = [
        f"{name}.{node.name}"
        for name, path in FILES.items()
        for node in ast.walk(ast.parse(path.read_text("utf-8")))
        if isinstance(node, ast.FunctionDef) and body_lines(node) > 40
    ]
    assert long == []


def test_the_top_level_stays_small():
    entries = [path for path in SOURCES.iterdir() if path.name != "__pycache__"]
    assert sum(path.is_dir() for path in entries) <= 10
    assert sum(path.is_file() for path in entries) <= 10
    assert len(ALLOWED_IMPORTS) <= 12

"""Type checkers and editors know the public names and their parameters."""

import ast
import inspect
import subprocess
import sys
import typing

import pytest
from helpers import ROOT
from numpydoc.docscrape import ClassDoc

import skdaf

pytest.importorskip("mypy")

CORRECT = """
from skdaf import Clip, CNNAudioClassifier, SpectrogramTransformer, load_audio, predict_segments
from skdaf.datasets import load_audio_folders

sounds = load_audio_folders("recordings")
classifier = CNNAudioClassifier(SpectrogramTransformer(n_mels=32), max_epochs=3)
classifier.fit(sounds.filenames, sounds.target)
probabilities = classifier.predict_proba([Clip("a.wav", start=1, end=2.5)])
samples, rate = load_audio("a.wav")
print(probabilities.shape, samples.shape, rate + 1)
print(predict_segments(classifier, "long.wav", window=1.0).columns)
"""

MISSPELT = """
from skdaf import CNNAudioClassifier, SpectrogramTransformer, load_audio

CNNAudioClassifier(max_epoch=3)
SpectrogramTransformer(n_mel=32)
load_audio("a.wav", sampling_rat=8000)
"""


@pytest.fixture(scope="module")
def errors(tmp_path_factory):
    """Return the errors that mypy reports for both scripts, by script."""
    folder = tmp_path_factory.mktemp("types")
    (folder / "correct.py").write_text(CORRECT)
    (folder / "misspelt.py").write_text(MISSPELT)
    # Typed libraries that are large are not needed here and take most of the time.
    (folder / "mypy.ini").write_text(
        "[mypy]\nignore_missing_imports = true\n[mypy-torch.*,pandas.*]\nfollow_imports = skip\n"
    )
    result = subprocess.run(
        [sys.executable, "-m", "mypy", "correct.py", "misspelt.py"],
        cwd=folder,
        env={"MYPYPATH": str(ROOT), "PATH": ""},
        capture_output=True,
        text=True,
    )
    assert result.stderr == ""
    lines = [line for line in result.stdout.splitlines() if ": error:" in line]
    return {name: [x for x in lines if x.startswith(name)] for name in ("correct", "misspelt")}


@pytest.mark.slow
def test_correct_use_has_no_errors(errors):
    assert errors["correct"] == []


@pytest.mark.slow
@pytest.mark.parametrize("name", ["max_epoch", "n_mel", "sampling_rat"])
def test_a_misspelt_parameter_is_found(errors, name):
    assert any(f'"{name}"' in line for line in errors["misspelt"])


def test_the_package_is_marked_as_typed():
    assert (ROOT / "skdaf" / "py.typed").is_file()


def test_every_public_name_has_a_module_in_the_stub():
    stub = (ROOT / "skdaf" / "__init__.pyi").read_text()
    assert all(f" {name} as {name}" in stub for name in skdaf.__all__)


# Type hints at run time, as Sphinx and other tools read them.

FUNCTIONS = {
    name: value
    for module in (skdaf, skdaf.datasets)
    for name in module.__all__
    if callable(value := getattr(module, name))
}


CLASSES = sorted(name for name, value in FUNCTIONS.items() if inspect.isclass(value))


def with_methods(name):
    """Return what a public name stands for and, if that is a class, its methods."""
    value = FUNCTIONS[name]
    members = inspect.getmembers(value, callable) if inspect.isclass(value) else []
    return [value, *(m for key, m in members if key == "__init__" or not key.startswith("_"))]


@pytest.mark.parametrize("name", sorted(FUNCTIONS))
def test_type_hints_can_be_read_at_run_time(name):
    for function in with_methods(name):
        typing.get_type_hints(function)


def documented_attributes(cls):
    """Yield the names in the section "Attributes" of a docstring."""
    for parameter in ClassDoc(cls)["Attributes"]:
        yield from parameter.name.split(", ")


CLASS_DEFINITIONS = {
    node.name: node
    for path in (ROOT / "skdaf").rglob("*.py")
    for node in ast.walk(ast.parse(path.read_text("utf-8")))
    if isinstance(node, ast.ClassDef)
}


def set_attributes(definition):
    """Yield the attributes that the methods of a class set."""
    for node in ast.walk(definition):
        if isinstance(node, ast.Attribute) and isinstance(node.ctx, ast.Store):
            yield node.attr


def known_attributes(cls):
    """Return the attributes that a type checker knows: declared, defined, or set by a method."""
    own = [base.__name__ for base in cls.__mro__ if base.__module__.startswith("skdaf")]
    found = {name for base in own for name in set_attributes(CLASS_DEFINITIONS[base])}
    return {*typing.get_type_hints(cls), *dir(cls), *found}


@pytest.mark.parametrize("name", CLASSES)
def test_type_checkers_know_every_documented_attribute(name):
    unknown = set(documented_attributes(FUNCTIONS[name])) - known_attributes(FUNCTIONS[name])
    assert unknown == set()

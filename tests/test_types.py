"""Type checkers and editors know the public names and their parameters."""

import subprocess
import sys

import pytest
from helpers import ROOT

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
        "[mypy]\nignore_missing_imports = true\n"
        "[mypy-torch.*,pandas.*]\nfollow_imports = skip\n"
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

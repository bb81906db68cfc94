"""Every example runs, as it is and on a folder of one's own."""

import shutil
import subprocess
import sys
from pathlib import Path

import pytest

from skdaf.datasets import make_audio_dataset

EXAMPLES = Path(__file__).parents[1] / "examples"


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    """Three class folders of recordings named <class>_<other label>_<number>.wav."""
    root = tmp_path_factory.mktemp("examples")
    made = make_audio_dataset(
        root / "made",
        classes=["low_tone", "high_tone", "pink_noise"],
        n_clips_per_class=24,
        duration=(0.2, 0.3),
    )
    for number, path in enumerate(map(Path, made.filenames)):
        name = path.parent.name.replace("_", "")
        target = root / "mine" / name / f"{name}_{'ab'[number % 2]}_{number}.wav"
        target.parent.mkdir(parents=True, exist_ok=True)
        shutil.copy(path, target)
    return root / "mine"


def run(name, *arguments, cwd):
    command = [sys.executable, "-W", "error", str(EXAMPLES / name), *map(str, arguments)]
    result = subprocess.run(command, cwd=cwd, capture_output=True, text=True)
    assert result.returncode == 0, result.stderr
    return result.stdout


def test_every_example_is_run_here():
    assert {path.name for path in EXAMPLES.glob("*.py")} == {
        "quickstart.py",
        "transfer.py",
        "embeddings.py",
        "similar_sounds.py",
        "combine.py",
    }


@pytest.mark.slow
def test_quickstart(folder, tmp_path):
    out = run("quickstart.py", folder, cwd=tmp_path)
    assert "72 recordings of 3 classes" in out
    assert "macro avg" in out
    assert "The saved model takes" in out


@pytest.mark.slow
def test_transfer(folder, tmp_path):
    out = run("transfer.py", folder, cwd=tmp_path)
    assert "First task: 72 clips of 3 classes" in out
    assert "New task: 60 clips to learn 2 classes from" in out
    for name in ("from scratch", "all layers learn on", "conv layers frozen"):
        assert name in out


@pytest.mark.slow
def test_embeddings(folder, tmp_path):
    out = run("embeddings.py", folder, "--output", "points.png", cwd=tmp_path)
    assert "A linear classifier reads the class from them" in out
    assert (tmp_path / "points.png").read_bytes()[:4] == b"\x89PNG"


@pytest.mark.slow
def test_similar_sounds(folder, tmp_path):
    out = run("similar_sounds.py", folder, cwd=tmp_path)
    assert "sounds most like" in out
    assert "are of its class" in out


@pytest.mark.slow
def test_combine(folder, tmp_path):
    out = run("combine.py", folder, cwd=tmp_path)
    assert "mel + mfcc + handcrafted" in out
    assert len(out.splitlines()) == 8


@pytest.mark.slow
def test_made_sounds_are_the_default(tmp_path):
    out = run("embeddings.py", "--output", "points.png", cwd=tmp_path)
    assert "200 clips" in out

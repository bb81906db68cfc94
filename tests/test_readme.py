"""What README shows is what happens: its Python runs, and its commands exist."""

import pickle
import re
import shlex
import subprocess
import sys
import tomllib
from pathlib import Path

import pytest
from helpers import ROOT
from legacy_models import classifier_model

from skdaf.datasets import make_audio_dataset

pytestmark = pytest.mark.oldest


def blocks(language, page="README.md"):
    text = (ROOT / page).read_text(encoding="utf-8")
    return re.findall(rf"^\n```{language}\n(.*?)```", text, flags=re.DOTALL | re.MULTILINE)


@pytest.mark.slow
def test_the_python_of_the_readme_runs_from_top_to_bottom(tmp_path):
    make_audio_dataset(tmp_path / "recordings", n_clips_per_class=12, duration=(0.2, 0.3))
    # A fresh process: the searches start workers, which must be able to import everything anew.
    code = "\n".join(blocks("python"))
    # Of the search's 25 fits, what they reach does not matter here.
    searched = '(cache="spectrograms"), random_state=0'
    assert searched in code
    code = code.replace(searched, f"{searched}, max_epochs=3")
    (tmp_path / "model.pt").write_bytes(pickle.dumps(classifier_model()))
    result = subprocess.run(
        [sys.executable, "-W", "error", "-c", code], cwd=tmp_path, capture_output=True, text=True
    )
    assert result.returncode == 0, result.stderr
    assert (tmp_path / "model.joblib").is_file()
    assert (tmp_path / "spectrograms").is_dir()
    assert (tmp_path / "long.txt").is_file()
    assert (tmp_path / "timeline.png").is_file()
    run_commands(tmp_path)


@pytest.mark.slow
def test_the_page_on_long_trainings_shows_what_happens(tmp_path):
    make_audio_dataset(tmp_path / "recordings", n_clips_per_class=12, duration=(0.2, 0.3))
    # Workers of searches are tested elsewhere, and take long to start.
    code = "\n".join(blocks("python", "docs/long_training.md")).replace("n_jobs=2", "n_jobs=1")
    result = subprocess.run(
        [sys.executable, "-W", "error", "-c", code], cwd=tmp_path, capture_output=True, text=True
    )
    assert result.returncode == 0, result.stderr
    (shown,) = blocks("", "docs/long_training.md")
    assert result.stdout.split() == shown.replace("/home/ada", str(tmp_path.resolve())).split()
    # The fit itself, and of the search two candidates, two folds and the best one on all, which is
    # the first one again or the other candidate.
    assert len(list((tmp_path / "checkpoints").iterdir())) in (5, 6)


def run_commands(folder):
    """Run the lines of README that call `skdaf`, with fewer epochs."""
    lines = re.findall(r"^skdaf .*$", "".join(blocks("sh")), flags=re.MULTILINE)
    assert len(lines) >= 5
    for line in lines:
        program, *arguments = shlex.split(line, comments=True)
        if arguments[0] == "train":
            arguments += ["--set", "max_epochs=2"]
        result = subprocess.run(
            [Path(sys.executable).with_name(program), *arguments],
            cwd=folder,
            capture_output=True,
            text=True,
        )
        assert result.returncode == 0, f"{line}: {result.stderr}"
    assert (folder / "labels.txt").is_file()


def test_the_source_archive_holds_what_make_needs():
    makefile = (ROOT / "Makefile").read_text(encoding="utf-8")
    project = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))
    included = project["tool"]["hatch"]["build"]["targets"]["sdist"]["include"]
    files = re.findall(r"[\w-]+\.(?:txt|toml)", makefile)
    folders = re.findall(r"\b(docs|examples|tests)/", makefile)
    # pyproject.toml is always there.
    assert {*files, *folders, "Makefile", "README.md", "LICENSE"} <= {*included, "pyproject.toml"}
    assert all((ROOT / name).exists() for name in included)


def test_the_commands_of_the_readme_are_targets_of_the_makefile():
    makefile = (ROOT / "Makefile").read_text(encoding="utf-8")
    targets = re.findall(r"^make (\w+)", "".join(blocks("sh")), flags=re.MULTILINE)
    assert targets == ["demo", "test"]
    assert all(re.search(rf"^{target}:", makefile, flags=re.MULTILINE) for target in targets)

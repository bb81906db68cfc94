"""The Python and the commands of README and of the tour run."""

import re
import runpy
import shlex
import shutil
import tomllib

import pytest
from click.testing import CliRunner
from helpers import ROOT, run_python

from skdaf import load_model
from skdaf.cli import main
from skdaf.datasets import make_audio_dataset

pytestmark = pytest.mark.oldest

KINDS = ["high_tone", "low_tone", "white_noise"]


def make_recordings(folder):
    """Write three classes, which need less time than nine."""
    make_audio_dataset(
        folder / "recordings", classes=KINDS, n_clips_per_class=12, duration=(0.2, 0.3)
    )


def blocks(language, page="README.md"):
    text = (ROOT / page).read_text(encoding="utf-8")
    return re.findall(rf"^\n```{language}\n(.*?)```", text, flags=re.DOTALL | re.MULTILINE)


def shorter(code, replacements):
    """Return code that fits fewer and smaller models: no scores matter here."""
    for long, short in replacements.items():
        assert long in code, long
        code = code.replace(long, short)
    return code


@pytest.mark.slow
def test_the_python_of_the_readme_runs(tmp_path):
    make_recordings(tmp_path)
    shutil.copy(next(tmp_path.glob("recordings/low_tone/*")), tmp_path / "new.wav")
    code = "\n".join(blocks("python"))
    code = shorter(code, {"(random_state=0": "(random_state=0, max_epochs=2", "cv=3": "cv=2"})
    run_python(code, cwd=tmp_path)
    assert load_model(tmp_path / "model.skops").classes_.tolist() == KINDS


@pytest.mark.slow
def test_the_tour_runs_from_top_to_bottom(tmp_path, monkeypatch):
    make_recordings(tmp_path)
    code = "\n".join(blocks("python", "docs/tour.md"))
    # The search fits 25 models on the page.
    code = shorter(
        code,
        {
            '(cache="spectrograms"), random_state=0': (
                '(cache="spectrograms"), random_state=0, max_epochs=2'
            ),
            "(random_state=0, verbose=1": "(random_state=0, verbose=1, max_epochs=2",
            "cv=3": "cv=2",
        },
    )
    # In a new process: the search starts workers, which must be able to import everything.
    run_python(code, cwd=tmp_path)
    assert (tmp_path / "model.joblib").is_file()
    assert (tmp_path / "spectrograms").is_dir()
    assert (tmp_path / "long.txt").is_file()
    assert (tmp_path / "timeline.png").is_file()
    monkeypatch.chdir(tmp_path)
    run_commands()
    assert (tmp_path / "labels.txt").is_file()


def test_the_readme_is_short_and_its_links_lead_to_files():
    text = (ROOT / "README.md").read_text(encoding="utf-8")
    assert len(text.splitlines()) <= 150
    links = re.findall(r"\]\(([^)#:]+)(?:#[^)]*)?\)", text)
    assert len(links) > 20
    assert [link for link in links if not (ROOT / link).exists()] == []


@pytest.mark.slow
def test_the_page_on_long_training_runs_shows_their_output(tmp_path, monkeypatch, capsys):
    make_recordings(tmp_path)
    # Other tests run searches with workers, which take long to start.
    code = "\n".join(blocks("python", "docs/long_training.md")).replace("n_jobs=2", "n_jobs=1")
    (tmp_path / "page.py").write_text(code, encoding="utf-8")
    monkeypatch.chdir(tmp_path)
    runpy.run_path("page.py")
    output = capsys.readouterr().out
    (shown,) = blocks("", "docs/long_training.md")
    assert output.split() == shown.replace("/home/ada", str(tmp_path.resolve())).split()
    # One for the fit, four for the search (two candidates, two folds), one for the best candidate
    # on all clips, unless it is the same as for the fit.
    assert len(list((tmp_path / "checkpoints").iterdir())) in (5, 6)


def run_commands():
    """Run the commands of the tour, with fewer epochs."""
    lines = re.findall(r"^skdaf .*$", "".join(blocks("sh", "docs/tour.md")), flags=re.MULTILINE)
    assert len(lines) >= 5
    for line in lines:
        _, *arguments = shlex.split(line, comments=True)
        if arguments[0] == "train":
            arguments += ["--set", "max_epochs=2"]
        result = CliRunner().invoke(main, arguments)
        assert result.exit_code == 0, f"{line}: {result.output}"


def test_the_source_archive_contains_what_make_needs():
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

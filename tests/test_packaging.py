"""What is published: nothing is missing from the source archive, and versions agree."""

import re
import shutil
import subprocess
import tomllib
from pathlib import Path

import pytest

import skdaf

ROOT = Path(__file__).parents[1]


def git(*arguments):
    return subprocess.run(
        ["git", "-C", str(ROOT), *arguments], capture_output=True, text=True, encoding="utf-8"
    )


@pytest.fixture(scope="module")
def tracked():
    """The top-level names of all files that git tracks; skips outside of a checkout."""
    if not shutil.which("git"):
        pytest.skip("needs git")
    found = git("rev-parse", "--show-toplevel")
    # The source archive may be unpacked inside another repository.
    if found.returncode or Path(found.stdout.strip()).resolve() != ROOT.resolve():
        pytest.skip("not a git checkout")
    return {path.split("/")[0] for path in git("ls-files", "-z").stdout.split("\0") if path}


@pytest.fixture(scope="module")
def included():
    project = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))
    return project["tool"]["hatch"]["build"]["targets"]["sdist"]["include"]


def test_the_source_archive_contains_every_tracked_file(tracked, included):
    # Hatchling always adds pyproject.toml.
    assert tracked - {*included, "pyproject.toml"} == set()


def test_the_source_archive_names_only_what_exists(included):
    assert [name for name in included if not (ROOT / name).exists()] == []
    assert len(included) == len(set(included))


def test_the_citation_names_this_version():
    citation = (ROOT / "CITATION.cff").read_text(encoding="utf-8")
    assert re.findall(r"^version: (.*)$", citation, re.MULTILINE) == [skdaf.__version__]

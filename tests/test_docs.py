"""The pages of the documentation: their Python runs, and the API reference is complete."""

import re
import runpy

import matplotlib
import pytest
from helpers import ROOT, import_or_skip
from joblib.externals.loky import get_reusable_executor

import skdaf
import skdaf.datasets

matplotlib.use("agg")
import matplotlib.pyplot as plt

DOCS = ROOT / "docs"

# Pages whose Python or commands other tests run.
ELSEWHERE = {
    "long_recordings": "segments/test_predict.py",
    "long_training": "test_readme.py",
    "other_libraries": "test_other_libraries.py",
    "scaling_out": "test_workers.py",
    "command_line": "cli/test_cli_page.py",
}


def python_of(page):
    text = page.read_text(encoding="utf-8")
    return "\n".join(re.findall(r"^```python\n(.*?)^```", text, re.DOTALL | re.MULTILINE))


# Pages that need a library without which the tests run, too.
NEEDED = {"continuing": "optuna_integration"}

# Optuna warns of its own code.
OPTUNA_WARNINGS = ["ignore:OptunaSearchCV is experimental", "ignore:`optuna.terminator`"]


PAGES = [page for page in sorted(DOCS.glob("*.md")) if page.stem not in ELSEWHERE]
WITH_PYTHON = [page for page in PAGES if python_of(page)]


@pytest.mark.slow
@pytest.mark.filterwarnings(*OPTUNA_WARNINGS)
@pytest.mark.parametrize("page", WITH_PYTHON, ids=lambda page: page.stem)
def test_the_python_of_a_page_runs_from_top_to_bottom(page, tmp_path, monkeypatch):
    if page.stem in NEEDED:
        import_or_skip(NEEDED[page.stem])
    monkeypatch.chdir(tmp_path)
    script = tmp_path / f"{page.stem}.py"
    script.write_text(python_of(page), encoding="utf-8")
    # Workers that other tests have started do not change their folder.
    get_reusable_executor().shutdown()
    runpy.run_path(str(script))
    plt.close("all")


def test_every_page_is_in_the_navigation():
    sources = [*DOCS.glob("*.md"), DOCS / "api.rst"]
    listed = set()
    for source in sources:
        text = source.read_text(encoding="utf-8")
        for body in re.findall(r"^```\{toctree\}\n(.*?)^```", text, re.DOTALL | re.MULTILINE):
            listed |= {line.split("<")[-1].strip("> ") for line in body.splitlines()}
    assert {source.stem for source in sources} - listed == {"index"}


def test_the_reference_lists_every_public_name():
    text = (DOCS / "api.rst").read_text(encoding="utf-8")
    outer, inner = text.split(".. currentmodule:: skdaf.datasets")
    for module, part in [(skdaf, outer), (skdaf.datasets, inner)]:
        entries = r"^   (\w+)$|^\.\. py:data:: (\w+)$"
        listed = ["".join(names) for names in re.findall(entries, part, re.MULTILINE)]
        assert sorted(listed) == sorted(set(module.__all__) - {"datasets"})

"""The pages of the documentation: their Python runs, and the API reference is complete."""

import importlib
import inspect
import re
import runpy

import matplotlib
import pytest
from helpers import ROOT, import_or_skip, shorten_fits

import skdaf
import skdaf.datasets

matplotlib.use("agg")
import matplotlib.pyplot as plt

DOCS = ROOT / "docs"

# Pages whose Python or commands other tests run.
ELSEWHERE = {
    "long_recordings": "segments/test_clips_from_segments.py",
    "long_training": "test_readme.py",
    "tour": "test_readme.py",
    "other_libraries": "test_other_libraries.py",
    "scaling_out": "test_workers.py",
    "command_line": "cli/test_cli_page.py",
    "large_collections": "cli/test_large_collections_page.py",
}


def python_of(page):
    text = page.read_text(encoding="utf-8")
    return "\n".join(re.findall(r"^```python\n(.*?)^```", text, re.DOTALL | re.MULTILINE))


def shorter_python_of(page):
    code = python_of(page)
    for long, short in SHORTER.get(page.stem, {}).items():
        assert code.count(long) == 1, long
        code = code.replace(long, short)
    return code


# Pages that need a library without which the tests run, too.
NEEDED = {"continuing": "optuna_integration"}

# Optuna warns of its own code, scikit-learn of classes that are never predicted.
WARNINGS = [
    "ignore:OptunaSearchCV is experimental",
    "ignore:`optuna.terminator`",
    "ignore:Precision is ill-defined",
]

# Numbers of repetitions of code that other tests run in full.
SHORTER = {
    # 35 candidates in five folds; test_combiner_search compares all of them.
    "combining": {
        "[0.001, 0.01, 0.1, 1, 10, 100, 1000]": "[1, 1000]",
        "n_splits=5": "n_splits=2",
    },
    "continuing": {"range(10)": "range(2)", "n_trials=8": "n_trials=3"},
    # Workers take seconds to start; test_readme runs a search with workers.
    "searching": {"n_jobs=2": "n_jobs=1"},
}


PAGES = [page for page in sorted(DOCS.glob("*.md")) if page.stem not in ELSEWHERE]
WITH_PYTHON = [page for page in PAGES if python_of(page)]


@pytest.mark.slow
@pytest.mark.filterwarnings(*WARNINGS)
@pytest.mark.parametrize("page", WITH_PYTHON, ids=lambda page: page.stem)
def test_the_python_of_a_page_runs_from_top_to_bottom(page, tmp_path, monkeypatch):
    if page.stem in NEEDED:
        import_or_skip(NEEDED[page.stem])
    monkeypatch.chdir(tmp_path)
    script = tmp_path / f"{page.stem}.py"
    script.write_text(shorter_python_of(page), encoding="utf-8")
    # Only the code is checked here, not the scores that it prints.
    shorten_fits(monkeypatch, max_epochs=2)
    runpy.run_path(str(script))
    plt.close("all")


@pytest.mark.parametrize("page", sorted(ELSEWHERE))
def test_the_other_pages_are_in_the_tests_that_are_named_here(page):
    assert page in (ROOT / "tests" / ELSEWHERE[page]).read_text(encoding="utf-8")


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


def test_sources_of_the_reference_are_found(monkeypatch):
    pytest.importorskip("sphinx")
    monkeypatch.syspath_prepend(DOCS)
    links = importlib.import_module("source_links")
    for module in (skdaf, skdaf.datasets):
        for name in module.__all__:
            if callable(getattr(module, name)):
                home = importlib.import_module(links.defining_module(None, module.__name__, name))
                assert re.search(rf"^(class|def) {name}\b", inspect.getsource(home), re.MULTILINE)
    # A method inherited from another class of skdaf, and one from scikit-learn.
    inherited = "CNNAudioRegressor.history_frame"
    home = links.defining_module(None, "skdaf", inherited)
    _, lines = links.source_and_lines(None, home)
    assert lines[inherited] == lines["NetworkEstimator.history_frame"]
    home = links.defining_module(None, "skdaf", "CNNAudioRegressor.set_callbacks")
    assert "CNNAudioRegressor.set_callbacks" not in links.source_and_lines(None, home)[1]

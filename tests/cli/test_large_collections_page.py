"""The page on large collections: its Python and its commands run, in the order of the page."""

import re

import pandas as pd
import pytest
from cli_commands import invoke
from helpers import ROOT, shorten_fits

PAGE = ROOT / "docs" / "large_collections.md"


@pytest.mark.slow
def test_the_page_runs_from_top_to_bottom(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    shorten_fits(monkeypatch, max_epochs=2)
    names = {}
    blocks = re.findall(r"^```(\w+)\n(.*?)^```", PAGE.read_text("utf-8"), re.DOTALL | re.MULTILINE)
    assert {kind for kind, _ in blocks} == {"python", "sh"}
    for kind, code in blocks:
        if kind == "python":
            exec(compile(code, PAGE.name, "exec"), names)
        else:
            program, *words = code.split()
            assert program == "skdaf"
            invoke(*words)
    # The command and the code in parts predict the same.
    predicted, parts = pd.read_csv("predicted.csv"), names["predicted"]
    assert [*predicted.file] == [*parts.path]
    classes = names["model"].classes_
    assert (predicted[classes] - parts[classes]).abs().max(axis=None) < 1e-5
    assert len(names["features"]) == len(parts) == names["good"].sum() == 72
    assert len(names["doubtful"]) == 50

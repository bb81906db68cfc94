"""The page on several sites: its commands run, in the order of the page, as a shell reads them."""

import re
import shutil
import subprocess

import pytest
from cli_commands import invoke
from helpers import ROOT, shorten_fits

PAGE = ROOT / "docs" / "several_sites.md"


def blocks(kind):
    return re.findall(rf"^```{kind}\n(.*?)^```", PAGE.read_text("utf-8"), re.DOTALL | re.MULTILINE)


def commands_of(script, folder):
    """Yield the words of each command that a shell would run in a folder."""
    script = 'skdaf() { printf "%s\\n" "$@" --next; }\n' + script
    shown = subprocess.run(["sh", "-ec", script], cwd=folder, capture_output=True, text=True)
    assert shown.returncode == 0, shown.stderr
    for command in shown.stdout.split("--next\n")[:-1]:
        yield command.splitlines()


@pytest.mark.slow
@pytest.mark.skipif(shutil.which("sh") is None, reason="The commands need a shell.")
def test_the_commands_run_from_top_to_bottom(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    shorten_fits(monkeypatch, max_epochs=2)
    make_sites, *_ = blocks("python")
    exec(compile(make_sites, PAGE.name, "exec"), {})
    found = [words for script in blocks("sh") for words in commands_of(script, tmp_path)]
    names = ["train", "segments", "segments", *["train", "segments"] * 3]
    assert [words[0] for words in found] == names
    for words in found:
        invoke(*words)
    assert [words[1:3] for words in found[3::2]] == [
        ["SITE02.wav", "SITE03.wav"],
        ["SITE01.wav", "SITE03.wav"],
        ["SITE01.wav", "SITE02.wav"],
    ]

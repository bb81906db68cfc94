"""The link checker of the site finds what is broken, and nothing else."""

import importlib.util

import pytest
from helpers import ROOT

SOURCE = ROOT / "docs" / "check_links.py"


@pytest.fixture(scope="module")
def checker():
    spec = importlib.util.spec_from_file_location("check_links", SOURCE)
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


@pytest.fixture
def site(tmp_path):
    (tmp_path / "sub").mkdir()
    (tmp_path / "sub" / "a page.html").write_text('<h1 id="top">A</h1><a href="../index.html">')
    (tmp_path / "picture.png").write_bytes(b"")
    return tmp_path


@pytest.mark.parametrize(
    "link",
    [
        "sub/a%20page.html",
        "sub/a%20page.html#top",
        "#here",
        "#",
        "picture.png",
        "https://example.org/nowhere",
        "mailto:somebody@example.org",
    ],
)
def test_good_links(checker, site, link, capsys):
    (site / "index.html").write_text(f'<p id="here"><a href="{link}">link</a>')
    assert checker.main(site) == 0
    assert capsys.readouterr().out == "2 pages, 0 broken links\n"


@pytest.mark.parametrize(
    "tag",
    [
        '<a href="gone.html">',
        '<a href="sub/a%20page.html#gone">',
        '<a href="#gone">',
        '<a href="sub">',
        '<img src="gone.png">',
    ],
)
def test_broken_links(checker, site, tag, capsys):
    (site / "index.html").write_text(tag)
    assert checker.main(site) == 1
    assert "index.html: " in capsys.readouterr().err


def test_an_empty_folder_is_not_a_site(checker, tmp_path):
    assert checker.main(tmp_path) == 1

"""Links between pages work in a checkout, and lead to pages of the site when it is built."""

import importlib.util
import re

import pytest
from helpers import ROOT

DOCS = ROOT / "docs"
PAGES = [*sorted(DOCS.glob("*.md")), *sorted(ROOT.glob("*.md")), ROOT / "benchmarks" / "README.md"]


@pytest.fixture(scope="module")
def for_the_site():
    spec = importlib.util.spec_from_file_location("site_links", DOCS / "site_links.py")
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module.for_the_site


def prose_of(page):
    """Return the text of a page without its code."""
    return re.sub(r"^```.*?^```$", "", page.read_text(encoding="utf-8"), flags=re.DOTALL | re.M)


def links_of(text):
    """Return the links of a text that lead to files of the repository."""
    links = re.findall(r"\]\(([^()\s]+)\)", text)
    return [link for link in links if not re.match(r"\w+:", link)]


def anchors_of(page):
    """Return the anchors of the headings of a page, as GitHub and MyST name them."""
    headings = re.findall(r"^#+ (.*)$", prose_of(page), re.M)
    texts = [re.sub(r"\[([^]]*)\]\([^)]*\)", r"\1", heading) for heading in headings]
    return {re.sub(r"[^\w\- ]", "", text.lower()).replace(" ", "-") for text in texts}


@pytest.mark.parametrize("page", PAGES, ids=lambda page: str(page.relative_to(ROOT)))
def test_links_work_in_a_checkout(page):
    for link in links_of(prose_of(page)):
        path, _, anchor = link.partition("#")
        target = (page.parent / path).resolve() if path else page
        # Built pages are there after `make docs`, but not in a checkout.
        is_built = {"gallery", "generated", "_build"} & {*target.relative_to(ROOT).parts}
        assert target.exists(), link
        assert not is_built, link
        assert not anchor or anchor in anchors_of(target), link


def test_examples_and_benchmarks_are_pages_of_the_site(for_the_site):
    text = "[a](../examples/plot_04_transfer.py), [b](../examples), [c](../benchmarks/README.md#d)"
    pages = "[a](gallery/plot_04_transfer.rst), [b](gallery/index.rst), [c](benchmarks.md#d)"
    assert for_the_site(text) == pages
    others = "[a](../examples/serve_fastapi.py), [b](tour.md#examples), `../examples`"
    assert for_the_site(others) == others


def test_no_page_offers_an_example_as_a_download(for_the_site):
    for page in DOCS.glob("*.md"):
        links = links_of(for_the_site(prose_of(page)))
        assert not [link for link in links if re.match(r"\.\./(examples|benchmarks/README)", link)]

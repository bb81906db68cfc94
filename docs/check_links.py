"""Look for links inside a built site that lead nowhere.

python docs/check_links.py docs/_build
"""

import sys
from html.parser import HTMLParser
from pathlib import Path
from urllib.parse import unquote, urlsplit

# What a page refers to, and under which names it can be referred to.
REFERENCES = {("a", "href"), ("img", "src"), ("link", "href"), ("script", "src")}
ANCHORS = {"id", "name"}


class Page(HTMLParser):
    """The links of one page, and its anchors."""

    def __init__(self, path):
        super().__init__()
        self.links, self.anchors = set(), {""}
        self.feed(path.read_text(encoding="utf-8"))

    def handle_starttag(self, tag, attrs):
        """Collect the links and anchors of one tag."""
        self.links |= {value for name, value in attrs if (tag, name) in REFERENCES and value}
        self.anchors |= {value for name, value in attrs if name in ANCHORS and value}


def broken_links(root):
    """Yield (page, link) for links within the site whose file or anchor is not there."""
    root = Path(root).resolve()
    # What the theme ships lies in _static, templates among it.
    paths = [path for path in sorted(root.rglob("*.html")) if "_static" not in path.parts]
    pages = {path: Page(path) for path in paths}
    for path, page in pages.items():
        for link in sorted(page.links):
            parts = urlsplit(link)
            if parts.scheme or parts.netloc:
                continue
            target = path
            if parts.path:
                target = (path.parent / unquote(parts.path)).resolve()
            known = pages[target].anchors if target in pages else {unquote(parts.fragment)}
            if not target.is_file() or unquote(parts.fragment) not in known:
                yield path.relative_to(root), link


def main(root):
    """Print what is broken; return the exit status."""
    n_pages = len(list(Path(root).rglob("*.html")))
    if n_pages == 0:
        print(f"There are no pages in {root}.", file=sys.stderr)
        return 1
    broken = list(broken_links(root))
    for page, link in broken:
        print(f"{page}: {link} leads nowhere", file=sys.stderr)
    print(f"{n_pages} pages, {len(broken)} broken links")
    return 1 if broken else 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1]))

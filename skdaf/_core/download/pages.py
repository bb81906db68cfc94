"""Recognize and read web pages that a server sends in place of a file."""

from dataclasses import dataclass, field
from html.parser import HTMLParser
from urllib.parse import urljoin

# How a page begins, after spaces and in lower case.
_BEGINNINGS = (b"<!doctype html", b"<html", b"<head", b"<body", b"<title")

# How model files begin: zip archives and pickles. Some servers call these web pages.
_MODELS = (b"PK", b"\x80")


def is_page(content_type, head):
    """Return whether a response is a web page, from its type and its first bytes."""
    if head.startswith(_MODELS):
        return False
    text = head.removeprefix(b"\xef\xbb\xbf").lstrip().lower()
    return text.startswith(_BEGINNINGS) or "html" in content_type.lower()


@dataclass
class Page:
    """The parts of a page that matter here.

    Attributes
    ----------
    title : str
    forms : list of (str, dict)
        The target of each form, and its hidden fields.
    links : list of str
        The targets of all links.
    """

    title: str = ""
    forms: list = field(default_factory=list)
    links: list = field(default_factory=list)

    @classmethod
    def parse(cls, content, url):
        """Return the page with this content (bytes) at a URL."""
        reader = _PageReader(url)
        reader.feed(content.decode("utf-8", "replace"))
        reader.page.title = " ".join(reader.page.title.split())[:100]
        return reader.page


class _PageReader(HTMLParser):
    """Collect the parts of a page."""

    def __init__(self, url):
        super().__init__()
        self.page, self._url, self._in_title = Page(), url, False

    def handle_starttag(self, tag, attrs):
        attributes = {name: value or "" for name, value in attrs}
        if tag == "form":
            self.page.forms.append((urljoin(self._url, attributes.get("action", "")), {}))
        elif tag == "a":
            self.page.links.append(urljoin(self._url, attributes.get("href", "")))
        elif tag == "input" and self.page.forms and attributes.get("type") == "hidden":
            self.page.forms[-1][1][attributes.get("name", "")] = attributes.get("value", "")
        self._in_title = tag == "title"

    def handle_endtag(self, tag):
        self._in_title = False

    def handle_data(self, data):
        if self._in_title:
            self.page.title += data

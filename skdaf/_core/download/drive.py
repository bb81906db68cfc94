"""The page on which Google Drive asks to confirm a download, and pages that refuse it.

Drive does not scan large files for viruses. Instead of the file, it sends a page with a form, whose
hidden fields contain a token; sending the form starts the download. Older pages have a link with
the token, or set it as a cookie.
"""

from urllib.parse import parse_qs, urlencode, urlsplit, urlunsplit

# What the titles of pages mean that are sent in place of a file.
_REASONS = {
    "quota": "too many people have downloaded this file recently; try again in a day, or copy it "
    "to another place",
    "sign": "the file is not public; its owner must share it with anyone who has the link",
    "not found": "there is no such file, or it is not public",
}


def confirmation_url(page, response):
    """Return the URL that confirms the download of a large file; None if the page offers none."""
    for target, fields in page.forms:
        if "confirm" in fields and "id" in fields:
            return _with_query(target, fields)
    for link in page.links:
        if "confirm" in parse_qs(urlsplit(link).query):
            return link
    for cookie in response.cookies:
        if cookie.name.startswith("download_warning"):
            return _with_query(response.url, {"confirm": cookie.value})
    return None


def reason_for_page(page):
    """Return what a page means that is not a confirmation, after its title; "" if unknown."""
    title = page.title.lower()
    return next((f": {reason}" for word, reason in _REASONS.items() if word in title), "")


def _with_query(url, fields):
    parts = urlsplit(url)
    known = {name: values[0] for name, values in parse_qs(parts.query).items()}
    return urlunsplit(parts._replace(query=urlencode(known | fields)))

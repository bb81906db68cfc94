"""Links to files of the repository that the site shows as pages of its own.

In a checkout, a page links to `../examples/plot_01_first_classifier.py`. The site makes a page of
the gallery from this file, and another page shows the benchmarks, so there the links lead to these.
"""

import re

# Links in the pages of this folder, and what they become on the site.
PAGES = {
    r"\(\.\./examples/(plot_\w+)\.py\)": r"(gallery/\1.rst)",
    r"\(\.\./examples\)": "(gallery/index.rst)",
    r"\(\.\./benchmarks/README\.md(#[^)]*)?\)": r"(benchmarks.md\1)",
}


def for_the_site(text):
    """Return the text of a page with links to the pages of the site."""
    for link, page in PAGES.items():
        text = re.sub(link, page, text)
    return text


def replace_links(app, docname, content):
    """Change the text of a page before it is parsed; Sphinx passes it as a list of one text."""
    content[0] = for_the_site(content[0])

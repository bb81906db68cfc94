"""How Sphinx builds the site; `make docs` runs it, offline and with warnings as errors."""

import os
import re
import sys
import warnings

from docutils import nodes
from sphinx.addnodes import pending_xref

import skdaf
import skdaf.datasets

sys.path.insert(0, os.path.dirname(os.path.abspath(__file__)))
import learning_curves
from architecture_map import PackageMap
from site_links import replace_links
from source_links import defining_module, source_and_lines

project = "skdaf"
author = "The skdaf developers"
copyright = f"%Y, {author}"
release = version = skdaf.__version__

extensions = [
    "sphinx.ext.autodoc",
    "sphinx.ext.autosummary",
    "sphinx.ext.viewcode",
    "numpydoc",
    "myst_parser",
    "sphinx_copybutton",
    "sphinx_gallery.gen_gallery",
]
exclude_patterns = ["_build", "**/GALLERY_HEADER.rst", "**sg_execution_times.rst"]
templates_path = ["_templates"]
nitpicky = True
# What other projects document is named, not linked: links would have to be downloaded.
nitpick_ignore_regex = [("py:.*", r"(sklearn|numpy|pandas|torch|matplotlib|joblib)\..*")]
default_role = "code"

myst_heading_anchors = 3
copybutton_prompt_text = r">>> |\.\.\. |\$ "
copybutton_prompt_is_regexp = True
copybutton_exclude = ".linenos, .gp, .go"

# --- the reference ---

autosummary_generate = True
autodoc_typehints = "none"
toc_object_entries_show_parents = "hide"
numpydoc_show_class_members = False
numpydoc_xref_param_type = False


def skip_member(app, what, name, obj, skip, options):
    """Leave out the methods that scikit-learn adds to route metadata to every estimator."""
    routing = name == "get_metadata_routing" or (
        name.startswith("set_") and name.endswith("_request")
    )
    return True if routing else skip


def without_foreign_references(app, what, name, obj, options, lines):
    """Leave the text of references to pages of scikit-learn, in docstrings inherited from it."""
    lines[:] = [re.sub(r":ref:`([^`<]*?)\s*(<[^>]*>)?`", r"\1", line) for line in lines]


PUBLIC = {name: f"skdaf.{name}" for name in skdaf.__all__ if name != "datasets"} | {
    name: f"skdaf.datasets.{name}" for name in skdaf.datasets.__all__
}


def link_names(app, doctree):
    """Make public names link to the reference, wherever they are set as code."""
    for literal in list(doctree.findall(nodes.literal)):
        name = re.match(r"\w+", literal.astext())
        inside = literal.parent
        if (
            not name
            or name[0] not in PUBLIC
            or isinstance(inside, (nodes.title, nodes.reference, pending_xref))
        ):
            continue
        target = PUBLIC[name[0]]
        link = pending_xref(
            "",
            refdomain="py",
            reftype="obj",
            reftarget=target,
            refexplicit=True,
            refdoc=app.env.docname,
        )
        literal.replace_self(link)
        link += literal


# --- the gallery ---

os.environ.setdefault("MPLBACKEND", "agg")
sphinx_gallery_conf = {
    "examples_dirs": "../examples",
    "gallery_dirs": "gallery",
    "filename_pattern": r"/plot_",
    "ignore_pattern": r"(quickstart|serve_fastapi)\.py$",
    "within_subsection_order": "FileNameSortKey",
    "backreferences_dir": "generated/examples",
    "doc_module": ("skdaf",),
    "reference_url": {"skdaf": None},
    "inspect_global_variables": False,
    "remove_config_comments": True,
    "capture_repr": ("_repr_html_",),
    "abort_on_example_error": True,
    "min_reported_time": 1e9,
    "show_memory": False,
    "show_signature": False,
    "download_all_examples": False,
    "plot_gallery": "True",
}
# A warning of an example would be one that a reader gets.
warnings.filterwarnings("error", module=r"skdaf(\.|$)")

# --- the pages ---

html_theme = "pydata_sphinx_theme"
html_title = "skdaf"
html_static_path = ["_static"]
html_css_files = ["skdaf.css"]
html_js_files = ["versions_menu.js"]
html_show_sourcelink = False
html_copy_source = False
html_theme_options = {
    "logo": {"text": f"skdaf {release}"},
    "github_url": "https://github.com/skdaf/skdaf",
    "navbar_align": "left",
    "header_links_before_dropdown": 5,
    "show_nav_level": 1,
    "navigation_depth": 2,
    "show_toc_level": 2,
    "footer_start": ["copyright"],
    "footer_end": [],
    "pygments_light_style": "tango",
}
# Pages that have none below or beside them need no list of these.
WITHOUT_SIDEBAR = [
    "architecture",
    "changelog",
    "coming_from_deep_audio_features",
    "getting_started",
    "tasks",
]
html_sidebars = {page: [] for page in WITHOUT_SIDEBAR}


def breakable_titles(app, pagename, templatename, context, doctree):
    """Let titles break inside long names, such as `load_deep_audio_features`, on narrow screens."""

    def with_breaks(title):
        parts = re.split("(<[^>]*>)", title[0])
        parts[::2] = [
            re.sub(r"(?<=\w[._])(?=\w)|(?<=[a-z])(?=[A-Z])", "<wbr>", p) for p in parts[::2]
        ]
        return "".join(parts)

    context["body"] = re.sub(r"<h[1-4]>.*?</h[1-4]>", with_breaks, context.get("body", ""))


def setup(app):
    """Connect what is defined above."""
    learning_curves.draw()  # before pages are read: one of them shows the figure
    app.add_directive("package-map", PackageMap)
    app.connect("autodoc-skip-member", skip_member)
    app.connect("autodoc-process-docstring", without_foreign_references)
    app.connect("source-read", replace_links)
    app.connect("doctree-read", link_names)
    app.connect("html-page-context", breakable_titles)
    app.connect("viewcode-follow-imported", defining_module)
    app.connect("viewcode-find-source", source_and_lines)

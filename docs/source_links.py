"""The links "[source]" of the reference, for `sphinx.ext.viewcode`.

Public classes and functions name `skdaf` as their module, and some of their methods come from
another class of skdaf. So viewcode is told here which file defines a name, and where in it.
"""

import ast
import importlib
import inspect
from functools import cache
from pathlib import Path

from sphinx.pycode import ModuleAnalyzer

import skdaf


def _listed_modules():
    """Return {public name: the module that `skdaf/__init__.pyi` imports it from}."""
    stub = Path(skdaf.__file__).with_name("__init__.pyi").read_text(encoding="utf-8")
    return {
        alias.name: f"skdaf.{statement.module}"
        for statement in ast.parse(stub).body
        if isinstance(statement, ast.ImportFrom) and statement.module
        for alias in statement.names
    }


LISTED = _listed_modules()


def defining_module(app, module, name):
    """Return the module whose file defines `name`, such as "CNNAudioClassifier.fit"."""
    owner, _, member = name.partition(".")
    home = LISTED.get(owner, module)
    if not member:
        return home
    method = getattr(getattr(importlib.import_module(module), owner), member, None)
    function = inspect.unwrap(getattr(method, "fget", None) or method)
    defined_in = getattr(function, "__module__", None) or ""
    if not defined_in.startswith("skdaf."):  # in scikit-learn, or an attribute
        return home
    _, lines = source_and_lines(app, defined_in)
    if function.__qualname__ in lines:
        lines.setdefault(name, lines[function.__qualname__])
    return defined_in


@cache
def source_and_lines(app, module):
    """Return the source of a module of skdaf, and {name: what and where it is}.

    `defining_module` adds inherited methods under the name of the class that inherits them.
    """
    if not module.startswith("skdaf."):
        return None
    analyzer = ModuleAnalyzer.for_module(module)
    analyzer.find_tags()
    return analyzer.code, dict(analyzer.tags)

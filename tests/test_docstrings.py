"""Every public name, and every method that it defines, has a docstring in numpydoc format."""

import doctest
import inspect

import pytest
from numpydoc.validate import validate

import skdaf
import skdaf.datasets

# Checks of numpydoc that this project, like scikit-learn, does not follow.
NOT_ASKED = {
    "ES01": "an extended summary, even where the first line says all",
    "RT02": "results without a name",
    "SA01": "a section See Also everywhere",
}
NOT_ASKED_OF_METHODS = {"EX01": "an example; those of the class show its methods"}

# Names that need not pass, with the codes of the failing checks. Do not add any.
EXCEPTIONS: dict[str, set[str]] = {}

# Data has the docstring of its type; the reference describes it.
DATA = {"skdaf.NETWORKS", "skdaf.TRUSTED_TYPES"}

NAMES = {
    f"{module.__name__}.{name}": getattr(module, name)
    for module in (skdaf, skdaf.datasets)
    for name in module.__all__
    if not inspect.ismodule(getattr(module, name))
}
OBJECTS = sorted(NAMES.keys() - DATA)
METHODS = sorted(
    f"{name}.{method}"
    for name in OBJECTS
    if inspect.isclass(NAMES[name])
    for method, function in inspect.getmembers(NAMES[name], callable)
    if not method.startswith("_") and str(getattr(function, "__module__", "")).startswith("skdaf.")
)


def problems(name, not_asked):
    left_out = set(not_asked) | EXCEPTIONS.get(name, set())
    return [f"{code} {text}" for code, text in validate(name)["errors"] if code not in left_out]


@pytest.mark.parametrize("name", OBJECTS)
def test_public_names(name):
    assert problems(name, NOT_ASKED) == []


@pytest.mark.parametrize("name", METHODS)
def test_methods_of_public_classes(name):
    assert problems(name, NOT_ASKED | NOT_ASKED_OF_METHODS) == []


def test_no_exception_is_out_of_date():
    for name, codes in EXCEPTIONS.items():
        assert codes <= {code for code, _ in validate(name)["errors"]}, name


def test_data_is_data():
    assert all(not callable(NAMES[name]) for name in DATA)
    assert "skdaf.CNNAudioClassifier.predict" in METHODS


# pytest collects the examples of private functions and classes. It skips classes that say
# `skdaf` is their module, wherever they are defined, and functions with a decorator.
OPTIONS = doctest.NORMALIZE_WHITESPACE | doctest.ELLIPSIS


@pytest.mark.parametrize("name", OBJECTS)
def test_examples_of_public_names(name):
    with_examples = [
        found
        for found in doctest.DocTestFinder().find(NAMES[name], name, module=False, globs={})
        if found.examples
    ]
    runner = doctest.DocTestRunner(optionflags=OPTIONS)
    said = []
    for test in with_examples:
        runner.run(test, out=said.append)
    assert runner.summarize(verbose=False).failed == 0, "".join(said)
    assert with_examples

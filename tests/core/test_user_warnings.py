"""Warnings point to the user's line, and so are shown once for all parts of a model."""

import warnings
from contextlib import suppress

import pytest
from sklearn.pipeline import make_union
from sklearn.preprocessing import FunctionTransformer

from skdaf._core.user_warnings import warn_user

pytestmark = pytest.mark.oldest


def function_of(module):
    """Return a function that warns, as if it were in a module."""
    names = {"__name__": module, "warn_user": warn_user}
    exec("def function(X):\n    warn_user('something')\n    return X", names)
    return names["function"]


def parts_of_model():
    return make_union(
        FunctionTransformer(function_of("skdaf._audio.one")),
        FunctionTransformer(function_of("skdaf._features.two")),
    )


def test_warnings_point_to_the_line_outside_of_libraries():
    model = parts_of_model()
    with warnings.catch_warnings(record=True) as caught:
        warnings.simplefilter("always")
        model.transform([[1.0]])
    assert [warning.filename for warning in caught] == [__file__] * 2


def test_parts_of_a_model_do_not_repeat_each_other():
    model = parts_of_model()
    with warnings.catch_warnings(record=True) as caught:
        warnings.simplefilter("default")  # as Python does without options
        model.transform([[1.0]])
    assert [str(warning.message) for warning in caught] == ["something"]


def test_the_same_warning_of_another_call_is_shown():
    model = parts_of_model()
    with warnings.catch_warnings(record=True) as caught:
        warnings.simplefilter("default")
        for cell in ("model.transform([[1.0]])", "model.transform([[1.0]])"):
            exec(compile(cell, "cell", "exec"), {"model": model})
            exec(compile(cell, "other cell", "exec"), {"model": model})
    assert [warning.filename for warning in caught] == ["cell", "other cell"] * 2


@pytest.mark.parametrize(
    ("options", "n_expected"),
    [
        ({"action": "always"}, 2),
        ({"action": "ignore"}, 0),
        ({"action": "always", "message": "some"}, 2),
        ({"action": "always", "message": "other"}, 1),
        ({"action": "always", "module": __name__}, 2),
        ({"action": "always", "module": "other"}, 1),
        ({"action": "always", "category": DeprecationWarning}, 1),
        ({"action": "always", "lineno": 1}, 2),
        ({"action": "always", "lineno": 2}, 1),
    ],
)
def test_filters_apply(options, n_expected):
    model = parts_of_model()
    with warnings.catch_warnings(record=True) as caught:
        warnings.resetwarnings()
        warnings.filterwarnings(**options)
        exec("model.transform([[1.0]])", {"model": model, "__name__": __name__})
    assert len(caught) == n_expected


@pytest.mark.parametrize("action", ["ignore", "error"])
def test_what_was_not_shown_is_shown_later(action):
    model = parts_of_model()
    code = compile("model.transform([[1.0]])", "cell", "exec")
    with warnings.catch_warnings(record=True) as caught:
        warnings.simplefilter(action)
        with suppress(UserWarning):
            exec(code, {"model": model})
        warnings.simplefilter("default")
        exec(code, {"model": model})
    assert len(caught) == 1


def test_other_packages_are_the_user():
    with pytest.warns(UserWarning, match="something") as caught:
        function_of("skdafish")(0)
    assert caught[0].filename == "<string>"


def test_without_a_user_the_outermost_line_counts():
    names = {"__name__": "skdaf", "warn_user": warn_user}
    with pytest.warns(DeprecationWarning, match="old"):
        exec("warn_user('old', DeprecationWarning)", names)

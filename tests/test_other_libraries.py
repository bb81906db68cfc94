"""The page "Other libraries" is true: its recipes run, and tools accept the forms that it lists.

Tools that are not installed are skipped. `python -m benchmarks.other_libraries` runs the same
clients on recordings, and names the errors.
"""

import ast
import re
import warnings
from contextlib import contextmanager, suppress

import joblib
import numpy as np
import pytest
from helpers import ROOT, import_or_skip, silence
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import FunctionTransformer

from benchmarks import _forms
from benchmarks._clients import CLIENTS
from benchmarks.other_libraries import version_of
from skdaf import save_model
from skdaf.datasets import make_audio_dataset

pytestmark = [
    pytest.mark.filterwarnings("ignore:OptunaSearchCV is experimental"),
    pytest.mark.filterwarnings("ignore:`optuna.terminator` module:FutureWarning"),
]

PAGE = (ROOT / "docs" / "other_libraries.md").read_text(encoding="utf-8")

# The first block of the page prepares the clips and the classifier for the others.
PREPARATION = re.search(r"^```python\n(.*?)^```", PAGE, re.DOTALL | re.MULTILINE).group(1)
RECIPES = re.findall(
    r"^### ([^\n]+)\n(?:(?!#)[^\n]*\n)*?```python\n(.*?)^```", PAGE, re.DOTALL | re.MULTILINE
)

# The cells of the table of the page, without the line below its head.
HEAD, _, *ROWS = [line.strip("| ").split(" | ") for line in re.findall(r"^\|.*\|$", PAGE, re.M)]

# What fails of the clients that are not in the table of the page. Its text says so.
FAILING = {
    ("AdaBoostClassifier of a combined classifier", "table"),
    ("tabular_pipeline", "table"),
    ("tabular_pipeline", "polars table"),
    ("skops.io", "list"),
    ("ParallelPostFit, table in dask", "table"),
    ("log_model", "list"),
    ("mlflow.pyfunc", "list"),
    ("autolog", "table"),
}

# Takes seconds to start, and `test_workers` runs it.
ELSEWHERE = {"joblib's backend dask"}

# Packages that the tests do not require: any version may be installed, with any warnings.
OPTIONAL = {"dask-ml", "dask_ml", "mlflow"}

TRIED = [client for client in CLIENTS if client.name not in ELSEWHERE]


@pytest.fixture(autouse=True)
def in_threads():
    """Let `n_jobs=2` start threads, because processes take seconds to start."""
    with joblib.parallel_config(backend="threading"):
        yield


@pytest.fixture(scope="module")
def prepared(tmp_path_factory):
    """The names that the preparation on the page defines."""
    with pytest.MonkeyPatch.context() as patch:
        folder = tmp_path_factory.mktemp("page")
        patch.chdir(folder)
        names = {}
        exec(PREPARATION.replace('"recordings"', repr(str(folder / "recordings"))), names)
    return names


def required_modules(code):
    """Return the names of the modules that a recipe imports."""
    names = set()
    for node in ast.walk(ast.parse(code)):
        if isinstance(node, ast.Import):
            names |= {alias.name for alias in node.names}
        elif isinstance(node, ast.ImportFrom):
            names.add(node.module)
    return names


@contextmanager
def quiet_if_optional(*packages):
    """Return a context without warnings if one of the packages is optional."""
    with warnings.catch_warnings():
        if OPTIONAL.intersection(packages):
            warnings.simplefilter("ignore")
        yield


@pytest.mark.parametrize(("name", "code"), RECIPES, ids=[name for name, _ in RECIPES])
def test_a_recipe_learns(prepared, name, code, tmp_path, monkeypatch, capsys):
    modules = required_modules(code)
    for module in sorted(modules):
        import_or_skip(module)
    monkeypatch.chdir(tmp_path)
    # They fit the same classifier, which keeps nothing of an earlier fit.
    with quiet_if_optional(*(module.split(".")[0] for module in modules)):
        exec(code, dict(prepared))
    score = float(capsys.readouterr().out.split()[-1])
    # Guessing one of three classes would be right in a third of the clips.
    assert 0.5 <= score <= 1


def test_every_heading_of_the_page_has_a_recipe():
    assert len(RECIPES) == PAGE.count("\n### ") > 20
    assert PAGE.count("```python") == 1 + len(RECIPES)


@pytest.fixture(scope="module")
def sounds_by_form(tmp_path_factory):
    """A function that returns `Clips` in a form."""
    kinds = ["low_tone", "high_tone", "white_noise"]
    sounds = make_audio_dataset(
        tmp_path_factory.mktemp("forms"), classes=kinds, n_clips_per_class=9, duration=(0.1, 0.15)
    )
    files, labels = np.array(sounds.filenames), np.array(sounds.target_names)[sounds.target]
    # One clip of each kind after another, and every third of these triples for testing.
    in_turn = np.argsort(np.arange(len(files)) % 9, kind="stable")
    files, labels = files[in_turn], labels[in_turn]
    is_test = np.arange(len(files)) // 3 % 3 == 0
    known = {}

    def sounds_by_form(form):
        if form not in known:
            known[form] = _forms.in_form(form, files, labels, is_test, max_epochs=3)
        return known[form]

    return sounds_by_form


def works(client, clips):
    """Return whether a client runs; its score says nothing after one epoch."""
    with suppress(Exception):
        assert np.isfinite(client.run(clips))
        return True
    return False


def forms_to_try(client):
    has_polars = version_of("polars") is not None
    return [form for form in client.forms if has_polars or form != "polars table"]


def skip_without(client):
    if version_of(client.package) is None:
        pytest.skip(f"{client.package} is not installed")


@silence  # MAPIE tries whether zeros can be predicted
@pytest.mark.parametrize("client", TRIED, ids=lambda client: client.name)
def test_clients_accept_the_forms_that_the_page_lists(sounds_by_form, client):
    skip_without(client)
    with quiet_if_optional(client.package):
        found = {form: works(client, sounds_by_form(form)) for form in forms_to_try(client)}
    listed = {row[0]: dict(zip(HEAD[1:], row[1:], strict=True)) for row in ROWS}
    if client.name in listed:
        expected = {form: listed[client.name][form] == "yes" for form in found}
    else:
        expected = {form: (client.name, form) not in FAILING for form in found}
    assert found == expected


def test_the_table_of_the_page_has_all_clients_that_were_tried_with_every_form():
    assert HEAD[1:] == list(_forms.FORMS)
    assert [row[0] for row in ROWS] == [c.name for c in CLIENTS if len(c.forms) > 3]
    assert {cell for row in ROWS for cell in row[1:]} == {"yes", "no", "-"}


# How the list "At a glance" begins the item of the tools whose first form is this one.
GLANCE = {
    "list": "Works with a list",
    "array": "Needs an array",
    "table": "Needs a table",
    "row numbers": "Needs row numbers",
    None: "Needs features",
}


@pytest.mark.parametrize("row", ROWS, ids=[row[0] for row in ROWS])
def test_the_page_names_the_form_with_the_least_work_for_each_tool(row):
    forms = [form for form, cell in zip(HEAD[1:], row[1:], strict=True) if cell == "yes"]
    glance = PAGE.split("## At a glance")[1].split("\n## ")[0]
    items = [" ".join(item.split()) for item in glance.split("\n- ")]
    item = next(item for item in items if GLANCE[next(iter(forms), None)] in item)
    assert re.search(rf"\b{row[0].split(',')[0]}\b", item)


def test_a_pipeline_of_row_numbers_can_be_pickled_but_not_saved(prepared, tmp_path):
    fitted = prepared["row_classifier"].fit(prepared["rows"], prepared["y"])
    joblib.dump(fitted, tmp_path / "model.joblib")
    loaded = joblib.load(tmp_path / "model.joblib")
    np.testing.assert_array_equal(
        loaded.predict(prepared["rows"]), fitted.predict(prepared["rows"])
    )
    with pytest.raises(ValueError, match=r"does not trust: .*\.take"):
        save_model(fitted, tmp_path / "model.skops")
    # The network in it can be saved, and takes paths.
    np.testing.assert_array_equal(
        fitted[-1].predict(prepared["paths"]), fitted.predict(prepared["rows"])
    )


def test_row_numbers_stand_for_the_paths(prepared):
    rows, paths = prepared["rows"], prepared["paths"]
    looked_up = make_pipeline(FunctionTransformer(paths.take)).fit_transform(rows[::-1])
    np.testing.assert_array_equal(looked_up.ravel(), paths[::-1])

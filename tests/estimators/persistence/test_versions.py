"""Model files that were saved with another version of scikit-learn."""

import re
import zipfile

import numpy as np
import pytest
import sklearn
from crafting import attribute, plain, rewritten
from sklearn.preprocessing import StandardScaler

from skdaf import SpectrogramTransformer, load_model, save_model
from skdaf._estimators.persistence.versions import scikit_learn_of
from skdaf._estimators.persistence.writer import _with_full_name

pytestmark = [
    pytest.mark.oldest,
    pytest.mark.filterwarnings("ignore::sklearn.exceptions.InconsistentVersionWarning"),
]

VERSIONS = f"saved with scikit-learn 99.0, not with the installed {re.escape(sklearn.__version__)}"


@pytest.fixture
def path(tmp_path):
    path = tmp_path / "model.skops"
    save_model(StandardScaler().fit(np.eye(3)), path)
    return path


def replace(path, old, new):
    """Replace some text in the schema of a file."""
    with zipfile.ZipFile(path) as archive:
        schema = archive.read("schema.json").decode()
    assert old in schema
    rewritten(path, **{"schema.json": schema.replace(old, new)})


def test_the_version_is_found(path):
    assert scikit_learn_of(path) == sklearn.__version__
    replace(path, sklearn.__version__, "99.0.dev0+local")
    assert scikit_learn_of(path) == "99.0.dev0+local"


def test_some_files_have_no_version(path):
    save_model(SpectrogramTransformer(), path)
    assert scikit_learn_of(path) == ""
    path.write_bytes(b"")
    assert scikit_learn_of(path) == ""


def test_a_file_of_another_version_may_be_loaded(path):
    replace(path, sklearn.__version__, "99.0")
    assert load_model(path).mean_.shape == (3,)


def test_a_value_that_another_version_allows(path):
    attribute(path, "with_std", plain("deprecated"))
    with pytest.raises(ValueError, match=r"skops' is damaged: in a StandardScaler, The 'with_std'"):
        load_model(path)
    replace(path, sklearn.__version__, "99.0")
    with pytest.raises(ValueError, match=rf"skops' was {VERSIONS}, or is damaged: in a Standard"):
        load_model(path)


@pytest.mark.parametrize("is_other", [True, False])
@pytest.mark.parametrize("module", ["sklearn.preprocessing._data", "os"])
def test_a_type_that_only_another_version_has(path, is_other, module):
    replace(path, '"StandardScaler"', '"NewScaler"')
    replace(path, '"sklearn.preprocessing._data"', f'"{module}"')
    hint = rf" It was {VERSIONS}\." if is_other and module != "os" else ""
    if is_other:
        replace(path, sklearn.__version__, "99.0")
    with pytest.raises(ValueError, match=rf"{module}\.NewScaler\. Nothing was loaded\.{hint}$"):
        load_model(path)


def test_short_names_of_modules_are_completed():
    assert _with_full_name({"__module__": "_loss", "a": 1}) == {
        "__module__": "sklearn._loss._loss",
        "a": 1,
    }
    for state in ({}, {"__module__": "sklearn"}, {"__module__": {}}):
        assert _with_full_name(state) == state

"""What fitted estimators expect in the cells of a table."""

import numpy as np
import pandas as pd
import pytest
from sklearn.calibration import CalibratedClassifierCV
from sklearn.compose import ColumnTransformer
from sklearn.decomposition import PCA
from sklearn.feature_extraction.text import CountVectorizer
from sklearn.impute import SimpleImputer
from sklearn.linear_model import LogisticRegression
from sklearn.pipeline import FeatureUnion, make_pipeline
from sklearn.preprocessing import (
    FunctionTransformer,
    OneHotEncoder,
    OrdinalEncoder,
    StandardScaler,
    TargetEncoder,
)

from skdaf._estimators.table_cells import Cells, expected_cells

TABLE = pd.DataFrame({"age": [1.0, 2.0, 3.0, 4.0] * 5, "site": ["a", "b"] * 10})
FILL = SimpleImputer(strategy="most_frequent")


def cells_of(transformer, columns):
    """Return what a fitted ColumnTransformer with one transformer expects."""
    model = ColumnTransformer([("x", transformer, columns)]).fit(TABLE, np.arange(20) % 2)
    return expected_cells(model)


@pytest.mark.parametrize(
    "transformer", [StandardScaler(), PCA(1), make_pipeline(SimpleImputer(), StandardScaler())]
)
def test_transformers_of_numbers(transformer):
    assert cells_of(transformer, ["age"])["age"] == Cells(are_numbers=True)


@pytest.mark.parametrize(
    ("encoder", "is_complete"),
    [
        (OrdinalEncoder(), True),
        (OneHotEncoder(handle_unknown="ignore"), False),
        (make_pipeline(FILL, OneHotEncoder()), True),
        (TargetEncoder(), False),
    ],
)
def test_encoders_know_categories(encoder, is_complete):
    found = cells_of(encoder, ["age", "site"])
    assert found["site"].categories == ["a", "b"]
    assert found["age"].categories == [1, 2, 3, 4]
    assert found["age"].is_complete is found["site"].is_complete is is_complete


@pytest.mark.parametrize(
    ("imputer", "is_filled"),
    [
        (FILL, True),
        (SimpleImputer(strategy="constant", fill_value="a"), True),
        (SimpleImputer(strategy="constant", fill_value="unknown"), False),
        (SimpleImputer(strategy="most_frequent", missing_values="b"), False),
        (FunctionTransformer(), False),
    ],
)
def test_imputers_before_encoders_fill_in_missing_values(imputer, is_filled):
    encoder = make_pipeline(imputer, OrdinalEncoder())
    assert cells_of(encoder, ["site"])["site"].is_filled is is_filled


@pytest.mark.parametrize("is_complete", [False, True])
def test_both_readers_of_a_column_must_do_with_missing_values(is_complete):
    unknown = {} if is_complete else {"handle_unknown": "ignore"}
    parts = [("a", make_pipeline(FILL, OneHotEncoder()), ["site"])]
    parts.append(("b", OneHotEncoder(**unknown), ["site"]))
    for transformers in (parts, parts[::-1]):
        found = expected_cells(ColumnTransformer(transformers).fit(TABLE))["site"]
        assert found == Cells(False, ["a", "b"], True, is_filled=not is_complete)


@pytest.mark.parametrize(
    ("transformer", "columns"),
    [
        ("passthrough", ["age"]),
        (FunctionTransformer(), ["age"]),
        (make_pipeline(FILL, FunctionTransformer()), ["site"]),
        (FeatureUnion([("scale", StandardScaler())]), ["age"]),
        (FILL, ["site"]),
    ],
)
def test_nothing_is_known_of_other_transformers(transformer, columns):
    assert cells_of(transformer, columns).get(np.ravel(columns)[0]) == Cells()


def test_vectorizers_need_text():
    assert cells_of(CountVectorizer(token_pattern="."), "site")["site"] == Cells(are_numbers=False)


def test_a_column_of_two_transformers():
    parts = [("a", StandardScaler(), ["age"]), ("b", OrdinalEncoder(), ["age"])]
    for transformers in (parts, parts[::-1]):
        found = expected_cells(ColumnTransformer(transformers).fit(TABLE))["age"]
        assert found == Cells(True, [1, 2, 3, 4], is_complete=True)


def test_parts_of_recordings_and_models_without_columns():
    model = make_pipeline(
        ColumnTransformer([("x", StandardScaler(), ["age"])]), LogisticRegression()
    )
    calibrated = CalibratedClassifierCV(model, cv=2, ensemble=False).fit(TABLE, np.arange(20) % 2)
    assert expected_cells(calibrated)["age"] == Cells(are_numbers=True)
    assert expected_cells(StandardScaler().fit(TABLE[["age"]])).keys() == {"start", "end"}

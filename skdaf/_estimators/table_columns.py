"""The columns of the table that a fitted estimator expects, as one with a ColumnTransformer does.

Such a model takes recordings and other values, such as the temperature, from the same table.
"""

from typing import NamedTuple

import pandas as pd
from sklearn.pipeline import Pipeline
from sklearn.utils import _safe_indexing

from skdaf._estimators.fitted import iterate_parts, unwrap_calibrated


class TableColumns(NamedTuple):
    """The columns that an estimator reads, in the order of training, and those of recordings."""

    names: list[str]
    recordings: list[str]

    @property
    def others(self):
        """The columns that describe neither recordings nor parts of them."""
        return [name for name in self.names if name not in {*self.recordings, "start", "end"}]


def find_table_columns(estimator):
    """Return the `TableColumns` of a fitted estimator; None if it takes clips instead of a table.

    Columns that the table of the training had, such as the labels, but that the estimator leaves
    out, are not among them.
    """
    names = getattr(estimator, "feature_names_in_", None)
    if names is None:
        return None
    names = [str(name) for name in names]
    selected = selected_columns(estimator)
    if selected is None:
        return TableColumns(names, [name for name in names if name == "path"])
    used = {name for _, columns in selected for name in columns}
    recordings = {
        name
        for transformer, columns in selected
        if _takes_clips(transformer)
        for name in (columns if len(columns) == 1 else {"path"} & {*columns})
    }
    return TableColumns(
        [name for name in names if name in used], [name for name in names if name in recordings]
    )


def expected_table(columns):
    """Return which table an estimator expects, for errors."""
    return f"a table with the columns {', '.join(map(repr, columns.names))}"


def selects_columns(estimator):
    """Return whether a fitted estimator, or its first step, is a ColumnTransformer."""
    return hasattr(_first_step(estimator), "transformers_")


def selected_columns(estimator):
    """Return (transformer, names of its columns) of a ColumnTransformer; None of other ones.

    The ColumnTransformer can be the first step of a fitted pipeline.
    """
    estimator = _first_step(estimator)
    if not (selects_columns(estimator) and hasattr(estimator, "feature_names_in_")):
        return None
    empty = pd.DataFrame(columns=estimator.feature_names_in_)
    return [
        (transformer, _names(_safe_indexing(empty, columns, axis=1)))
        for _, transformer, columns in estimator.transformers_
        if not (isinstance(transformer, str) and transformer == "drop")
    ]


def _first_step(estimator):
    """Return the part of an estimator that gets its input."""
    estimator = unwrap_calibrated(estimator)
    while isinstance(estimator, Pipeline):
        estimator = estimator.steps[0][1]
    return estimator


def _names(selected):
    """Return the names of columns, of which a single one is a Series."""
    return [str(selected.name)] if isinstance(selected, pd.Series) else [*map(str, selected)]


def _takes_clips(transformer):
    return any(_is_for_clips(part) for part in iterate_parts(transformer))


def _is_for_clips(part):
    """Return whether an estimator is one of this package that takes files.

    Others of this package, such as `BlockScaler`, take numbers.
    """
    return type(part).__module__ == "skdaf" and part.__sklearn_tags__().input_tags.string

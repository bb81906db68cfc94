"""What a fitted estimator expects in the cells of a table: numbers, or one of some categories."""

import math
from typing import Any, NamedTuple

from sklearn.preprocessing import FunctionTransformer
from sklearn.utils import get_tags

from skdaf._estimators.table_columns import selected_columns


class Cells(NamedTuple):
    """What a column contains; None where that is not known.

    Attributes
    ----------
    are_numbers : bool or None
        Whether all values are numbers; False for text, even if it looks like numbers.
    categories : list or None
        The values of a column of categories.
    is_complete : bool
        Whether other values than the categories are refused.
    is_filled : bool
        Whether missing values are filled in before they could be refused.
    """

    are_numbers: bool | None = None
    categories: list[Any] | None = None
    is_complete: bool = False
    is_filled: bool = False


def expected_cells(estimator):
    """Return the `Cells` of the columns that a fitted estimator reads, by name.

    Columns of which nothing is known, such as those of recordings, can be left out. Only the
    transformers of scikit-learn are known: others can do with a column what they want.
    """
    found = {"start": Cells(are_numbers=True), "end": Cells(are_numbers=True)}
    for transformer, names in selected_columns(estimator) or ():
        for place, name in enumerate(names):
            cells = _cells_of(transformer, place, len(names))
            known = found.get(name)
            found[name] = cells if known is None else _joined(known, cells)
    return found


def _joined(one, other):
    """Return what holds for a column that two transformers read."""
    if one.categories is None or (other.is_complete and not one.is_complete):
        one, other = other, one
    are_numbers = other.are_numbers if one.are_numbers is None else one.are_numbers
    is_filled = one.is_filled and (other.is_filled or not other.is_complete)
    return one._replace(are_numbers=are_numbers, is_filled=is_filled)


def _cells_of(transformer, place, n_columns):
    """Return the `Cells` of one of the columns of a transformer."""
    filler = None
    for step in _steps(transformer):
        categories = getattr(step, "categories_", ())
        if len(categories) == n_columns:
            return _cells_of_categories(categories[place], step, filler)
        # In columns of numbers or of text, such as an imputer before an encoder.
        fills_any = getattr(step, "strategy", None) in ("most_frequent", "constant")
        if not fills_any:
            return Cells(_needs_numbers(step))
        filler = _filler(step, place, n_columns) if filler is None else filler
    return Cells()


def _filler(imputer, place, n_columns):
    """Return what an imputer puts in place of missing values; None if it leaves NaN."""
    missing, fillers = (getattr(imputer, name, ()) for name in ("missing_values", "statistics_"))
    is_nan = isinstance(missing, float) and math.isnan(missing)
    return fillers[place] if is_nan and len(fillers) == n_columns else None


def _cells_of_categories(categories, encoder, filler):
    are_numbers = categories.dtype.kind in "iuf"
    is_complete = getattr(encoder, "handle_unknown", None) == "error"
    known = categories.tolist()
    # An encoder refuses what an imputer fills in if no value was missing in the training.
    return Cells(are_numbers, known, is_complete, filler is not None and filler in known)


def _steps(transformer):
    """Return the steps of a pipeline, or the one transformer."""
    return (
        [step for _, step in transformer.steps] if hasattr(transformer, "steps") else [transformer]
    )


def _needs_numbers(step):
    """Return True if a transformer needs numbers, False if it needs text, None if unknown."""
    package = type(step).__module__
    if not package.startswith("sklearn."):
        return None
    if hasattr(step, "transformer_list") or hasattr(step, "transformers"):
        return None
    tags = get_tags(step).input_tags
    if package.startswith("sklearn.feature_extraction"):
        return False if package.endswith(".text") and tags.string else None
    is_any = tags.string or tags.categorical or isinstance(step, FunctionTransformer)
    return None if is_any else True

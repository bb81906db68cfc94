"""Labels of points: which are missing, whether they are classes, and the size of their legend."""

import numpy as np
import pandas as pd
from sklearn.utils.multiclass import type_of_target

from skdaf._display.style import text_width

# The key and the name of the points whose label is missing.
NO_LABEL = "no label"

# The longest class name in the legend, and the number of names per column.
MAX_NAME_LENGTH = 28
_NAMES_PER_COLUMN = 20

# In inches: a legend column without its text; a letter; a color bar.
_COLUMN, _LETTER, _BAR = 0.5, 0.075, 1.0


def one_per_point(values, name, points):
    """Return labels or times as an array; None if there are none."""
    values = None if values is None else np.asarray(values)
    if values is not None and values.shape != (len(points),):
        raise ValueError(
            f"{name} must contain one value for each of the {len(points)} points, got shape "
            f"{values.shape}."
        )
    return values


def known_labels(labels, points):
    """Return the labels that are not missing, and an array of which points have one."""
    array = one_per_point(labels, "labels", points)
    if array is None:
        return None, np.ones(len(points), dtype=bool)
    # As an array of text, a list with missing labels would contain "None" and "nan".
    is_labeled = ~pd.isna(np.asarray(labels, dtype=object))
    if is_labeled.all():
        return array, is_labeled
    known = [label for label, is_known in zip(labels, is_labeled, strict=True) if is_known]
    return np.array(known), is_labeled


def is_continuous(labels):
    """Return whether labels are real numbers, not classes."""
    return len(labels) > 0 and type_of_target(labels) == "continuous"


def n_columns(n_names):
    """Return the number of columns of a legend."""
    return -(-n_names // _NAMES_PER_COLUMN)


def legend_width(labels, is_labeled):
    """Return the width of the legend or the color bar in inches."""
    if labels is None:
        return 0.0
    if is_continuous(labels):
        return _BAR
    names = [*np.unique(labels), *([] if is_labeled.all() else [NO_LABEL])]
    widest = min(MAX_NAME_LENGTH, max(text_width(str(name)) for name in names))
    return n_columns(len(names)) * (_COLUMN + _LETTER * widest)

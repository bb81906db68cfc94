"""Warn of numbers in a table of recordings: estimators of audio use none of them.

Text is not reported, nor are labels, groups, folds and facts about files, which such tables often
have.
"""

from numbers import Real

import numpy as np

from skdaf._audio.columns import column_names, column_values, first_value, is_time_name, words_of
from skdaf._core.user_warnings import warn_user

# How many columns of a table are searched.
_MAX_SEARCHED_COLUMNS = 100

# How many rows are compared with the targets, and how much rounding is tolerated.
_MAX_COMPARED_ROWS = 500
_TOLERANCE = 1e-6

# A name with one of these words, such as "fold" or "fold1", is not that of a feature.
_WORDS = {"id", "ids", "uid", "idx", "index", "unnamed", "fold", "folds", "split", "target"}
_WORDS |= {"targets", "label", "labels", "class", "classes", "category", "group", "groups"}
_WORDS |= {"speaker", "speakerid", "spk", "subject", "actor", "person"}

# Nor are these names, without what is between their words.
_NAMES = {"y", "row", "no", "nr", "num", "number", "file", "clip", "recording", "session", "take"}
_NAMES |= {"patient", "participant", "user", "train", "test", "valid", "validation", "cluster"}
_NAMES |= {"sr", "fs", "rate", "samplerate", "samplingrate", "bitrate", "bits", "bitdepth", "peak"}
_NAMES |= {"channel", "channels", "frames", "nframes", "samples", "nsamples", "bytes", "filesize"}
_NAMES |= {"confidence", "probability", "score", "sampleweight", "srcfile", "salience"}
_NAMES |= {"numchannels", "cv", "batch", "timestamp", "seed"}


def warn_of_unused_numbers(X, y=None):
    """Warn if a table of recordings has columns of numbers that look like features.

    Parameters
    ----------
    X : any
        What `fit` got; only tables are looked at.
    y : any, default=None
        The targets: a column that contains them is no feature.
    """
    names = column_names(X) or ()
    if len(names) < 2:
        return
    targets = list(_targets(y))
    searched = names[:_MAX_SEARCHED_COLUMNS]
    unused = [name for name in searched if _is_feature(X, names, name, targets)]
    if unused:
        audio = [name for name in ("path", "audio", "start", "end") if name in names]
        warn_user(
            f"The columns {unused} of X are not used: an estimator of audio takes only recordings, "
            f"from the columns {audio}. To use numbers as well, pass X to a ColumnTransformer that "
            f"gives {audio} to a transformer of audio, and {unused} to another one. Otherwise, "
            f"pass X[{audio}]."
        )


def _is_feature(table, names, name, targets):
    """Return whether a column contains numbers, and its name and values do not say otherwise."""
    words = words_of(str(name))
    is_known = not _WORDS.isdisjoint(word.rstrip("0123456789") for word in words)
    is_known |= "".join(words) in _NAMES or is_time_name(str(name))
    if is_known or names.count(name) > 1:
        return False
    value = first_value(table, name)
    is_number = isinstance(value, Real) and not isinstance(value, (bool, np.bool_))
    return is_number and not (targets and _is_target(column_values(table, name), targets))


def _targets(y):
    """Yield the number of all targets, and some of each column as numbers, and if they are any."""
    if y is None or not hasattr(y, "__len__"):
        return
    targets = np.asarray(y, dtype=object)
    if targets.ndim not in (1, 2):
        return
    for column in np.atleast_2d(_some(targets).T):
        numbers = _numbers(column)
        are_numbers = numbers is not None
        if not are_numbers:
            numbers = np.unique(column.astype(str), return_inverse=True)[1]
        yield len(targets), numbers, are_numbers


def _some(rows):
    """Return rows from everywhere in an array: tables are often sorted by class."""
    n_rows = min(len(rows), _MAX_COMPARED_ROWS)
    return rows[np.linspace(0, len(rows) - 1, n_rows).astype(int)]


def _numbers(values):
    """Return values as an array of finite numbers; None if they are something else."""
    try:
        numbers = values.astype(float)
    except (TypeError, ValueError, OverflowError):
        return None
    return numbers if np.isfinite(numbers).all() else None


def _is_target(values, targets):
    """Return whether a column contains targets, or numbers from which they were computed."""
    column = np.empty(len(values), dtype=object)
    column[:] = values
    numbers = _numbers(_some(column))
    return numbers is not None and any(
        n_targets == len(values) and _is_same(numbers, target, are_numbers)
        for n_targets, target, are_numbers in targets
    )


def _is_same(values, targets, are_numbers):
    """Return whether targets follow from the values of a column, up to rounding.

    They do if they rise or fall with the values, such as logarithms; or if the values of each class
    are next to each other, such as classes with numbers, and those above and below a threshold.
    """
    if are_numbers and np.array_equal(values, targets):
        return True
    order = np.lexsort((targets, values))
    steps, ties = np.diff(targets[order]), np.diff(values[order]) == 0
    tolerance = _TOLERANCE * np.abs(targets).max(initial=0)
    changes = np.abs(steps) > tolerance
    if not changes.any() or changes[ties].any():
        return False
    if are_numbers and ((steps >= -tolerance).all() or (steps <= tolerance).all()):
        return True
    # Numbers that occur once are no classes.
    n_values, n_classes = len(np.unique(values)), len(np.unique(targets))
    has_classes = n_values == n_classes < len(values) or 2 * n_classes <= len(values)
    return has_classes and np.count_nonzero(changes) + 1 == n_classes

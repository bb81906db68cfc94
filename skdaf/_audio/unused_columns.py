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

# A name with one of these words is not that of a feature.
_WORDS = {"id", "ids", "uid", "idx", "index", "unnamed", "fold", "folds", "split", "target"}
_WORDS |= {"targets", "label", "labels", "class", "classes", "category", "group", "groups"}
_WORDS |= {"speaker", "subject"}

# Nor are these names, without what is between their words.
_NAMES = {"y", "row", "no", "nr", "num", "number", "file", "clip", "recording", "session", "take"}
_NAMES |= {"patient", "participant", "user", "train", "test", "valid", "validation", "cluster"}
_NAMES |= {"sr", "fs", "rate", "samplerate", "samplingrate", "bitrate", "bits", "bitdepth", "peak"}
_NAMES |= {"channel", "channels", "frames", "nframes", "samples", "nsamples", "bytes", "filesize"}
_NAMES |= {"confidence", "probability", "sampleweight"}


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
    unused = [name for name in names[:_MAX_SEARCHED_COLUMNS] if _is_feature(X, names, name, y)]
    if unused:
        audio = [name for name in ("path", "audio", "start", "end") if name in names]
        warn_user(
            f"The columns {unused} of X are not used: an estimator of audio takes only recordings, "
            f"from the columns {audio}. To use numbers as well, pass X to a ColumnTransformer that "
            f"gives {audio} to a transformer of audio, and {unused} to another one. Otherwise, "
            f"pass X[{audio}]."
        )


def _is_feature(table, names, name, y):
    """Return whether a column contains numbers, and its name and values do not say otherwise."""
    words = words_of(str(name))
    is_known = bool(_WORDS & {*words}) or "".join(words) in _NAMES or is_time_name(str(name))
    if is_known or names.count(name) > 1:
        return False
    value = first_value(table, name)
    is_number = isinstance(value, Real) and not isinstance(value, (bool, np.bool_))
    return is_number and not _is_target(column_values(table, name), y)


def _is_target(values, y):
    """Return whether a column contains targets, or the numbers of their classes."""
    if y is None or not hasattr(y, "__len__"):
        return False
    targets = np.asarray(y, dtype=object)
    return any(
        _is_same(values, column.tolist())
        for column in np.atleast_2d(targets.T)
        if targets.shape[:1] == (len(values),) and targets.ndim <= 2
    )


def _is_same(values, targets):
    if values == targets:
        return True
    # scikit-learn's meta-estimators number the classes. Numbers that occur once are no classes.
    pairs = {*zip(values, targets, strict=True)}
    return len(pairs) == len({*values}) == len({*targets}) < len(values)

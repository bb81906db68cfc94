"""Warnings that point to the line of the user, whatever called this package."""

import sys
import warnings
from weakref import WeakKeyDictionary

# Code that calls estimators on behalf of the user: a pipeline, a search, workers.
_NOT_THE_USER = {"skdaf", "sklearn", "joblib", "contextlib", "threading", "concurrent"}
_NOT_THE_USER |= {"multiprocessing"}

# The warnings that were shown for code of the user. Notebooks compile a cell each time it is run.
_shown: WeakKeyDictionary = WeakKeyDictionary()


def warn_user(message, category=UserWarning):
    """Issue a warning for the innermost line outside this package, scikit-learn and joblib.

    Unless filters say otherwise, Python shows the same warning of the same line once, so that the
    parts of a model, which all look at the same clips, do not repeat each other. But it forgets
    what it has shown whenever any code enters `warnings.catch_warnings`, as scikit-learn does for
    each part. This function does not.

    Parameters
    ----------
    message : str or Warning
    category : type, default=UserWarning
        Ignored if the message is a Warning.
    """
    if isinstance(message, Warning):
        category = type(message)
    frame, level = _frame_of_user()
    if _action(frame, str(message), category) == "default":
        shown = _shown.setdefault(frame.f_code, set())
        key = (str(message), category, frame.f_code.co_filename, frame.f_lineno)
        if key in shown:
            return
        shown.add(key)
    warnings.warn(message, category, stacklevel=level + 1)


def _frame_of_user():
    """Return the frame of the user, and how many frames the caller of this function is away."""
    frame, level = sys._getframe(1), 0
    while frame.f_back is not None and _module(frame).partition(".")[0] in _NOT_THE_USER:
        frame, level = frame.f_back, level + 1
    return frame, level


def _module(frame):
    return frame.f_globals.get("__name__", "")


def _action(frame, text, category):
    """Return what the filters of the module `warnings` do with a warning."""
    for action, pattern, kind, module, line in warnings.filters:
        is_meant = issubclass(category, kind) and line in (0, frame.f_lineno)
        if is_meant and _matches(pattern, text) and _matches(module, _module(frame)):
            return action
    return warnings.defaultaction


def _matches(pattern, text):
    # Python's own filters are texts.
    return pattern is None or (pattern == text if isinstance(pattern, str) else pattern.match(text))

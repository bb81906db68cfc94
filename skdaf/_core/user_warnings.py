"""Warnings that point to the line of the user, whatever called this package."""

import sys
import warnings
from contextlib import suppress
from functools import partial
from weakref import WeakKeyDictionary, ref

# Code that calls estimators on behalf of the user: a pipeline, a search, workers.
_NOT_THE_USER = {"skdaf", "sklearn", "joblib", "contextlib", "threading", "concurrent"}
_NOT_THE_USER |= {"multiprocessing"}

# The warnings that were shown for code of the user. Notebooks compile a cell each time it is run.
_shown: WeakKeyDictionary = WeakKeyDictionary()


# For an object, by its identity: a weak reference to it, and the warnings that were shown about it.
_shown_about: dict[int, tuple[ref, set]] = {}


def warn_user(message, category=UserWarning, about=None):
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
    about : object, default=None
        An argument of the user that several parts of a model look at. The same line gets one
        warning about it, even if filters show the same warning always.
    """
    if isinstance(message, Warning):
        category = type(message)
    frame, level = _frame_of_user()
    action = _action(frame, str(message), category)
    key = (str(message), category, frame.f_code.co_filename, frame.f_lineno)
    if action == "default":
        shown = _shown.setdefault(frame.f_code, set())
        if key in shown:
            return
        shown.add(key)
    elif action in ("always", "all") and about is not None:
        shown, key = _warnings_about(about), (id(frame.f_code), *key)
        if key in shown:
            return
        shown.add(key)
    warnings.warn(message, category, stacklevel=level + 1)


def _warnings_about(value):
    """Return the set of the warnings that were shown about an object; it is for the caller to fill.

    Tables have no hash, so a WeakKeyDictionary cannot contain them.
    """
    known, shown = _shown_about.get(id(value), (None, set()))
    if known is not None and known() is value:
        return shown
    shown = set()
    with suppress(TypeError):  # of objects without weak references
        end = partial(_forget, id(value))
        _shown_about[id(value)] = ref(value, end), shown
    return shown


def _forget(identity, reference):
    """Forget an object that no longer exists, unless another one has its identity."""
    if _shown_about.get(identity, (None,))[0] is reference:
        del _shown_about[identity]


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

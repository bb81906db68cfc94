"""Recognize calls with an estimator and another argument in the wrong order."""

import os


def check_not_swapped(estimator, other, call):
    """Raise TypeError if the estimator is in the place of the other argument.

    `call` is the correct call, for the error.
    """
    is_swapped = hasattr(other, "fit") and not hasattr(estimator, "fit")
    if is_swapped and not isinstance(other, type):
        raise TypeError(
            f"The arguments are in the wrong order: got {_shown(estimator)} first, and then a "
            f"{type(other).__name__}. Call {call}."
        )


def _shown(argument):
    is_path = isinstance(argument, (str, os.PathLike))
    return f"{str(os.fspath(argument))!r:.200}" if is_path else f"a {type(argument).__name__}"

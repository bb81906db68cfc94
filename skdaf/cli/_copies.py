"""Warn about recordings that occur several times under different names."""

import hashlib
import os
import warnings

# Files of the same size are compared by this many bytes first, because reading all takes long.
_N_BYTES = 4096


_ADVICE = (
    'To train without copies, write the table of "skdaf check -o check.csv", and pass the rows '
    "without duplicate_of as --table."
)


def warn_about_copies(training, test=None):
    """Warn if files for the test have the same bytes as files for training, or some of the latter.

    Parameters
    ----------
    training, test : lists of str or Clip
        Parts of recordings, which are Clips, are not compared.
    """
    training, test = (
        [path for path in paths if isinstance(path, str)] for paths in (training, test or ())
    )
    if test and _is_in_both(training, test):
        return
    groups = [training]
    for identify in _STEPS:
        groups = [same for group in groups for same in _same(group, identify)]
    if groups:
        n_copies = sum(map(len, groups)) - len(groups)
        are = "is a copy of another" if n_copies == 1 else "are copies of others"
        warnings.warn(
            f"{n_copies} of {len(training)} training clips {are}, such as {groups[0][1]!r} of "
            f"{groups[0][0]!r}. They count several times, and scores on clips that training holds "
            f"out are too high if their copies are not. {_ADVICE}",
            stacklevel=2,
        )


def _is_in_both(training, test):
    """Return whether there are copies of training files among those for the test; warn of them."""
    for identify in _STEPS:
        training, test = _with_counterpart(training, test, identify)
    if test:
        warnings.warn(
            f"{len(test)} of the clips chosen by --test-fraction are copies of training clips, "
            f"such as {test[0]!r}, so the scores are too high. {_ADVICE}",
            stacklevel=3,
        )
    return bool(test)


def _same(paths, identify):
    """Return the groups of several files for which `identify` returns the same value."""
    groups = {}
    for path, value in _values(paths, identify).items():
        groups.setdefault(value, []).append(path)
    return [group for group in groups.values() if len(group) > 1]


def _with_counterpart(training, test, identify):
    """Return the files of both lists for which `identify` returns a value of both lists."""
    values = [_values(paths, identify) for paths in (training, test)]
    common = set(values[0].values()) & set(values[1].values())
    return tuple([path for path, value in found.items() if value in common] for found in values)


def _values(paths, identify):
    found = {}
    for path in paths:
        try:
            found[path] = identify(path)
        except OSError:  # training reports files that cannot be read
            continue
    return found


def _middle(path):
    size = os.path.getsize(path)
    with open(path, "rb") as file:
        file.seek(max(0, (size - _N_BYTES) // 2))
        return size, file.read(_N_BYTES)


def _digest(path):
    with open(path, "rb") as file:
        return hashlib.file_digest(file, "blake2b").digest()


# Each step takes longer and compares only the files that were the same in the one before.
_STEPS = (os.path.getsize, _middle, _digest)

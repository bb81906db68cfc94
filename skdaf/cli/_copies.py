"""Warn about recordings that are both in training and in the test, under different names."""

import hashlib
import os
import warnings

# Files of the same size are compared by this many bytes first, because reading all takes long.
_N_BYTES = 4096


def warn_about_copies(training, test):
    """Warn if files for the test have the same bytes as files for training.

    Parameters
    ----------
    training, test : lists of str or Clip
        Parts of recordings, which are Clips, are not compared.
    """
    training, test = (
        [path for path in paths if isinstance(path, str)] for paths in (training, test)
    )
    for identify in (os.path.getsize, _middle, _digest):
        training, test = _with_counterpart(training, test, identify)
    if test:
        warnings.warn(
            f"{len(test)} of the clips chosen by --test-fraction are copies of training clips, "
            f'such as {test[0]!r}, so the scores are too high. "skdaf check" finds copies.',
            stacklevel=2,
        )


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

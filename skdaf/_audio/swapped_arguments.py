"""Recognize labels in place of sounds."""

import os

import numpy as np

# Rows of this many numbers in place of labels are rather waveforms.
_MIN_SAMPLES = 100


def check_sounds_first(clips, y):
    """Raise TypeError if the clips of a fit are labels, and `y` contains waveforms.

    Parameters
    ----------
    clips : list of Clip
    y : any
        The targets that fit got.
    """
    label = clips[0].path
    if isinstance(label, str) and not _may_be_path(label) and _contains_waveforms(y):
        raise TypeError(
            f"The arguments are in the wrong order: X contains labels, such as {label!r:.100}, and "
            "y contains waveforms. Pass the waveforms first, as in fit(waveforms, labels)."
        )


def _may_be_path(text):
    return os.path.basename(text) != text or bool(os.path.splitext(text)[1]) or os.path.exists(text)


def _contains_waveforms(y):
    is_sequence = isinstance(y, (list, tuple)) or len(getattr(y, "shape", ())) > 0
    # Iterating over a table of pandas would give the names of its columns.
    rows = y.to_numpy() if hasattr(y, "to_numpy") else y
    first = next(iter(rows), None) if is_sequence else None
    if isinstance(first, tuple) and len(first) == 2:
        first = first[0]  # with its sampling rate
    shape = getattr(first, "shape", ())
    # Rows of zeros and ones tell which of several labels a clip has.
    return len(shape) == 1 and shape[0] >= _MIN_SAMPLES and not np.isin(first, (0, 1)).all()

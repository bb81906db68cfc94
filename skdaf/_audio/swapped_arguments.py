"""Recognize labels in place of sounds."""

import os
import re

import numpy as np

from skdaf._audio.clips import Clip

# Rows of this many numbers in place of labels are rather waveforms.
_MIN_SAMPLES = 1000

_ENDING = re.compile(r"\.\w{1,5}$")


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
    # A class can be the name of a folder.
    is_like_path = os.path.basename(text) != text or _ENDING.search(text)
    return bool(is_like_path) or os.path.isfile(text)


def _contains_waveforms(y):
    is_sequence = isinstance(y, (list, tuple)) or len(getattr(y, "shape", ())) > 0
    # Iterating over a table of pandas would give the names of its columns.
    rows = y.to_numpy() if hasattr(y, "to_numpy") else y
    first = next(iter(rows), None) if is_sequence else None
    if isinstance(first, tuple) and len(first) == 2:
        first = first[np.ndim(first[0]) == 0]  # the other one is the sampling rate
    is_row = isinstance(first, list) or len(getattr(first, "shape", ())) == 1
    # Rows of zeros and ones tell which of several labels a clip has.
    is_waveform = is_row and len(first) >= _MIN_SAMPLES and not np.isin(first, (0, 1)).all()
    return isinstance(first, Clip) or is_waveform

"""Check the arguments of functions that generate datasets, and write the clips."""

from numbers import Integral

import numpy as np
from sklearn.utils import check_random_state

from skdaf._audio.folders import check_folder, walk
from skdaf._core.files import write_whole


def check_names(names, known, parameter, noun):
    """Raise if names are unknown, given twice or missing."""
    unknown = [name for name in names if name not in known]
    if unknown:
        raise ValueError(
            f"Unknown {noun} {unknown[0]!r}. Known {parameter} are {', '.join(known)}."
        )
    if not names or len(set(names)) < len(names):
        raise ValueError(f"Got {parameter}={names!r} but expected one or more different names.")


def check_duration(duration):
    """Raise if a shortest and a longest duration in seconds are out of range."""
    if len(duration) != 2 or not 0.01 <= duration[0] <= duration[1] < np.inf:
        raise ValueError(f"Got duration={duration!r} but expected 0.01 <= shortest <= longest (s).")


def seed_of(random_state):
    """Return an int as it is; for generators and None, draw one."""
    if isinstance(random_state, Integral):
        return random_state
    return check_random_state(random_state).randint(np.iinfo(np.int32).max)


def write_clips(directory, clips):
    """Write the clips that do not exist yet, unless the directory contains other files.

    Parameters
    ----------
    directory : Path
    clips : dict of {Path: function}
        Functions without arguments that return the content of a file.
    """
    if directory.exists():
        check_folder(directory)
        _check_nothing_else(directory, clips)
    for path, make in clips.items():
        if not path.exists():
            path.parent.mkdir(parents=True, exist_ok=True)
            write_whole(path, make())


def _check_nothing_else(directory, clips):
    """Raise if a directory contains anything but the clips that would be written there."""
    class_folders = {path.parent for path in clips}
    for parent, folders, files in walk(directory):
        foreign = [parent / name for name in folders if parent / name not in class_folders]
        paths = [parent / name for name in files]
        foreign += [p for p in paths if p not in clips or p.read_bytes() != clips[p]()]
        if foreign:
            raise FileExistsError(
                f"{str(foreign[0])!r} is not part of the dataset to be written. Choose a new or "
                "empty directory, or repeat the arguments of the call that wrote this one."
            )

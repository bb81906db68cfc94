"""Short names of clips, for the titles of panels."""

import os
from pathlib import Path

from skdaf._audio.clips import Clip


def clip_names(clips):
    """Return a short name for each clip that is a file or a part of one, and None for others.

    This is the name of the file; with its folder if several files have the same name; and with the
    times of the clip, unless it is the whole file.
    """
    paths = {_path(clip) for clip in clips} - {None}
    are_unique = len({os.path.basename(path) for path in paths}) == len(paths)
    return [_name(clip, n_parts=1 if are_unique else 2) for clip in clips]


def _path(clip):
    return clip.name if isinstance(clip, Clip) and not clip.is_in_memory else None


def _name(clip, n_parts):
    path = _path(clip)
    if path is None:
        return None
    name = "/".join(Path(path).parts[-n_parts:])
    if clip.start == 0 and clip.end is None:
        return name
    end = "" if clip.end is None else f"{clip.end:.10g}"
    return f"{name}, {clip.start:.10g}\u2013{end} s"

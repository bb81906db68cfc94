"""Work on clips in worker processes, which may have a different working directory."""

import os

from skdaf._audio.clips import Clip
from skdaf._core.parallel import map_chunks


def map_clips(function, clips, **options):
    """Yield what `function` returns for each chunk of clips, in order: a result and errors.

    joblib reuses worker processes, which stay in the folder in which they were started. Workers
    therefore get absolute paths. Errors show the paths as the user passed them.

    Parameters
    ----------
    function : callable
        Takes a list of clips; returns a result and a list of AudioReadErrors.
    clips : list of Clip or of waveforms
        The clips to process.
    **options
        Passed to `map_chunks`.
    """
    # The dot tells these paths from the same ones that the user has passed as absolute paths.
    folder, names = absolute_path(os.curdir), {}
    clips = [_with_absolute_path(clip, folder, names) for clip in clips]
    for result, errors in map_chunks(function, clips, **options):
        yield result, [_with_given_path(error, names) for error in errors]


def absolute_path(path):
    """Return an absolute path, or the path unchanged if the current folder no longer exists.

    Unlike `os.path.abspath`, this keeps `..`, because after a link it can lead somewhere else.
    """
    try:
        return os.path.join(os.getcwd(), path)
    except FileNotFoundError:
        return path


def _with_absolute_path(clip, folder, names):
    """Return a clip with its path below a folder; record which name it had in `names`."""
    if not isinstance(clip, Clip) or clip.is_in_memory or os.path.isabs(clip.path):
        return clip
    path = os.path.join(folder, clip.path)
    names[path] = clip.name
    return Clip(path, clip.start, clip.end)


def _with_given_path(error, names):
    for path in error.paths:
        if path in names:
            cause = error.__cause__
            error = error.renamed(path, names[path])
            error.__cause__ = cause
    return error

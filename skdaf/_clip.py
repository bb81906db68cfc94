"""The words of reading: a part of a recording, what its header says, and what went wrong."""

import os
from dataclasses import dataclass
from numbers import Real

import numpy as np

_PATH_TYPES = (str, os.PathLike)


class AudioReadError(ValueError):
    """Say which recording could not be read, and why.

    Raised by everything in this package that reads audio. Several bad files of one call are
    reported together: the message lists the first ten and the count.

    Parameters
    ----------
    message : str
        What went wrong.
    paths : sequence of str, default=()
        All the files that could not be read; kept as a list in an attribute of the same name.

    Examples
    --------
    >>> from skdaf import AudioReadError, load_audio
    >>> try:
    ...     load_audio("missing.wav")
    ... except AudioReadError as error:
    ...     print(error.paths)
    ['missing.wav']
    """

    def __init__(self, message, paths=()):
        super().__init__(message)
        self.paths = list(paths)

    @classmethod
    def of(cls, path, problem):
        """Name one file and its problem.

        Parameters
        ----------
        path : str or os.PathLike
            The file.
        problem : str
            What is wrong with it.

        Returns
        -------
        error : AudioReadError
            To be raised.
        """
        # A plain str: NumPy's own strings have another repr.
        name = str(os.fspath(path))
        return cls(f"{name!r}: {problem}", [name])

    @classmethod
    def join(cls, errors):
        """Make one error of several.

        Parameters
        ----------
        errors : list of AudioReadError
            At least one.

        Returns
        -------
        error : AudioReadError
            To be raised.
        """
        if len(errors) == 1:
            return errors[0]
        shown = "\n".join(f"  {error}" for error in errors[:10])
        rest = f"\n  ... and {len(errors) - 10} more" if len(errors) > 10 else ""
        paths = [path for error in errors for path in error.paths]
        return cls(f"{len(errors)} clips could not be read:\n{shown}{rest}", paths)


@dataclass(frozen=True, slots=True)
class Clip:
    """Point to a part of a recording.

    A clip can stand wherever a path can: only its own part of the file is read.

    Parameters
    ----------
    path : str or os.PathLike
        The recording.
    start : float, default=0.0
        Start of the clip in seconds.
    end : float, default=None
        End of the clip in seconds; None is the end of the file, and so is anything beyond it.

    Raises
    ------
    TypeError
        If `path` is not a path, or a time is not a number.
    ValueError
        If `start` is negative or not before `end`.

    Examples
    --------
    >>> from skdaf import Clip
    >>> Clip("meeting.wav", 12.5, 14.0)
    Clip(path='meeting.wav', start=12.5, end=14.0)
    """

    path: str | os.PathLike
    start: float = 0.0
    end: float | None = None

    def __post_init__(self):
        if not isinstance(self.path, _PATH_TYPES):
            raise TypeError(f"Clip needs a path (str or os.PathLike), got {self.path!r}.")
        times = (self.start,) if self.end is None else (self.start, self.end)
        if not all(isinstance(time, Real) for time in times):
            raise TypeError(
                f"{os.fspath(self.path)!r}: start and end must be numbers (seconds), "
                f"got start={self.start!r} and end={self.end!r}."
            )
        if not 0 <= self.start < np.inf:
            raise ValueError(
                f"{os.fspath(self.path)!r}: start={self.start!r} must be at least 0 (seconds)."
            )
        if self.end is not None and not self.start < self.end:
            raise ValueError(
                f"{os.fspath(self.path)!r}: end={self.end!r} must be greater than "
                f"start={self.start!r} (both in seconds)."
            )
        # Plain floats, whatever kind of number a table holds: equal clips have equal reprs.
        object.__setattr__(self, "start", float(self.start))
        object.__setattr__(self, "end", None if self.end is None else float(self.end))


@dataclass(frozen=True)
class AudioInfo:
    """What a header says of a clip: the frames are those of the clip, not of its file."""

    sampling_rate: int
    n_frames: int
    channels: int
    format: str
    subtype: str

"""The words of reading: a part of a recording, what its header says, and what went wrong."""

import os
from dataclasses import dataclass

import numpy as np

from skdaf._audio.sources import AudioSource, Source, source_of
from skdaf._audio.times import to_seconds
from skdaf._core.public import public

_PATH_TYPES = (str, os.PathLike)


@public
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

    def renamed(self, path, name):
        """Return this error with another name for a file.

        Parameters
        ----------
        path : str
            The name in this error.
        name : str
            The name to give instead.

        Returns
        -------
        error : AudioReadError
            To be raised.
        """
        paths = [name if one == path else one for one in self.paths]
        return type(self)(str(self).replace(repr(path), repr(name)), paths)

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


def raise_errors(errors):
    """Raise one AudioReadError for a list of them; do nothing if the list is empty."""
    if errors:
        raise AudioReadError.join(errors)


@public
@dataclass(frozen=True, slots=True)
class Clip:
    """Point to a part of a recording.

    A clip can stand wherever a path can: only its own part of the file is read.

    Parameters
    ----------
    path : str, os.PathLike, or a sound in memory
        The recording. Samples with their rate, ``(samples, sampling_rate)``, and files that are
        open for reading bytes will do as well.
    start : float or duration, default=0.0
        Start of the clip in seconds. A `datetime.timedelta`, `numpy.timedelta64` or
        `pandas.Timedelta` is converted to seconds.
    end : float or duration, default=None
        End of the clip in seconds; None is the end of the file, and so is anything beyond it.

    Raises
    ------
    TypeError
        If `path` is not a recording, or a time is neither a number nor a duration.
    ValueError
        If `start` is negative or not before `end`.

    Examples
    --------
    >>> from skdaf import Clip
    >>> Clip("meeting.wav", 12.5, 14.0)
    Clip(path='meeting.wav', start=12.5, end=14.0)
    """

    path: AudioSource
    start: float = 0.0
    end: float | None = None

    def __post_init__(self):
        source = source_of(self.path, type(self.path).__name__)
        if source is None:
            raise TypeError(
                "Clip needs a path (str or os.PathLike), (samples, sampling_rate) or an open "
                f"file, got {self.path!r:.100}."
            )
        object.__setattr__(self, "path", source)
        # Plain floats, whatever kind of number a table holds: equal clips have equal reprs.
        start, end = self._seconds("start"), self._seconds("end")
        if not 0 <= start < np.inf:
            raise ValueError(f"{self.name!r}: start={start!r} must be at least 0 (seconds).")
        if end is not None and not start < end:
            raise ValueError(
                f"{self.name!r}: end={end!r} must be greater than start={start!r} (both in "
                "seconds)."
            )
        object.__setattr__(self, "start", start)
        object.__setattr__(self, "end", end)

    def _seconds(self, which):
        value = getattr(self, which)
        if which == "end" and value is None:
            return None
        try:
            return to_seconds(value)
        except TypeError as error:
            raise TypeError(
                f"{self.name!r}: start and end must be numbers (seconds) or durations, but "
                f"{which}={error}."
            ) from None

    @property
    def name(self):
        """The path as text, or what messages call a sound in memory."""
        # A plain str: NumPy's own strings have another repr.
        return str(os.fspath(self.path))

    @property
    def is_in_memory(self):
        """Whether the recording is not a file on disk."""
        return isinstance(self.path, Source)


@dataclass(frozen=True)
class AudioInfo:
    """What a header says of a clip: the frames are those of the clip, not of its file."""

    sampling_rate: int
    n_frames: int
    channels: int
    format: str
    subtype: str

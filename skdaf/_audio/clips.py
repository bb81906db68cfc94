"""A part of a recording, information from its header, and the error for unreadable recordings."""

import os
from collections import Counter
from collections.abc import Sequence
from contextlib import suppress
from dataclasses import dataclass
from typing import cast

import numpy as np

from skdaf._audio.sources import AudioSource, Source, source_of
from skdaf._audio.times import to_seconds
from skdaf._core.public import public
from skdaf._core.typing import PathLike


@public
class AudioReadError(ValueError):
    """Raised for recordings that cannot be read.

    Everything in skdaf that reads audio raises this error. One error reports all bad files of a
    call: the message contains their number and lists the first ten.

    Parameters
    ----------
    message : str
        The error message.
    paths : sequence of str, default=()
        The files that could not be read. They are also available as a list, in the attribute
        `paths`.

    Examples
    --------
    >>> from skdaf import AudioReadError, load_audio
    >>> try:
    ...     load_audio("missing.wav")
    ... except AudioReadError as error:
    ...     print(error.paths)
    ['missing.wav']
    """

    def __init__(self, message: str, paths: Sequence[str] = ()) -> None:
        super().__init__(message)
        self.paths = list(paths)
        # The errors that this one joins.
        self._parts: list[AudioReadError] = []
        # The start and the end of a clip, if they are what is wrong.
        self._times: tuple[float, float | None] | None = None

    @classmethod
    def of(cls, path: PathLike, problem: str) -> "AudioReadError":
        """Return the error for one file.

        Parameters
        ----------
        path : str or os.PathLike
            The file.
        problem : str
            What is wrong with it.

        Returns
        -------
        error : AudioReadError
            The error to raise.
        """
        # A plain str, because NumPy's strings have a different repr.
        name = str(os.fspath(path))
        return cls(f"{name!r}: {problem}", [name])

    def renamed(self, path: str, name: str) -> "AudioReadError":
        """Return this error with a different name for a file.

        Parameters
        ----------
        path : str
            The name of the file in this error.
        name : str
            The new name.

        Returns
        -------
        error : AudioReadError
            The error to raise.
        """
        paths = [name if one == path else one for one in self.paths]
        error = type(self)(str(self).replace(repr(path), repr(name)), paths)
        error._times = self._times
        return error

    @classmethod
    def join(cls, errors: Sequence["AudioReadError"]) -> "AudioReadError":
        """Return one error for several; equal ones are shown once, with their number.

        Parameters
        ----------
        errors : list of AudioReadError
            At least one error.

        Returns
        -------
        error : AudioReadError
            The error to raise.
        """
        if len(errors) == 1:
            return errors[0]
        errors = [part for error in errors for part in error._parts or [error]]
        # Many clips may be of one recording that is missing.
        counts = Counter(map(str, errors))
        lines = [f"  {text}" + f" ({n} clips)" * (n > 1) for text, n in counts.items()]
        n_more = sum([*counts.values()][10:])
        lines[10:] = [f"  ... and {n_more} more"] if n_more else []
        paths = [path for error in errors for path in error.paths]
        joined = cls("\n".join([f"{len(errors)} clips could not be read:", *lines]), paths)
        joined._parts = errors
        return joined


def error_of_times(clip, problem):
    """Return the AudioReadError for the start or the end of a clip, for `with_rows`."""
    error = AudioReadError.of(clip.path, problem)
    error._times = clip.start, clip.end
    return error


def with_rows(error, row_of):
    """Return an AudioReadError that says in which rows of a table wrong starts and ends are.

    Parameters
    ----------
    error : AudioReadError
        It is not changed.
    row_of : callable
        Takes the path, the start and the end of a clip; returns its row as text, or None.
    """
    found = []
    for part in error._parts or [error]:
        row = part._times and row_of(part.paths[0], *part._times)
        found.append(AudioReadError(f"{row}: {part}", part.paths) if row else part)
    joined = AudioReadError.join(found)
    for text in getattr(error, "__notes__", ()) if joined is not error else ():
        joined.add_note(text)
    return joined


def raise_errors(errors):
    """Raise one AudioReadError for a list of them; do nothing if the list is empty.

    If a relative path does not exist, a note says in which folder it was looked up. Workers, such
    as those of a search, may run in another folder than the main process.
    """
    if not errors:
        return
    error = AudioReadError.join(errors)
    missing = [path for e in errors if str(e).endswith(": no such file") for path in e.paths]
    if hasattr(error, "__notes__"):
        raise error
    if _are_labels(missing):
        error.add_note("If these are labels, pass the files first, as in fit(files, labels).")
    if not all(map(os.path.isabs, missing)):
        with suppress(FileNotFoundError):  # of a deleted working directory
            error.add_note(f"Relative paths were looked up in {os.getcwd()!r}.")
    raise error


def _are_labels(names):
    """Return whether names that are no files are rather labels: a few, repeated, without suffix."""
    return len({*names}) <= len(names) // 2 and not any(
        os.path.splitext(name)[1] or os.path.dirname(name) for name in names
    )


@public
@dataclass(frozen=True, slots=True)
class Clip:
    """A part of a recording.

    You can use a clip wherever you can use a path. Only this part of the file is read.

    Parameters
    ----------
    path : str, os.PathLike, or audio in memory
        The recording: a path, samples with their rate, ``(samples, sampling_rate)``, or a file
        opened in binary mode.
    start : float or duration, default=0.0
        The start of the clip in seconds. A `datetime.timedelta`, `numpy.timedelta64` or
        `pandas.Timedelta` is converted to seconds.
    end : float or duration, default=None
        The end of the clip in seconds. None or infinity means the end of the file. A clip that ends
        later than its file, as the last window of a table does, is shorter, and estimators warn.
        If less than a quarter of it is in the file, and more than a second is not, reading it is
        an error: the times are probably not in seconds.

    Raises
    ------
    TypeError
        If `path` is not a recording, or a time is not a number or a duration.
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

    def __post_init__(self) -> None:
        # Most clips are whole files, with nothing to check or to convert.
        is_whole = type(self.start) is float and self.start == 0.0 and self.end is None
        if is_whole and type(self.path) is str:
            return
        source = source_of(self.path, type(self.path).__name__)
        if source is None:
            raise TypeError(
                "Clip needs a path (str or os.PathLike), (samples, sampling_rate) or an open "
                f"file, got {self.path!r:.100}."
            )
        object.__setattr__(self, "path", source)
        # Plain floats instead of other types of numbers, so that equal clips have equal reprs.
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
    def name(self) -> str:
        """The path as text, or a name for audio in memory."""
        # By now, audio in memory is a Source, which has a name like a path.
        path = cast(PathLike, self.path)
        # A plain str, because NumPy's strings have a different repr.
        return str(os.fspath(path))

    @property
    def is_in_memory(self) -> bool:
        """True if the recording is not a file on disk."""
        return isinstance(self.path, Source)


@dataclass(frozen=True, slots=True)
class AudioInfo:
    """Information from the header of a recording; `n_frames` is the length of the clip."""

    sampling_rate: int
    n_frames: int
    channels: int
    format: str
    subtype: str

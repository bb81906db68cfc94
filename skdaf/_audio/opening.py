"""Open a recording of any format, and turn every error into an AudioReadError."""

import os
import stat
from contextlib import contextmanager, nullcontext

from skdaf._audio.clips import AudioReadError, Clip
from skdaf._audio.formats.errors import DamagedFileError
from skdaf._audio.formats.libsndfile import LibsndfileError, message_of
from skdaf._audio.formats.readers import open_recording
from skdaf._audio.sources import ArraySource, ContentSource

# Lowest and highest sampling rate of a recording. With a rate of 1 Hz in its header, a minute of
# samples would last for days; with 4 GHz, a window of 32 ms would have a hundred million samples.
_SAMPLING_RATE_RANGE = (100, 10_000_000)

# No codec stores more frames per byte. The most efficient one is FLAC, with about 14 bytes for
# 65,535 frames of silence. If a header claims more, it is damaged or does not contain the length.
_MAX_FRAMES_PER_BYTE = 2**14

# Subtypes without compression take at least one byte per sample. FLAC uses some of these names too.
_UNCOMPRESSED = ("PCM_", "DPCM_", "FLOAT", "DOUBLE", "ULAW", "ALAW")


def stat_audio(path):
    """Return `os.stat` of a regular, non-empty file; raise AudioReadError for anything else."""
    try:
        status = os.stat(path)
    except (OSError, ValueError) as error:
        raise AudioReadError.of(path, _reason_of(error)) from error
    if stat.S_ISDIR(status.st_mode):
        raise AudioReadError.of(path, "is a folder: expected an audio file")
    if not stat.S_ISREG(status.st_mode):
        raise AudioReadError.of(path, "is not a regular file but a pipe, a socket or a device")
    if status.st_size == 0:
        raise AudioReadError.of(path, "the file is empty")
    return status


def _reason_of(error):
    """Return the message of an operating system error, without the file name."""
    if isinstance(error, FileNotFoundError):
        return "no such file"
    return getattr(error, "strerror", None) or str(error)


@contextmanager
def open_audio(path):
    """Open a recording as an `AudioFile`; errors inside the context become AudioReadError.

    Parameters
    ----------
    path : str, os.PathLike or ArraySource
    """
    if isinstance(path, ArraySource):
        file = path.open()
        check_rate(file.samplerate, path)
        yield file
        return
    n_bytes = stat_audio(path).st_size
    with audio_errors(path), open_recording(path, n_bytes) as file:
        _check_length(file, n_bytes, path)
        check_rate(file.samplerate, path)
        yield file


@contextmanager
def audio_errors(path):
    """Turn the errors of libraries and of the system into an AudioReadError for this file."""
    try:
        yield
    except AudioReadError:
        raise
    except DamagedFileError as error:
        raise AudioReadError.of(path, str(error)) from None
    except LibsndfileError as error:
        raise AudioReadError.of(path, f"not readable as audio ({message_of(error)})") from error
    except OSError as error:
        raise AudioReadError.of(path, f"cannot be read ({_reason_of(error)})") from error
    except MemoryError as error:
        raise AudioReadError.of(path, "is too long to fit in memory") from error
    except (TypeError, RuntimeError, ValueError) as error:
        raise AudioReadError.of(path, f"not readable as audio ({error})") from error


def _check_length(file, n_bytes, path):
    """Raise AudioReadError if a file is too small for the number of frames in its header."""
    if file.has_exact_length:
        return
    most_frames = n_bytes * _MAX_FRAMES_PER_BYTE
    if file.format != "FLAC" and file.subtype.startswith(_UNCOMPRESSED):
        most_frames = n_bytes // file.channels
    if file.frames > most_frames:
        raise AudioReadError.of(path, "its header does not contain its length, or is damaged")


def check_rate(rate, path):
    """Raise AudioReadError if a recording cannot have this sampling rate."""
    lowest, highest = _SAMPLING_RATE_RANGE
    if not lowest <= rate <= highest:
        raise AudioReadError.of(
            path, f"has a sampling rate of {rate} Hz: expected {lowest} to {highest} Hz"
        )


def on_disk(clip):
    """Return a context manager for a Clip that can be opened.

    If the content of the file is in memory, this is a Clip of a temporary file; otherwise, it is
    the Clip itself. Errors inside the context name the original, not the temporary file.
    """
    return _written(clip) if isinstance(clip.path, ContentSource) else nullcontext(clip)


@contextmanager
def _written(clip):
    try:
        with clip.path.on_disk() as path:
            yield Clip(path, clip.start, clip.end)
    except AudioReadError as error:
        raise error.renamed(path, clip.name) from error.__cause__
    except OSError as error:
        raise AudioReadError.of(clip.path, f"cannot be read ({_reason_of(error)})") from error

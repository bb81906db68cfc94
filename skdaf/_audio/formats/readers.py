"""Choose the reader of a file by its content.

A reader is a function that takes a path and the size of the file. It returns an open `AudioFile`,
or None for a file of another format.
"""

from contextlib import contextmanager

from skdaf._audio.formats.alac import AlacFile, is_alac
from skdaf._audio.formats.ffmpeg.files import open_container
from skdaf._audio.formats.flac import lacks_length, open_flac_of_unknown_length
from skdaf._audio.formats.headers.table import open_view
from skdaf._audio.formats.libsndfile import LibsndfileError, LibsndfileFile
from skdaf._audio.formats.mp3.decoding import open_mp3
from skdaf._audio.formats.mute import mute
from skdaf._audio.formats.wav import open_plain_wav


def open_recording(path, n_bytes):
    """Return a context manager for the AudioFile at a path.

    Parameters
    ----------
    path : str or os.PathLike
        A regular file.
    n_bytes : int
        Its size.
    """
    # Most recordings are plain WAV files, so these come first. They do not need `mute`.
    return open_plain_wav(path, n_bytes) or _open_muted(path, n_bytes)


@contextmanager
def _open_muted(path, n_bytes):
    with mute:
        file = open_mp3(path, n_bytes)
        if file is None:
            file = _open_with_libraries(path, n_bytes)
        with file:
            yield file


def _open_with_libraries(path, n_bytes):
    """Open a file with libsndfile, or with FFmpeg if libsndfile does not read it."""
    view = open_view(path, n_bytes)
    try:
        file = LibsndfileFile(path, view)
    except (LibsndfileError, TypeError):
        container = open_container(path)
        if container is None:
            raise
        return container
    # libsndfile derives "RAW" from the name alone (.gsm, .vox), so look at the first bytes.
    if file.format == "RAW" and (container := open_container(path)):
        file.close_all()
        return container
    if is_alac(file):
        file.close_all()
        return AlacFile(path, n_bytes)
    if lacks_length(file):
        file.close_all()
        return open_flac_of_unknown_length(path, n_bytes)
    return file

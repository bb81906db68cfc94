"""Choose the reader of a file by its content.

A reader is a function of a path and the size of the file: it returns an open `AudioFile`, or None
for a file of another format.
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
    # Plain WAV files come first and do without `mute`: most recordings are plain WAV files.
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
    # libsndfile takes "RAW" from the name alone (.gsm, .vox), so the first bytes decide.
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

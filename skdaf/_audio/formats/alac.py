"""ALAC (Apple Lossless) in CAF files."""

import os
from functools import lru_cache

import numpy as np

from skdaf._audio.formats.audio_file import AudioFile
from skdaf._audio.formats.errors import DamagedFileError, missing_frames
from skdaf._audio.formats.headers.table import open_view
from skdaf._audio.formats.libsndfile import LibsndfileFile
from skdaf._audio.formats.view import FileView

# Frames per section, a multiple of the number of frames in any packet.
_SECTION_FRAMES = 2**16


def is_alac(file):
    """Return True if a LibsndfileFile contains ALAC."""
    return file.subtype.startswith("ALAC")


class AlacFile(AudioFile):
    """An ALAC file, decoded in sections that each begin with a new decoder.

    For a damaged packet, the decoder returns what it decoded before. With sections, this does not
    depend on where reading began.
    """

    def __init__(self, path, n_bytes):
        self._path = path
        self._view = open_view(path, n_bytes) or FileView(path, b"", [(0, n_bytes)])
        self._open()
        file = self._file
        self.samplerate, self.channels, self.frames = file.samplerate, file.channels, file.frames
        self.format, self.subtype = file.format, file.subtype

    def __exit__(self, *exception):
        self._file.close_all()

    def _open(self):
        self._view.seek(0)
        self._file = LibsndfileFile(self._path, self._view)

    def go_to(self, frame):
        """Make `frame` the next one to be read."""
        self._file.close()
        self._open()
        n_skipped = frame % _SECTION_FRAMES
        self._n_left, self._position = _SECTION_FRAMES - n_skipped, frame
        self._file.go_to(frame - n_skipped)
        self._file.skip(n_skipped)

    def read_block(self, n_frames):
        """Return the next frames as float32 `(n_frames, channels)`; fewer at the end."""
        blocks = []
        while n_frames > 0:
            if not self._n_left:
                self.go_to(self._position)
            n_requested = min(n_frames, self._n_left)
            blocks.append(self._file.read_block(n_requested))
            if len(blocks[-1]) < n_requested:
                break
            n_frames, self._n_left = n_frames - n_requested, self._n_left - n_requested
            self._position += n_requested
        return np.concatenate(blocks)

    def check_complete(self):
        """Raise DamagedFileError if fewer frames can be decoded than the header claims."""
        status = os.stat(self._path)
        path = os.path.abspath(self._path)
        n_frames = _count_frames(path, status.st_size, status.st_mtime_ns)
        if n_frames < self.frames:
            raise DamagedFileError(missing_frames(self.frames, n_frames))


# Each part of a long recording opens the file again, but its frames are counted only once.
@lru_cache(maxsize=1024)
def _count_frames(path, n_bytes, mtime):
    """Return the number of frames that can be decoded."""
    with AlacFile(path, n_bytes) as file:
        file.go_to(0)
        return file.skip(file.frames)

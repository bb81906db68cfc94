"""Recordings read by libsndfile through the package soundfile."""

import os
import re

import soundfile as sf

from skdaf._audio.formats.audio_file import AudioFile
from skdaf._audio.formats.errors import DamagedFileError
from skdaf._audio.formats.ogg import check_ogg

LibsndfileError = sf.LibsndfileError

# libsndfile keeps paths in a buffer of 1,024 bytes. Longer ones are opened here.
_MAX_PATH_BYTES = 1000

# Ogg Vorbis: seeking within the last page is off by part of a block. A page contains at most 255
# packets (in silence), each of 1,024 samples with the usual block size.
_MAX_VORBIS_PAGE_SAMPLES = 2**18

# libsndfile reports that it can seek in DWVW, but it cannot. After seeking in PAF and SDS, it
# returns the rest of the file only in a single read.
_NOT_SEEKABLE = re.compile(r".* DWVW_\d+")
_READ_AT_ONCE = re.compile(r"PAF PCM_24|SDS .*")

# An odd number of bytes in a WAV file; the bytes and samples of a GSM block in WAV files.
_ODD_WAV_CHUNK = re.compile(r"^data *: (\d*[13579])$", re.MULTILINE)
_GSM_BLOCK = 65, 320

# What libsndfile logs if pages of an Ogg stream are missing. In their place, it returns
# uninitialized memory.
_HOLE = re.compile(r"libogg reports a hole|Hole found|Corrupted bitstream")


class LibsndfileFile(AudioFile, sf.SoundFile):
    """A file opened by libsndfile, with exact seeking.

    Parameters
    ----------
    path : str or os.PathLike
        The file, for checks that libsndfile does not do.
    view : FileView, default=None
        What libsndfile reads instead of the file. It is closed together with the file.
    """

    # For files that cannot be read block by block: all samples, and the next frame to return.
    _all_samples, _position = None, 0

    def __init__(self, path, view=None):
        self.path, self.view = path, view
        try:
            super().__init__(_name_or_descriptor(path) if view is None else view)
        except BaseException:
            self._close_view()
            raise

    def __exit__(self, *exception):
        self.close_all()

    def close_all(self):
        """Close the file and the view. soundfile's `close` leaves the view open."""
        self.close()
        self._close_view()

    def _close_view(self):
        if self.view is not None:
            self.view.close()

    @property
    def frames(self):
        """The number of frames, without those that a padding byte adds.

        In WAV files, libsndfile counts the byte after an odd number of GSM blocks as another block.
        """
        found = self.subtype == "GSM610" and _ODD_WAV_CHUNK.search(self.extra_info)
        if not found:
            return super().frames
        return min(super().frames, int(found[1]) // _GSM_BLOCK[0] * _GSM_BLOCK[1])

    @property
    def has_exact_seek(self):
        # An Opus decoder predicts samples from earlier ones. After seeking, it only approaches the
        # state in which it would have been.
        return self.subtype != "OPUS"

    def seekable(self):
        """Return False, because soundfile would otherwise restart the decoder after each block."""
        return False

    def go_to(self, frame):
        """Make `frame` the next one to be read, with the same samples as if all were read."""
        if _READ_AT_ONCE.fullmatch(self._kind):
            self._read_at_once(frame)
            return
        origin = max(0, min(frame, self._last_exact_origin(frame)))
        if origin:
            self.seek(origin)
        self.skip(frame - origin)

    def read_block(self, n_frames):
        """Return the next frames as float32 `(n_frames, channels)`; fewer at the end."""
        if self._all_samples is not None:
            self._position += n_frames
            return self._all_samples[self._position - n_frames : self._position]
        block = self.read(n_frames, dtype="float32", always_2d=True)
        if self.view is not None and self.view.error is not None:
            raise self.view.error
        return block

    def check_complete(self):
        """Raise DamagedFileError if pages of an Ogg file are missing."""
        if self.format == "OGG":
            check_ogg(self.path)

    def check_block(self):
        """Raise DamagedFileError if libsndfile skipped a part of an Ogg stream."""
        if self.format == "OGG" and _HOLE.search(self.extra_info):
            raise DamagedFileError("the file is damaged: part of its stream is missing")

    @property
    def _kind(self):
        return f"{self.format} {self.subtype}"

    def _read_at_once(self, frame):
        self._all_samples = None
        self.seek(0)
        self._all_samples, self._position = self.read_block(self.frames), frame

    def _last_exact_origin(self, frame):
        """Return the last frame that libsndfile can seek to so that `frame` is read exactly."""
        if not super().seekable() or _NOT_SEEKABLE.fullmatch(self._kind):
            return 0
        if self.subtype == "VORBIS":
            return self.frames - _MAX_VORBIS_PAGE_SAMPLES
        return frame


def _name_or_descriptor(path):
    """Return what soundfile can open: the path or, for unusual names, a file descriptor."""
    path = os.fspath(path)
    # soundfile encodes names strictly, so a name that is not Unicode is opened here as well.
    is_unicode = path.encode("utf-8", "replace").decode() == path
    if is_unicode and len(os.fsencode(path)) <= _MAX_PATH_BYTES:
        return path
    return os.open(path, os.O_RDONLY | getattr(os, "O_BINARY", 0))


def message_of(error):
    """Return the message of a LibsndfileError, without its period."""
    message = str(error.error_string).rstrip(".") or "unknown error"
    # libsndfile reports this for an existing file that ends in .mp3 and contains no frames.
    return "No MP3 frames found" if message.startswith("File does not exist") else message

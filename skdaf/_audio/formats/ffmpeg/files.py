"""Open a file with FFmpeg."""

import os
from contextlib import contextmanager

from skdaf._audio.clips import AudioReadError
from skdaf._audio.formats.audio_file import AudioFile
from skdaf._audio.formats.containers.table import HEAD_BYTES, container_of
from skdaf._audio.formats.ffmpeg.decoder import Decoder, idle_decoders
from skdaf._audio.formats.ffmpeg.facts import DecodingError, facts_of
from skdaf._audio.formats.ogg import check_ogg
from skdaf._core.requirements import how_to_install

HOW_TO_INSTALL = how_to_install("av", "ffmpeg")


def is_available():
    """Return True if PyAV is installed and works."""
    try:
        import av  # noqa: F401
    except ImportError:
        return False
    return True


def open_container(path):
    """Open a file if its first bytes identify a container; return None for other files.

    Raises AudioReadError if it is a container but cannot be read.
    """
    with open(path, "rb") as file:
        status = os.fstat(file.fileno())
        container = container_of(file.read(HEAD_BYTES))
    if container is None:
        return None
    if not is_available():
        raise AudioReadError.of(
            path,
            f"reading {container.name} files needs FFmpeg: install it with {HOW_TO_INSTALL}",
        )
    facts = facts_of(path, status, container)
    if facts.problem:
        raise AudioReadError.of(path, facts.problem)
    return FFmpegFile(path, facts)


class FFmpegFile(AudioFile):
    """An open file that FFmpeg decodes."""

    has_exact_length = True

    def __init__(self, path, facts):
        self._path, self._facts, self._position = path, facts, 0
        self._decoder = idle_decoders.take(facts) or Decoder(facts)
        try:
            with self._naming_the_file():
                self._decoder.begin()
                self._count_frames()
        except BaseException:
            self._decoder.close()
            raise
        self.format, self.subtype = facts.container.name, self._decoder.subtype
        self.samplerate, self.channels = self._decoder.rate, self._decoder.n_channels
        self.frames = facts.n_frames

    def _count_frames(self):
        if self._facts.n_frames is None:
            while self._decoder.advance():
                pass
            self._facts.n_frames = self._decoder.end

    @contextmanager
    def _naming_the_file(self):
        try:
            yield
        except DecodingError as error:
            raise AudioReadError.of(self._path, str(error)) from error

    def __exit__(self, kind, error, traceback):
        if kind is None:
            idle_decoders.put(self._facts, self._decoder)
        else:
            self._decoder.close()

    def check_complete(self):
        """Raise DamagedFileError if pages of an Ogg file are missing."""
        if self.format == "OGG":
            check_ogg(self._path)

    def go_to(self, frame):
        """Make `frame` the next one to be read."""
        self._position = frame

    def read_block(self, n_frames):
        """Return the next frames as float32 `(n_frames, channels)`; fewer at the end."""
        with self._naming_the_file():
            block = self._decoder.read(self._position, n_frames)
        self._position += len(block)
        return block

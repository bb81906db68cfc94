"""Decode the frames of an MP3 file with libsndfile."""

import os

import numpy as np
import soundfile as sf

from skdaf._audio.formats.audio_file import AudioFile
from skdaf._audio.formats.mp3.layout import mp3_layout
from skdaf._audio.formats.view import FileView

# The last bits of a sample depend on the order in which libmpg123 adds numbers, and thereby on what
# it decoded before. Files are decoded in separate sections, so that parts equal the whole exactly.
_SECTION_FRAMES = 128

# Reported as the size of the stream, so that libmpg123 does not estimate too short a length.
_REPORTED_SIZE = 2**40
_TAG_BYTES = 128
_BLOCK_BYTES = 2**14


def open_mp3(path, n_bytes):
    """Return an Mp3File for a file of this size; None if it is not an MP3 file.

    Raises DamagedFileError if frames are missing.
    """
    layout = mp3_layout(path, n_bytes)
    return None if layout is None else Mp3File(path, layout)


class _FrameStream:
    """The frames of a file, starting at frame `origin`, as a file object for libsndfile."""

    def __init__(self, frames, layout, origin):
        self._frames = frames
        self._start, self._end = int(layout.positions[origin]), int(layout.positions[-1])
        self._position, self._block_first, self._block = 0, 0, b""
        # libmpg123 cannot open streams of fewer than two frames, so silent ones follow the last.
        size = int(layout.positions[1])
        self._tail = 2 * layout.header.bits.to_bytes(4, "big").ljust(size, b"\0")

    def seek(self, offset, whence=os.SEEK_SET):
        bases = {os.SEEK_SET: 0, os.SEEK_CUR: self._position, os.SEEK_END: _REPORTED_SIZE}
        self._position = bases[whence] + offset
        return self._position

    def tell(self):
        return self._position

    def read(self, n_bytes):
        """Return the next bytes; fewer at the end."""
        if self._position >= _REPORTED_SIZE - _TAG_BYTES:
            # libmpg123 first looks for a tag at the end.
            return bytes(n_bytes)
        first = self._start + self._position
        if not 0 <= first - self._block_first <= len(self._block) - n_bytes:
            self._block_first = first
            self._block = self._bytes_at(first, max(n_bytes, _BLOCK_BYTES))
        start = first - self._block_first
        content = self._block[start : start + n_bytes]
        self._position += len(content)
        return content

    def _bytes_at(self, position, n_bytes):
        self._frames.seek(position)
        content = self._frames.read(n_bytes)
        return content + self._tail[max(0, position - self._end) :][: n_bytes - len(content)]


class Mp3File(AudioFile):
    """An open MP3 file."""

    format = "MP3"

    def __init__(self, path, layout):
        header = layout.header
        self._layout, self._decoder = layout, None
        self._frames = FileView(path, b"", layout.ranges)
        self.samplerate, self.channels, self.frames = header.rate, header.channels, layout.n_samples
        self.subtype = "MPEG_LAYER_" + "I" * header.layer

    def __exit__(self, *exception):
        self._close_decoder()
        self._frames.close()

    def _close_decoder(self):
        if self._decoder is not None:
            self._decoder.close()
            self._decoder = None

    def go_to(self, frame):
        """Make `frame` the next one to be read."""
        for span, (first, stop) in enumerate(self._layout.spans):
            self._span, self._position = span, first + frame
            if self._position < stop:
                break
            frame -= stop - first
        self._decode_from(self._position)

    def _decode_from(self, position):
        """Open the stream shortly before the section that contains a sample; go to that sample."""
        self._close_decoder()
        frame_samples = self._layout.header.frame_samples
        section = position // (_SECTION_FRAMES * frame_samples)
        origin = self._layout.origin(section * _SECTION_FRAMES)
        self._section_stop = (section + 1) * _SECTION_FRAMES * frame_samples
        self._decoder = sf.SoundFile(_FrameStream(self._frames, self._layout, origin))
        # Otherwise soundfile would seek after each read, which would corrupt the samples.
        self._decoder.seekable = lambda: False
        self._decode(position - origin * frame_samples)

    def _decode(self, n_samples):
        block = self._decoder.read(n_samples, dtype="float32", always_2d=True)
        if self._frames.error is not None:
            raise self._frames.error
        return block

    def read_block(self, n_frames):
        """Return the next frames as float32 `(n_frames, channels)`; fewer at the end."""
        blocks = [np.empty((0, self.channels), np.float32)]
        while n_frames and self._span < len(self._layout.spans):
            span_stop = self._layout.spans[self._span][1]
            n_requested = min(
                n_frames, span_stop - self._position, self._section_stop - self._position
            )
            blocks.append(self._decode(n_requested))
            if len(blocks[-1]) < n_requested:
                break
            self._position, n_frames = self._position + n_requested, n_frames - n_requested
            self._continue(span_stop)
        return np.concatenate(blocks)

    def _continue(self, span_stop):
        """Go to the next span or section if the current one has ended."""
        if self._position == span_stop:
            self._span += 1
            if self._span < len(self._layout.spans):
                self._position = self._layout.spans[self._span][0]
                self._decode_from(self._position)
        elif self._position == self._section_stop:
            self._decode_from(self._position)

"""Which bytes of an MP3 file are frames, and which of the decoded samples are audio."""

import os
from dataclasses import dataclass
from functools import lru_cache

import numpy as np

from skdaf._audio.formats.errors import DamagedFileError
from skdaf._audio.formats.headers.riff import find_mpeg_in_wav
from skdaf._audio.formats.mp3.header import HEADER_BYTES, FrameHeader, header_at
from skdaf._audio.formats.mp3.scan import Scan

# Layer III: a frame uses up to 511 bytes from the frames before it (the bit reservoir), and
# overlaps with its neighbors.
_MAX_RESERVOIR_BYTES = 511
_OVERLAPPING_FRAMES = 3

# The delay of any decoder, in samples.
_DECODER_DELAY = 529

_EXTENSIONS = (".mp1", ".mp2", ".mp3", ".mpa", ".mpga")


@dataclass(frozen=True)
class Mp3Layout:
    """Where the frames of a file are, and which of their samples are audio.

    Attributes
    ----------
    header : FrameHeader
        The header of the first frame.
    positions : array of n_frames + 1 numbers
        Where each frame begins in the stream of frames, not counting bytes between them.
    ranges : list of (first, stop)
        The bytes of the file that contain frames.
    spans : list of (first, stop)
        The decoded samples that are audio. The others were added by the encoder.
    is_cut_off : bool
        As in `Scan`.
    """

    header: FrameHeader
    positions: np.ndarray
    ranges: list
    spans: list
    is_cut_off: bool

    @property
    def n_samples(self):
        return sum(stop - first for first, stop in self.spans)

    def origin(self, frame):
        """Return the frame from which to decode so that `frame` is decoded exactly."""
        first = max(0, frame - _OVERLAPPING_FRAMES)
        if self.header.layer == 3:
            overhead = HEADER_BYTES + 2 + self.header.side_bytes
            stop, needed = first, self.positions[first] - _MAX_RESERVOIR_BYTES
            while first and self.positions[first] + overhead * (stop - first) > needed:
                first -= 1
        return first


def mp3_layout(path, n_bytes):
    """Return the Mp3Layout of a file of this size; None if it is not an MP3 file.

    Raises DamagedFileError if frames are missing.
    """
    name = os.fsdecode(path).lower()
    # For this extension, soundfile requires the format as arguments.
    if name.endswith(".raw"):
        return None
    with open(path, "rb") as file:
        limits = find_mpeg_in_wav(file, n_bytes)
        file.seek(0)
        head = file.read(HEADER_BYTES)
    if limits is None:
        if head[:3] != b"ID3" and not header_at(head) and not name.endswith(_EXTENSIONS):
            return None
        limits = 0, n_bytes
    return _scanned_layout(os.path.abspath(path), *limits, os.stat(path).st_mtime_ns, n_bytes)


def is_cut_off(path):
    """Return whether an MP3 file that can be read ends within a frame, after an unknown loss."""
    if not os.fsdecode(path).lower().endswith(_EXTENSIONS):
        return False
    try:
        layout = mp3_layout(path, os.stat(path).st_size)
    except (OSError, ValueError, DamagedFileError):
        return False
    return layout is not None and layout.is_cut_off


# Each part of a long recording opens the file again, but it is only scanned again if its size or
# modification time has changed.
@lru_cache(maxsize=16)
def _scanned_layout(path, start, stop, mtime, n_bytes):
    with open(path, "rb") as file:
        scan = Scan(file, start, stop)
    return _layout_of(scan) if scan.header else None


def _layout_of(scan):
    """Return the Mp3Layout of a finished Scan."""
    offsets, sizes = np.array(scan.offsets), np.array(scan.sizes, dtype=np.int64)
    positions = np.concatenate([[0], np.cumsum(sizes)])
    gaps = np.flatnonzero(offsets[1:] != offsets[:-1] + sizes[:-1])
    firsts, lasts = [0, *(gaps + 1)], [*gaps, len(offsets) - 1]
    ranges = [
        (int(offsets[first]), int(offsets[last] + sizes[last]))
        for first, last in zip(firsts, lasts, strict=True)
        if len(offsets)
    ]
    return Mp3Layout(scan.header, positions, ranges, _spans(scan), scan.is_cut_off)


def _spans(scan):
    """Return the ranges of samples that are audio.

    From the first part, the samples that its encoder added are removed; at its end, only if its tag
    is right about its frames or bytes. Later parts are kept whole.
    """
    n_samples = len(scan.offsets) * scan.header.frame_samples
    starts = [start for start, _, _ in scan.parts]
    tag, position = [(tag, position) for start, tag, position in scan.parts if start == 0][-1]
    if tag is None or not tag.n_frames or tag.delay is None:
        return [(0, n_samples)]
    first = min(n_samples, tag.delay + _DECODER_DELAY)
    stop = next((start for start in starts if start), len(scan.offsets))
    end = stop * scan.header.frame_samples
    if tag.n_frames != stop and tag.n_bytes != scan.n_bytes_of_part(position, stop):
        return [(first, n_samples)]
    last = max(first, end - max(0, tag.padding - _DECODER_DELAY))
    return [(first, last), (end, n_samples)] if end < n_samples else [(first, last)]

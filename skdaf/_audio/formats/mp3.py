"""MP3 (MPEG audio, layers I to III): find every frame of a file, let libsndfile decode them.

libsndfile takes the length of an MP3 file from a tag in its first frame, or estimates it, and stops
there. A scan of all frame headers is cheap and exact. It also shows where each frame lies: a part
is decoded from shortly before its first sample, with exactly the values that it has in the whole.
"""

import os
import re
import struct
from array import array
from dataclasses import dataclass
from functools import lru_cache
from itertools import islice

import numpy as np
import soundfile as sf

from skdaf._audio.formats.headers import DamagedFileError, mpeg_in_wav
from skdaf._audio.formats.view import FileView

# kbit/s by (version, layer). MPEG-2.5 has the bit rates of MPEG-2.
_BITRATES = {
    (1, 1): (32, 64, 96, 128, 160, 192, 224, 256, 288, 320, 352, 384, 416, 448),
    (1, 2): (32, 48, 56, 64, 80, 96, 112, 128, 160, 192, 224, 256, 320, 384),
    (1, 3): (32, 40, 48, 56, 64, 80, 96, 112, 128, 160, 192, 224, 256, 320),
    (2, 1): (32, 48, 56, 64, 80, 96, 112, 128, 144, 160, 176, 192, 224, 256),
    (2, 2): (8, 16, 24, 32, 40, 48, 56, 64, 80, 96, 112, 128, 144, 160),
    (2, 3): (8, 16, 24, 32, 40, 48, 56, 64, 80, 96, 112, 128, 144, 160),
}
_RATES = (44_100, 48_000, 32_000)

# Frames of one stream have the same version, layer and sampling rate.
_SAME_STREAM = 0xFFFE0C00
_HEADER_BYTES = 4
_LONGEST_FRAME = 3456  # in free format; others have 2,881 bytes at most

# Bytes that look like a header are common; three in a row, each at the end of the last, are not.
_CONFIRMED = 3

# How many bytes without a frame or a tag may precede the sound.
_LONGEST_JUNK = 2**16
# How many false headers are looked at before a search ends: more are no accident.
_MOST_CANDIDATES = 200_000
_BLOCK_BYTES = 2**20

# Layer III: a frame uses up to 511 bytes from the frames before it, and overlaps with its
# neighbours.
_BORROWED_BYTES = 511
_OVERLAPPING_FRAMES = 3

# The order in which libmpg123 adds depends on all that it decoded before, and with it the last bits
# of samples. Sections are decoded on their own: so parts equal the whole in every bit.
_SECTION_FRAMES = 128

# Samples by which any decoder is late.
_DECODER_DELAY = 529

# Reported as the size of the stream, so that no estimate of its length ends too early.
_ENDLESS = 2**40
_TAG_BYTES = 128
_STREAM_BLOCK_BYTES = 2**14

_EXTENSIONS = (".mp1", ".mp2", ".mp3", ".mpa", ".mpga")

_HEADER = rb"\xff[\xe2-\xe7\xf2-\xf7\xfa-\xff][^\xf0-\xff][\0-\xff]"
_TAG = rb"ID3[\2-\4]|TAG|APETAGEX|LYRICSBEGIN"


class _Header:
    """The meaning of the four bytes at the beginning of a frame."""

    def __init__(self, bits):
        version = bits >> 19 & 3
        self.bits, self.stream = bits, bits & _SAME_STREAM
        self.layer = 4 - (bits >> 17 & 3)
        self.version = 1 if version == 3 else 2
        self.rate = _RATES[bits >> 10 & 3] >> {3: 0, 2: 1, 0: 2}[version]
        self.channels = 1 if bits >> 6 & 3 == 3 else 2
        self.frame_samples = 384 if self.layer == 1 else 576 if self._is_short else 1152
        self.side_bytes = {(1, 1): 17, (1, 2): 32, (2, 1): 9, (2, 2): 17}[
            self.version, self.channels
        ]

    @property
    def _is_short(self):
        return self.layer == 3 and self.version == 2

    def n_bytes(self, free_bytes):
        """Return the size of the frame; `free_bytes` is that of frames that do not name theirs."""
        slot = 4 if self.layer == 1 else 1
        padding = slot * (self.bits >> 9 & 1)
        index = self.bits >> 12 & 15
        if not index:
            return free_bytes + padding if free_bytes else 0
        bitrate = 1000 * _BITRATES[self.version, self.layer][index - 1]
        return self.frame_samples // 8 // slot * bitrate // self.rate * slot + padding


def _header_at(content):
    """Return the header that some bytes begin with, None if they do not."""
    if not re.match(_HEADER, content, re.DOTALL):
        return None
    bits = int.from_bytes(content[:4], "big")
    return _Header(bits) if bits >> 10 & 3 != 3 else None


@dataclass(frozen=True)
class _InfoTag:
    """What the encoder wrote into a frame without sound (Xing, Info, VBRI); 0 is unknown."""

    n_frames: int = 0
    n_bytes: int = 0
    delay: int | None = None
    padding: int | None = None


def _info_tag(frame, header):
    """Return the tag that a frame of layer III holds instead of sound, None if it holds sound."""
    if frame[36:40] == b"VBRI":
        return _InfoTag(*reversed(struct.unpack(">II", frame[46:54]))) if frame[53:] else _InfoTag()
    at = _HEADER_BYTES + header.side_bytes
    # Two bytes may be a checksum.
    if frame[at : at + 4] not in (b"Xing", b"Info") or any(frame[6:at]):
        return None
    flags = int.from_bytes(frame[at + 4 : at + 8], "big")
    at += 8
    numbers = []
    for flag, n_bytes in ((1, 4), (2, 4), (4, 100), (8, 4)):
        present = n_bytes if flags & flag else 0
        numbers.append(int.from_bytes(frame[at : at + present], "big"))
        at += present
    if len(frame) < at + 24 or not frame[at]:
        return _InfoTag(*numbers[:2])
    both = int.from_bytes(frame[at + 21 : at + 24], "big")
    return _InfoTag(*numbers[:2], both >> 12, both & 0xFFF)


class _Bytes:
    """The bytes of a file up to `stop`, read a block at a time."""

    def __init__(self, file, stop):
        self._file, self.stop = file, stop
        self.first, self.block = 0, b""

    def load(self, place):
        """Make `block` begin at `place`."""
        self._file.seek(place)
        self.first = place
        self.block = self._file.read(min(_BLOCK_BYTES, max(0, self.stop - place)))

    def at(self, place, n_bytes):
        """Return so many bytes, fewer at the end."""
        start = place - self.first
        if start < 0 or start + n_bytes > len(self.block):
            self.load(place)
            start = 0
        return self.block[start : start + n_bytes]

    def search(self, pattern, place, stop):
        """Yield where a pattern of at most 16 bytes matches, and what."""
        while place < stop:
            self.load(place)
            block, first = self.block, self.first
            for found in re.finditer(pattern, block, re.DOTALL):
                if first + found.start() >= stop:
                    return
                yield first + found.start(), found[0]
            if len(block) < _BLOCK_BYTES:
                return
            place = first + len(block) - 16


class _Scan:
    """Find all frames between two places of a file; raise DamagedFileError where some are lost."""

    def __init__(self, file, start, stop):
        self.bytes, self.stop = _Bytes(file, stop), stop
        self.header = None
        self.offsets, self.sizes = array("q"), array("l")
        # (number of the first frame, tag, where the tag begins)
        self.parts = []
        self._free_bytes, self._known_sizes = 0, {}
        self._last_frame = start
        place = self._find_first(start)
        while place is not None:
            place = self._follow(self._take_frames(place))
        if self.header is not None:
            self._insist_on_announced_frames()

    # The beginning.

    def _find_first(self, start):
        """Return the place of the first frame, behind tags and what little else precedes it."""
        place = self._behind_tags(start)
        header = _header_at(self.bytes.at(place, _HEADER_BYTES))
        if header and self._begin(place, header):
            return place
        # A tag whose size is wrong may hide the beginning, or end too early.
        limit = self.stop if place > start else min(self.stop, start + _LONGEST_JUNK)
        candidates = self.bytes.search(_HEADER, start, limit)
        for candidate, content in islice(candidates, _MOST_CANDIDATES):
            header = _header_at(content)
            if header and self._begin(candidate, header):
                return candidate
        return None

    def _begin(self, place, header):
        """Take a header for that of the stream if others follow it."""
        self.header, self._known_sizes = header, {}
        self._free_bytes = self._free_format_bytes(place, header)
        if self._is_confirmed(place):
            self.parts.append((0, None, place))
            return True
        self.header = None
        return False

    def _free_format_bytes(self, place, header):
        """Return the size of frames that do not name it: the distance to the next header."""
        if header.bits >> 12 & 15:
            return 0
        padding = header.bits >> 9 & 1
        content = self.bytes.at(place, 3 * _LONGEST_FRAME)
        for found in re.finditer(re.escape(content[:2]), content[4:_LONGEST_FRAME]):
            self._free_bytes, self._known_sizes = found.start() + 4 - padding, {}
            if self._is_confirmed(place):
                return self._free_bytes
        return 0

    def _is_confirmed(self, place, *, near_the_end=True):
        """Return whether a chain of frames begins here; near the end it may be shorter."""
        for n_found in range(_CONFIRMED):
            size = self._size_of(self.bytes.at(place, _HEADER_BYTES))
            if not size:
                is_end = place > self.stop - _HEADER_BYTES or self._tag_at(place) > place
                return near_the_end and n_found > 0 and is_end
            place += size
            if place > self.stop:
                return near_the_end and n_found > 0
        return True

    # Along the frames.

    def _size_of(self, content):
        """Return the size of a frame of this stream, 0 if these bytes do not begin one."""
        header = _header_at(content)
        if header is None or header.stream != self.header.stream:
            return 0
        return header.n_bytes(self._free_bytes)

    def _take_frames(self, place):
        """Note all frames in a row; return where the next one does not begin, or is cut off."""
        while True:
            self.bytes.load(place)
            next_place = self._take_block()
            if next_place == place:
                return place
            place = next_place

    def _take_block(self):
        block, first, sizes = self.bytes.block, self.bytes.first, self._known_sizes
        tag_at = _HEADER_BYTES + self.header.side_bytes
        # The last frames of a block are looked at with the next one.
        last = len(block) - (_LONGEST_FRAME if len(block) == _BLOCK_BYTES else 0)
        at = 0
        while at < last:
            key = block[at : at + _HEADER_BYTES]
            size = sizes.get(key)
            if size is None:
                size = sizes[key] = self._checked_size(key, first + at)
            if not size or first + at + size > self.stop:
                break
            if block[at + tag_at : at + tag_at + 4] in (b"Xing", b"Info") or (
                block[at + 36 : at + 40] == b"VBRI"
            ):
                tag = self._tag_of(block[at : at + size])
            else:
                tag = None
            if tag is None:
                self.offsets.append(first + at)
                self.sizes.append(size)
            else:
                self.parts.append((len(self.offsets), tag, first + at))
            self._last_frame = first + at
            at += size
        return first + at

    def _tag_of(self, frame):
        return _info_tag(frame, self.header) if self.header.layer == 3 else None

    def _checked_size(self, content, place):
        """Return the size of a frame; raise if it begins another kind of stream."""
        size = self._size_of(content)
        if size and _header_at(content).channels != self.header.channels:
            self._fail("holds several streams: the number of channels changes", place)
        return size

    # Between frames.

    def _follow(self, place):
        """Return where frames go on after a gap, None if they do not."""
        behind = self._behind_tags(place)
        if behind > place and self._size_of(self.bytes.at(behind, _HEADER_BYTES)):
            self.parts.append((len(self.offsets), None, behind))
            return behind
        # The last frame may be the beginning of one that was cut off.
        start = self._last_frame + _HEADER_BYTES
        has_tag = False
        candidates = self.bytes.search(_HEADER + b"|" + _TAG, start, self.stop)
        for number, (candidate, content) in enumerate(candidates):
            if number == _MOST_CANDIDATES:
                self._fail("the file is damaged: there are headers without frames", place)
            if content[:1] != b"\xff":
                has_tag = has_tag or self._tag_at(candidate) > candidate
            elif self._is_stream(candidate, content):
                self._insist_on_boundary(place, candidate, has_tag)
                return candidate
        return None

    def _is_stream(self, place, content):
        """Return whether frames begin here; raise if they are of another kind."""
        header, own = _header_at(content), self.header
        if header is None:
            return False
        if header.stream == own.stream:
            return self._is_confirmed(place)
        self.header = header
        is_stream, self.header = self._is_confirmed(place, near_the_end=False), own
        if not is_stream:
            return False
        if header.rate != own.rate:
            change = f"the sampling rate changes from {own.rate} to {header.rate} Hz"
            self._fail(f"holds several streams: {change}", place)
        self._fail("holds several streams: the kind of frames changes", place)

    def _insist_on_boundary(self, end, place, has_tag):
        """Raise unless one recording ends and another begins between two frames."""
        while self.offsets and self.offsets[-1] + self.sizes[-1] > place:
            end = self.offsets.pop()
            self.sizes.pop()
        size = self._size_of(self.bytes.at(place, _HEADER_BYTES))
        if not has_tag and self._tag_of(self.bytes.at(place, size)) is None:
            problem = f"{max(0, place - end)} bytes are neither MP3 frames nor a tag"
            self._fail(f"the file is damaged: {problem}", end)
        if has_tag:
            self.parts.append((len(self.offsets), None, place))

    def _fail(self, problem, place):
        seconds = len(self.offsets) * self.header.frame_samples / self.header.rate
        raise DamagedFileError(f"{problem} at byte {place} ({seconds:.6g} s)")

    def _insist_on_announced_frames(self):
        """Raise if a tag announces more frames and more bytes than there are: both are lost."""
        ends = [start for start, _, _ in self.parts[1:]] + [len(self.offsets)]
        for (start, tag, place), end in zip(self.parts, ends, strict=True):
            if tag is None or end == start:
                continue
            # The last frame may be cut.
            missing = tag.n_bytes - self.n_bytes_of_part(place, end)
            if end - start < tag.n_frames - 1 and missing > max(self.sizes[start:end]):
                self._fail_as_truncated(tag.n_frames, end - start)

    def n_bytes_of_part(self, place, end):
        """Return the size of a part from its beginning up to the last of its frames."""
        return self.offsets[end - 1] + self.sizes[end - 1] - place if end else 0

    def _fail_as_truncated(self, announced, there):
        raise DamagedFileError(
            f"the file is truncated: its first frame announces {announced} frames, {there} "
            "are there"
        )

    # Tags.

    def _behind_tags(self, place):
        """Return the place behind all tags that begin here, as far as their sizes are true."""
        while (behind := self._tag_at(place)) > place:
            place = behind
        return place

    def _tag_at(self, place):
        """Return where the tag that begins here ends; the same place if there is none."""
        head = self.bytes.at(place, 32)
        if head[:3] == b"ID3" and len(head) >= 10:
            digits = head[6:10]
            size = sum(
                (digit & 127) << shift for digit, shift in zip(digits, (21, 14, 7, 0), strict=True)
            )
            return min(self.stop, place + 10 + size + (10 if head[5] & 16 else 0))
        if head.startswith(b"APETAGEX") and len(head) == 32:
            size, _, flags = struct.unpack("<III", head[12:24])
            return min(self.stop, place + 32 + (size if flags & 1 << 29 else 0))
        if head.startswith(b"LYRICSBEGIN"):
            found = re.search(rb"LYRICS200|LYRICSEND", self.bytes.at(place, _LONGEST_JUNK))
            return place + (found.end() if found else 0)
        if head.startswith(b"TAG"):
            return min(self.stop, place + (227 if head[3:4] == b"+" else 128))
        return place


@dataclass(frozen=True)
class Mp3Layout:
    """Where the frames of a file lie, and which of their samples are sound.

    Attributes
    ----------
    header : _Header
        That of the first frame.
    places : array of n_frames + 1 numbers
        Where each frame begins in the stream of frames without what lies between them.
    ranges : list of (first, stop)
        The bytes of the file that hold frames.
    spans : list of (first, stop)
        The decoded samples that are sound; the others are what the encoder added.
    """

    header: _Header
    places: np.ndarray
    ranges: list
    spans: list

    @property
    def n_samples(self):
        return sum(stop - first for first, stop in self.spans)

    def origin(self, frame):
        """Return the frame to begin with, so that this one is decoded exactly."""
        first = max(0, frame - _OVERLAPPING_FRAMES)
        if self.header.layer == 3:
            overhead = _HEADER_BYTES + 2 + self.header.side_bytes
            stop, needed = first, self.places[first] - _BORROWED_BYTES
            while first and self.places[first] + overhead * (stop - first) > needed:
                first -= 1
        return first


def _layout_of(scan):
    """Make an Mp3Layout of a finished scan."""
    offsets, sizes = np.array(scan.offsets), np.array(scan.sizes, dtype=np.int64)
    places = np.concatenate([[0], np.cumsum(sizes)])
    gaps = np.flatnonzero(offsets[1:] != offsets[:-1] + sizes[:-1])
    firsts, lasts = [0, *(gaps + 1)], [*gaps, len(offsets) - 1]
    ranges = [
        (int(offsets[first]), int(offsets[last] + sizes[last]))
        for first, last in zip(firsts, lasts, strict=True)
        if len(offsets)
    ]
    return Mp3Layout(scan.header, places, ranges, _spans(scan))


def _spans(scan):
    """Return the samples that are sound.

    The first part loses what its encoder added to it, at the end only if its tag counts its frames
    or bytes rightly. Later parts are kept whole.
    """
    n_samples = len(scan.offsets) * scan.header.frame_samples
    starts = [start for start, _, _ in scan.parts]
    tag, place = [(tag, place) for start, tag, place in scan.parts if start == 0][-1]
    if tag is None or not tag.n_frames or tag.delay is None:
        return [(0, n_samples)]
    first = min(n_samples, tag.delay + _DECODER_DELAY)
    stop = next((start for start in starts if start), len(scan.offsets))
    end = stop * scan.header.frame_samples
    if tag.n_frames != stop and tag.n_bytes != scan.n_bytes_of_part(place, stop):
        return [(first, n_samples)]
    last = max(first, end - max(0, tag.padding - _DECODER_DELAY))
    return [(first, last), (end, n_samples)] if end < n_samples else [(first, last)]


@lru_cache(maxsize=16)
def _layout(path, start, stop, mtime, n_bytes):
    """Scan a file; it is known by its size and time, since long ones are opened for each part."""
    with open(path, "rb") as file:
        scan = _Scan(file, start, stop)
    return _layout_of(scan) if scan.header else None


def mp3_layout(path, n_bytes):
    """Return the Mp3Layout of a file of that size, None if it is no MP3 file.

    Raises DamagedFileError if frames are missing.
    """
    name = os.fsdecode(path).lower()
    # soundfile requires the layout of files with this name, whatever they hold.
    if name.endswith(".raw"):
        return None
    with open(path, "rb") as file:
        limits = mpeg_in_wav(file, n_bytes)
        file.seek(0)
        head = file.read(_HEADER_BYTES)
    if limits is None:
        if head[:3] != b"ID3" and not _header_at(head) and not name.endswith(_EXTENSIONS):
            return None
        limits = 0, n_bytes
    return _layout(os.path.abspath(path), *limits, os.stat(path).st_mtime_ns, n_bytes)


class _FrameStream:
    """The frames of a file from one of them on, as a file that libsndfile can read."""

    def __init__(self, frames, layout, origin):
        self._frames = frames
        self._start, self._end = int(layout.places[origin]), int(layout.places[-1])
        self._place, self._block_first, self._block = 0, 0, b""
        # libmpg123 opens no stream of less than two frames: silent ones follow the last.
        size = int(layout.places[1])
        self._tail = 2 * layout.header.bits.to_bytes(4, "big").ljust(size, b"\0")

    def seek(self, offset, whence=os.SEEK_SET):
        bases = {os.SEEK_SET: 0, os.SEEK_CUR: self._place, os.SEEK_END: _ENDLESS}
        self._place = bases[whence] + offset
        return self._place

    def tell(self):
        return self._place

    def read(self, n_bytes):
        """Return the next bytes, fewer at the end."""
        if self._place >= _ENDLESS - _TAG_BYTES:
            # libmpg123 looks for a tag at the very end first.
            return bytes(n_bytes)
        first = self._start + self._place
        if not 0 <= first - self._block_first <= len(self._block) - n_bytes:
            self._block_first = first
            self._block = self._bytes_at(first, max(n_bytes, _STREAM_BLOCK_BYTES))
        start = first - self._block_first
        content = self._block[start : start + n_bytes]
        self._place += len(content)
        return content

    def _bytes_at(self, place, n_bytes):
        self._frames.seek(place)
        content = self._frames.read(n_bytes)
        return content + self._tail[max(0, place - self._end) :][: n_bytes - len(content)]


class Mp3Recording:
    """An open file: as much of `soundfile.SoundFile` as reading needs."""

    format, extra_info = "MP3", ""

    def __init__(self, path, layout):
        header = layout.header
        self._layout, self._decoder = layout, None
        self._frames = FileView(path, b"", layout.ranges)
        self.samplerate, self.channels, self.frames = header.rate, header.channels, layout.n_samples
        self.subtype = "MPEG_LAYER_" + "I" * header.layer

    def __enter__(self):
        return self

    def __exit__(self, *exception):
        self._close_decoder()
        self._frames.__exit__()

    def _close_decoder(self):
        if self._decoder is not None:
            self._decoder.close()
            self._decoder = None

    def go_to(self, frame):
        """Make `frame` the next one to be read."""
        for span, (first, stop) in enumerate(self._layout.spans):
            self._span, self._place = span, first + frame
            if self._place < stop:
                break
            frame -= stop - first
        self._decode_from(self._place)

    def _decode_from(self, place):
        """Open the stream of frames shortly before the section of a sample, and go there."""
        self._close_decoder()
        frame_samples = self._layout.header.frame_samples
        section = place // (_SECTION_FRAMES * frame_samples)
        origin = self._layout.origin(section * _SECTION_FRAMES)
        self._section_stop = (section + 1) * _SECTION_FRAMES * frame_samples
        self._decoder = sf.SoundFile(_FrameStream(self._frames, self._layout, origin))
        # Keep soundfile from seeking after each read: it would garble the sound.
        self._decoder.seekable = lambda: False
        self._decode(place - origin * frame_samples)

    def _decode(self, n_samples):
        block = self._decoder.read(n_samples, dtype="float32", always_2d=True)
        if self._frames.error is not None:
            raise self._frames.error
        return block

    def read_block(self, n_frames):
        """Return the next frames as float32 `(n_frames, channels)`, fewer at the end."""
        blocks = [np.empty((0, self.channels), np.float32)]
        while n_frames and self._span < len(self._layout.spans):
            span_stop = self._layout.spans[self._span][1]
            asked = min(n_frames, span_stop - self._place, self._section_stop - self._place)
            blocks.append(self._decode(asked))
            if len(blocks[-1]) < asked:
                break
            self._place, n_frames = self._place + asked, n_frames - asked
            self._go_on(span_stop)
        return np.concatenate(blocks)

    def _go_on(self, span_stop):
        """Begin the next span or the next section where one ends."""
        if self._place == span_stop:
            self._span += 1
            if self._span < len(self._layout.spans):
                self._place = self._layout.spans[self._span][0]
                self._decode_from(self._place)
        elif self._place == self._section_stop:
            self._decode_from(self._place)

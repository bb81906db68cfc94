"""Find all frames of a file."""

import re
from array import array
from itertools import islice
from typing import NamedTuple

from skdaf._audio.formats.errors import DamagedFileError
from skdaf._audio.formats.mp3.blocks import BLOCK_BYTES, Blocks
from skdaf._audio.formats.mp3.header import HEADER, HEADER_BYTES, MAX_FRAME_BYTES, header_at
from skdaf._audio.formats.mp3.tags import (
    ID3V1_BYTES,
    INFO_TAGS,
    TAG,
    VBRI_TAG,
    VBRI_TAG_AT,
    InfoTag,
    info_tag,
    skip_tags,
    tag_end,
)

# Bytes that look like a header are common. This many headers, each at the end of the previous
# frame, are not.
_N_CONFIRMING_HEADERS = 3

# The maximum number of bytes before the first frame that are neither a frame nor a tag.
_MAX_JUNK_BYTES = 2**16

# The search for frames ends after this many matches that only look like headers.
_MAX_CANDIDATES = 200_000


class Part(NamedTuple):
    """One of several recordings in a file."""

    first_frame: int
    tag: InfoTag | None
    position: int


class Scan:
    """Find all frames between two positions of an open file.

    Attributes
    ----------
    header : FrameHeader or None
        The header of the first frame; None if there is no frame.
    offsets, sizes : array of int
        The positions and the sizes of all frames with audio.
    parts : list of Part
        The recordings in the file.
    is_cut_off : bool
        Whether the last recording ends within a frame, and no tag counts its frames, so that any
        number of them may be missing.

    Raises
    ------
    DamagedFileError
        If frames are missing.
    """

    def __init__(self, file, start, stop):
        self.content, self.stop = Blocks(file, stop), stop
        self.header = None
        self.offsets, self.sizes = array("q"), array("l")
        self.parts = []
        self._free_bytes, self._known_sizes = 0, {}
        self._last_frame = start
        position = self._find_first(start)
        while position is not None:
            position = self._find_next(self._take_frames(position))
        self.is_cut_off = False
        if self.header is not None:
            self._check_promised_frames()
            self.is_cut_off = self._ends_within_a_frame() and not self._is_counted()

    # The beginning.

    def _find_first(self, start):
        """Return the position of the first frame, after tags and a few other bytes."""
        position = skip_tags(self.content, start)
        header = header_at(self.content.at(position, HEADER_BYTES))
        if header and self._begin(position, header):
            return position
        # A tag with a wrong size may hide the beginning, or end too early.
        limit = self.stop if position > start else min(self.stop, start + _MAX_JUNK_BYTES)
        candidates = self.content.search(HEADER, start, limit)
        for candidate, content in islice(candidates, _MAX_CANDIDATES):
            header = header_at(content)
            if header and self._begin(candidate, header):
                return candidate
        return None

    def _begin(self, position, header):
        """Use a header as that of the stream if other frames follow it; return whether they do."""
        self.header, self._known_sizes = header, {}
        self._free_bytes = self._free_format_bytes(position, header)
        if self._is_confirmed(position):
            self.parts.append(Part(0, None, position))
            return True
        self.header = None
        return False

    def _free_format_bytes(self, position, header):
        """Return the size of frames in free format: the distance to the next header."""
        if not header.has_free_format:
            return 0
        content = self.content.at(position, 3 * MAX_FRAME_BYTES)
        for found in re.finditer(re.escape(content[:2]), content[4:MAX_FRAME_BYTES]):
            self._free_bytes = found.start() + 4 - header.has_padding
            self._known_sizes = {}
            if self._is_confirmed(position):
                return self._free_bytes
        return 0

    def _is_confirmed(self, position, *, near_the_end=True):
        """Return True if several frames follow each other here; near the end, fewer are enough."""
        for n_found in range(_N_CONFIRMING_HEADERS):
            size = self._size_of(self.content.at(position, HEADER_BYTES))
            if not size:
                is_end = (
                    position > self.stop - HEADER_BYTES
                    or tag_end(self.content, position) > position
                )
                return near_the_end and n_found > 0 and is_end
            position += size
            if position > self.stop:
                return near_the_end and n_found > 0
        return True

    # Frames that follow each other.

    def _size_of(self, content):
        """Return the size of the frame in these bytes; 0 if it does not belong to this stream."""
        header = header_at(content)
        if header is None or header.stream != self.header.stream:
            return 0
        return header.n_bytes(self._free_bytes)

    def _take_frames(self, position):
        """Record all frames up to a gap; return where the next frame is missing or cut off."""
        while True:
            self.content.load(position)
            next_position = self._take_block()
            if next_position == position:
                return position
            position = next_position

    def _take_block(self):
        block, first, sizes = self.content.block, self.content.first, self._known_sizes
        tag_at = HEADER_BYTES + self.header.side_bytes
        # The last frames of a block are left to the next one.
        last = len(block) - (MAX_FRAME_BYTES if len(block) == BLOCK_BYTES else 0)
        at = 0
        while at < last:
            key = block[at : at + HEADER_BYTES]
            size = sizes.get(key)
            if size is None:
                size = sizes[key] = self._checked_size(key, first + at)
            if not size or first + at + size > self.stop:
                break
            tag = None
            if block[at + tag_at : at + tag_at + 4] in INFO_TAGS or (
                block[at + VBRI_TAG_AT : at + VBRI_TAG_AT + 4] == VBRI_TAG
            ):
                tag = self._tag_of(block[at : at + size])
            if tag is None:
                self.offsets.append(first + at)
                self.sizes.append(size)
            else:
                self.parts.append(Part(len(self.offsets), tag, first + at))
            self._last_frame = first + at
            at += size
        return first + at

    def _tag_of(self, frame):
        return info_tag(frame, self.header) if self.header.layer == 3 else None

    def _checked_size(self, content, position):
        """Return the size of a frame; raise if it belongs to another kind of stream."""
        size = self._size_of(content)
        if size and header_at(content).channels != self.header.channels:
            self._fail("contains several streams: the number of channels changes", position)
        return size

    # Between frames.

    def _find_next(self, position):
        """Return where frames continue after a gap; None if there are no more frames."""
        after_tags = skip_tags(self.content, position)
        if after_tags > position and self._size_of(self.content.at(after_tags, HEADER_BYTES)):
            self.parts.append(Part(len(self.offsets), None, after_tags))
            return after_tags
        # The last frame may have been cut off, so the next one can begin inside it.
        start = self._last_frame + HEADER_BYTES
        has_tag = False
        candidates = self.content.search(HEADER + b"|" + TAG, start, self.stop)
        for number, (candidate, content) in enumerate(candidates):
            if number == _MAX_CANDIDATES:
                self._fail("the file is damaged: it contains headers without frames", position)
            if content[:1] != b"\xff":
                has_tag = has_tag or tag_end(self.content, candidate) > candidate
            elif self._is_stream(candidate, content):
                self._check_gap(position, candidate, has_tag)
                return candidate
        return None

    def _is_stream(self, position, content):
        """Return True if frames begin here; raise if they belong to another kind of stream."""
        header, own = header_at(content), self.header
        if header is None:
            return False
        if header.stream == own.stream:
            return self._is_confirmed(position)
        self.header = header
        is_stream, self.header = self._is_confirmed(position, near_the_end=False), own
        if not is_stream:
            return False
        if header.rate != own.rate:
            change = f"the sampling rate changes from {own.rate} to {header.rate} Hz"
            self._fail(f"contains several streams: {change}", position)
        self._fail("contains several streams: the kind of frames changes", position)

    def _check_gap(self, end, position, has_tag):
        """Raise unless one recording ends before a gap and another one begins after it."""
        while self.offsets and self.offsets[-1] + self.sizes[-1] > position:
            end = self.offsets.pop()
            self.sizes.pop()
        size = self._size_of(self.content.at(position, HEADER_BYTES))
        if not has_tag and self._tag_of(self.content.at(position, size)) is None:
            problem = f"{max(0, position - end)} bytes are neither MP3 frames nor a tag"
            self._fail(f"the file is damaged: {problem}", end)
        if has_tag:
            self.parts.append(Part(len(self.offsets), None, position))

    def _fail(self, problem, position):
        seconds = len(self.offsets) * self.header.frame_samples / self.header.rate
        raise DamagedFileError(f"{problem} at byte {position} ({seconds:.6g} s)")

    # The end.

    def _check_promised_frames(self):
        """Raise if a part has fewer frames and fewer bytes than its tag claims."""
        ends = [part.first_frame for part in self.parts[1:]] + [len(self.offsets)]
        for (start, tag, position), end in zip(self.parts, ends, strict=True):
            if tag is None or end == start:
                continue
            # The last frame may be cut off.
            n_missing = tag.n_bytes - self.n_bytes_of_part(position, end)
            if end - start < tag.n_frames - 1 and n_missing > max(self.sizes[start:end]):
                raise DamagedFileError(
                    f"the file is truncated: its first frame promises {tag.n_frames} frames, but "
                    f"only {end - start} are present"
                )

    def _ends_within_a_frame(self):
        end = self.offsets[-1] + self.sizes[-1] if self.offsets else self.parts[0].position
        # A tag that was appended later may look like the rest of the frame.
        has_tag = self.content.at(max(0, self.stop - ID3V1_BYTES), 3) == b"TAG"
        stop = self.stop - ID3V1_BYTES if has_tag else self.stop
        if end > stop:
            return True
        content = self.content.at(end, HEADER_BYTES)[: stop - end]
        if len(content) < HEADER_BYTES:
            # The first two bytes of a header are the same for all frames.
            first = self.header.bits.to_bytes(HEADER_BYTES, "big")[: min(2, len(content))]
            return bool(content) and content.startswith(first)
        return end + self._size_of(content) > stop

    def _is_counted(self):
        """Return whether a tag tells how many frames the last part has."""
        tag = self.parts[-1].tag
        return tag is not None and bool(tag.n_frames)

    def n_bytes_of_part(self, position, end):
        """Return the size of a part from its beginning to the end of its last frame."""
        return self.offsets[end - 1] + self.sizes[end - 1] - position if end else 0

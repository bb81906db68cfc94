"""The pages of Ogg files (Vorbis, Opus), looked through for what libsndfile passes over.

It takes a file that has lost its end for a shorter one, reads the first of several streams in a row
only, and where positions contradict each other it gives whatever lay in memory.
"""

import os
import struct
from functools import lru_cache

_PAGE = struct.Struct("<4sBBqIIIB")
_BEGINNING, _END = 2, 4

# A page holds at most 255 packets, one of Opus at most 5,760 samples, of Vorbis 4,096.
_LONGEST_PAGE = 255 * 5760


def problem_of_ogg(path):
    """Say what is wrong with the pages of an Ogg file; an empty string if nothing is."""
    status = os.stat(path)
    return _problem(os.fspath(path), status.st_size, status.st_mtime_ns)


# Long recordings are opened anew for each of their parts.
@lru_cache(maxsize=1024)
def _problem(path, n_bytes, mtime):
    streams, has_data = {}, False
    with open(path, "rb") as file:
        for flags, position, serial, number in _pages(file, n_bytes):
            if flags & _BEGINNING:
                if has_data:
                    return "holds several streams in a row, of which only the first would be read"
                streams[serial] = _Stream(number, position)
                continue
            has_data = True
            if serial not in streams:
                return "the file is damaged: a page belongs to no stream"
            if problem := streams[serial].go_on(flags, position, number):
                return problem
    if all(stream.has_ended for stream in streams.values()):
        return ""
    return "the file is truncated: its stream has no last page"


def _pages(file, n_bytes):
    """Yield the flags, position, stream and number of each complete page, as far as they go."""
    place = 0
    while place + _PAGE.size <= n_bytes:
        file.seek(place)
        head = file.read(_PAGE.size + 255)
        magic, _, flags, position, serial, number, _, n_segments = _PAGE.unpack_from(head)
        start = _PAGE.size + n_segments
        place += start + sum(head[_PAGE.size : start])
        if magic != b"OggS" or place > n_bytes:
            return
        yield flags, position, serial, number


class _Stream:
    """What the pages of one stream have told so far."""

    def __init__(self, number, position):
        self.number, self.position, self.has_ended = number, position, False
        self.has_sound = False

    def go_on(self, flags, position, number):
        """Take the next page; say what is wrong with it."""
        if number != self.number + 1:
            return "the file is damaged: a part of its stream is missing"
        self.number, self.has_ended = number, bool(flags & _END)
        # -1: no packet ends on this page. Streams may begin at any position.
        if position == -1:
            return ""
        step = position - self.position
        if position < 0 or step < 0 or (self.has_sound and step > _LONGEST_PAGE):
            return "the file is damaged: the positions of its pages contradict each other"
        self.has_sound, self.position = position > 0, position
        return ""

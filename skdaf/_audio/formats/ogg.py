"""Check the pages of Ogg files (Vorbis, Opus) for errors that libsndfile does not report.

libsndfile treats a truncated file as a shorter one, reads only the first of several streams, and
returns uninitialized memory if positions contradict each other.
"""

import os
import struct
from functools import lru_cache

from skdaf._audio.formats.errors import DamagedFileError

_PAGE = struct.Struct("<4sBBqIIIB")
_BEGINNING, _END = 2, 4

# A page contains at most 255 packets; a packet contains at most 5,760 samples of Opus or 4,096 of
# Vorbis.
_MAX_PAGE_SAMPLES = 255 * 5760


def check_ogg(path):
    """Raise DamagedFileError if something is wrong with the pages of an Ogg file."""
    if problem := find_ogg_problem(path):
        raise DamagedFileError(problem)


def find_ogg_problem(path):
    """Return what is wrong with the pages of an Ogg file; "" if nothing is."""
    status = os.stat(path)
    return _problem(os.fspath(path), status.st_size, status.st_mtime_ns)


# Each part of a long recording opens the file again, but its pages are checked only once.
@lru_cache(maxsize=1024)
def _problem(path, n_bytes, mtime):
    streams, has_data = {}, False
    with open(path, "rb") as file:
        for flags, position, serial, number in _pages(file, n_bytes):
            if flags & _BEGINNING:
                if has_data:
                    return "contains several streams, of which only the first would be read"
                streams[serial] = _Stream(number, position)
                continue
            has_data = True
            if serial not in streams:
                return "the file is damaged: a page does not belong to any stream"
            if problem := streams[serial].add_page(flags, position, number):
                return problem
    if all(stream.has_ended for stream in streams.values()):
        return ""
    return "the file is truncated: its stream has no last page"


def _pages(file, n_bytes):
    """Yield (flags, position, stream, number) of each page, up to the first damaged one."""
    start = 0
    while start + _PAGE.size <= n_bytes:
        file.seek(start)
        head = file.read(_PAGE.size + 255)
        magic, _, flags, position, serial, number, _, n_segments = _PAGE.unpack_from(head)
        n_header = _PAGE.size + n_segments
        start += n_header + sum(head[_PAGE.size : n_header])
        if magic != b"OggS" or start > n_bytes:
            return
        yield flags, position, serial, number


class _Stream:
    """The state of a stream after the pages that were added."""

    def __init__(self, number, position):
        self.number, self.position, self.has_ended = number, position, False
        self.has_samples = False

    def add_page(self, flags, position, number):
        """Add the next page; return what is wrong with it, or "" if nothing is."""
        if number != self.number + 1:
            return "the file is damaged: part of its stream is missing"
        self.number, self.has_ended = number, bool(flags & _END)
        # -1 means that no packet ends on this page. Streams may begin at any position.
        if position == -1:
            return ""
        step = position - self.position
        if position < 0 or step < 0 or (self.has_samples and step > _MAX_PAGE_SAMPLES):
            return "the file is damaged: the positions of its pages contradict each other"
        self.has_samples, self.position = position > 0, position
        return ""

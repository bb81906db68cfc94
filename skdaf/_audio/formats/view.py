"""Parts of a file, shown to libsndfile as a file of their own."""

import os
from bisect import bisect_right
from itertools import accumulate


class FileView:
    """Some bytes and some ranges of a file in a row: what libsndfile reads instead of the file.

    Parameters
    ----------
    path : str or os.PathLike
        The file. It is closed with the context.
    head : bytes
        What comes first.
    ranges : list of (first, stop)
        The ranges of the file that follow.
    """

    def __init__(self, path, head, ranges):
        self._head, self._ranges = head, ranges
        self._firsts = [0, *accumulate((b - a for a, b in ranges), initial=len(head))]
        self.n_bytes = self._firsts[-1]
        self._place = 0
        # libsndfile cannot pass exceptions on: the first one is kept for its caller.
        self.error = None
        self._file = open(path, "rb")  # noqa: SIM115

    def __enter__(self):
        return self

    def __exit__(self, *exception):
        self._file.close()

    def seek(self, offset, whence=os.SEEK_SET):
        bases = {os.SEEK_SET: 0, os.SEEK_CUR: self._place, os.SEEK_END: self.n_bytes}
        self._place = bases[whence] + offset
        return self._place

    def tell(self):
        return self._place

    def read(self, n_bytes):
        """Return the next bytes, fewer at the end."""
        try:
            content = b"".join(self._pieces(n_bytes))
        except OSError as error:
            self.error, content = error, b""
        self._place += len(content)
        return content

    def _pieces(self, n_bytes):
        place, stop = self._place, min(self._place + n_bytes, self.n_bytes)
        while place < stop:
            index = bisect_right(self._firsts, place) - 1
            start = place - self._firsts[index]
            n_asked = min(stop, self._firsts[index + 1]) - place
            piece = self._head[start : start + n_asked]
            if index:
                self._file.seek(self._ranges[index - 1][0] + start)
                piece = self._file.read(n_asked)
            yield piece
            if len(piece) < n_asked:
                return
            place += n_asked

"""Present parts of a file to libsndfile as one file."""

import os
from bisect import bisect_right
from itertools import accumulate


class FileView:
    """A file object that joins some bytes and ranges of a file, for libsndfile to read.

    Parameters
    ----------
    path : str or os.PathLike
        The file.
    head : bytes
        The first bytes of the view.
    ranges : list of (first, stop)
        The ranges of the file that follow the first bytes.
    """

    def __init__(self, path, head, ranges):
        self._head, self._ranges = head, ranges
        self._firsts = [0, *accumulate((stop - first for first, stop in ranges), initial=len(head))]
        self.n_bytes = self._firsts[-1]
        self._position = 0
        # The last exception, for the caller, because exceptions cannot pass through libsndfile.
        self.error = None
        self._file = open(path, "rb")  # noqa: SIM115

    def __enter__(self):
        return self

    def __exit__(self, *exception):
        self.close()

    def close(self):
        self._file.close()

    def seek(self, offset, whence=os.SEEK_SET):
        bases = {os.SEEK_SET: 0, os.SEEK_CUR: self._position, os.SEEK_END: self.n_bytes}
        self._position = bases[whence] + offset
        return self._position

    def tell(self):
        return self._position

    def read(self, n_bytes):
        """Return the next bytes; fewer at the end."""
        try:
            content = b"".join(self._pieces(n_bytes))
        except OSError as error:
            self.error, content = error, b""
        self._position += len(content)
        return content

    def _pieces(self, n_bytes):
        position, stop = self._position, min(self._position + n_bytes, self.n_bytes)
        while position < stop:
            index = bisect_right(self._firsts, position) - 1
            start = position - self._firsts[index]
            n_requested = min(stop, self._firsts[index + 1]) - position
            piece = self._head[start : start + n_requested]
            if index:
                self._file.seek(self._ranges[index - 1][0] + start)
                piece = self._file.read(n_requested)
            yield piece
            if len(piece) < n_requested:
                return
            position += n_requested

"""Read the bytes of a file one block at a time."""

import re

BLOCK_BYTES = 2**20


class Blocks:
    """The bytes of an open file up to `stop`; `block` contains those in memory."""

    def __init__(self, file, stop):
        self._file, self.stop = file, stop
        self.first, self.block = 0, b""

    def load(self, position):
        """Read the block that begins at a position."""
        self._file.seek(position)
        self.first = position
        self.block = self._file.read(min(BLOCK_BYTES, max(0, self.stop - position)))

    def at(self, position, n_bytes):
        """Return the bytes at a position; fewer at the end."""
        start = position - self.first
        if start < 0 or start + n_bytes > len(self.block):
            self.load(position)
            start = 0
        return self.block[start : start + n_bytes]

    def search(self, pattern, position, stop):
        """Yield the position and the bytes of each match of a pattern of at most 16 bytes."""
        while position < stop:
            self.load(position)
            block, first = self.block, self.first
            for found in re.finditer(pattern, block, re.DOTALL):
                if first + found.start() >= stop:
                    return
                yield first + found.start(), found[0]
            if len(block) < BLOCK_BYTES:
                return
            position = first + len(block) - 16

"""The bytes of an open file."""

import os
import struct

# How many bytes are compared with zero at a time.
BLOCK_BYTES = 2**16


class Content:
    """The bytes of an open file as a sequence. Only the parts that are accessed are read."""

    def __init__(self, file):
        self._file, self._n_bytes = file, os.fstat(file.fileno()).st_size

    def __len__(self):
        return self._n_bytes

    def __getitem__(self, position):
        """Return a byte as a number, or a slice as bytes; the slice is shorter at the end."""
        if not isinstance(position, slice):
            return self[position : position + 1][0]
        start = position.start or 0
        self._file.seek(start)
        return self._file.read(max(0, min(position.stop, self._n_bytes) - start))

    def unpack(self, layout, position):
        """Return the numbers at a position; `layout` is a format string of the module struct."""
        return struct.unpack(layout, self[position : position + struct.calcsize(layout)])

    def is_zero(self, start, end):
        """Return True if there are only zeros between two positions."""
        blocks = (
            self[position : min(end, position + BLOCK_BYTES)]
            for position in range(start, end, BLOCK_BYTES)
        )
        return not any(map(any, blocks))

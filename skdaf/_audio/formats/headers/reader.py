"""Read numbers and chunks of an open file."""

import re
import struct

from skdaf._audio.formats.errors import DamagedFileError, TruncatedHeaderError

MAX_CHUNKS = 10_000
_MAX_HEADER_BYTES = 2**22


class HeaderReader:
    """Reads numbers and chunks of an open file of known size."""

    def __init__(self, file, n_bytes):
        self.file, self.n_bytes = file, n_bytes

    def bytes_at(self, position, n_bytes):
        """Return the bytes at a position; fewer at the end of the file."""
        self.file.seek(position)
        return self.file.read(n_bytes)

    def numbers_at(self, position, layout):
        """Return the numbers at a position; `layout` is a format string of the module struct."""
        content = self.bytes_at(position, struct.calcsize(layout))
        if len(content) < struct.calcsize(layout):
            raise TruncatedHeaderError
        return struct.unpack(layout, content)

    def number_at(self, position, layout):
        return self.numbers_at(position, layout)[0]

    def chunks(self, position, layout, multiple=1):
        """Yield the name, the position of the content and the size of each chunk.

        Chunks are padded to a multiple of `multiple` bytes.
        """
        for _ in range(MAX_CHUNKS):
            if position + struct.calcsize(layout) > self.n_bytes:
                return
            name, size = self.numbers_at(position, layout)
            position += struct.calcsize(layout)
            yield name, position, size
            position += size
            # Some writers omit the padding.
            if size % multiple and not (
                self.is_chunk(position, layout) and not self.is_chunk(position + 1, layout)
            ):
                position += -size % multiple

    def is_chunk(self, position, layout):
        """Return True if the bytes here look like a chunk that ends within the file."""
        if position + struct.calcsize(layout) > self.n_bytes:
            return False
        name, size = self.numbers_at(position, layout)
        return re.fullmatch(rb"[ -~]{4}", name) is not None and (
            position + struct.calcsize(layout) + size <= self.n_bytes
        )

    def patched(self, stop, *patches):
        """Return the bytes up to `stop`, after writing each (position, layout, number) into them.

        Returns None if these are too many bytes for a header.
        """
        if stop > _MAX_HEADER_BYTES:
            return None
        head = bytearray(self.bytes_at(0, stop))
        try:
            for position, layout, number in patches:
                struct.pack_into(layout, head, position, number)
        except struct.error:
            problem = f"{self.n_bytes - stop} bytes of audio are too many for its header"
            raise DamagedFileError(problem) from None
        return bytes(head)

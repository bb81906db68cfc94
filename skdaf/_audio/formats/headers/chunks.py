"""Write the chunks that RIFF and IFF files consist of."""

import struct


def chunk(order, name, content):
    """Return the bytes of a chunk; `order` is the byte order of its size."""
    return name + struct.pack(f"{order}I", len(content)) + content + bytes(len(content) % 2)

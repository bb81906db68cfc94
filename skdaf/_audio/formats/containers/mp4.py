"""MP4 and QuickTime: a sequence of boxes. One of them, the index, can come last."""

from skdaf._audio.formats.containers.container import SEVERAL_RECORDINGS, Structure, truncated

# Boxes that a file can begin with.
FIRST_BOXES = {
    *(b"ftyp", b"moov", b"mdat", b"free", b"skip", b"wide", b"pnot", b"moof", b"sidx", b"styp")
}


def check_boxes(content):
    position, n_bytes, kinds = 0, len(content), set()
    while position + 8 <= n_bytes:
        size, kind = content.unpack(">I4s", position)
        header = 8
        if size == 1 and position + 16 <= n_bytes:
            (size,), header = content.unpack(">Q", position + 8), 16
        if size == 0:
            size = n_bytes - position
        # Some writers leave zeros or other bytes after the last box.
        if size < header or not (kind.isascii() and kind.decode().isprintable()):
            break
        if kind == b"moov" and kind in kinds:
            return Structure(n_bytes, SEVERAL_RECORDINGS)
        kinds.add(kind)
        if position + size > n_bytes:
            name = kind.decode("ascii")
            return Structure(n_bytes, truncated(size, n_bytes - position, f"box {name!r}"))
        position += size
    if b"moov" not in kinds:
        return Structure(n_bytes, "the file is truncated or damaged: its index (moov) is missing")
    return Structure(n_bytes)

"""CAF (Core Audio): chunks. The size of the last one can be missing if it was not known."""

from skdaf._audio.formats.containers.container import Structure, damaged, truncated

# Codecs of CAF files that libsndfile cannot read, or only in some files (ALAC).
CODECS = {
    b"alac",
    *(b"aac ", b"aach", b"aacp", b".mp1", b".mp2", b".mp3", b"ac-3", b"ec-3"),
    *(b"ilbc", b"samr", b"QDM2", b"QDMC", b"ima4", b"Opus", b"opus", b"flac"),
}


def check_chunks(content):
    position, n_bytes = 8, len(content)
    while position + 12 <= n_bytes:
        name, size = content.unpack(">4sq", position)
        position += 12
        if size < 0 and name == b"data":
            return Structure(n_bytes)
        if size < 0 or not name.strip(b"\0").isascii():
            return Structure(n_bytes, damaged(position - 12))
        if position + size > n_bytes:
            part = f"chunk {name.decode()!r}"
            return Structure(n_bytes, truncated(size, n_bytes - position, part))
        position += size
    return Structure(n_bytes)

"""TTA (True Audio): a header, the sizes of all frames, the frames."""

import struct

from skdaf._audio.formats.containers.container import SEVERAL_RECORDINGS, Structure, truncated
from skdaf._audio.formats.containers.content import BLOCK_BYTES

SIGNATURE = b"TTA1"
_HEADER = "<4sHHHIII"


def check_frames(content):
    *_, rate, n_samples, _ = content.unpack(_HEADER, 0)
    n_frames = -(-n_samples // max(1, 256 * rate // 245))
    n_header = struct.calcsize(_HEADER)
    start = n_header + 4 * n_frames + 4
    if start > len(content):
        return Structure(len(content), truncated(start, len(content), "header"))
    sizes = content.unpack(f"<{n_frames}I", n_header)
    end = start + sum(sizes)
    if end > len(content):
        return Structure(len(content), truncated(end, len(content), "header"))
    # There can be tags between two recordings.
    is_joined = SIGNATURE in content[end : end + BLOCK_BYTES]
    return Structure(len(content), SEVERAL_RECORDINGS if is_joined else "")

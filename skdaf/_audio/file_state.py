"""The state of a file, which shows a cache whether the file has changed."""

import os
import time

from skdaf._core.cache import make_key

# Slightly more than the resolution of time stamps in file systems (ns): a clock tick, or two
# seconds.
_FINE_STEP, _COARSE_STEP = 50_000_000, 2_100_000_000


def clip_key(prefix, clip, status):
    """Return the cache key of a clip, which depends on the state of its file.

    Parameters
    ----------
    prefix : str
        What else the cached value depends on.
    clip : Clip
        A clip of a file on disk.
    status : os.stat_result
        The status of the file.
    """
    path = os.path.abspath(clip.path)
    # Tools can set the modification time back, but not the change time.
    state = status.st_size, status.st_mtime_ns, status.st_ctime_ns, status.st_ino
    return make_key(prefix, path, state, clip.start, clip.end)


def is_settled(status):
    """Return whether any later change to the file would show in its time stamps.

    The resolution of time stamps is limited: two changes within one step look like one. A change
    slightly in the future has just happened, on a server whose clock is ahead.
    """
    changed = status.st_mtime_ns if os.name == "nt" else status.st_ctime_ns
    step = _COARSE_STEP if changed % 10**9 == 0 else _FINE_STEP
    return not -_COARSE_STEP <= time.time_ns() - changed <= step

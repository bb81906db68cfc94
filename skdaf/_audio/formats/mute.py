"""Keep C libraries from writing to the standard streams: a damaged MP3 fills screens with notes.

The decoders inside libsndfile offer no switch that can be reached from here. What they print goes
through C's `stdout` and `stderr`, so these variables are what points elsewhere for a while. The
file descriptors stay: messages of Python, of its threads and of processes that it starts are not
affected.
"""

import ctypes
import os
import platform
from functools import cache

from skdaf._core.contexts import SharedContext


class _Mute(SharedContext):
    """Send what C prints nowhere while any caller in this process is inside.

    Only with glibc, whose variables may be changed; elsewhere it does nothing.
    """

    def begin(self):
        _point_elsewhere(True)

    def end(self):
        _point_elsewhere(False)


@cache
def _streams():
    """Return C's variables with the streams they hold, and a stream that leads nowhere."""
    if platform.system() != "Linux" or platform.libc_ver()[0] != "glibc":
        return [], None
    try:
        library = ctypes.CDLL(None)
        names = ("stdout", "stderr")
        variables = [ctypes.c_void_p.in_dll(library, name) for name in names]
        library.fopen.restype = ctypes.c_void_p
        nowhere = library.fopen(os.devnull.encode(), b"we")
    except (OSError, AttributeError, ValueError):
        return [], None
    return [(variable, variable.value) for variable in variables if nowhere], nowhere


def _point_elsewhere(is_elsewhere):
    variables, nowhere = _streams()
    for variable, own in variables:
        variable.value = nowhere if is_elsewhere else own


mute = _Mute()

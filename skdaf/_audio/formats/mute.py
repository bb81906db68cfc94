"""Suppress the output of C libraries: a damaged MP3 file causes pages of messages.

The decoders in libsndfile have no option for this that is accessible from Python. They print to C's
variables `stdout` and `stderr`, so these variables are redirected temporarily. The file descriptors
do not change, so output from Python, its threads and its child processes still appears.
"""

import ctypes
import os
import platform
from functools import cache

from skdaf._core.contexts import SharedContext


class _Mute(SharedContext):
    """Discard what C code prints while any thread of this process is in the context.

    This requires glibc, where these variables can be changed. Elsewhere it does nothing.
    """

    def begin(self):
        _redirect(True)

    def end(self):
        _redirect(False)


@cache
def _streams():
    """Return C's variables with the streams that they hold, and a stream to /dev/null."""
    if platform.system() != "Linux" or platform.libc_ver()[0] != "glibc":
        return [], None
    try:
        library = ctypes.CDLL(None)
        names = ("stdout", "stderr")
        variables = [ctypes.c_void_p.in_dll(library, name) for name in names]
        library.fopen.restype = ctypes.c_void_p
        null = library.fopen(os.devnull.encode(), b"we")
    except (OSError, AttributeError, ValueError):
        return [], None
    return [(variable, variable.value) for variable in variables if null], null


def _redirect(is_muted):
    variables, null = _streams()
    for variable, own in variables:
        variable.value = null if is_muted else own


mute = _Mute()

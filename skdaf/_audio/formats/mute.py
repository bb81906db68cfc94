"""Keep C libraries from printing: a damaged MP3 file causes pages of messages.

The decoders in libsndfile have no option for this that Python can reach. They print through C's
variables `stdout` and `stderr`, so these variables are redirected for a while. The file descriptors
do not change, so messages of Python, of its threads and of its child processes still appear.
"""

import ctypes
import os
import platform
from functools import cache

from skdaf._core.contexts import SharedContext


class _Mute(SharedContext):
    """Discard what C prints while any thread of this process is in the context.

    This needs glibc, whose variables may be changed. Elsewhere it does nothing.
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

"""Keep C libraries from writing to the standard streams: a damaged MP3 fills screens with notes.

The decoders inside libsndfile offer no switch that can be reached from here. What they print goes
through C's `stdout` and `stderr`, so these variables are what points elsewhere for a while. The
file descriptors stay: messages of Python, of its threads and of processes that it starts are not
affected.
"""

import ctypes
import os
import platform
import threading
from functools import cache


class _Mute:
    """Send what C prints nowhere while any caller in this process is inside.

    Only with glibc, whose variables may be changed; elsewhere it does nothing.
    """

    def __init__(self):
        self._lock = threading.Lock()
        self._n_inside = 0

    def __enter__(self):
        with self._lock:
            if self._n_inside == 0:
                _point_elsewhere(True)
            self._n_inside += 1

    def __exit__(self, *exception):
        with self._lock:
            self._n_inside -= 1
            if self._n_inside == 0:
                _point_elsewhere(False)

    def start_anew(self):
        """In a forked child, where nobody is inside: threads stay behind."""
        self._lock = threading.Lock()
        if self._n_inside:
            self._n_inside = 0
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

if hasattr(os, "register_at_fork"):
    os.register_at_fork(after_in_child=mute.start_anew)

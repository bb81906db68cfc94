"""What many threads do at the same time: the first of them begins it, the last one ends it.

The end of the interpreter kills daemon threads wherever they are. Inside C++, as in torch or SciPy,
that aborts the whole process. So they are ended before, while the interpreter still works.
"""

import atexit
import ctypes
import os
import sys
import threading
import time

# Seconds that the end of the interpreter waits for threads: more than a step of training takes.
_LAST_STEP = 10.0

# Seconds between two looks at the threads that have not ended yet.
_BETWEEN_LOOKS = 0.005

_is_closing = False


def leave_if_closing():
    """End a daemon thread, such as joblib's, when the interpreter ends; to be called often."""
    if _is_closing and threading.current_thread().daemon:
        raise SystemExit


def leave_if_main_thread_ended():
    """End a daemon thread after an error, where the end of the main thread explains the error.

    Pools refuse work from then on, which is before this module hears of the end.
    """
    if threading.current_thread().daemon and not threading.main_thread().is_alive():
        raise SystemExit


@atexit.register
def _close():
    """End the daemon threads that run code of this package, and wait until they have ended."""
    global _is_closing
    _is_closing = True
    asked, deadline = set(), time.monotonic() + _LAST_STEP
    while (threads := _daemons_inside()) and time.monotonic() < deadline:
        # Once is enough: another exception would interrupt how they clean up.
        for thread in threads - asked:
            _raise_system_exit(thread)
        asked |= threads
        time.sleep(_BETWEEN_LOOKS)


def _daemons_inside():
    """Return the daemon threads that are inside a function of this package."""
    frames = sys._current_frames()
    return {
        thread
        for thread in threading.enumerate()
        if thread.daemon and _is_in_package(frames.get(thread.ident))
    }


def _is_in_package(frame):
    package = __name__.partition(".")[0]
    while frame is not None:
        if frame.f_globals.get("__name__", "").partition(".")[0] == package:
            return True
        frame = frame.f_back
    return False


def _raise_system_exit(thread):
    """Raise SystemExit in a thread, as soon as it runs Python code.

    It also ends a thread that waits for others, which never comes to `leave_if_closing`.
    """
    ctypes.pythonapi.PyThreadState_SetAsyncExc(
        ctypes.c_ulong(thread.ident), ctypes.py_object(SystemExit)
    )


class SharedContext:
    """A context that does something when its first thread comes in and its last one leaves."""

    def __init__(self):
        self._lock = threading.Lock()
        self._n_inside = 0
        if hasattr(os, "register_at_fork"):
            os.register_at_fork(after_in_child=self._reset)

    def begin(self):
        """Do what is to be done before any thread is inside."""

    def end(self):
        """Undo it when all threads have left."""

    def __enter__(self):
        leave_if_closing()
        with self._lock:
            if self._n_inside == 0:
                self.begin()
            self._n_inside += 1

    def __exit__(self, *exception):
        with self._lock:
            self._n_inside -= 1
            if self._n_inside == 0:
                self.end()

    def _reset(self):
        """Start over in a forked child, where nobody is inside: threads stay behind."""
        self._lock = threading.Lock()
        if self._n_inside:
            self._n_inside = 0
            self.end()

"""Context managers that threads share, and the shutdown of daemon threads.

At exit, Python stops daemon threads wherever they are. If a thread is running C++ code, such as
torch or SciPy, this aborts the whole process. This module ends such threads earlier, while the
interpreter still works.
"""

import atexit
import ctypes
import os
import sys
import threading
import time
from functools import partial

# How many seconds to wait for threads at exit; a training step takes less.
_TIMEOUT = 10.0

# Seconds between two checks for threads that have not ended yet.
_POLLING_INTERVAL = 0.005

_is_exiting = False


def exit_thread_at_shutdown():
    """End this thread if it is a daemon and the interpreter is exiting.

    Long computations call this at every step, because joblib may run them in daemon threads.
    """
    if _is_exiting and threading.current_thread().daemon:
        raise SystemExit


def exit_thread_if_main_ended():
    """End this thread if it is a daemon and the main thread has ended; call this after an error.

    Thread pools reject work as soon as the main thread has ended, before `_end_daemon_threads`
    runs. The error is then only a consequence of the exit.
    """
    if threading.current_thread().daemon and not threading.main_thread().is_alive():
        raise SystemExit


@atexit.register
def _end_daemon_threads():
    """End the daemon threads that run code of this package, and wait until they have ended."""
    global _is_exiting
    _is_exiting = True
    notified, deadline = set(), time.monotonic() + _TIMEOUT
    sys.unraisablehook = partial(_handle_unraisable, sys.unraisablehook, notified)
    while (threads := _daemons_in_package()) and time.monotonic() < deadline:
        # Only once per thread: another exception would interrupt its cleanup.
        for thread in threads - notified:
            notified.add(thread)
            _raise_system_exit(thread)
        time.sleep(_POLLING_INTERVAL)


def _handle_unraisable(report, notified, unraisable):
    """Notify this thread again if SystemExit was raised in a destructor, which ignores it.

    It can also be raised here, while another error is reported, and would be ignored, too.
    """
    try:
        if unraisable.exc_type is not SystemExit:
            report(unraisable)
            return
    except SystemExit:
        pass
    notified.discard(threading.current_thread())


def _daemons_in_package():
    """Return the daemon threads that are running a function of this package."""
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
    """Raise SystemExit in a thread as soon as it runs Python code.

    This also ends threads that wait for others and never call `exit_thread_at_shutdown`.
    """
    ctypes.pythonapi.PyThreadState_SetAsyncExc(
        ctypes.c_ulong(thread.ident), ctypes.py_object(SystemExit)
    )


class SharedContext:
    """A context manager that stays active while at least one thread is inside.

    Subclasses define `begin`, called when the first thread enters, and `end`, called when the last
    one leaves. Threads may enter it repeatedly.
    """

    def __init__(self):
        self._lock = threading.Lock()
        self._n_inside = 0
        if hasattr(os, "register_at_fork"):
            os.register_at_fork(after_in_child=self._reset)

    def begin(self):
        """Activate the context; no thread is inside yet."""

    def end(self):
        """Deactivate the context; all threads have left."""

    def __enter__(self):
        exit_thread_at_shutdown()
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
        """Reset the context in a forked child, which does not inherit the threads inside."""
        self._lock = threading.Lock()
        if self._n_inside:
            self._n_inside = 0
            self.end()

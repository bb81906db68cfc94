"""What many threads do at the same time: the first of them begins it, the last one ends it."""

import atexit
import os
import threading

# Seconds that the end of the interpreter waits for threads: more than a step of training takes.
_LAST_STEP = 10.0

_is_closing = False


def leave_if_closing():
    """End a daemon thread, such as joblib's, when the interpreter ends; to be called often."""
    if _is_closing and threading.current_thread().daemon:
        raise SystemExit


class SharedContext:
    """A context that does something when its first thread comes in and its last one leaves.

    The end of the interpreter waits until all have left, for a while: it takes threads that are
    inside libraries with it by way of C++, which aborts the process. So it would end after Ctrl-C
    in a search whose workers are threads.
    """

    def __init__(self):
        self._changed = threading.Condition()
        self._n_inside = 0
        atexit.register(self._close)
        if hasattr(os, "register_at_fork"):
            os.register_at_fork(after_in_child=self._start_anew)

    def begin(self):
        """Do what is to be done before any thread is inside."""

    def end(self):
        """Undo it when all threads have left."""

    def __enter__(self):
        leave_if_closing()
        with self._changed:
            if self._n_inside == 0:
                self.begin()
            self._n_inside += 1

    def __exit__(self, *exception):
        with self._changed:
            self._n_inside -= 1
            if self._n_inside == 0:
                self.end()
                self._changed.notify_all()

    def _close(self):
        global _is_closing
        _is_closing = True
        with self._changed:
            self._changed.wait_for(lambda: self._n_inside == 0, timeout=_LAST_STEP)

    def _start_anew(self):
        """Go on in a forked child, where nobody is inside: threads stay behind."""
        self._changed = threading.Condition()
        if self._n_inside:
            self._n_inside = 0
            self.end()

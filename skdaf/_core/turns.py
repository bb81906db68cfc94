"""Let threads take turns at short work in libraries."""

import os
import threading
import time

# In seconds of CPU time. Longer work is not delayed much by other threads.
_SHORT = 1e-3
# How many seconds to wait for a turn, which is never necessary.
_PATIENCE = 0.01


class Turns:
    """Run short functions of several threads one after the other.

    Each operation of torch releases Python's global lock, and gets it back afterwards. If several
    threads apply a small network at the same time, they pass that lock on dozens of times per
    call, which takes longer than the work itself. Threads that wait for a turn do not ask for it.

    Functions run side by side if the last one was not short, and after some time of waiting.
    """

    def __init__(self):
        self._reset()
        if hasattr(os, "register_at_fork"):
            os.register_at_fork(after_in_child=self._reset)

    def run(self, function, *arguments):
        """Return ``function(*arguments)``, which may call this method again."""
        has_turn = self._is_short and self._lock.acquire(timeout=_PATIENCE)
        began = time.thread_time()
        try:
            return function(*arguments)
        finally:
            if has_turn:
                self._lock.release()
            self._is_short = time.thread_time() - began < _SHORT

    def _reset(self):
        """Forget the thread that has its turn: a forked child does not inherit it."""
        self._lock = threading.RLock()
        self._is_short = True

"""Threads that share work on networks, each with one thread of torch."""

from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from functools import partial
from typing import Self

from skdaf._networks.device import use_one_torch_thread


class WorkerThreads:
    """The calling thread and a pool of others, in each of which torch uses one thread.

    Use it as a context manager, which ends the threads of the pool.
    """

    def __init__(self, n_threads: int):
        self.pool = (
            ThreadPoolExecutor(n_threads - 1, "skdaf-networks", use_one_torch_thread)
            if n_threads > 1
            else None
        )

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *exception) -> None:
        self.shutdown()

    def shutdown(self) -> None:
        """Wait for the threads of the pool and end them."""
        if self.pool is not None:
            self.pool.shutdown()

    def map(self, function: Callable, *sequences: Sequence) -> list:
        """Return the results as a list; the first call runs in the calling thread."""
        calls = [partial(function, *args) for args in zip(*sequences, strict=True)]
        others = [self._submit(call) for call in calls[1:]]
        return [calls[0](), *(result() for result in others)]

    def _submit(self, call):
        """Start a call in the pool; return a function that waits for its result."""
        if self.pool is not None:
            try:
                return self.pool.submit(call).result
            except RuntimeError:
                # After the main thread has ended, pools refuse work, but other threads may still
                # be training. This thread then does everything itself, with the same result.
                self.pool = None
        return call

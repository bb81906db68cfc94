"""Work on many clips: chunks, workers, one thread for linear algebra, a progress bar."""

import os
import threading
from contextlib import contextmanager, suppress
from functools import cache

import numpy as np
import threadpoolctl
from joblib import Parallel, delayed
from joblib.parallel import get_active_backend

from skdaf._core.contexts import SharedContext, leave_if_main_thread_ended

# The work is cut in the same way whatever the number of workers: so are the results.
CHUNK_SIZE = 64

# Arrays up to this size are taken from memory that the process keeps.
_KEPT_BYTES = 2**24


class _SingleThread(SharedContext):
    """Keep BLAS on one thread while any caller in this process is inside.

    Small products are faster so, workers do not fight for cores, and results do not depend on how
    many cores there are. The limit is one for the whole process, hence the count.
    """

    def begin(self):
        _let_any_thread_limit()
        self._limiter = _blas().limit(limits=1)

    def end(self):
        _let_any_thread_limit()
        self._limiter.restore_original_limits()
        _let_any_thread_limit()


@cache
def _blas():
    return threadpoolctl.ThreadpoolController().select(user_api="blas")


def _let_any_thread_limit():
    """Undo threadpoolctl's rule that only the first thread to set a limit may set another.

    Since its version 3.8 others do nothing, silently: but here the last to leave restores.
    """
    openblas = getattr(threadpoolctl, "OpenBLASController", None)
    if hasattr(openblas, "clear_controlling_thread"):
        openblas.clear_controlling_thread(force=True)


single_thread = _SingleThread()


def is_worker_thread():
    """Return whether joblib has started this call in one of several threads of this process.

    The others want a core too. Workers that are processes are told by joblib, or by whoever
    started them, how many cores are theirs.
    """
    is_main = threading.current_thread() is threading.main_thread()
    # Dask counts its levels from -1.
    return not is_main and get_active_backend()[0].nesting_level not in (None, 0)


@contextmanager
def progress(total, description, unit, verbose):
    """Show a tqdm bar when verbose.

    Yields a function to call with the number of things done, and figures to show beside the bar.
    """
    if not verbose:
        yield lambda n, **figures: None
        return
    from tqdm.auto import tqdm

    with tqdm(total=total, desc=description, unit=unit) as bar:

        def advance(n, **figures):
            if figures:
                bar.set_postfix(figures, refresh=False)
            bar.update(n)

        yield advance


def map_chunks(function, items, *, n_jobs, verbose=0, description="", chunk_size=CHUNK_SIZE):
    """Yield `function(chunk)` for each chunk of `items`, in order.

    The work goes through joblib, so `joblib.parallel_config` decides where it runs. One chunk
    alone is not worth a worker.
    """
    if n_jobs == 0:
        raise ValueError("n_jobs=0 has no meaning: expected None, 1, 2, ... or -1 for all cores.")
    chunks = [items[i : i + chunk_size] for i in range(0, len(items), chunk_size)]
    place = _place()
    calls = (delayed(_run)(function, chunk, place) for chunk in chunks)
    with progress(len(items), description, "clip", verbose) as advance:
        results = [_run(function, items, place)] if len(chunks) == 1 else _run_all(calls, n_jobs)
        for chunk, result in zip(chunks, results, strict=True):
            advance(len(chunk))
            yield result


@cache
def _keep_freed_memory():
    """Teach the allocator to keep the memory of arrays that come and go, once a process.

    glibc hands large blocks back to the system when they are freed, and getting them anew page by
    page costs a worker a third of its time. It stops for sizes of which it has seen one freed. Of
    this block no page is ever touched; elsewhere it does nothing.
    """
    np.empty(_KEPT_BYTES, dtype=np.uint8)


def _place():
    """Return this process and the folder that relative paths start from."""
    try:
        return os.getpid(), os.getcwd()
    except FileNotFoundError:
        return os.getpid(), None


def _follow(place):
    """Let relative paths mean the same here as where the work comes from.

    joblib keeps its processes for later work, and they stay in the folder they were started in.
    """
    process, folder = place
    if folder is not None and process != os.getpid():
        # On another machine there may be no such folder.
        with suppress(OSError):
            os.chdir(folder)


def _run(function, chunk, place):
    _follow(place)
    _keep_freed_memory()
    with single_thread:
        return function(chunk)


def _run_all(calls, n_jobs):
    """Stream the results where the backend can, so that finished chunks need not wait in memory."""
    try:
        parallel = Parallel(n_jobs=n_jobs, return_as="generator")
    except ValueError:
        parallel = Parallel(n_jobs=n_jobs)
    try:
        yield from parallel(calls)
    except RuntimeError:
        leave_if_main_thread_ended()
        raise

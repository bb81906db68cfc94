"""Process many clips in parallel: chunks, workers, a limit for BLAS threads, a progress bar."""

import threading
from contextlib import contextmanager
from functools import cache

import numpy as np
import threadpoolctl
from joblib import Parallel, delayed
from joblib.parallel import get_active_backend

from skdaf._core.contexts import SharedContext, exit_thread_if_main_ended
from skdaf._core.fourier_backends import chosen_backends, use_backends

# Clips per chunk. Neither this nor the results depend on the number of workers.
CHUNK_SIZE = 64

# The memory of arrays up to this size, in bytes, stays with the process when it is freed.
_REUSED_BYTES = 2**24


class _SingleBlasThread(SharedContext):
    """Limit BLAS to one thread while any thread of this process is inside.

    Small products are faster this way, workers do not compete for cores, and results do not depend
    on the number of cores. The limit applies to the whole process, so it ends when the last thread
    leaves.
    """

    def begin(self):
        _allow_limits_from_any_thread()
        self._limiter = _blas().limit(limits=1)

    def end(self):
        _allow_limits_from_any_thread()
        self._limiter.restore_original_limits()
        _allow_limits_from_any_thread()


@cache
def _blas():
    return threadpoolctl.ThreadpoolController().select(user_api="blas")


def _allow_limits_from_any_thread():
    """Let this thread change the limit, even if another thread has set it.

    Since version 3.8, threadpoolctl silently ignores all threads except the first one that set a
    limit. Here, the thread that leaves last restores the limit, and it can be a different thread.
    """
    openblas = getattr(threadpoolctl, "OpenBLASController", None)
    if hasattr(openblas, "clear_controlling_thread"):
        openblas.clear_controlling_thread(force=True)


single_blas_thread = _SingleBlasThread()


def is_worker_thread():
    """Return whether this code runs in one of several threads started by joblib.

    Such threads share the cores of this process. Worker processes need no check, because joblib
    (or the program that started them) limits their number of threads.
    """
    is_main = threading.current_thread() is threading.main_thread()
    # Dask counts its nesting levels from -1.
    return not is_main and get_active_backend()[0].nesting_level not in (None, 0)


@contextmanager
def progress_bar(total, description, unit, verbose):
    """Show a tqdm progress bar if `verbose` is true.

    Yields a function `advance(n, **figures)`, which counts `n` more items as done. The figures,
    such as a loss, are shown next to the bar. Bytes (unit "B") are shown in kB, MB and so on. The
    total can be None if it is not known.
    """
    if not verbose:
        yield lambda n, **figures: None
        return
    from tqdm.auto import tqdm

    with tqdm(total=total, desc=description, unit=unit, unit_scale=unit == "B") as bar:

        def advance(n, **figures):
            if figures:
                bar.set_postfix(figures, refresh=False)
            bar.update(n)

        yield advance


def map_chunks(function, items, *, n_jobs, verbose=0, description="", chunk_size=CHUNK_SIZE):
    """Yield `function(chunk)` for each chunk of `items`, in order.

    The work runs through joblib, so `joblib.parallel_config` determines where. A single chunk is
    computed in this process, without workers. Worker processes keep their own working directory,
    so paths in `function` and `items` must be absolute. Workers use the same Fourier transforms
    (`scipy.fft.set_backend`) as the thread that calls this function.
    """
    if n_jobs == 0:
        raise ValueError("n_jobs=0 is not allowed: expected None, 1, 2, ... or -1 for all cores.")
    chunks = [items[i : i + chunk_size] for i in range(0, len(items), chunk_size)]
    with progress_bar(len(items), description, "clip", verbose) as advance:
        results = _results(function, chunks, n_jobs)
        for chunk, result in zip(chunks, results, strict=True):
            advance(len(chunk))
            yield result


def _results(function, chunks, n_jobs):
    """Yield the results in order; if the backend allows it, as soon as each one is ready."""
    if len(chunks) == 1:
        yield _compute(function, chunks[0])
        return
    backends = chosen_backends()
    try:
        parallel = Parallel(n_jobs=n_jobs, return_as="generator")
    except ValueError:  # dask and some other backends only return all results at once
        parallel = Parallel(n_jobs=n_jobs)
    try:
        yield from parallel(delayed(_compute)(function, chunk, backends) for chunk in chunks)
    except RuntimeError:
        exit_thread_if_main_ended()
        raise


def _compute(function, chunk, backends=None):
    _keep_freed_memory()
    with single_blas_thread, use_backends(backends):
        return function(chunk)


@cache
def _keep_freed_memory():
    """Make glibc keep freed memory for the next arrays; call this once per process.

    glibc returns large blocks to the system when they are freed. Getting them back page by page
    takes a third of a worker's time. When a large block is freed, glibc raises its threshold for
    this to the size of that block. This function therefore allocates and frees one block, whose
    pages are never used. Other allocators are not affected.
    """
    np.empty(_REUSED_BYTES, dtype=np.uint8)

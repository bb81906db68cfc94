"""Process many clips in parallel: chunks, workers, a limit for BLAS threads."""

import ctypes
import sys
import threading
from contextlib import nullcontext, suppress
from functools import cache
from numbers import Integral

import threadpoolctl
from joblib import Parallel, cpu_count, delayed, effective_n_jobs, parallel_config
from joblib.parallel import get_active_backend

from skdaf._core.contexts import SharedContext, exit_thread_if_main_ended
from skdaf._core.fourier_backends import chosen_backends, use_backends
from skdaf._core.progress import progress_bar

# Clips per chunk. Neither this nor the results depend on the number of workers.
CHUNK_SIZE = 64

# Workers on other machines get several chunks at once, because each task costs milliseconds, but
# not so many that some of the workers have nothing to do at the end.
_BATCHES_PER_WORKER, _MAX_BATCH = 4, 8

# The memory of arrays up to this size, in bytes, stays with the process when it is freed.
_REUSED_BYTES = 2**24

# Parameters of glibc's `mallopt`.
_M_TRIM_THRESHOLD, _M_MMAP_THRESHOLD = -1, -3


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
    return not is_main and is_in_worker()


def is_in_worker():
    """Return whether this code runs in a thread or a process that joblib started."""
    # Dask counts its nesting levels from -1.
    return get_active_backend()[0].nesting_level not in (None, 0)


def _is_dask_task():
    """Return whether this code runs in a task of a dask worker."""
    state = getattr(sys.modules.get("distributed.utils"), "thread_state", None)
    return hasattr(state, "execution_state")


def map_chunks(
    function, items, *, n_jobs, verbose=0, description="", delay=0.0, chunk_size=CHUNK_SIZE
):
    """Yield `function(chunk)` for each chunk of `items`, in order.

    The work runs through joblib, so `joblib.parallel_config` determines where. A single chunk is
    computed in this process, without workers, as are all chunks of a task of a dask worker with
    `n_jobs=None`. There are never more workers than chunks or cores, whichever is higher. Worker
    processes keep their own working directory, so paths in `function` and
    `items` must be absolute. Workers use the same Fourier transforms (`scipy.fft.set_backend`) as
    the thread that calls this function. If `verbose` is true, a progress bar is shown when the work
    takes longer than `delay` seconds.
    """
    _check_n_jobs(n_jobs)
    chunks = [items[i : i + chunk_size] for i in range(0, len(items), chunk_size)]
    with progress_bar(len(items), description, "clip", verbose, delay=delay) as advance:
        results = _results(function, chunks, n_jobs)
        for chunk, result in zip(chunks, results, strict=True):
            advance(len(chunk))
            yield result


def default_workers(n_jobs):
    """Return a context in which ``n_jobs=None`` means `n_jobs` workers; with None, nothing changes.

    An estimator that uses others passes them its `n_jobs` in this context, without changing them.
    """
    _check_n_jobs(n_jobs)
    return nullcontext() if n_jobs is None else parallel_config(n_jobs=n_jobs)


def _check_n_jobs(n_jobs):
    expected = "expected None, 1, 2, ... or -1 for all cores."
    if not (n_jobs is None or isinstance(n_jobs, Integral)):
        raise TypeError(f"n_jobs={n_jobs!r}: {expected}")
    if n_jobs == 0:
        raise ValueError(f"n_jobs=0 is not allowed: {expected}")


def _results(function, chunks, n_jobs):
    """Yield the results in order; if the backend allows it, as soon as each one is ready."""
    # joblib would distribute the work of a task on a dask cluster over the cluster again.
    if len(chunks) == 1 or (n_jobs is None and _is_dask_task()):
        yield from (_compute(function, chunk) for chunk in chunks)
        return
    backends = chosen_backends()
    n_workers = effective_n_jobs(n_jobs)
    # A pool of more workers has some with nothing to do. Up to the number of cores, it keeps its
    # size: another number of chunks in the next call would end workers, or start them again.
    most = max(len(chunks), cpu_count())
    if n_workers > most:
        n_jobs = most
    try:
        parallel = Parallel(n_jobs=n_jobs, return_as="generator")
    except ValueError:  # dask and some other backends only return all results at once
        n_batches = _BATCHES_PER_WORKER * n_workers
        batch_size = min(_MAX_BATCH, max(1, len(chunks) // n_batches))
        parallel = Parallel(n_jobs=n_jobs, batch_size=batch_size)
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
    takes a third of a worker's time. The thresholds are set explicitly, because glibc does not
    adapt them where the environment sets one, as in the workers of dask. Other allocators are not
    affected.
    """
    with suppress(AttributeError, OSError, TypeError):  # there is no glibc
        mallopt = ctypes.CDLL(None).mallopt
        mallopt(_M_MMAP_THRESHOLD, _REUSED_BYTES)
        mallopt(_M_TRIM_THRESHOLD, 2 * _REUSED_BYTES)

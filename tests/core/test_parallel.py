import os
import re
import threading
import time
from concurrent.futures import ThreadPoolExecutor

import joblib
import numpy as np
import pytest
from joblib._parallel_backends import ThreadingBackend
from threadpoolctl import threadpool_info, threadpool_limits

from skdaf._core.parallel import (
    CHUNK_SIZE,
    map_chunks,
    single_blas_thread,
)

pytestmark = pytest.mark.oldest


def total_and_process(chunk):
    return sum(chunk), os.getpid()


def process(chunk):
    return os.getpid()


def thread(chunk):
    return threading.get_ident()


def blas_threads(chunk=None):
    """Return the largest number of threads of any BLAS library in this process."""
    return max(
        (info["num_threads"] for info in threadpool_info() if info["user_api"] == "blas"),
        default=1,
    )


def fail(chunk):
    if 130 in chunk:
        raise ZeroDivisionError("130")
    return len(chunk)


@pytest.fixture
def three_blas_threads():
    """More than one BLAS thread, even on a machine with one core."""
    with threadpool_limits(3, user_api="blas"):
        if blas_threads() != 3:
            pytest.skip("this BLAS has no threads")
        yield


# --- chunks ---


def test_workers_run_in_a_deleted_folder(tmp_path, monkeypatch):
    if os.name == "nt":
        pytest.skip("Windows does not delete a working directory")
    # joblib cannot start workers there, but those that it has started before can work.
    assert sum(map_chunks(len, range(200), n_jobs=2)) == 200
    gone = tmp_path / "gone"
    gone.mkdir()
    monkeypatch.chdir(gone)
    gone.rmdir()
    assert sum(map_chunks(len, range(200), n_jobs=2)) == 200


@pytest.mark.parametrize("n", [1, 63, 64, 65, 128, 200])
def test_chunks_contain_every_item_once_and_in_order(n):
    chunks = list(map_chunks(list, range(n), n_jobs=None))
    assert [item for chunk in chunks for item in chunk] == list(range(n))
    assert {len(chunk) for chunk in chunks[:-1]} <= {CHUNK_SIZE}
    assert 1 <= len(chunks[-1]) <= CHUNK_SIZE


@pytest.mark.parametrize("n", [1, 500])
def test_zero_workers_are_an_error(n):
    with pytest.raises(ValueError, match="n_jobs=0"):
        list(map_chunks(list, range(n), n_jobs=0))


@pytest.mark.parametrize("n_jobs", ["two", 2.0, [2]])
def test_a_number_of_workers_that_is_no_integer_is_an_error(n_jobs):
    with pytest.raises(TypeError, match=rf"n_jobs={re.escape(repr(n_jobs))}: expected None, 1, 2"):
        list(map_chunks(list, range(500), n_jobs=n_jobs))


class CountsWorkers(ThreadingBackend):
    found = []

    def configure(self, n_jobs=1, **options):
        self.found.append(n_jobs)
        return super().configure(n_jobs, **options)


@pytest.mark.parametrize(
    ("n_jobs", "n_cores", "expected"),
    [(1000, 2, 4), (1000, 6, 6), (3, 2, 3), (3, 6, 3), (np.int64(1000), 2, 4)],
)
def test_there_are_no_more_workers_than_chunks_or_cores(monkeypatch, n_jobs, n_cores, expected):
    monkeypatch.setattr("skdaf._core.parallel.cpu_count", lambda: n_cores)
    monkeypatch.setattr(CountsWorkers, "found", [])
    joblib.register_parallel_backend("counts", CountsWorkers)
    for options in ({"n_jobs": n_jobs}, {"n_jobs": None}):
        with joblib.parallel_config(backend="counts", n_jobs=n_jobs):
            assert list(map_chunks(len, range(8), chunk_size=2, **options)) == [2] * 4
    assert CountsWorkers.found == [expected] * 2


def test_the_chunk_size_can_be_chosen():
    assert list(map_chunks(list, range(5), n_jobs=None, chunk_size=2)) == [[0, 1], [2, 3], [4]]


def test_no_items_give_no_chunks():
    assert list(map_chunks(fail, [], n_jobs=None)) == []


def chunk_to_power(chunk):
    """Return values that depend on rounding and on the chunk of an item."""
    matrix = np.sin(np.outer(chunk, np.arange(1, 200)))
    return matrix @ matrix.T


def equal(results, others):
    return all(np.array_equal(a, b) for a, b in zip(results, others, strict=True))


@pytest.mark.parametrize("n_jobs", [None, 1, 2])
def test_results_are_the_same_for_any_number_of_workers(n_jobs):
    with threadpool_limits(1, user_api="blas"):
        expected = [chunk_to_power(np.arange(a, b)) for a, b in [(0, 64), (64, 128), (128, 150)]]
    results = list(map_chunks(chunk_to_power, np.arange(150), n_jobs=n_jobs))
    assert equal(results, expected)


@pytest.mark.parametrize("n_jobs", [None, 2])
def test_joblib_decides_where_the_work_runs(n_jobs):
    expected = list(map_chunks(chunk_to_power, np.arange(300), n_jobs=None))
    with joblib.parallel_config(backend="threading", n_jobs=2):
        results = list(map_chunks(chunk_to_power, np.arange(300), n_jobs=n_jobs))
        threads = set(map_chunks(thread, range(300), n_jobs=n_jobs))
        processes = set(map_chunks(process, range(300), n_jobs=n_jobs))
    assert equal(results, expected)
    assert threading.get_ident() not in threads
    assert processes == {os.getpid()}


def first_is_slow(chunk):
    if 0 in chunk:
        time.sleep(0.3)
    return chunk[0]


def test_results_stay_in_order_when_later_chunks_finish_first():
    with joblib.parallel_config(backend="threading"):
        results = list(map_chunks(first_is_slow, range(5), n_jobs=2, chunk_size=1))
    assert results == [0, 1, 2, 3, 4]


def test_two_workers_are_other_processes():
    results = list(map_chunks(total_and_process, range(150), n_jobs=2))
    assert [total for total, _ in results] == [
        sum(range(64)),
        sum(range(64, 128)),
        sum(range(128, 150)),
    ]
    assert os.getpid() not in {number for _, number in results}


def test_a_single_chunk_starts_no_worker():
    assert list(map_chunks(process, range(CHUNK_SIZE), n_jobs=2)) == [os.getpid()]
    with joblib.parallel_config(backend="threading", n_jobs=2):
        assert list(map_chunks(thread, range(3), n_jobs=2)) == [threading.get_ident()]


class CannotStream(ThreadingBackend):
    supports_return_generator = False


def test_a_backend_that_cannot_stream_is_used_anyway():
    joblib.register_parallel_backend("cannot stream", CannotStream)
    with joblib.parallel_config(backend="cannot stream", n_jobs=2):
        assert list(map_chunks(sum, range(130), n_jobs=None)) == [2016, 6112, 257]


def test_results_are_yielded_before_all_work_is_done():
    done = []
    chunks = map_chunks(lambda chunk: done.append(len(chunk)), range(1000), n_jobs=None)
    next(chunks)
    chunks.close()
    assert len(done) < 1000 // CHUNK_SIZE


@pytest.mark.parametrize("n_jobs", [None, 2])
def test_an_exception_in_a_chunk_reaches_the_caller(n_jobs):
    with pytest.raises(ZeroDivisionError, match="130"):
        list(map_chunks(fail, range(200), n_jobs=n_jobs))


# --- one BLAS thread ---


def test_chunks_use_one_blas_thread(three_blas_threads):
    assert list(map_chunks(blas_threads, range(200), n_jobs=None)) == [1] * 4
    assert blas_threads() == 3


def test_the_number_of_blas_threads_is_restored(three_blas_threads):
    with single_blas_thread:
        assert blas_threads() == 1
        with single_blas_thread:
            assert blas_threads() == 1
        assert blas_threads() == 1
    assert blas_threads() == 3


def test_the_number_of_blas_threads_is_restored_after_an_exception(three_blas_threads):
    with pytest.raises(ZeroDivisionError):
        list(map_chunks(fail, range(200), n_jobs=None))
    assert blas_threads() == 3
    with joblib.parallel_config(backend="threading"), pytest.raises(ZeroDivisionError):
        list(map_chunks(fail, range(200), n_jobs=2))
    assert blas_threads() == 3


def test_the_first_thread_to_leave_keeps_the_limit_for_the_others(three_blas_threads):
    inside, leave, seen = threading.Barrier(2), threading.Event(), []

    def first():
        with single_blas_thread:
            inside.wait(10)

    def second():
        with single_blas_thread:
            inside.wait(10)
            leave.wait(10)
            seen.append(blas_threads())

    with ThreadPoolExecutor(2) as pool:
        early, late = pool.submit(first), pool.submit(second)
        early.result()
        leave.set()
        late.result()
    assert seen == [1]
    assert blas_threads() == 3


def test_the_last_thread_to_leave_restores_while_the_first_is_alive():
    before = blas_threads()
    if before == 1:
        pytest.skip("there is only one thread")
    inside, left, seen = threading.Barrier(2), threading.Event(), []

    def first():
        with single_blas_thread:
            inside.wait(10)
        left.set()

    def second():
        with single_blas_thread:
            inside.wait(10)
            left.wait(10)
        seen.append(blas_threads())

    with ThreadPoolExecutor(2) as pool:
        for task in [pool.submit(first), pool.submit(second)]:
            task.result()
    assert seen == [before]
    assert blas_threads() == before


def test_the_number_of_blas_threads_is_restored_after_many_threads(three_blas_threads):
    def enter(i):
        with single_blas_thread:
            return blas_threads()

    with ThreadPoolExecutor(8) as pool:
        assert set(pool.map(enter, range(100))) == {1}
    assert blas_threads() == 3

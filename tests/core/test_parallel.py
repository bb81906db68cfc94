import os
import threading
import time
from concurrent.futures import ThreadPoolExecutor

import joblib
import numpy as np
import pytest
from threadpoolctl import threadpool_info, threadpool_limits

from skdaf._core.parallel import CHUNK_SIZE, map_chunks, progress, single_thread

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
    """Another number than one, also on a machine with one core."""
    with threadpool_limits(3, user_api="blas"):
        if blas_threads() != 3:
            pytest.skip("this BLAS has no threads")
        yield


# Chunks.


def folder(chunk):
    return os.getcwd()


def test_relative_paths_mean_the_same_in_workers_after_a_change_of_folder(tmp_path, monkeypatch):
    for name in "ab":
        (tmp_path / name).mkdir()
        monkeypatch.chdir(tmp_path / name)
        folders = set(map_chunks(folder, range(200), n_jobs=2))
        assert folders == {str(tmp_path / name)}
        assert os.getcwd() == str(tmp_path / name)


def test_a_folder_that_is_gone_does_not_keep_workers_from_waveforms(tmp_path, monkeypatch):
    if os.name == "nt":
        pytest.skip("Windows keeps a folder in which somebody works")
    gone = tmp_path / "gone"
    gone.mkdir()
    monkeypatch.chdir(gone)
    gone.rmdir()
    assert sum(map_chunks(len, range(200), n_jobs=2)) == 200


@pytest.mark.parametrize("n", [1, 63, 64, 65, 128, 200])
def test_chunks_hold_every_item_once_and_in_order(n):
    chunks = list(map_chunks(list, range(n), n_jobs=None))
    assert [item for chunk in chunks for item in chunk] == list(range(n))
    assert {len(chunk) for chunk in chunks[:-1]} <= {CHUNK_SIZE}
    assert 1 <= len(chunks[-1]) <= CHUNK_SIZE


@pytest.mark.parametrize("n", [1, 500])
def test_no_workers_at_all_are_an_error(n):
    with pytest.raises(ValueError, match="n_jobs=0 has no meaning"):
        list(map_chunks(list, range(n), n_jobs=0))


def test_the_size_of_chunks_is_a_choice():
    assert list(map_chunks(list, range(5), n_jobs=None, chunk_size=2)) == [[0, 1], [2, 3], [4]]


def test_no_items_make_no_chunks():
    assert list(map_chunks(fail, [], n_jobs=None)) == []


def chunk_to_power(chunk):
    """Something that shows rounding, and in which chunk an item was."""
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


def test_one_chunk_starts_no_worker():
    assert list(map_chunks(process, range(CHUNK_SIZE), n_jobs=2)) == [os.getpid()]
    with joblib.parallel_config(backend="threading", n_jobs=2):
        assert list(map_chunks(thread, range(3), n_jobs=2)) == [threading.get_ident()]


def test_a_backend_that_cannot_stream_is_used_all_the_same(monkeypatch):
    parallel = joblib.Parallel

    def cannot_stream(*args, return_as="list", **kwargs):
        if return_as != "list":
            raise ValueError("this backend does not support return_as")
        return parallel(*args, **kwargs)

    monkeypatch.setattr("skdaf._core.parallel.Parallel", cannot_stream)
    assert list(map_chunks(sum, range(130), n_jobs=None)) == [2016, 6112, 257]


def test_results_come_before_all_the_work_is_done():
    done = []
    chunks = map_chunks(lambda chunk: done.append(len(chunk)), range(1000), n_jobs=None)
    next(chunks)
    chunks.close()
    assert len(done) < 1000 // CHUNK_SIZE


@pytest.mark.parametrize("n_jobs", [None, 2])
def test_an_exception_of_a_chunk_reaches_the_caller(n_jobs):
    with pytest.raises(ZeroDivisionError, match="130"):
        list(map_chunks(fail, range(200), n_jobs=n_jobs))


# One thread for linear algebra.


def test_chunks_compute_on_one_blas_thread(three_blas_threads):
    assert list(map_chunks(blas_threads, range(200), n_jobs=None)) == [1] * 4
    assert blas_threads() == 3


def test_the_number_of_blas_threads_comes_back(three_blas_threads):
    with single_thread:
        assert blas_threads() == 1
        with single_thread:
            assert blas_threads() == 1
        assert blas_threads() == 1
    assert blas_threads() == 3


def test_the_number_of_blas_threads_comes_back_after_an_exception(three_blas_threads):
    with pytest.raises(ZeroDivisionError):
        list(map_chunks(fail, range(200), n_jobs=None))
    assert blas_threads() == 3
    with joblib.parallel_config(backend="threading"), pytest.raises(ZeroDivisionError):
        list(map_chunks(fail, range(200), n_jobs=2))
    assert blas_threads() == 3


def test_the_first_to_leave_does_not_lift_the_limit_of_the_others(three_blas_threads):
    inside, leave, seen = threading.Barrier(2), threading.Event(), []

    def first():
        with single_thread:
            inside.wait(10)

    def second():
        with single_thread:
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


def test_the_last_to_leave_restores_while_the_first_lives_on():
    before = blas_threads()
    if before == 1:
        pytest.skip("one thread is all there is")
    inside, left, seen = threading.Barrier(2), threading.Event(), []

    def first():
        with single_thread:
            inside.wait(10)
        left.set()

    def second():
        with single_thread:
            inside.wait(10)
            left.wait(10)
        seen.append(blas_threads())

    with ThreadPoolExecutor(2) as pool:
        for task in [pool.submit(first), pool.submit(second)]:
            task.result()
    assert seen == [before]
    assert blas_threads() == before


def test_the_number_of_blas_threads_comes_back_after_many_threads(three_blas_threads):
    def enter(i):
        with single_thread:
            return blas_threads()

    with ThreadPoolExecutor(8) as pool:
        assert set(pool.map(enter, range(100))) == {1}
    assert blas_threads() == 3


# The progress bar.


@pytest.mark.parametrize("n", [10, 200])
def test_nothing_is_shown_without_being_asked(capfd, n):
    list(map_chunks(len, range(n), n_jobs=None, description="Work"))
    assert capfd.readouterr() == ("", "")


@pytest.mark.parametrize("n", [10, 200])
def test_the_bar_is_on_stderr_and_reaches_the_end(capfd, n):
    list(map_chunks(len, range(n), n_jobs=None, verbose=1, description="Work"))
    out, err = capfd.readouterr()
    assert out == ""
    assert "Work: 100%" in err
    assert f"{n}/{n}" in err


def test_the_bar_shows_figures(capfd):
    with progress(2, "Epochs", "epoch", 1) as advance:
        advance(1)
        advance(1, loss=0.25)
    assert "loss=0.25" in capfd.readouterr().err
    with progress(2, "Epochs", "epoch", 0) as advance:
        advance(1, loss=0.25)
    assert capfd.readouterr() == ("", "")

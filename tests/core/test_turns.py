"""Threads that take turns at short work."""

import threading
import time
from concurrent.futures import ThreadPoolExecutor

import pytest

from skdaf._core.turns import Turns


def test_short_functions_run_one_after_the_other(monkeypatch):
    # On a busy machine, anything can take long.
    monkeypatch.setattr("skdaf._core.turns._PATIENCE", 60)
    monkeypatch.setattr("skdaf._core.turns._SHORT", 60)
    turns, inside, most = Turns(), [], []

    def work(number):
        inside.append(number)
        time.sleep(1e-4)  # lets other threads run
        most.append(len(inside))
        inside.remove(number)
        return number

    with ThreadPoolExecutor(4) as pool:
        results = list(pool.map(lambda number: turns.run(work, number), range(40)))
    assert results == list(range(40))
    assert max(most) == 1


def test_nobody_waits_long_for_a_thread_that_keeps_its_turn():
    turns, is_inside, may_end = Turns(), threading.Event(), threading.Event()

    def keep():
        is_inside.set()
        return may_end.wait(10)

    thread = threading.Thread(target=turns.run, args=[keep])
    thread.start()
    assert is_inside.wait(10)
    assert turns.run(str, 5) == "5"
    assert not may_end.is_set()
    may_end.set()
    thread.join()


def test_long_functions_run_side_by_side():
    turns, both_inside = Turns(), threading.Barrier(2)

    def work():
        began = time.thread_time()
        while time.thread_time() - began < 0.002:
            pass

    turns.run(work)
    with ThreadPoolExecutor(2) as pool:
        # The barrier opens only if both threads are inside at the same time.
        waiting = [pool.submit(turns.run, both_inside.wait, 10) for _ in range(2)]
        assert sorted(future.result() for future in waiting) == [0, 1]


def test_nested_calls_and_errors(monkeypatch):
    turns = Turns()
    assert turns.run(turns.run, int, "7") == 7
    with pytest.raises(ValueError, match="invalid literal"):
        turns.run(int, "x")
    # Another thread gets its turn at once, because the error ended this one.
    monkeypatch.setattr("skdaf._core.turns._PATIENCE", -1)
    with ThreadPoolExecutor(1) as pool:
        assert pool.submit(turns.run, abs, -1).result(timeout=10) == 1

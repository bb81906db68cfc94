import threading

import pytest
import torch

from skdaf._networks.device import single_torch_thread
from skdaf._networks.threads import WorkerThreads

pytestmark = pytest.mark.oldest


@pytest.mark.parametrize("n_threads", [1, 3])
def test_results_are_in_order_and_the_first_call_runs_in_the_calling_thread(n_threads):
    def work(value, factor):
        return value * factor, threading.current_thread(), torch.get_num_threads()

    with single_torch_thread, WorkerThreads(n_threads) as workers:
        results = workers.map(work, [1, 2, 3], [10, 100, 1000])
    values, threads, n_torch_threads = zip(*results, strict=True)
    assert values == (10, 200, 3000)
    assert threads[0] is threading.current_thread()
    assert (threading.current_thread() in threads[1:]) == (n_threads == 1)
    assert n_torch_threads == (1, 1, 1)


def test_an_error_of_any_thread_is_raised_and_all_threads_end():
    def work(value):
        return 1 // value

    before = threading.active_count()
    for values in ([0, 1], [1, 0]):
        with pytest.raises(ZeroDivisionError), WorkerThreads(2) as workers:
            workers.map(work, values)
    assert threading.active_count() == before

"""Contexts that threads share: begun once, ended once, and left before the interpreter ends."""

import os
import subprocess
import sys
import textwrap
import threading
from concurrent.futures import ThreadPoolExecutor

import pytest

from skdaf._shared import SharedContext, leave_if_closing


class Noting(SharedContext):
    def __init__(self):
        super().__init__()
        self.notes = []

    def begin(self):
        self.notes.append("begin")

    def end(self):
        self.notes.append("end")


def run(code):
    """Run Python in a process of its own; return what it prints."""
    result = subprocess.run(
        [sys.executable, "-c", textwrap.dedent(code)],
        cwd=os.path.dirname(__file__),
        capture_output=True,
        text=True,
        timeout=60,
    )
    assert (result.returncode, result.stderr) == (0, "")
    return result.stdout


def test_it_begins_once_and_ends_once():
    context = Noting()
    with context:
        with context:
            assert context.notes == ["begin"]
        assert context.notes == ["begin"]
    assert context.notes == ["begin", "end"]


def test_an_exception_ends_it():
    context = Noting()
    with pytest.raises(KeyError), context:
        raise KeyError
    assert context.notes == ["begin", "end"]


def test_the_last_thread_ends_it():
    context, both_inside = Noting(), threading.Barrier(2)

    def visit():
        with context:
            both_inside.wait(10)

    with ThreadPoolExecutor(2) as pool:
        for visits in [pool.submit(visit), pool.submit(visit)]:
            visits.result()
    assert context.notes == ["begin", "end"]


@pytest.mark.skipif(not hasattr(os, "fork"), reason="needs fork")
def test_in_a_forked_child_nobody_is_inside():
    notes = run(
        """
        import os, sys, threading, time, warnings
        from test_shared import Noting
        context, inside, leave = Noting(), threading.Event(), threading.Event()
        def stay():
            with context:
                inside.set()
                leave.wait()
        threading.Thread(target=stay, daemon=True).start()
        inside.wait()
        warnings.simplefilter("ignore")  # what a fork with threads may lead to is what is tested
        child = os.fork()
        if not child:
            print(context.notes, flush=True)
            with context:
                print(context.notes, flush=True)
            sys.exit()  # as quickly as if there had been no thread
        start = time.monotonic()
        assert os.waitpid(child, 0)[1] == 0
        assert time.monotonic() - start < 5
        leave.set()
        """
    )
    assert notes == "['begin', 'end']\n['begin', 'end', 'begin']\n"


def test_the_end_of_the_interpreter_waits_for_daemons_and_tells_them_to_leave():
    printed = run(
        """
        import threading, time
        from skdaf._shared import SharedContext, leave_if_closing
        context, inside = SharedContext(), threading.Event()
        def work():
            with context:
                inside.set()
                try:
                    while True:
                        leave_if_closing()
                        time.sleep(0.01)
                finally:
                    print("left")
        threading.Thread(target=work, daemon=True).start()
        inside.wait()
        """
    )
    assert printed == "left\n"


def test_work_at_the_end_of_the_interpreter_is_not_refused():
    printed = run(
        """
        import atexit
        def work():
            with context:
                leave_if_closing()
                print("worked")
        atexit.register(work)  # before those that close: its turn comes after theirs
        from skdaf._shared import SharedContext, leave_if_closing
        context = SharedContext()
        """
    )
    assert printed == "worked\n"


def test_threads_go_on_while_the_interpreter_does():
    with ThreadPoolExecutor(1) as pool:
        assert pool.submit(leave_if_closing).result() is None
    leave_if_closing()

"""Contexts that threads share: begun once, ended once, and left before the interpreter ends."""

import os
import signal
import subprocess
import sys
import textwrap
import threading
import time
from concurrent.futures import ThreadPoolExecutor

import pytest

from skdaf._core.contexts import SharedContext, leave_if_closing, leave_if_main_thread_ended

pytestmark = pytest.mark.oldest


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
        from test_contexts import Noting
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


def test_the_end_of_the_interpreter_ends_daemons_in_this_package_and_waits_for_them():
    printed = run(
        """
        import threading, time
        from skdaf._core.contexts import SharedContext
        entered = threading.Event()
        class Endless(SharedContext):
            def begin(self):  # called by a function of the package
                entered.set()
                try:
                    while True:
                        time.sleep(0.01)
                finally:
                    time.sleep(0.1)
                    print("left")
        def work():
            with Endless():
                pass
        threading.Thread(target=work, daemon=True).start()
        entered.wait()
        """
    )
    assert printed == "left\n"


def test_other_daemons_are_left_alone():
    start = time.monotonic()
    printed = run(
        """
        import atexit, threading, time
        atexit.register(lambda: print(other.is_alive()))
        import skdaf._core.contexts
        other = threading.Thread(target=time.sleep, args=[1000], daemon=True)
        other.start()
        """
    )
    assert printed == "True\n"
    assert time.monotonic() - start < 9


# The end comes while these work in daemon threads.
WORK = {
    "a training": "CNNAudioClassifier(max_epochs=10_000, early_stopping=False).fit(X, y)",
    "predictions": "while True: fitted.predict(X)",
    "workers": "while True: SpectrogramTransformer(n_jobs=2).fit_transform(X)",
}


@pytest.mark.parametrize(
    ("name", "end", "statuses"),
    [
        ("a training", "", {0}),
        ("predictions", "raise KeyboardInterrupt", {1, 130, -signal.SIGINT}),
        ("workers", "sys.exit(3)", {3}),
    ],
)
def test_a_program_ends_as_it_should_while_daemon_threads_work(name, end, statuses):
    code = f"""
        import sys, threading, time, joblib, numpy as np
        from skdaf import CNNAudioClassifier, SpectrogramTransformer
        X, y = np.random.default_rng(0).normal(size=(200, 4000)), np.arange(200) % 2
        fitted = CNNAudioClassifier(max_epochs=1, channels=(4,)).fit(X, y)
        def work():
            with joblib.parallel_config("threading"):
                {WORK[name]}
        for _ in range(2):
            threading.Thread(target=work, daemon=True).start()
        time.sleep(0.5)
        print("end", flush=True)
        {end}
    """
    result = subprocess.run(
        [sys.executable, "-c", textwrap.dedent(code)], capture_output=True, text=True, timeout=60
    )
    assert result.stdout == "end\n"
    assert result.returncode in statuses
    # What is said is the program's own exception, if any.
    assert result.stderr.count("Traceback") == ("raise" in end)
    assert "Exception in thread" not in result.stderr


def test_a_training_goes_on_after_the_main_thread_has_ended():
    printed = run(
        """
        import threading, time, numpy as np
        from skdaf import CNNAudioClassifier
        X, y = np.random.default_rng(0).normal(size=(64, 20, 8)), np.arange(64) % 2
        def fit():
            classifier = CNNAudioClassifier(max_epochs=2, batch_size=32, random_state=0)
            return classifier.fit(X, y).history_
        expected = fit()
        def work():
            threading.main_thread().join()
            time.sleep(0.2)
            print(fit() == expected)
        threading.Thread(target=work).start()
        """
    )
    assert printed == "True\n"


def test_work_at_the_end_of_the_interpreter_is_not_refused():
    printed = run(
        """
        import atexit
        def work():
            with context:
                leave_if_closing()
                print("worked")
        atexit.register(work)  # before those that close: its turn comes after theirs
        from skdaf._core.contexts import SharedContext, leave_if_closing
        context = SharedContext()
        """
    )
    assert printed == "worked\n"


@pytest.mark.parametrize("daemon", [True, False])
@pytest.mark.parametrize("has_ended", [True, False])
def test_errors_after_the_end_of_the_main_thread_end_daemons_only(monkeypatch, daemon, has_ended):
    outcomes = []

    def fail():
        try:
            leave_if_main_thread_ended()
            outcomes.append("went on")
        except SystemExit:
            outcomes.append("ended")

    thread = threading.Thread(target=fail, daemon=daemon)
    if has_ended:
        monkeypatch.setattr(threading, "main_thread", threading.Thread)  # one that does not run
    thread.start()
    thread.join()
    assert outcomes == (["ended"] if daemon and has_ended else ["went on"])


def test_threads_go_on_while_the_interpreter_does():
    with ThreadPoolExecutor(1) as pool:
        assert pool.submit(leave_if_closing).result() is None
    leave_if_closing()

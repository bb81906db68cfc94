"""Contexts that threads share, and daemon threads at the end of the interpreter."""

import os
import signal
import subprocess
import sys
import textwrap
import threading
import time
from concurrent.futures import ThreadPoolExecutor

import pytest
from helpers import run_python

from skdaf._core.contexts import SharedContext, exit_thread_at_shutdown, exit_thread_if_main_ended

pytestmark = pytest.mark.oldest


class Recorder(SharedContext):
    """Records the calls of its methods."""

    def __init__(self):
        super().__init__()
        self.calls = []

    def begin(self):
        self.calls.append("begin")

    def end(self):
        self.calls.append("end")


def run(code):
    """Run Python in a process of its own; return all that it prints, errors included."""
    streams = {"capture_output": False, "stdout": subprocess.PIPE, "stderr": subprocess.STDOUT}
    return run_python(code, timeout=60, **streams)


def test_it_begins_once_and_ends_once():
    context = Recorder()
    with context:
        with context:
            assert context.calls == ["begin"]
        assert context.calls == ["begin"]
    assert context.calls == ["begin", "end"]


def test_an_exception_ends_it():
    context = Recorder()
    with pytest.raises(KeyError), context:
        raise KeyError
    assert context.calls == ["begin", "end"]


def test_the_last_thread_ends_it():
    context, both_inside = Recorder(), threading.Barrier(2)

    def visit():
        with context:
            both_inside.wait(10)

    with ThreadPoolExecutor(2) as pool:
        for visits in [pool.submit(visit), pool.submit(visit)]:
            visits.result()
    assert context.calls == ["begin", "end"]


@pytest.mark.skipif(not hasattr(os, "fork"), reason="needs fork")
def test_no_thread_is_inside_in_a_forked_child():
    calls = run(
        """
        import os, sys, threading, time, warnings
        from skdaf._core.contexts import SharedContext
        class Recorder(SharedContext):
            calls = []
            def begin(self):
                self.calls.append("begin")
            def end(self):
                self.calls.append("end")
        context, inside, leave = Recorder(), threading.Event(), threading.Event()
        def stay():
            with context:
                inside.set()
                leave.wait()
        threading.Thread(target=stay, daemon=True).start()
        inside.wait()
        warnings.simplefilter("ignore")  # about forks of processes with threads
        child = os.fork()
        if not child:
            print(context.calls, flush=True)
            with context:
                print(context.calls, flush=True)
            sys.exit()  # without waiting for the thread
        start = time.monotonic()
        assert os.waitpid(child, 0)[1] == 0
        assert time.monotonic() - start < 5
        leave.set()
        """
    )
    assert calls == "['begin', 'end']\n['begin', 'end', 'begin']\n"


def test_daemon_threads_in_this_package_end_at_exit():
    printed = run(
        """
        import threading, time
        from skdaf._core.contexts import SharedContext
        entered = threading.Event()
        class Endless(SharedContext):
            def begin(self):  # a function of the package calls it
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


def test_daemon_threads_in_a_destructor_end_at_exit():
    start = time.monotonic()
    printed = run(
        """
        import threading, time
        from skdaf._core.contexts import SharedContext
        entered = threading.Event()
        class Endless:
            def __del__(self):
                entered.set()
                while True:
                    time.sleep(0.01)
        class Broken:
            def __del__(self):
                raise ValueError("of its own")
        class Context(SharedContext):
            def begin(self):  # a function of the package calls it
                try:
                    Endless()
                    Broken()
                    while True:
                        time.sleep(0.01)
                finally:
                    print("left")
        def work():
            with Context():
                pass
        threading.Thread(target=work, daemon=True).start()
        entered.wait()
        """
    )
    assert printed.endswith("left\n")
    assert printed.count("Traceback") == 1
    assert "ValueError: of its own" in printed
    assert time.monotonic() - start < 9


def test_other_daemon_threads_do_not_end():
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


# What a program prepares, and the work of its daemon threads while it exits. Only networks need
# torch, which takes long to import.
PREPARATION = {
    "a training": "from skdaf import CNNAudioClassifier",
    "predictions": "from skdaf import CNNAudioClassifier\n"
    "        fitted = CNNAudioClassifier(max_epochs=1).fit(X[:20], y[:20])",
    "workers": "",
}
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
def test_a_program_exits_normally_while_daemon_threads_work(name, end, statuses):
    code = f"""
        import sys, threading, time, joblib, numpy as np
        from skdaf import SpectrogramTransformer
        X, y = np.random.default_rng(0).normal(size=(200, 4000)), np.arange(200) % 2
        {PREPARATION[name]}
        def work():
            with joblib.parallel_config("threading"):
                {WORK[name]}
        for _ in range(2):
            threading.Thread(target=work, daemon=True).start()
        time.sleep(0.3)
        print("end", flush=True)
        {end}
    """
    result = subprocess.run(
        [sys.executable, "-c", textwrap.dedent(code)], capture_output=True, text=True, timeout=60
    )
    assert result.stdout == "end\n"
    assert result.returncode in statuses
    # Only the exception of the program itself is shown.
    assert result.stderr.count("Traceback") == ("raise" in end)
    assert "Exception in thread" not in result.stderr


def test_training_continues_after_the_main_thread_has_ended():
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


def test_work_at_exit_is_allowed():
    printed = run(
        """
        import atexit
        def work():
            with context:
                exit_thread_at_shutdown()
                print("worked")
        atexit.register(work)  # registered first, so it runs last
        from skdaf._core.contexts import SharedContext, exit_thread_at_shutdown
        context = SharedContext()
        """
    )
    assert printed == "worked\n"


@pytest.mark.parametrize("daemon", [True, False])
@pytest.mark.parametrize("has_ended", [True, False])
def test_errors_after_the_main_thread_has_ended_end_only_daemons(monkeypatch, daemon, has_ended):
    outcomes = []

    def fail():
        try:
            exit_thread_if_main_ended()
            outcomes.append("continued")
        except SystemExit:
            outcomes.append("ended")

    thread = threading.Thread(target=fail, daemon=daemon)
    if has_ended:
        monkeypatch.setattr(threading, "main_thread", threading.Thread)  # one that does not run
    thread.start()
    thread.join()
    assert outcomes == (["ended"] if daemon and has_ended else ["continued"])


def test_threads_continue_while_the_interpreter_runs():
    with ThreadPoolExecutor(1) as pool:
        assert pool.submit(exit_thread_at_shutdown).result() is None
    exit_thread_at_shutdown()

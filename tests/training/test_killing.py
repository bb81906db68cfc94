"""Processes that are killed while they train or write, and continue."""

import os
import pickle
import signal
import subprocess
import sys
import time

import numpy as np
import pytest
from sklearn.model_selection import GridSearchCV
from training_helpers import (
    EpochCounter,
    make_classifier,
    make_spectrograms,
    results,
    same_trees,
)

from skdaf._training.checkpoint import unpack

pytestmark = pytest.mark.oldest

# The start of scripts that run fits in forked children, and kill them.
FORKS = """
import os, pickle, random, signal, sys, time
from contextlib import suppress
from pathlib import Path
sys.path.insert(0, sys.argv[1])
from training_helpers import make_classifier, make_spectrograms, results

X, y = make_spectrograms()

def fit(result, **values):
    Path(result).write_bytes(pickle.dumps(results(make_classifier(**values).fit(X, y), X)))

def start(function, *args, **values):
    child = os.fork()
    if child:
        return child
    try:
        function(*args, **values)
    finally:
        sys.stdout.flush()
        os._exit(sys.exc_info()[0] is not None)

def wait_for(child):
    return os.waitpid(child, 0)[1]
"""

AT_ANY_MOMENT = """
random.seed(0)
values = {"max_epochs": 60, "patience": 60}
assert wait_for(start(fit, "expected", **values)) == 0
folder = Path("folder")

def written():
    times = []
    for path in folder.glob("C*.checkpoint"):
        with suppress(FileNotFoundError):  # while it is being replaced
            times.append(path.stat().st_mtime_ns)
    return times

n_kills = 0
while not Path("result").exists():
    before, child = written(), start(fit, "result", checkpoint=folder, **values)
    while written() == before and os.waitid(
        os.P_PID, child, os.WEXITED | os.WNOHANG | os.WNOWAIT
    ) is None:
        time.sleep(0.001)
    time.sleep(random.uniform(0, 0.08))
    if n_kills < 12:
        os.kill(child, signal.SIGKILL)
    n_kills += wait_for(child) == signal.SIGKILL
print(n_kills)
"""

AT_EVERY_CALL = """
from skdaf._training import checkpoint as _checkpoint

class Half:
    def __init__(self, path, mode):
        self.file = open(path, mode)
    def __enter__(self):
        return self
    def __exit__(self, *error):
        self.file.close()
    def __getattr__(self, name):
        return getattr(self.file, name)
    def write(self, content):
        self.file.write(content[: len(content) // 2])
        self.file.flush()
        counted(self.file.write)(content[len(content) // 2 :])

def counted(function):
    def call(*args, **kwargs):
        global n_left
        n_left -= 1
        if n_left == 0:
            os.kill(os.getpid(), signal.SIGKILL)
        return function(*args, **kwargs)
    return call

def fit_and_die(n_calls, **values):
    global n_left
    n_left = n_calls
    _checkpoint.open = Half
    for name in ("fsync", "replace"):
        setattr(os, name, counted(getattr(os, name)))
    Path.unlink = counted(Path.unlink)
    fit("ended", **values)

values = {"max_epochs": 2}
assert wait_for(start(fit, "expected", **values)) == 0
expected = Path("expected").read_bytes()
n_kills = 0
while not Path("ended").exists():
    n_kills += 1
    values["checkpoint"] = f"{n_kills}"
    status = wait_for(start(fit_and_die, n_kills, **values))
    assert status == (0 if Path("ended").exists() else signal.SIGKILL), status
    assert wait_for(start(fit, "result", **values)) == 0
    assert Path("result").read_bytes() == expected, n_kills
    (left,) = os.listdir(values["checkpoint"])
    assert left.startswith("C"), left
print(n_kills - 1)
"""

forks = pytest.mark.skipif(not hasattr(os, "fork"), reason="needs fork")


def run_forks(code, folder):
    result = subprocess.run(
        [sys.executable, "-W", "error", "-c", FORKS + code, os.path.dirname(__file__)],
        cwd=folder,
        capture_output=True,
        text=True,
        timeout=120,
    )
    assert result.returncode == 0, result.stderr
    return int(result.stdout)


@forks
@pytest.mark.slow
def test_a_fit_killed_many_times_at_any_moment_ends_with_the_same_bytes(tmp_path):
    assert run_forks(AT_ANY_MOMENT, tmp_path) >= 5
    expected, result = (
        pickle.loads((tmp_path / name).read_bytes()) for name in ("expected", "result")
    )
    assert len(result[1]["train_loss"]) == 60
    assert same_trees(result, expected)
    (left,) = os.listdir(tmp_path / "folder")
    assert left.endswith(".checkpoint")


@forks
@pytest.mark.slow
def test_a_fit_killed_in_any_step_of_writing_ends_with_the_same_bytes(tmp_path):
    assert run_forks(AT_EVERY_CALL, tmp_path) >= 10


SEARCH = """
import sys
sys.path.insert(0, sys.argv[1])
from test_killing import search
from training_helpers import make_spectrograms

search("folder", n_jobs=2).fit(*make_spectrograms())
"""


def search(checkpoint=None, n_jobs=None):
    model = make_classifier(checkpoint, max_epochs=25, early_stopping=False)
    return GridSearchCV(model, {"learning_rate": [1e-2, 3e-3]}, cv=2, n_jobs=n_jobs)


def epochs_in(folder):
    """Return the number of epochs in each checkpoint of a folder."""
    contents = [unpack(path.read_bytes()) for path in folder.glob("C*.checkpoint")]
    return [len(content["state"]["progress"]["history"]["train_loss"]) for content in contents]


def wait_for_workers(group):
    """Wait until killed workers are gone: until then, one may be replacing a checkpoint."""
    for _ in range(1000):
        try:
            os.killpg(group, 0)
        except ProcessLookupError:
            return
        time.sleep(0.01)


@pytest.mark.skipif(sys.platform == "win32", reason="kills a group of processes")
@pytest.mark.slow
def test_a_killed_search_whose_workers_share_a_folder_continues(tmp_path):
    X, y = make_spectrograms()
    folder = tmp_path / "folder"
    process = subprocess.Popen(
        [sys.executable, "-c", SEARCH, os.path.dirname(__file__)],
        cwd=tmp_path,
        start_new_session=True,
    )
    while len(list(folder.glob("C*.checkpoint"))) < 3:
        assert process.poll() is None
        time.sleep(0.005)
    os.killpg(process.pid, signal.SIGKILL)
    process.wait()
    wait_for_workers(process.pid)
    epochs_before = epochs_in(folder)
    plain = search().fit(X, y)
    with pytest.MonkeyPatch.context() as monkeypatch:
        epochs = EpochCounter(monkeypatch)
        resumed = search(folder).fit(X, y)
    # Two candidates, two folds and the final fit.
    assert epochs_in(folder) == [25] * 5
    assert epochs.n + sum(epochs_before) == 5 * 25
    for name in ("mean_test_score", "std_test_score"):
        np.testing.assert_array_equal(resumed.cv_results_[name], plain.cv_results_[name])
    assert same_trees(results(resumed.best_estimator_, X), results(plain.best_estimator_, X))

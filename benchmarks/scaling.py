"""The effect of a second worker on computing spectrograms of many files, and on a search.

    python -m benchmarks.scaling [--jobs 1 2] [--backends loky threading] [--clips 3000]
        [--epochs 5] [--repeats 3]

There are three tasks: `SpectrogramTransformer().fit_transform` of short files (spoken digits) and
of long ones (synthetic music of 5 s at 44.1 kHz), and a `GridSearchCV` over four candidates in two
folds on some of the spoken digits, without refitting. In each of several rounds, every number of
workers takes a turn. A round that does not count starts the workers and fills the system's page
cache. Times are medians, and ratios are medians of the ratios within a round. All numbers of
workers must produce the same bytes.

"cores in use" is the processor time of this process and its workers divided by the elapsed time. If
it is less than the number of workers, they are waiting. If the same work takes more processor time,
the workers compete for memory, caches, or the other half of a core.

`--backends dask` starts a cluster with as many processes on this machine; requires
dask.distributed.
"""

import argparse
import contextlib
import os
import statistics
import tempfile
import time
from pathlib import Path

import joblib
import numpy as np
import psutil
from sklearn.model_selection import GridSearchCV

from benchmarks import _fsdd
from benchmarks._chords import write_chords
from skdaf import CNNAudioClassifier, SpectrogramTransformer

RATE, SECONDS = 44100, 5.0


def spectrograms_of(paths, n_jobs):
    return SpectrogramTransformer(n_jobs=n_jobs).fit_transform(paths)


def search_over(paths, labels, epochs, n_jobs):
    search = GridSearchCV(
        CNNAudioClassifier(max_epochs=epochs, random_state=0),
        {"learning_rate": [1e-3, 3e-3], "dropout": [0.1, 0.3]},
        scoring="neg_log_loss",
        cv=2,
        n_jobs=n_jobs,
        refit=False,
    )
    return search.fit(paths, labels).cv_results_["mean_test_score"]


@contextlib.contextmanager
def workers(backend, n_jobs):
    """Start workers of a backend, and wait until they are ready."""
    with contextlib.ExitStack() as stack:
        if backend == "dask":
            from dask.distributed import Client, LocalCluster

            cluster = LocalCluster(
                n_workers=n_jobs,
                threads_per_worker=1,
                host="127.0.0.1",
                dashboard_address="127.0.0.1:0",
            )
            stack.enter_context(Client(stack.enter_context(cluster)))
        stack.enter_context(joblib.parallel_config(backend=backend, n_jobs=n_jobs))
        yield


def processor_time():
    """Return the processor time in seconds of this process and all its descendants."""
    this = psutil.Process()
    total = 0.0
    for process in [this, *this.children(recursive=True)]:
        with contextlib.suppress(psutil.Error):
            times = process.cpu_times()
            total += times.user + times.system
    return total


def measure(work, n_jobs):
    before, begin = processor_time(), time.perf_counter()
    result = work(n_jobs)
    elapsed = time.perf_counter() - begin
    return elapsed, processor_time() - before, np.asarray(result).tobytes()


def compare(work, backend, jobs, n_repeats):
    """Return {number of workers: [(elapsed, processor time) of each round]}."""
    times, results = {n_jobs: [] for n_jobs in jobs}, set()
    for turn in range(n_repeats + 1):
        for n_jobs in jobs:
            with workers(backend, n_jobs):
                if backend == "dask":
                    work(n_jobs)  # a new cluster each time
                *numbers, result = measure(work, n_jobs)
            results.add(result)
            if turn > 0:
                times[n_jobs].append(numbers)
    if len(results) != 1:
        raise AssertionError("the results depend on the number of workers")
    return times


def row(name, backend, n_jobs, times):
    elapsed = statistics.median(one for one, _ in times[n_jobs])
    computed = statistics.median(one for _, one in times[n_jobs])
    first = times[min(times)]
    ratio = statistics.median(
        one / this for (one, _), (this, _) in zip(first, times[n_jobs], strict=True)
    )
    return (
        f"| {name} | {backend} | {n_jobs} | {elapsed:.2f} | {ratio:.2f} | {computed:.2f} "
        f"| {computed / elapsed:.2f} |"
    )


def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--jobs", type=int, nargs="+", default=[1, 2])
    parser.add_argument("--backends", nargs="+", default=["loky", "threading"])
    parser.add_argument("--clips", type=int, default=3000, help="how many of the spoken digits")
    parser.add_argument("--long-clips", type=int, default=200)
    parser.add_argument("--search-clips", type=int, default=600)
    parser.add_argument("--epochs", type=int, default=5)
    parser.add_argument("--repeats", type=int, default=3)
    arguments = parser.parse_args()
    paths, digits, _, _ = _fsdd.load()
    few = np.linspace(0, len(paths) - 1, arguments.search_clips).astype(int)
    with tempfile.TemporaryDirectory() as folder:
        chords = write_chords(Path(folder), arguments.long_clips, RATE, SECONDS)
        jobs = {
            f"{arguments.clips} short files": lambda n: spectrograms_of(
                paths[: arguments.clips], n
            ),
            f"{arguments.long_clips} long files": lambda n: spectrograms_of(chords, n),
            f"search, {arguments.search_clips} clips, {arguments.epochs} epochs": lambda n: (
                search_over(paths[few], digits[few], arguments.epochs, n)
            ),
        }
        print(f"{os.cpu_count()} cores; medians of {arguments.repeats} rounds\n")
        print(
            "| work | backend | workers | time (s) | time of one worker / time "
            "| processor time (s) | cores in use |"
        )
        print("|---" * 7 + "|")
        for name, work in jobs.items():
            for backend in arguments.backends:
                times = compare(work, backend, arguments.jobs, arguments.repeats)
                for n_jobs in arguments.jobs:
                    print(row(name, backend, n_jobs, times), flush=True)


if __name__ == "__main__":
    main()

"""Spectrograms, predictions and a search on the workers of a cluster, through joblib.

    python -m benchmarks.cluster [--backends dask ray] [--workers 1 2 4] [--clips 20000]
        [--search-clips 600] [--epochs 5] [--repeats 3]

The cluster is on this machine: its workers are processes that communicate through TCP. With more
workers than cores, the elapsed time says nothing about a real cluster, but the processor time does.
Backends that are not installed are skipped.

- transform: `SpectrogramTransformer().fit_transform` of short files
- predict: `predict` of a fitted classifier for a thousand files at a time, on the workers
- search: `GridSearchCV` over four candidates in two folds of the spoken digits, without refitting

"workers" and "script" are the processor time of all workers, and of the process with the script
and dask's scheduler. "one process" is the same work without a cluster, in turns with it, and
"efficiency" is its processor time divided by that of the cluster. "sent" and "received" are the
bytes per clip that this process writes to and reads from its connections, which include those
between script and scheduler; ray does not report them. All results must have the same bytes.
"""

import argparse
import contextlib
import importlib.util
import statistics
import tempfile
import time
from dataclasses import astuple, dataclass
from functools import partial

import joblib
import numpy as np
import psutil
from joblib import Parallel, delayed
from sklearn.model_selection import GridSearchCV

from benchmarks import _fsdd
from benchmarks.many_clips import classifier, load, write_clips
from benchmarks.memory import row, table
from skdaf import CNNAudioClassifier, SpectrogramTransformer

# The package that a backend needs.
PACKAGES = {"dask": "distributed", "ray": "ray"}

FILES_PER_TASK = 1000


# --- the work -------------------------------------------------------------------------------------


def transform(paths):
    return SpectrogramTransformer().fit_transform(paths)


def predict(model, paths):
    parts = [paths[i : i + FILES_PER_TASK] for i in range(0, len(paths), FILES_PER_TASK)]
    return np.concatenate(Parallel()(delayed(model.predict)(part) for part in parts))


def search(paths, labels, epochs):
    found = GridSearchCV(
        CNNAudioClassifier(max_epochs=epochs, random_state=0),
        {"learning_rate": [1e-3, 3e-3], "dropout": [0.1, 0.3]},
        scoring="neg_log_loss",
        cv=2,
        refit=False,
    )
    return found.fit(paths, labels).cv_results_["mean_test_score"]


# --- the cluster ----------------------------------------------------------------------------------


@contextlib.contextmanager
def cluster_of(backend, n_workers):
    """Start a cluster on this machine, and let joblib use it."""
    start = {"dask": _dask_cluster, "ray": _ray_cluster}[backend]
    with start(n_workers), joblib.parallel_config(backend=backend, n_jobs=n_workers):
        yield


@contextlib.contextmanager
def _dask_cluster(n_workers):
    from dask.distributed import Client, LocalCluster

    with (
        LocalCluster(
            n_workers=n_workers,
            threads_per_worker=1,
            host="127.0.0.1",
            dashboard_address="127.0.0.1:0",
        ) as cluster,
        Client(cluster),
    ):
        yield


@contextlib.contextmanager
def _ray_cluster(n_workers):
    import ray
    from ray.util.joblib import register_ray

    register_ray()
    ray.init(num_cpus=n_workers, include_dashboard=False, log_to_driver=False)
    try:
        yield
    finally:
        ray.shutdown()


@contextlib.contextmanager
def counted_bytes(backend):
    """Count the bytes that this process sends and receives through dask's connections."""
    counts = {"sent": 0, "received": 0}
    if backend != "dask":
        yield {"sent": np.nan, "received": np.nan}
        return
    from distributed.comm import tcp

    async def write(*arguments, **options):
        n_bytes = await original_write(*arguments, **options)
        counts["sent"] += n_bytes
        return n_bytes

    def read(stream, n_bytes):
        counts["received"] += n_bytes
        return original_read(stream, n_bytes)

    original_write, original_read = tcp.TCP.write, tcp.read_bytes_rw
    tcp.TCP.write, tcp.read_bytes_rw = write, read
    try:
        yield counts
    finally:
        tcp.TCP.write, tcp.read_bytes_rw = original_write, original_read


# --- measurements ---------------------------------------------------------------------------------


@dataclass(frozen=True)
class Run:
    """Seconds by the clock, of this process and of its workers; bytes sent and received."""

    elapsed: float
    script: float
    workers: float
    sent: float = 0.0
    received: float = 0.0


def processor_times():
    """Return the processor time in seconds of this process, and of all processes below it."""
    this = psutil.Process()
    workers = 0.0
    for process in this.children(recursive=True):
        with contextlib.suppress(psutil.Error):
            times = process.cpu_times()
            workers += times.user + times.system
    return time.process_time(), workers


def measure(work, backend=None):
    """Return the `Run` of a function, and its result as bytes."""
    with counted_bytes(backend) as counts:
        script, workers = processor_times()
        start = time.perf_counter()
        result = work()
        elapsed = time.perf_counter() - start
        script_after, workers_after = processor_times()
        run = Run(elapsed, script_after - script, workers_after - workers, **counts)
    return run, np.asarray(result).tobytes()


def compare(work, backend, n_workers, n_repeats):
    """Return the runs in one process and those on a cluster, in turns."""
    alone, together, results = [], [], set()
    with cluster_of(backend, n_workers):
        work()  # the workers import what they need
        for _ in range(n_repeats):
            with joblib.parallel_config(backend="sequential"):
                run, result = measure(work)
            alone.append(run)
            results.add(result)
            run, result = measure(work, backend)
            together.append(run)
            results.add(result)
    if len(results) != 1:
        raise AssertionError("the results depend on the cluster")
    return alone, together


def print_row(name, n_clips, backend, n_workers, alone, together):
    one = statistics.median(run.script for run in alone)
    efficiency = statistics.median(
        one.script / (run.script + run.workers) for one, run in zip(alone, together, strict=True)
    )
    elapsed, script, workers, sent, received = map(
        statistics.median, zip(*map(astuple, together), strict=True)
    )
    times = (f"{seconds:.2f}" for seconds in (elapsed, workers, script, one))
    n_bytes = (f"{total / n_clips:.0f}" for total in (sent, received))
    row(name, backend, n_workers, *times, f"{100 * efficiency:.0f} %", *n_bytes)


def tasks(folder, arguments):
    """Yield the name, the number of clips and the function of each task."""
    write_clips(folder, arguments.clips)
    paths, labels = load(folder)
    few = slice(None, None, len(paths) // 200)
    model = classifier().fit(paths[few], labels[few])
    digits_of, digits, _, _ = _fsdd.load()
    chosen = np.linspace(0, len(digits_of) - 1, arguments.search_clips).astype(int)
    yield "transform", len(paths), partial(transform, paths)
    yield "predict", len(paths), partial(predict, model, paths)
    found = partial(search, digits_of[chosen].tolist(), digits[chosen], arguments.epochs)
    yield "search", len(chosen), found


def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--backends", nargs="+", default=list(PACKAGES), choices=list(PACKAGES))
    parser.add_argument("--workers", type=int, nargs="+", default=[1, 2, 4])
    parser.add_argument("--tasks", nargs="+", default=["transform", "predict", "search"])
    parser.add_argument("--clips", type=int, default=20_000)
    parser.add_argument("--search-clips", type=int, default=600)
    parser.add_argument("--epochs", type=int, default=5)
    parser.add_argument("--repeats", type=int, default=3)
    arguments = parser.parse_args()
    times = ["time (s)", "workers (s)", "script (s)", "one process (s)", "efficiency"]
    table("work", "backend", "workers", *times, "sent (B)", "received (B)")
    with tempfile.TemporaryDirectory() as folder:
        for name, n_clips, work in tasks(folder, arguments):
            for backend in arguments.backends if name in arguments.tasks else ():
                if importlib.util.find_spec(PACKAGES[backend]) is None:
                    print(f"({PACKAGES[backend]} is not installed)")
                    continue
                for n_workers in arguments.workers:
                    runs = compare(work, backend, n_workers, arguments.repeats)
                    print_row(name, n_clips, backend, n_workers, *runs)


if __name__ == "__main__":
    main()

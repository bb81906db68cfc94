"""A search over spoken digits, with and without a cache of spectrograms on disk.

    python -m benchmarks.search [--clips 300] [--epochs 3] [--repeats 5] [--jobs 1 2]

Six candidates (learning rates and dropout, with the same front end) in three folds need 18 fits and
scorings. Each search with a cache starts with an empty folder. A front end that logs when it was
working, in one file per process, gives its share of the time after the first pass: in each process,
from the second fit on, because one fit and one scoring have then read every clip. Both times end
with the last log entry, so that idle workers do not lower the share.

With fewer epochs, the network takes less time and the share of the front end is larger. The result
holds only for the given number of epochs. Scores must be equal in all runs.
"""

import argparse
import json
import os
import statistics
import tempfile
import time
from pathlib import Path

import numpy as np
from joblib import Parallel, delayed
from sklearn.model_selection import GridSearchCV, StratifiedKFold

from benchmarks import _fsdd
from skdaf import CNNAudioClassifier, SpectrogramTransformer

# The environment variable with the folder of the logs, which all workers inherit.
LOGS = "SKDAF_BENCHMARK_LOGS"

GRID = {"learning_rate": [1e-3, 3e-3, 1e-2], "dropout": [0.1, 0.3]}
N_FOLDS = 3


class LoggingTransformer(SpectrogramTransformer):
    """A front end that logs when it was working."""

    def fit_transform(self, X, y=None):
        begin = time.monotonic()
        spectrograms = SpectrogramTransformer.transform(self.fit(X, y), X)
        log("fit", begin)
        return spectrograms

    def transform(self, X):
        begin = time.monotonic()
        spectrograms = SpectrogramTransformer.transform(self, X)
        log("score", begin)
        return spectrograms


def log(kind, begin):
    with Path(os.environ[LOGS], f"{os.getpid()}.jsonl").open("a") as file:
        print(json.dumps([kind, begin, time.monotonic()]), file=file)


def after_first_pass():
    """Return the seconds of the front end and the total of all processes; delete the logs."""
    front_end = everything = 0.0
    for path in Path(os.environ[LOGS]).iterdir():
        entries = [json.loads(line) for line in path.read_text().splitlines()]
        path.unlink()
        fits = [i for i, (kind, _, _) in enumerate(entries) if kind == "fit"]
        if len(fits) < 2:
            continue
        later = entries[fits[1] :]
        front_end += sum(end - begin for _, begin, end in later)
        everything += later[-1][2] - later[0][1]
    return front_end, everything


def search(paths, labels, epochs, n_jobs, cache):
    """Return the seconds of a search, the seconds after its first pass, and its scores."""
    classifier = CNNAudioClassifier(
        LoggingTransformer(cache=cache), max_epochs=epochs, random_state=0
    )
    folds = StratifiedKFold(N_FOLDS, shuffle=True, random_state=0)
    found = GridSearchCV(classifier, GRID, cv=folds, n_jobs=n_jobs, refit=False)
    start = time.monotonic()
    found.fit(paths, labels)
    elapsed = time.monotonic() - start
    return elapsed, after_first_pass(), found.cv_results_["mean_test_score"]


def run_all(paths, labels, epochs, jobs, repeats):
    """Return {(jobs, with cache): [(seconds, seconds after the first pass)]}, taking turns."""
    results, scores = {(n, with_cache): [] for n in jobs for with_cache in (False, True)}, []
    for _ in range(repeats):
        for (n_jobs, with_cache), times in results.items():
            # Start the workers, and import what they need.
            Parallel(n_jobs)(delayed(CNNAudioClassifier)() for _ in range(4 * n_jobs))
            with tempfile.TemporaryDirectory() as folder:
                elapsed, later, score = search(
                    paths, labels, epochs, n_jobs, folder if with_cache else None
                )
            times.append((elapsed, *later))
            scores.append(score)
    for score in scores:
        np.testing.assert_array_equal(score, scores[0])
    return results


def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--clips", type=int, default=300, help="how many of the spoken digits")
    parser.add_argument("--epochs", type=int, default=3)
    parser.add_argument("--repeats", type=int, default=5)
    parser.add_argument("--jobs", type=int, nargs="+", default=[1, 2])
    arguments = parser.parse_args()
    paths, digits, _, _ = _fsdd.load()
    chosen = np.linspace(0, len(paths) - 1, arguments.clips).astype(int)
    with tempfile.TemporaryDirectory() as logs:
        os.environ[LOGS] = logs
        results = run_all(
            paths[chosen], digits[chosen], arguments.epochs, arguments.jobs, arguments.repeats
        )
    print(f"{arguments.clips} clips, {arguments.epochs} epochs, medians of {arguments.repeats}:\n")
    print("| n_jobs | cache | search (s) | front end after the first pass (s) | of (s) | share |")
    print("|---" * 6 + "|")
    for (n_jobs, with_cache), times in results.items():
        elapsed, front_end, everything = map(statistics.median, zip(*times, strict=True))
        share = statistics.median(part / whole for _, part, whole in times)
        name = "new folder" if with_cache else "none"
        print(
            f"| {n_jobs} | {name} | {elapsed:.1f} | {front_end:.2f} | {everything:.1f} "
            f"| {100 * share:.1f} % |"
        )


if __name__ == "__main__":
    main()

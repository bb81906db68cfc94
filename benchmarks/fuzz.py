"""Read many damaged files in every way, and report how each one ends. Linux only.

    python -m benchmarks.fuzz [--n 20000] [--seed 0] [--first 0] [--jobs 2] [--time-limit 20]
    python -m benchmarks.fuzz --containers               # files that FFmpeg reads
    python -m benchmarks.fuzz --seed 0 --write NUMBER    # write one of the files for inspection

`benchmarks/_mutations.py` creates the files, and `benchmarks/_containers.py` those of --containers.
Worker processes read each file in all `WAYS`. The result must be finite samples or AudioReadError,
the same for every way that reads the whole file, with nothing printed to the standard streams.
Anything else is a defect: another exception, a NaN, a warning, a crash, or exceeding the time
limit. Workers that crash or hang are replaced.

Times include all ways of reading a file. Memory is the peak of the process beyond what it used
before the file (VmHWM). A process may use at most 4 GB more address space than at its start.
"""

import argparse
import ctypes
import datetime
import importlib
import multiprocessing
import os
import platform
import re
import resource
import sys
import tempfile
import threading
import time
import warnings
from collections import Counter, defaultdict
from dataclasses import dataclass
from functools import lru_cache
from operator import attrgetter
from pathlib import Path

import numpy as np
import sklearn
import soundfile as sf

from skdaf import (
    AudioReadError,
    PyAudioAnalysisTransformer,
    SpectrogramTransformer,
    check_audio,
    load_audio,
)

MB = 1e6
READ, REFUSED, DEFECT = "samples", "AudioReadError", "defect"

# The modules that create files.
MUTATIONS, CONTAINERS = "benchmarks._mutations", "benchmarks._containers"

_ADDRESSES = 4 * 2**30


def _check(path):
    report = check_audio([path])
    if not report.ok[0]:
        raise AudioReadError.of(path, report.problem[0])
    return report[["duration", "peak"]].to_numpy()


@lru_cache(maxsize=1)
def _fitted():
    """Return transformers that expect 16 kHz."""
    second = np.zeros((1, 16_000))
    return SpectrogramTransformer().fit(second), PyAudioAnalysisTransformer().fit(second)


# All ways except the last one read the whole file; the last one may find no samples.
WAYS = {
    "load_audio": lambda path: load_audio(path)[0],
    "check_audio": _check,
    "transform": lambda path: _fitted()[0].transform([path]),
    "fit_transform": lambda path: SpectrogramTransformer().fit_transform([path]),
    "hand-crafted": lambda path: _fitted()[1].transform([path]),
    "a part": lambda path: load_audio(path, start=0.01, end=0.03)[0],
}


_EXPECTED_WARNINGS = (
    "than every training clip of the front end",
    "silent (the peak of",
    "cut off (the file ends in",
)


def examine(path):
    """Read a file in all ways; return the results, and descriptions of defects."""
    outcomes, defects = {}, []
    for way, read in WAYS.items():
        with warnings.catch_warnings(record=True) as caught:
            warnings.simplefilter("always")
            try:
                values, outcomes[way] = read(path), READ
                if not (np.size(values) and np.isfinite(values).all()):
                    defects.append(f"{way}: {np.size(values)} values, not all finite")
            except AudioReadError as error:
                outcomes[way] = REFUSED
                if str(path) not in str(error):
                    defects.append(f"{way}: {error} does not name the file")
            except Exception as error:
                defects.append(f"{way}: {type(error).__name__}: {str(error)[:300]}")
        # If a rate is too low for the bands, fit warns once. Fitted ones expect a second. What is
        # left of a file may be silent, or end within a frame.
        told = [str(warning.message) for warning in caught]
        told = [text for text in told if not any(about in text for about in _EXPECTED_WARNINGS)]
        if [text for text in told if "always silent" not in text] or len(told) > 1:
            defects.append(f"{way}: {len(told)} warnings: {told[:3]}")
    whole = {way: outcome for way, outcome in outcomes.items() if way != "a part"}
    if len(set(whole.values())) > 1:
        defects.append(f"ways disagree: {whole}")
    return (DEFECT if defects else outcomes["load_audio"]), defects


# Worker processes.


@dataclass
class Result:
    number: int
    outcome: str
    defects: list
    seconds: float = 0.0
    memory: int = 0


def _memory(name):
    status = Path("/proc/self/status").read_text()
    return 1024 * int(re.search(rf"^{name}:\s*(\d+) kB$", status, re.MULTILINE)[1])


def serve(connection, examine, seed, folder, maker):
    """Examine the files whose numbers are received, in this process."""
    addresses = _memory("VmSize") + _ADDRESSES
    resource.setrlimit(resource.RLIMIT_AS, (addresses, addresses))
    printed = Path(folder, f"printed by {os.getpid()}")
    descriptor = os.open(printed, os.O_WRONLY | os.O_CREAT | os.O_APPEND)
    os.dup2(descriptor, 1)
    os.dup2(descriptor, 2)
    flush = ctypes.CDLL(None).fflush  # C buffers its output
    _fitted()
    case = importlib.import_module(maker).case
    connection.send("ready")
    for number in iter(connection.recv, None):
        damaged = case(seed, number)
        flush(None)
        os.truncate(printed, 0)  # encoders print too
        path = Path(folder, f"{number}{damaged.extension}")
        path.write_bytes(damaged.content)
        Path("/proc/self/clear_refs").write_text("5")  # resets the peak of memory
        before, start = _memory("VmRSS"), time.perf_counter()
        outcome, defects = examine(str(path))
        seconds, memory = time.perf_counter() - start, _memory("VmHWM") - before
        path.unlink()
        flush(None)
        if text := printed.read_text(errors="replace"):
            outcome, defects = DEFECT, [*defects, f"printed {text[:300]!r}"]
        connection.send(Result(number, outcome, defects, seconds, max(0, memory)))


class Worker:
    """A process that is replaced if it crashes or hangs."""

    def __init__(self, examine, seed, folder, maker, time_limit):
        self.arguments, self.time_limit = (examine, seed, folder, maker), time_limit
        self._start()

    def _start(self):
        context = multiprocessing.get_context("spawn")
        self.connection, other = context.Pipe()
        self.process = context.Process(target=serve, args=(other, *self.arguments), daemon=True)
        self.process.start()
        other.close()
        self.connection.recv()

    def examine(self, number):
        self.connection.send(number)
        try:
            if self.connection.poll(self.time_limit):
                return self.connection.recv()
            problem = f"not done in {self.time_limit} s"
        except EOFError:
            self.process.join()
            problem = f"crashed (exit code {self.process.exitcode})"
        self.stop()
        self._start()
        return Result(number, DEFECT, [problem], self.time_limit)

    def stop(self):
        self.process.kill()
        self.process.join()
        self.connection.close()


def examine_all(
    numbers,
    *,
    seed,
    jobs,
    time_limit,
    tell=lambda result: None,
    examine=examine,
    maker=MUTATIONS,
):
    """Return the results of all numbers, in any order."""
    numbers, results, lock = iter(numbers), [], threading.Lock()

    def work(folder):
        worker = Worker(examine, seed, folder, maker, time_limit)
        try:
            while True:
                with lock:
                    number = next(numbers, None)
                if number is None:
                    return
                result = worker.examine(number)
                with lock:
                    results.append(result)
                    tell(result)
        finally:
            worker.stop()

    with tempfile.TemporaryDirectory() as folder:
        threads = [threading.Thread(target=work, args=(folder,)) for _ in range(jobs)]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
    return results


# The table.


def table(results, seed, maker=MUTATIONS):
    """Return the table of a run in Markdown."""
    by_kind, kinds = defaultdict(list), importlib.import_module(maker).KINDS
    for result in results:
        by_kind[kinds[result.number % len(kinds)]].append(result)
    lines = [
        "| kind | files | read | AudioReadError | defects | median (ms) | slowest (ms) | "
        "peak memory (MB) |",
        "|---|---|---|---|---|---|---|---|",
        *(_row(kind, by_kind[kind]) for kind in kinds if by_kind[kind]),
        _row("all", results),
        "",
        f"Seed {seed}, {datetime.date.today()}: Python {platform.python_version()}, soundfile "
        f"{sf.__version__} (libsndfile {sf.__libsndfile_version__}), NumPy {np.__version__}, "
        f"scikit-learn {sklearn.__version__}.",
    ]
    return "\n".join(lines)


def _row(kind, results):
    outcomes = Counter(result.outcome for result in results)
    seconds = [result.seconds for result in results]
    cells = [
        *[kind, len(results), *(outcomes[name] for name in (READ, REFUSED, DEFECT))],
        *[f"{1000 * np.median(seconds):.0f}", f"{1000 * max(seconds):.0f}"],
        f"{max(result.memory for result in results) / MB:.0f}",
    ]
    return f"| {' | '.join(map(str, cells))} |"


def _tell(result):
    for defect in result.defects:
        print(f"{result.number}: {defect}", file=sys.stderr, flush=True)


def main(arguments=None):
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--n", type=int, default=20_000, help="how many files")
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--first", type=int, default=0, help="the number of the first file")
    parser.add_argument("--jobs", type=int, default=2, help="worker processes")
    parser.add_argument("--time-limit", type=float, default=20.0, help="seconds a file")
    parser.add_argument("--write", type=int, metavar="NUMBER", help="write one file, read none")
    parser.add_argument("--containers", action="store_true", help="files that FFmpeg reads")
    options = parser.parse_args(arguments)
    maker = CONTAINERS if options.containers else MUTATIONS
    if options.write is not None:
        damaged = importlib.import_module(maker).case(options.seed, options.write)
        path = Path(f"{damaged.number}{damaged.extension}")
        path.write_bytes(damaged.content)
        print(f"{path}: {damaged.kind}; {', '.join(damaged.mutations)}")
        return
    numbers = range(options.first, options.first + options.n)
    results = examine_all(
        numbers,
        seed=options.seed,
        jobs=options.jobs,
        time_limit=options.time_limit,
        tell=_tell,
        maker=maker,
    )
    for what in ("seconds", "memory"):
        most = max(results, key=attrgetter(what))
        print(f"most {what}: number {most.number}", file=sys.stderr)
    print(table(results, options.seed, maker))


if __name__ == "__main__":
    main()

"""The rate of `predict` for many short files, compared with another version of the library.

    python -m benchmarks.many_predictions [--files 20000] [--turns 5] [--other FOLDER]

Each version is loaded once, in a process of its own, from the folder in which it lies; FOLDER is a
checkout of another version. The processes take turns, so that other work on the machine affects
both. A turn predicts spoken digits of 0.4 s, whose paths are repeated to get the number of files.

The front end uses one core, the network all cores of the process: `taskset -c 0` limits both to
one. Times are medians over turns; ratios are medians of the ratios of each turn, where values above
1 mean that a version is faster than that of the last row.
"""

import argparse
import json
import os
import statistics
import subprocess
import sys
import tempfile
from pathlib import Path

from benchmarks import _fsdd
from skdaf import CNNAudioClassifier, save_model

ROOT = Path(__file__).resolve().parents[1]

# The code of each process: it predicts all files for each line that it reads.
CHILD = """
import json, sys, time
from skdaf import load_model
model, n_files = load_model(sys.argv[1]), int(sys.argv[2])
paths = json.load(open(sys.argv[3]))
files = [paths[index % len(paths)] for index in range(n_files)]
model.predict(files[:200])
for _ in sys.stdin:
    wall, cpu = time.perf_counter(), time.process_time()
    model.predict(files)
    print(json.dumps([time.perf_counter() - wall, time.process_time() - cpu]), flush=True)
"""


def start(folder, *arguments):
    """Start a process that uses the version of the library in a folder."""
    environment = {**os.environ, "PYTHONPATH": str(folder)}
    command = [sys.executable, "-c", CHILD, *map(str, arguments)]
    pipe = subprocess.PIPE
    # Python looks for modules in the current folder first.
    return subprocess.Popen(
        command, cwd=folder, env=environment, stdin=pipe, stdout=pipe, text=True
    )


def take_turn(process):
    """Return the wall and CPU seconds of one turn."""
    process.stdin.write("\n")
    process.stdin.flush()
    return json.loads(process.stdout.readline())


def measure(folders, n_files, n_turns):
    paths, digits, _, _ = _fsdd.load()
    with tempfile.TemporaryDirectory() as folder:
        model, names = Path(folder, "model.skops"), Path(folder, "paths.json")
        classifier = CNNAudioClassifier(max_epochs=1, random_state=0)
        save_model(classifier.fit(list(paths[::30]), digits[::30]), model)
        names.write_text(json.dumps([str(path) for path in paths]))
        processes = {name: start(name, model, n_files, names) for name in folders}
        turns = [
            {name: take_turn(process) for name, process in processes.items()}
            for _ in range(n_turns)
        ]
        for process in processes.values():
            process.communicate()
    return turns


def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--files", type=int, default=20_000, help="files per turn")
    parser.add_argument("--turns", type=int, default=5, help="turns of each version")
    parser.add_argument("--other", metavar="FOLDER", help="a checkout of another version")
    arguments = parser.parse_args()
    folders = [str(ROOT), *filter(None, [arguments.other])]
    turns = measure(folders, arguments.files, arguments.turns)
    print("| version | files/s | CPU time per file (ms) | ratio of wall times | of CPU times |")
    print("|---" * 5 + "|")
    for name in folders:
        wall, cpu = (statistics.median(turn[name][kind] for turn in turns) for kind in (0, 1))
        ratios = [
            statistics.median(turn[folders[-1]][kind] / turn[name][kind] for turn in turns)
            for kind in (0, 1)
        ]
        print(
            f"| {name} | {arguments.files / wall:.0f} | {1e3 * cpu / arguments.files:.3f} "
            f"| {ratios[0]:.2f} | {ratios[1]:.2f} |"
        )


if __name__ == "__main__":
    main()

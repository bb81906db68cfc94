"""Memory and time by amount of data, each measured in fresh processes. Linux only.

    python -m benchmarks.memory [--repeats 5] [transform] [predict] [fit]
        [--transform-clips N ...] [--predict-clips N ...] [--gigabytes G ...] [--dtypes TYPE ...]

"transform" computes the spectrograms of N files in one array. "predict" predicts N files with a
fitted classifier. The files are the spoken digits, repeated as often as needed. "fit" trains for
one epoch on spectrograms in a memory-mapped file of G gigabytes, which is written to the folder for
temporary files first. The network is tiny, so that reading dominates.

Memory is what a process uses beyond what it used after all imports. "own" is memory that the
process allocated (RssAnon, sampled every few milliseconds). "all" includes pages of files (VmHWM):
pages of a mapped file belong to the system's cache, which releases them when memory is needed.

Below each table are straight lines fitted to the points, and the largest distance of a point from
its line, as a share of the largest value.
"""

import argparse
import statistics
import tempfile
from itertools import cycle, islice
from pathlib import Path

import joblib
import numpy as np
from torch import nn

from benchmarks import _fsdd
from benchmarks._processes import measure
from skdaf import CNNAudioClassifier, SpectrogramTransformer

MB = 1e6

# Size of the spectrograms to fit on: clips of five seconds with the default front end.
SHAPE = (500, 64)


def smallest_network(input_shape, n_outputs, **options):
    return nn.Sequential(nn.AdaptiveAvgPool2d((8, 8)), nn.Flatten(), nn.Linear(64, n_outputs))


def some_files(n_files):
    return list(islice(cycle(_fsdd.load()[0].tolist()), int(n_files)))


def transform(n_files):
    return SpectrogramTransformer().fit_transform(some_files(n_files))


def predict(n_files, model):
    return joblib.load(model).predict(some_files(n_files))


def fit(path):
    spectrograms = np.load(path, mmap_mode="r")
    classifier = CNNAudioClassifier(network=smallest_network, max_epochs=1, random_state=0)
    return classifier.fit(spectrograms, np.arange(len(spectrograms)) % 2)


TASKS = {"transform": transform, "predict": predict, "fit": fit}


def medians(repeats, task, *arguments):
    """Return the medians of own memory, of all memory (bytes) and of the elapsed seconds."""
    runs = [measure("benchmarks.memory", task, *arguments) for _ in range(repeats)]
    values = [(run.own, run.all, run.elapsed) for run in runs]
    return [statistics.median(column) for column in zip(*values, strict=True)]


def table(*columns):
    print(f"\n| {' | '.join(columns)} |")
    print("|---" * len(columns) + "|")


def row(*cells):
    print("|", " | ".join(map(str, cells)), "|", flush=True)


def straight_lines(sizes, unit, **columns):
    """Print a straight line fitted to each column."""
    print()
    if len(sizes) < 3:
        return
    for name, values in columns.items():
        name = name.replace("_", " (") + ")"
        slope, start = np.polyfit(sizes, values, 1)
        farthest = np.abs(np.polyval((slope, start), sizes) - values).max() / np.max(values)
        print(f"{name}: {start:.3g} + {slope:.3g} a {unit}, at most {100 * farthest:.1f} % off\n")


def section_transform(arguments, folder):
    table("clips", "output (MB)", "own (MB)", "own - output (MB)", "all (MB)", "time (s)")
    points = []
    n_values = SpectrogramTransformer().fit_transform(some_files(3000))[0].size
    for n in arguments.transform_clips:
        own, everything, seconds = medians(arguments.repeats, "transform", n)
        output = 4 * n * n_values
        points.append((own / MB, seconds))
        cells = (output, own, own - output, everything)
        row(n, *(f"{cell / MB:.0f}" for cell in cells), f"{seconds:.2f}")
    own, seconds = zip(*points, strict=True)
    straight_lines(arguments.transform_clips, "clip", own_MB=own, time_s=seconds)


def section_predict(arguments, folder):
    paths, digits, _, _ = _fsdd.load()
    model = Path(folder, "model.joblib")
    small = CNNAudioClassifier(channels=(2,), hidden_units=(4,), max_epochs=1, random_state=0)
    joblib.dump(small.fit(paths[::30], digits[::30]), model)
    table("clips", "own (MB)", "all (MB)", "time (s)", "per clip (ms)")
    points = []
    for n in arguments.predict_clips:
        own, everything, seconds = medians(arguments.repeats, "predict", n, model)
        points.append((own / MB, seconds))
        cells = [f"{own / MB:.0f}", f"{everything / MB:.0f}", f"{seconds:.2f}"]
        row(n, *cells, f"{1e3 * seconds / n:.3f}")
    own, seconds = zip(*points, strict=True)
    straight_lines(arguments.predict_clips, "clip", own_MB=own, time_s=seconds)


def write_spectrograms(path, gigabytes, dtype):
    """Write the same block of random numbers repeatedly."""
    block = np.random.default_rng(0).standard_normal((500, *SHAPE)).astype(dtype)
    n_blocks = max(1, round(gigabytes * 1e9 / block.nbytes))
    shape = (n_blocks * len(block), *SHAPE)
    mapped = np.lib.format.open_memmap(path, mode="w+", dtype=dtype, shape=shape)
    for first in range(0, shape[0], len(block)):
        mapped[first : first + len(block)] = block
    mapped.flush()
    return shape[0]


def section_fit(arguments, folder):
    for dtype in arguments.dtypes:
        table("file", "clips", "own (MB)", "all (MB)", "time (s)")
        points = []
        for gigabytes in arguments.gigabytes:
            path = Path(folder, "spectrograms.npy")
            n = write_spectrograms(path, gigabytes, dtype)
            own, everything, seconds = medians(arguments.repeats, "fit", path)
            size = path.stat().st_size
            path.unlink()
            points.append((size / 1e9, own / MB, seconds))
            cells = [f"{own / MB:.0f}", f"{everything / MB:.0f}", f"{seconds:.1f}"]
            row(f"{dtype}, {size / 1e9:.2f} GB", n, *cells)
        sizes, own, seconds = zip(*points, strict=True)
        straight_lines(sizes, "GB", own_MB=own, time_s=seconds)


SECTIONS = {"transform": section_transform, "predict": section_predict, "fit": section_fit}


def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("sections", nargs="*", metavar="SECTION", default=list(SECTIONS))
    parser.add_argument("--repeats", type=int, default=5, help="fresh processes a point")
    for name, sizes in (
        ("--transform-clips", [1000, 5000, 10_000, 20_000]),
        ("--predict-clips", [20_000, 50_000, 100_000]),
    ):
        parser.add_argument(name, type=int, nargs="+", default=sizes)
    parser.add_argument("--gigabytes", type=float, nargs="+", default=[0.5, 1, 2, 4])
    parser.add_argument("--dtypes", nargs="+", default=["float32"])
    arguments = parser.parse_args()
    unknown = set(arguments.sections) - set(SECTIONS)
    if unknown:
        parser.error(f"unknown section {unknown.pop()!r}; choose from {', '.join(SECTIONS)}")
    with tempfile.TemporaryDirectory() as folder:
        for name in arguments.sections:
            SECTIONS[name](arguments, folder)


if __name__ == "__main__":
    main()

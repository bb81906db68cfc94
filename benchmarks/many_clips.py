"""Time and memory per clip with 5,000 to 50,000 files, each task in a fresh process. Linux only.

    python -m benchmarks.many_clips [--clips 5000 15000 50000] [--tasks TASK ...] [--repeats 1]

The files are noise of 0.3 to 0.5 s at 8 kHz in ten classes: half of them are flat folders, half
have a subfolder for every hundred files. A table lists the same files. All files are in the page
cache of the system. The network is tiny, so that everything else dominates.

- list, table: `load_audio_folders`, `load_audio_table`
- check: `check_audio(paths, labels)`
- transform: `SpectrogramTransformer().fit_transform(paths)`
- fill, cached: the same with a cache, first an empty one and then the one that "fill" has filled
- fit: `CNNAudioClassifier(max_epochs=1).fit(paths, labels)`
- predict: `predict(paths)` with the model of a fit on few clips
- search: `GridSearchCV` over two candidates in two folds, with the filled cache

"µs" is the processor time per clip. "MB" is the memory that the process allocated at most, without
the arrays that the task has to return or train on. The last column is the slope of a straight line
through them: what each clip adds.
"""

import argparse
import statistics
import tempfile
from pathlib import Path

import joblib
import numpy as np
from sklearn.model_selection import GridSearchCV

from benchmarks._processes import measure
from benchmarks.memory import row, smallest_network, table
from skdaf import CNNAudioClassifier, SpectrogramTransformer, check_audio
from skdaf._audio.synthesis import wav_bytes
from skdaf.datasets import load_audio_folders, load_audio_table

RATE, N_CLASSES, FILES_PER_FOLDER = 8000, 10, 100

# Every size has clips of this length, so that all spectrograms have the same number of frames.
LONGEST = RATE // 2

N_FOLDS = 2


def write_clips(folder, n_clips):
    """Write `n_clips` files in class folders, and a table of them."""
    rng = np.random.default_rng(0)
    lines = ["path,label"]
    for number in range(n_clips):
        name, place = f"class{number % N_CLASSES}", number // N_CLASSES
        if number % 2:
            name += f"/{place // FILES_PER_FOLDER:05d}"
        path = Path(folder, "clips", name, f"clip{place:06d}.wav")
        if place % FILES_PER_FOLDER == 0:
            path.parent.mkdir(parents=True, exist_ok=True)
        n_samples = LONGEST if number < N_CLASSES else rng.integers(0.6 * LONGEST, LONGEST)
        samples = 0.1 * (1 + number % N_CLASSES) / N_CLASSES * rng.standard_normal(n_samples)
        path.write_bytes(wav_bytes(samples.clip(-1, 1), RATE, "PCM_16"))
        lines.append(f"{path},{name[:6]}")
    Path(folder, "clips.csv").write_text("\n".join(lines))


def load(folder):
    recordings = load_audio_folders(Path(folder, "clips"))
    return recordings.filenames, recordings.target


def check(folder):
    return check_audio(*load(folder))


def transform(folder, cache=None):
    return SpectrogramTransformer(cache=cache).fit_transform(load(folder)[0])


def transform_cached(folder):
    return transform(folder, Path(folder, "cache"))


def classifier(**frontend):
    # Epochs on spectrograms of 49 x 40 values take a tiny network little time.
    return CNNAudioClassifier(
        SpectrogramTransformer(**frontend),
        network=smallest_network,
        max_epochs=1,
        early_stopping=False,
        random_state=0,
    )


def fit(folder):
    return classifier().fit(*load(folder))


def predict(folder):
    return joblib.load(Path(folder, "model.joblib")).predict(load(folder)[0])


def search(folder):
    grid = {"learning_rate": [1e-3, 1e-2]}
    estimator = classifier(cache=Path(folder, "cache"))
    return GridSearchCV(estimator, grid, cv=N_FOLDS, refit=False).fit(*load(folder))


TASKS = {
    "list": load,
    "table": lambda folder: load_audio_table(Path(folder, "clips.csv")),
    "check": check,
    "transform": transform,
    "fill": transform_cached,
    "cached": transform_cached,
    "fit": fit,
    "predict": predict,
    "search": search,
}

# Bytes of output, as a share of the spectrograms of all clips.
OUTPUTS = {"transform": 1, "fill": 1, "cached": 1, "fit": 1, "search": (N_FOLDS - 1) / N_FOLDS}


def prepare(folder, n_clips):
    """Write the files and a model for them; return the bytes of the spectrograms of all clips."""
    write_clips(folder, n_clips)
    paths, labels = load(folder)
    few = slice(None, None, n_clips // 200)
    fitted = classifier().fit(paths[few], labels[few])
    joblib.dump(fitted, Path(folder, "model.joblib"))
    return fitted.frontend_.transform(paths[:1]).nbytes * n_clips


def medians(task, folder, repeats):
    """Return the processor time (s) and the memory (bytes) of a task, medians."""
    runs = [measure("benchmarks.many_clips", task, folder) for _ in range(repeats)]
    processor, own = zip(*((run.processor, run.own) for run in runs), strict=True)
    return statistics.median(processor), statistics.median(own)


def compare(task, folders, repeats):
    """Print the row of a task: time and memory for each of the folders, by number of clips."""
    times, beyond = [], []
    for n_clips, (folder, n_bytes) in folders.items():
        processor, own = medians(task, folder, repeats)
        times.append(f"{1e6 * processor / n_clips:.0f}")
        beyond.append(own - OUTPUTS.get(task, 0) * n_bytes)
    slope = np.polyfit(list(folders), beyond, 1)[0] if len(folders) > 1 else np.nan
    row(task, *times, *(f"{n_bytes / 1e6:.1f}" for n_bytes in beyond), f"{slope:.0f}")


def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--clips", type=int, nargs="+", default=[5000, 15_000, 50_000])
    parser.add_argument("--tasks", nargs="+", default=list(TASKS), choices=list(TASKS))
    parser.add_argument("--repeats", type=int, default=1, help="fresh processes a point")
    arguments = parser.parse_args()
    with tempfile.TemporaryDirectory() as root:
        folders = {}
        for n_clips in arguments.clips:
            folder = Path(root, str(n_clips))
            folders[n_clips] = folder, prepare(folder, n_clips)
        columns = [f"{name}, {n:,}" for name in ("µs", "MB") for n in folders]
        table("task, and number of clips", *columns, "bytes per clip")
        for task in arguments.tasks:
            compare(task, folders, arguments.repeats)


if __name__ == "__main__":
    main()

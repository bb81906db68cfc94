"""Accuracy against the number of training clips per class: which model suits few, which many?

    python -m benchmarks.learning_curves [--sets esc10 ...] [--draws 3] [--results FILE]
    python -m benchmarks.learning_curves --costs
    python -m benchmarks.learning_curves --table [--results FILE]

A draw takes the given number of clips per class from the training clips of a fold, or all clips of
a class that has fewer, and all methods are fitted on them and tested on the whole test split of the
fold. Each draw takes the next fold, if the set has several. Every result is appended to a CSV file
as soon as it is known, and a further run skips what the file contains. Spectrograms and features
are computed before anything is measured.

"pretrained" is a `PretrainedFeatureExtractor`, `StandardScaler` and `LogisticRegression(C=0.1)`:
silero-vad for all sets, and the one in `SPECIALISTS` for its kind of sound. Requires librosa.
"""

import argparse
import csv
import tempfile
import time
import warnings
from pathlib import Path

import numpy as np
import pandas as pd
from sklearn.linear_model import LogisticRegression
from sklearn.metrics import accuracy_score, recall_score
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler

from benchmarks import _peers, _sets, real_sounds
from skdaf import (
    PretrainedFeatureExtractor,
    PyAudioAnalysisTransformer,
    SpectrogramTransformer,
    make_combined_classifier,
    save_model,
)

# The page "Which model should I use?" draws a figure of it.
RESULTS = Path(__file__).parents[1] / "docs" / "learning_curves.csv"

# Clips per class; a class that has fewer gives all of them.
SIZES = {
    "fsdd-speakers": (5, 10, 20, 50, 100),
    "esc10": (5, 10, 20, 32),
    "emodb4": (5, 10, 20, 50),
    "heart": (5, 10, 20, 50, 100),
}
TITLES = {
    "fsdd-speakers": "spoken digits, new speakers",
    "esc10": "environmental sounds (ESC-10)",
    "emodb4": "emotions, new speakers",
    "heart": "heart sounds (mean recall)",
}

# Pretrained networks for one kind of sound: voices, and animals outdoors.
SPECIALISTS = {"emodb4": "resemblyzer", "esc10": "birdnet"}

COLUMNS = [
    *("set", "clips_per_class", "draw", "fold", "n_clips", "method"),
    *("accuracy", "uar", "fit_cpu_s", "predict_cpu_s"),
]


def pretrained(model, cache):
    return make_pipeline(
        PretrainedFeatureExtractor(model, cache=cache),
        StandardScaler(),
        LogisticRegression(C=0.1, max_iter=2000),
    )


def beside_cnn(model, cache, seed):
    extractor = PretrainedFeatureExtractor(model, cache=cache)
    network = real_sounds.cnn(cache, seed, {})
    return make_combined_classifier([network, extractor], handcrafted=False)


def methods(name, cache, seed):
    """Return {name of a method: classifier}; those with a network reuse the fit of "CNN"."""
    found = {
        "CNN": real_sounds.cnn(cache, seed, {}),
        "hand-crafted + SVC": real_sounds.handcrafted_svc(cache, seed, {}),
        "MFCC + SVC": _peers.mfcc_svc(),
        "combined": real_sounds.combined(cache, seed, {}),
    }
    for model in models(name):
        found[model] = pretrained(model, cache)
        found[f"CNN + {model}"] = beside_cnn(model, cache, seed)
    return found


def models(name):
    return ["silero-vad", *([SPECIALISTS[name]] if name in SPECIALISTS else [])]


def draw_clips(labels, size, seed):
    """Return rows: this many per class at random, or all of a class that has fewer."""
    rng = np.random.default_rng(seed)
    return np.concatenate(
        [rng.permutation(np.flatnonzero(labels == label))[:size] for label in np.unique(labels)]
    )


def prepare(name, cache):
    """Return the set, with all spectrograms and features of its clips in the cache."""
    sounds = _sets.load(name)
    SpectrogramTransformer(cache=cache).fit_transform(sounds.paths)
    PyAudioAnalysisTransformer(cache=cache).fit_transform(sounds.paths)
    for model in models(name):
        PretrainedFeatureExtractor(model, cache=cache).fit_transform(sounds.paths)
    _peers.MFCCStatistics().fit_transform(sounds.paths)
    return sounds


def measure(classifier, train, test):
    """Return accuracy, UAR, and the processor seconds of the fit and of the predictions."""
    start = time.process_time()
    classifier.fit(*train)
    fitted = time.process_time()
    predicted = classifier.predict(test[0])
    done = time.process_time()
    recall = recall_score(test[1], predicted, average="macro", zero_division=0)
    return accuracy_score(test[1], predicted), recall, fitted - start, done - fitted


def run(sets, n_draws, path, cache):
    """Measure all draws of all sets; the first draw of each set comes first."""
    done = set()
    if path.is_file():
        columns = ["set", "clips_per_class", "draw", "method"]
        done = set(pd.read_csv(path)[columns].itertuples(index=False, name=None))
    sounds = {name: prepare(name, cache) for name in sets}
    for draw in range(n_draws):
        for name in sets:
            for size in SIZES[name]:
                for row in measure_draw(sounds[name], size, draw, cache, done):
                    append(path, row)


def measure_draw(sounds, size, draw, cache, done):
    """Yield a row of the results for each method that is not done."""
    split = sounds.splits[draw % len(sounds.splits)]
    rows = split.train[draw_clips(sounds.labels[split.train], size, draw)]
    train = sounds.paths[rows], sounds.labels[rows]
    test = sounds.paths[split.test], sounds.labels[split.test]
    for method, classifier in methods(sounds.name, cache, draw).items():
        if (sounds.name, size, draw, method) not in done:
            values = [f"{value:.4f}" for value in measure(classifier, train, test)]
            yield sounds.name, size, draw, split.name, len(rows), method, *values


def append(path, row):
    print(*row, flush=True)
    is_new = not path.is_file()
    with path.open("a", newline="", encoding="utf-8") as file:
        writer = csv.writer(file, lineterminator="\n")
        if is_new:
            writer.writerow(COLUMNS)
        writer.writerow(row)


def print_costs():
    """Print what each method costs without a cache: 20 clips per class of esc10."""
    sounds = _sets.load("esc10")
    rows = draw_clips(sounds.labels, 20, 0)
    others = np.setdiff1d(np.arange(len(sounds.paths)), rows)[:100]
    train, test = [(sounds.paths[part], sounds.labels[part]) for part in (rows, others)]
    found = methods("fsdd-speakers", None, 0)
    del found["CNN + silero-vad"]  # the sum of two others
    found |= {model: pretrained(model, None) for model in SPECIALISTS.values()}
    real_sounds.table("method", "fit: CPU (s)", "predict: CPU (ms per clip)", "file (kB)")
    for method, classifier in found.items():
        _, _, fit, predict = measure(classifier, train, test)
        ms = 1000 * predict / len(others)
        print(f"| {method} | {fit:.1f} | {ms:.1f} | {size_of(classifier)} |", flush=True)


def size_of(classifier):
    """Return the kB of a saved model; blank for the peer, which is not a part of skdaf."""
    if "mfccstatistics" in getattr(classifier, "named_steps", {}):
        return ""
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder, "model.skops")
        save_model(classifier, path)
        return round(path.stat().st_size / 1000)


def score_of(name):
    """Return the measure of a set: accuracy, but UAR if classes differ much in size."""
    return "uar" if name == "heart" else "accuracy"


def summary(path):
    """Yield (set, means, deviations): tables with a row per method, a column per size."""
    results = pd.read_csv(path)
    for name in TITLES:
        rows = results[results.set == name]
        if len(rows):
            groups = rows.groupby(["method", "clips_per_class"], sort=False)[score_of(name)]
            order = rows.method.unique()
            yield name, groups.mean().unstack().loc[order], groups.std().unstack().loc[order]


def print_tables(path):
    """Print a table for each set: mean and standard deviation over the draws."""
    for name, means, deviations in summary(path):
        print(f"\n{TITLES[name]}")
        real_sounds.table("method", *map(str, means.columns))
        for method in means.index:
            pairs = zip(means.loc[method], deviations.loc[method], strict=True)
            cells = " | ".join(f"{mean:.3f} ± {deviation:.3f}" for mean, deviation in pairs)
            print(f"| {method} | {cells} |")


def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--sets", nargs="+", choices=list(SIZES), default=list(SIZES))
    parser.add_argument("--draws", type=int, default=3)
    parser.add_argument("--results", type=Path, default=RESULTS, help="default: in docs")
    parser.add_argument("--costs", action="store_true", help="measure time and size instead")
    parser.add_argument("--table", action="store_true", help="print tables of the results")
    arguments = parser.parse_args()
    warnings.filterwarnings("ignore", ".*CC BY-NC-SA", UserWarning)
    if arguments.costs:
        print_costs()
    elif arguments.table:
        print_tables(arguments.results)
    else:
        with tempfile.TemporaryDirectory() as cache:
            run(arguments.sets, arguments.draws, arguments.results, cache)


if __name__ == "__main__":
    main()

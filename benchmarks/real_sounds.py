"""Default parameters against simple baselines, on several sets of real sounds.

    python -m benchmarks.real_sounds [--sets esc10 heart ...] [--methods CNN combined ...]
                                     [--folds 1 2 ...] [--seeds 2]

One row per set: the accuracy of each method and its unweighted average recall (UAR, the mean
over classes), averaged over the folds and seeds. Peers: an `SVC` on the mean and the standard
deviation of 40 MFCC ("more MFCC": also on their deltas, minimum and maximum, with C = 10), and a
plain small CNN (no augmentation, mean over time and frequency, 40 epochs on all clips). "frozen"
combines the fitted network of the method "CNN", which must be measured before. Seconds are wall
time of a fit, given the spectrograms in a cache. Requires librosa.
"""

import argparse
import csv
import sys
import tempfile
import time
import warnings
from collections import defaultdict
from functools import partial

import numpy as np
from sklearn.frozen import FrozenEstimator
from sklearn.linear_model import LogisticRegression
from sklearn.metrics import accuracy_score, recall_score
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler
from sklearn.svm import SVC

from benchmarks import _peers, _sets
from skdaf import (
    CNNAudioClassifier,
    CNNFeatureExtractor,
    ConvAutoencoderEmbedder,
    PyAudioAnalysisTransformer,
    SpectrogramTransformer,
    make_combined_classifier,
)

# These contain the network of the method "CNN", so its seconds are added to theirs.
WITH_CNN = ("CNN features + SVC", "combined", "frozen, votes", "frozen, SVC")

# Results that do not depend on a seed are computed once.
DETERMINISTIC = ("hand-crafted + SVC", "MFCC + SVC", "more MFCC + SVC")


def cnn(cache, seed, fitted, **parameters):
    # With a checkpoint, the same fit inside of another method only loads the result.
    return CNNAudioClassifier(
        SpectrogramTransformer(cache=cache), random_state=seed, checkpoint=cache, **parameters
    )


def features_svc(cache, seed, fitted):
    network = FrozenEstimator(fitted["CNN"]) if "CNN" in fitted else cnn(cache, seed, fitted)
    return make_pipeline(CNNFeatureExtractor(network), StandardScaler(), SVC())


def handcrafted_svc(cache, seed, fitted):
    return make_pipeline(PyAudioAnalysisTransformer(cache=cache), StandardScaler(), SVC())


def combined(cache, seed, fitted):
    handcrafted = PyAudioAnalysisTransformer(cache=cache)
    return make_combined_classifier(cnn(cache, seed, fitted), handcrafted=handcrafted)


def frozen(cache, seed, fitted, method):
    """Combine the fitted network, as `skdaf combine` does for the clips that it was trained on."""
    network = FrozenEstimator(fitted["CNN"])
    handcrafted = PyAudioAnalysisTransformer(cache=cache)
    return make_combined_classifier(network, handcrafted=handcrafted, method=method)


def autoencoder(cache, seed, fitted):
    embedder = ConvAutoencoderEmbedder(SpectrogramTransformer(cache=cache), random_state=seed)
    return make_pipeline(embedder, StandardScaler(), LogisticRegression(max_iter=2000))


METHODS = {
    "CNN": cnn,
    "CNN, augment=None": partial(cnn, augment=None),
    "CNN features + SVC": features_svc,
    "hand-crafted + SVC": handcrafted_svc,
    "combined": combined,
    "frozen, votes": partial(frozen, method="vote"),
    "frozen, SVC": partial(frozen, method="svc"),
    "autoencoder": autoencoder,
    "MFCC + SVC": lambda cache, seed, fitted: _peers.mfcc_svc(),
    "more MFCC + SVC": lambda cache, seed, fitted: _peers.rich_mfcc_svc(),
    "plain CNN": lambda cache, seed, fitted: _peers.PlainCNN(cache, random_state=seed),
}


def measure(method, sounds, split, seed, cache, fitted):
    """Return accuracy, UAR and seconds of one fit."""
    model = METHODS[method](cache, seed, fitted)
    start = time.perf_counter()
    fitted[method] = model.fit(sounds.paths[split.train], sounds.labels[split.train])
    seconds = time.perf_counter() - start
    if method in WITH_CNN:
        seconds += fitted.get("CNN seconds", 0.0)
    fitted[f"{method} seconds"] = seconds
    predicted = model.predict(sounds.paths[split.test])
    truth = sounds.labels[split.test]
    return (
        accuracy_score(truth, predicted),
        recall_score(truth, predicted, average="macro"),
        seconds,
    )


def measure_set(name, methods, folds, seeds, cache, record):
    """Return {method: mean of (accuracy, UAR, seconds)} for a set."""
    sounds = _sets.load(name)
    splits = [split for split in sounds.splits if not folds or split.name in folds]
    # Computed before anything is timed.
    SpectrogramTransformer(cache=cache).fit_transform(sounds.paths)
    PyAudioAnalysisTransformer(cache=cache).fit_transform(sounds.paths)
    results = defaultdict(list)
    for split in splits:
        for seed in range(seeds):
            fitted = {}
            for method in methods:
                if seed == 0 or method not in DETERMINISTIC:
                    result = measure(method, sounds, split, seed, cache, fitted)
                    results[method].append(result)
                    record(name, split.name, seed, method, *result)
    return {method: np.mean(values, axis=0) for method, values in results.items()}


def table(*columns):
    print(f"\n| {' | '.join(columns)} |")
    print("|" + "---|" * len(columns))


def print_tables(results, methods):
    """Print accuracy / UAR and seconds per set, then the mean over sets per method."""
    table("set", *methods)
    for name, values in results.items():
        cells = [f"{values[m][0]:.3f} / {values[m][1]:.3f}" for m in methods]
        print(f"| {name} | {' | '.join(cells)} |")
    table("method", "mean accuracy", "mean UAR", "mean fit (s)")
    for method in methods:
        mean = np.mean([values[method] for values in results.values()], axis=0)
        print(f"| {method} | {mean[0]:.3f} | {mean[1]:.3f} | {mean[2]:.1f} |")
    table("fit (s)", *methods)
    for name, values in results.items():
        print(f"| {name} | {' | '.join(f'{values[m][2]:.1f}' for m in methods)} |")


def recorder(path):
    """Return a function that appends each single result to a CSV file, or prints it."""

    def record(*values):
        shown = [f"{value:.4f}" if isinstance(value, float) else value for value in values]
        if path is None:
            print(*shown, file=sys.stderr, flush=True)
        else:
            with open(path, "a", newline="", encoding="utf-8") as file:
                csv.writer(file).writerow(shown)

    return record


def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--sets", nargs="+", choices=_sets.NAMES, default=_sets.NAMES)
    parser.add_argument("--methods", nargs="+", choices=list(METHODS), default=list(METHODS))
    parser.add_argument("--folds", nargs="+", help="names of folds; default: all")
    parser.add_argument("--seeds", type=int, default=1)
    parser.add_argument("--results", metavar="FILE", help="append each result to a CSV file")
    arguments = parser.parse_args()
    warnings.filterwarnings("ignore", "[0-9]+ of n_mels", UserWarning)
    record = recorder(arguments.results)
    with tempfile.TemporaryDirectory() as cache:
        results = {
            name: measure_set(
                name, arguments.methods, arguments.folds, arguments.seeds, cache, record
            )
            for name in arguments.sets
        }
    print_tables(results, arguments.methods)


if __name__ == "__main__":
    main()

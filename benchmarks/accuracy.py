"""Accuracy of the default classifier on spoken digits, from paths to predictions.

    python -m benchmarks.accuracy [--seeds 3] [--verbose]

Two splits of the Free Spoken Digit Dataset: "official" holds out takes 0 to 4 of every digit and
speaker, "speakers" holds out two of the six speakers.
"""

import argparse
import time

import numpy as np
from sklearn.metrics import accuracy_score, f1_score

from benchmarks import _fsdd
from skdaf import CNNAudioClassifier


def measure(seed, verbose, train_paths, train_digits, test_paths, test_digits):
    classifier = CNNAudioClassifier(random_state=seed, verbose=verbose)
    start = time.perf_counter()
    classifier.fit(train_paths, train_digits)
    seconds = time.perf_counter() - start
    predicted = classifier.predict(test_paths)
    return (
        accuracy_score(test_digits, predicted),
        f1_score(test_digits, predicted, average="macro"),
        classifier.n_epochs_,
        seconds,
    )


def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--seeds", type=int, default=3)
    parser.add_argument("--verbose", action="store_true")
    arguments = parser.parse_args()
    print("| split | seed | accuracy | macro F1 | epochs | fit (s) |")
    print("|---|---|---|---|---|---|")
    for name, *parts in _fsdd.splits():
        rows = []
        for seed in range(arguments.seeds):
            rows.append(measure(seed, int(arguments.verbose), *parts))
            accuracy, f1, epochs, seconds = rows[-1]
            print(
                f"| {name} | {seed} | {accuracy:.3f} | {f1:.3f} | {epochs} | {seconds:.0f} |",
                flush=True,
            )
        accuracy, f1, epochs, seconds = np.mean(rows, axis=0)
        print(f"| {name} | mean | {accuracy:.3f} | {f1:.3f} | {epochs:.0f} | {seconds:.0f} |")


if __name__ == "__main__":
    main()

"""Accuracy on spoken digits, with default parameters, from paths to predictions.

    python -m benchmarks.accuracy [--seeds 3] [--verbose] [SECTION ...]

Sections: classifier, one_speaker (each speaker held out in turn), scenes (synthetic environmental
sounds), combiner (with each of its blocks alone), autoencoder, transfer. The default is all of
them. There are two splits of the Free Spoken Digit Dataset: "official" holds out takes 0 to 4 of
every digit and speaker, "speakers" holds out two of the six speakers.
"""

import argparse
import time
from functools import cache

import numpy as np
from sklearn.frozen import FrozenEstimator
from sklearn.linear_model import LogisticRegression
from sklearn.metrics import accuracy_score, f1_score
from sklearn.model_selection import train_test_split
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler
from sklearn.svm import SVC

from benchmarks import _fsdd, _scenes
from skdaf import (
    CNNAudioClassifier,
    CNNFeatureExtractor,
    ConvAutoencoderEmbedder,
    PyAudioAnalysisTransformer,
    make_combined_classifier,
)

N_CLIPS_OF_THE_NEW_TASK = 60


@cache
def splits():
    """Return {name: (train paths, train digits, test paths, test digits)}."""
    return {name: parts for name, *parts in _fsdd.splits()}


@cache
def fitted_classifier(split, seed, verbose=0):
    """Return the classifier of a split and the seconds its fit took."""
    train_paths, train_digits, _, _ = splits()[split]
    start = time.perf_counter()
    classifier = CNNAudioClassifier(random_state=seed, verbose=verbose)
    classifier.fit(train_paths, train_digits)
    return classifier, time.perf_counter() - start


def table(*columns):
    print(f"\n| {' | '.join(columns)} |")
    print("|" + "---|" * len(columns))


def row(*cells):
    shown = [f"{cell:.3f}" if isinstance(cell, float) else str(cell) for cell in cells]
    print(f"| {' | '.join(shown)} |", flush=True)


def classifier(seeds, verbose):
    table("split", "seed", "accuracy", "macro F1", "epochs", "fit (s)")
    for split, (_, _, test_paths, test_digits) in splits().items():
        rows = []
        for seed in range(seeds):
            fitted, seconds = fitted_classifier(split, seed, verbose)
            predicted = fitted.predict(test_paths)
            rows.append(
                [
                    accuracy_score(test_digits, predicted),
                    f1_score(test_digits, predicted, average="macro"),
                    fitted.n_epochs_,
                    seconds,
                ]
            )
            row(split, seed, *rows[-1][:3], f"{seconds:.0f}")
        means = np.mean(rows, axis=0).tolist()
        row(split, "mean", *means[:2], *(f"{mean:.0f}" for mean in means[2:]))


def one_speaker(seeds, verbose):
    paths, digits, speakers, _ = _fsdd.load()
    names = np.unique(speakers)
    table("seed", *names, "mean")
    for seed in range(seeds):
        scores = []
        for name in names:
            own = speakers == name
            fitted = CNNAudioClassifier(random_state=seed, verbose=verbose)
            fitted.fit(paths[~own], digits[~own])
            scores.append(fitted.score(paths[own], digits[own]))
        row(seed, *scores, float(np.mean(scores)))


def scenes(seeds, verbose):
    train_paths, train_labels, test_paths, test_labels = _scenes.load()
    table("seed", "accuracy", "epochs", "fit (s)")
    for seed in range(seeds):
        start = time.perf_counter()
        fitted = CNNAudioClassifier(random_state=seed, verbose=verbose)
        fitted.fit(train_paths, train_labels)
        seconds = time.perf_counter() - start
        row(seed, fitted.score(test_paths, test_labels), fitted.n_epochs_, f"{seconds:.0f}")


def combiner(seeds, verbose):
    columns = ("CNN", "CNN features + SVC", "hand-crafted + SVC", "combined", "two layers combined")
    table("split", "seed", *columns)
    for split, (train_paths, train_digits, test_paths, test_digits) in splits().items():
        handcrafted = make_pipeline(PyAudioAnalysisTransformer(), StandardScaler(), SVC())
        alone = handcrafted.fit(train_paths, train_digits).score(test_paths, test_digits)
        rows = []
        for seed in range(seeds):
            cnn, _ = fitted_classifier(split, seed, verbose)
            last, before = (
                CNNFeatureExtractor(FrozenEstimator(cnn), layers_dropped=k) for k in (1, 2)
            )
            models = [
                make_pipeline(last, StandardScaler(), SVC()),
                make_combined_classifier(last, method="svc"),
                make_combined_classifier([last, before], method="svc"),
            ]
            features, *combined = (
                model.fit(train_paths, train_digits).score(test_paths, test_digits)
                for model in models
            )
            rows.append([cnn.score(test_paths, test_digits), features, alone, *combined])
            row(split, seed, *rows[-1])
        row(split, "mean", *np.mean(rows, axis=0).tolist())


def autoencoder(seeds, verbose):
    table("split", "seed", "logistic regression on embeddings", "fit (s)")
    for split, (train_paths, train_digits, test_paths, test_digits) in splits().items():
        for seed in range(seeds):
            start = time.perf_counter()
            embedder = ConvAutoencoderEmbedder(random_state=seed, verbose=verbose).fit(train_paths)
            seconds = time.perf_counter() - start
            reader = make_pipeline(StandardScaler(), LogisticRegression(max_iter=2000))
            reader.fit(embedder.transform(train_paths), train_digits)
            accuracy = reader.score(embedder.transform(test_paths), test_digits)
            row(split, seed, accuracy, f"{seconds:.0f}")


def transfer(seeds, verbose):
    paths, digits, speakers, _ = _fsdd.load()
    low = digits < "5"
    tasks = {
        "digits to speakers": ((paths, digits), (paths, speakers)),
        "digits 0-4 to digits 5-9": ((paths[low], digits[low]), (paths[~low], digits[~low])),
    }
    table("task", "seed", "from scratch", "all layers trained", "conv layers frozen")
    for name, (first, second) in tasks.items():
        source = FrozenEstimator(CNNAudioClassifier(random_state=0, verbose=verbose).fit(*first))
        for seed in range(seeds):
            train_X, test_X, train_y, test_y = train_test_split(
                *second,
                train_size=N_CLIPS_OF_THE_NEW_TASK,
                stratify=second[1],
                random_state=seed,
            )
            models = [
                CNNAudioClassifier(random_state=seed),
                CNNAudioClassifier(pretrained=source, random_state=seed),
                CNNAudioClassifier(pretrained=source, frozen_layers="conv", random_state=seed),
            ]
            row(name, seed, *(m.fit(train_X, train_y).score(test_X, test_y) for m in models))


SECTIONS = {
    "classifier": classifier,
    "one_speaker": one_speaker,
    "scenes": scenes,
    "combiner": combiner,
    "autoencoder": autoencoder,
    "transfer": transfer,
}


def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("sections", nargs="*", metavar="SECTION", default=list(SECTIONS))
    parser.add_argument("--seeds", type=int, default=3)
    parser.add_argument("--verbose", action="store_true")
    arguments = parser.parse_args()
    unknown = set(arguments.sections) - set(SECTIONS)
    if unknown:
        parser.error(f"unknown section {unknown.pop()!r}; choose from {', '.join(SECTIONS)}")
    for name in arguments.sections:
        SECTIONS[name](arguments.seeds, int(arguments.verbose))


if __name__ == "__main__":
    main()

"""What a search over `skdaf.search_space` brings beyond the default parameters.

    python -m benchmarks.search_spaces [--sets esc10 emodb4 ...] [--size small] [--fold 1]
                                       [--candidates 8] [--inner-folds 2] [--epochs auto]

Nested: candidates are compared on training clips only, of which each of the first inner folds
(other recordings, other speakers) is held out once. The best candidate and the defaults are then
fitted on all training clips, with the default number of epochs, and scored on the fold that no
candidate has seen. `--epochs 20` makes the search cheaper, with a cycle of that many epochs per
candidate, but favors candidates that learn fast. The first candidate has default parameters.
Spectrograms come from a cache; seconds are processor time.
"""

import argparse
import tempfile
import time

import numpy as np
from sklearn.base import clone
from sklearn.model_selection import ParameterSampler, PredefinedSplit, cross_val_score

from benchmarks import _sets, real_sounds
from skdaf import CNNAudioClassifier, SpectrogramTransformer, search_space


def inner_split(sounds, train, n_folds):
    """Return a splitter that holds out the first folds of the training clips in turn."""
    fold_of = np.full(len(sounds.paths), -1)
    names = [split for split in sounds.splits if np.isin(split.test, train).all()]
    for number, split in enumerate(names[:n_folds]):
        fold_of[split.test] = number
    return PredefinedSplit(fold_of[train])


def describe(parameters):
    shown = {
        name.removeprefix("frontend__"): f"{value:.2g}" if isinstance(value, float) else str(value)
        for name, value in parameters.items()
    }
    return ", ".join(f"{name}={value}" for name, value in shown.items()) or "defaults"


def compare(base, candidates, X, y, cv):
    """Return the mean score of each candidate, and print it."""
    scores = []
    for candidate in candidates:
        start = time.process_time()
        values = cross_val_score(clone(base).set_params(**candidate), X, y, cv=cv)
        seconds = time.process_time() - start
        scores.append(values.mean())
        print(f"{scores[-1]:.3f} ({seconds:.0f} s) {describe(candidate)}", flush=True)
    return scores


def measure_set(name, arguments, cache):
    """Return a row of the table: scores of the search, and on the fold that was held out."""
    sounds = _sets.load(name)
    split = next(split for split in sounds.splits if split.name == arguments.fold)
    X, y = sounds.paths[split.train], sounds.labels[split.train]
    base = CNNAudioClassifier(SpectrogramTransformer(cache=cache), random_state=0)
    SpectrogramTransformer(cache=cache).fit_transform(sounds.paths)
    space = search_space(arguments.size)
    drawn = ParameterSampler(space, arguments.candidates - 1, random_state=0)
    candidates = [{}, *drawn]
    cv = inner_split(sounds, split.train, arguments.inner_folds)
    short = clone(base).set_params(max_epochs=arguments.epochs)
    start = time.process_time()
    scores = compare(short, candidates, X, y, cv)
    seconds = time.process_time() - start
    best = int(np.argmax(scores))
    on_test = []
    for candidate in ({}, candidates[best]):
        fitted = clone(base).set_params(**candidate).fit(X, y)
        on_test.append(fitted.score(sounds.paths[split.test], sounds.labels[split.test]))
    return [
        *(name, f"{scores[0]:.3f}", f"{scores[best]:.3f}", *(f"{s:.3f}" for s in on_test)),
        *(f"{seconds:.0f}", describe(candidates[best])),
    ]


def epochs(text):
    return text if text == "auto" else int(text)


def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument(
        "--sets", nargs="+", choices=("esc10", "emodb4", "heart"), default=["emodb4", "esc10"]
    )
    parser.add_argument("--size", choices=("small", "large"), default="small")
    parser.add_argument("--fold", default="1", help="the fold that is held out from the search")
    parser.add_argument("--candidates", type=int, default=8)
    parser.add_argument("--inner-folds", type=int, default=2)
    parser.add_argument("--epochs", type=epochs, default="auto", help='a number, or "auto"')
    arguments = parser.parse_args()
    rows = []
    with tempfile.TemporaryDirectory() as cache:
        for name in arguments.sets:
            rows.append(measure_set(name, arguments, cache))
            print(*rows[-1], sep=" | ", flush=True)
    real_sounds.table(
        *("set", "inner folds: defaults", "inner folds: best", "held out: defaults"),
        *("held out: best", "search: CPU (s)", "best candidate"),
    )
    for row in rows:
        print(f"| {' | '.join(row)} |")


if __name__ == "__main__":
    main()

"""What to do with a network that is fitted already, and with further clips of the same classes.

    python -m benchmarks.fitted_networks [--sets emodb4 ...] [--folds 1 2 ...] [--results FILE]

A network is trained on the training clips of a fold, or on half of them (whole groups, such as
speakers), and combined with the hand-crafted features on

- same: all training clips, on all of which it was trained;
- new: the half that it was not trained on;
- more: all training clips, on half of which it was trained.

"votes" is `make_combined_classifier(FrozenEstimator(network))`, and "SVC" the same with
`method="svc"`. With "own votes", the network votes with its own probabilities, as it would if it
were trained as a part of the combined classifier. Accuracy / mean recall over classes (UAR) on the
test clips, averaged over the folds.
"""

import argparse
import tempfile
import warnings
from collections import defaultdict

import numpy as np
from sklearn.frozen import FrozenEstimator
from sklearn.metrics import accuracy_score, recall_score
from sklearn.model_selection import StratifiedGroupKFold

from benchmarks import _sets, real_sounds
from skdaf import PyAudioAnalysisTransformer, make_combined_classifier

# The scenes have no groups; the digits of the official split have known speakers.
SETS = ("fsdd-speakers", "emodb4", "heart")


def combined(network, method, cache):
    """Return an unfitted combined classifier."""
    frozen, handcrafted = FrozenEstimator(network), PyAudioAnalysisTransformer(cache=cache)
    kind = "svc" if method == "SVC" else "vote"
    model = make_combined_classifier(frozen, handcrafted=handcrafted, method=kind)
    return model.set_params(cnn1=frozen) if method == "own votes" else model


def halves(sounds, rows):
    """Return two halves of some rows, whose groups differ."""
    splitter = StratifiedGroupKFold(2, shuffle=True, random_state=0)
    one, other = next(splitter.split(rows, sounds.labels[rows], sounds.groups[rows]))
    return rows[one], rows[other]


def measure_fold(sounds, split, cache):
    """Yield (clips, method, accuracy, UAR) for each way to use a fitted network."""

    def fit(model, rows):
        return model.fit(sounds.paths[rows], sounds.labels[rows])

    def scores(model):
        truth, predicted = sounds.labels[split.test], model.predict(sounds.paths[split.test])
        return accuracy_score(truth, predicted), recall_score(truth, predicted, average="macro")

    half, other_half = halves(sounds, split.train)
    on_all = fit(real_sounds.cnn(cache, 0, {}), split.train)
    on_half = fit(real_sounds.cnn(cache, 0, {}), half)
    yield "same", "network", *scores(on_all)
    yield "new", "network", *scores(on_half)
    cases = {
        "same": (on_all, split.train),
        "new": (on_half, other_half),
        "more": (on_half, split.train),
    }
    for name, (network, rows) in cases.items():
        for method in ("own votes", "votes", "SVC"):
            yield name, method, *scores(fit(combined(network, method, cache), rows))


def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--sets", nargs="+", choices=_sets.NAMES[:-1], default=SETS)
    parser.add_argument("--folds", nargs="+", help="names of folds; default: all")
    parser.add_argument("--results", metavar="FILE", help="append each result to a CSV file")
    arguments = parser.parse_args()
    warnings.filterwarnings("ignore", "[0-9]+ of n_mels", UserWarning)
    record, results = real_sounds.recorder(arguments.results), defaultdict(dict)
    for name in arguments.sets:
        sounds, found = _sets.load(name), defaultdict(list)
        with tempfile.TemporaryDirectory() as cache:
            for split in sounds.splits:
                if arguments.folds and split.name not in arguments.folds:
                    continue
                for clips, method, *scores in measure_fold(sounds, split, cache):
                    record(name, split.name, clips, method, *scores)
                    found[f"{clips}: {method}"].append(scores)
        for column, values in found.items():
            results[column][name] = "{:.3f} / {:.3f}".format(*np.mean(values, axis=0))
    real_sounds.table("clips: method", *arguments.sets)
    for column, cells in results.items():
        print(f"| {column} | {' | '.join(cells[name] for name in arguments.sets)} |")


if __name__ == "__main__":
    main()

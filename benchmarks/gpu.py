"""Training and prediction on each device of this machine, in each precision.

    python -m benchmarks.gpu [--quick]

Without a GPU, only the CPU is measured. Default classifiers are fitted on spectrograms and predict
those of clips that were held out: of spoken digits by new speakers (fsdd-speakers), and of
environmental sounds (esc10) if there is a folder for them. Without either, synthetic sounds are
used. Computing the spectrograms always happens on the CPU, and its time is given once for each set.

The columns "twice", "batches" and "CPU" check what the documentation promises: two fits have the
same weights (yes or no; with two epochs); and the largest differences of probabilities between
predictions for single clips and for all clips together, and between this device and the CPU with
the same weights, which should be below 1e-5.
"""

import argparse
import platform
import statistics
import tempfile
import time
from pathlib import Path

import numpy as np
import torch
from sklearn.base import clone

from benchmarks import _fsdd, _sets
from skdaf import CNNAudioClassifier, SpectrogramTransformer
from skdaf._networks.device import resolve_precision
from skdaf._networks.weights import get_weights
from skdaf.datasets import make_audio_dataset

PRECISIONS = ("float32", "bfloat16")
N_SINGLE = 32
COLUMNS = "set, device, precision, fit (s), accuracy, predict (clips/s), twice, batches, CPU"


def devices():
    """Return {device: name} for this machine."""
    found = {"cpu": platform.processor() or platform.machine()}
    if torch.cuda.is_available():
        for index in range(torch.cuda.device_count()):
            found[f"cuda:{index}"] = torch.cuda.get_device_name(index)
    if torch.backends.mps.is_available():
        found["mps"] = platform.machine()
    return found


def load_sets():
    """Yield the name, paths, labels, and training and test rows of each set that is there."""
    names = [name for name in ("fsdd", "esc10") if (_fsdd.DATA / name).is_dir()]
    for name in names:
        data = _sets.load("fsdd-speakers" if name == "fsdd" else name)
        yield data.name, data.paths, data.labels, data.splits[0].train, data.splits[0].test
    if not names:
        with tempfile.TemporaryDirectory() as folder:
            sounds = make_audio_dataset(Path(folder), n_clips_per_class=100, duration=(0.5, 1.0))
            rows = np.arange(len(sounds.target))
            paths = np.array(sounds.filenames)
            yield "synthetic", paths, sounds.target, rows[rows % 4 > 0], rows[rows % 4 == 0]


def thin_out(rows, n):
    """Return about n of some rows, evenly spaced."""
    return rows[:: max(1, len(rows) // n)]


def synchronize(device):
    """Wait for a GPU."""
    if device != "cpu":
        getattr(torch, torch.device(device).type).synchronize()


def seconds_of(function, device):
    synchronize(device)
    start = time.perf_counter()
    result = function()
    synchronize(device)
    return time.perf_counter() - start, result


def is_repeatable(classifier, X, y):
    """Return whether two fits of two epochs have the same weights."""
    first, second = (
        get_weights(clone(classifier).set_params(max_epochs=2).fit(X, y).network_) for _ in "12"
    )
    return all(np.array_equal(first[name], second[name]) for name in first)


def measure(classifier, X, y, X_test, y_test, *, n_repeats):
    """Return the cells of a row, from "fit (s)" on."""
    device = classifier.device
    # The first fit on a device loads libraries.
    some = thin_out(np.arange(len(X)), 64)
    clone(classifier).set_params(max_epochs=1).fit(X[some], y[some])
    fit_time, classifier = seconds_of(lambda: classifier.fit(X, y), device)
    times, together = [], None
    for _ in range(n_repeats):
        predict_time, together = seconds_of(lambda: classifier.predict_proba(X_test), device)
        times.append(predict_time)
    single = [classifier.predict_proba(clip[None]) for clip in X_test[:N_SINGLE]]
    accuracy = (classifier.classes_[together.argmax(axis=1)] == y_test).mean()
    some = thin_out(np.arange(len(X)), 256)
    is_same = is_repeatable(classifier, X[some], y[some])
    on_cpu = classifier.set_params(device="cpu").predict_proba(X_test)
    return [
        f"{fit_time:.1f}",
        f"{accuracy:.3f}",
        f"{len(X_test) / statistics.median(times):.0f}",
        "yes" if is_same else "NO",
        f"{np.abs(np.concatenate(single) - together[:N_SINGLE]).max():.0e}",
        f"{np.abs(on_cpu - together).max():.0e}",
    ]


def print_row(cells):
    print("|", " | ".join(cells), "|", flush=True)


def measure_set(name, paths, labels, train, test, *, is_quick):
    if is_quick:
        train, test = thin_out(train, 200), thin_out(test, 100)
    frontend = SpectrogramTransformer()
    front_time, X = seconds_of(lambda: frontend.fit_transform(paths[train]), "cpu")
    X_test = frontend.transform(paths[test])
    y, y_test = labels[train], labels[test]
    for device in devices():
        default = resolve_precision("auto", device)
        for precision in PRECISIONS:
            classifier = CNNAudioClassifier(device=device, precision=precision, random_state=0)
            if is_quick:
                classifier.set_params(max_epochs=2)
            cells = measure(classifier, X, y, X_test, y_test, n_repeats=1 if is_quick else 5)
            shown = f"{precision} (default)" if precision == default else precision
            print_row([name, device, shown, *cells])
    shape = " x ".join(map(str, X.shape))
    print_row([name, "front end, cpu", shape, f"{front_time:.1f}", *[""] * 5])


def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--quick", action="store_true", help="few clips, two epochs: a mere check")
    arguments = parser.parse_args()
    for device, name in devices().items():
        print(f"{device}: {name}")
    print(f"torch {torch.__version__}, CUDA {torch.version.cuda}\n")
    print_row(COLUMNS.split(", "))
    print("|---" * len(COLUMNS.split(", ")) + "|")
    for one in load_sets():
        measure_set(*one, is_quick=arguments.quick)


if __name__ == "__main__":
    main()

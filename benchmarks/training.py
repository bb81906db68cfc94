"""Training throughput on the CPU: CNNAudioClassifier compared with plain PyTorch and skorch.

    python -m benchmarks.training [--repeats 5] [--quick]

All train the same module on the same spectrograms of spoken digits (22 frames of 128 bins, as
deep_audio_features computes them), with the same optimizer and loss and without augmentation. Each
measurement is a complete call, which builds the network and runs a few epochs. The contenders take
turns; results are medians, and ratios are medians of the ratios within a turn. Requires skorch.

"usual" is the loop of most programs: float32, a DataLoader with four workers over data in memory,
and torch's default number of threads. Its workers are restarted in every epoch, which is the
default. It computes loss and accuracy, as the others do.
"""

import argparse
import importlib
import os
import statistics
import sys
import time
import warnings
from functools import partial

import numpy as np
import torch
from torch import nn
from torch.utils.data import DataLoader, TensorDataset

from benchmarks import _fsdd
from skdaf import CNNAudioClassifier, SpectrogramTransformer
from skdaf._networks.building import build_network

NETWORKS = ["daf", "cnn"]
BATCH_SIZES = [16, 32, 64]
USUAL_BATCH_SIZE = 16
N_WORKERS = 4

# A multiple of all batch sizes, so that all contenders take the same steps.
N_CLIPS, N_CLIPS_QUICK, N_CLIPS_WARM_UP = 960, 192, 64
N_EPOCHS = 2

# Read before anything changes it.
N_THREADS = torch.get_num_threads()

ADAMW = {"lr": 3e-3, "weight_decay": 1e-2}
LABEL_SMOOTHING = 0.1


def import_skorch():
    try:
        return importlib.import_module("skorch")
    except ImportError:
        raise SystemExit(
            'This benchmark compares with skorch, which is missing: pip install "skdaf[bench]"'
        ) from None


def warn_if_busy():
    """Warn about other work on the machine, which slows down torch's threads more than skdaf."""
    if hasattr(os, "getloadavg") and os.getloadavg()[0] > 0.5:
        print("The machine was busy: the other contenders may appear too slow.", file=sys.stderr)


def load(n_clips):
    """Return spectrograms of spoken digits, in random order, and the digits as numbers."""
    paths, digits, _, _ = _fsdd.load()
    some = np.random.default_rng(0).permutation(len(paths))[:n_clips]
    frontend = SpectrogramTransformer(
        window_length=0.050, hop_length=0.020, n_mels=128, n_frames=22
    )
    return frontend.fit_transform(paths[some]), digits[some].astype(np.int64)


def build(network, X, y):
    return build_network(network, X.shape[1:], len(np.unique(y)), {})


# --- contenders ------------------------------------------------------------------------------


def with_usual_recipe(X, y, network, batch_size):
    module = build(network, X, y)
    optimizer = torch.optim.AdamW(module.parameters(), **ADAMW)
    loss_function = nn.CrossEntropyLoss(label_smoothing=LABEL_SMOOTHING)
    data = TensorDataset(torch.from_numpy(X[:, None]), torch.from_numpy(y))
    loader = DataLoader(data, batch_size=batch_size, shuffle=True, num_workers=N_WORKERS)
    module.train()
    for _ in range(N_EPOCHS):
        total_loss, n_right = 0.0, 0
        for inputs, targets in loader:
            optimizer.zero_grad()
            outputs = module(inputs)
            loss = loss_function(outputs, targets)
            loss.backward()
            optimizer.step()
            total_loss += loss.item() * len(targets)
            n_right += (outputs.argmax(dim=1) == targets).sum().item()


def with_skorch(X, y, network, batch_size, *, skorch):
    net = skorch.NeuralNetClassifier(
        partial(build, network, X, y),
        criterion=nn.CrossEntropyLoss,
        criterion__label_smoothing=LABEL_SMOOTHING,
        optimizer=torch.optim.AdamW,
        **{f"optimizer__{name}": value for name, value in ADAMW.items()},
        batch_size=batch_size,
        max_epochs=N_EPOCHS,
        iterator_train__shuffle=True,
        train_split=None,
        verbose=0,
    )
    net.fit(X[:, None], y)


def with_skdaf(X, y, network, batch_size):
    classifier = CNNAudioClassifier(
        network=network,
        batch_size=batch_size,
        max_epochs=N_EPOCHS,
        learning_rate=ADAMW["lr"],
        weight_decay=ADAMW["weight_decay"],
        label_smoothing=LABEL_SMOOTHING,
        augment=None,
        early_stopping=False,
        device="cpu",
        random_state=0,
    )
    classifier.fit(X, y)


# --- measuring -------------------------------------------------------------------------------


def throughput(train, X, y, network, batch_size):
    """Return how many clips per second are trained."""
    torch.set_num_threads(N_THREADS)
    start = time.perf_counter()
    train(X, y, network, batch_size)
    return N_EPOCHS * len(X) / (time.perf_counter() - start)


def take_turns(contenders, X, y, network, number):
    """Return {(contender, batch size): clips per second}; the number decides who is first."""
    names = list(contenders)
    first = number % len(names)
    return {
        (name, batch_size): throughput(contenders[name], X, y, network, batch_size)
        for batch_size in BATCH_SIZES
        for name in names[first:] + names[:first]
    }


def row(turns, network, batch_size):
    speeds = [
        statistics.median(turn[name, batch_size] for turn in turns)
        for name in ("usual", "skorch", "skdaf")
    ]
    peers = [("usual", USUAL_BATCH_SIZE), ("usual", batch_size), ("skorch", batch_size)]
    ratios = [
        statistics.median(turn["skdaf", batch_size] / turn[peer] for turn in turns)
        for peer in peers
    ]
    cells = [network, batch_size, *(f"{x:.0f}" for x in speeds), *(f"{x:.2f}" for x in ratios)]
    print("|", " | ".join(map(str, cells)), "|", flush=True)


def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--repeats", type=int, default=5)
    parser.add_argument("--quick", action="store_true", help="few clips, one turn: a mere check")
    arguments = parser.parse_args()
    # There are always four workers; torch warns if the machine has fewer cores.
    warnings.filterwarnings("ignore", message="This DataLoader will create")
    contenders = {
        "usual": with_usual_recipe,
        "skorch": partial(with_skorch, skorch=import_skorch()),
        "skdaf": with_skdaf,
    }
    warn_if_busy()
    X, y = load(N_CLIPS_QUICK if arguments.quick else N_CLIPS)
    columns = ["network", "batch", "usual (samples/s)", "skorch", "skdaf"]
    columns += [f"skdaf / usual at {USUAL_BATCH_SIZE}", "skdaf / usual", "skdaf / skorch"]
    print(f"\n| {' | '.join(columns)} |")
    print("|" + "---|" * len(columns))
    for network in NETWORKS:
        # The first run of each is slower, because torch and its workers are loaded.
        for train in contenders.values():
            train(X[:N_CLIPS_WARM_UP], y[:N_CLIPS_WARM_UP], network, USUAL_BATCH_SIZE)
        n_turns = 1 if arguments.quick else arguments.repeats
        turns = [take_turns(contenders, X, y, network, number) for number in range(n_turns)]
        for batch_size in BATCH_SIZES:
            row(turns, network, batch_size)


if __name__ == "__main__":
    main()

"""Training throughput on the CPU: CNNAudioClassifier compared with plain PyTorch and skorch.

    python -m benchmarks.training [--repeats 5] [--threads 1 2] [--quick]

All train the same module on the same spectrograms of spoken digits, with the same optimizer and
loss and without augmentation: "cnn" on those of the default front end, "daf" on 22 frames of 128
bins, as deep_audio_features computes them. Each measurement is a complete call, which builds the
network and runs a few epochs. The contenders take turns; results are medians, and ratios are
medians of the ratios within a turn. Requires skorch.

"tight" and "skorch" are set up as well as we know: bfloat16 if the processor has it (as skdaf does
by default), channels-last memory, the fused AdamW, data in memory without a worker process. "tight"
is a loop without anything but that. "usual" is the loop of most programs: float32, a DataLoader
with four workers, which are restarted in every epoch. All of them compute loss and accuracy.

With `--threads 1`, the process is confined to one core.
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
from skdaf._networks.device import resolve_precision

# The front end of each network.
FRONTENDS = {
    "cnn": {},
    "daf": {"window_length": 0.050, "hop_length": 0.020, "n_mels": 128, "n_frames": 22},
}
BATCH_SIZES = [16, 64]
N_WORKERS = 4

# A multiple of all batch sizes, so that all contenders take the same steps.
N_CLIPS, N_CLIPS_QUICK, N_CLIPS_WARM_UP = 960, 192, 64
N_EPOCHS = 2

CORES = sorted(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else []
IS_BFLOAT16 = resolve_precision("auto", "cpu") == "bfloat16"

ADAMW = {"lr": 3e-3, "weight_decay": 1e-2}
LABEL_SMOOTHING = 0.1


def import_skorch():
    try:
        return importlib.import_module("skorch")
    except ImportError:
        raise SystemExit(
            'This benchmark compares with skorch, which is missing: pip install ".[bench]"'
        ) from None


def warn_if_busy():
    """Warn about other work on the machine, which slows down torch's threads more than skdaf."""
    if hasattr(os, "getloadavg") and os.getloadavg()[0] > 0.5:
        print("The machine was busy: the other contenders may appear too slow.", file=sys.stderr)


def load(network, n_clips):
    """Return spectrograms of spoken digits, in random order, and the digits as numbers."""
    paths, digits, _, _ = _fsdd.load()
    some = np.random.default_rng(0).permutation(len(paths))[:n_clips]
    frontend = SpectrogramTransformer(**FRONTENDS[network])
    return frontend.fit_transform(paths[some]), digits[some].astype(np.int64)


def build(network, X, y):
    return build_network(network, X.shape[1:], len(np.unique(y)), {})


def in_bfloat16():
    return torch.autocast("cpu", torch.bfloat16, enabled=IS_BFLOAT16)


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


def with_tight_loop(X, y, network, batch_size):
    module = build(network, X, y).train()
    optimizer = torch.optim.AdamW(module.parameters(), fused=True, **ADAMW)
    loss_function = nn.CrossEntropyLoss(label_smoothing=LABEL_SMOOTHING)
    all_inputs, all_targets = torch.from_numpy(X[:, None]), torch.from_numpy(y)
    for _ in range(N_EPOCHS):
        total_loss, n_right = torch.zeros(()), torch.zeros((), dtype=torch.int64)
        for rows in torch.randperm(len(X)).split(batch_size):
            targets = all_targets[rows]
            optimizer.zero_grad()
            with in_bfloat16():
                outputs = module(all_inputs[rows])
            loss = loss_function(outputs.float(), targets)
            loss.backward()
            optimizer.step()
            total_loss += loss.detach() * len(rows)
            n_right += (outputs.argmax(dim=1) == targets).sum()


def with_skorch(X, y, network, batch_size, *, skorch):
    class Net(skorch.NeuralNetClassifier):
        def infer(self, x, **parameters):
            with in_bfloat16():
                return super().infer(x, **parameters).float()

    net = Net(
        partial(build, network, X, y),
        criterion=nn.CrossEntropyLoss,
        criterion__label_smoothing=LABEL_SMOOTHING,
        optimizer=torch.optim.AdamW,
        optimizer__fused=True,
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


def use_threads(n_threads):
    torch.set_num_threads(n_threads)
    if CORES:
        os.sched_setaffinity(0, CORES[:n_threads])


def seconds(train, *arguments):
    """Return the elapsed time and the processor time of a call, in seconds."""
    start, cpu = time.perf_counter(), time.process_time()
    train(*arguments)
    return time.perf_counter() - start, time.process_time() - cpu


def take_turns(contenders, arguments, n_turns, n_threads):
    """Return one {contender: (elapsed time, processor time)} per turn."""
    names, turns = list(contenders), []
    for number in range(n_turns):
        first = number % len(names)
        turn = {}
        for name in names[first:] + names[:first]:
            use_threads(n_threads)
            turn[name] = seconds(contenders[name], *arguments)
        turns.append(turn)
    return turns


def median_speed(turns, name, n_clips):
    return statistics.median(n_clips / turn[name][0] for turn in turns)


def median_ratio(turns, name, kind):
    """Return a contender's time as a multiple of that of skdaf; `kind` is 1 for processor time."""
    return statistics.median(turn[name][kind] / turn["skdaf"][kind] for turn in turns)


def row(turns, n_clips, *first_cells):
    names = list(turns[0])
    speeds = [f"{median_speed(turns, name, n_clips):.0f}" for name in names]
    ratios = [f"{median_ratio(turns, name, kind):.2f}" for kind in (0, 1) for name in names[:-1]]
    print("|", " | ".join(map(str, [*first_cells, *speeds, *ratios])), "|", flush=True)


def print_header(peers):
    columns = ["threads", "network", "batch", *(f"{name} (clips/s)" for name in (*peers, "skdaf"))]
    columns += [f"time of {name} / skdaf" for name in peers]
    columns += [f"CPU time of {name} / skdaf" for name in peers]
    print(f"\n| {' | '.join(columns)} |")
    print("|" + "---|" * len(columns))


def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--repeats", type=int, default=5)
    parser.add_argument("--threads", type=int, nargs="+", default=[1, 2])
    parser.add_argument("--quick", action="store_true", help="few clips, one turn: a mere check")
    arguments = parser.parse_args()
    # There are always four workers; torch warns if the machine has fewer cores.
    warnings.filterwarnings("ignore", message="This DataLoader will create")
    contenders = {
        "usual": with_usual_recipe,
        "skorch": partial(with_skorch, skorch=import_skorch()),
        "tight": with_tight_loop,
        "skdaf": with_skdaf,
    }
    warn_if_busy()
    print_header(list(contenders)[:-1])
    n_turns = 1 if arguments.quick else arguments.repeats
    for network in FRONTENDS:
        X, y = load(network, N_CLIPS_QUICK if arguments.quick else N_CLIPS)
        for n_threads in arguments.threads:
            for batch_size in BATCH_SIZES:
                # The first run of each is slower, because torch and its workers are loaded.
                warm_up = X[:N_CLIPS_WARM_UP], y[:N_CLIPS_WARM_UP], network, batch_size
                take_turns(contenders, warm_up, 1, n_threads)
                turns = take_turns(contenders, (X, y, network, batch_size), n_turns, n_threads)
                row(turns, N_EPOCHS * len(X), n_threads, network, batch_size)


if __name__ == "__main__":
    main()

"""Detectors trained on windows of whole recordings, or only on windows inside and between events.

    python -m benchmarks.edges [--sets esc10 fsdd-each emodb4] [--seeds 2] [--epochs 8]

Recordings of five minutes are made from real clips with pauses of one to six seconds, in faint
noise or, for ESC-10, in rain and waves. A network is trained on three of them; false alarms are
counted in two others, with clips of another fold or speaker. "inside" trains on windows that lie in
an event or touch none; "whole" on all windows, labeled as `clips_from_segments(background=...)`
does. Windows are 1 s long (0.5 s for digits), with a step of half of it.
"""

import argparse
import time
import warnings

import numpy as np
import pandas as pd

from benchmarks import _sets
from skdaf import (
    CNNAudioClassifier,
    clips_from_segments,
    load_audio,
    predict_segments,
    tune_thresholds,
)

# Events of each set, the window, and the longest event in seconds.
SETS = {
    "esc10": (("dog_bark", "baby_cry", "rooster", "person_sneeze"), 1.0, 2.5),
    "fsdd-each": (("0", "1", "2", "3"), 0.5, 3.0),
    "emodb4": (None, 1.0, 3.0),
}
NOISE = ("rain", "sea_waves")
RATE, MINUTES = 16_000, 5


def make_recording(sounds, rows, name, seed):
    """Return a recording made of some clips of a set, as (samples, rate), and its events."""
    rng = np.random.default_rng(seed)
    classes, _, longest = SETS[name]
    labels = sounds.labels[rows]
    is_event = np.isin(labels, classes) if classes else np.full(len(rows), True)
    samples = rng.normal(0, 0.003, MINUTES * 60 * RATE)
    backgrounds = sounds.paths[rows][np.isin(labels, NOISE)]
    for first in range(0, len(samples) if len(backgrounds) else 0, 5 * RATE):
        piece = _load(rng.choice(backgrounds))[: 5 * RATE]
        samples[first : first + len(piece)] += 0.1 * piece
    position, events = 2 * RATE, []
    while position < len(samples) - 6 * RATE:
        row = rng.choice(rows[is_event])
        piece = _without_silence(_load(sounds.paths[row]))[: round(longest * RATE)]
        end = position + len(piece)
        samples[position:end] += piece / np.abs(piece).max() * rng.uniform(0.1, 0.6)
        events.append((position / RATE, end / RATE, str(sounds.labels[row])))
        position = end + round(rng.uniform(1, 6) * RATE)
    table = pd.DataFrame(events, columns=["start", "end", "label"])
    return (samples.astype(np.float32), RATE), table


def _load(path):
    return load_audio(path, sampling_rate=RATE)[0]


def _without_silence(samples):
    power = np.convolve(samples**2, np.ones(RATE // 20), "same")
    loud = np.flatnonzero(power > 0.02 * power.max())
    return samples[loud[0] : loud[-1] + 1]


def whole(recording, events, window):
    """Return all windows and their labels."""
    options = {"window": window, "step": window / 2, "background": "none"}
    return clips_from_segments(recording, events, **options)


def inside(recording, events, window):
    """Return the windows in events, and those that touch none."""
    clips, labels = clips_from_segments(recording, events, window=window, step=window / 2)
    windows, _ = whole(recording, events, window)
    touches = [((events.start < w.end) & (events.end > w.start)).any() for w in windows]
    others = [w for w, touched in zip(windows, touches, strict=True) if not touched]
    return clips + others, np.append(labels, ["none"] * len(others))


def measure(cut, train, test, window, epochs, seed):
    """Return the share of events that are found, the false alarms per hour, and CPU seconds."""
    parts = [cut(*pair, window) for pair in train]
    clips, labels = [x for own, _ in parts for x in own], np.concatenate([y for _, y in parts])
    before = time.process_time()
    model = CNNAudioClassifier(max_epochs=epochs, random_state=seed).fit(clips, labels)
    seconds = time.process_time() - before
    windows = [predict_segments(model, x, window=window, step=window / 2) for x, _ in test]
    _, counts = tune_thresholds(
        [events for _, events in test],
        windows,
        background="none",
        max_false_alarms_per_hour=1e6,
        return_counts=True,
    )
    total = counts.loc["(all)"]
    share = total.n_found_before / total.n_true
    return len(clips), share, total.false_alarms_per_hour_before, seconds


def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--sets", nargs="+", choices=SETS, default=[*SETS])
    parser.add_argument("--seeds", type=int, default=2)
    parser.add_argument("--epochs", type=int, default=8)
    args = parser.parse_args()
    warnings.simplefilter("ignore")
    print("| set | windows | seed | clips | events found | false alarms/h | CPU s |")
    print("|---|---|---|---|---|---|---|")
    for name in args.sets:
        sounds = _sets.load(name)
        split = sounds.splits[0]
        train = [make_recording(sounds, split.train, name, seed) for seed in range(3)]
        test = [make_recording(sounds, split.test, name, seed) for seed in (10, 11)]
        for cut in (inside, whole):
            for seed in range(args.seeds):
                n, found, rate, cpu = measure(cut, train, test, SETS[name][1], args.epochs, seed)
                row = f"{name} | {cut.__name__} | {seed} | {n} | {found:.2f} | {rate:.0f}"
                print(f"| {row} | {cpu:.0f} |", flush=True)


if __name__ == "__main__":
    main()

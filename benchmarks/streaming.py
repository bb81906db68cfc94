"""The time and the memory of predictions of live audio. Linux only.

    python -m benchmarks.streaming [--seconds 3600] [--block 0.02] [--step 1.0 0.1]

A default classifier, fitted for one epoch on synthetic sounds, predicts windows of 1 s of noise at
16 kHz, which arrives in small blocks. "row" is the time from the last block of a window to its row,
the median over all windows; "model" is that of a call of `predict_proba` after each row, for such a
window as a clip; and "merged" that of all work per window with `merge_stream`. Rows are not kept.

"memory" is what the process holds (RssAnon) at the end, minus what it held after the first minute,
for a stream that is as long as `--seconds`.
"""

import argparse
import re
import statistics
import tempfile
import time
from pathlib import Path

import numpy as np

from skdaf import Clip, CNNAudioClassifier, merge_stream, predict_stream
from skdaf.datasets import make_audio_dataset

RATE = 16_000


def fitted_classifier():
    with tempfile.TemporaryDirectory() as folder:
        sounds = make_audio_dataset(folder, n_clips_per_class=10, duration=(1, 1))
        return CNNAudioClassifier(max_epochs=1, random_state=0).fit(sounds.filenames, sounds.target)


class Source:
    """Blocks of noise, with the time at which the last one was given out."""

    def __init__(self, seconds, block):
        self.n_blocks, self.time = round(seconds / block), 0.0
        noise = np.random.default_rng(0).normal(0, 3000, (50, round(block * RATE)))
        self.noise = noise.astype(np.int16)

    def __iter__(self):
        for i in range(self.n_blocks):
            block = self.noise[i % len(self.noise)]
            self.time = time.perf_counter()
            yield block


def own_memory():
    """Return the memory that this process allocated, in MB."""
    status = Path("/proc/self/status").read_text()
    return int(re.search(r"^RssAnon:\s*(\d+) kB$", status, re.MULTILINE)[1]) / 1000


def measure_rows(classifier, seconds, block, step):
    """Return median times to a row and of a call of the model, and the growth of memory in MB."""
    source, times, calls = Source(seconds, block), [], []
    clip = Clip((np.random.default_rng(0).normal(0, 0.1, RATE).astype(np.float32), RATE))
    for number, _ in enumerate(predict_stream(classifier, source, RATE, step=step)):
        times.append(time.perf_counter() - source.time)
        start = time.perf_counter()
        classifier.predict_proba([clip])
        calls.append(time.perf_counter() - start)
        if number == round(60 / step):
            before = own_memory()
    return statistics.median(times), statistics.median(calls), own_memory() - before


def measure_merged(classifier, seconds, block, step):
    start = time.perf_counter()
    rows = predict_stream(classifier, Source(seconds, block), RATE, step=step)
    for _ in merge_stream(rows, smooth=5 * step, min_duration=2 * step):
        pass
    return (time.perf_counter() - start) / (seconds / step)


def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--seconds", type=float, default=3600, help="length of the stream")
    parser.add_argument("--block", type=float, default=0.02, help="length of a block in seconds")
    parser.add_argument("--step", type=float, nargs="+", default=[1.0, 0.1], help="in seconds")
    arguments = parser.parse_args()
    classifier = fitted_classifier()
    print("| step (s) | model (ms) | row (ms) | merged (ms) | memory (MB) |")
    print("|---" * 5 + "|")
    for step in arguments.step:
        row, model, memory = measure_rows(classifier, arguments.seconds, arguments.block, step)
        merged = measure_merged(classifier, min(600, arguments.seconds), arguments.block, step)
        cells = [f"{step:g}", *(f"{1e3 * seconds:.2f}" for seconds in (model, row, merged))]
        print("|", " | ".join([*cells, f"{memory:.1f}"]), "|", flush=True)


if __name__ == "__main__":
    main()

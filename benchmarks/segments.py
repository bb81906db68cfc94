"""Overlapping windows of a long recording: the time of `predict_segments` and of its parts.

    python -m benchmarks.segments [--base FOLDER] [--minutes 60] [--turns 5] [--step 0.5]

A default classifier, fitted for one epoch on synthetic sounds, predicts windows of 1 s of a
recording of noise and tones. There is a recording per format and sampling rate; the classifier
works at the second rate of a row. Times are processor time of one process in seconds per hour of
sound (medians over turns): "front end" is `transform_segments` with the front end of the
classifier, "total" is `predict_segments`.

With `--base`, the folder of another version of this project, both versions run in turns, each in a
process of its own, and "base / new" are medians of ratios within a turn.
"""

import argparse
import json
import os
import statistics
import subprocess
import sys
import tempfile
import time
from pathlib import Path

import numpy as np
import soundfile as sf

# (name, format, subtype, rate of the file, channels, rate of the classifier).
RECORDINGS = [
    ("WAV", "WAV", "PCM_16", 44_100, 1, 44_100),
    ("WAV, stereo", "WAV", "PCM_16", 44_100, 2, 44_100),
    ("WAV, resampled", "WAV", "PCM_16", 44_100, 1, 16_000),
    ("WAV", "WAV", "PCM_16", 16_000, 1, 16_000),
    ("FLAC", "FLAC", "PCM_16", 16_000, 1, 16_000),
    ("FLAC", "FLAC", "PCM_16", 44_100, 1, 44_100),
    ("MP3", "MP3", "MPEG_LAYER_III", 44_100, 1, 44_100),
]
BLOCK_SECONDS = 10


def write_recording(path, kind, subtype, rate, n_channels, seconds):
    """Write noise whose level changes, and a tone that comes and goes."""
    rng = np.random.default_rng(0)
    with sf.SoundFile(path, "w", rate, n_channels, subtype, format=kind) as file:
        for first in range(0, round(seconds), BLOCK_SECONDS):
            t = first + np.arange(BLOCK_SECONDS * rate) / rate
            level = 0.1 + 0.09 * np.sin(2 * np.pi * t / 7)
            tone = 0.2 * np.sin(2 * np.pi * 440 * t) * (np.sin(2 * np.pi * t / 3) > 0)
            noise = rng.standard_normal((len(t), n_channels)) * level[:, None]
            file.write((noise + tone[:, None]).astype(np.float32))


def serve():
    """Measure what the lines of standard input ask for; print the seconds."""
    from skdaf import (
        CNNAudioClassifier,
        SpectrogramTransformer,
        predict_segments,
        transform_segments,
    )
    from skdaf.datasets import make_audio_dataset

    classifiers = {}
    with tempfile.TemporaryDirectory() as folder:
        sounds = make_audio_dataset(folder, n_clips_per_class=10, duration=(1, 1))
        for rate in {recording[-1] for recording in RECORDINGS}:
            front_end = SpectrogramTransformer(sampling_rate=rate)
            classifier = CNNAudioClassifier(front_end, max_epochs=1, random_state=0)
            classifiers[rate] = classifier.fit(sounds.filenames, sounds.target)
    print("ready", flush=True)
    for line in sys.stdin:
        path, rate, step, part = json.loads(line)
        classifier = classifiers[rate]
        start = time.process_time()
        if part == "total":
            predict_segments(classifier, path, window=1.0, step=step)
        else:
            transform_segments(classifier.frontend_, path, window=1.0, step=step)
        print(time.process_time() - start, flush=True)


class Server:
    """A process that measures the version of this project in a folder."""

    def __init__(self, folder):
        command = [sys.executable, "-W", "ignore", __file__, "--serve"]
        environment = {**os.environ, "PYTHONPATH": str(folder)}
        pipes = {"stdin": subprocess.PIPE, "stdout": subprocess.PIPE, "text": True}
        self.process = subprocess.Popen(command, env=environment, cwd=folder, **pipes)
        assert self.process.stdout.readline() == "ready\n"

    def ask(self, *question):
        print(json.dumps(question), file=self.process.stdin, flush=True)
        return float(self.process.stdout.readline())


def measure(servers, path, rate, step, part, turns):
    """Return the times of each server, one per turn; the first turn is not counted."""
    rows = [
        [server.ask(str(path), rate, step, part) for server in servers] for _ in range(turns + 1)
    ]
    return list(zip(*rows[1:], strict=True))


def print_row(servers, path, recording, args):
    name, kind, subtype, file_rate, n_channels, rate = recording
    write_recording(path, kind, subtype, file_rate, n_channels, 60 * args.minutes)
    cells = [name, f"{file_rate / 1000:g} / {rate / 1000:g} kHz"]
    for part in ("front end", "total"):
        times = measure(servers, path, rate, args.step, part, args.turns)
        cells += [f"{60 / args.minutes * statistics.median(own):.1f}" for own in times]
        if len(times) == 2:
            cells.append(f"{statistics.median(a / b for a, b in zip(*times, strict=True)):.2f}")
    print("| " + " | ".join(cells) + " |", flush=True)
    path.unlink()


def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--base", type=Path, help="the folder of the version to compare with")
    parser.add_argument("--minutes", type=float, default=60, help="length of the recordings")
    parser.add_argument("--turns", type=int, default=5)
    parser.add_argument("--step", type=float, default=0.5, help="step between windows in seconds")
    parser.add_argument("--only", nargs="*", help="names of recordings, such as FLAC")
    parser.add_argument("--serve", action="store_true", help=argparse.SUPPRESS)
    args = parser.parse_args()
    if args.serve:
        serve()
        return
    folders = [args.base] if args.base else []
    servers = [Server(folder.resolve()) for folder in [*folders, Path(__file__).parents[1]]]
    versions = ["base", "new", "base / new"] if args.base else ["s"]
    heads = [f"{part}, {version}" for part in ("front end", "total") for version in versions]
    print("| recording | rates | " + " | ".join(heads) + " |")
    print("|---" * (2 + len(heads)) + "|")
    with tempfile.TemporaryDirectory() as folder:
        for recording in RECORDINGS:
            if not args.only or recording[0] in args.only:
                print_row(servers, Path(folder, "recording"), recording, args)
    for server in servers:
        server.process.stdin.close()
        server.process.wait()


if __name__ == "__main__":
    main()

"""Draw the picture of README: spoken digits of a speaker who is not in the training data.

    python -m benchmarks.readme_picture

Requires the Free Spoken Digit Dataset (see benchmarks/README.md). Digits of four speakers, with
pauses in between, are the training recordings; the picture shows digits of a fifth one.
"""

import tempfile
from pathlib import Path

import matplotlib.pyplot as plt
import numpy as np
import pandas as pd
import soundfile

from benchmarks import _fsdd
from skdaf import (
    CNNAudioClassifier,
    SegmentsDisplay,
    clips_from_segments,
    load_audio,
    merge_segments,
    predict_segments,
    segment_report,
)

ROOT = Path(__file__).resolve().parents[1]

WORDS = ["zero", "one", "two", "three", "four", "five", "six", "seven", "eight", "nine"]
RATE, WINDOW = 8000, 0.3


def write_recording(file, paths, words, rng):
    """Write clips with pauses to a file; return the segments, pauses included."""
    pieces, rows, end = [], [], 0.0
    for path, word in zip(paths, words, strict=True):
        for label, samples in (
            ("pause", np.zeros(int(RATE * rng.uniform(0.3, 0.6)))),
            (word, load_audio(path)[0]),
        ):
            start, end = end, end + len(samples) / RATE
            pieces.append(samples)
            rows.append({"start": start, "end": end, "label": label})
    sound = np.concatenate(pieces)
    soundfile.write(file, sound + 1e-3 * rng.standard_normal(len(sound)), RATE)
    return pd.DataFrame(rows)


def main():
    rng = np.random.default_rng(0)
    paths, digits, speakers, _ = _fsdd.load()
    words = np.array([WORDS[int(digit)] for digit in digits])
    clips, labels = [], []
    with tempfile.TemporaryDirectory() as folder:
        for speaker in sorted(set(speakers) - set(_fsdd.UNHEARD)):
            rows = rng.permutation(np.flatnonzero(speakers == speaker))[:200]
            file = Path(folder, f"{speaker}.wav")
            segments = write_recording(file, paths[rows], words[rows], rng)
            found = clips_from_segments(file, segments, window=WINDOW, step=0.1)
            clips += list(found[0])
            labels += list(found[1])
        classifier = CNNAudioClassifier(random_state=0).fit(clips, labels)
        rows = rng.permutation(np.flatnonzero(speakers == _fsdd.UNHEARD[0]))[:10]
        file = Path(folder, "new.wav")
        true = write_recording(file, paths[rows], words[rows], rng)
        true = true[true.label != "pause"].reset_index(drop=True)
        windows = predict_segments(classifier, file, window=WINDOW, step=0.05)
        options = {"smooth": 0.25, "min_duration": 0.15, "background": "pause"}
        print(segment_report(true, merge_segments(windows, **options), tolerance=0.1))
        display = SegmentsDisplay.from_predictions(true, windows, path=file, **options)
        display.figure_.savefig(ROOT / "docs/_static/digits.png", dpi=110)
    plt.close()


if __name__ == "__main__":
    main()

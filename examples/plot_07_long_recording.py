"""
Sounds in a long recording
==========================

Train on one annotated recording, then find out which sounds occur where in another.
"""

# %%
# Two annotated recordings
# ------------------------
# Each recording is a sequence of sounds of three classes. Its segments contain the
# start, end and label of each sound. With spoken digits, the sounds are words of
# one speaker.

import os
import tempfile
from pathlib import Path

import matplotlib.pyplot as plt
import numpy as np
import pandas as pd
import soundfile

from skdaf import load_audio
from skdaf.datasets import load_audio_folders, make_audio_dataset

workspace = tempfile.TemporaryDirectory()
folder = Path(os.environ.get("SKDAF_DATA", "."), "fsdd")
if folder.is_dir():
    recordings = load_audio_folders([folder / digit for digit in "0369"])
    selected = ["_jackson_" in path for path in recordings.filenames]
else:
    recordings = make_audio_dataset(
        Path(workspace.name, "sounds"),
        classes=["low_tone", "high_tone", "white_noise"],
        n_clips_per_class=30,
        duration=(0.5, 2.0),
    )
    selected = np.ones(len(recordings.filenames), dtype=bool)
paths = np.array(recordings.filenames)[selected]
labels = np.asarray(recordings.target_names)[recordings.target][selected]


def write_recording(path, rows):
    """Write clips to one file, one after another, and return their segments."""
    clips = [load_audio(paths[row]) for row in rows]
    rate = clips[0][1]
    soundfile.write(path, np.concatenate([samples for samples, _ in clips]), rate)
    edges = np.cumsum([0] + [len(samples) for samples, _ in clips]) / rate
    return pd.DataFrame(
        {"start": edges[:-1], "end": edges[1:], "label": labels[rows]}
    )


order = np.random.default_rng(0).permutation(len(paths))
first, second = (
    Path(workspace.name, "first.wav"),
    Path(workspace.name, "second.wav"),
)
first_segments = write_recording(first, order[:-12])
second_segments = write_recording(second, order[-12:])
print(first_segments.head().round(2))

# %%
# Train on the first recording
# ----------------------------
# Cut the segments into windows of the length that you will use for predictions.

from skdaf import CNNAudioClassifier, clips_from_segments

window = 0.25
clips, clip_labels = clips_from_segments(
    first, first_segments, window=window, step=window / 2
)
print(f"{len(clips)} windows")
classifier = CNNAudioClassifier(max_epochs=8, random_state=0).fit(
    clips, clip_labels
)

# %%
# Predict the second recording
# ----------------------------
# ``predict_segments`` returns the predicted label and the class probabilities of
# each window.

from skdaf import predict_segments

windows = predict_segments(classifier, second, window=window, step=0.05)
print(windows.head().round(2))

# %%
# The display smooths the labels of the windows and joins them into segments. From
# top to bottom, it shows the spectrogram, the probability of each class, and the
# true and predicted segments. Predicted segments are as high as they are probable.

from skdaf import SegmentsDisplay

SegmentsDisplay.from_predictions(
    second_segments, windows, path=second, smooth=0.35, min_duration=0.15
)

# %%
# Evaluate
# --------

from skdaf import merge_segments, segment_report

found = merge_segments(windows, smooth=0.35, min_duration=0.15)
report = segment_report(second_segments, found, tolerance=0.1)
print(report)

# %%
# ``write_segments(found, "second.txt")`` writes labels that you can import in
# Audacity.

workspace.cleanup()
plt.show()

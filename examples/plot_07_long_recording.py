"""
What is where in a long recording
=================================

From annotations of one recording to the timeline of another.
"""

# %%
# Two recordings with annotations
# -------------------------------
# Sounds of three kinds, one after another; the segments say what is where. With
# spoken digits: the words of one speaker.

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
    chosen = ["_jackson_" in path for path in recordings.filenames]
else:
    recordings = make_audio_dataset(
        Path(workspace.name, "sounds"),
        classes=["low_tone", "high_tone", "white_noise"],
        n_clips_per_class=30,
        duration=(0.5, 2.0),
    )
    chosen = np.ones(len(recordings.filenames), dtype=bool)
paths = np.array(recordings.filenames)[chosen]
labels = np.asarray(recordings.target_names)[recordings.target][chosen]


def write_recording(path, rows):
    """Write clips one after another, and return their segments."""
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
# Learn from the first
# --------------------
# Its segments are cut into windows of the length that will be asked for later.

from skdaf import CNNAudioClassifier, clips_from_segments

window = 0.25
clips, clip_labels = clips_from_segments(
    first, first_segments, window=window, step=window / 2
)
print(f"{len(clips)} windows")
classifier = CNNAudioClassifier(max_epochs=12, random_state=0).fit(
    clips, clip_labels
)

# %%
# Ask about the second
# --------------------
# Window after window: its probabilities, and the label of the likeliest class.

from skdaf import predict_segments

windows = predict_segments(classifier, second, window=window, step=0.05)
print(windows.head().round(2))

# %%
# Windows are joined to segments, and single odd windows smoothed away. The bands
# show how probable each class is, the time line the segments, true ones above.

from skdaf import SegmentsDisplay

SegmentsDisplay.from_predictions(
    second_segments, windows, path=second, smooth=0.35, min_duration=0.15
)

# %%
# In figures
# ----------

from skdaf import merge_segments, segment_report

found = merge_segments(windows, smooth=0.35, min_duration=0.15)
report = segment_report(second_segments, found, tolerance=0.1)
print(report)

# %%
# ``write_segments(found, "second.txt")`` writes labels that Audacity shows under
# the recording.

workspace.cleanup()
plt.show()

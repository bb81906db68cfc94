"""
From scratch, pretrained, or both
=================================

Compare a network that is trained on your recordings, a pretrained network for
speech, and both together, for few and for many training clips.
"""

# %%
# Recordings
# ----------
# If the acted emotions of EMO-DB are at hand, the classifiers are tested on
# speakers whom they have never heard. Otherwise, there are nine classes of noisy
# sounds.

import os
import tempfile
from pathlib import Path

import matplotlib.pyplot as plt
import numpy as np
import pandas as pd
import soundfile
from sklearn.model_selection import train_test_split

from skdaf import load_audio
from skdaf.datasets import make_audio_dataset

workspace = tempfile.TemporaryDirectory()
folder = Path(os.environ.get("SKDAF_DATA", "."), "emodb4")
if folder.is_dir():
    clips = pd.read_csv(folder / "clips.csv")
    paths = np.array([str(folder / path) for path in clips.path])
    labels = clips.label.to_numpy()
    is_test = clips.fold.to_numpy() == 1
    train_X, test_X = paths[~is_test], paths[is_test]
    train_y, test_y = labels[~is_test], labels[is_test]
else:
    classes = [
        "low_energy",
        "medium_energy",
        "high_energy",
        "low_tone",
        "high_tone",
        "rising_chirp",
        "falling_chirp",
        "white_noise",
        "pink_noise",
    ]
    recordings = make_audio_dataset(
        Path(workspace.name, "sounds"), classes=classes, n_clips_per_class=16
    )
    rng = np.random.default_rng(0)
    for path in recordings.filenames:
        samples, rate = load_audio(path)
        noise = (
            rng.standard_normal(len(samples)) * samples.std() * rng.uniform(2, 5)
        )
        soundfile.write(path, samples + noise, rate, subtype="FLOAT")
    labels = np.asarray(recordings.target_names)[recordings.target]
    train_X, test_X, train_y, test_y = train_test_split(
        np.array(recordings.filenames),
        labels,
        test_size=0.5,
        stratify=labels,
        random_state=0,
    )

# %%
# The classifiers
# ---------------
# silero-vad detects speech. Its 2.3 MB come with its package, and it runs on one
# core. What it knows about sounds is in its recurrent state, of which a linear
# classifier gets the means and standard deviations. In the combined classifier,
# both networks vote with their probabilities.

from sklearn.linear_model import LogisticRegression
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler

from skdaf import (
    CNNAudioClassifier,
    PretrainedFeatureExtractor,
    make_combined_classifier,
)

cache = Path(workspace.name, "cache")
network = CNNAudioClassifier(max_epochs=15, random_state=0)
pretrained = PretrainedFeatureExtractor("silero-vad", cache=cache)
classifiers = {
    "from scratch": network,
    "pretrained": make_pipeline(
        pretrained, StandardScaler(), LogisticRegression(C=0.1, max_iter=2000)
    ),
    "both": make_combined_classifier([network, pretrained], handcrafted=False),
}

# %%
# Few and many clips
# ------------------

counts = [3, 10]
accuracies = {name: [] for name in classifiers}
for count in counts:
    chosen = np.concatenate(
        [np.flatnonzero(train_y == label)[:count] for label in np.unique(train_y)]
    )
    for name, classifier in classifiers.items():
        classifier.fit(train_X[chosen], train_y[chosen])
        accuracies[name].append(classifier.score(test_X, test_y))

table = pd.DataFrame(
    accuracies, index=[f"{count} clips per class" for count in counts]
)
ax = table.plot.bar(
    rot=0, title="few and many clips", ylabel="accuracy", ylim=(0, 1)
)
ax.axhline(1 / len(np.unique(labels)), color="gray", linestyle=":", label="chance")
ax.legend(loc="upper left", ncols=2)
plt.show()
print(table.round(2))

# %%
# Both together are better than either of them. With ten clips per class, the
# pretrained network is ahead of the other on speech; on the synthetic sounds, of
# which a detector of speech knows little, it is behind. :doc:`/pretrained` has
# results on whole sets of recordings, for other networks too.

workspace.cleanup()

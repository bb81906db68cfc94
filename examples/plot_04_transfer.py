"""
Transfer: few clips of a new task
=================================

A network that has learned one task is the start of another, for which there are few
clips. How much does it help, and should its layers be frozen?
"""

# %%
# Two tasks
# ---------
# First a library of clean calls, of which there are many clips. Then the calls of
# three animals, each in rain: another task, and few clips of it. With spoken
# digits: five digits first, then the other five.

import os
import tempfile
from pathlib import Path

import matplotlib.pyplot as plt
import numpy as np
import soundfile

from skdaf import load_audio
from skdaf.datasets import load_audio_folders, make_audio_dataset

workspace = tempfile.TemporaryDirectory()
folder = Path(os.environ.get("SKDAF_DATA", "."), "fsdd")


def paths_and_labels(recordings):
    labels = np.asarray(recordings.target_names)[recordings.target]
    return np.array(recordings.filenames), labels


if folder.is_dir():
    old_X, old_y = paths_and_labels(
        load_audio_folders([folder / digit for digit in "01234"])
    )
    new_X, new_y = paths_and_labels(
        load_audio_folders([folder / digit for digit in "56789"])
    )
    many = np.array([int(Path(path).stem.split("_")[2]) < 20 for path in old_X])
    old_X, old_y = old_X[many], old_y[many]
else:
    kinds = ["low_tone", "high_tone", "rising_chirp", "falling_chirp", "pink_noise"]
    old_X, old_y = paths_and_labels(
        make_audio_dataset(
            Path(workspace.name, "old"), classes=kinds, n_clips_per_class=60
        )
    )
    kinds = ["high_tone", "rising_chirp", "falling_chirp"]
    clean = make_audio_dataset(
        Path(workspace.name, "new"),
        classes=kinds,
        n_clips_per_class=30,
        random_state=1,
    )
    rng = np.random.default_rng(0)
    for path in clean.filenames:
        samples, rate = load_audio(path)
        rain = (
            rng.standard_normal(len(samples))
            * samples.std()
            * 10 ** rng.uniform(0.3, 0.8)
        )
        soundfile.write(path, 0.2 * (samples + rain), rate)
    new_X, new_y = paths_and_labels(clean)

# %%
# The source
# ----------

from skdaf import CNNAudioClassifier

source = CNNAudioClassifier(max_epochs=15, random_state=0).fit(old_X, old_y)
print(f"{len(old_X)} clips of the first task")
print("layers:", *source.layer_names_)

# %%
# Three ways to the new task
# --------------------------
# ``FrozenEstimator`` says that the source is to be used as it is. Of it everything
# but the output layer is taken over; ``frozen_layers="conv"`` then leaves the conv
# layers exactly as they are.

from sklearn.frozen import FrozenEstimator
from sklearn.model_selection import train_test_split

frozen = FrozenEstimator(source)
ways = {
    "from scratch": CNNAudioClassifier(max_epochs=15, random_state=0),
    "all layers learn on": CNNAudioClassifier(
        pretrained=frozen, max_epochs=15, random_state=0
    ),
    "conv layers frozen": CNNAudioClassifier(
        pretrained=frozen, frozen_layers="conv", max_epochs=15, random_state=0
    ),
}
n_classes = len(set(new_y))
clips_a_class = [2, 4, 8]
accuracies = {name: np.zeros((len(clips_a_class), 3)) for name in ways}
for row, count in enumerate(clips_a_class):
    for seed in range(3):
        train_X, test_X, train_y, test_y = train_test_split(
            new_X,
            new_y,
            train_size=count * n_classes,
            stratify=new_y,
            random_state=seed,
        )
        for name, classifier in ways.items():
            score = classifier.fit(train_X, train_y).score(test_X, test_y)
            accuracies[name][row, seed] = score

# %%
# Lines are means over three choices of training clips, which are the pale marks.

figure, ax = plt.subplots(figsize=(6.5, 4), layout="constrained")
for (name, values), marker in zip(accuracies.items(), "osD", strict=True):
    [line] = ax.plot(clips_a_class, values.mean(axis=1), marker=marker, label=name)
    for column in values.T:
        ax.plot(clips_a_class, column, marker, color=line.get_color(), alpha=0.3)
    print(f"{name:20}", *(f"{value:.3f}" for value in values.mean(axis=1)))
ax.axhline(1 / n_classes, color="black", linestyle=":", label="chance")
ax.set(
    xlabel="training clips of each new class",
    ylabel="accuracy on other clips",
    xticks=clips_a_class,
    ylim=(0, 1.05),
)
ax.legend(loc="lower right")

# %%
# How large the advantage is, and how soon it is gone, depends on how near the tasks
# are. Single choices of clips differ by more than the ways do: never judge by one.

workspace.cleanup()
plt.show()

"""
Transfer learning with few clips
================================

Train a network on one task and use it as the starting point for another task with
few clips. How much does this help, and should you freeze layers?
"""

# %%
# Two tasks
# ---------
# The first task is a library of clean animal calls with many clips. The second one
# has only a few clips: the calls of three animals, recorded in the rain. With
# spoken digits, the tasks are the first five digits and the other five.

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
    selected = np.array([int(Path(path).stem.split("_")[2]) < 20 for path in old_X])
    old_X, old_y = old_X[selected], old_y[selected]
else:
    classes = [
        "low_tone",
        "high_tone",
        "rising_chirp",
        "falling_chirp",
        "pink_noise",
    ]
    old_X, old_y = paths_and_labels(
        make_audio_dataset(
            Path(workspace.name, "old"),
            classes=classes,
            n_clips_per_class=40,
            duration=(0.2, 0.4),
        )
    )
    clean = make_audio_dataset(
        Path(workspace.name, "new"),
        classes=["high_tone", "rising_chirp", "falling_chirp"],
        n_clips_per_class=30,
        duration=(0.2, 0.4),
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
# The source network
# ------------------

from skdaf import CNNAudioClassifier

source = CNNAudioClassifier(max_epochs=15, random_state=0).fit(old_X, old_y)
print(f"{len(old_X)} clips of the first task")
print("layers:", *source.layer_names_)

# %%
# Three strategies for the new task
# ---------------------------------
# ``FrozenEstimator`` prevents the source from being fitted again. The new network
# starts with all its layers except the output layer. With ``frozen_layers="conv"``,
# the convolutional layers do not change any further.

from sklearn.frozen import FrozenEstimator
from sklearn.model_selection import train_test_split

frozen = FrozenEstimator(source)
strategies = {
    "from scratch": CNNAudioClassifier(max_epochs=10, random_state=0),
    "all layers trained": CNNAudioClassifier(
        pretrained=frozen, max_epochs=10, random_state=0
    ),
    "conv layers frozen": CNNAudioClassifier(
        pretrained=frozen, frozen_layers="conv", max_epochs=10, random_state=0
    ),
}
n_classes = len(set(new_y))
clips_per_class = [2, 4, 8]
accuracies = {name: np.zeros((len(clips_per_class), 3)) for name in strategies}
for row, count in enumerate(clips_per_class):
    for seed in range(3):
        train_X, test_X, train_y, test_y = train_test_split(
            new_X,
            new_y,
            train_size=count * n_classes,
            stratify=new_y,
            random_state=seed,
        )
        for name, classifier in strategies.items():
            score = classifier.fit(train_X, train_y).score(test_X, test_y)
            accuracies[name][row, seed] = score

# %%
# The lines are means over three random choices of training clips; the pale markers
# show the individual choices.

figure, ax = plt.subplots(figsize=(6.5, 4), layout="constrained")
for (name, values), marker in zip(accuracies.items(), "osD", strict=True):
    [line] = ax.plot(
        clips_per_class, values.mean(axis=1), marker=marker, label=name
    )
    for column in values.T:
        ax.plot(clips_per_class, column, marker, color=line.get_color(), alpha=0.3)
    print(f"{name:20}", *(f"{value:.3f}" for value in values.mean(axis=1)))
ax.axhline(1 / n_classes, color="black", linestyle=":", label="chance")
ax.set(
    title="starting points for a new task",
    xlabel="training clips per class",
    ylabel="accuracy on other clips",
    xticks=clips_per_class,
    ylim=(0, 1.05),
)
ax.legend(loc="lower right")

# %%
# How large the advantage is, and how many clips make it disappear, depends on how
# similar the tasks are. Individual choices of clips differ more than strategies do,
# so never draw conclusions from only one of them.

workspace.cleanup()
plt.show()

"""
What each part of a combiner brings
===================================

Two networks and hand-crafted features feed one classifier. Leaving parts out shows
what each of them is worth.
"""

# %%
# Recordings
# ----------
# Nine kinds of sound under noise, and few clips of each to learn from, so that
# there is something left to win.

import os
import tempfile
from pathlib import Path

import matplotlib.pyplot as plt
import numpy as np
import soundfile
from sklearn.model_selection import train_test_split

from skdaf import load_audio
from skdaf.datasets import load_audio_folders, make_audio_dataset

workspace = tempfile.TemporaryDirectory()
folder = Path(os.environ.get("SKDAF_DATA", "."), "fsdd")
if folder.is_dir():
    recordings = load_audio_folders(folder)
    few = [int(Path(path).stem.split("_")[2]) < 6 for path in recordings.filenames]
else:
    kinds = ["low_energy", "medium_energy", "high_energy", "low_tone", "high_tone"]
    kinds += ["rising_chirp", "falling_chirp", "white_noise", "pink_noise"]
    recordings = make_audio_dataset(
        Path(workspace.name, "sounds"), classes=kinds, n_clips_per_class=24
    )
    rng = np.random.default_rng(0)
    for path in recordings.filenames:
        samples, rate = load_audio(path)
        noise = (
            rng.standard_normal(len(samples)) * samples.std() * rng.uniform(2, 5)
        )
        soundfile.write(path, samples + noise, rate, subtype="FLOAT")
    few = np.ones(len(recordings.filenames), dtype=bool)
paths = np.array(recordings.filenames)[few]
labels = np.asarray(recordings.target_names)[recordings.target][few]
train_X, test_X, train_y, test_y = train_test_split(
    paths, labels, test_size=0.6, stratify=labels, random_state=0
)

# %%
# Two networks
# ------------
# One hears mel bands, the other cepstral coefficients. They are fitted once and
# then frozen, so that every combination below uses the same ones.

from sklearn.frozen import FrozenEstimator

from skdaf import CNNAudioClassifier, SpectrogramTransformer

networks = [
    CNNAudioClassifier(
        SpectrogramTransformer(features=features), max_epochs=20, random_state=0
    )
    for features in ("mel", "mfcc")
]
networks = [FrozenEstimator(network.fit(train_X, train_y)) for network in networks]

# %%
# The combiner
# ------------
# ``make_combined_classifier`` returns a pipeline whose blocks have names; a block
# set to "drop" is left out.

from skdaf import make_combined_classifier

combined = make_combined_classifier(networks, n_components=30)
combined

# %%
# All, each alone, and all but one
# --------------------------------

from sklearn.base import clone

blocks = {
    "cnn1": "mel network",
    "cnn2": "mfcc network",
    "handcrafted": "hand-crafted",
}
choices = [
    [*blocks],
    *[[name] for name in blocks],
    *[[b for b in blocks if b != a] for a in blocks],
]
accuracies = {}
for kept in choices:
    dropped = {f"features__{name}": "drop" for name in blocks if name not in kept}
    model = clone(combined).set_params(**dropped).fit(train_X, train_y)
    accuracies[" + ".join(blocks[name] for name in kept)] = model.score(
        test_X, test_y
    )

for name, accuracy in accuracies.items():
    print(f"{name:43} {accuracy:.3f}")
figure, ax = plt.subplots(figsize=(7, 3.4), layout="constrained")
bars = ax.barh([*accuracies], [*accuracies.values()], color=["0.3"] + ["0.7"] * 6)
ax.bar_label(bars, fmt="%.3f", padding=3)
ax.invert_yaxis()
ax.set(xlabel=f"accuracy on {len(test_X)} other clips", xlim=(0, 1.15))

# %%
# Differences of one or two clips mean nothing: with more data, or cross-validation,
# look again before a block is thrown out. What a block costs counts as well:
# hand-crafted features need no training.

workspace.cleanup()
plt.show()

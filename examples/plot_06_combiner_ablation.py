"""
Ablation of a combined classifier
=================================

A combined classifier uses the features of two networks and hand-crafted features.
Leave out one or two of these blocks to see how much each contributes.
"""

# %%
# Recordings
# ----------
# There are nine classes of noisy sounds with only a few training clips each, so the
# task is hard enough to show differences.

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
    selected = [
        int(Path(path).stem.split("_")[2]) < 6 for path in recordings.filenames
    ]
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
        Path(workspace.name, "sounds"), classes=classes, n_clips_per_class=24
    )
    rng = np.random.default_rng(0)
    for path in recordings.filenames:
        samples, rate = load_audio(path)
        noise = (
            rng.standard_normal(len(samples)) * samples.std() * rng.uniform(2, 5)
        )
        soundfile.write(path, samples + noise, rate, subtype="FLOAT")
    selected = np.ones(len(recordings.filenames), dtype=bool)
paths = np.array(recordings.filenames)[selected]
labels = np.asarray(recordings.target_names)[recordings.target][selected]
train_X, test_X, train_y, test_y = train_test_split(
    paths, labels, test_size=0.6, stratify=labels, random_state=0
)

# %%
# Two networks
# ------------
# One network uses mel bands, the other cepstral coefficients. They are fitted once
# and then frozen, so every combination below uses the same networks.

from sklearn.frozen import FrozenEstimator

from skdaf import CNNAudioClassifier, SpectrogramTransformer

networks = [
    CNNAudioClassifier(
        SpectrogramTransformer(features=features), max_epochs=12, random_state=0
    )
    for features in ("mel", "mfcc")
]
networks = [FrozenEstimator(network.fit(train_X, train_y)) for network in networks]

# %%
# The combined classifier
# -----------------------
# With ``method="svc"``, ``make_combined_classifier`` returns a pipeline that trains
# one SVC on the features of all blocks. To leave out a block, set it to "drop".

from skdaf import make_combined_classifier

combined = make_combined_classifier(networks, method="svc", n_components=30)
combined

# %%
# All blocks, single blocks, and pairs
# ------------------------------------
# The dark bar has all blocks. A block is worth its time if the bars without it are
# clearly shorter.

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
ax.set(
    title="blocks of the combined classifier",
    xlabel=f"accuracy on {len(test_X)} test clips",
    xlim=(0, 1.15),
)

# %%
# Differences of one or two clips mean nothing. Before you remove a block, compare
# again with more data or cross-validation. Also consider the cost of a block:
# hand-crafted features need no training.

workspace.cleanup()
plt.show()

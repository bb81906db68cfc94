"""
Embeddings, with and without labels
===================================

This example compares two ways to compute embeddings: with an autoencoder, which
does not use labels, and with the last hidden layer of a classifier.
"""

# %%
# Recordings
# ----------
# Five classes of synthetic sounds in noise, or some takes of the spoken digits.

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
        int(Path(path).stem.split("_")[2]) < 8 for path in recordings.filenames
    ]
else:
    classes = [
        "low_tone",
        "high_tone",
        "rising_chirp",
        "falling_chirp",
        "pink_noise",
    ]
    recordings = make_audio_dataset(
        Path(workspace.name, "sounds"),
        classes=classes,
        n_clips_per_class=30,
        duration=(0.2, 0.4),
    )
    rng = np.random.default_rng(0)
    for path in recordings.filenames:
        samples, rate = load_audio(path)
        noise = (
            samples.std() * rng.uniform(0.5, 2) * rng.standard_normal(len(samples))
        )
        soundfile.write(path, samples + noise, rate, subtype="FLOAT")
    selected = np.ones(len(recordings.filenames), dtype=bool)
paths = np.array(recordings.filenames)[selected]
labels = np.asarray(recordings.target_names)[recordings.target][selected]
train_X, test_X, train_y, test_y = train_test_split(
    paths, labels, test_size=0.4, stratify=labels, random_state=0
)

# %%
# Without labels
# --------------
# The autoencoder compresses a spectrogram to a few values and learns to reconstruct
# the spectrogram from them.

from skdaf import ConvAutoencoderEmbedder

embedder = ConvAutoencoderEmbedder(max_epochs=15, random_state=0).fit(train_X)
embeddings = embedder.transform(test_X)
n_values = np.prod(embedder.input_shape_)
print(f"{n_values} values of a spectrogram are compressed to {embeddings.shape[1]}")

reconstructed = embedder.reconstruct(test_X[:3])
original = embedder.frontend_.transform(test_X[:3])
figure, axes = plt.subplots(
    2, 3, figsize=(9, 4), sharex=True, sharey=True, layout="constrained"
)
rows = {"original": original, "reconstructed": reconstructed}
for row, (name, spectrograms) in zip(axes, rows.items(), strict=True):
    for ax, spectrogram, label in zip(row, spectrograms, test_y, strict=False):
        ax.imshow(
            spectrogram.T,
            origin="lower",
            aspect="auto",
            vmin=original.min(),
            vmax=original.max(),
        )
        ax.set_title(f"{label}, {name}")
    row[0].set_ylabel("mel band")
for ax in axes[-1]:
    ax.set_xlabel("frame")

# %%
# The next figure projects the embeddings onto the two directions in which they vary
# most. Similar sounds are close together. The colors show the classes, which the
# autoencoder has never seen.

from skdaf import EmbeddingDisplay

# sphinx_gallery_thumbnail_number = 2
EmbeddingDisplay.from_estimator(embedder, test_X, test_y)

# %%
# With labels
# -----------
# This is the same figure for the input of a classifier's output layer. The
# classifier was trained to separate the classes, and also separates the test clips.

from skdaf import CNNAudioClassifier

classifier = CNNAudioClassifier(max_epochs=15, random_state=0).fit(train_X, train_y)
EmbeddingDisplay.from_estimator(classifier, test_X, test_y)

# %%
# A classifier on top of the embeddings
# -------------------------------------
# You can use embeddings as features for any scikit-learn model. If there are very
# few labels, the embeddings of the autoencoder have an advantage, because they were
# learned from all clips.

from sklearn.linear_model import LogisticRegression
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler

linear_model = make_pipeline(StandardScaler(), LogisticRegression(max_iter=2000))
few_X, _, few_y, _ = train_test_split(
    train_X,
    train_y,
    train_size=3 * len(set(labels)),
    stratify=train_y,
    random_state=0,
)
linear_model.fit(embedder.transform(few_X), few_y)
accuracy = linear_model.score(embeddings, test_y)
network = CNNAudioClassifier(max_epochs=15, random_state=0).fit(few_X, few_y)
print("Accuracy with three labels per class:")
print(f"  linear model on embeddings  {accuracy:.3f}")
print(f"  network from scratch        {network.score(test_X, test_y):.3f}")

workspace.cleanup()
plt.show()

"""
Embeddings, with and without labels
===================================

Two ways to turn clips into rows of numbers: an autoencoder that never sees a label,
and the last hidden layer of a classifier.
"""

# %%
# Recordings
# ----------

import os
import tempfile
from pathlib import Path

import matplotlib.pyplot as plt
import numpy as np
from sklearn.model_selection import train_test_split

from skdaf.datasets import load_audio_folders, make_audio_dataset

workspace = tempfile.TemporaryDirectory()
folder = Path(os.environ.get("SKDAF_DATA", "."), "fsdd")
if folder.is_dir():
    recordings = load_audio_folders(folder)
    few = [int(Path(path).stem.split("_")[2]) < 8 for path in recordings.filenames]
else:
    kinds = ["low_tone", "high_tone", "rising_chirp", "falling_chirp", "pink_noise"]
    recordings = make_audio_dataset(
        Path(workspace.name, "sounds"), classes=kinds, n_clips_per_class=30
    )
    few = np.ones(len(recordings.filenames), dtype=bool)
paths = np.array(recordings.filenames)[few]
labels = np.asarray(recordings.target_names)[recordings.target][few]
train_X, test_X, train_y, test_y = train_test_split(
    paths, labels, test_size=0.4, stratify=labels, random_state=0
)

# %%
# Without labels
# --------------
# The autoencoder squeezes a spectrogram into few numbers, from which it has to draw
# it again.

from skdaf import ConvAutoencoderEmbedder

embedder = ConvAutoencoderEmbedder(max_epochs=25, random_state=0).fit(train_X)
embeddings = embedder.transform(test_X)
n_values = np.prod(embedder.input_shape_)
print(f"{n_values} values of a spectrogram become {embeddings.shape[1]}")

drawn = embedder.reconstruct(test_X[:3])
given = embedder.frontend_.transform(test_X[:3])
figure, axes = plt.subplots(
    2, 3, figsize=(9, 4), sharex=True, sharey=True, layout="constrained"
)
for row, (name, pictures) in zip(
    axes, {"given": given, "drawn": drawn}.items(), strict=True
):
    for ax, picture, label in zip(row, pictures, test_y, strict=False):
        ax.imshow(
            picture.T,
            origin="lower",
            aspect="auto",
            vmin=given.min(),
            vmax=given.max(),
        )
        ax.set_title(f"{label}, {name}")
    row[0].set_ylabel("mel band")
for ax in axes[-1]:
    ax.set_xlabel("frame")

# %%
# In the plane of the two directions in which they vary most, what sounds alike lies
# together. Colours show the classes, which the autoencoder was not told.

from skdaf import EmbeddingDisplay

# sphinx_gallery_thumbnail_number = 2
EmbeddingDisplay.from_estimator(embedder, test_X, test_y)

# %%
# With labels
# -----------
# The same picture of what the output layer of a classifier sees. It was trained to
# bring the classes apart, and does so on clips that it has not heard.

from skdaf import CNNAudioClassifier

classifier = CNNAudioClassifier(max_epochs=15, random_state=0).fit(train_X, train_y)
EmbeddingDisplay.from_estimator(classifier, test_X, test_y)

# %%
# What a simple model reads from them
# -----------------------------------
# Embeddings are features for anything in scikit-learn. With very few labels, those
# of the autoencoder have an advantage: they were learned from all clips.

from sklearn.linear_model import LogisticRegression
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler

reader = make_pipeline(StandardScaler(), LogisticRegression(max_iter=2000))
few_X, _, few_y, _ = train_test_split(
    train_X,
    train_y,
    train_size=3 * len(set(labels)),
    stratify=train_y,
    random_state=0,
)
reader.fit(embedder.transform(few_X), few_y)
accuracy = reader.score(embeddings, test_y)
network = CNNAudioClassifier(max_epochs=15, random_state=0).fit(few_X, few_y)
print("With three labels a class:")
print(f"  embeddings and a linear model {accuracy:.3f}")
print(f"  a network from scratch        {network.score(test_X, test_y):.3f}")

workspace.cleanup()
plt.show()

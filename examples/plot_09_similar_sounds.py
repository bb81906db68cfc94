"""
Search for similar sounds
=========================

Find the recordings in a library that sound most similar to a given clip.
"""

# %%
# A library and some queries
# --------------------------
# Six classes of synthetic sounds in loud noise, or some takes of the spoken digits.
# A fifth of them are queries.

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
        int(Path(path).stem.split("_")[2]) < 10 for path in recordings.filenames
    ]
else:
    classes = [
        "low_tone",
        "high_tone",
        "rising_chirp",
        "falling_chirp",
        "white_noise",
        "pink_noise",
    ]
    recordings = make_audio_dataset(
        Path(workspace.name, "sounds"), classes=classes, n_clips_per_class=40
    )
    rng = np.random.default_rng(0)
    for path in recordings.filenames:
        samples, rate = load_audio(path)
        noise = (
            samples.std() * rng.uniform(2, 5) * rng.standard_normal(len(samples))
        )
        soundfile.write(path, samples + noise, rate, subtype="FLOAT")
    selected = np.ones(len(recordings.filenames), dtype=bool)
paths = np.array(recordings.filenames)[selected]
labels = np.asarray(recordings.target_names)[recordings.target][selected]
library, queries, library_y, query_y = train_test_split(
    paths, labels, test_size=0.2, stratify=labels, random_state=0
)

# %%
# Embeddings
# ----------
# The input of a network's output layer is used as the embedding of a clip.
# Embeddings are normalized to unit length, so that only their direction matters. If
# you have no labels, use a ``ConvAutoencoderEmbedder`` instead of the extractor.

from sklearn.neighbors import NearestNeighbors
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import Normalizer

from skdaf import CNNAudioClassifier, CNNFeatureExtractor

network = CNNAudioClassifier(max_epochs=10, random_state=0)
embed = make_pipeline(CNNFeatureExtractor(network), Normalizer())
index = NearestNeighbors(n_neighbors=3).fit(embed.fit_transform(library, library_y))

# %%
# Queries
# -------

distances, neighbors = index.kneighbors(embed.transform(queries))
hits = library_y[neighbors] == query_y[:, None]
print(f"{len(queries)} queries with 3 nearest neighbors each:")
print(f"{hits.mean():.0%} of the neighbors have the class of the query")

# %%
# The figure shows the four queries with the most wrong neighbors: the query on the
# left, then the recordings found, nearest first, with their distance. Those of
# another class have a red title.

from skdaf import SpectrogramDisplay

shown = np.argsort(hits.mean(axis=1), kind="stable")[:4]
figure, axes = plt.subplots(
    len(shown), 4, figsize=(11, 2 * len(shown)), sharey=True, layout="constrained"
)
frontend = embed[0].estimator_.frontend_
for row, query in zip(axes, shown, strict=True):
    clips = [queries[query], *library[neighbors[query]]]
    SpectrogramDisplay.from_estimator(frontend, clips, ax=row, colorbar=False)
    row[0].set_title(f"query: {query_y[query]}")
    for ax, found, distance in zip(
        row[1:], neighbors[query], distances[query], strict=True
    ):
        is_hit = library_y[found] == query_y[query]
        ax.set_title(
            f"{library_y[found]} ({distance:.3f})",
            color="black" if is_hit else "red",
        )
        ax.set_ylabel("")
for ax in axes[:-1].flat:
    ax.set_xlabel("")

workspace.cleanup()
plt.show()

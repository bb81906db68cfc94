"""
Search for similar sounds
=========================

A clip is asked for, and the recordings of a library that sound most like it come
back.
"""

# %%
# A library, and some queries
# ---------------------------

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
    few = [int(Path(path).stem.split("_")[2]) < 10 for path in recordings.filenames]
else:
    kinds = ["low_tone", "high_tone", "rising_chirp", "falling_chirp", "pink_noise"]
    recordings = make_audio_dataset(
        Path(workspace.name, "sounds"), classes=kinds, n_clips_per_class=40
    )
    few = np.ones(len(recordings.filenames), dtype=bool)
paths = np.array(recordings.filenames)[few]
labels = np.asarray(recordings.target_names)[recordings.target][few]
library, queries, library_y, query_y = train_test_split(
    paths, labels, test_size=0.2, stratify=labels, random_state=0
)

# %%
# Descriptions
# ------------
# What the last layer of a network sees describes a clip; of unit length,
# descriptions are compared by their direction. Without labels, a
# ``ConvAutoencoderEmbedder`` can stand in the extractor's place.

from sklearn.neighbors import NearestNeighbors
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import Normalizer

from skdaf import CNNAudioClassifier, CNNFeatureExtractor

network = CNNAudioClassifier(max_epochs=15, random_state=0)
describe = make_pipeline(CNNFeatureExtractor(network), Normalizer())
index = NearestNeighbors(n_neighbors=3).fit(
    describe.fit_transform(library, library_y)
)

# %%
# Queries
# -------

distances, neighbours = index.kneighbors(describe.transform(queries))
hits = library_y[neighbours] == query_y[:, None]
print(f"{len(queries)} queries, the 3 nearest of each:")
print(f"{hits.mean():.0%} are of the class of the query")

# %%
# The first query of some classes at the left, then what was found, nearest first,
# with its distance:

from skdaf import SpectrogramDisplay

shown = [np.flatnonzero(query_y == label)[0] for label in np.unique(labels)[:4]]
figure, axes = plt.subplots(
    len(shown), 4, figsize=(11, 2 * len(shown)), sharey=True, layout="constrained"
)
frontend = describe[0].estimator_.frontend_
for row, query in zip(axes, shown, strict=True):
    clips = [queries[query], *library[neighbours[query]]]
    SpectrogramDisplay.from_estimator(frontend, clips, ax=row, colorbar=False)
    row[0].set_title(f"asked for: {query_y[query]}")
    for ax, found, distance in zip(
        row[1:], neighbours[query], distances[query], strict=True
    ):
        ax.set_title(f"{library_y[found]} ({distance:.3f})")
        ax.set_ylabel("")
for ax in axes[:-1].flat:
    ax.set_xlabel("")

workspace.cleanup()
plt.show()

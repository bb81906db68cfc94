"""
A first classifier
==================

From class folders to a network that is trained, judged, saved and asked about a
file.
"""

# %%
# Recordings and labels
# ---------------------
# Recordings lie in one folder a class. Here they are made, unless spoken digits are
# at hand.

import os
import tempfile
from pathlib import Path

import matplotlib.pyplot as plt
import numpy as np

from skdaf.datasets import load_audio_folders, make_audio_dataset

workspace = tempfile.TemporaryDirectory()
folder = Path(os.environ.get("SKDAF_DATA", "."), "fsdd")
if not folder.is_dir():
    folder = Path(workspace.name, "sounds")
    kinds = ["low_tone", "high_tone", "rising_chirp", "falling_chirp", "pink_noise"]
    make_audio_dataset(folder, classes=kinds, n_clips_per_class=40)

recordings = load_audio_folders(folder)
paths = np.array(recordings.filenames)
labels = np.asarray(recordings.target_names)[recordings.target]
print(f"{len(paths)} recordings of {len(recordings.target_names)} classes")

# %%
# Look before training
# --------------------
# How long are the clips, and what do they look like?

from skdaf import DurationDisplay, SpectrogramDisplay, SpectrogramTransformer

DurationDisplay.from_clips(paths, labels)

# %%

# sphinx_gallery_thumbnail_number = 2
frontend = SpectrogramTransformer().fit(paths)
SpectrogramDisplay.from_estimator(frontend, paths, labels, n_clips=3)

# %%
# Train
# -----
# A quarter of the clips is kept for the test. The classifier takes paths; it reads
# files, makes spectrograms and trains a network on them.

from sklearn.model_selection import train_test_split

from skdaf import CNNAudioClassifier

train_X, test_X, train_y, test_y = train_test_split(
    paths, labels, test_size=0.25, stratify=labels, random_state=0
)
classifier = CNNAudioClassifier(max_epochs=20, random_state=0)
classifier.fit(train_X, train_y)

# %%
# Training holds out a tenth of its own clips, and keeps the epoch that did best on
# them. Losses and scores of training are those of clips that were changed at
# random, to make learning harder: here they stay behind those of the held-out ones.

from skdaf import TrainingDisplay

TrainingDisplay.from_estimator(classifier)

# %%
# Judge
# -----

from sklearn.metrics import ConfusionMatrixDisplay, classification_report

predicted = classifier.predict(test_X)
print(classification_report(test_y, predicted))
matrix = ConfusionMatrixDisplay.from_predictions(
    test_y, predicted, xticks_rotation=45, cmap="Blues", colorbar=False
)
matrix.figure_.set_layout_engine("constrained")

# %%
# Save, load, use
# ---------------
# Files of ``save_model`` hold no code, and can be loaded without trusting who wrote
# them.

from skdaf import load_model, save_model

path = Path(workspace.name, "model.skops")
save_model(classifier, path)
loaded = load_model(path)
probabilities = loaded.predict_proba(test_X[:1])[0]
print(f"{Path(test_X[0]).name}, {path.stat().st_size / 1e3:.0f} kB of model:")
for label, probability in zip(loaded.classes_, probabilities, strict=True):
    print(f"  {label:15} {probability:.3f}")

workspace.cleanup()
plt.show()

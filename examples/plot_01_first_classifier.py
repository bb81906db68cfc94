"""
A first classifier
==================

Train a network on class folders, evaluate it, save it, and predict a file.
"""

# %%
# Recordings and labels
# ---------------------
# There is one folder per class. This example generates synthetic sounds in loud
# noise, unless spoken digits are available.

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
if not folder.is_dir():
    folder = Path(workspace.name, "sounds")
    classes = [
        "low_tone",
        "high_tone",
        "rising_chirp",
        "falling_chirp",
        "white_noise",
        "pink_noise",
    ]
    made = make_audio_dataset(folder, classes=classes, n_clips_per_class=40)
    rng = np.random.default_rng(0)
    for path in made.filenames:
        samples, rate = load_audio(path)
        noise = (
            samples.std() * rng.uniform(2, 5) * rng.standard_normal(len(samples))
        )
        soundfile.write(path, samples + noise, rate, subtype="FLOAT")

recordings = load_audio_folders(folder)
paths = np.array(recordings.filenames)
labels = np.asarray(recordings.target_names)[recordings.target]
print(f"{len(paths)} recordings of {len(recordings.target_names)} classes")

# %%
# Look at the data
# ----------------
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
# A quarter of the clips is held out for testing. The classifier takes paths: it
# reads the files, computes spectrograms and trains a network on them.

from sklearn.model_selection import train_test_split

from skdaf import CNNAudioClassifier

train_X, test_X, train_y, test_y = train_test_split(
    paths, labels, test_size=0.25, stratify=labels, random_state=0
)
classifier = CNNAudioClassifier(max_epochs=12, random_state=0)
classifier.fit(train_X, train_y)

# %%
# Training clips are augmented with random changes that make learning harder, except
# in the last fifth of the epochs. With ``early_stopping=True``, ``fit`` would hold
# out a tenth of the clips, and the figure would show their losses too.

from skdaf import TrainingDisplay

TrainingDisplay.from_estimator(classifier)

# %%
# Evaluate
# --------
# The report has the precision and recall of each class, and the confusion matrix
# shows which classes are taken for which others: true ones in rows, predicted ones
# in columns.

from sklearn.metrics import ConfusionMatrixDisplay, classification_report

predicted = classifier.predict(test_X)
print(classification_report(test_y, predicted))
matrix = ConfusionMatrixDisplay.from_predictions(
    test_y, predicted, xticks_rotation=45, cmap="Blues", colorbar=False
)
matrix.figure_.set_layout_engine("constrained")

# %%
# Save, load, predict
# -------------------
# Files written by ``save_model`` contain no code, so you can load them even if you
# do not trust their author.

from skdaf import load_model, save_model

path = Path(workspace.name, "model.skops")
save_model(classifier, path)
loaded = load_model(path)
probabilities = loaded.predict_proba(test_X[:1])[0]
print(f"The model file takes {path.stat().st_size / 1e3:.0f} kB.")
print(f"Probabilities for {Path(test_X[0]).name}:")
for label, probability in zip(loaded.classes_, probabilities, strict=True):
    print(f"  {label:15} {probability:.3f}")

workspace.cleanup()
plt.show()

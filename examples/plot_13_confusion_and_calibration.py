"""
Which classes are confused, and how sure to be
==============================================

Find out which classes a network confuses, whether its probabilities can be
believed, and correct them if not.
"""

# %%
# Recordings
# ----------
# Nine classes of synthetic sounds in loud noise, or spoken digits. Some clips, or
# the digits of one speaker, are kept for calibration. All clips of two other
# speakers are for testing.

import os
import tempfile
from pathlib import Path

import matplotlib.pyplot as plt
import numpy as np
import pandas as pd
import soundfile
from sklearn.model_selection import train_test_split

from skdaf import load_audio
from skdaf.datasets import load_audio_folders, make_audio_dataset

workspace = tempfile.TemporaryDirectory()
folder = Path(os.environ.get("SKDAF_DATA", "."), "fsdd")
if folder.is_dir():
    recordings = load_audio_folders(folder)
    paths = np.array(recordings.filenames)
    labels = np.asarray(recordings.target_names)[recordings.target]
    parts = [Path(path).stem.split("_") for path in paths]
    speakers = np.array([speaker for _, speaker, _ in parts])
    is_test = np.isin(speakers, ["theo", "yweweler"])
    is_spare = speakers == "jackson"
    is_train = (
        ~is_test & ~is_spare & np.array([int(take) < 10 for *_, take in parts])
    )
    train_X, spare_X, test_X = paths[is_train], paths[is_spare], paths[is_test]
    train_y, spare_y, test_y = labels[is_train], labels[is_spare], labels[is_test]
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
        Path(workspace.name, "sounds"), classes=classes, n_clips_per_class=80
    )
    rng = np.random.default_rng(0)
    for path in recordings.filenames:
        samples, rate = load_audio(path)
        noise = (
            rng.standard_normal(len(samples)) * samples.std() * rng.uniform(2, 6)
        )
        soundfile.write(path, samples + noise, rate, subtype="FLOAT")
    labels = np.asarray(recordings.target_names)[recordings.target]
    known_X, test_X, known_y, test_y = train_test_split(
        *(recordings.filenames, labels),
        test_size=0.6,
        stratify=labels,
        random_state=0,
    )
    train_X, spare_X, train_y, spare_y = train_test_split(
        known_X, known_y, test_size=0.4, stratify=known_y, random_state=0
    )
print(f"{len(train_X)} clips for training, {len(test_X)} for testing")

# %%
# Train
# -----

from skdaf import CNNAudioClassifier

classifier = CNNAudioClassifier(max_epochs=30, random_state=0)
classifier.fit(train_X, train_y)
print(f"accuracy {classifier.score(test_X, test_y):.2f}")

# %%
# Which classes are confused
# --------------------------
# Each row of the confusion matrix has the true clips of a class: on the diagonal is
# the share that was recognized, beside it what the others were taken for. Two cells
# on opposite sides of the diagonal are a pair of classes that sound alike; a bright
# column is a class that the network chooses when it is not sure.

from sklearn.metrics import ConfusionMatrixDisplay

probabilities = classifier.predict_proba(test_X)
predicted = classifier.classes_[probabilities.argmax(axis=1)]
figure, ax = plt.subplots(figsize=(6.8, 5.6), layout="constrained")
ConfusionMatrixDisplay.from_predictions(
    test_y,
    predicted,
    normalize="true",
    values_format=".2f",
    xticks_rotation=45,
    cmap="Blues",
    ax=ax,
)
ax.set(title="share of the clips of each class", xlabel="predicted", ylabel="true")

# %%
# The most frequent confusions, as a table:

table = pd.crosstab(pd.Series(test_y, name="true"), pd.Series(predicted, name="as"))
confusions = table.stack().rename("clips").reset_index()
confusions = confusions[confusions["true"] != confusions["as"]]
print(confusions.nlargest(4, "clips").to_string(index=False))

# %%
# Can the probabilities be believed?
# ----------------------------------
# Of all clips that get their label with a probability of 0.8, eight in ten should
# be right. ``CalibratedClassifierCV`` learns one number from clips that the network
# has not seen: the temperature by which all outputs are divided, so that
# probabilities become more or less extreme, while the labels stay the same. It
# needs scikit-learn 1.8 or later.

from sklearn.calibration import CalibratedClassifierCV
from sklearn.frozen import FrozenEstimator
from sklearn.metrics import log_loss

calibrated = CalibratedClassifierCV(
    FrozenEstimator(classifier), method="temperature"
).fit(spare_X, spare_y)
results = {
    "network": probabilities,
    "calibrated": calibrated.predict_proba(test_X),
}
is_right = predicted == test_y
for name, values in results.items():
    print(
        f"{name:10} mean probability of the label {values.max(axis=1).mean():.2f}, "
        f"accuracy {is_right.mean():.2f}, log loss {log_loss(test_y, values):.2f}"
    )

# %%
# In the figure on the left, a point stands for a tenth of the test clips. Below the
# diagonal, a classifier is more sure than it should be, and above it, less. The
# network is less sure, because ``label_smoothing`` keeps its probabilities away
# from 1; calibrated ones are close to the diagonal.

from sklearn.calibration import CalibrationDisplay

# sphinx_gallery_thumbnail_number = 2
figure, (left, right) = plt.subplots(1, 2, figsize=(10, 4.4), layout="constrained")
for (name, values), marker in zip(results.items(), "os", strict=True):
    CalibrationDisplay.from_predictions(
        *(is_right, values.max(axis=1)),
        n_bins=10,
        strategy="quantile",
        name=name,
        marker=marker,
        ax=left,
    )
left.set(
    title="how often labels are right",
    xlabel="probability of the predicted label",
    ylabel="share that is right",
)
order = np.argsort(-probabilities.max(axis=1))
kept = np.arange(1, len(order) + 1)
share = np.cumsum(is_right[order]) / kept
right.plot(kept[20:] / len(order), share[20:])
right.set(
    title="leaving out unsure labels",
    xlabel="share of the clips that get a label, surest first",
    ylabel="accuracy on these clips",
    ylim=(None, 1.02),
)

# %%
# Use clips for calibration that are as new to the network as later ones will be.
# For the spoken digits, they come from another speaker. With other takes of the
# speakers in the training set, on which the network makes no mistakes, all
# calibrated probabilities of the test clips are close to 1, and a sixth of the
# labels is wrong.
#
# The figure on the right shows what probabilities are good for in any case: if a
# person looks at the unsure clips, more of the other labels are right.

workspace.cleanup()
plt.show()

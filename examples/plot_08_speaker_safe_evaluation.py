"""
Evaluation without leaking speakers
===================================

A network learns to detect tremor in a voice. With a random split it looks almost
perfect, but with new speakers it is not. This example shows why.
"""

# %%
# Sixteen speakers, half of them with tremor
# ------------------------------------------
# Each of the synthetic speakers has a different pitch, vocal tract and microphone,
# and says a vowel eight times. Half of the voices have a tremor: their loudness
# varies five times per second. As in most studies, each speaker belongs to one
# class, with tremor or healthy.

import tempfile
from pathlib import Path

import matplotlib.pyplot as plt
import numpy as np
import soundfile
from scipy.signal import iirpeak, lfilter

RATE = 8000
workspace = tempfile.TemporaryDirectory()


def speaker_of(rng):
    """Draw a random voice: pitch (Hz), resonances (Hz), noise of the microphone."""
    resonances = [
        rng.uniform(*span) for span in ((300, 900), (1000, 2200), (2300, 3600))
    ]
    return rng.uniform(90, 260), resonances, 10 ** rng.uniform(-4, -2)


def vowel(speaker, tremor, rng):
    """Return the samples of one vowel of 0.6 s."""
    pitch, resonances, noise = speaker
    times = np.arange(int(0.6 * RATE)) / RATE
    phase = 2 * np.pi * pitch * rng.uniform(0.98, 1.02) * times
    samples = 0.01 * np.sum(
        [np.sin(k * phase) for k in range(1, int(3800 / pitch))], axis=0
    )
    for frequency in resonances:
        samples = samples + 4 * lfilter(*iirpeak(frequency, 6, fs=RATE), samples)
    depth = 0.45 if tremor else 0.0
    samples *= 1 - depth * (1 + np.sin(2 * np.pi * (5 * times + rng.random()))) / 2
    return samples / np.abs(samples).max() * 0.5 + noise * rng.standard_normal(
        len(times)
    )


rng = np.random.default_rng(0)
paths, labels, speakers = [], [], []
for number in range(16):
    speaker, tremor = speaker_of(rng), number % 2 == 1
    for take in range(8):
        path = Path(workspace.name, f"speaker{number:02}_{take:02}.wav")
        soundfile.write(path, vowel(speaker, tremor, rng), RATE)
        paths.append(path)
        labels.append("tremor" if tremor else "healthy")
        speakers.append(f"speaker {number:02}")
paths, labels, speakers = map(np.array, (paths, labels, speakers))

# %%
# The figure shows two speakers of each class with three takes each. The differences
# between speakers are much more visible than the tremor.

from skdaf import SpectrogramDisplay, SpectrogramTransformer

shown = [
    path
    for number in (0, 2, 1, 3)
    for path in paths[speakers == f"speaker {number:02}"][:3]
]
names = [
    f"{labels[paths == path][0]}, {speakers[paths == path][0]}" for path in shown
]
frontend = SpectrogramTransformer(hop_length=0.02).fit(paths)
SpectrogramDisplay.from_estimator(frontend, shown, names, n_clips=3)

# %%
# Two splits
# ----------
# ``StratifiedKFold`` splits the takes at random, so almost every speaker is in both
# the training set and the test set. ``StratifiedGroupKFold`` keeps all takes of a
# speaker in the same set.

from sklearn.model_selection import (
    StratifiedGroupKFold,
    StratifiedKFold,
    cross_val_score,
)

from skdaf import CNNAudioClassifier

spectrograms = frontend.transform(paths)  # computed once for all fits
classifier = CNNAudioClassifier(max_epochs=10, random_state=0)
scores = {
    "random": cross_val_score(
        *(classifier, spectrograms, labels),
        cv=StratifiedKFold(3, shuffle=True, random_state=0),
    ),
    "by speaker": cross_val_score(
        *(classifier, spectrograms, labels),
        groups=speakers,
        cv=StratifiedGroupKFold(3, shuffle=True, random_state=0),
    ),
}
for name, values in scores.items():
    print(f"{name:10} accuracy {values.mean():.2f}, folds", *values.round(2))

# %%

# sphinx_gallery_thumbnail_number = 2
figure, ax = plt.subplots(figsize=(5.5, 3.8), layout="constrained")
ax.bar(
    [*scores], [values.mean() for values in scores.values()], color="0.8", width=0.5
)
for place, values in enumerate(scores.values()):
    ax.plot(np.full(len(values), place), values, "ko", markersize=5, alpha=0.6)
ax.axhline(0.5, color="black", linestyle=":", label="chance")
ax.set(
    title="two splits of the same clips",
    ylabel="accuracy (bars: mean, dots: folds)",
    ylim=(0, 1.05),
)
ax.legend(loc="lower left")

# %%
# Why they differ
# ---------------
# A network that recognizes the speaker does not need to detect the tremor. To see
# how easy it is to recognize the speakers, train a network to do this, with a
# random split:

speaker_score = cross_val_score(
    classifier,
    spectrograms,
    speakers,
    cv=StratifiedKFold(2, shuffle=True, random_state=0),
).mean()
print(f"{len(set(speakers))} speakers: accuracy {speaker_score:.2f}")

# %%
# The random split therefore measures how well the network recognizes *these*
# speakers. Only the split by speaker tells you how it works on new ones. Use the
# same split for hyperparameter search, ``GridSearchCV(..., cv=split)``; otherwise
# the search picks the candidate that is best at recognizing speakers.

# %%
# Spoken digits
# -------------
# If you have the Free Spoken Digit Dataset, this repeats the comparison with real
# voices. Every speaker says every digit, so recognizing the speaker helps less.
# Nevertheless, the network adapts to the voices of the six speakers.

import os

from skdaf.datasets import load_audio_folders

folder = Path(os.environ.get("SKDAF_DATA", "."), "fsdd")
if folder.is_dir():
    digits = load_audio_folders(folder)
    parts = [Path(path).stem.split("_") for path in digits.filenames]
    selected = [int(take) < 10 for _, _, take in parts]
    X = SpectrogramTransformer().fit_transform(np.array(digits.filenames)[selected])
    y = digits.target[selected]
    groups = np.array([speaker for _, speaker, _ in parts])[selected]
    random_split = StratifiedKFold(3, shuffle=True, random_state=0)
    by_speaker = StratifiedGroupKFold(3, shuffle=True, random_state=0)
    values = cross_val_score(classifier, X, y, cv=random_split)
    print(f"digits, random split: accuracy {values.mean():.2f}")
    values = cross_val_score(classifier, X, y, groups=groups, cv=by_speaker)
    print(f"digits, by speaker:   accuracy {values.mean():.2f}")

workspace.cleanup()
plt.show()

"""
Evaluation that does not leak speakers
======================================

A network is to tell from a vowel whether a voice trembles. Split at random it looks
nearly perfect; with speakers that it never heard it is not. Here is why.
"""

# %%
# Sixteen speakers, half of them with tremor
# ------------------------------------------
# Each speaker has a pitch, resonances and a microphone of their own, and says a
# vowel eight times. In half of the voices the loudness trembles, five
# times a second. As in most studies a speaker belongs to one of the classes: ill or
# healthy.

import tempfile
from pathlib import Path

import matplotlib.pyplot as plt
import numpy as np
import soundfile
from scipy.signal import iirpeak, lfilter

RATE = 8000
workspace = tempfile.TemporaryDirectory()


def speaker_of(rng):
    """Draw a voice: pitch, resonances (Hz), the noise of its microphone."""
    resonances = [
        rng.uniform(*span) for span in ((300, 900), (1000, 2200), (2300, 3600))
    ]
    return rng.uniform(90, 260), resonances, 10 ** rng.uniform(-4, -2)


def vowel(speaker, trembles, rng):
    """Return the samples of one vowel of 0.6 s."""
    pitch, resonances, noise = speaker
    times = np.arange(int(0.6 * RATE)) / RATE
    phase = 2 * np.pi * pitch * rng.uniform(0.98, 1.02) * times
    samples = 0.01 * np.sum(
        [np.sin(k * phase) for k in range(1, int(3800 / pitch))], axis=0
    )
    for frequency in resonances:
        samples = samples + 4 * lfilter(*iirpeak(frequency, 6, fs=RATE), samples)
    depth = 0.45 if trembles else 0.0
    samples *= 1 - depth * (1 + np.sin(2 * np.pi * (5 * times + rng.random()))) / 2
    return samples / np.abs(samples).max() * 0.5 + noise * rng.standard_normal(
        len(times)
    )


rng = np.random.default_rng(0)
paths, labels, speakers = [], [], []
for number in range(16):
    speaker, trembles = speaker_of(rng), number % 2 == 1
    for take in range(8):
        path = Path(workspace.name, f"speaker{number:02}_{take:02}.wav")
        soundfile.write(path, vowel(speaker, trembles, rng), RATE)
        paths.append(path)
        labels.append("tremor" if trembles else "healthy")
        speakers.append(f"speaker {number:02}")
paths, labels, speakers = map(np.array, (paths, labels, speakers))

# %%
# Two speakers of each class, three takes each: the speaker is what one sees at
# once.

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
# ``StratifiedKFold`` deals out the takes at random: nearly every speaker is in
# training and in the test. ``StratifiedGroupKFold`` keeps each speaker on one side.

from sklearn.model_selection import (
    StratifiedGroupKFold,
    StratifiedKFold,
    cross_val_score,
)

from skdaf import CNNAudioClassifier

spectrograms = frontend.transform(paths)  # made once for all fits
classifier = CNNAudioClassifier(max_epochs=12, random_state=0)
scores = {
    "random": cross_val_score(
        *(classifier, spectrograms, labels),
        cv=StratifiedKFold(4, shuffle=True, random_state=0),
    ),
    "by speaker": cross_val_score(
        *(classifier, spectrograms, labels),
        groups=speakers,
        cv=StratifiedGroupKFold(4, shuffle=True, random_state=0),
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
ax.set(ylabel="accuracy (bars: mean, dots: folds)", ylim=(0, 1.05))
ax.legend(loc="lower left")

# %%
# Why they differ
# ---------------
# The network need not hear the tremor when it knows the voice. How well the voices
# can be told apart shows in a network that is asked for the speaker, and split at
# random:

speaker_score = cross_val_score(
    classifier,
    spectrograms,
    speakers,
    cv=StratifiedKFold(2, shuffle=True, random_state=0),
).mean()
print(f"one of {len(set(speakers))} speakers: accuracy {speaker_score:.2f}")

# %%
# So the random split measures how well *these* speakers are recognised. Only the
# split by speaker says something about new ones. Searches need the same split,
# ``GridSearchCV(..., cv=split)``, or they choose what recognises speakers best.

# %%
# Spoken digits
# -------------
# Where the Free Spoken Digit Dataset is at hand, the same with real voices. Every
# speaker says every digit, so knowing the speaker helps less: the network has still
# tuned itself to six voices.

import os

from skdaf.datasets import load_audio_folders

folder = Path(os.environ.get("SKDAF_DATA", "."), "fsdd")
if folder.is_dir():
    digits = load_audio_folders(folder)
    few = [int(Path(path).stem.split("_")[2]) < 10 for path in digits.filenames]
    X = SpectrogramTransformer().fit_transform(np.array(digits.filenames)[few])
    who = np.array([Path(path).stem.split("_")[1] for path in digits.filenames])[
        few
    ]
    y = digits.target[few]
    random_split = StratifiedKFold(3, shuffle=True, random_state=0)
    by_speaker = StratifiedGroupKFold(3, shuffle=True, random_state=0)
    values = cross_val_score(classifier, X, y, cv=random_split)
    print(f"digits, random split: accuracy {values.mean():.2f}")
    values = cross_val_score(classifier, X, y, groups=who, cv=by_speaker)
    print(f"digits, by speaker:   accuracy {values.mean():.2f}")

workspace.cleanup()
plt.show()

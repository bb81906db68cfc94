"""
Hyperparameter search with a cache
==================================

Tune the front end and the network together, and compute each spectrogram only once.
"""

# %%
# Recordings
# ----------
# Four classes of sounds in loud noise, or some takes of the spoken digits.

import os
import tempfile
from pathlib import Path
from time import perf_counter

import matplotlib.pyplot as plt
import numpy as np
import pandas as pd
import soundfile

from skdaf import CNNAudioClassifier, SpectrogramTransformer, load_audio
from skdaf.datasets import load_audio_folders, make_audio_dataset

workspace = tempfile.TemporaryDirectory()
folder = Path(os.environ.get("SKDAF_DATA", "."), "fsdd")
if folder.is_dir():
    recordings = load_audio_folders(folder)
    selected = [
        int(Path(path).stem.split("_")[2]) < 3 for path in recordings.filenames
    ]
else:
    classes = ["low_energy", "medium_energy", "white_noise", "pink_noise"]
    recordings = make_audio_dataset(
        Path(workspace.name, "sounds"),
        classes=classes,
        n_clips_per_class=24,
        duration=(0.2, 0.4),
    )
    rng = np.random.default_rng(0)
    for path in recordings.filenames:
        samples, rate = load_audio(path)
        noise = (
            samples.std() * rng.uniform(1, 3) * rng.standard_normal(len(samples))
        )
        soundfile.write(path, samples + noise, rate, subtype="FLOAT")
    selected = np.ones(len(recordings.filenames), dtype=bool)
paths = np.array(recordings.filenames)[selected]
labels = np.asarray(recordings.target_names)[recordings.target][selected]

# %%
# How much time the cache saves
# -----------------------------
# The first pass over the files computes the spectrograms and stores them in the
# cache folder. Every later pass reads them from there, even in other processes and
# later sessions.

cache = Path(workspace.name, "spectrograms")
frontend = SpectrogramTransformer(cache=cache)
for attempt in ("first", "second"):
    start = perf_counter()
    frontend.fit_transform(paths)
    duration = 1e3 * (perf_counter() - start)
    print(f"{attempt} pass: {duration:.0f} ms for {len(paths)} files")

# %%
# The search
# ----------
# Parameters of the front end have the prefix ``frontend__``. With three folds, each
# candidate is fitted three times on two thirds of the clips and scored on the rest.

from sklearn.model_selection import GridSearchCV

search = GridSearchCV(
    CNNAudioClassifier(
        frontend, channels=(8, 16, 32), max_epochs=5, random_state=0
    ),
    {"frontend__n_mels": [16, 64], "learning_rate": [1e-3, 3e-3]},
    cv=3,
)
search.fit(paths, labels)
results = pd.DataFrame(search.cv_results_)
columns = [
    "param_frontend__n_mels",
    "param_learning_rate",
    "mean_test_score",
    "std_test_score",
]
print(results[columns].round(3).to_string(index=False))

# %%
# The figure compares the candidates. The error bars show the spread over the folds:
# if those of two candidates overlap, three folds are not enough to tell which one
# is better.

figure, ax = plt.subplots(figsize=(6, 3.2), layout="constrained")
names = [
    f"{row.param_frontend__n_mels} mel bands, rate {row.param_learning_rate:g}"
    for row in results.itertuples()
]
ax.barh(names, results.mean_test_score, xerr=results.std_test_score, color="0.6")
ax.axvline(1 / len(set(labels)), color="black", linestyle=":", label="chance")
ax.invert_yaxis()
ax.set(
    title="candidates of the search",
    xlabel="accuracy (mean and standard deviation of three folds)",
    xlim=(0, 1.05),
)
figure.legend(loc="outside upper right")

# %%
# The search fits the best candidate again on all clips. Use it like any other
# classifier:

print(search.best_params_)
print(search.predict(paths[:3]))

workspace.cleanup()
plt.show()

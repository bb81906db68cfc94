"""
A search with a cache
=====================

Front end and network are searched together, and each spectrogram is computed once.
"""

# %%
# Recordings
# ----------
# Four kinds of sound with noise over them, or some takes of spoken digits.

import os
import tempfile
from pathlib import Path
from time import perf_counter

import matplotlib.pyplot as plt
import numpy as np
import pandas as pd

from skdaf import CNNAudioClassifier, SpectrogramTransformer
from skdaf.datasets import load_audio_folders, make_audio_dataset

workspace = tempfile.TemporaryDirectory()
folder = Path(os.environ.get("SKDAF_DATA", "."), "fsdd")
if folder.is_dir():
    recordings = load_audio_folders(folder)
    few = [int(Path(path).stem.split("_")[2]) < 3 for path in recordings.filenames]
else:
    kinds = ["low_energy", "medium_energy", "white_noise", "pink_noise"]
    recordings = make_audio_dataset(
        Path(workspace.name, "sounds"), classes=kinds, n_clips_per_class=24
    )
    few = np.ones(len(recordings.filenames), dtype=bool)
paths = np.array(recordings.filenames)[few]
labels = np.asarray(recordings.target_names)[recordings.target][few]

# %%
# What a cache saves
# ------------------
# The first pass over the files computes; every later one finds the spectrograms in
# the folder. That holds for other processes and later sessions too.

cache = Path(workspace.name, "spectrograms")
frontend = SpectrogramTransformer(cache=cache)
for turn in ("first", "second"):
    start = perf_counter()
    frontend.fit_transform(paths)
    duration = 1e3 * (perf_counter() - start)
    print(f"{turn} pass: {duration:.0f} ms for {len(paths)} files")

# %%
# The search
# ----------
# Parameters of the front end are named ``frontend__...``. Each candidate is fitted
# on two thirds of the clips and judged by the rest, three times.

from sklearn.model_selection import GridSearchCV

search = GridSearchCV(
    CNNAudioClassifier(
        frontend, channels=(8, 16, 32), max_epochs=12, random_state=0
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
# Seen side by side, with the spread of the folds: two candidates whose spreads
# overlap are not to be told apart by three folds.

figure, ax = plt.subplots(figsize=(6, 3.2), layout="constrained")
names = [
    f"{row.param_frontend__n_mels} mel bands, rate {row.param_learning_rate:g}"
    for row in results.itertuples()
]
ax.barh(names, results.mean_test_score, xerr=results.std_test_score, color="0.6")
ax.axvline(1 / len(set(labels)), color="black", linestyle=":", label="chance")
ax.invert_yaxis()
ax.set(xlabel="accuracy, mean and deviation of three folds", xlim=(0, 1.05))
figure.legend(loc="outside upper right")

# %%
# The best one was fitted again on all clips, and is a classifier like any other.

print(search.best_params_)
print(search.predict(paths[:3]))

workspace.cleanup()
plt.show()

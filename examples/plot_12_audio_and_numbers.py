"""
Sounds and numbers in one table
===============================

Two species of crickets sound the same, but one chirps faster. Both chirp faster
when it is warm, so a model needs the sound and the temperature.
"""

# %%
# A table of recordings and temperatures
# --------------------------------------
# At the same temperature, field crickets chirp faster than house crickets. Pitch,
# noise and temperature are random. Each row of the table is a recording of two
# seconds.

import tempfile
from pathlib import Path

import matplotlib.pyplot as plt
import numpy as np
import pandas as pd
import soundfile

RATE = 16000
SPEEDS = {"field cricket": 0.16, "house cricket": 0.11}  # chirps/s per degree
workspace = tempfile.TemporaryDirectory()


def chirping(chirps_per_second, rng):
    """Return samples with three pulses per chirp."""
    times = np.arange(2 * RATE) / RATE
    since_start = (times * chirps_per_second + rng.random()) % 1 / chirps_per_second
    pulses = np.sin(np.pi * since_start / 0.04) ** 2 * (since_start < 0.12)
    tone = 0.3 * np.sin(2 * np.pi * rng.uniform(3500, 5500) * times) * pulses
    return tone + 10 ** rng.uniform(-2.5, -1.3) * rng.standard_normal(len(times))


rng = np.random.default_rng(0)
rows = []
for number in range(300):
    species = [*SPEEDS][number % 2]
    temperature = rng.uniform(14, 30)
    speed = SPEEDS[species] * (temperature - 4) * np.exp(rng.normal(0, 0.05))
    path = Path(workspace.name, f"{number:03}.wav")
    soundfile.write(path, chirping(speed, rng), RATE)
    rows.append((str(path), round(temperature, 1), species, speed))
table = pd.DataFrame(rows, columns=["path", "temperature", "species", "speed"])
print(table[["temperature", "species"]].head())

# %%
# The figure shows why both are needed. The species are clearly apart, but most
# rates (horizontal lines) and all temperatures (vertical lines) occur in both. The
# models do not get the rate: they have to find it in the sound.

fig, ax = plt.subplots(figsize=(6, 4), layout="constrained")
for species, rows in table.groupby("species"):
    ax.plot(rows.temperature, rows.speed, ".", label=species)
ax.set(xlabel="temperature (°C)", ylabel="chirps per second")
ax.legend()

# %%
# The same rate, two species
# --------------------------
# A field cricket on a cool evening sounds like a house cricket on a warm one.

from skdaf import SpectrogramDisplay, SpectrogramTransformer

similar = (table.speed - 2).abs().groupby(table.species).idxmin()
titles = [f"{table.species[i]}, {table.temperature[i]:.0f} °C" for i in similar]
frontend = SpectrogramTransformer(hop_length=0.02).fit(table["path"])
SpectrogramDisplay.from_estimator(frontend, table.loc[similar], titles)

# %%
# One model for both columns
# --------------------------
# ``ColumnTransformer`` passes the column ``path`` to a network, whose inner layer
# provides features, and the temperature to a scaler. In each fold of the
# cross-validation, all parts are fitted on the training rows only. If the rows were
# parts of recordings, the network would need ``["path", "start", "end"]``.

from sklearn.compose import ColumnTransformer
from sklearn.linear_model import LogisticRegression
from sklearn.model_selection import StratifiedKFold, cross_val_score
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler

from skdaf import CNNAudioClassifier, CNNFeatureExtractor

network = CNNFeatureExtractor(
    CNNAudioClassifier(frontend, max_epochs=8, random_state=0)
)
sound = ("sound", make_pipeline(network, StandardScaler()), ["path"])
number = ("number", StandardScaler(), ["temperature"])


def model_of(*columns):
    return make_pipeline(
        ColumnTransformer([*columns]), LogisticRegression(max_iter=1000)
    )


models = {
    "temperature": model_of(number),
    "sound": model_of(sound),
    "both": model_of(sound, number),
}
split = StratifiedKFold(3, shuffle=True, random_state=0)
scores = {
    name: cross_val_score(model, table, table.species, cv=split)
    for name, model in models.items()
}
for name, values in scores.items():
    print(f"{name:12} accuracy {values.mean():.2f}, folds", *values.round(2))

# %%
# The temperature alone is worth nothing. The sound alone fails where both species
# chirp equally fast. With the temperature beside the sound, most errors disappear.

# sphinx_gallery_thumbnail_number = 3
fig, ax = plt.subplots(figsize=(6, 4), layout="constrained")
means = [values.mean() for values in scores.values()]
bars = ax.bar([*scores], means, color=["0.75", "0.75", "C0"], width=0.6)
ax.bar_label(bars, fmt="%.2f", label_type="center")
for place, values in enumerate(scores.values()):
    ax.plot(np.full(len(values), place), values, "k.", alpha=0.6)
ax.axhline(0.5, color="black", linestyle=":", label="chance")
ax.set(ylabel="accuracy (bars: mean, dots: folds)", ylim=(0, 1.05))
ax.legend(loc="upper left")

# %%
# Predict
# -------
# New rows need the same columns. The same recording at another temperature can be
# another species:

model = models["both"].fit(table, table.species)
row = table.loc[[similar["field cricket"]]]
for temperature in (16, 28):
    predicted = model.predict(row.assign(temperature=temperature))[0]
    print(f"{row.speed.iloc[0]:.1f} chirps/s at {temperature} °C: {predicted}")

workspace.cleanup()
plt.show()

"""
What the network listens to
===========================

A network can have a good score for the wrong reason. A saliency map shows which
times and frequencies support a class, and reveals such cases.
"""

# %%
# Beeps in noise
# --------------
# Each clip is one second of noise with a short beep at a random time. The beep has
# a frequency of 1000 Hz in one class and 1600 Hz in the other. There are two
# training sets. One is clean. The other was recorded carelessly: a machine hums at
# 400 Hz in all clips with high beeps.

import tempfile
from pathlib import Path

import matplotlib.pyplot as plt
import numpy as np
import soundfile

RATE = 8000
workspace = tempfile.TemporaryDirectory()


def clip(pitch, hum, rng):
    times = np.arange(RATE) / RATE
    start = rng.uniform(0.1, 0.7)
    beep = np.sin(2 * np.pi * pitch * times) * (
        (times > start) & (times < start + 0.15)
    )
    return (
        0.1 * beep
        + 0.06 * hum * np.sin(800 * np.pi * times)
        + 0.02 * rng.normal(size=RATE)
    )


def write_set(name, hum_of_high, seed, n_clips=40):
    rng = np.random.default_rng(seed)
    paths, labels = [], []
    for number in range(n_clips):
        label = ("low", "high")[number % 2]
        path = Path(workspace.name, f"{name}_{number:02}.wav")
        samples = clip(
            1000 if label == "low" else 1600, label == "high" and hum_of_high, rng
        )
        soundfile.write(path, samples, RATE)
        paths.append(path)
        labels.append(label)
    return paths, labels


clean = write_set("clean", hum_of_high=False, seed=0)
careless = write_set("careless", hum_of_high=True, seed=1)
new = write_set("new", hum_of_high=False, seed=2)

# %%
# Two networks
# ------------
# Each network is good on its training clips. On new clips without the hum, one of
# them fails.

from skdaf import CNNAudioClassifier

networks = {
    name: CNNAudioClassifier(max_epochs=20, augment=None, random_state=0).fit(
        *training
    )
    for name, training in {"clean": clean, "careless": careless}.items()
}
on_new = {name: network.score(*new) for name, network in networks.items()}
for name, training in {"clean": clean, "careless": careless}.items():
    print(f"{name:8}  training clips {networks[name].score(*training):.2f}", end="")
    print(f"  new clips {on_new[name]:.2f}")

# %%
# Saliency maps
# -------------
# The network trained on clean recordings listens to the beep.

from skdaf import SaliencyDisplay

SaliencyDisplay.from_estimator(networks["clean"], clean[0][:4])

# %%
# The other network has learned that the hum only occurs with high beeps. It listens
# to the hum, which is always there, more than to the beep.

# sphinx_gallery_thumbnail_number = 2
SaliencyDisplay.from_estimator(networks["careless"], careless[0][:4])

# %%
# Saliency maps show what the network uses, but not why. They can reveal shortcuts,
# but they cannot prove that there are none.

workspace.cleanup()
plt.show()

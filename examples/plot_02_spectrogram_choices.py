"""
Spectrogram choices
===================

What the parameters of the front end do to a sound. Most of the time the defaults
are good; where they are not, a look at some clips tells what to change.
"""

# %%
# One sound
# ---------
# A chirp over two tones, of 500 and 700 Hz, with two clicks that are 25 ms apart;
# or a spoken digit, if there is one.

import os
import tempfile
from pathlib import Path

import matplotlib.pyplot as plt
import numpy as np
import soundfile

from skdaf import SpectrogramDisplay, SpectrogramTransformer

workspace = tempfile.TemporaryDirectory()
path = Path(os.environ.get("SKDAF_DATA", "."), "fsdd", "7", "7_george_0.wav")
if not path.is_file():
    path = Path(workspace.name, "chirp.wav")
    times = np.arange(int(0.6 * 16000)) / 16000
    samples = 0.2 * np.sin(2 * np.pi * (1500 + 2000 * times) * times)
    samples += sum(0.1 * np.sin(2 * np.pi * pitch * times) for pitch in (500, 700))
    samples += 0.002 * np.random.default_rng(0).standard_normal(len(times))
    samples[[int(0.300 * 16000), int(0.325 * 16000)]] += 0.6
    soundfile.write(path, samples, 16000)

SpectrogramDisplay.from_estimator(SpectrogramTransformer().fit([path]), [path])

# %%
# Window and hop
# --------------
# Short windows tell *when* something happens: the clicks stand apart, and the tones
# are one. Long ones tell *how high* it is: the tones stand apart, and the clicks
# are one. The default, 32 ms, lies between. The shortest window cannot fill 64 mel
# bands (the front end would warn), so there are 40 here.

figure, axes = plt.subplots(
    1, 3, figsize=(10, 3.2), sharey=True, layout="constrained"
)
for ax, window in zip(axes, (0.016, 0.032, 0.128), strict=True):
    frontend = SpectrogramTransformer(
        n_mels=40, window_length=window, hop_length=0.004
    )
    frontend.fit([path])
    SpectrogramDisplay.from_estimator(frontend, [path], ax=ax, colorbar=False)
    ax.set_title(f"window_length={window}")
for ax in axes[1:]:
    ax.set_ylabel("")

# %%
# Mel bands
# ---------
# Mel bands are narrow below 1 kHz and wide above, as in the ear. More of them cost
# more time, and a longer window where they become very narrow.

figure, axes = plt.subplots(1, 3, figsize=(10, 3.2), layout="constrained")
for ax, n_mels in zip(axes, (16, 40, 64), strict=True):
    frontend = SpectrogramTransformer(n_mels=n_mels).fit([path])
    SpectrogramDisplay.from_estimator(frontend, [path], ax=ax, colorbar=False)
    ax.set_title(f"n_mels={n_mels}")
for ax in axes[1:]:
    ax.set_ylabel("")

# %%
# Features
# --------
# Cepstral coefficients (with their slopes, and the slopes of these) say the same in
# fewer numbers. Chroma adds the twelve pitch classes, whatever the octave.

figure, axes = plt.subplots(1, 2, figsize=(10, 3.6), layout="constrained")
for ax, features in zip(axes, ("mfcc", "mel+chroma"), strict=True):
    frontend = SpectrogramTransformer(features=features).fit([path])
    SpectrogramDisplay.from_estimator(frontend, [path], ax=ax, colorbar=False)
    ax.set_title(f'features="{features}"')

# %%
# One length
# ----------
# Networks get all clips at one length. "resize" stretches a clip in time, "pad"
# leaves its speed and fills up with silence. This is what they get, a clip of half
# the common length in both ways:

figure, axes = plt.subplots(1, 2, figsize=(10, 3.2), layout="constrained")
for ax, length in zip(axes, ("resize", "pad"), strict=True):
    frontend = SpectrogramTransformer(length=length, n_frames=120).fit([path])
    SpectrogramDisplay.from_estimator(
        frontend, [path], processed=True, ax=ax, colorbar=False
    )
    ax.set_title(f'length="{length}"')

workspace.cleanup()
plt.show()

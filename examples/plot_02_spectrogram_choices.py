"""
Spectrogram choices
===================

This example shows what the parameters of the front end do to a sound. The defaults
usually work well. If they do not, look at some of your clips to find out which
parameters to change.
"""

# %%
# The sound
# ---------
# The synthetic sound is a chirp over two tones of 500 and 700 Hz, with two clicks
# 25 ms apart. If spoken digits are available, one of them is used instead.

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
# Short windows are precise in time: they separate the clicks but blend the tones.
# Long windows are precise in frequency: they separate the tones but blend the
# clicks. The default of 32 ms is a compromise.

figure, axes = plt.subplots(
    1, 3, figsize=(10, 3.2), sharey=True, layout="constrained"
)
for ax, window in zip(axes, (0.016, 0.032, 0.128), strict=True):
    frontend = SpectrogramTransformer(window_length=window, hop_length=0.004)
    frontend.fit([path])
    SpectrogramDisplay.from_estimator(frontend, [path], ax=ax, colorbar=False)
    ax.set_title(f"window_length={window}")
for ax in axes[1:]:
    ax.set_ylabel("")

# %%
# Mel bands
# ---------
# Mel bands are narrow below 1 kHz and wide above, roughly like the frequency
# resolution of the ear. More bands take more time, and very narrow bands need a
# longer window.

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
# Cepstral coefficients (with their deltas and delta-deltas) contain similar
# information in fewer values. Chroma adds the twelve pitch classes, regardless of
# the octave.

figure, axes = plt.subplots(1, 2, figsize=(10, 3.6), layout="constrained")
for ax, features in zip(axes, ("mfcc", "mel+chroma"), strict=True):
    frontend = SpectrogramTransformer(features=features).fit([path])
    SpectrogramDisplay.from_estimator(frontend, [path], ax=ax, colorbar=False)
    ax.set_title(f'features="{features}"')

# %%
# Clip length
# -----------
# Networks need all clips at the same length. "resize" stretches a clip in time,
# "tile" and "pad" keep its speed: one repeats it, the other appends silence. The
# figure shows what a network gets for a clip that is shorter than the common
# length:

figure, axes = plt.subplots(1, 3, figsize=(10, 3.2), layout="constrained")
for ax, length in zip(axes, ("resize", "tile", "pad"), strict=True):
    frontend = SpectrogramTransformer(length=length, n_frames=120).fit([path])
    SpectrogramDisplay.from_estimator(
        frontend, [path], processed=True, ax=ax, colorbar=False
    )
    ax.set_title(f'length="{length}"')
for ax in axes[1:]:
    ax.set_ylabel("")

workspace.cleanup()
plt.show()

"""Paths, sounds, small models and comparisons that several test modules use.

Fixtures that several modules use are in `conftest.py`.
"""

import importlib
import os
import subprocess
import sys
import textwrap
import time
import warnings
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
import soundfile as sf

import skdaf

TESTS = Path(__file__).parent
ROOT = TESTS.parent

# Recordings and cases that do not belong to the project; tests skip where they are absent.
DATA = Path(os.environ.get("SKDAF_DATA", ROOT.parent / "shared" / "data"))
CASES = DATA.parent / "cases"


# --- sounds ---


def tone(frequency, duration=0.5, sampling_rate=16_000):
    """Return the samples of a sine wave; the frequency is in Hz, the duration in seconds."""
    times = np.arange(round(duration * sampling_rate)) / sampling_rate
    return np.sin(2 * np.pi * frequency * times)


def noise(seed=0, n_samples=4000):
    """Return float32 samples of white noise with a deviation of 0.1."""
    return (0.1 * np.random.default_rng(seed).standard_normal(n_samples)).astype(np.float32)


def write_audio(path, samples, sampling_rate=16_000, **options):
    """Write samples with soundfile, in the format that the suffix says; return the path as a str.

    `options` are those of `soundfile.write`, such as `subtype="PCM_24"`.
    """
    sf.write(path, samples, sampling_rate, **options)
    return str(path)


def write_noise(path, seed=0, n_samples=4000, sampling_rate=16_000, **options):
    """Write white noise to a file; return the path as a str."""
    return write_audio(path, noise(seed, n_samples), sampling_rate, **options)


def wait_until_cacheable():
    """Wait until the files just written may be cached: those of the last 0.05 s are not."""
    time.sleep(0.06)


# --- small models, which train in less than a second ---


def small_frontend(**changes):
    """Return a front end of 16 mel bands and 12 frames, with some parameters changed."""
    return skdaf.SpectrogramTransformer(**{"n_mels": 16, "n_frames": 12, **changes})


def small_classifier(**changes):
    """Return a classifier that learns the kinds of `sounds` well, with some parameters changed."""
    values = {
        "frontend": small_frontend(),
        "channels": (4, 8),
        "hidden_units": (8,),
        "max_epochs": 10,
        "learning_rate": 1e-2,
        "random_state": 0,
    }
    return skdaf.CNNAudioClassifier(**{**values, **changes})


def small_embedder(**changes):
    """Return an autoencoder that learns to draw `sounds`, with some parameters changed."""
    values = {
        "frontend": small_frontend(),
        "channels": (8, 8),
        "n_channels": 3,
        "max_epochs": 10,
        "learning_rate": 1e-2,
        "random_state": 0,
    }
    return skdaf.ConvAutoencoderEmbedder(**{**values, **changes})


# --- tables of segments ---


def segment_table(*rows, columns=()):
    """Return a table of segments from rows of start, end, label and further columns."""
    return pd.DataFrame(rows, columns=["start", "end", "label", *columns])


# --- comparisons ---


def same_arrays(left, right):
    """Return whether two arrays have the same type, shape and bytes."""
    left, right = np.asarray(left), np.asarray(right)
    return (left.dtype, left.shape, left.tobytes()) == (right.dtype, right.shape, right.tobytes())


def same_weights(left, right):
    """Return whether two dicts of arrays have the same names, and the same array under each."""
    return left.keys() == right.keys() and all(same_arrays(left[key], right[key]) for key in left)


# --- other processes and other libraries ---


def run_python(code, *arguments, on_warning="error", timeout=300, **options):
    """Run Python code in a process of its own; return what it prints.

    The code may be indented. It gets `arguments` as `sys.argv[1:]`, and it must not fail.
    `on_warning` is the value of Python's option -W; `options` are those of `subprocess.run`.
    """
    command = [sys.executable, "-W", on_warning, "-c", textwrap.dedent(code), *map(str, arguments)]
    options = {"capture_output": True, "text": True, "timeout": timeout, **options}
    result = subprocess.run(command, **options)
    assert result.returncode == 0, result.stderr or result.stdout
    return result.stdout


def import_or_skip(name, *parts):
    """Import an optional library, and those modules of it; warnings of its own are ignored."""
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        library = pytest.importorskip(name)
        for part in parts:
            importlib.import_module(part)
        return library

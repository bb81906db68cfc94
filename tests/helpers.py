"""Paths, sounds, small models and comparisons that several test modules use.

Fixtures that several modules use are in `conftest.py`.
"""

import functools
import importlib
import os
import re
import struct
import subprocess
import sys
import textwrap
import time
import tracemalloc
import warnings
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
import soundfile as sf
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import FunctionTransformer

import skdaf
from skdaf import CNNAudioClassifier, CNNAudioRegressor, ConvAutoencoderEmbedder
from skdaf._audio.reading import read_info

TESTS = Path(__file__).parent
ROOT = TESTS.parent

# Recordings and cases that are not part of the project; tests are skipped without them.
DATA = Path(os.environ.get("SKDAF_DATA", ROOT.parent / "shared" / "data"))
CASES = DATA.parent / "cases"

# For tests with clips that are far shorter or longer than those of `fit`.
any_length = pytest.mark.filterwarnings(
    "ignore:.* than every training clip of the front end",
    "ignore:.* so short that the spectrogram",
)

# For tests with clips of zeros.
silence = pytest.mark.filterwarnings("ignore:.* silent .the peak of")


# --- sounds ---


def tone(frequency, duration=0.5, sampling_rate=16_000):
    """Return the samples of a sine wave; the frequency is in Hz, the duration in seconds."""
    times = np.arange(round(duration * sampling_rate)) / sampling_rate
    return np.sin(2 * np.pi * frequency * times)


def noise(seed=0, n_samples=4000):
    """Return float32 samples of white noise with a deviation of 0.1."""
    return (0.1 * np.random.default_rng(seed).standard_normal(n_samples)).astype(np.float32)


def write_audio(path, samples, sampling_rate=16_000, **options):
    """Write samples with soundfile, in the format of the suffix; return the path as a str.

    `options` are those of `soundfile.write`, such as `subtype="PCM_24"`.
    """
    sf.write(path, samples, sampling_rate, **options)
    return str(path)


def write_noise(path, seed=0, n_samples=4000, sampling_rate=16_000, **options):
    """Write white noise to a file; return the path as a str."""
    return write_audio(path, noise(seed, n_samples), sampling_rate, **options)


def wait_until_cacheable():
    """Wait until new files may be cached: files written in the last 0.05 s are not."""
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


def small_pipeline(classifier, **parameters):
    """Return a pipeline of a front end with 8 mel bands and 4 frames, and a classifier."""
    frontend = small_frontend(**{"n_mels": 8, "n_frames": 4, **parameters})
    return make_pipeline(frontend, FunctionTransformer(flatten), classifier)


def flatten(X):
    """Return an array with one row per clip."""
    return X.reshape(len(X), -1)


def shorten_fits(monkeypatch, max_epochs):
    """Cap the epochs of all fits, for tests that check that code runs, not what it learns."""
    for network in (CNNAudioClassifier, CNNAudioRegressor, ConvAutoencoderEmbedder):
        monkeypatch.setattr(network, "fit", _shortened(network.fit, max_epochs))


def _shortened(fit, cap):
    @functools.wraps(fit)
    def short_fit(self, *args, **kwargs):
        max_epochs = self.max_epochs
        self.max_epochs = cap if max_epochs == "auto" else min(max_epochs, cap)
        try:
            return fit(self, *args, **kwargs)
        finally:
            self.max_epochs = max_epochs

    return short_fit


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


def same_probabilities(classifier, other, X):
    """Return whether two classifiers predict exactly the same probabilities."""
    return np.array_equal(classifier.predict_proba(X), other.predict_proba(X))


# --- other processes and other libraries ---


def run_python(code, *arguments, on_warning="error", timeout=300, **options):
    """Run Python code in a new process; return what it prints.

    The code may be indented. It gets `arguments` as `sys.argv[1:]`, and it must not fail.
    `on_warning` is the value of Python's option -W; `options` are those of `subprocess.run`.
    """
    command = [sys.executable, "-W", on_warning, "-c", textwrap.dedent(code), *map(str, arguments)]
    options = {"capture_output": True, "text": True, "timeout": timeout, **options}
    result = subprocess.run(command, **options)
    assert result.returncode == 0, result.stderr or result.stdout
    return result.stdout


def import_or_skip(name, *parts):
    """Import an optional library and some of its modules, and ignore its warnings."""
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        library = pytest.importorskip(name)
        for part in parts:
            importlib.import_module(part)
        return library


# --- displays ---


def fitted_frontend(X, *args, **params):
    """Return a front end with some parameters, fitted on X."""
    return skdaf.SpectrogramTransformer(*args, **params).fit(X)


def texts(labels):
    """Return the text of some labels of a figure."""
    return [label.get_text() for label in labels]


# --- recordings, and the errors of reading them ---


class OwnPath:
    """An os.PathLike that is not a pathlib.Path."""

    def __init__(self, path):
        self.path = path

    def __fspath__(self):
        return str(self.path)


def touch(*paths):
    """Create empty files, and the folders that they are in."""
    for path in paths:
        path.parent.mkdir(parents=True, exist_ok=True)
        path.touch()


def naming(*paths):
    """Return a pattern of messages that name these paths in this order."""
    return ".*".join(re.escape(repr(str(path))) for path in paths)


def relative_names(bunch, root):
    """Return the names of the files of a data set, relative to a folder."""
    return [Path(filename).relative_to(root).as_posix() for filename in bunch.filenames]


def stereo_tones(n=16_000, rate=16_000):
    """Return a tone per channel; the first gets louder, so that no part equals another."""
    t = np.arange(n) / rate
    left = 0.5 * np.sin(2 * np.pi * 440 * t) * np.linspace(0.5, 1, n)
    right = 0.3 * np.sin(2 * np.pi * 1000 * t + 0.3)
    return np.stack([left, right], axis=1)


def write_format(path, samples, rate=16_000, format="WAV", subtype=None):
    """Write samples in a format, whatever the suffix is; return the path."""
    sf.write(path, samples, rate, format=format, subtype=subtype)
    return path


def noise_content(path, format, subtype=None, channels=1, n=3000, **options):
    """Write noise of 8 kHz in a format, whatever the suffix is; return the content."""
    samples = 0.2 * np.random.default_rng(0).standard_normal((n, channels))
    sf.write(path, samples, 8000, format=format, subtype=subtype, **options)
    return bytearray(path.read_bytes())


def patch_number(path, offset, layout, value):
    """Overwrite a number in a file, in a layout of the module struct; return the path."""
    content = bytearray(path.read_bytes())
    struct.pack_into(layout, content, offset, value)
    path.write_bytes(content)
    return path


def peak_memory(function):
    """Return the peak number of bytes that Python and NumPy allocated, and the result."""
    tracemalloc.start()
    try:
        result = function()
        return tracemalloc.get_traced_memory()[1], result
    finally:
        tracemalloc.stop()


def read_error(path, *, cause=None):
    """Check that reading a file raises an AudioReadError that names it; return the message."""
    with pytest.raises(skdaf.AudioReadError) as info:
        skdaf.load_audio(path)
    assert str(info.value).startswith(f"{str(path)!r}: ")
    assert info.value.paths == [str(path)]
    if cause is not None:
        assert isinstance(info.value.__cause__, cause)
    return str(info.value)


def common_read_error(path):
    """Check that all ways of reading a file end in the same AudioReadError; return the message."""
    message = read_error(path)
    for start, end in [(0.0, 0.1), (0.01, 0.02), (0.1, 0.2)]:
        with pytest.raises(skdaf.AudioReadError) as info:
            skdaf.load_audio(path, start=start, end=end)
        assert str(info.value) == message
    assert f"{str(path)!r}: {skdaf.check_audio([path]).problem[0]}" == message
    return message


def check_length(path, n_samples):
    """Check that all ways of reading a file return this number of samples; return them."""
    samples, rate = skdaf.load_audio(path)
    assert len(samples) == n_samples
    assert read_info(skdaf.Clip(path)).n_frames == n_samples
    report = skdaf.check_audio([path])
    assert report.ok[0], report.problem[0]
    assert report.duration[0] == n_samples / rate
    for start in np.linspace(0, n_samples - 1, 8).astype(int):
        stop = min(n_samples, start + 1500)
        part = skdaf.load_audio(skdaf.Clip(path, start / rate, stop / rate))[0]
        np.testing.assert_array_equal(part, samples[start:stop])
    return samples


def check_read_as(path, expected):
    """Check that all ways of reading a file return these samples."""
    np.testing.assert_array_equal(check_length(path, len(expected)), expected)

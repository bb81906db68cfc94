"""Fixtures that several test modules use: sets of sounds, real speech, other libraries."""

import atexit
import os
import shutil
import tempfile
from inspect import Parameter, Signature, signature
from pathlib import Path

import hypothesis
import numpy as np
import pytest
from helpers import DATA, import_or_skip

# Draw figures in memory, even if there is a screen.
os.environ["MPLBACKEND"] = "Agg"

# numba, which librosa uses, needs a folder for compiled functions.
if not os.access(os.path.expanduser("~"), os.W_OK) and "NUMBA_CACHE_DIR" not in os.environ:
    os.environ["NUMBA_CACHE_DIR"] = tempfile.mkdtemp()
    atexit.register(shutil.rmtree, os.environ["NUMBA_CACHE_DIR"], ignore_errors=True)

from skdaf.datasets import load_audio_folders, make_audio_dataset

# These files contain fixtures only; --doctest-modules would import them all under one name.
collect_ignore_glob = ["*conftest.py"]

# The same examples in every run, and few enough.
hypothesis.settings.register_profile(
    "short", max_examples=40, derandomize=True, deadline=None, database=None
)
hypothesis.settings.load_profile("short")


@pytest.fixture(scope="session")
def sounds(tmp_path_factory):
    """Sixty short files of three kinds of sound."""
    kinds = ["low_tone", "high_tone", "white_noise"]
    folder = tmp_path_factory.mktemp("sounds")
    return make_audio_dataset(folder, classes=kinds, n_clips_per_class=20, duration=(0.2, 0.4))


@pytest.fixture(scope="session")
def sound_labels(sounds):
    return np.asarray(sounds.target_names)[sounds.target]


@pytest.fixture(scope="session")
def many_sounds(tmp_path_factory):
    """More short files than fit in two chunks: fifty of each of three kinds of sound."""
    folder = tmp_path_factory.mktemp("many")
    return make_audio_dataset(folder, n_clips_per_class=50, duration=(0.05, 0.15))


@pytest.fixture(scope="session")
def librosa():
    """librosa, with the modules that it would otherwise import on first use."""
    parts = ("librosa.feature", "librosa.filters", "librosa.core.spectrum")
    return import_or_skip("librosa", *parts)


@pytest.fixture(scope="session")
def pillow():
    """The module Image of Pillow."""
    return import_or_skip("PIL.Image")


@pytest.fixture(scope="session")
def pyaudioanalysis():
    """The module ShortTermFeatures of pyAudioAnalysis."""
    return import_or_skip("pyAudioAnalysis.ShortTermFeatures")


@pytest.fixture(scope="session")
def fsdd():
    """Spoken digits: paths, digits, speakers and takes; skips if the recordings are missing."""
    folder = DATA / "fsdd"
    if not folder.is_dir():
        pytest.skip(f"no recordings in {folder}")
    paths = np.array(load_audio_folders(folder).filenames)
    parts = [Path(path).stem.split("_") for path in paths]
    digits, speakers, takes = map(np.array, zip(*parts, strict=True))
    return paths, digits, speakers, takes.astype(int)


@pytest.fixture
def with_new_parameter(monkeypatch):
    """Add a parameter to a class, as a later release might."""

    def with_new_parameter(kind):
        init, variadic = kind.__init__, (Parameter.VAR_POSITIONAL, Parameter.VAR_KEYWORD)
        old = [p for p in signature(init).parameters.values() if p.kind not in variadic]

        def later(self, *args, added="as before", **kwargs):
            init(self, *args, **kwargs)
            self.added = added

        added = Parameter("added", Parameter.KEYWORD_ONLY, default="as before")
        later.__signature__ = Signature([*old, added])
        monkeypatch.setattr(kind, "__init__", later)

    return with_new_parameter


@pytest.fixture(scope="module")
def small_batches_are_split():
    """Split batches of small spectrograms in training, as those of large ones are."""
    with pytest.MonkeyPatch.context() as monkeypatch:
        monkeypatch.setattr("skdaf._training.loop._MIN_VALUES_PER_THREAD", 1)
        yield

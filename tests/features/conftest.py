"""Fixtures of the tests of features."""

import pytest
from helpers import wait_until_cacheable, write_noise

from skdaf import Clip
from skdaf._features import extraction


@pytest.fixture(scope="module")
def write():
    """The function that writes the files of `paths` and `many`; modules can override it."""
    return write_noise


@pytest.fixture
def paths(tmp_path, write):
    """The paths of seven files of 16 kHz, from 0.1 to 0.7 s."""
    written = [write(tmp_path / f"{i}.wav", i, 1600 * (i + 1)) for i in range(7)]
    wait_until_cacheable()
    return written


@pytest.fixture(scope="module")
def many(tmp_path_factory, write):
    """The paths of short files, enough for several chunks."""
    folder = tmp_path_factory.mktemp("many")
    written = [write(folder / f"{i}.wav", i, 500 + i) for i in range(150)]
    wait_until_cacheable()
    return written


@pytest.fixture
def clips(paths):
    return [Clip(path) for path in paths]


@pytest.fixture
def cache(tmp_path):
    """A folder for a cache, which does not exist yet."""
    return tmp_path / "cache"


@pytest.fixture
def reads(monkeypatch):
    """The list of clips whose samples have been read in this process."""
    seen = []

    def read_samples(clip, *options):
        seen.append(clip)
        return original(clip, *options)

    original = extraction.read_samples
    monkeypatch.setattr(extraction, "read_samples", read_samples)
    return seen

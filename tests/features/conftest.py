"""Fixtures of the tests of features."""

import pytest
from helpers import wait_until_cacheable, write_noise

from skdaf import Clip
from skdaf._features import extraction


@pytest.fixture
def paths(tmp_path):
    """The paths of six files of different lengths."""
    written = [write_noise(tmp_path / f"{i}.wav", i, 1500 + 700 * i) for i in range(6)]
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

    def read_clip(clip, *options):
        seen.append(clip)
        return original(clip, *options)

    original = extraction.read_clip
    monkeypatch.setattr(extraction, "read_clip", read_clip)
    return seen

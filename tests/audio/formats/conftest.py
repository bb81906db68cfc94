"""Fixtures for the tests of formats."""

import pytest

from skdaf._audio.formats.ffmpeg import frames
from skdaf._audio.formats.ffmpeg.decoder import idle_decoders
from skdaf._audio.formats.ffmpeg.facts import forget_facts


@pytest.fixture(autouse=True)
def fresh_decoders():
    """Forget the decoders of other tests, and what is known about their files."""
    idle_decoders.clear()
    forget_facts()


@pytest.fixture
def decoded(monkeypatch):
    """List the number of samples of each frame that FFmpeg decodes."""
    counted, original = [], frames._samples_of

    def samples_of(frame):
        counted.append(frame.samples)
        return original(frame)

    monkeypatch.setattr(frames, "_samples_of", samples_of)
    return counted

"""Fixtures for the tests of reading."""

import pytest
from helpers import stereo_tones, write_format


@pytest.fixture
def wav(tmp_path):
    """A plain WAV file of `stereo_tones()`: one second at 16 kHz."""
    return write_format(tmp_path / "tones.wav", stereo_tones(), subtype="PCM_16")

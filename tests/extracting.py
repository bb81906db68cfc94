"""Spectrograms of clips, for tests of extractions and their cache."""

from skdaf._features.spectrogram import SpectrogramSettings
from skdaf._features.spectrogram_transformer import SpectrogramExtraction

SETTINGS = SpectrogramSettings("mel", 16000, 512, 160, 64, 13, 0.0, 8000.0, 80.0)


def extract(cache=None, *, settings=SETTINGS, n_frames=20, length="resize", standardize=True):
    """Return an extraction; call it with clips."""
    return SpectrogramExtraction(settings, n_frames, length, standardize, cache)


def output_of(result):
    """Return the array in the result of an extraction, which must have no errors."""
    output, errors = result
    assert errors == []
    return output

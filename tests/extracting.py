"""Spectrograms of clips, for tests of extractions and their cache."""

from skdaf._features.resizing import CommonLength
from skdaf._features.spectrogram import SpectrogramSettings
from skdaf._features.spectrogram_extraction import SpectrogramExtraction

SETTINGS = SpectrogramSettings("mel", 16000, 512, 160, 64, 13, 0.0, 8000.0, 80.0)


def extract(
    cache=None,
    *,
    settings=SETTINGS,
    n_frames=20,
    length="resize",
    standardize=True,
    mean_subtraction=0.0,
):
    """Return an extraction; call it with clips."""
    common = CommonLength(length, n_frames)
    return SpectrogramExtraction(settings, common, standardize, mean_subtraction, cache)


def output_of(result):
    """Return the array in the result of an extraction, which must have no errors."""
    (output, _), errors = result
    assert errors == []
    return output

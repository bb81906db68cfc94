"""The spectrogram of a recording, above what a model predicts for it."""

from dataclasses import replace

from skdaf._audio.clips import Clip
from skdaf._audio.reading import read_info
from skdaf._display.clip_spectrogram import band_edges, clip_spectrogram, settings_for
from skdaf._display.spectrogram import SpectrogramDisplay
from skdaf._features.spectrogram import SpectrogramSettings
from skdaf._features.spectrogram_transformer import SpectrogramTransformer


def recording_spectrogram(path, frontend=None):
    """Return the display of a recording's mel spectrogram, with the settings of a front end.

    Without a front end, the default settings are used, at the sampling rate of the recording.
    """
    clip = path if isinstance(path, Clip) else Clip(path)
    if isinstance(frontend, SpectrogramTransformer):
        settings = replace(settings_for(frontend, clip), features="mel")
    else:
        settings = SpectrogramSettings.from_seconds(read_info(clip).sampling_rate)
    spectrogram, times = clip_spectrogram(settings, clip)
    return SpectrogramDisplay(
        [spectrogram],
        times=[times + clip.start],
        frequencies=band_edges(settings),
        features="mel",
        unit="Level (dB)",
    )

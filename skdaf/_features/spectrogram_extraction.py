"""The extraction of spectrograms from files, through the cache."""

from dataclasses import dataclass

import numpy as np

from skdaf._core.limits import check_recording, check_size
from skdaf._core.typing import PathLike
from skdaf._features.extraction import Extraction
from skdaf._features.resizing import CommonLength
from skdaf._features.spectrogram import SpectrogramSettings, compute_spectrograms, silent_frame
from skdaf._features.standardizing import write_standardized


@dataclass(frozen=True)
class SpectrogramExtraction(Extraction):
    """Compute spectrograms of the same size; the cache stores them at their original lengths."""

    settings: SpectrogramSettings
    length: CommonLength
    standardize: bool
    mean_subtraction: float
    cache: PathLike | None

    dtype = np.float32
    accepts_integers = True

    def __post_init__(self):
        check_size(*self.row_shape)

    @property
    def version(self):
        # Version 5 changed the deltas of cepstra in the first and the last four frames.
        return 5 if self.settings.features == "mfcc" else 4

    @property
    def row_shape(self):
        return self.length.n_frames, self.settings.n_bins

    @property
    def padding(self):
        """The frame that is appended to short clips."""
        return silent_frame(self.settings)

    def compute(self, waveforms):
        longest = max(map(len, waveforms))
        check_recording(self.settings.n_frames(longest), self.settings.n_bins)
        return compute_spectrograms(waveforms, self.settings)

    def from_bytes(self, value):
        return np.frombuffer(value, np.float32).reshape(-1, self.settings.n_bins)

    def finish(self, spectrograms, rows):
        """Write spectrograms at the common length, standardized if asked to."""
        padding = self.padding if self.length.method == "pad" else None
        if not self.standardize:
            for row, spectrogram in zip(rows, spectrograms, strict=True):
                row[...] = self.length.apply(spectrogram, padding)
            return
        write_standardized(
            spectrograms,
            rows,
            self.length.apply,
            padding=padding,
            mean_subtraction=self.mean_subtraction,
            # Cepstral coefficients are not levels.
            soften=self.settings.features != "mfcc",
        )

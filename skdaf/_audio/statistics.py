"""Compute statistics of the samples of a clip, for `check_audio`."""

import hashlib
from dataclasses import dataclass

import numpy as np

from skdaf._audio.blocks import read_blocks
from skdaf._audio.clips import AudioInfo
from skdaf._audio.opening import on_disk, open_audio
from skdaf._audio.reading import info_of
from skdaf._audio.samples import to_mono

# Full-scale 16-bit samples are at least this large after rounding.
_FULL_SCALE = 0.9999


@dataclass(frozen=True, slots=True)
class Statistics:
    """Statistics of the samples of a clip.

    Attributes
    ----------
    info : AudioInfo
        The rate, the length and the format.
    peak : float
        The largest absolute value of a sample in any channel; full scale is 1.
    mixed_peak : float
        The same for the mean of the channels.
    mixed_fraction : float
        The power of the mean of the channels, as a fraction of what it would be for unrelated
        channels: about 1 or more for most recordings, and 0 if the channels cancel each other out.
        Constant offsets are ignored.
    clipped : bool
        True if three successive samples of a channel are at full scale.
    content : bytes
        A digest of the samples, the channels and the rate. It does not depend on the file format.
    """

    info: AudioInfo
    peak: float
    mixed_peak: float
    mixed_fraction: float
    clipped: bool
    content: bytes


def read_statistics(clip):
    """Read a clip block by block; return its Statistics."""
    with on_disk(clip) as clip, open_audio(clip.path) as file:
        peak, clipped, mixdown = 0.0, False, _Mixdown(file.channels)
        content = hashlib.blake2b(f"{file.samplerate} {file.channels}".encode(), digest_size=16)
        for block in read_blocks(clip, file):
            content.update(block)
            mixdown.add(block)
            levels = np.abs(block)
            peak = max(peak, float(levels.max()))
            full = levels >= _FULL_SCALE
            clipped = clipped or bool((full[:-2] & full[1:-1] & full[2:]).any())
        return Statistics(
            info_of(clip, file), peak, mixdown.peak, mixdown.fraction(), clipped, content.digest()
        )


class _Mixdown:
    """Statistics of the mean of the channels, updated block by block."""

    def __init__(self, n_channels):
        self.peak, self._n_channels, self._n = 0.0, n_channels, 0
        # One value for each channel, and one for their mean.
        self._sums, self._squares = np.zeros((2, n_channels + 1))

    def add(self, block):
        mixed = to_mono(block)
        self.peak = max(self.peak, float(np.abs(mixed).max()))
        if self._n_channels > 1:
            both = np.column_stack([block, mixed]).astype(float)
            self._n += len(both)
            self._sums += both.sum(axis=0)
            self._squares += np.square(both).sum(axis=0)

    def fraction(self):
        """Return the power of the mean, relative to what it would be for unrelated channels."""
        if self._n_channels == 1:
            return 1.0
        variances = self._squares / self._n - (self._sums / self._n) ** 2
        unrelated = variances[:-1].sum() / self._n_channels**2
        # The variance of constant channels is only rounding error.
        if unrelated <= 1e-12 * self._squares.sum() / self._n:
            return 1.0
        return max(0.0, variances[-1] / unrelated)

"""Compute pretrained features of many clips: windows, the network, pooling."""

from dataclasses import dataclass
from typing import Any

import numpy as np

from skdaf._audio.clips import AudioReadError, Clip
from skdaf._core.typing import PathLike
from skdaf._estimators.pretrained.models import Model, load
from skdaf._estimators.pretrained.pooling import pool
from skdaf._features.extraction import Extraction
from skdaf._features.windows import Windows


@dataclass(frozen=True)
class PretrainedSettings:
    """Everything that the features depend on."""

    sha256: str | None
    sampling_rate: int
    window: float | None
    step: float | None
    pooling: str
    output: Any
    channel: int | None = None


@dataclass(frozen=True, eq=False)
class PretrainedExtraction(Extraction):
    """Compute rows of pretrained features."""

    settings: PretrainedSettings
    model: Model
    options: dict[str, Any]
    n_features: int
    cache: PathLike | None

    version = 1
    dtype = np.float32
    # Networks are faster with large batches.
    samples_per_group = 2**22
    bytes_per_chunk = 2**24

    @property
    def row_shape(self):
        return (self.n_features,)

    def compute(self, waveforms):
        return [self._pool(rows) for rows in self.rows(waveforms)]

    def _pool(self, rows):
        return self._checked(pool(rows, self.settings.pooling))

    def _checked(self, pooled):
        """Return the features of a clip; raise ValueError if fit found another number."""
        if len(pooled) == self.n_features:
            return pooled
        message = (
            f"The model returns {len(pooled)} features for a clip, but {self.n_features} for the "
            "first in fit"
        )
        if self.settings.pooling == "none":
            message += (
                ": pooling='none' needs clips of one length. Choose 'mean', 'mean+std' or 'max'."
            )
        else:
            message += ". It must return one number whatever the length."
        raise ValueError(message)

    def rows(self, waveforms):
        """Return the rows of each waveform before pooling."""
        backbone = load(self.model, **self.options)
        windows, firsts = [], []
        for waveform in waveforms:
            firsts.append(len(windows))
            windows += self._cut(waveform, backbone)
        rows = self._apply(backbone, windows)
        ends = [*firsts[1:], len(windows)]
        return [np.concatenate(rows[first:end]) for first, end in zip(firsts, ends, strict=True)]

    def _apply(self, backbone, windows):
        """Return the rows of windows; errors become a ValueError that names the model."""
        try:
            return backbone.apply(windows)
        except MemoryError:
            raise
        except Exception as error:  # of a function, of torch, of onnxruntime
            kind = "" if type(error) is ValueError else f"{type(error).__name__}: "
            raise ValueError(
                f"The model {self.model.name!r} failed for waveforms of {_range(windows)} samples "
                f"at {backbone.sampling_rate} Hz. {kind}{error}"
            ) from error

    def _compute_clips(self, numbered_clips, facts):
        """Yield (index, result or error); name the file for which the model fails."""
        try:
            yield from super()._compute_clips(numbered_clips, facts)
        except ValueError:
            for _, clip in numbered_clips:
                self._check_alone(clip)
            raise

    def _check_alone(self, clip):
        """Raise a ValueError that names the file if the model fails for this clip."""
        try:
            self.compute([self.samples(clip)])
        except AudioReadError:
            pass
        except ValueError as error:
            name = repr(clip.name) if isinstance(clip, Clip) else "A waveform"
            raise ValueError(f"{name}: {error}") from error

    def _cut(self, waveform, backbone):
        """Return the windows of a waveform, padded with zeros if they are too short."""
        window, step = self.settings.window, self.settings.step
        rate, shortest = backbone.sampling_rate, backbone.min_samples
        if window is None:
            return [_padded(waveform, shortest)]
        if backbone.window is not None:
            shortest = max(shortest, round(backbone.window * rate))
        cut = Windows(waveform, window, step or window, rate, len(waveform))
        return [_padded(part, shortest) for part in cut]

    def from_bytes(self, value):
        return self._checked(np.frombuffer(value, np.float32))


def _range(windows):
    """Return the lengths of windows as text."""
    shortest, longest = min(map(len, windows)), max(map(len, windows))
    return str(longest) if shortest == longest else f"{shortest} to {longest}"


def _padded(samples, shortest):
    missing = shortest - len(samples)
    return np.pad(samples, (0, missing)) if missing > 0 else samples

"""pyAudioAnalysis's features of many clips: array functions without files or state.

Every definition follows pyAudioAnalysis, including its peculiarities, because published results
use these numbers, and models trained on them must keep working. Each step works on all frames of
all clips together. Only rounding differs; where it could change a sign or cross a threshold, the
values are computed in the same order as in the library.

This module has the settings and the statistics of clips. `pyaudioanalysis_frames` computes the
features of frames, and `pyaudioanalysis_filter_banks` the weights of frequencies in them.
"""

from dataclasses import dataclass

import numpy as np

from skdaf._core.limits import MAX_OVERLAP, MAX_SAMPLES, check_at_most, check_windows
from skdaf._features.pyaudioanalysis_frames import (
    SHORT_TERM_NAMES,
    first_indices,
    positions,
    short_term_features,
)

# Samples in frames that are computed together: few enough to stay in the processor's cache.
_SAMPLES_PER_BLOCK = 2**17

# Frames copied together for the statistics of mid-term windows, which may overlap.
_FRAMES_PER_COPY = 2**13


@dataclass(frozen=True)
class PyAudioAnalysisSettings:
    """Everything that the features depend on; its repr is part of cache keys.

    Attributes
    ----------
    sampling_rate : int
        In Hz.
    window, step : int
        Length and step of short-term frames, in samples.
    mid_window, mid_step : int
        Length and step of mid-term windows, in frames.
    deltas : bool
        Whether to add the changes from frame to frame.
    channel : int or None
        The channel to read from files; None averages all channels.
    """

    sampling_rate: int
    window: int
    step: int
    mid_window: int
    mid_step: int
    deltas: bool
    channel: int | None = None

    def __post_init__(self):
        names = "short_window", "short_step"
        check_windows(self.sampling_rate, self.window, self.step, names)

    @classmethod
    def from_seconds(
        cls,
        sampling_rate,
        short_window,
        short_step,
        mid_window,
        mid_step,
        deltas,
        channel=None,
    ):
        """Round durations as pyAudioAnalysis does, but never below what its formulas need."""
        durations = {
            "short_window": short_window * sampling_rate,
            "short_step": short_step * sampling_rate,
            "mid_window": mid_window * sampling_rate,
            "mid_step": mid_step * sampling_rate,
        }
        for name, n_samples in durations.items():
            check_at_most(n_samples, MAX_SAMPLES, f"{name} (in samples)")
        window, step, mid_window, mid_step = map(round, durations.values())
        # The shortest frame with a spectrum has two samples.
        window, step = max(2, window), max(1, step)
        return cls(
            sampling_rate=int(sampling_rate),
            window=window,
            step=step,
            mid_window=max(1, round((mid_window - (window - step)) / step)),
            mid_step=max(1, round(mid_step / step)),
            deltas=bool(deltas),
            channel=None if channel is None else int(channel),
        )

    @property
    def n_bins(self):
        return self.window // 2

    @property
    def frames_per_block(self):
        return max(1, _SAMPLES_PER_BLOCK // self.window)

    @property
    def short_term_names(self):
        return SHORT_TERM_NAMES + [f"delta {name}" for name in SHORT_TERM_NAMES] * self.deltas

    @property
    def names(self):
        return [f"{name}_{kind}" for kind in ("mean", "std") for name in self.short_term_names]


def compute_features(clips, settings):
    """Return the mid-term statistics of each clip, averaged over the clip: one row per clip.

    Parameters
    ----------
    clips : list of ndarray of shape (n_samples,), float32
    settings : PyAudioAnalysisSettings

    Returns
    -------
    ndarray of shape (n_clips, n_features), float64
    """
    frames, n_frames = short_term_features(clips, settings)
    # Windows do not reach beyond their clip.
    overlap = min(settings.mid_window, max(n_frames)) / settings.mid_step
    check_at_most(overlap, MAX_OVERLAP, "mid_window divided by mid_step")
    statistics, n_windows = _mid_term(frames, n_frames, settings)
    return np.add.reduceat(statistics, first_indices(n_windows), axis=0) / n_windows[:, None]


def _mid_term(frames, n_frames, settings):
    """Return mean and deviation of each mid-term window, and the number of windows per clip.

    Windows start every `mid_step` frames; those that reach beyond their clip are cut at its end.
    """
    n_windows = -(-n_frames // settings.mid_step)
    starts = positions(n_windows) * settings.mid_step
    lengths = np.minimum(settings.mid_window, np.repeat(n_frames, n_windows) - starts)
    starts += np.repeat(first_indices(n_frames), n_windows)
    output = np.empty((len(starts), 2, frames.shape[1]))
    size = max(1, _FRAMES_PER_COPY // settings.mid_window)
    for first in range(0, len(starts), size):
        windows = slice(first, first + size)
        _window_statistics(frames, starts[windows], lengths[windows], output[windows])
    return output.reshape(len(starts), -1), n_windows


def _window_statistics(frames, starts, lengths, output):
    members = frames[np.repeat(starts, lengths) + positions(lengths)]
    groups = first_indices(lengths)
    means = np.add.reduceat(members, groups, axis=0) / lengths[:, None]
    members -= np.repeat(means, lengths, axis=0)
    members *= members
    output[:, 0] = means
    output[:, 1] = np.sqrt(np.add.reduceat(members, groups, axis=0) / lengths[:, None])

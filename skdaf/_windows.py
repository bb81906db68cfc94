"""Sliding windows over clips, in whole samples."""

from skdaf._audio import Clip
from skdaf._chunks import read_infos


def window_bounds(n_samples, length, step):
    """Return [start, end) of the windows that cover a signal; the last one may be cut short.

    Windows start every `step` samples until one reaches the end.
    """
    bounds = []
    start = 0
    while True:
        bounds.append((start, min(start + length, n_samples)))
        if start + length >= n_samples or start + step >= n_samples:
            return bounds
        start += step


def cut_windows(clips, window, step, sampling_rate):
    """Cut clips into windows.

    Parameters
    ----------
    clips : list of Clip, list of arrays, or array of shape (n_clips, n_samples)
    window, step : float
        In seconds.
    sampling_rate : int
        The rate of waveforms in Hz; files know their own.

    Returns
    -------
    windows : list
        Clips or arrays, those of the first clip first.
    firsts : list of int
        Where in `windows` those of each clip begin.
    """
    rates, lengths = _rates_and_lengths(clips, sampling_rate)
    windows, firsts = [], []
    for clip, rate, n_samples in zip(clips, rates, lengths, strict=True):
        firsts.append(len(windows))
        bounds = window_bounds(n_samples, _in_samples(window, rate), _in_samples(step, rate))
        windows += [_part(clip, rate, start, end) for start, end in bounds]
    return windows, firsts


def _rates_and_lengths(clips, sampling_rate):
    if not isinstance(clips[0], Clip):
        return [sampling_rate] * len(clips), [len(clip) for clip in clips]
    infos = read_infos(clips)
    return [info.sampling_rate for info in infos], [info.n_frames for info in infos]


def _part(clip, rate, start, end):
    """Cut [start, end) samples out of a clip."""
    if not isinstance(clip, Clip):
        return clip[start:end]
    first = round(clip.start * rate)
    return Clip(clip.path, (first + start) / rate, (first + end) / rate)


def _in_samples(seconds, rate):
    return max(1, round(seconds * rate))

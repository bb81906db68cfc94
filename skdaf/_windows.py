"""Sliding windows over clips, in whole samples."""

from skdaf._audio import Clip, read_info


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
    windows, firsts = [], []
    for clip in clips:
        firsts.append(len(windows))
        if isinstance(clip, Clip):
            windows += _windows_of_file(clip, window, step)
        else:
            length, hop = _in_samples(window, sampling_rate), _in_samples(step, sampling_rate)
            windows += [clip[a:b] for a, b in window_bounds(len(clip), length, hop)]
    return windows, firsts


def _windows_of_file(clip, window, step):
    info = read_info(clip)
    rate = info.sampling_rate
    bounds = window_bounds(info.n_frames, _in_samples(window, rate), _in_samples(step, rate))
    first = round(clip.start * rate)
    return [Clip(clip.path, (first + a) / rate, (first + b) / rate) for a, b in bounds]


def _in_samples(seconds, rate):
    return max(1, round(seconds * rate))

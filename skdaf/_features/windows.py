"""Sliding windows over clips, in whole samples."""

from collections.abc import Sequence

from skdaf._audio.lengths import read_infos
from skdaf._audio.reading import Clip


class Windows(Sequence):
    """The windows of one clip, each made when it is asked for; the last one may be cut short.

    Windows start every `step` until one reaches the end.

    Parameters
    ----------
    clip : Clip or array
        What to cut.
    window, step : float
        In seconds; taken as whole samples, one at least.
    sampling_rate : int
        The rate of the clip in Hz.
    n_samples : int
        Its length.
    """

    def __init__(self, clip, window, step, sampling_rate, n_samples):
        self.clip, self.sampling_rate, self.n_samples = clip, sampling_rate, n_samples
        self.length, step = (max(1, round(seconds * sampling_rate)) for seconds in (window, step))
        # None starts beyond the end, nor after one that has reached it.
        beyond = min(n_samples, n_samples - self.length + step)
        self.starts = range(0, max(1, beyond), step)

    def __len__(self):
        return len(self.starts)

    def __getitem__(self, index):
        if isinstance(index, slice):
            return [self[i] for i in range(*index.indices(len(self)))]
        start = self.starts[index]
        end = min(start + self.length, self.n_samples)
        return _part(self.clip, self.sampling_rate, start, end)


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
        windows += Windows(clip, window, step, rate, n_samples)
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

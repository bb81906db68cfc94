"""Sliding windows over clips, in whole samples."""

from collections.abc import Sequence

from skdaf._audio.clips import Clip
from skdaf._audio.lengths import read_infos
from skdaf._audio.reading import has_cut_end
from skdaf._audio.unusual_clips import ClipFacts, report_clips
from skdaf._core.user_warnings import warn_user


class Windows(Sequence):
    """The windows of one clip, each created on access; the last one may be shorter.

    Windows start every `step` seconds until one reaches the end.

    Parameters
    ----------
    clip : Clip or ndarray of shape (n_samples,)
    window, step : float
        Length and step in seconds, rounded to whole samples; at least one sample each.
    sampling_rate : int
        The rate of the clip in Hz.
    n_samples : int
        The length of the clip.
    """

    def __init__(self, clip, window, step, sampling_rate, n_samples):
        self.clip, self.sampling_rate, self.n_samples = clip, sampling_rate, n_samples
        self.length, step = in_samples(window, step, sampling_rate)
        # No window starts beyond the end, or after one that has reached it.
        stop = min(n_samples, n_samples - self.length + step)
        self.starts = range(0, max(1, stop), step)

    def __len__(self):
        return len(self.starts)

    def __getitem__(self, index):
        if isinstance(index, slice):
            return [self[i] for i in range(*index.indices(len(self)))]
        start = self.starts[index]
        end = min(start + self.length, self.n_samples)
        return _slice(self.clip, self.sampling_rate, start, end)


def warn_about_gaps(estimator, window, step):
    """Warn if the step of an estimator is longer than its window; both are names of attributes."""
    length, step_length = getattr(estimator, window), getattr(estimator, step)
    if None not in (length, step_length) and step_length > length:
        warn_user(
            f"{step}={step_length:g} is longer than {window}={length:g} (seconds), so the audio "
            f"between them is not used. Set {step} to at most {length:g}."
        )


def in_samples(window, step, sampling_rate):
    """Return the length and the step of windows in whole samples, at least one each."""
    return tuple(max(1, round(seconds * sampling_rate)) for seconds in (window, step))


def cut_windows(clips, window, step, sampling_rate):
    """Split clips into windows.

    Parameters
    ----------
    clips : list of Clip, list of arrays, or array of shape (n_clips, n_samples)
    window, step : float
        Length and step in seconds.
    sampling_rate : int
        The rate of waveforms in Hz; files have their own rates.

    Returns
    -------
    windows : list
        Clips or arrays, in the order of `clips`.
    firsts : list of int
        The position in `windows` of the first window of each clip.
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
    facts = [
        ClipFacts(info.n_frames / info.sampling_rate, is_cut_off=has_cut_end(clip))
        for info, clip in zip(infos, clips, strict=True)
    ]
    report_clips(clips, facts)
    return [info.sampling_rate for info in infos], [info.n_frames for info in infos]


def _slice(clip, rate, start, end):
    """Return the samples [start, end) of a clip."""
    if not isinstance(clip, Clip):
        return clip[start:end]
    first = round(clip.start * rate)
    return Clip(clip.path, (first + start) / rate, (first + end) / rate)

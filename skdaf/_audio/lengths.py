"""Sampling rates and lengths of clips, which `fit` reads from headers before it reads samples."""

from collections import Counter
from functools import partial

import numpy as np

from skdaf._audio.cached_headers import read_infos_through
from skdaf._audio.clips import AudioReadError, Clip, raise_errors
from skdaf._audio.reading import read_clip
from skdaf._audio.unusual_clips import ClipFacts, ClipReport
from skdaf._audio.worker_paths import absolute_path, map_clips
from skdaf._core.cache import Cache
from skdaf._core.parallel import CHUNK_SIZE

# Reading headers is fast, except over a network: progress is shown after this many seconds.
_PROGRESS_AFTER = 2.0

# The sampling rate (Hz) of waveforms if none is given.
_DEFAULT_RATE = 16_000


class Lengths(list):
    """The numbers of samples of clips at one rate, which are rounded up.

    Parameters
    ----------
    n_samples : list of int
    seconds : list of float
        The lengths of the clips in seconds, which do not depend on that rate.
    """

    def __init__(self, n_samples, seconds):
        super().__init__(n_samples)
        self.seconds = seconds


def rate_and_lengths(clips, sampling_rate, *, channel=None, cache=None, n_jobs=None, verbose=0):
    """Return the sampling rate to use, and the number of samples of each clip at that rate.

    If `sampling_rate` is None, the rate is the most common one among the files (the lowest if
    there is a tie), or the default for waveforms. Only the headers of files are read. If the cache
    cannot be used or a file lacks the channel, this raises an error, so that `fit` fails early.

    Parameters
    ----------
    clips : list of Clip or of waveforms
    sampling_rate : int or None
        In Hz.
    channel : int or None
        The channel that will be read.
    cache : str, path-like or None
        The folder of the cache.
    n_jobs : int or None
    verbose : int, default=0
        If 1, show a progress bar when this takes long.

    Returns
    -------
    rate : int
        In Hz.
    lengths : Lengths
        Samples per clip.
    """
    if cache is not None:
        Cache(cache)
    check_channel_of_waveforms(clips, channel)
    if not isinstance(clips[0], Clip):
        rate, n_samples = sampling_rate or _DEFAULT_RATE, [len(clip) for clip in clips]
        return rate, Lengths(n_samples, [n / rate for n in n_samples])
    infos = read_infos(clips, channel=channel, cache=cache, n_jobs=n_jobs, verbose=verbose)
    seconds = [info.n_frames / info.sampling_rate for info in infos]
    report = ClipReport()
    report.add(clips, [ClipFacts(length) for length in seconds])
    report.warn()
    rate = sampling_rate or _most_common(info.sampling_rate for info in infos)
    n_samples = [-(-info.n_frames * rate // info.sampling_rate) for info in infos]
    return rate, Lengths(n_samples, seconds)


def median_seconds(lengths, rate):
    """Return the median length in seconds of clips.

    Parameters
    ----------
    lengths : Lengths or list of int
        Samples per clip. Those of `rate_and_lengths` know the seconds, which are not rounded to
        samples: the default window of a model is as long as its clips.
    rate : int
        In Hz.
    """
    seconds = getattr(lengths, "seconds", None)
    return float(np.median(lengths)) / rate if seconds is None else float(np.median(seconds))


def median_and_range(n_samples, rate):
    """Return the median length in seconds, and those of the shortest and the longest clip."""
    shortest, longest = (float(n) / float(rate) for n in (min(n_samples), max(n_samples)))
    return median_seconds(n_samples, rate), (shortest, longest)


def is_range_in_seconds(value):
    """Return whether a value from a file may be the range of `median_and_range`."""
    return (
        type(value) is tuple
        and [type(seconds) for seconds in value] == [float, float]
        and 0 < value[0] <= value[1] < float("inf")
    )


def check_channel_of_waveforms(clips, channel):
    """Raise ValueError if the clips are waveforms and `channel` is neither None nor 0."""
    if channel and not isinstance(clips[0], Clip):
        raise ValueError(
            f"channel={channel} needs files, because waveforms have a single channel: pass "
            "channel=None, and waveforms of the channel that you want."
        )


def read_infos(clips, *, channel=None, cache=None, n_jobs=None, verbose=0):
    """Return the AudioInfo of each clip; raise one AudioReadError for all unreadable clips."""
    infos, errors = [], []
    cache = None if cache is None else absolute_path(cache)
    read = partial(read_headers, channel=channel, cache=cache)
    options = {"verbose": verbose, "description": "Headers", "delay": _PROGRESS_AFTER}
    for chunk, chunk_errors in map_clips(
        read, clips, n_jobs=n_jobs, chunk_size=4 * CHUNK_SIZE, **options
    ):
        infos += chunk
        errors += chunk_errors
    if errors:
        # This call fails anyway, so also report files with a valid header but invalid samples.
        errors = []
        for _, chunk_errors in map_clips(
            partial(_read_fully, channel=channel), clips, n_jobs=n_jobs
        ):
            errors += chunk_errors
    raise_errors(errors)
    return infos


def read_headers(clips, channel=None, cache=None):
    """Return the AudioInfo of each readable clip, and the errors for the others."""
    infos, errors = [], []
    for found in read_infos_through(cache, clips, channel):
        (errors if isinstance(found, AudioReadError) else infos).append(found)
    return infos, errors


def _read_fully(clips, channel):
    """Read clips in full; return None and the errors."""
    errors = []
    for clip in clips:
        try:
            read_clip(clip, channel=channel)
        except AudioReadError as error:
            errors.append(error)
    return None, errors


def _most_common(rates):
    counts = Counter(rates)
    return min(counts, key=lambda rate: (-counts[rate], rate))

"""Read the samples of a clip, or the header of its file."""

import os
from functools import partial
from numbers import Integral, Real

import numpy as np
from numpy.typing import NDArray

from skdaf._audio.blocks import read_blocks, span_of
from skdaf._audio.clips import AudioInfo, AudioReadError, Clip
from skdaf._audio.formats.mp3.layout import is_cut_off
from skdaf._audio.formats.wav import read_plain_header, read_plain_wav
from skdaf._audio.opening import audio_errors, check_rate, on_disk, open_audio
from skdaf._audio.resampling import resample
from skdaf._audio.samples import to_float32, to_mono
from skdaf._audio.sources import ArraySource, AudioSource
from skdaf._core.public import public

# Only silence is compressed more than this. If a header claims more frames per byte, the frames are
# counted.
_USUAL_FRAMES_PER_BYTE = 2**8


def read_clip(clip, sampling_rate=None, channel=None):
    """Read a Clip as mono float32 samples; return them and their rate.

    Parameters
    ----------
    clip : Clip
    sampling_rate : int or None
        The rate in Hz to resample to; None keeps the rate of the file.
    channel : int or None
        The channel to read, counted from 0; None averages all channels.
    """
    samples, rate = read_samples(clip, sampling_rate, channel)
    return to_float32(samples), rate


def read_samples(clip, sampling_rate=None, channel=None):
    """Read a Clip like `read_clip`, but keep 16-bit samples if nothing is calculated with them.

    Whoever joins the samples of many clips converts them faster together.

    Returns
    -------
    samples : ndarray of shape (n_samples,), float32 or int16
        `to_float32` returns the samples of `read_clip`.
    sampling_rate : int
        In Hz.
    """
    found = None
    if not clip.is_in_memory:
        found = read_plain_wav(clip.path, partial(_checked_span, clip, channel))
    if found is None:
        return _read_by_blocks(clip, sampling_rate, channel)
    block, rate = found
    target = rate if sampling_rate is None else sampling_rate
    if target == rate and (channel is not None or block.shape[1] == 1):
        return to_mono(block, channel), target
    with audio_errors(clip.path):
        return resample(to_mono(to_float32(block), channel), rate, target), target


def _checked_span(clip, channel, layout):
    """Return the first frame and the number of frames of a clip in a plain WAV file."""
    check_rate(layout.samplerate, clip.path)
    _check_channel(layout.channels, clip.path, channel)
    return span_of(clip, layout)


def _read_by_blocks(clip, sampling_rate, channel):
    """Return the mono float32 samples of any clip, and their rate."""
    with on_disk(clip) as clip, open_audio(clip.path) as file:
        samples, rate = read_mono(clip, file, channel), file.samplerate
        if sampling_rate is None:
            return samples, rate
        return resample(samples, rate, sampling_rate), sampling_rate


def read_mono(clip, file, channel=None):
    """Return the mono float32 samples of a clip in an open file, at the rate of the file."""
    _check_channel(file.channels, clip.path, channel)
    blocks = [to_mono(block, channel) for block in read_blocks(clip, file)]
    return blocks[0] if len(blocks) == 1 else np.concatenate(blocks)


def has_cut_end(clip):
    """Return whether a clip ends with an MP3 file that was cut off, by an unknown length."""
    return not clip.is_in_memory and clip.end in (None, float("inf")) and is_cut_off(clip.path)


def read_info(clip, channel=None):
    """Return the AudioInfo of a clip.

    Only the header is read, unless it claims an unusually large number of frames. Raises
    AudioReadError if the file does not have the channel.
    """
    if not clip.is_in_memory and (layout := read_plain_header(clip.path)) is not None:
        return _info(layout, _checked_span(clip, channel, layout))
    with on_disk(clip) as clip, open_audio(clip.path) as file:
        _check_channel(file.channels, clip.path, channel)
        is_array = isinstance(clip.path, ArraySource)
        if not is_array and file.frames > _USUAL_FRAMES_PER_BYTE * os.stat(clip.path).st_size:
            for _ in read_blocks(clip, file):
                pass
        return info_of(clip, file)


def info_of(clip, file):
    """Return the AudioInfo of a clip in an open file."""
    return _info(file, span_of(clip, file))


def _info(file, span):
    return AudioInfo(file.samplerate, span[1], file.channels, file.format, file.subtype)


def _check_channel(n_channels, path, channel):
    """Raise AudioReadError if a file with so many channels does not have the channel."""
    if channel is not None and channel >= n_channels:
        found = "one channel" if n_channels == 1 else f"{n_channels} channels"
        raise AudioReadError.of(
            path, f"there is no channel {channel}: the file has {found}, counted from 0"
        )


@public
def load_audio(
    path: AudioSource | Clip,
    *,
    sampling_rate: int | None = None,
    start: float = 0.0,
    end: float | None = None,
    channel: int | None = None,
) -> tuple[NDArray[np.float32], int]:
    """Read a recording, or a part of it, as mono float32 samples.

    All formats of libsndfile can be read: WAV and AIFF of any sample width, FLAC, OGG Vorbis and
    Opus, MP3 and more. The extra ``skdaf[ffmpeg]`` adds M4A, MP4, AAC, WMA, WebM, AMR, AC3 and
    more, and the audio tracks of videos. Resampling takes about as long as decoding, so keep
    `sampling_rate=None` if you do not need a particular rate.

    Parameters
    ----------
    path : str, os.PathLike, Clip, or audio in memory
        The recording, or anything else that a `Clip` accepts: a file opened in binary mode, or
        samples with their rate. If `path` is a Clip, `start` and `end`, if given, replace its
        times.
    sampling_rate : int, default=None
        The rate in Hz to resample to; None keeps the rate of the file.
    start : float, default=0.0
        The time at which to start, in seconds.
    end : float, default=None
        The time at which to stop, in seconds; None means the end of the file, and so does a time
        slightly after it (see `Clip`).
    channel : int, default=None
        The channel to read, counted from 0. None averages all channels.

    Returns
    -------
    samples : ndarray of shape (n_samples,), float32
        The samples; full scale is 1.
    sampling_rate : int
        Their rate in Hz.

    Raises
    ------
    AudioReadError
        If the file is missing, empty, not audio, truncated, damaged, shorter than `start` or much
        shorter than `end`, does not have the channel, or contains NaN or infinite samples (the
        message gives the time of the first one).
    TypeError, ValueError
        If `sampling_rate` is not a number of at least 1, or `channel` not an int of at least 0.

    Examples
    --------
    >>> import tempfile, pathlib, numpy as np, soundfile
    >>> from skdaf import load_audio
    >>> with tempfile.TemporaryDirectory() as folder:
    ...     path = pathlib.Path(folder, "stereo.wav")
    ...     soundfile.write(path, np.zeros((44100, 2)), 44100)
    ...     samples, rate = load_audio(path, sampling_rate=16000, end=0.5)
    >>> samples.shape, rate
    ((8000,), 16000)
    """
    clip = path if isinstance(path, Clip) else Clip(path, start, end)
    if isinstance(path, Clip) and (start != 0.0 or end is not None):
        clip = Clip(path.path, start, end)
    _check_load_parameters(sampling_rate, channel)
    return read_clip(clip, sampling_rate, channel)


def _check_load_parameters(sampling_rate, channel):
    if sampling_rate is not None:
        if isinstance(sampling_rate, bool) or not isinstance(sampling_rate, Real):
            raise TypeError(f"sampling_rate must be None or a number of Hz, got {sampling_rate!r}.")
        if sampling_rate < 1:
            raise ValueError(f"sampling_rate must be at least 1 Hz, got {sampling_rate!r}.")
    if channel is not None:
        if isinstance(channel, bool) or not isinstance(channel, Integral):
            raise TypeError(f"channel must be None or an int, got {channel!r}.")
        if channel < 0:
            raise ValueError(f"channel must be at least 0, got {channel!r}.")

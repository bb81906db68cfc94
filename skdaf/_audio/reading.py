"""Read the samples of a clip, or the header of its file."""

import os
from numbers import Integral, Real

import numpy as np
from numpy.typing import NDArray

from skdaf._audio.blocks import read_blocks, span_of
from skdaf._audio.clips import AudioInfo, AudioReadError, Clip
from skdaf._audio.opening import on_disk, open_audio
from skdaf._audio.resampling import resample
from skdaf._audio.samples import to_mono
from skdaf._audio.sources import ArraySource, AudioSource
from skdaf._core.public import public

# Only silence is packed more tightly than this. If a header promises more frames per byte, they are
# counted.
_USUAL_FRAMES_PER_BYTE = 2**8


def read_clip(clip, sampling_rate=None, channel=None):
    """Read a Clip as mono float32 samples; return them and their rate.

    Parameters
    ----------
    clip : Clip
    sampling_rate : int or None
        The rate in Hz to resample to; None keeps that of the file.
    channel : int or None
        The channel to read, counted from 0; None averages all channels.
    """
    with on_disk(clip) as clip, open_audio(clip.path) as file:
        _check_channel(file, clip.path, channel)
        blocks = [to_mono(block, channel) for block in read_blocks(clip, file)]
        samples = blocks[0] if len(blocks) == 1 else np.concatenate(blocks)
        rate = file.samplerate
        if sampling_rate is None:
            return samples, rate
        return resample(samples, rate, sampling_rate), sampling_rate


def read_info(clip, channel=None):
    """Return the AudioInfo of a clip.

    Only the header is read, unless it promises an unusual number of frames. Raises AudioReadError
    if the file has no such channel.
    """
    with on_disk(clip) as clip, open_audio(clip.path) as file:
        _check_channel(file, clip.path, channel)
        is_array = isinstance(clip.path, ArraySource)
        if not is_array and file.frames > _USUAL_FRAMES_PER_BYTE * os.stat(clip.path).st_size:
            for _ in read_blocks(clip, file):
                pass
        return info_of(clip, file)


def info_of(clip, file):
    """Return the AudioInfo of a clip in an open file."""
    _, n_frames = span_of(clip, file)
    return AudioInfo(file.samplerate, n_frames, file.channels, file.format, file.subtype)


def _check_channel(file, path, channel):
    """Raise AudioReadError if an open file has no such channel."""
    if channel is not None and channel >= file.channels:
        found = "one channel" if file.channels == 1 else f"{file.channels} channels"
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

    Reads every format of libsndfile: WAV and AIFF of any sample width, FLAC, OGG Vorbis and Opus,
    MP3 and more. With the extra ``skdaf[ffmpeg]`` it also reads M4A, MP4, AAC, WMA, WebM, AMR, AC3
    and more, and the sound of videos. Resampling costs about as much as decoding; leave
    `sampling_rate` at None where the rate of the file will do.

    Parameters
    ----------
    path : str, os.PathLike, Clip, or a sound in memory
        The recording, or anything else that a `Clip` takes: a file open for reading bytes, or
        samples with their rate. The times of a Clip are used where `start` and `end` are not
        given.
    sampling_rate : int, default=None
        The rate in Hz to resample to; None keeps the rate of the file.
    start : float, default=0.0
        Where to start, in seconds.
    end : float, default=None
        Where to stop, in seconds; None is the end of the file.
    channel : int, default=None
        The channel to read, counted from 0. None averages all channels.

    Returns
    -------
    samples : ndarray of shape (n_samples,), float32
        The samples, full scale at 1.
    sampling_rate : int
        Their rate in Hz.

    Raises
    ------
    AudioReadError
        If the file is missing, empty, not audio, truncated, damaged, shorter than `start`, has
        no such channel, or holds NaN or infinite samples (the message says where the first one
        is).
    TypeError, ValueError
        If `sampling_rate` or `channel` is no number of that kind.

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

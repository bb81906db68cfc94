"""Reading: the only module that opens recordings, with `_wav` and `_ogg` for two kinds of them.

The rest of the package sees mono float32 arrays at one sampling rate, or an AudioReadError.
"""

import hashlib
import os
import re
import stat
from contextlib import contextmanager
from dataclasses import dataclass

import numpy as np
import soundfile as sf
import soxr

from skdaf._clip import AudioInfo, AudioReadError, Clip
from skdaf._limits import check_resampling
from skdaf._mute import mute
from skdaf._ogg import problem_of_ogg
from skdaf._wav import PlainWav, open_plain

# Samples (over all channels) asked of libsndfile at once. A header may promise any number of
# frames; memory is only taken for what was really read.
_BLOCK_SAMPLES = 2**20

# libsndfile keeps paths in a buffer of 1,024 bytes; longer ones are opened here and handed over.
_LONGEST_LIBSNDFILE_PATH = 1000

# MP3: a frame borrows up to 511 bytes from the frames before it (255 bytes where frames have 576
# samples), and a frame of silence holds as few as 3. So many samples before a place decide what
# is decoded there; libmpg123 goes back by four frames only.
_MP3_MEMORY = 90 * 576

# Ogg Vorbis: libsndfile misses places in the last page by a part of a block. A page holds at most
# 255 packets, in silence, of 1,024 samples each with the usual block size.
_LONGEST_VORBIS_PAGE = 2**18

# A header of 1 Hz would turn a minute of samples into days, one of 4 GHz a window of 32 ms into a
# hundred million samples. No recording is sampled that slowly or that fast.
_SAMPLING_RATES = (100, 10_000_000)

# No codec packs more frames in a byte: the leanest is FLAC, which spends some 14 bytes on 65,535
# frames of silence. What claims more has a damaged header, or one that does not tell its length.
_MOST_FRAMES_PER_BYTE = 2**14

# Subtypes without compression take at least a byte a sample (FLAC calls what it gives so, too).
_UNPACKED = ("PCM_", "DPCM_", "FLOAT", "DOUBLE", "ULAW", "ALAW")

# Only silence is packed that tightly; where it is claimed, the frames are counted.
_USUAL_FRAMES_PER_BYTE = 2**8

# Full scale is 1. The power of much larger samples would overflow in float32 (in a window of one
# second at the highest rate).
LOUDEST_SAMPLE = np.float32(1e12)

# What libsndfile's log says of a chunk of samples that is cut off.
_SHORT_CHUNK = re.compile(r"(?:data|SSND) *: (\d+) \(should be (\d+)\)")
_PLACEHOLDER_LENGTH = 2**31 - 2**16

# What it says where pages of an Ogg stream are missing. It gives whatever lay in memory for them.
_HOLE = re.compile(r"libogg reports a hole|Hole found|Corrupted bitstream")

# What rounding leaves of a full-scale sample of 16 bits.
_FULL_SCALE = 0.9999


def stat_audio(path):
    """Return `os.stat` of a regular, non-empty file; raise AudioReadError for anything else."""
    try:
        status = os.stat(path)
    except (OSError, ValueError) as error:
        raise AudioReadError.of(path, _reason(error)) from error
    if stat.S_ISDIR(status.st_mode):
        raise AudioReadError.of(path, "is a folder, expected an audio file")
    if not stat.S_ISREG(status.st_mode):
        raise AudioReadError.of(path, "is not a regular file (a pipe, a socket or a device)")
    if status.st_size == 0:
        raise AudioReadError.of(path, "the file is empty")
    return status


def _reason(error):
    """Say why the system does not give a file, without its name."""
    if isinstance(error, FileNotFoundError):
        return "no such file"
    return getattr(error, "strerror", None) or str(error)


def _libsndfile_name(path):
    path = os.fspath(path)
    # soundfile encodes names strictly: a name that is not Unicode is opened here as well.
    is_unicode = path.encode("utf-8", "replace").decode() == path
    if is_unicode and len(os.fsencode(path)) <= _LONGEST_LIBSNDFILE_PATH:
        return path
    return os.open(path, os.O_RDONLY | getattr(os, "O_BINARY", 0))


class _Recording(sf.SoundFile):
    """A file that is read from front to back, and finds the place to begin at."""

    def seekable(self):
        """Keep soundfile from seeking after each read: it would garble MP3 at every block."""
        return False

    def go_to(self, frame):
        """Make `frame` the next one to be read, exactly and with its true samples."""
        origin = max(0, min(frame, self._last_safe_origin(frame)))
        if origin:
            self.seek(origin)
        while origin < frame:
            asked = min(frame - origin, max(1, _BLOCK_SAMPLES // self.channels))
            origin += asked
            if len(self.read_block(asked)) < asked:
                break

    def read_block(self, n_frames):
        """Return the next frames as float32 `(n_frames, channels)`, fewer at the end."""
        return self.read(n_frames, dtype="float32", always_2d=True)

    def _last_safe_origin(self, frame):
        if not super().seekable():
            return 0
        if self.format == "MP3":
            return frame - _MP3_MEMORY
        if self.subtype == "VORBIS":
            return self.frames - _LONGEST_VORBIS_PAGE
        return frame


@contextmanager
def _opened(path, n_bytes):
    plain = open_plain(path, n_bytes)
    if plain is not None:
        with plain:
            yield plain
    else:
        with mute, _Recording(_libsndfile_name(path)) as file:
            yield file


def _most_frames(file, n_bytes):
    if file.format != "FLAC" and file.subtype.startswith(_UNPACKED):
        return n_bytes // file.channels
    return n_bytes * _MOST_FRAMES_PER_BYTE


@contextmanager
def _open_audio(path):
    """Open a recording; whatever goes wrong inside the block becomes an AudioReadError."""
    n_bytes = stat_audio(path).st_size
    try:
        with _opened(path, n_bytes) as file:
            if file.frames > _most_frames(file, n_bytes):
                raise AudioReadError.of(path, "its header does not tell its length, or is damaged")
            if not _SAMPLING_RATES[0] <= file.samplerate <= _SAMPLING_RATES[1]:
                raise AudioReadError.of(
                    path, f"a sampling rate of {file.samplerate} Hz is not audio"
                )
            yield file
    except AudioReadError:
        raise
    except sf.LibsndfileError as error:
        reason = str(error.error_string).rstrip(".") or "unknown error"
        raise AudioReadError.of(path, f"not readable as audio ({reason})") from error
    except OSError as error:
        raise AudioReadError.of(path, f"cannot be read ({_reason(error)})") from error
    except MemoryError as error:
        raise AudioReadError.of(path, "is too long to fit in memory") from error
    except (TypeError, RuntimeError, ValueError) as error:
        raise AudioReadError.of(path, f"not readable as audio ({error})") from error


def _insist_on_all_bytes(file, path):
    """Raise if a WAV, AIFF or Ogg file has lost its end: libsndfile takes it for a shorter one."""
    if isinstance(file, PlainWav):
        return
    if file.format in ("WAV", "WAVEX", "AIFF"):
        _insist_on_announced_bytes(file, path)
    if file.format == "OGG" and (problem := problem_of_ogg(path)):
        raise AudioReadError.of(path, problem)


def _insist_on_announced_bytes(file, path):
    """Compare the length in the header with what libsndfile's log says is there.

    Writers that cannot know the length (into a pipe, say) put 0 or a huge number: no damage.
    """
    found = _SHORT_CHUNK.search(file.extra_info)
    if found is None:
        return
    announced, there = map(int, found.groups())
    if there < announced < _PLACEHOLDER_LENGTH:
        raise AudioReadError.of(
            path,
            f"the file is truncated: its header announces {announced} bytes of sound, {there} "
            "are there",
        )


def _insist_on_no_hole(file, path):
    if file.format == "OGG" and _HOLE.search(file.extra_info):
        raise AudioReadError.of(path, "the file is damaged: a part of its stream is missing")


def _span(file, clip):
    """Return the first frame and the number of frames of a clip in an open file."""
    # Bounded before rounding: any number of seconds is allowed, also an infinite end.
    start = round(min(clip.start * file.samplerate, file.frames))
    if start and start >= file.frames:
        raise AudioReadError.of(
            clip.path,
            f"the clip starts at {clip.start:g} s, but the file ends at "
            f"{file.frames / file.samplerate:g} s (start and end are seconds)",
        )
    stop = file.frames
    if clip.end is not None:
        stop = min(stop, max(round(min(clip.end * file.samplerate, stop)), start + 1))
    if stop <= start:
        raise AudioReadError.of(clip.path, "the file holds no samples")
    return start, stop - start


def _read_blocks(file, clip):
    """Yield the samples of a clip as `(n, n_channels)` blocks, and insist on getting them all."""
    _insist_on_all_bytes(file, clip.path)
    start, n_frames = _span(file, clip)
    file.go_to(start)
    is_bounded = file.subtype.startswith("PCM_")
    remaining = n_frames
    while remaining > 0:
        asked = min(remaining, max(1, _BLOCK_SAMPLES // file.channels))
        block = file.read_block(asked)
        if not is_bounded:
            _insist_on_numbers(block, start + n_frames - remaining, file, clip.path)
        remaining -= len(block)
        _insist_on_no_hole(file, clip.path)
        if len(block):
            yield block
        if len(block) < asked:
            raise AudioReadError.of(
                clip.path,
                f"the file is truncated or damaged: {n_frames} frames were expected, "
                f"{n_frames - remaining} could be read",
            )


def _insist_on_numbers(block, first_frame, file, path):
    """Raise if a sample is NaN, infinite, or so large that the power of a frame would overflow."""
    # NaN is not smaller than anything.
    is_fine = np.abs(block) < LOUDEST_SAMPLE
    if is_fine.all():
        return
    frame, channel = np.unravel_index(is_fine.argmin(), block.shape)
    seconds = round((first_frame + int(frame)) / file.samplerate, 6)
    value = block[frame, channel]
    told = "NaN" if np.isnan(value) else f"{value:.3g}"
    raise AudioReadError.of(
        path,
        f"the sample at {seconds:.12g} s is {told}: expected finite numbers, with full scale at 1",
    )


def _mono(block):
    mono, n_channels = block[:, 0], block.shape[1]
    if n_channels == 1:
        return mono
    # Channel by channel: NumPy is slow at means of very few values.
    for channel in range(1, n_channels):
        mono = mono + block[:, channel]
    return mono / n_channels


def resample(samples, source_rate, target_rate):
    """Resample mono float32 samples with an anti-alias filter (soxr, high quality).

    At least one sample comes back, however short the input.
    """
    if source_rate == target_rate:
        return samples
    check_resampling(len(samples), source_rate, target_rate)
    resampled = soxr.resample(samples, source_rate, target_rate, quality="HQ")
    return resampled if len(resampled) else samples.mean(keepdims=True)


def read_clip(clip, sampling_rate=None):
    """Read a Clip as mono float32 samples; return them and their rate."""
    with _open_audio(clip.path) as file:
        blocks = [_mono(block) for block in _read_blocks(file, clip)]
        samples = blocks[0] if len(blocks) == 1 else np.concatenate(blocks)
        rate = file.samplerate
        if sampling_rate is None:
            return samples, rate
        return resample(samples, rate, sampling_rate), sampling_rate


def read_info(clip):
    """Read the header of a clip's file, and the rest too if the header is hard to believe."""
    with _open_audio(clip.path) as file:
        if file.frames > _USUAL_FRAMES_PER_BYTE * os.stat(clip.path).st_size:
            for _ in _read_blocks(file, clip):
                pass
        return _info(file, clip)


def _info(file, clip):
    _, n_frames = _span(file, clip)
    return AudioInfo(file.samplerate, n_frames, file.channels, file.format, file.subtype)


@dataclass(frozen=True)
class Statistics:
    """What a look at all samples of a clip tells."""

    info: AudioInfo
    peak: float
    clipped: bool
    content: bytes


def read_statistics(clip):
    """Read a clip block by block; return its Statistics.

    The content is a short name for its samples, channels and rate, whatever file they lie in.
    """
    with _open_audio(clip.path) as file:
        peak, clipped = 0.0, False
        content = hashlib.blake2b(f"{file.samplerate} {file.channels}".encode(), digest_size=16)
        for block in _read_blocks(file, clip):
            content.update(block)
            levels = np.abs(block)
            peak = max(peak, float(levels.max()))
            full = levels >= _FULL_SCALE
            clipped = clipped or bool((full[:-2] & full[1:-1] & full[2:]).any())
        return Statistics(_info(file, clip), peak, clipped, content.digest())


def load_audio(path, *, sampling_rate=None, start=0.0, end=None):
    """Read a recording, or a part of it, as mono float32 samples.

    Reads every format of libsndfile: WAV and AIFF of any sample width, FLAC, OGG Vorbis and Opus,
    MP3 and more. Channels are averaged. Resampling costs about as much as decoding; leave
    `sampling_rate` at None where the rate of the file will do.

    Parameters
    ----------
    path : str, os.PathLike or Clip
        The recording. The times of a Clip are used where `start` and `end` are not given.
    sampling_rate : int, default=None
        The rate in Hz to resample to; None keeps the rate of the file.
    start : float, default=0.0
        Where to start, in seconds.
    end : float, default=None
        Where to stop, in seconds; None is the end of the file.

    Returns
    -------
    samples : ndarray of shape (n_samples,), float32
        The samples, full scale at 1.
    sampling_rate : int
        Their rate in Hz.

    Raises
    ------
    AudioReadError
        If the file is missing, empty, not audio, damaged, shorter than `start`, or holds NaN or
        infinite samples (the message tells where the first one is).

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
    if sampling_rate is not None and sampling_rate < 1:
        raise ValueError(f"sampling_rate must be at least 1 Hz, got {sampling_rate!r}.")
    return read_clip(clip, sampling_rate)

"""Reading: `_wav` opens plain WAV files, `_mp3` MP3 files, and this module the others.

The rest of the package sees mono float32 arrays at one sampling rate, or an AudioReadError.
"""

import hashlib
import os
import re
import stat
from contextlib import contextmanager, nullcontext
from dataclasses import dataclass
from functools import lru_cache
from numbers import Integral, Real

import numpy as np
import soundfile as sf
import soxr

from skdaf._audio.clips import AudioInfo, AudioReadError, Clip
from skdaf._audio.formats.ffmpeg import FFmpegFile, open_container
from skdaf._audio.formats.headers import DamagedFileError, behind_id3, open_view
from skdaf._audio.formats.mp3 import Mp3Recording, mp3_layout
from skdaf._audio.formats.mute import mute
from skdaf._audio.formats.ogg import problem_of_ogg
from skdaf._audio.formats.view import FileView
from skdaf._audio.formats.wav import open_plain
from skdaf._audio.sources import ArraySource, ContentSource
from skdaf._core.limits import check_resampling
from skdaf._core.public import public

# Samples (over all channels) asked of libsndfile at once. A header may promise any number of
# frames; memory is only taken for what was really read.
_BLOCK_SAMPLES = 2**20

# libsndfile keeps paths in a buffer of 1,024 bytes; longer ones are opened here and handed over.
_LONGEST_LIBSNDFILE_PATH = 1000

# Ogg Vorbis: libsndfile misses places in the last page by a part of a block. A page holds at most
# 255 packets, in silence, of 1,024 samples each with the usual block size.
_LONGEST_VORBIS_PAGE = 2**18

# libsndfile says that it can seek in DWVW, but cannot. Of blocks of PAF and SDS it gives the rest
# only within one read.
_NOT_SEEKABLE = re.compile(r".* DWVW_\d+")
_READ_AT_ONCE = re.compile(r"PAF PCM_24|SDS .*")

# libsndfile's number of frames where a FLAC header leaves it out is larger.
_ENDLESS = 2**62

# ALAC: frames between two places where decoding begins again, a multiple of any packet's.
_ALAC_SECTION = 2**16

# A header of 1 Hz would turn a minute of samples into days, one of 4 GHz a window of 32 ms into a
# hundred million samples. No recording is sampled that slowly or that fast.
_SAMPLING_RATES = (100, 10_000_000)

# No codec packs more frames in a byte: the leanest is FLAC, which spends some 14 bytes on 65,535
# frames of silence. What claims more has a damaged header, or one that does not give its length.
_MOST_FRAMES_PER_BYTE = 2**14

# Subtypes without compression take at least a byte a sample (FLAC calls what it gives so, too).
_UNPACKED = ("PCM_", "DPCM_", "FLOAT", "DOUBLE", "ULAW", "ALAW")

# Only silence is packed that tightly; where it is claimed, the frames are counted.
_USUAL_FRAMES_PER_BYTE = 2**8

# Full scale is 1. The power of much larger samples would overflow in float32 (in a window of one
# second at the highest rate).
LOUDEST_SAMPLE = np.float32(1e12)

# An odd number of bytes in a WAV file, and the bytes and samples of a block of GSM there.
_ODD_WAV_CHUNK = re.compile(r"^data *: (\d*[13579])$", re.MULTILINE)
_GSM_BLOCK = 65, 320

# What libsndfile's log says where pages of an Ogg stream are missing. It gives whatever lay in
# memory for them.
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


def _skip(file, n_frames):
    """Read frames that nobody wants, as far as they go; return how many there were."""
    n_read = 0
    while n_read < n_frames:
        asked = min(n_frames - n_read, max(1, _BLOCK_SAMPLES // file.channels))
        n_block = len(file.read_block(asked))
        n_read += n_block
        if n_block < asked:
            break
    return n_read


class _Recording(sf.SoundFile):
    """A file that is read from front to back, and finds the place to begin at."""

    # What is read instead of the file, if anything is.
    view = None
    # All samples, of a file that is not read block by block, and the next one to be given.
    _whole, _place = None, 0

    @property
    def frames(self):
        """The number of frames, without those of a padding byte.

        libsndfile takes the byte behind an odd number of GSM blocks in WAV for another block.
        """
        found = self.subtype == "GSM610" and _ODD_WAV_CHUNK.search(self.extra_info)
        if not found:
            return super().frames
        return min(super().frames, int(found[1]) // _GSM_BLOCK[0] * _GSM_BLOCK[1])

    def seekable(self):
        """Keep soundfile from seeking after each read: codecs would begin again at every block."""
        return False

    def go_to(self, frame):
        """Make `frame` the next one to be read, exactly and with its true samples."""
        if _READ_AT_ONCE.fullmatch(self._kind):
            self._read_at_once(frame)
            return
        origin = max(0, min(frame, self._last_safe_origin(frame)))
        if origin:
            self.seek(origin)
        _skip(self, frame - origin)

    def read_block(self, n_frames):
        """Return the next frames as float32 `(n_frames, channels)`, fewer at the end."""
        if self._whole is not None:
            self._place += n_frames
            return self._whole[self._place - n_frames : self._place]
        block = self.read(n_frames, dtype="float32", always_2d=True)
        if self.view is not None and self.view.error is not None:
            raise self.view.error
        return block

    @property
    def _kind(self):
        return f"{self.format} {self.subtype}"

    def _read_at_once(self, frame):
        self._whole = None
        self.seek(0)
        self._whole, self._place = self.read_block(self.frames), frame

    def _last_safe_origin(self, frame):
        if not super().seekable() or _NOT_SEEKABLE.fullmatch(self._kind):
            return 0
        if self.subtype == "VORBIS":
            return self.frames - _LONGEST_VORBIS_PAGE
        return frame


class _Sections:
    """An ALAC file, decoded in sections that each begin with a new decoder.

    Of a damaged packet, the decoder gives what was decoded before. With sections this does not
    depend on where reading began.
    """

    def __init__(self, view):
        self._view = view
        self._open()
        file = self._file
        self.samplerate, self.channels, self.frames = file.samplerate, file.channels, file.frames
        self.format, self.subtype, self.extra_info = file.format, file.subtype, file.extra_info

    def __enter__(self):
        return self

    def __exit__(self, *exception):
        self._file.close()

    def _open(self):
        self._view.seek(0)
        self._file = _Recording(self._view)
        self._file.view = self._view

    def go_to(self, frame):
        """Make `frame` the next one to be read."""
        self._file.close()
        self._open()
        self._left = _ALAC_SECTION - frame % _ALAC_SECTION
        self._file.go_to(frame - frame % _ALAC_SECTION)
        _skip(self._file, frame % _ALAC_SECTION)
        self._place = frame

    def read_block(self, n_frames):
        """Return the next frames as float32 `(n_frames, channels)`, fewer at the end."""
        blocks = []
        while n_frames > 0:
            if not self._left:
                self.go_to(self._place)
            asked = min(n_frames, self._left)
            blocks.append(self._file.read_block(asked))
            if len(blocks[-1]) < asked:
                break
            n_frames, self._left = n_frames - asked, self._left - asked
            self._place += asked
        return np.concatenate(blocks)


@contextmanager
def _opened(path, n_bytes):
    if (plain := open_plain(path, n_bytes)) is not None:
        with plain:
            yield plain
    elif (layout := mp3_layout(path, n_bytes)) is not None:
        with mute, Mp3Recording(path, layout) as file:
            yield file
    else:
        with mute, _opened_by_libraries(path, n_bytes) as file:
            yield file


@contextmanager
def _opened_by_libraries(path, n_bytes):
    with open_view(path, n_bytes) or nullcontext() as view:
        with _open_known(path, view) as file:
            is_decoded = isinstance(file, FFmpegFile)
            is_alac = file.subtype.startswith("ALAC") and not is_decoded
            has_length = is_decoded or file.format != "FLAC" or file.frames < _ENDLESS
            if has_length and not is_alac:
                yield file
                return
        if is_alac:
            view = view or FileView(path, b"", [(0, n_bytes)])
            with view, _Sections(view) as file:
                yield file
            return
    with _flac_with_length(path, n_bytes) as view, _Recording(view) as file:
        file.view = view
        yield file


def _flac_with_length(path, n_bytes):
    """Return a view of a FLAC file whose header has the number of its samples filled in."""
    with open(path, "rb") as file:
        start = behind_id3(file)
        head = file.read(26)
    if head[:4] != b"fLaC":
        raise DamagedFileError("its header does not give its length")
    mtime = os.stat(path).st_mtime_ns
    n_frames = _n_frames_of_flac(os.path.abspath(path), start, n_bytes, mtime)
    numbers = int.from_bytes(head[18:], "big") & -(2**36) | n_frames
    return FileView(path, head[:18] + numbers.to_bytes(8, "big"), [(start + 26, n_bytes)])


@lru_cache(maxsize=1024)
def _n_frames_of_flac(path, start, n_bytes, mtime):
    try:
        with FileView(path, b"", [(start, n_bytes)]) as view, _Recording(view) as file:
            return _skip(file, file.frames)
    except sf.LibsndfileError as error:
        problem = f"the file is truncated or damaged ({_own_words(error)})"
        raise DamagedFileError(problem) from error


def _open_known(path, view):
    """Open a file, or a view of it, by libsndfile, and what that does not know by FFmpeg."""
    try:
        file = _Recording(view or _libsndfile_name(path))
    except (sf.LibsndfileError, TypeError):
        container = open_container(path)
        if container is None:
            raise
        return container
    # "RAW" is taken from the name alone (.gsm, .vox): first bytes say more.
    if file.format == "RAW" and (container := open_container(path)):
        file.close()
        return container
    file.view = view
    return file


def _most_frames(file, n_bytes):
    if isinstance(file, FFmpegFile):
        return file.frames  # they have been counted
    if file.format != "FLAC" and file.subtype.startswith(_UNPACKED):
        return n_bytes // file.channels
    return n_bytes * _MOST_FRAMES_PER_BYTE


@contextmanager
def _open_audio(path):
    """Open a recording; whatever goes wrong inside the block becomes an AudioReadError."""
    if isinstance(path, ArraySource):
        file = path.open()
        _insist_on_rate(file, path)
        yield file
        return
    n_bytes = stat_audio(path).st_size
    try:
        with _opened(path, n_bytes) as file:
            if file.frames > _most_frames(file, n_bytes):
                raise AudioReadError.of(path, "its header does not give its length, or is damaged")
            _insist_on_rate(file, path)
            yield file
    except AudioReadError:
        raise
    except DamagedFileError as error:
        raise AudioReadError.of(path, str(error)) from None
    except sf.LibsndfileError as error:
        raise AudioReadError.of(path, f"not readable as audio ({_own_words(error)})") from error
    except OSError as error:
        raise AudioReadError.of(path, f"cannot be read ({_reason(error)})") from error
    except MemoryError as error:
        raise AudioReadError.of(path, "is too long to fit in memory") from error
    except (TypeError, RuntimeError, ValueError) as error:
        raise AudioReadError.of(path, f"not readable as audio ({error})") from error


def on_disk(clip):
    """Return a context with a Clip that can be opened.

    That is the Clip itself, or one of a temporary file for content in memory. Errors inside the
    context name the content, not the temporary file.
    """
    return _written(clip) if isinstance(clip.path, ContentSource) else nullcontext(clip)


@contextmanager
def _written(clip):
    try:
        with clip.path.on_disk() as path:
            yield Clip(path, clip.start, clip.end)
    except AudioReadError as error:
        raise error.renamed(path, clip.name) from error.__cause__
    except OSError as error:
        raise AudioReadError.of(clip.path, f"cannot be read ({_reason(error)})") from error


def _insist_on_rate(file, path):
    if not _SAMPLING_RATES[0] <= file.samplerate <= _SAMPLING_RATES[1]:
        raise AudioReadError.of(path, f"a sampling rate of {file.samplerate} Hz is not audio")


def _insist_on_all_bytes(file, path):
    """Raise if a file has lost a part and libsndfile may not notice it."""
    if file.format == "OGG" and (problem := problem_of_ogg(path)):
        raise AudioReadError.of(path, problem)
    if isinstance(file, _Sections):
        status = os.stat(path)
        n_frames = _n_decodable(os.path.abspath(path), status.st_size, status.st_mtime_ns)
        if n_frames < file.frames:
            raise AudioReadError.of(path, _what_is_missing(file.frames, n_frames))


@lru_cache(maxsize=1024)
def _n_decodable(path, n_bytes, mtime):
    """Return how many frames can be read; long recordings are opened again for each part."""
    with _opened(path, n_bytes) as file:
        file.go_to(0)
        return _skip(file, file.frames)


def _what_is_missing(n_expected, n_read):
    return (
        f"the file is truncated or damaged: {n_expected} frames were expected, {n_read} "
        "could be read"
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
    is_bounded = file.subtype.startswith("PCM_")
    remaining, reason = n_frames, ""
    try:
        file.go_to(start)
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
                break
    except sf.LibsndfileError as error:
        reason = f" ({_own_words(error)})"
    if remaining:
        problem = _what_is_missing(n_frames, n_frames - remaining) + reason
        raise AudioReadError.of(clip.path, problem)


def _own_words(error):
    words = str(error.error_string).rstrip(".") or "unknown error"
    # Said of a regular file that is named as an MP3 file, and holds none.
    return "No MP3 frames found" if words.startswith("File does not exist") else words


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


def _insist_on_channel(file, path, channel):
    if channel is not None and channel >= file.channels:
        found = "one channel" if file.channels == 1 else f"{file.channels} channels"
        raise AudioReadError.of(
            path, f"there is no channel {channel}: the file has {found}, counted from 0"
        )


def _mono(block, channel=None):
    """Return one channel of a block, or the mean of all."""
    if channel is not None:
        return np.ascontiguousarray(block[:, channel])
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


def read_clip(clip, sampling_rate=None, channel=None):
    """Read a Clip as mono float32 samples; return them and their rate.

    `channel` is the number of one, counted from 0; None is the mean of all.
    """
    with on_disk(clip) as clip, _open_audio(clip.path) as file:
        _insist_on_channel(file, clip.path, channel)
        blocks = [_mono(block, channel) for block in _read_blocks(file, clip)]
        samples = blocks[0] if len(blocks) == 1 else np.concatenate(blocks)
        rate = file.samplerate
        if sampling_rate is None:
            return samples, rate
        return resample(samples, rate, sampling_rate), sampling_rate


def read_info(clip, channel=None):
    """Read the header of a clip's file, and the rest too if the header is hard to believe.

    Raises AudioReadError if the file has no such channel.
    """
    with on_disk(clip) as clip, _open_audio(clip.path) as file:
        _insist_on_channel(file, clip.path, channel)
        is_array = isinstance(clip.path, ArraySource)
        if not is_array and file.frames > _USUAL_FRAMES_PER_BYTE * os.stat(clip.path).st_size:
            for _ in _read_blocks(file, clip):
                pass
        return _info(file, clip)


def _info(file, clip):
    _, n_frames = _span(file, clip)
    return AudioInfo(file.samplerate, n_frames, file.channels, file.format, file.subtype)


@dataclass(frozen=True)
class Statistics:
    """What the samples of a clip are like.

    `mixed_peak` is that of the mean of the channels. `mixed_share` is the power of that mean, as a
    share of what it would be if the channels had nothing in common: near 1 for most recordings, 0
    where channels cancel each other out. Constant offsets do not count.
    """

    info: AudioInfo
    peak: float
    mixed_peak: float
    mixed_share: float
    clipped: bool
    content: bytes


def read_statistics(clip):
    """Read a clip block by block; return its Statistics.

    The content is a short name for its samples, channels and rate, whatever file they lie in.
    """
    with on_disk(clip) as clip, _open_audio(clip.path) as file:
        peak, clipped, mixdown = 0.0, False, _Mixdown(file.channels)
        content = hashlib.blake2b(f"{file.samplerate} {file.channels}".encode(), digest_size=16)
        for block in _read_blocks(file, clip):
            content.update(block)
            mixdown.add(block)
            levels = np.abs(block)
            peak = max(peak, float(levels.max()))
            full = levels >= _FULL_SCALE
            clipped = clipped or bool((full[:-2] & full[1:-1] & full[2:]).any())
        return Statistics(
            _info(file, clip), peak, mixdown.peak, mixdown.share(), clipped, content.digest()
        )


class _Mixdown:
    """The mean of the channels beside the channels, block by block."""

    def __init__(self, n_channels):
        self.peak, self._n_channels, self._n = 0.0, n_channels, 0
        self._sums, self._squares = np.zeros((2, n_channels + 1))

    def add(self, block):
        mixed = _mono(block)
        self.peak = max(self.peak, float(np.abs(mixed).max()))
        if self._n_channels > 1:
            both = np.column_stack([block, mixed]).astype(float)
            self._n += len(both)
            self._sums += both.sum(axis=0)
            self._squares += np.square(both).sum(axis=0)

    def share(self):
        if self._n_channels == 1:
            return 1.0
        variances = self._squares / self._n - (self._sums / self._n) ** 2
        unrelated = variances[:-1].sum() / self._n_channels**2
        # What rounding leaves of constant channels is no sound.
        if unrelated <= 1e-12 * self._squares.sum() / self._n:
            return 1.0
        return max(0.0, variances[-1] / unrelated)


@public
def load_audio(path, *, sampling_rate=None, start=0.0, end=None, channel=None):
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
    return read_clip(clip, sampling_rate, channel)

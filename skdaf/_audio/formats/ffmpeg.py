"""Files that libsndfile does not read, decoded by FFmpeg through PyAV where that is installed.

A file is always decoded from its beginning, so that a part of it is exactly that part of the whole:
many codecs give other samples after a jump. Long recordings are read window after window all the
same, since a decoder that has come to some place waits there for the next call. It keeps its latest
samples, and no open file.

How long a file is turns out by decoding it once; headers are not trusted.
"""

import atexit
import os
import threading
from collections import OrderedDict, deque
from contextlib import contextmanager
from dataclasses import dataclass
from functools import lru_cache

import numpy as np

from skdaf._audio.clips import AudioReadError
from skdaf._audio.formats.containers import HEAD_BYTES, container_of, walk

HOW_TO_INSTALL = 'pip install "skdaf[ffmpeg]"'

# Samples (over all channels) that a decoder keeps: short files whole, and enough for windows that
# overlap.
_KEPT_SAMPLES = 2**21

# Frames of codecs are short; so many samples make a block.
_BLOCK_SAMPLES = 2**15

# Decoders that wait for their next call. A search has one per thread.
_MOST_IDLE = 4

# No codec packs more samples in a byte, as in `_audio`: what decodes to more repeats itself.
_MOST_FRAMES_PER_BYTE = 2**14

# Times are rounded to milliseconds, and clocks drift slowly: what is lost leaves a longer gap.
_LONGEST_GAP = 0.025

# Headers give lengths in seconds with some rounding.
_ROUNDING = 0.01

# Demuxers must not open other files, whatever a file asks for.
_OPTIONS = {"protocol_whitelist": "none", "enable_drefs": "0"}

# What brings the samples of a format to full scale at 1; those of "u8" also have an offset.
_SCALES = {"u8": 2.0**-7, "s16": 2.0**-15, "s32": 2.0**-31, "s64": 2.0**-63, "flt": 1, "dbl": 1}

_DTYPES = {"u8": "u1", "s16": "i2", "s32": "i4", "s64": "i8", "flt": "f4", "dbl": "f8"}

# Frames that keep each channel by itself have so many pointers to channels, and others elsewhere,
# of which PyAV does not know where they end: it reads beyond them and crashes.
_MOST_PLANES = 8

# soundfile's words for codecs that it knows as well, and the usual one for DTS.
_SUBTYPES = {
    **{"PCM_F32": "FLOAT", "PCM_F64": "DOUBLE", "PCM_ALAW": "ALAW", "PCM_MULAW": "ULAW"},
    **{"MP1FLOAT": "MPEG_LAYER_I", "MP2FLOAT": "MPEG_LAYER_II", "MP3FLOAT": "MPEG_LAYER_III"},
    **{"MP2": "MPEG_LAYER_II", "LIBOPUS": "OPUS", "DCA": "DTS"},
}


def is_available():
    """Return whether PyAV is installed, and works."""
    try:
        import av  # noqa: F401
    except ImportError:
        return False
    return True


def open_container(path):
    """Open a file whose first bytes are those of a container; return None for any other one.

    Raises AudioReadError where it is one, but cannot be read.
    """
    with open(path, "rb") as file:
        status = os.fstat(file.fileno())
        container = container_of(file.read(HEAD_BYTES))
    if container is None:
        return None
    if not is_available():
        raise AudioReadError.of(
            path,
            f"reading {container.name} files needs FFmpeg: install it with {HOW_TO_INSTALL}",
        )
    facts = _facts(os.path.abspath(path), _state(status), container)
    if facts.problem:
        raise AudioReadError.of(path, facts.problem)
    return FFmpegFile(path, facts)


class _DecodingError(Exception):
    """What is wrong with a file: a sentence that does not name it yet."""


@dataclass(eq=False)
class _Facts:
    """What is known of a file in one state."""

    path: str
    state: tuple
    container: object
    end: int
    problem: str
    n_frames: int | None = None


def _state(status):
    """Return what differs when a file is replaced or changed; its size comes first."""
    return status.st_size, status.st_mtime_ns, status.st_ctime_ns, status.st_ino, status.st_dev


# Long recordings are opened again for each of their parts.
@lru_cache(maxsize=1024)
def _facts(path, state, container):
    return _Facts(path, state, container, *walk(path, container))


class FFmpegFile:
    """An open file: as much of `soundfile.SoundFile` as reading needs."""

    extra_info = ""

    def __init__(self, path, facts):
        self._path, self._facts, self._position = path, facts, 0
        self._decoder = _waiting.take(facts) or Decoder(facts)
        try:
            with self._naming_the_file():
                self._decoder.begin()
                self._count()
        except BaseException:
            self._decoder.close()
            raise
        self.format, self.subtype = facts.container.name, self._decoder.subtype
        self.samplerate, self.channels = self._decoder.rate, self._decoder.n_channels
        self.frames = facts.n_frames

    def _count(self):
        if self._facts.n_frames is None:
            while self._decoder.advance():
                pass
            self._facts.n_frames = self._decoder.end

    @contextmanager
    def _naming_the_file(self):
        try:
            yield
        except _DecodingError as error:
            raise AudioReadError.of(self._path, str(error)) from error

    def __enter__(self):
        return self

    def __exit__(self, kind, error, traceback):
        if kind is None:
            _waiting.put(self._facts, self._decoder)
        else:
            self._decoder.close()

    def go_to(self, frame):
        """Make `frame` the next one to be read."""
        self._position = frame

    def read_block(self, n_frames):
        """Return the next frames as float32 `(n_frames, channels)`, fewer at the end."""
        with self._naming_the_file():
            block = self._decoder.read(self._position, n_frames)
        self._position += len(block)
        return block


class Decoder:
    """The sound of one file in order: the latest samples are kept, earlier ones decoded again."""

    def __init__(self, facts):
        self._facts = facts
        self.source = _Source(facts)
        self.rate = self.n_channels = self.subtype = None
        self._restart()

    def _restart(self):
        self.first = self.end = 0
        self._kept, self._blocks = deque(), None

    def begin(self):
        """Open the file, and decode the first block, which says what all others are like."""
        self.source.resume()
        if self.rate is None and not self.advance():
            raise _DecodingError("the file holds no samples")

    def advance(self):
        """Decode one more block; return whether there was one."""
        if self._blocks is None:
            self._blocks = _decoded(self._facts, self.source)
        block, rate, subtype = next(self._blocks, (None, None, None))
        if block is None:
            return False
        self.rate, self.n_channels, self.subtype = rate, block.shape[1], subtype
        self._kept.append(block)
        self.end += len(block)
        while (self.end - self.first - len(self._kept[0])) * self.n_channels > _KEPT_SAMPLES:
            self.first += len(self._kept.popleft())
        return True

    def read(self, start, n_frames):
        """Return up to `n_frames` frames from `start` on."""
        if start < self.first:
            self._close_blocks()
            self._restart()
        stop, parts, place = start + n_frames, [], self.first
        for block in self._kept:
            parts.append(block[max(0, start - place) : max(0, stop - place)])
            place += len(block)
        while place < stop and self.advance():
            block = self._kept[-1]
            parts.append(block[max(0, start - place) : stop - place])
            place += len(block)
        return np.concatenate(parts) if parts else np.empty((0, self.n_channels), np.float32)

    def _close_blocks(self):
        if self._blocks is not None:
            self._blocks.close()

    def close(self):
        """Give everything back."""
        self._close_blocks()
        self.source.pause()


class _Source:
    """The bytes of a file up to some end, for FFmpeg; between calls the file is closed."""

    def __init__(self, facts):
        self._facts, self._n_bytes = facts, facts.end
        self._place, self._file = 0, None

    def resume(self):
        self._file = open(self._facts.path, "rb", buffering=0)  # noqa: SIM115 - until `pause`
        if _state(os.fstat(self._file.fileno())) != self._facts.state:
            raise _DecodingError("has changed while it was read")

    def pause(self):
        if self._file is not None:
            self._file.close()
            self._file = None

    def read(self, n_bytes):
        """Return so many bytes, fewer at the end."""
        self._file.seek(self._place)
        content = self._file.read(max(0, min(n_bytes, self._n_bytes - self._place)))
        self._place += len(content)
        return content

    def seek(self, place, whence=os.SEEK_SET):
        """Go to another place."""
        origin = {os.SEEK_SET: 0, os.SEEK_CUR: self._place, os.SEEK_END: self._n_bytes}[whence]
        self._place = origin + place
        return self._place

    def tell(self):
        """Return the place of the next byte."""
        return self._place


class _Waiting:
    """Decoders between two calls, each for the next one that reads the same file."""

    def __init__(self):
        self._decoders, self._lock = OrderedDict(), threading.Lock()

    def take(self, facts):
        with self._lock:
            return self._decoders.pop(id(facts), None)

    def put(self, facts, decoder):
        decoder.source.pause()
        with self._lock:
            # One decoder per file: that of the latest call.
            others = [self._decoders.pop(id(facts), None)]
            self._decoders[id(facts)] = decoder
            if len(self._decoders) > _MOST_IDLE:
                others.append(self._decoders.popitem(last=False)[1])
        for other in filter(None, others):
            other.close()

    def clear(self):
        with self._lock:
            decoders, self._decoders = self._decoders, OrderedDict()
        for decoder in decoders.values():
            decoder.close()

    def forget_lock(self):
        """In a forked child: a lock that nobody holds."""
        self._lock = threading.Lock()


_waiting = _Waiting()
# FFmpeg's contexts go before the interpreter does.
atexit.register(_waiting.clear)
if hasattr(os, "register_at_fork"):
    os.register_at_fork(after_in_child=_waiting.forget_lock)


# --- FFmpeg ---------------------------------------------------------------------------------------


def _decoded(facts, source):
    """Yield (block of samples `(n_frames, n_channels)`, rate, codec) from the beginning on."""
    import av

    first, n_frames, pending, lag = None, 0, [], 0.0
    source.seek(0)
    try:
        with _open(source, facts.container) as container:
            stream = _sound_of(container)
            for frame in _frames_of(container, stream):
                samples, rate = _samples_of(frame), frame.sample_rate
                first = first or (rate, samples.shape[1], frame.time)
                _insist_on_the_same(first, rate, samples, n_frames)
                if facts.container.has_times:
                    lag = _insist_on_no_gap(first, frame, n_frames, lag)
                n_frames += len(samples)
                if n_frames > _MOST_FRAMES_PER_BYTE * facts.state[0]:
                    raise _DecodingError("the file is damaged: it repeats itself without end")
                pending.append(samples)
                if sum(map(len, pending)) * samples.shape[1] >= _BLOCK_SAMPLES:
                    yield _joined(pending), rate, _subtype_of(stream)
                    pending = []
            if pending:
                yield _joined(pending), rate, _subtype_of(stream)
            if facts.container.has_length:
                _insist_on_announced_length(stream, first, n_frames)
    except av.FFmpegError as error:
        raise _DecodingError(_sentence(error, first, n_frames)) from error


def _open(source, container):
    import av

    # Text in tags need not be Unicode.
    return av.open(
        source, format=container.demuxer, container_options=_OPTIONS, metadata_errors="replace"
    )


def _sound_of(container):
    """Return the first stream of sound, ready to be decoded by one thread."""
    from av.codec.context import Flags2

    if not container.streams.audio:
        kinds = sorted({stream.type or "data" for stream in container.streams})
        holds = f"only {' and '.join(kinds)}" if kinds else "nothing"
        raise _DecodingError(f"holds no sound ({holds})")
    stream = container.streams.audio[0]
    if stream.codec_context is None:
        raise _DecodingError("its sound is encrypted, or in a codec that FFmpeg does not know")
    stream.codec_context.thread_count = 1
    if (container.format.name, stream.codec_context.name) == ("caf", "alac"):
        # The last packet holds the rest only, of which FFmpeg would cut off its missing part again.
        stream.codec_context.flags2 |= Flags2.skip_manual
    return stream


def _frames_of(container, stream):
    for packet in container.demux(stream):
        frames = packet.decode()
        if packet.is_corrupt or any(frame.is_corrupt for frame in frames):
            raise _DecodingError("the file is truncated or damaged: a part of its sound is missing")
        yield from (frame for frame in frames if frame.samples)


def _samples_of(frame):
    """Return the samples of a frame as float32 `(n_frames, n_channels)`, full scale at 1."""
    kind = frame.format.name.removesuffix("p")
    if kind not in _SCALES:
        raise _DecodingError(f"its samples are of a kind ({kind}) that is not read")
    values = _values_of(frame, _DTYPES[kind])
    if kind == "u8":
        values = values.astype(np.int16) - 128
    # What is no number, or overflows, is found where the samples are read.
    with np.errstate(all="ignore"):
        return values.astype(np.float32) * np.float32(_SCALES[kind])


def _values_of(frame, dtype):
    """Return the samples of a frame as they are, `(n_frames, n_channels)`."""
    n_channels = frame.layout.nb_channels
    if not frame.format.is_planar:
        values = np.frombuffer(frame.planes[0], dtype, frame.samples * n_channels)
        return values.reshape(-1, n_channels)
    if n_channels > _MOST_PLANES:
        raise _DecodingError(
            f"has {n_channels} channels in a codec of which at most {_MOST_PLANES} are read, or is "
            "damaged"
        )
    # There may seem to be more: see `_MOST_PLANES`.
    planes = frame.planes[:n_channels]
    return np.stack([np.frombuffer(plane, dtype, frame.samples) for plane in planes], axis=1)


def _joined(blocks):
    # Frame after frame, as other files are read: FFmpeg gives channel after channel.
    return np.ascontiguousarray(np.concatenate(blocks))


def _insist_on_the_same(first, rate, samples, n_frames):
    if (rate, samples.shape[1]) == first[:2]:
        return
    raise _DecodingError(
        f"changes from {first[0]} Hz and {first[1]} channel(s) to {rate} Hz and "
        f"{samples.shape[1]} channel(s) at {n_frames / first[0]:g} s"
    )


def _insist_on_no_gap(first, frame, n_frames, lag):
    """Return by how much the time of a frame is ahead of the samples; raise if that has jumped."""
    rate, _, start = first
    if start is None or frame.time is None:
        return lag
    new_lag = frame.time - start - n_frames / rate
    if new_lag - lag > _LONGEST_GAP:
        raise _DecodingError(
            f"the file is damaged: a part of its sound is missing at {n_frames / rate:g} s"
        )
    return max(lag, new_lag)


def _insist_on_announced_length(stream, first, n_frames):
    if first is None or stream.duration is None:
        return
    announced, there = float(stream.duration * stream.time_base), n_frames / first[0]
    if there < announced - _ROUNDING:
        raise _DecodingError(
            f"the file is truncated: its header announces {announced:g} s, {there:g} s are there"
        )


def _subtype_of(stream):
    name = stream.codec_context.name.upper()
    if not name.startswith("PCM_"):
        return _SUBTYPES.get(name, name)
    name = name.removesuffix("_PLANAR")
    # A name without byte order, as "PCM_16" for "PCM_S16LE".
    name = name.removesuffix("LE").removesuffix("BE")
    return _SUBTYPES.get(name, name.replace("PCM_S", "PCM_"))


def _sentence(error, first, n_frames):
    if first is None and isinstance(error, EOFError):
        return "the file is truncated: it ends before its first sample"
    reason = (error.strerror or str(error)).rstrip(".")
    if first is None:
        return f"not readable as audio (FFmpeg: {reason})"
    return (
        f"the file is damaged: FFmpeg decodes {n_frames / first[0]:g} s of it, no more ({reason})"
    )

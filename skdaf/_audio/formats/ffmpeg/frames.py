"""Decode a file with PyAV, and check what FFmpeg does not report."""

import numpy as np

from skdaf._audio.formats.ffmpeg.facts import DecodingError

# Codec frames are short, so they are joined to blocks of this many samples (over all channels).
_BLOCK_SAMPLES = 2**15

# No codec stores more frames per byte (see `_audio.opening`). A file that decodes to more repeats
# itself.
_MAX_FRAMES_PER_BYTE = 2**14

# In seconds. Timestamps are rounded to milliseconds, and clocks drift slowly. A missing part leaves
# a longer gap.
_MAX_GAP = 0.025

# In seconds. Lengths in headers are rounded.
_ROUNDING = 0.01

# Demuxers must not open other files, even if a file refers to them.
_OPTIONS = {"protocol_whitelist": "none", "enable_drefs": "0"}

# Factors that scale the samples of a format to full scale at 1. "u8" also has an offset.
_SCALES = {"u8": 2.0**-7, "s16": 2.0**-15, "s32": 2.0**-31, "s64": 2.0**-63, "flt": 1, "dbl": 1}

_DTYPES = {"u8": "u1", "s16": "i2", "s32": "i4", "s64": "i8", "flt": "f4", "dbl": "f8"}

# A planar frame has room for this many pointers to channels; FFmpeg stores further ones elsewhere.
# PyAV reads past the end of these pointers and crashes.
_MAX_PLANES = 8

# The names that soundfile uses, and the usual name for DTS.
_SUBTYPES = {
    **{"PCM_F32": "FLOAT", "PCM_F64": "DOUBLE", "PCM_ALAW": "ALAW", "PCM_MULAW": "ULAW"},
    **{"MP1FLOAT": "MPEG_LAYER_I", "MP2FLOAT": "MPEG_LAYER_II", "MP3FLOAT": "MPEG_LAYER_III"},
    **{"MP2": "MPEG_LAYER_II", "LIBOPUS": "OPUS", "DCA": "DTS"},
}


def decoded_blocks(facts, source):
    """Yield (block of samples `(n_frames, n_channels)`, rate, subtype) from the beginning."""
    import av

    first, n_frames, pending, lag = None, 0, [], 0.0
    source.seek(0)
    try:
        with _open(source, facts.container) as container:
            stream = _sound_of(container)
            for frame in _frames_of(container, stream):
                samples, rate = _samples_of(frame), frame.sample_rate
                first = first or (rate, samples.shape[1], frame.time)
                _check_unchanged(first, rate, samples, n_frames)
                if facts.container.has_times:
                    lag = _check_no_gap(first, frame, n_frames, lag)
                n_frames += len(samples)
                if n_frames > _MAX_FRAMES_PER_BYTE * facts.state[0]:
                    raise DecodingError("the file is damaged: it repeats itself endlessly")
                pending.append(samples)
                if sum(map(len, pending)) * samples.shape[1] >= _BLOCK_SAMPLES:
                    yield _joined(pending), rate, _subtype_of(stream)
                    pending = []
            if pending:
                yield _joined(pending), rate, _subtype_of(stream)
            if facts.container.has_length:
                _check_promised_length(stream, first, n_frames)
    except av.FFmpegError as error:
        raise DecodingError(_message_of(error, first, n_frames)) from error


def _open(source, container):
    import av

    # Text in tags may not be valid Unicode.
    return av.open(
        source, format=container.demuxer, container_options=_OPTIONS, metadata_errors="replace"
    )


def _sound_of(container):
    """Return the first audio stream, to be decoded by one thread."""
    from av.codec.context import Flags2

    if not container.streams.audio:
        kinds = sorted({stream.type or "data" for stream in container.streams})
        content = f"only {' and '.join(kinds)}" if kinds else "nothing"
        raise DecodingError(f"contains no audio ({content})")
    stream = container.streams.audio[0]
    if stream.codec_context is None:
        raise DecodingError("its audio is encrypted, or has a codec that FFmpeg does not support")
    stream.codec_context.thread_count = 1
    if (container.format.name, stream.codec_context.name) == ("caf", "alac"):
        # The last packet contains only the remaining samples, and FFmpeg would trim it again.
        stream.codec_context.flags2 |= Flags2.skip_manual
    return stream


def _frames_of(container, stream):
    for packet in container.demux(stream):
        frames = packet.decode()
        if packet.is_corrupt or any(frame.is_corrupt for frame in frames):
            raise DecodingError("the file is truncated or damaged: part of its audio is missing")
        yield from (frame for frame in frames if frame.samples)


def _samples_of(frame):
    """Return the samples of a frame as float32 `(n_frames, n_channels)`, full scale at 1."""
    kind = frame.format.name.removesuffix("p")
    if kind not in _SCALES:
        raise DecodingError(f"its samples have a type ({kind}) that cannot be read")
    values = _values_of(frame, _DTYPES[kind])
    if kind == "u8":
        values = values.astype(np.int16) - 128
    # NaN, infinity and overflow are reported where the samples are read.
    with np.errstate(all="ignore"):
        return values.astype(np.float32) * np.float32(_SCALES[kind])


def _values_of(frame, dtype):
    """Return the samples of a frame without conversion, `(n_frames, n_channels)`."""
    n_channels = frame.layout.nb_channels
    if not frame.format.is_planar:
        values = np.frombuffer(frame.planes[0], dtype, frame.samples * n_channels)
        return values.reshape(-1, n_channels)
    if n_channels > _MAX_PLANES:
        raise DecodingError(
            f"is damaged, or has {n_channels} channels in a codec for which at most {_MAX_PLANES} "
            "channels can be read"
        )
    # PyAV can list more planes: see `_MAX_PLANES`.
    planes = frame.planes[:n_channels]
    return np.stack([np.frombuffer(plane, dtype, frame.samples) for plane in planes], axis=1)


def _joined(blocks):
    # The same memory order as from other readers. FFmpeg returns one channel after the other.
    return np.ascontiguousarray(np.concatenate(blocks))


def _check_unchanged(first, rate, samples, n_frames):
    if (rate, samples.shape[1]) == first[:2]:
        return
    raise DecodingError(
        f"changes from {first[0]} Hz and {first[1]} channel(s) to {rate} Hz and "
        f"{samples.shape[1]} channel(s) at {n_frames / first[0]:g} s"
    )


def _check_no_gap(first, frame, n_frames, lag):
    """Return how far a frame is ahead of the samples, in seconds; raise if this has jumped."""
    rate, _, start = first
    if start is None or frame.time is None:
        return lag
    new_lag = frame.time - start - n_frames / rate
    if new_lag - lag > _MAX_GAP:
        raise DecodingError(
            f"the file is damaged: part of its audio is missing at {n_frames / rate:g} s"
        )
    return max(lag, new_lag)


def _check_promised_length(stream, first, n_frames):
    if first is None or stream.duration is None:
        return
    promised, found = float(stream.duration * stream.time_base), n_frames / first[0]
    if found < promised - _ROUNDING:
        raise DecodingError(
            f"the file is truncated: its header promises {promised:g} s, but only {found:g} s are "
            "present"
        )


def _subtype_of(stream):
    name = stream.codec_context.name.upper()
    if not name.startswith("PCM_"):
        return _SUBTYPES.get(name, name)
    name = name.removesuffix("_PLANAR")
    # Without the byte order: "PCM_16" for "PCM_S16LE".
    name = name.removesuffix("LE").removesuffix("BE")
    return _SUBTYPES.get(name, name.replace("PCM_S", "PCM_"))


def _message_of(error, first, n_frames):
    if first is None and isinstance(error, EOFError):
        return "the file is truncated: it ends before its first sample"
    reason = (error.strerror or str(error)).rstrip(".")
    if first is None:
        return f"not readable as audio (FFmpeg: {reason})"
    return f"the file is damaged: FFmpeg decodes only {n_frames / first[0]:g} s of it ({reason})"

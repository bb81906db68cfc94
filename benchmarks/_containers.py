"""Files of containers that FFmpeg writes and reads, intact and damaged. Requires PyAV.

`KINDS` and `case` are as in `_mutations`: a number gives the same file in every process.
"""

import io
import random
import re
from functools import lru_cache

import av
import numpy as np

from benchmarks._mutations import _LARGEST, MUTATIONS, NO_RECORDING, Case, _how_many, _put

# Name: (extension, FFmpeg's muxer, codec, rate in Hz).
CONTAINERS = {
    "M4A (AAC)": (".m4a", "ipod", "aac", 16_000),
    "M4A (ALAC)": (".m4a", "ipod", "alac", 16_000),
    "MP4 in fragments": (".mp4", "mp4", "aac", 22_050),
    "MOV (PCM)": (".mov", "mov", "pcm_s16le", 8000),
    "3GP (AMR)": (".3gp", "3gp", "libopencore_amrnb", 8000),
    "WebM (Opus)": (".webm", "webm", "libopus", 48_000),
    "WebM from a pipe": (".webm", "webm", "libopus", 48_000),
    "MKA (MP3)": (".mka", "matroska", "libmp3lame", 16_000),
    "MKA (PCM)": (".mka", "matroska", "pcm_f32le", 16_000),
    "WMA": (".wma", "asf", "wmav2", 16_000),
    "AAC": (".aac", "adts", "aac", 16_000),
    "AC3": (".ac3", "ac3", "ac3", 32_000),
    "EAC3": (".eac3", "eac3", "eac3", 32_000),
    "AMR": (".amr", "amr", "libopencore_amrnb", 8000),
    "FLV": (".flv", "flv", "aac", 22_050),
    "AVI": (".avi", "avi", "mp2", 32_000),
    "MPEG-TS": (".ts", "mpegts", "mp2", 32_000),
    "MPEG-PS": (".mpg", "mpeg", "mp2", 32_000),
    "WavPack": (".wv", "wv", "wavpack", 16_000),
    "TTA": (".tta", "tta", "tta", 16_000),
    "WAV (AC3)": (".wav", "wav", "ac3", 32_000),
}
_OPTIONS = {"MP4 in fragments": {"movflags": "frag_keyframe+empty_moov+default_base_moof"}}
# Encoders that would otherwise use 8 bits.
_FORMATS = {"tta": "s16", "wavpack": "s16p"}
KINDS = [*CONTAINERS, NO_RECORDING]

_SIGNATURES = [
    *[b"\0\0\0\x18ftypM4A \0\0\0\0", b"\x1a\x45\xdf\xa3", b"#!AMR\n", b"#!AMR-WB\n", b"\x0b\x77"],
    *[b"\x7f\xfe\x80\x01", b"FLV\x01\x05\0\0\0\x09", b"\0\0\x01\xba", b"MAC \x96\x0f\0\0"],
    *[b"wvpk", b"TTA1\1\0", b"MP+\7", b"MPCKSH", b"tBaK", b"DSD \x1c\0\0\0\0\0\0\0", b"\xff\xf1"],
    *[b"OggS\0\2" + bytes(20) + b"\x01\x50Speex   ", b"RIFF\xff\0\0\0AVI LIST", b"G" * 400],
    bytes.fromhex("3026b2758e66cf11a6d900aa0062ce6c"),
]


class _Pipe:
    """A stream that cannot seek, so that writers leave lengths unknown."""

    def __init__(self):
        self.parts = []

    def write(self, part):
        self.parts.append(bytes(part))
        return len(part)

    def getvalue(self):
        return b"".join(self.parts)


def samples(rate, n_channels, seconds=0.25):
    """Return tones with a different frequency in each channel, `(n_samples, n_channels)`."""
    t = np.arange(round(seconds * rate))[:, None] / rate
    return (0.4 * np.sin(2 * np.pi * (300 + 200 * np.arange(n_channels)) * t)).astype(np.float32)


@lru_cache(maxsize=256)
def written(kind, n_channels=1, seconds=0.25):
    """Return the bytes of an intact file."""
    _, muxer, codec, rate = CONTAINERS[kind]
    if codec == "libopencore_amrnb":
        n_channels = 1
    return encoded(samples(rate, n_channels, seconds), rate, muxer, codec,
                   options=_OPTIONS.get(kind, {}), is_piped=kind.endswith("pipe"))  # fmt: skip


def encoded(sound, rate, muxer, codec, *, options=None, is_piped=False):
    """Encode samples `(n_samples, n_channels)` into a file of a container; return its bytes."""
    buffer = _Pipe() if is_piped else io.BytesIO()
    layout = {1: "mono", 2: "stereo", 6: "5.1", 8: "7.1"}[sound.shape[1]]
    options = {"fflags": "+bitexact", **(options or {})}
    with av.open(buffer, "w", format=muxer, container_options=options) as container:
        stream = container.add_stream(codec, rate=rate, layout=layout)
        stream.codec_context.options = {"flags": "+bitexact"}
        if codec in _FORMATS:
            stream.codec_context.format = _FORMATS[codec]
        if codec == "wmav2":
            stream.codec_context.bit_rate = 64_000
        # Not planar: PyAV miscounts the planes of eight channels.
        packed = np.ascontiguousarray(sound, np.float32).reshape(1, -1)
        frame = av.AudioFrame.from_ndarray(packed, format="flt", layout=layout)
        frame.sample_rate = rate
        container.mux(stream.encode(frame))
        container.mux(stream.encode(None))
    return buffer.getvalue()


def case(seed, number):
    """Create the damaged (sometimes intact) file with this number."""
    rng = random.Random(f"{seed} {number} of a container")
    kind = KINDS[number % len(KINDS)]
    if kind == NO_RECORDING:
        content = rng.choice(_SIGNATURES) + rng.randbytes(rng.randint(0, 5000))
        return Case(number, kind, ("a signature and random bytes",), ".m4a", content)
    content, names = written(kind, rng.choice([1, 2])), []
    if rng.random() > 0.1:
        names = rng.choices([*MUTATIONS, *_MUTATIONS], k=_how_many(rng))
    for name in names:
        content = {**MUTATIONS, **_MUTATIONS}[name](content, rng)[:_LARGEST]
    extension = CONTAINERS[kind][0]
    if rng.random() < 0.1:
        names, extension = [*names, "wrong extension"], rng.choice(_EXTENSIONS)
    return Case(number, kind, tuple(names), extension, bytes(content))


# Damage that only applies to these files.

_EXTENSIONS = [".m4a", ".webm", ".wma", ".mp3", ".wav", ".raw", ".ogg", ".txt", ""]
_NAMES = re.compile(
    rb"moov|mvhd|trak|mdhd|stsd|stts|stsc|stsz|stco|elst|mdat|moof|trun|tfhd|mp4a|esds|alac|dfLa"
    rb"|fmt |data|movi|idx1|strh|strf|RIFF|LIST|wvpk|TTA1|FLV|OpusHead"
)
_NUMBERS = [0, 1, 2, 7, 8, 255, 256, 2**15, 2**16 - 1, 2**24, 2**31 - 1, 2**31, 2**32 - 1]


def _box_number(content, rng):
    """Write a wrong number near the name of a box or chunk: its size, a count or an offset."""
    content = bytearray(content)
    places = [found.start() for found in _NAMES.finditer(content)]
    if places:
        place = max(0, rng.choice(places) + 4 * rng.choice([-1, 1, 2, 3, 4, 5, 8]))
        _put(content, place, rng.choice([">I", "<I"]), rng.choice(_NUMBERS))
    return content


def _other_name(content, rng):
    """Replace the name of a box with another name."""
    content = bytearray(content)
    found = list(_NAMES.finditer(content))
    if found:
        name = rng.choice(found)
        content[name.start() : name.start() + 4] = rng.choice(found)[0][:4]
    return content


def _another(content, rng):
    """Begin with this file and end with another one."""
    other = written(rng.choice([*CONTAINERS]))
    return bytes(content[: rng.randint(0, len(content))]) + other[rng.randint(0, len(other)) :]


_MUTATIONS = {"box number": _box_number, "other name": _other_name, "another": _another}

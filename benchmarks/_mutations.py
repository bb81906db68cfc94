"""Damaged recordings, derived from intact ones, for testing how readers handle them.

`case(seed, number)` creates one of them; these two numbers determine every byte.
"""

import io
import random
import re
import struct
from dataclasses import dataclass
from functools import lru_cache

import numpy as np
import soundfile as sf

# Formats of intact files: {kind: [(format, subtype), ...]}.
FORMATS = {
    "WAV, integers": [("WAV", f"PCM_{name}") for name in ("U8", "16", "24", "32")],
    "WAV, floats": [("WAV", "FLOAT"), ("WAV", "DOUBLE")],
    "WAV, extensible": [("WAVEX", name) for name in ("PCM_16", "PCM_24", "FLOAT", "DOUBLE")],
    "WAV, other chunks": [("WAV", "PCM_16"), ("WAV", "FLOAT")],
    "WAV, compressed": [
        ("WAV", name)
        for name in ("ULAW", "ALAW", "IMA_ADPCM", "MS_ADPCM", "GSM610", "G721_32", "NMS_ADPCM_24")
    ],
    "FLAC": [("FLAC", "PCM_16"), ("FLAC", "PCM_24"), ("FLAC", "PCM_S8")],
    "Ogg Vorbis": [("OGG", "VORBIS")],
    "Opus": [("OGG", "OPUS")],
    "MP3": [("MP3", "MPEG_LAYER_III")],
    "MP3, other tags": [("MP3", "MPEG_LAYER_III")],
    "MP3 in WAV": [("MP3", "MPEG_LAYER_III")],
    "AIFF": [("AIFF", name) for name in ("PCM_S8", "PCM_16", "PCM_24", "FLOAT", "DOUBLE")],
    "sizes of 64 bits": [
        *[("RF64", "PCM_16"), ("RF64", "FLOAT"), ("W64", "PCM_16"), ("W64", "FLOAT")],
        *[("CAF", "PCM_16"), ("CAF", "ALAC_16"), ("CAF", "ALAC_24")],
    ],
    "sizes unknown": [
        *[("WAV", "PCM_16"), ("WAV", "FLOAT"), ("WAV", "IMA_ADPCM"), ("WAVEX", "PCM_24")],
        *[("AIFF", "PCM_16"), ("AIFF", "FLOAT"), ("AU", "PCM_16"), ("CAF", "PCM_16")],
        *[("W64", "PCM_16"), ("RF64", "PCM_16"), ("SVX", "PCM_16")],
    ],
    "other formats": [
        *[("AU", "PCM_16"), ("AU", "FLOAT"), ("CAF", "PCM_16"), ("CAF", "ALAC_16")],
        *[("W64", "PCM_16"), ("RF64", "PCM_16"), ("NIST", "PCM_16"), ("VOC", "PCM_16")],
        *[("SVX", "PCM_16"), ("IRCAM", "PCM_16"), ("PAF", "PCM_24"), ("PVF", "PCM_16")],
        *[("AVR", "PCM_16"), ("SDS", "PCM_16"), ("MPC2K", "PCM_16"), ("XI", "DPCM_16")],
        *[("WVE", "ALAW"), ("HTK", "PCM_16"), ("MAT4", "DOUBLE")],
        *[("MAT5", "PCM_16"), ("NIST", "ULAW"), ("VOC", "ULAW"), ("IRCAM", "FLOAT")],
    ],
}
NO_RECORDING = "no recording"
KINDS = [*FORMATS, NO_RECORDING]

_EXTENSIONS = {"WAVEX": "wav", "AIFF": "aiff", "SVX": "iff", "IRCAM": "sf", "NIST": "sph"}
_WRONG_EXTENSIONS = [
    *[".wav", ".WAV", ".mp3", ".flac", ".ogg", ".aiff", ".au", ".caf"],
    *[".raw", ".gsm", ".vox", ".mat", ".txt", ".", ""],
]

_RATES = [8000, 11_025, 16_000, 22_050, 44_100, 48_000]

# Values to write into the fields of headers.
_WRONG_RATES = [
    *[0, 1, 2, 50, 99, 100, 101, 999, 16_000, 44_101, 384_000, 9_999_991, 10_000_001],
    *[2**24, 2**31 - 1, 2**31, 4_000_000_000, 2**32 - 1],
]
_WRONG_COUNTS = [0, 1, 2, 3, 7, 8, 9, 16, 255, 256, 1023, 1024, 1025, 2000, 2**15, 2**16 - 1]
_WRONG_SIZES = [
    *[0, 1, 2, 3, 4, 7, 8, 2**12, 2**16, 2**20, 2**24 - 1, 2**28, 2**31 - 2**16 - 1],
    *[2**31 - 2, 2**31 - 1, 2**31, 2**32 - 2**16, 2**32 - 2, 2**32 - 1, 2**36, 2**63 - 1],
]
_VALUES = {"rate": _WRONG_RATES, "count": _WRONG_COUNTS, "size": _WRONG_SIZES}

# Where formats store numbers: (marker, distance from its first byte, layout, kind of number).
_FIELDS = [
    (b"fmt ", 8, "<H", "count"),  # the code of the format
    (b"fmt ", 10, "<H", "count"),  # channels
    (b"fmt ", 12, "<I", "rate"),
    (b"fmt ", 16, "<I", "size"),  # bytes per second
    (b"fmt ", 20, "<H", "count"),  # bytes per frame
    (b"fmt ", 22, "<H", "count"),  # bits
    *[
        (marker, 4, "<I", "size")
        for marker in (b"RIFF", b"RF64", b"fmt ", b"fact", b"data", b"LIST", b"cue ", b"PEAK")
    ],
    *[(marker, 4, "<I", "size") for marker in (b"INAM", b"bext", b"smpl", b"id3 ", b"riff")],
    *[(b"ds64", at, "<Q", "size") for at in (8, 16, 24)],
    *[(marker, 4, ">I", "size") for marker in (b"FORM", b"COMM", b"SSND", b"BODY", b"VHDR")],
    (b"COMM", 8, ">H", "count"),  # channels
    (b"COMM", 10, ">I", "size"),  # frames
    (b"COMM", 14, ">H", "count"),  # bits
    (b"COMM", 16, ">H", "count"),  # the exponent of the rate
    (b"SSND", 8, ">I", "size"),  # offset
    (b"fLaC", 4, ">I", "size"),  # the first block of metadata
    (b"fLaC", 8, ">I", "size"),  # block sizes
    (b"OggS", 6, "<Q", "size"),  # position
    (b"OggS", 14, "<I", "size"),  # stream
    (b"OggS", 18, "<I", "size"),  # page
    (b"OggS", 26, "B", "count"),  # segments
    (b"\x01vorbis", 11, "B", "count"),  # channels
    (b"\x01vorbis", 12, "<I", "rate"),
    (b"\x01vorbis", 28, "B", "count"),  # block sizes
    (b"OpusHead", 9, "B", "count"),  # channels
    (b"OpusHead", 10, "<H", "count"),  # samples to skip
    (b"OpusHead", 12, "<I", "rate"),
    (b"OpusHead", 16, "<H", "count"),  # gain
    (b"OpusHead", 18, "B", "count"),  # mapping
    *[(marker, at, ">I", "size") for marker in (b"Info", b"Xing") for at in (4, 8, 12)],
    *[(b".snd", at, ">I", "size") for at in (4, 8)],
    (b".snd", 12, ">I", "count"),  # encoding
    (b".snd", 16, ">I", "rate"),
    (b".snd", 20, ">I", "count"),  # channels
    (b"desc", 4, ">Q", "size"),
    (b"desc", 40, ">I", "count"),  # channels
]

_LARGEST = 2**20


@dataclass(frozen=True)
class Case:
    """One file to read: its original format, the damage, and the suffix of its name."""

    number: int
    kind: str
    mutations: tuple
    extension: str
    content: bytes


def case(seed, number):
    """Create the damaged (sometimes intact) file with this number."""
    rng = random.Random(f"{seed} {number}")
    kind = KINDS[number % len(KINDS)]
    if kind == NO_RECORDING:
        name, content = _garbage(rng)
        return Case(number, kind, (name,), rng.choice(_WRONG_EXTENSIONS), content)
    extension, sound, content = _whole(kind, rng)
    names = [] if rng.random() < 0.1 else rng.choices(list(MUTATIONS), k=_how_many(rng))
    for name in names:
        content = MUTATIONS[name](content, rng)[:_LARGEST]
    if kind in ("Ogg Vorbis", "Opus") and rng.random() < 0.7:
        # Libraries skip pages with a wrong checksum, and never see their content.
        content = _with_checksums(content)
    if rng.random() < 0.1:
        names, extension = [*names, "wrong extension"], rng.choice(_WRONG_EXTENSIONS)
    return Case(number, kind, (sound, *names), extension, bytes(content))


def _how_many(rng):
    return rng.choice([1, 1, 1, 2, 3])


# Intact files.


def _tones(n, channels, rate, rng):
    t = np.arange(n)[:, None] / rate
    tones = 0.4 * np.sin(2 * np.pi * (300 + 200 * np.arange(channels)) * t)
    return tones + 0.05 * rng.standard_normal((n, channels))


def _with(value):
    def make(rate, rng):
        samples = _tones(700, 1 + int(rng.integers(2)), rate, rng)
        samples[rng.integers(len(samples)), -1] = value
        return samples

    return make


SOUNDS = {
    "mono": lambda rate, rng: _tones(2500, 1, rate, rng),
    "stereo": lambda rate, rng: _tones(2000, 2, rate, rng),
    "short": lambda rate, rng: _tones(int(rng.integers(2, 400)), 1, rate, rng),
    "one sample": lambda rate, rng: np.full((1, 1), 0.3),
    "no sample": lambda rate, rng: np.zeros((0, 1)),
    "silence": lambda rate, rng: np.zeros((3000, 1)),
    "long silence": lambda rate, rng: np.zeros((100_000, 1)),
    "DC": lambda rate, rng: np.full((1500, 1), 0.7),
    "clipped": lambda rate, rng: np.clip(5 * _tones(1500, 2, rate, rng), -1, 1),
    "six channels": lambda rate, rng: _tones(500, 6, rate, rng),
    "1,024 channels": lambda rate, rng: _tones(10, 1024, rate, rng),
    "NaN": _with(np.nan),
    "infinite": _with(-np.inf),
    "loud": _with(1e25),
    "denormal": lambda rate, rng: 1e-40 * _tones(1500, 1, rate, rng),
}
_ONLY_AS_FLOATS = {"NaN", "infinite", "loud", "denormal"}
_MANY_CHANNELS = {"WAV", "WAVEX", "AIFF", "AU", "CAF", "W64", "RF64"}


def _whole(kind, rng):
    format_, subtype = rng.choice(FORMATS[kind])
    sounds = [
        name
        for name in SOUNDS
        if (name not in _ONLY_AS_FLOATS or subtype in ("FLOAT", "DOUBLE"))
        and (name != "1,024 channels" or format_ in _MANY_CHANNELS)
        and (name != "long silence" or format_ in ("FLAC", "OGG", "MP3"))
    ]
    # Half of the files contain ordinary sounds, so that only the damage matters.
    sound = rng.choice(sounds[:2] if rng.random() < 0.5 else sounds)
    content = _written(format_, subtype, sound, rng.choice(_RATES))
    if kind in _CHANGES:
        content = bytes(_CHANGES[kind](content, rng))
    return f".{_EXTENSIONS.get(format_, format_.lower())}", sound, content


@lru_cache(maxsize=4096)
def _written(format_, subtype, sound, rate):
    rng = np.random.default_rng(len(sound) * rate)
    if subtype == "OPUS" and rate not in (8000, 16_000, 48_000):
        rate = 48_000
    samples = SOUNDS[sound](rate, rng)
    for channels in (samples.shape[1], 2, 1):
        file = io.BytesIO()
        try:
            sf.write(file, samples[:, :channels], rate, format=format_, subtype=subtype)
        except (sf.SoundFileError, ValueError):
            continue  # too many channels for this format
        return _without_random_fields(file.getvalue())
    # Some formats have only one rate, and some codecs cannot write empty files.
    return _written(format_, subtype, "mono", 8000)


def _without_random_fields(content):
    """Overwrite time stamps, and the random serial numbers of streams."""
    content = bytearray(content)
    for peak in re.finditer(b"PEAK", content):
        content[peak.start() + 12 : peak.start() + 16] = bytes(4)
    if content.startswith(b"OggS"):
        for page in re.finditer(b"OggS", bytes(content)):
            content[page.start() + 14 : page.start() + 18] = b"skda"
        content = _with_checksums(content)
    return bytes(content)


def _with_other_chunks(content, rng):
    """Insert chunks before and after the samples of a RIFF file."""
    place = content.find(b"data")
    chunks = [_chunk(rng) for _ in range(rng.randint(1, 4))]
    body = content[8:place] + b"".join(chunks[:-1]) + content[place:] + chunks[-1]
    return content[:4] + struct.pack("<I", len(body)) + body


def _chunk(rng):
    name = rng.choice([b"LIST", b"JUNK", b"cue ", b"bext", b"smpl", b"iXML", b"id3 ", b"PAD "])
    content = rng.randbytes(2 * rng.randint(0, 300))
    if name == b"LIST":
        text = b"a name\0\0"
        content = b"INFO" + b"INAM" + struct.pack("<I", len(text)) + text
    return name + struct.pack("<I", len(content)) + content


def _with_other_tags(content, rng):
    """Change the tag of an MP3 file, append it to itself, or insert tags around and inside it."""
    parts = []
    for _ in range(rng.choice([1, 1, 2, 3])):
        part = bytearray(content)
        for name in re.finditer(b"Info|Xing", part[:200]):
            place = name.start() + rng.choice([0, 4, 8, 12])
            _put(part, place, ">I", rng.choice(_WRONG_SIZES))
        parts += [rng.choice(_MP3_TAGS), part]
    return b"".join([*parts, rng.choice(_MP3_TAGS)])


_MP3_TAGS = [
    *[b"", b"", b"ID3\3\0\0\0\0\1\0" + bytes(128), b"ID3\3\0\0\0\0\0\2text", bytes(1000)],
    *[b"TAG" + bytes(125), b"APETAGEX" + struct.pack("<IIII", 2000, 50, 1, 5 << 29) + bytes(58)],
    *[b"ID3\4\0\0\x7f\x7f\x7f\x7f", b"a piece of a frame, perhaps", b"LYRICSBEGIN LYRICS200"],
]


def _in_wav(content, rng):
    """Write the frames of an MP3 file to a WAV file."""
    fmt = struct.pack("<HHIIHHH", 0x55, rng.choice([1, 2]), 16_000, 8000, 1, 0, 0)
    chunks = b"WAVEfmt " + struct.pack("<I", len(fmt)) + fmt
    size = rng.choice([len(content), len(content), 0, 2**32 - 1])
    body = chunks + b"data" + struct.pack("<I", size) + content
    return b"RIFF" + struct.pack("<I", len(body)) + body


def _of_64_bits(content, rng):
    return b"BW64" + content[4:] if content[:4] == b"RF64" and rng.random() < 0.5 else content


def _of_unknown_size(content, rng):
    """Leave the sizes in a file unknown, like a program that writes to a pipe."""
    content = bytearray(content)
    names = {b"data": "<I", b"SSND": ">I", b"BODY": ">I", b".snd": ">I", b"ds64": "<Q"}
    name = next(name for name in reversed(names) if name in content)
    layout, distance = names[name], {b".snd": 8, b"ds64": 16}.get(name, 4)
    if content.startswith((b"caff", b"riff")):
        layout, distance = "<Q", 16 if content[:4] == b"riff" else 4
    _put(content, content.index(name) + distance, layout, rng.choice(_UNKNOWN_SIZES))
    if name == b"SSND":
        _put(content, content.index(b"COMM") + 10, ">I", rng.choice([0, 0x3F800000, 2**32 - 1]))
    return content


_UNKNOWN_SIZES = [0, 8, 24, 0x7F000008, 0x7FFFF000, 2**31 - 1, 2**32 - 1, 2**63 - 1, 2**64 - 1]

_CHANGES = {
    "WAV, other chunks": _with_other_chunks,
    "MP3, other tags": _with_other_tags,
    "MP3 in WAV": _in_wav,
    "sizes of 64 bits": _of_64_bits,
    "sizes unknown": _of_unknown_size,
}


def _garbage(rng):
    name = rng.choice(["random bytes", "zeros", "text", "magic and random bytes", "empty"])
    content = {
        "random bytes": rng.randbytes(rng.randint(1, 5000)),
        "zeros": bytes(rng.randint(1, 5000)),
        "text": b"not a sound\n" * rng.randint(1, 300),
        "magic and random bytes": rng.choice(_MAGIC) + rng.randbytes(rng.randint(0, 5000)),
        "empty": b"",
    }[name]
    return name, content


_MAGIC = [
    *[b"RIFF\xff\0\0\0WAVEfmt ", b"RIFX\0\0\0\xffWAVE", b"FORM\0\0\xff\xffAIFF", b"fLaC\0\0\0\x22"],
    *[b"OggS\0\2", b"ID3\4\0\0\0\0\0\0", b"\xff\xfb\x90\x00", b".snd\0\0\0\x18", b"caff\0\1\0\0"],
    *[b"riff\x2e\x91\xcf\x11", b"RF64\xff\xff\xff\xffWAVEds64", b"NIST_1A\n   1024\n"],
    *[b"Creative Voice File\x1a", b"FORM\0\0\xff\xff8SVX", b" paf", b"2BIT", b"\xf0\x7e\0\1"],
]


# Damage.


def _header_number(content, rng):
    """Overwrite one to eight bytes near the beginning."""
    content = bytearray(content)
    layout = rng.choice(["B", "<H", ">H", "<I", ">I", "<Q", ">Q"])
    place = rng.randrange(max(1, min(len(content), rng.choice([48, 128, 512]))))
    value = rng.choice(_WRONG_SIZES + _WRONG_COUNTS + [rng.getrandbits(64)])
    _put(content, place, layout, value)
    return content


def _field_of(what):
    def mutate(content, rng):
        """Write a wrong value to a field of the header whose meaning is known."""
        content = bytearray(content)
        places = [
            (found.start() + distance, layout)
            for marker, distance, layout, is_what in _FIELDS
            if is_what == what
            for found in re.finditer(re.escape(marker), content)
        ]
        if not places:
            return _packed_rate(content, rng) if what == "rate" else _header_number(content, rng)
        place, layout = rng.choice(places)
        _put(content, place, layout, rng.choice(_VALUES[what]))
        return content

    return mutate


def _packed_rate(content, rng):
    """Change sampling rates that are not stored as plain numbers: in FLAC, AIFF and MP3 files."""
    rate = rng.choice(_WRONG_RATES)
    if content.startswith(b"fLaC") and len(content) >= 26:
        (numbers,) = struct.unpack_from(">Q", content, 18)
        rest, length = numbers & (2**44 - 2**36), rng.choice([numbers % 2**36, 0, 2**36 - 1])
        _put(content, 18, ">Q", (rate % 2**20) << 44 | rest | length)
    elif b"COMM" in content:
        _put(content, content.index(b"COMM") + 16, ">H", 16_383 + max(0, rate.bit_length() - 1))
        _put(content, content.index(b"COMM") + 18, ">Q", rate << (64 - max(1, rate.bit_length())))
    elif b"\xff" in content:
        _put(content, content.index(b"\xff") + 2, "B", rng.randrange(256))
    return content


def _put(content, place, layout, value):
    size = struct.calcsize(layout)
    if place + size <= len(content):
        struct.pack_into(layout, content, place, value % 2 ** (8 * size))


def _truncate(content, rng):
    """Cut off the end: inside the magic bytes, a header, a field, the samples or the last bytes."""
    n = len(content)
    markers = [found.start() for found in re.finditer(rb"OggS|[A-Za-z ]{4}", content[:2000])]
    place = rng.choice(
        [
            rng.randint(0, 12),
            rng.randint(0, 60),
            rng.randint(0, 4096),
            rng.choice(markers or [0]) + rng.randint(0, 12),
            rng.randint(0, n),
            n // 2,
            n - rng.randint(1, 16),
        ]
    )
    return content[: max(0, place)]


def _flip_bits(content, rng):
    content = bytearray(content)
    for _ in range(rng.choice([1, 2, 5, 50]) if content else 0):
        content[rng.randrange(len(content))] ^= 1 << rng.randrange(8)
    return content


def _run(content, rng):
    """Choose a range of bytes."""
    start = rng.randint(0, len(content))
    return start, min(len(content), start + rng.choice([1, 2, 8, 64, 1000]))


def _noise_run(content, rng):
    start, stop = _run(content, rng)
    return content[:start] + rng.randbytes(stop - start) + content[stop:]


def _constant_run(content, rng):
    start, stop = _run(content, rng)
    return content[:start] + bytes([rng.choice([0, 255])]) * (stop - start) + content[stop:]


def _cut_out(content, rng):
    start, stop = _run(content, rng)
    return content[:start] + content[stop:]


def _repeat(content, rng):
    start, stop = _run(content, rng)
    return content[:stop] + content[start:stop] * rng.choice([1, 2, 20]) + content[stop:]


def _insert(content, rng):
    place = rng.randint(0, len(content))
    return content[:place] + rng.randbytes(rng.choice([1, 3, 100, 5000])) + content[place:]


def _splice(content, rng):
    """Begin with this file and end with another one."""
    _, _, other = _whole(rng.choice([*FORMATS]), rng)
    if rng.random() < 0.3:
        return bytes(content) + other
    return content[: rng.randint(0, len(content))] + other[rng.randint(0, len(other)) :]


def _tag(content, rng):
    """Prepend an ID3 tag, whose size may be wrong."""
    size = rng.choice([0, 10, 100, 2**14 - 1, 2**21, 2**28 - 1])
    digits = bytes(size >> shift & 127 for shift in (21, 14, 7, 0))
    return b"ID3\4\0\0" + digits + rng.randbytes(min(size, 100)) + content


MUTATIONS = {
    "header number": _header_number,
    "rate": _field_of("rate"),
    "channels and the like": _field_of("count"),
    "size": _field_of("size"),
    "truncation": _truncate,
    "bits": _flip_bits,
    "noise": _noise_run,
    "zeros or ones": _constant_run,
    "cut out": _cut_out,
    "repeated": _repeat,
    "inserted": _insert,
    "spliced": _splice,
    "tag": _tag,
}


# Ogg's checksum uses the usual polynomial, but with the highest bit first and without inversion.


@lru_cache(maxsize=1)
def _checksum_table():
    table = []
    for byte in range(256):
        value = byte << 24
        for _ in range(8):
            value = value << 1 ^ (0x04C11DB7 if value & 2**31 else 0)
        table.append(value & (2**32 - 1))
    return table


def _with_checksums(content):
    """Give every complete Ogg page a valid checksum."""
    content, table = bytearray(content), _checksum_table()
    for page in re.finditer(b"OggS", bytes(content)):
        start = page.start()
        first = start + 27 + (content[start + 26] if start + 26 < len(content) else 0)
        stop = first + sum(content[start + 27 : first])
        if stop > len(content) or first > len(content):
            continue
        content[start + 22 : start + 26] = bytes(4)
        value = 0
        for byte in content[start:stop]:
            value = (value << 8 ^ table[value >> 24 ^ byte]) & (2**32 - 1)
        struct.pack_into("<I", content, start + 22, value)
    return content

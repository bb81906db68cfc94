"""What headers announce, compared with what is there: cut-off files, sizes never filled in.

libsndfile takes a file that has lost its end for a shorter one, believes sizes that were not filled
in, and reads what follows the samples of some formats as more of them. Each format has a function
here that finds the samples and the size that the header announces.
"""

import re
import struct
from dataclasses import dataclass

from skdaf._audio.formats.containers import id3_bytes
from skdaf._audio.formats.view import FileView

# Writers that cannot know the size, into a pipe or beyond 4 GiB, write a number near one of these
# (0x7F000000 is that of sox in AIFF files), or 0.
_PLACEHOLDERS = {32: (0x7F000000, 2**31, 2**32), 64: (2**63, 2**64)}
_NEAR = 2**16

# What follows the samples is smaller. Sizes beyond 4 GiB are often counted with 32 bits only.
_MOST_BYTES_BEHIND = 2**31

_LARGEST_RIFF = 2**31 - 2**17
_LARGEST_32_BITS = 2**32 - 2**17
_NO_SAMPLES = "the file holds no samples"
_PADDING = 4096
_LONGEST_MPEG_FRAME = 2881
_MPEG_CODES = (0x50, 0x55)
# ADPCM of Microsoft and IMA, GSM: libsndfile fills a block that is cut off with old samples.
_BLOCK_CODES = (0x02, 0x11, 0x31)

_AU_HEADER_BYTES = 24
_MOST_CHUNKS = 10_000
_LONGEST_HEADER = 2**22

# The last twelve bytes of the names of chunks.
_W64_CHUNK_END = bytes.fromhex("f3acd3118cd100c04f8edb8a")
# Compression types of AIFF-C whose samples are as wide as COMM says.
_AIFF_LINEAR = (b"NONE", b"sowt", b"twos", b"fl32", b"FL32", b"fl64", b"FL64", b"in24", b"in32")
# Bytes of numbers before the samples, by the kind of a block; sox leaves some of them out of sizes.
_VOC_NUMBERS = {1: 2, 2: 0, 9: 12}
_SOX_VOC_BYTES = 8
_NIST_NUMBER = re.compile(rb"^(\w+) -\w+ (\d+)\s*$", re.MULTILINE)


@dataclass
class _Sound:
    """Where a header says that the samples lie.

    Attributes
    ----------
    start : int
        Their first byte.
    announced : int or None
        Their size in bytes; None where the format does not say it.
    frame_bytes : int
        The size of a sample in all channels, or of a block of them, where nothing else shows
        whether the end is there.
    ends_there : bool
        Whether libsndfile ignores what follows the announced samples.
    header : function or None
        Returns the header of so many bytes of samples; None if that of the file has to do.
    is_readable : bool
        Whether libsndfile reads the header of the file.
    ranges : list of (first, stop)
        All samples, where they do not lie in a row.
    bits : int
        The width of the size in the header.
    codec : int
        The number of the codec in a WAV file.
    """

    start: int
    announced: int | None
    frame_bytes: int = 1
    ends_there: bool = False
    header: object = None
    is_readable: bool = True
    ranges: list | None = None
    bits: int = 32
    codec: int = 0


class DamagedFileError(Exception):
    """What is wrong with a file, in words that go on after its name."""


class _TruncatedHeaderError(DamagedFileError):
    """The file ends before its samples begin."""

    def __init__(self):
        super().__init__("the file is truncated: it ends before its samples begin")


class _Reader:
    """Numbers and chunks of an open file."""

    def __init__(self, file, n_bytes):
        self.file, self.n_bytes = file, n_bytes

    def bytes_at(self, place, n_bytes):
        self.file.seek(place)
        return self.file.read(n_bytes)

    def numbers_at(self, place, layout):
        content = self.bytes_at(place, struct.calcsize(layout))
        if len(content) < struct.calcsize(layout):
            raise _TruncatedHeaderError
        return struct.unpack(layout, content)

    def number_at(self, place, layout):
        return self.numbers_at(place, layout)[0]

    def chunks(self, place, layout, multiple=1):
        """Yield (name, first byte, size) of each chunk."""
        for _ in range(_MOST_CHUNKS):
            if place + struct.calcsize(layout) > self.n_bytes:
                return
            name, size = self.numbers_at(place, layout)
            place += struct.calcsize(layout)
            yield name, place, size
            place += size
            # Some writers leave padding out.
            if size % multiple and not (
                self.is_chunk(place, layout) and not self.is_chunk(place + 1, layout)
            ):
                place += -size % multiple

    def is_chunk(self, place, layout):
        """Return whether the bytes here look like a chunk that ends within the file."""
        if place + struct.calcsize(layout) > self.n_bytes:
            return False
        name, size = self.numbers_at(place, layout)
        return re.fullmatch(rb"[ -~]{4}", name) is not None and (
            place + struct.calcsize(layout) + size <= self.n_bytes
        )

    def patched(self, stop, *patches):
        """Return the bytes up to `stop`, with (place, layout, number) written into them."""
        if stop > _LONGEST_HEADER:
            return None
        head = bytearray(self.bytes_at(0, stop))
        try:
            for place, layout, number in patches:
                struct.pack_into(layout, head, place, number)
        except struct.error:
            problem = f"{self.n_bytes - stop} bytes of sound are more than its header allows"
            raise DamagedFileError(problem) from None
        return bytes(head)


def open_view(path, n_bytes):
    """Return what libsndfile should read instead of a file of that size; None is the file itself.

    Raises DamagedFileError if the file is truncated, or its sizes contradict each other.
    """
    with open(path, "rb") as file:
        head = file.read(32)
        find = next((find for magic, find in _FORMATS if re.match(magic, head, re.DOTALL)), None)
        reader = _Reader(file, n_bytes)
        sound = find and find(reader)
        plan = sound and _plan(reader, sound)
        if (start := behind_id3(file)) and reader.bytes_at(start, 4) == b"fLaC":
            # libsndfile skips the tags, but does not find places in what follows.
            plan = b"", [(start, n_bytes)]
    return FileView(path, *plan) if plan else None


def behind_id3(file):
    """Go to the place behind all ID3 tags that an open file begins with, and return it."""
    place = file.seek(0)
    while tag_bytes := id3_bytes(file.read(10)):
        place = file.seek(place + tag_bytes)
    return file.seek(place)


def mpeg_in_wav(file, n_bytes):
    """Return where the MPEG frames in a WAV file begin and end, None if it holds none.

    Raises DamagedFileError if more than the last frame is cut off.
    """
    reader = _Reader(file, n_bytes)
    head = reader.bytes_at(0, 22)
    if re.match(_WAV, head, re.DOTALL) is None:
        return None
    if head[12:16] == b"fmt " and int.from_bytes(head[20:22], "little") not in _MPEG_CODES:
        return None
    sound = _find_wav(reader)
    if sound is None or sound.codec not in _MPEG_CODES:
        return None
    there = n_bytes - sound.start
    if there < sound.announced <= there + _LONGEST_MPEG_FRAME:
        return sound.start, n_bytes
    return sound.start, sound.start + _n_bytes_of_samples(sound, there)


def _plan(reader, sound):
    """Return the header and the ranges of the file to be read; None for all of the file."""
    there = reader.n_bytes - sound.start
    if sound.announced is None:
        if there % sound.frame_bytes or there < 0:
            raise DamagedFileError("the file is truncated: it ends in the middle of a sample")
        return None
    n_bytes = _n_bytes_of_samples(sound, there)
    ranges = sound.ranges or [(sound.start, sound.start + n_bytes)]
    if n_bytes != sound.announced or not sound.is_readable:
        header = sound.header(n_bytes) if sound.header else None
        return None if header is None else (header, ranges)
    if n_bytes < there and not sound.ends_there:
        return b"", [(0, sound.start + n_bytes)]
    return None


def _n_bytes_of_samples(sound, there):
    """Return how many bytes of samples there are; raise if the end is missing."""
    announced = sound.announced
    if announced <= 0 or (announced > there and _is_placeholder(announced, sound.bits)):
        return max(0, there - there % sound.frame_bytes)
    if announced > there:
        raise DamagedFileError(
            f"the file is truncated: its header announces {announced} bytes of sound, "
            f"{max(0, there)} are there"
        )
    if there - announced >= _MOST_BYTES_BEHIND:
        raise DamagedFileError(
            f"the file is damaged: its header announces {announced} bytes of sound, "
            f"{there} are there"
        )
    return announced


def _is_placeholder(number, bits=32):
    return any(abs(number - placeholder) <= _NEAR for placeholder in _PLACEHOLDERS[bits])


# RIFF: WAV, RF64, BW64; Wave64.


def _find_wav(reader):
    order = ">" if reader.bytes_at(0, 4) == b"RIFX" else "<"
    magic, long_size, fmt = reader.bytes_at(0, 4), None, None
    for name, place, size in reader.chunks(12, f"{order}4sI", 2):
        if name == b"ds64":
            long_size = reader.number_at(place + 8, "<Q")
        elif name == b"fmt " and fmt is None and size < _NEAR:
            fmt = reader.bytes_at(place, size)
        elif name == b"data" and fmt:
            is_long = long_size is not None and size == 2**32 - 1
            true_size = long_size if is_long else _unwrapped(reader, order, place, size)
            if size == true_size == 0:
                raise DamagedFileError(_NO_SAMPLES)
            codec, block_bytes = struct.unpack(f"{order}H10xH", fmt[:14].ljust(14, b"\0"))
            return _Sound(
                place,
                true_size,
                frame_bytes=max(1, block_bytes) if codec in _BLOCK_CODES else 1,
                ends_there=True,
                header=lambda n_bytes, fmt=fmt: _wav_header(order, fmt, n_bytes),
                is_readable=magic != b"BW64" and (is_long or true_size == size),
                bits=64 if is_long else 32,
                codec=codec,
            )
    return None


def _unwrapped(reader, order, start, size):
    """Return the size of the samples of a WAV file, which its header may get wrong."""
    there = reader.n_bytes - start
    if size in (reader.n_bytes, reader.n_bytes - 8):
        # Some writers announce the size of the file.
        return 0
    if size > there:
        return size
    # The size may be counted with 32 bits only.
    full_size = size if _is_placeholder(size) else size + (there - size) // 2**32 * 2**32
    stop = start + full_size
    behind = stop + full_size % 2
    if behind >= reader.n_bytes or any(
        reader.is_chunk(place, f"{order}4sI") for place in {stop, behind}
    ):
        return full_size
    riff_size = reader.number_at(4, f"{order}I")
    if size == 0 or _is_placeholder(size):
        return there
    if riff_size == reader.n_bytes - 8 and reader.bytes_at(behind, _PADDING).strip(b"\0"):
        # The size of the file is right, that of the samples is not.
        return there
    return size


def _wav_header(order, fmt, n_bytes):
    """Return a header for such samples: RF64 for a size beyond that of RIFF."""
    chunks = _chunk(order, b"fmt ", fmt)
    if n_bytes <= _LARGEST_RIFF or order == ">":
        if n_bytes > _LARGEST_32_BITS:
            raise DamagedFileError(f"{n_bytes} bytes of sound are more than an RIFX header allows")
        magic = b"RIFX" if order == ">" else b"RIFF"
        sizes = [struct.pack(f"{order}I", size) for size in (len(chunks) + n_bytes + 12, n_bytes)]
        return magic + sizes[0] + b"WAVE" + chunks + b"data" + sizes[1]
    frame_bytes = max(1, int.from_bytes(fmt[12:14], "little"))
    sizes = struct.pack("<QQQI", n_bytes + len(chunks) + 48, n_bytes, n_bytes // frame_bytes, 0)
    none = struct.pack("<I", 2**32 - 1)
    return b"RF64" + none + b"WAVE" + _chunk("<", b"ds64", sizes) + chunks + b"data" + none


def _chunk(order, name, content):
    return name + struct.pack(f"{order}I", len(content)) + content + bytes(len(content) % 2)


def _find_w64(reader):
    place = 40
    for _ in range(_MOST_CHUNKS):
        name, size = reader.numbers_at(place, "<16sq")
        place += 24
        if name == b"data" + _W64_CHUNK_END:
            return _Sound(
                place,
                size - 24,
                header=lambda n_bytes, at=place: reader.patched(
                    at, (16, "<Q", at + n_bytes), (at - 8, "<Q", n_bytes + 24)
                ),
                bits=64,
            )
        # The size counts the name and itself; chunks begin at multiples of 8 bytes.
        if size < 24:
            return None
        place += size - 24 + -size % 8
    return None


# IFF: AIFF, AIFF-C, 8SVX, 16SV.


def _find_aiff(reader):
    common, sound = None, None
    for name, place, size in reader.chunks(12, ">4sI", 2):
        if name == b"COMM" and size < _NEAR:
            common = reader.bytes_at(place, size)
        elif name == b"SSND":
            offset = reader.number_at(place, ">I")
            start = place + 8 + offset
            sound = _Sound(start, size - 8 - offset, ends_there=True)
        if common and sound:
            break
    if sound is None or common is None or len(common) < 18:
        return None
    there = reader.n_bytes - sound.start
    if sound.announced == 0 and (there <= 0 or reader.is_chunk(sound.start, ">4sI")):
        raise DamagedFileError(_NO_SAMPLES)
    if sound.announced <= there and _is_placeholder(sound.announced):
        sound.announced = there
        sound.is_readable = False
    sound.header = lambda n_bytes: _aiff_header(reader, common, n_bytes)
    return sound


def _aiff_header(reader, common, n_bytes):
    """Return a header with the true sizes."""
    if n_bytes > _LARGEST_32_BITS:
        raise DamagedFileError(f"{n_bytes} bytes of sound are more than an AIFF header allows")
    kind = reader.bytes_at(8, 4)
    channels, _, bits = struct.unpack(">HIH", common[:8])
    if kind == b"AIFF" or common[18:22] in _AIFF_LINEAR:
        n_frames = n_bytes // max(1, channels * (-(-bits // 8)))
        common = common[:2] + struct.pack(">I", n_frames) + common[6:]
    chunks = _chunk(">", b"COMM", common)
    if kind == b"AIFC":
        chunks = _chunk(">", b"FVER", struct.pack(">I", 0xA2805140)) + chunks
    form = b"FORM" + struct.pack(">I", len(chunks) + n_bytes + 20) + kind
    return form + chunks + b"SSND" + struct.pack(">III", n_bytes + 8, 0, 0)


def _find_svx(reader):
    for name, place, size in reader.chunks(12, ">4sI", 2):
        if name == b"BODY":
            return _Sound(
                place,
                size,
                header=lambda n_bytes, at=place: reader.patched(
                    at, (4, ">I", at + n_bytes - 8), (at - 4, ">I", n_bytes)
                ),
            )
    raise _TruncatedHeaderError


# Other formats.


def _find_au(reader):
    order = ">" if reader.bytes_at(0, 4) == b".snd" else "<"
    start, size = reader.numbers_at(4, f"{order}II")
    if start < _AU_HEADER_BYTES:
        # libsndfile would read the header as sound, or not, by where reading begins.
        raise DamagedFileError(
            f"the file is damaged: its samples begin at byte {start}, inside its header of "
            f"{_AU_HEADER_BYTES} bytes"
        )
    return _Sound(
        start,
        size,
        ends_there=True,
        header=lambda n_bytes: reader.patched(start, (8, f"{order}I", min(n_bytes, 2**32 - 1))),
    )


def _find_caf(reader):
    for name, place, size in reader.chunks(8, ">4sq"):
        if name == b"data":
            # Four bytes count edits.
            return _Sound(
                place + 4,
                size - 4,
                ends_there=True,
                header=lambda n_bytes, at=place: reader.patched(
                    at + 4, (at - 8, ">q", n_bytes + 4)
                ),
                bits=64,
            )
        if size < 0:
            return None
    raise _TruncatedHeaderError


def _find_voc(reader):
    """Find the block of samples, and those that go on with it."""
    blocks = list(_voc_blocks(reader))
    sounds = [block for block in blocks if block[0] in _VOC_NUMBERS]
    if not sounds:
        return None
    kind, place, _ = sounds[0]
    if any(other in (1, 3, 9) for other, at, _ in blocks if at > place):
        raise DamagedFileError(
            "holds several blocks of sound, of which only the first would be read"
        )
    start = place + _VOC_NUMBERS[kind]
    ranges = [(at + _VOC_NUMBERS[kind], at + size) for kind, at, size in sounds]
    announced, stop = sum(stop - first for first, stop in ranges), ranges[-1][1]
    if stop > reader.n_bytes:
        return _Sound(stop - announced, announced)
    # The byte before the first block is 0; such a byte also ends the list of blocks.
    return _Sound(
        start,
        announced,
        ends_there=True,
        header=lambda n_bytes: _voc_header(reader, place, start, n_bytes),
        is_readable=len(ranges) == 1 and stop >= reader.n_bytes - 1,
        ranges=[*ranges, (21, 22)],
    )


def _voc_header(reader, place, start, n_bytes):
    size = n_bytes + start - place
    if size >= 2**24:
        raise DamagedFileError(f"{n_bytes} bytes of sound are more than a VOC header allows")
    head = reader.patched(start)
    return head and head[: place - 3] + size.to_bytes(3, "little") + head[place:]


def _voc_blocks(reader):
    """Yield (kind, first byte, size) of each block."""
    place, has_sound = reader.number_at(20, "<H"), False
    for _ in range(_MOST_CHUNKS):
        kind = reader.bytes_at(place, 1)
        if kind in (b"", b"\0"):
            return
        size = int.from_bytes(reader.bytes_at(place + 1, 3), "little")
        stop = place + 4 + size
        if kind == b"\x09" and stop + _SOX_VOC_BYTES == reader.n_bytes - 1:
            size += _SOX_VOC_BYTES
        # Bytes behind the sound may look like a block.
        if stop > reader.n_bytes and has_sound and kind != b"\x02":
            return
        has_sound = has_sound or kind[0] in _VOC_NUMBERS
        yield kind[0], place + 4, size
        place += 4 + size


def _find_avr(reader):
    stereo, bits = reader.numbers_at(12, ">HH")
    n_frames = reader.number_at(26, ">I")
    return _Sound(128, n_frames * (2 if stereo else 1) * (bits // 8))


def _find_nist(reader):
    text = reader.bytes_at(0, 1024)
    numbers = {name: int(number) for name, number in _NIST_NUMBER.findall(text)}
    if b"shorten" in text or not {b"sample_count", b"sample_n_bytes"} <= numbers.keys():
        return None
    frame_bytes = numbers[b"sample_n_bytes"] * numbers.get(b"channel_count", 1)
    start = text[8:16].strip()
    if not start.isdigit():
        return None
    return _Sound(int(start), numbers[b"sample_count"] * frame_bytes)


def _find_paf(reader):
    order = ">" if reader.bytes_at(0, 1) == b" " else "<"
    kind, channels = reader.numbers_at(16, f"{order}II")
    # 24 bits are packed in blocks of ten samples.
    return _Sound(2048, None, {0: 2, 1: 32, 2: 1}.get(kind, 1) * max(1, channels))


def _find_pvf(reader):
    head = re.match(rb"PVF1\n(\d+) \d+ (\d+)\n", reader.bytes_at(0, 64))
    if head is None:
        return None
    channels, bits = map(int, head.groups())
    return _Sound(head.end(), None, max(1, channels * (bits // 8)))


def _find_ircam(reader):
    order = "<" if reader.bytes_at(0, 1) == b"\x64" else ">"
    channels, encoding = reader.numbers_at(8, f"{order}II")
    return _Sound(1024, None, max(1, channels * (encoding & 0xFFFF)))


def _find_mpc(reader):
    stereo = reader.number_at(21, "B")
    return _Sound(42, reader.number_at(30, "<I") * (2 if stereo else 1) * 2)


def _find_xi(reader):
    n_sounds, n_bytes = reader.numbers_at(296, "<HI")
    start = 298 + 40 * n_sounds
    if n_sounds != 1:
        return None
    # libsndfile leaves the size at 0.
    is_wide = reader.number_at(298 + 14, "B") & 16
    return _Sound(start, n_bytes or None, 2 if is_wide else 1)


def _find_mat4(reader):
    order = "<" if reader.bytes_at(0, 4) == bytes(4) else ">"
    place = 0
    for _ in range(2):
        kind, rows, columns, _, n_letters = reader.numbers_at(place, f"{order}5I")
        start = place + 20 + n_letters
        n_bytes = rows * columns * {0: 8, 1: 4, 2: 4, 3: 2, 4: 2, 5: 1}.get(kind // 10 % 10, 1)
        place = start + n_bytes
    return _Sound(start, n_bytes)


def _find_mat5(reader):
    """Find the samples: the last part of the second matrix, behind its flags, size and name."""
    layout = ("<" if reader.bytes_at(126, 2) == b"IM" else ">") + "II"
    place = 128 + 8 + reader.numbers_at(128, layout)[1] + 8
    for _ in range(3):
        place += 8 + reader.numbers_at(place, layout)[1]
        place += -place % 8
    return _Sound(place + 8, reader.numbers_at(place, layout)[1])


def _find_wve(reader):
    return _Sound(32, reader.number_at(18, ">I"))


def _find_sds(reader):
    bits = reader.number_at(6, "B")
    low, middle, high = reader.numbers_at(10, "BBB")
    n_samples = low | middle << 7 | high << 14
    # Packets of 127 bytes hold 120 bytes of samples, seven bits in each.
    n_packets = -(-n_samples // (120 // max(1, -(-bits // 7))))
    return _Sound(21, n_packets * 127)


def _find_htk(reader):
    return _Sound(12, reader.number_at(0, ">I") * 2)


# What files begin with.
_WAV = rb"RIF[FX]....WAVE|(RF64|BW64)....WAVEds64"
_FORMATS = [
    (_WAV, _find_wav),
    (rb"riff\x2e\x91\xcf\x11", _find_w64),
    (rb"FORM....AIF[FC]", _find_aiff),
    (rb"FORM....(8SVX|16SV)", _find_svx),
    (rb"\.snd|dns\.", _find_au),
    (rb"caff", _find_caf),
    (rb"Creative Voice File\x1a", _find_voc),
    (rb"2BIT", _find_avr),
    (rb"NIST_1A\n", _find_nist),
    (rb" paf|fap ", _find_paf),
    (rb"PVF1\n", _find_pvf),
    (rb"\x64\xa3[\x01-\x04]\x00|\x00[\x01-\x04]\xa3\x64", _find_ircam),
    (rb"\x01\x04.{19}[\x00\x01]", _find_mpc),
    (rb"Extended Instrument: ", _find_xi),
    (rb"(\x00{4}(\x01\x00{3}){2}|\x00\x00\x03\xe8(\x00{3}\x01){2}).{8}samplerate", _find_mat4),
    (rb"MATLAB 5\.0 MAT", _find_mat5),
    (rb"ALawSoundFile\*\*\x00", _find_wve),
    (rb"\xf0\x7e.\x01", _find_sds),
    (rb".{4}\x00[\x00\x01].{2}\x00\x02\x00\x00", _find_htk),
]

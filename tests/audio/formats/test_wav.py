"""The reader of plain WAV files returns what libsndfile returns, or leaves the file to it."""

import os
import random
import struct

import numpy as np
import pytest
import soundfile as sf

from skdaf import AudioReadError, Clip
from skdaf._audio import reading
from skdaf._audio.blocks import read_blocks
from skdaf._audio.formats import readers, wav
from skdaf._audio.formats.wav import _HEAD_BYTES, open_plain_wav, read_plain_header, read_plain_wav
from skdaf._audio.opening import open_audio
from skdaf._audio.reading import read_clip, read_info, read_samples
from skdaf._audio.samples import to_float32
from skdaf._audio.statistics import read_statistics

RATE = 8000


def noise(n_bytes, seed=0):
    return random.Random(seed).randbytes(n_bytes)


def chunk(name, content, size=None):
    size = len(content) if size is None else size
    return name + struct.pack("<I", size) + content + bytes(len(content) % 2)


def fmt(channels=1, rate=RATE, bits=16, code=1, byte_rate=None, frame_bytes=None, extra=b""):
    frame_bytes = channels * bits // 8 if frame_bytes is None else frame_bytes
    byte_rate = rate * frame_bytes % 2**32 if byte_rate is None else byte_rate
    numbers = struct.pack("<HHIIHH", code, channels, rate, byte_rate, frame_bytes, bits)
    return chunk(b"fmt ", numbers + extra)


def riff(*chunks, size=None, name=b"RIFF"):
    content = b"WAVE" + b"".join(chunks)
    return name + struct.pack("<I", len(content) if size is None else size) + content


def texts(*entries):
    return chunk(b"LIST", b"INFO" + b"".join(chunk(name, text) for name, text in entries))


def data(n_bytes=400, size=None):
    return chunk(b"data", noise(n_bytes), size)


PLAIN = {
    "mono": riff(fmt(), data()),
    "stereo": riff(fmt(2), data()),
    "eight channels": riff(fmt(8), data()),
    "one sample": riff(fmt(), data(2)),
    "the slowest": riff(fmt(rate=100), data()),
    "fast": riff(fmt(rate=192_000), data()),
    "longer than the head": riff(fmt(), data(_HEAD_BYTES + 1000)),
    "as long as the head": riff(fmt(), data(_HEAD_BYTES - 44)),
    "ffmpeg": riff(fmt(), texts((b"ISFT", b"Lavf60.3.100\0")), data()),
    "an empty name": riff(fmt(), texts((b"ISFT", b"")), data()),
}

EXTENSION = struct.pack("<HHI", 22, 16, 4) + bytes.fromhex("0100000000001000800000aa00389b71")
PEAK = chunk(b"PEAK", struct.pack("<IIfI", 1, 0, 0.5, 3))

NOT_PLAIN = {
    **{f"cut at {n}": riff(fmt(), data())[:n] for n in (1, 4, 11, 12, 20, 35, 36, 43, 44, 45, 300)},
    "no header": noise(1000),
    "text": b"not a sound\n" * 20,
    "no samples": riff(fmt(), data(0)),
    "half a sample": riff(fmt(), data(1)),
    "an odd number of bytes": riff(fmt(), data(401)),
    "half a frame": riff(fmt(2), data(402)),
    "8 bits": riff(fmt(bits=8), data()),
    "24 bits": riff(fmt(bits=24), data(300)),
    "32 bits": riff(fmt(bits=32), data()),
    "12 bits": riff(fmt(bits=12, frame_bytes=2), data()),
    "float": riff(fmt(bits=32, code=3), PEAK, chunk(b"data", np.zeros(99, "<f4").tobytes())),
    "NaN": riff(fmt(bits=32, code=3), chunk(b"data", np.full(99, np.nan, "<f4").tobytes())),
    "companded": riff(fmt(bits=8, code=7), data()),
    "extensible": riff(fmt(code=0xFFFE, extra=EXTENSION), data()),
    "fmt of 18 bytes": riff(fmt(extra=bytes(2)), data()),
    "an unknown code": riff(fmt(code=99), data()),
    "no channels": riff(fmt(0, frame_bytes=2), data()),
    "nine channels": riff(fmt(9), data(1800)),
    "2,000 channels": riff(fmt(2000), data(8000)),
    **{f"{rate} Hz": riff(fmt(rate=rate), data()) for rate in (0, 1, 99, 2**31 - 1, 2**31)},
    "another byte rate": riff(fmt(byte_rate=1), data()),
    "another frame size": riff(fmt(frame_bytes=4), data()),
    **{
        f"sound of {size} bytes": riff(fmt(), data(400, size))
        for size in (0, 1, 2, 200, 399, 402, 2**31 - 1, 2**31, 2**32 - 1)
    },
    **{
        f"RIFF of {size} bytes": riff(fmt(), data(), size=size)
        for size in (0, 36, 435, 437, 2**31 - 1, 2**32 - 1)
    },
    "bytes after the samples": riff(fmt(), data()) + b"xyz",
    "texts after the samples": riff(fmt(), data(), texts((b"ICMT", b"a comment"))),
    "texts after an odd chunk": riff(fmt(bits=8), data(401), texts((b"ICMT", b"a comment"))),
    "two texts": riff(fmt(), texts((b"INAM", b"a name"), (b"ISFT", b"by hand")), data()),
    "a name": riff(fmt(), texts((b"INAM", b"a name")), data()),
    "a long name": riff(fmt(), texts((b"ISFT", noise(300))), data()),
    "two lists": riff(fmt(), *[texts((b"ISFT", b"by hand"))] * 2, data()),
    "samples in a list": riff(fmt(), texts((b"data", noise(8))), data()),
    "a list with a wrong size": riff(
        fmt(), chunk(b"LIST", b"INFOISFT" + b"\xff\0\0\0" + noise(9)), data()
    ),
    "cues": riff(fmt(), chunk(b"cue ", noise(20)), data()),
    "an odd chunk": riff(fmt(), chunk(b"JUNK", noise(5)), data()),
    "only a list": riff(fmt(), texts((b"ISFT", b"by hand"))),
    "two formats": riff(fmt(), fmt(2), data()),
    "samples first": riff(data(), fmt()),
    "two chunks of samples": riff(fmt(), data(), data()),
    "big-endian": riff(fmt(), data(), name=b"RIFX"),
    "RF64": riff(
        chunk(b"ds64", struct.pack("<QQQI", 472, 400, 200, 0)),
        fmt(), data(400, 2**32 - 1), size=2**32 - 1, name=b"RF64",
    ),
}  # fmt: skip


def is_plain(path):
    """Return whether a file is plain, as both ways to read one must agree."""
    file = open_plain_wav(path, os.path.getsize(path))
    found, header = read_plain_wav(path), read_plain_header(path)
    assert (file is None) == (found is None) == (header is None)
    if file is None:
        return False
    samples, rate = found
    with file:
        assert header[:2] + header[3:4] == (file.samplerate, file.channels, file.frames)
        assert (*samples.shape, rate) == (file.frames, file.channels, file.samplerate)
        return True


def outcomes(path):
    """Return all results of reading a file and parts of it: samples, headers or messages."""
    results = []
    for clip in (Clip(path), Clip(path, 0.001, 0.002), Clip(path, 0.0005), Clip(path, 0.0, 1e-9)):
        for read in (read_clip, read_info, read_statistics):
            try:
                result = read(clip)
            except AudioReadError as error:
                result = str(error), error.paths
            if read is read_clip and isinstance(result[0], np.ndarray):
                result = result[0].dtype, result[0].tobytes(), result[1]
            results.append(result)
    return results


@pytest.fixture
def by_libsndfile(monkeypatch):
    """Return the outcomes of a file without the plain reader."""

    def read(path):
        with monkeypatch.context() as patch:
            patch.setattr(readers, "open_plain_wav", lambda *arguments: None)
            patch.setattr(reading, "read_plain_wav", lambda *arguments: None)
            patch.setattr(reading, "read_plain_header", lambda path: None)
            return outcomes(path)

    return read


@pytest.mark.parametrize("name", PLAIN)
def test_plain_files_are_read_as_libsndfile_reads_them(tmp_path, by_libsndfile, name):
    path = tmp_path / "a.wav"
    path.write_bytes(PLAIN[name])
    assert is_plain(path)
    assert outcomes(path) == by_libsndfile(path)
    assert isinstance(read_info(Clip(path)).n_frames, int)


@pytest.mark.parametrize("name", NOT_PLAIN)
def test_all_others_are_left_to_libsndfile(tmp_path, by_libsndfile, name):
    path = tmp_path / "a.wav"
    path.write_bytes(NOT_PLAIN[name])
    assert not is_plain(path)
    assert outcomes(path) == by_libsndfile(path)


@pytest.mark.parametrize("seed", range(6))
def test_damaged_files_are_read_as_libsndfile_reads_them(tmp_path, by_libsndfile, seed):
    rng = random.Random(seed)
    path = tmp_path / "a.wav"
    n_plain = 0
    for _ in range(150):
        files = PLAIN if rng.random() < 0.7 else NOT_PLAIN
        content = bytearray(rng.choice(list(files.values())))
        for _ in range(rng.randrange(3)):
            content[rng.randrange(min(len(content), 90))] = rng.choice([0, 1, 2, 16, 255])
        if rng.random() < 0.2:
            del content[rng.randrange(1, len(content) + 1) :]
        path.write_bytes(content)
        if is_plain(path):
            n_plain += 1
            assert outcomes(path) == by_libsndfile(path)
    assert n_plain > 10


@pytest.mark.parametrize("n_channels", [1, 2, 3, 8])
def test_every_sample_value_is_exact(tmp_path, n_channels):
    samples = np.arange(-(2**15), 2**15, dtype=np.int16).reshape(-1, 1).repeat(n_channels, axis=1)
    path = tmp_path / "a.wav"
    sf.write(path, samples, RATE)
    assert is_plain(path)
    with open_plain_wav(path, os.path.getsize(path)) as file:
        block = file.read_block(len(samples))
    np.testing.assert_array_equal(block, sf.read(path, dtype="float32", always_2d=True)[0])
    np.testing.assert_array_equal(block, to_float32(read_plain_wav(path)[0]))


def test_parts_are_read_from_their_own_position(tmp_path, monkeypatch):
    path = tmp_path / "a.wav"
    path.write_bytes(riff(fmt(2), data(4 * 50_000)))
    whole = sf.read(path, dtype="float32")[0]
    asked = []
    read = wav._read_at

    def spy(descriptor, position, n_bytes):
        asked.append((position, n_bytes))
        return read(descriptor, position, n_bytes)

    monkeypatch.setattr(wav, "_read_at", spy)
    part, _ = read_clip(Clip(path, 20_000 / RATE, 20_500 / RATE))
    np.testing.assert_array_equal(part, whole[20_000:20_500].mean(axis=1))
    assert asked == [(0, _HEAD_BYTES), (44 + 4 * 20_000, 4 * 500)]


@pytest.mark.parametrize("has_pread", [True, False])
@pytest.mark.parametrize("n_bytes", [2000, 80_000])
def test_a_read_that_returns_few_bytes_is_continued(tmp_path, monkeypatch, n_bytes, has_pread):
    path = tmp_path / "a.wav"
    path.write_bytes(riff(fmt(), data(n_bytes)))
    expected = sf.read(path, dtype="float32")[0]
    for name in ("read", "pread"):
        # Windows has no pread.
        if not hasattr(os, name) or (name == "pread" and not has_pread):
            monkeypatch.delattr(os, name, raising=False)
            continue
        read = getattr(os, name)
        monkeypatch.setattr(
            os, name, lambda file, n, *position, read=read: read(file, min(n, 999), *position)
        )
    np.testing.assert_array_equal(read_clip(Clip(path))[0], expected)
    assert (read_plain_wav(path) is None) == has_pread


@pytest.mark.parametrize("size", [99_999, 100_045], ids=["shrinks", "grows"])
def test_a_file_that_changes_between_two_reads(tmp_path, monkeypatch, size):
    path = tmp_path / "a.wav"
    path.write_bytes(riff(fmt(), data(100_000)))
    expected = sf.read(path, dtype="int16", always_2d=True)[0]
    layout = wav._layout
    monkeypatch.setattr(wav, "_layout", lambda *given: (os.truncate(path, size), layout(*given))[1])
    found = read_plain_wav(path)
    if size < 100_000:
        assert found is None
    else:
        np.testing.assert_array_equal(found[0], expected)


def test_long_files_are_read_block_by_block(tmp_path, monkeypatch):
    path = tmp_path / "a.wav"
    path.write_bytes(riff(fmt(), data(50_000)))
    monkeypatch.setattr(wav, "_MAX_BYTES_AT_ONCE", 49_999)
    assert read_plain_wav(path) is None
    expected = sf.read(path, dtype="float32")[0]
    np.testing.assert_array_equal(read_samples(Clip(path))[0], expected)


def test_samples_stay_integers_until_something_is_calculated(tmp_path):
    path = tmp_path / "a.wav"
    path.write_bytes(riff(fmt(2), data()))
    for changes, dtype in (
        ({"channel": 1}, np.int16),
        ({"channel": 1, "sampling_rate": RATE}, np.int16),
        ({"channel": 1, "sampling_rate": 2 * RATE}, np.float32),
        ({}, np.float32),
    ):
        samples, rate = read_samples(Clip(path), **changes)
        expected, expected_rate = read_clip(Clip(path), **changes)
        assert (samples.dtype, rate, expected.dtype) == (dtype, expected_rate, np.float32)
        assert to_float32(samples).tobytes() == expected.tobytes()
    assert read_samples(Clip(path, 0.001), channel=1)[0].dtype == np.int16


@pytest.mark.skipif(not hasattr(os, "mkfifo"), reason="needs pipes")
def test_a_pipe_is_neither_read_nor_waited_for(tmp_path):
    pipe = tmp_path / "a.wav"
    os.mkfifo(pipe)
    assert read_plain_wav(pipe) is None
    writer = os.open(pipe, os.O_RDWR)
    try:
        os.write(writer, PLAIN["mono"])
        assert read_plain_wav(pipe) is None
        assert os.read(writer, 10_000) == PLAIN["mono"]
    finally:
        os.close(writer)
    assert read_plain_wav(tmp_path) is None
    assert read_plain_wav("a\0b.wav") is None


def test_a_file_that_shrinks_while_it_is_read_is_called_truncated(tmp_path):
    path = tmp_path / "a.wav"
    path.write_bytes(riff(fmt(2), data(4 * 50_000)))
    with open_audio(path) as file:
        os.truncate(path, 100_001)
        blocks = read_blocks(Clip(path), file)
        assert len(next(blocks)) == 24_989
        with pytest.raises(AudioReadError, match=r"expected 50000 frames, .*24989"):
            next(blocks)


def test_files_named_raw_are_left_to_soundfile(tmp_path):
    path = tmp_path / "a.RAW"
    path.write_bytes(PLAIN["mono"])
    with pytest.raises(AudioReadError, match="samplerate must be specified"):
        read_clip(Clip(path))


@pytest.mark.skipif(not hasattr(os, "geteuid") or os.geteuid() == 0, reason="root may read all")
def test_files_that_may_not_be_read_are_named(tmp_path):
    path = tmp_path / "a.wav"
    path.write_bytes(PLAIN["mono"])
    path.chmod(0)
    with pytest.raises(AudioReadError, match=r"cannot be read \(Permission denied\)"):
        read_clip(Clip(path))


@pytest.mark.skipif(not os.path.isdir("/proc/self/fd"), reason="needs a list of open files")
@pytest.mark.parametrize(
    "name", ["mono", "longer than the head", "bytes after the samples", "cut at 43"]
)
def test_no_file_stays_open(tmp_path, name):
    path = tmp_path / "a.wav"
    path.write_bytes({**PLAIN, **NOT_PLAIN}[name])
    outcomes(path)  # the first call opens what stays for the whole process, such as /dev/null
    before = len(os.listdir("/proc/self/fd"))
    for _ in range(3):
        outcomes(path)
    assert len(os.listdir("/proc/self/fd")) == before

"""Incomplete and damaged files that FFmpeg reads end in an AudioReadError."""

import ctypes
import hashlib
import io
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
from ffmpeg_files import files, put

from skdaf import (
    AudioReadError,
    Clip,
    check_audio,
    load_audio,
)
from skdaf._audio.formats.ffmpeg import frames as _frames
from skdaf._audio.reading import read_info

av = pytest.importorskip("av")

# Streams without a length: a last frame that is cut off does not count.
STREAMS = ["AAC", "AC3", "EAC3", "AMR", "MPEG-TS", "MPEG-PS"]


# Containers in which wrong bytes are just other samples.
UNPROTECTED = ["MOV (PCM)", "MKA (PCM)", "AMR", "3GP (AMR)", "AVI"]


@pytest.mark.parametrize("kind", files.CONTAINERS)
def test_a_file_that_has_lost_its_end_is_never_taken_for_a_shorter_one(tmp_path, kind):
    content, whole = files.written(kind), load_audio(put(tmp_path, kind))[0]
    path = tmp_path / "cut"
    for n_bytes in (len(content) // 3, len(content) // 2, len(content) - 40):
        path.write_bytes(content[:n_bytes])
        if kind in STREAMS:
            # All that can be decoded. A codec may smooth the end.
            try:
                part = load_audio(path)[0]
            except AudioReadError:
                assert kind.startswith("MPEG")
                continue
            assert len(part) <= len(whole)
            n_alike = max(0, len(part) - 1024)
            np.testing.assert_array_equal(part[:n_alike], whole[:n_alike])
            continue
        with pytest.raises(AudioReadError, match=r"cut': the file is (truncated|damaged)"):
            load_audio(path)
        assert not check_audio([path]).ok[0]
        with pytest.raises(AudioReadError):
            read_info(Clip(path))


@pytest.mark.parametrize("kind", [kind for kind in files.CONTAINERS if kind not in UNPROTECTED])
def test_damage_inside_is_named(tmp_path, kind):
    content = files.written(kind, 2, 2.0)
    middle, noise = len(content) // 2, np.random.default_rng(0).bytes(600)
    path = tmp_path / "damaged"
    path.write_bytes(content[:middle] + noise + content[middle + 600 :])
    with pytest.raises(AudioReadError, match=r"damaged': (.* damaged|not readable)"):
        load_audio(path)
    # One answer, whatever part is asked for.
    with pytest.raises(AudioReadError, match=r"damaged': (.* damaged|not readable)"):
        load_audio(path, end=0.1)


def test_a_sample_that_is_not_finite_is_named(tmp_path):
    sound = files.samples(8000, 1)
    sound[1000] = np.nan
    path = tmp_path / "a.mka"
    path.write_bytes(files.encoded(sound, 8000, "matroska", "pcm_f32le"))
    with pytest.raises(AudioReadError, match=r"the sample at 0\.125 s is NaN"):
        load_audio(path)
    assert not check_audio([path]).ok[0]


def test_absurd_rates_are_refused(tmp_path):
    path = tmp_path / "a.mka"
    path.write_bytes(files.encoded(files.samples(8000, 1), 50, "matroska", "pcm_s16le"))
    with pytest.raises(AudioReadError, match="a sampling rate of 50 Hz"):
        load_audio(path)


@pytest.mark.parametrize("kind", ["MKA (PCM)", "MOV (PCM)"])
def test_a_file_without_samples_is_refused(tmp_path, kind):
    _, muxer, codec, rate = files.CONTAINERS[kind]
    path = tmp_path / "empty"
    path.write_bytes(files.encoded(np.zeros((1, 1), np.float32), rate, muxer, codec))
    assert len(load_audio(path)[0]) == 1
    buffer = io.BytesIO()
    with av.open(buffer, "w", format=muxer) as container:
        container.add_stream(codec, rate=rate, layout="mono")
        container.start_encoding()
    path.write_bytes(buffer.getvalue())
    with pytest.raises(
        AudioReadError, match=r"empty': (contains no audio|.* before its first sample)"
    ):
        load_audio(path)


@pytest.mark.parametrize(
    ("rate", "n_channels", "change"),
    [(32_000, 1, "32000 Hz and 1"), (16_000, 2, "16000 Hz and 2")],
)
def test_a_stream_that_changes_is_refused(tmp_path, rate, n_channels, change):
    other = files.encoded(files.samples(rate, n_channels), rate, "adts", "aac")
    path = tmp_path / "a.aac"
    path.write_bytes(files.written("AAC") + other)
    with pytest.raises(AudioReadError, match=f"from 16000 Hz and 1 channel.* to {change} channel"):
        load_audio(path)


def test_joined_streams_are_read_whole(tmp_path):
    path = tmp_path / "a.aac"
    path.write_bytes(2 * files.written("AAC"))
    assert len(load_audio(path)[0]) == 2 * len(load_audio(put(tmp_path, "AAC"))[0])


def test_files_that_decode_endlessly_are_refused(tmp_path, monkeypatch):
    monkeypatch.setattr(_frames, "_MAX_FRAMES_PER_BYTE", 1)
    with pytest.raises(AudioReadError, match="repeats itself"):
        load_audio(put(tmp_path, "AAC"))


@pytest.mark.parametrize(
    "text", ["#EXTM3U\n#EXTINF:1,\n{0}\n", "ffconcat version 1.0\nfile {0}\n", "v=0\nm=audio 0 {0}"]
)
def test_lists_that_name_other_files_are_not_followed(tmp_path, text):
    other = put(tmp_path, "AAC")
    path = tmp_path / "list.m4a"
    path.write_text(text.format(other))
    with pytest.raises(AudioReadError, match="not readable as audio"):
        load_audio(path)


@pytest.mark.parametrize("number", range(len(files.KINDS)))
def test_damaged_files_end_in_samples_or_in_an_error(tmp_path, capfd, number):
    if sys.platform != "linux":
        pytest.skip("the benchmark is for Linux")
    from benchmarks import fuzz

    for i in range(4):
        case = files.case(7, number + i * len(files.KINDS))
        path = tmp_path / f"{i}{case.extension}"
        path.write_bytes(case.content)
        outcome, defects = fuzz.examine(str(path))
        assert not defects, f"{case.number} ({case.mutations}): {defects}"
        assert outcome in (fuzz.READ, fuzz.REFUSED)
    ctypes.CDLL(None).fflush(None)
    assert capfd.readouterr() == ("", "")


def test_a_seed_gives_the_same_files_in_every_process():
    code = "from benchmarks._containers import case; import hashlib\n"
    code += "for n in range(44): print(hashlib.md5(case(7, n).content).hexdigest())"
    root = Path(files.__file__).parents[1]
    run = subprocess.run(
        [sys.executable, "-c", code], cwd=root, capture_output=True, text=True, check=True
    )
    expected = [hashlib.md5(files.case(7, number).content).hexdigest() for number in range(44)]
    assert run.stdout.split() == expected

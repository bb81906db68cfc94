"""Parts of long recordings that FFmpeg reads."""

import os
import warnings
from concurrent.futures import ThreadPoolExecutor
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
from skdaf._audio.formats.ffmpeg import decoder as _decoder
from skdaf._audio.formats.ffmpeg import frames as _frames
from skdaf._audio.formats.ffmpeg.decoder import idle_decoders
from skdaf._audio.formats.ffmpeg.files import FFmpegFile
from skdaf._audio.opening import open_audio
from skdaf._audio.reading import read_info

av = pytest.importorskip("av")


def test_successive_windows_are_decoded_once(tmp_path, decoded):
    path = put(tmp_path, "AAC", seconds=20.0)
    n_frames, rate = read_info(Clip(path)).n_frames, 16_000
    assert sum(decoded) == n_frames
    whole, _ = load_audio(path)
    # It is short enough to be kept as a whole.
    assert sum(decoded) == n_frames
    windows = [(start, start + 16_000) for start in range(0, n_frames - 16_000, 4000)]
    for first, last in windows:
        part, _ = load_audio(path, start=first / rate, end=last / rate)
        np.testing.assert_array_equal(part, whole[first:last])
    assert sum(decoded) == n_frames


def test_a_long_recording_is_decoded_once_for_its_length_and_once_for_its_windows(
    tmp_path, decoded, monkeypatch
):
    monkeypatch.setattr(_decoder, "_KEPT_SAMPLES", 40_000)
    monkeypatch.setattr(_frames, "_BLOCK_SAMPLES", 5000)
    path = put(tmp_path, "AAC", seconds=20.0)
    n_frames, rate = read_info(Clip(path)).n_frames, 16_000
    windows = [(start, start + 16_000) for start in range(0, n_frames - 16_000, 4000)]
    parts = [load_audio(path, start=a / rate, end=b / rate)[0] for a, b in windows]
    assert sum(decoded) <= 2 * n_frames
    backwards = [load_audio(path, start=a / rate, end=b / rate)[0] for a, b in windows[::-7]]
    monkeypatch.undo()
    idle_decoders.clear()
    whole, _ = load_audio(path)
    for (first, last), part in zip(windows, parts, strict=True):
        np.testing.assert_array_equal(part, whole[first:last])
    for (first, last), part in zip(windows[::-7], backwards, strict=True):
        np.testing.assert_array_equal(part, whole[first:last])


def test_a_decoder_keeps_a_bounded_number_of_samples(tmp_path, monkeypatch):
    monkeypatch.setattr(_decoder, "_KEPT_SAMPLES", 40_000)
    monkeypatch.setattr(_frames, "_BLOCK_SAMPLES", 5000)
    for number in range(2 * _decoder._MAX_IDLE):
        load_audio(put(tmp_path, "AAC", 2, name=f"{number}.aac", seconds=20.0))
    decoders = idle_decoders._decoders.values()
    assert len(decoders) == _decoder._MAX_IDLE
    for decoder in decoders:
        assert sum(block.size for block in decoder._kept) <= 40_000 + 2 * 5000 + 4096


@pytest.mark.skipif(not os.path.isdir("/proc/self/fd"), reason="needs /proc")
def test_a_waiting_decoder_keeps_no_file_open(tmp_path):
    path = put(tmp_path, "M4A (AAC)", seconds=5.0)
    load_audio(path, end=0.5)
    assert idle_decoders._decoders
    (tmp_path / "cut.m4a").write_bytes(Path(path).read_bytes()[:2000])
    with pytest.raises(AudioReadError):
        load_audio(tmp_path / "cut.m4a")
    links = [f"/proc/self/fd/{name}" for name in os.listdir("/proc/self/fd")]
    opened = [os.readlink(link) for link in links if os.path.exists(link)]
    assert [name for name in opened if name.startswith(str(tmp_path))] == []


def test_a_file_that_is_replaced_is_read_again(tmp_path):
    path = put(tmp_path, "AAC")
    first, _ = load_audio(path)
    Path(path).write_bytes(files.written("AAC", 1, 1.0))
    assert len(load_audio(path)[0]) > 2 * len(first)
    Path(path).write_bytes(files.written("AAC", 2))
    assert check_audio([path]).channels[0] == 2


def test_a_file_that_changes_while_it_is_read_is_named(tmp_path, monkeypatch):
    path = put(tmp_path, "AAC", seconds=5.0)
    monkeypatch.setattr(_decoder, "_KEPT_SAMPLES", 20_000)
    with open_audio(path) as file:  # known, and at its end
        assert file.frames > 80_000
    facts = next(iter(idle_decoders._decoders.values()))._facts
    Path(path).write_bytes(files.written("AAC", 2, 5.0))
    with pytest.raises(AudioReadError, match=r"sound\.aac': has changed while it was read"):
        FFmpegFile(path, facts)


def test_threads_read_one_file_at_the_same_time(tmp_path):
    path, rate = put(tmp_path, "AAC", seconds=3.0), 16_000
    whole, _ = load_audio(path)
    starts = [*range(0, 32_000, 1000)] * 3

    def read(start):
        return load_audio(path, start=start / rate, end=(start + 8000) / rate)[0]

    with ThreadPoolExecutor(6) as pool:
        for start, part in zip(starts, pool.map(read, starts), strict=True):
            np.testing.assert_array_equal(part, whole[start : start + 8000])


@pytest.mark.skipif(not hasattr(os, "fork"), reason="needs fork")
def test_a_forked_child_continues_where_its_parent_was(tmp_path):
    path = put(tmp_path, "AAC", seconds=3.0)
    whole, rate = load_audio(path)
    load_audio(path, start=1.0, end=1.5)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", DeprecationWarning)  # of forks with threads
        child = os.fork()
    if not child:
        part, _ = load_audio(path, start=1.25, end=1.75)
        os._exit(not np.array_equal(part, whole[round(1.25 * rate) : round(1.75 * rate)]))
    assert os.waitpid(child, 0)[1] == 0
    np.testing.assert_array_equal(load_audio(path, start=1.5)[0], whole[round(1.5 * rate) :])


def test_one_thread_decodes(tmp_path):
    with av.open(put(tmp_path, "M4A (AAC)")) as container:
        assert _frames._sound_of(container).codec_context.thread_count == 1

"""Damaged ALAC files give one answer, wherever reading begins."""

import numpy as np
import pytest
import soundfile as sf
from helpers import check_read_as

from skdaf import AudioReadError, Clip, load_audio
from skdaf._audio.statistics import read_statistics

RATE = 8000
GIB = 2**30


@pytest.fixture
def path(tmp_path):
    return tmp_path / "sound"


@pytest.mark.parametrize("seed", range(8))
def test_a_damaged_alac_file_gives_one_answer_wherever_reading_begins(path, seed):
    rng = np.random.default_rng(seed)
    t = np.arange(100_000) / RATE
    tone = 0.4 * np.sin(2 * np.pi * 440 * t) + 0.01 * rng.standard_normal(len(t))
    sf.write(path, tone, RATE, format="CAF", subtype="ALAC_16")
    content = bytearray(path.read_bytes())
    first = content.index(b"pakt") + 12 if seed % 2 else content.index(b"data") + 16
    for _ in range(3):
        place = rng.integers(first, first + 100 if seed % 2 else len(content) - 9)
        content[place : place + 8] = rng.bytes(8)
    path.write_bytes(content)
    try:
        whole = load_audio(path)[0]
    except AudioReadError as error:
        whole, message = None, str(error)
    for start in range(0, 100_000, 9000):
        if whole is not None:
            part = load_audio(path, start=start / RATE, end=start / RATE + 0.1)[0]
            np.testing.assert_array_equal(part, whole[start : start + 800])
            continue
        with pytest.raises(AudioReadError) as info:
            load_audio(path, start=start / RATE, end=start / RATE + 0.1)
        assert str(info.value) == message or "the clip starts at" in str(info.value)


def test_whole_alac_files_are_read_without_joints(path):
    tone = 0.4 * np.sin(np.arange(150_000) / 7)
    sf.write(path, tone, RATE, format="CAF", subtype="ALAC_16")
    expected = sf.read(path, dtype="float32")[0]
    check_read_as(path, expected)
    assert read_statistics(Clip(path)).info.n_frames == 150_000

"""check_audio finds channels that cancel each other out, and odd durations."""

import numpy as np
import pytest
from helpers import CASES, DATA, write_audio

from skdaf import Clip, check_audio

pytestmark = pytest.mark.oldest


def stereo(path, left, right, **options):
    return write_audio(path, np.column_stack([left, right]), 16_000, **options)


HISS = np.random.default_rng(2).uniform(-0.5, 0.5, 16_000)
OTHER_HISS = np.random.default_rng(3).uniform(-0.5, 0.5, 16_000)


@pytest.mark.parametrize(
    ("left", "right", "cancels"),
    [
        (HISS, -HISS, True),
        (HISS, -0.995 * HISS, True),  # 46 dB
        (HISS, -HISS + 1e-3 * OTHER_HISS, True),
        (HISS + 0.1, -HISS + 0.1, True),  # an offset is no sound
        (HISS, -0.9 * HISS, False),
        (HISS, HISS, False),
        (HISS, OTHER_HISS, False),
        (HISS, 0 * HISS, False),
        (0 * HISS, 0 * HISS, False),
        (1e-5 * HISS, -1e-5 * HISS, False),  # silence anyway
        (0 * HISS + 0.25, 0 * HISS + 0.25, False),
    ],
)
def test_channels_that_cancel_are_flagged(tmp_path, left, right, cancels):
    path = stereo(tmp_path / "a.wav", left, right, subtype="FLOAT")
    assert check_audio([path]).cancels[0] == cancels


@pytest.mark.parametrize(("format_", "subtype"), [("OGG", "VORBIS"), ("MP3", "MPEG_LAYER_III")])
def test_opposite_channels_of_lossy_codecs_are_flagged(tmp_path, format_, subtype):
    tone = 0.4 * np.sin(np.arange(32_000) * 0.17) * np.hanning(32_000)
    path = stereo(tmp_path / "a", tone, -tone, format=format_, subtype=subtype)
    assert check_audio([path]).cancels[0]
    path = stereo(tmp_path / "b", tone, 0.5 * tone, format=format_, subtype=subtype)
    assert not check_audio([path]).cancels[0]


@pytest.mark.parametrize("n_channels", [1, 3, 64, 1000])
def test_one_loud_channel_of_many_does_not_cancel(tmp_path, n_channels):
    samples = np.zeros((200, n_channels))
    samples[:, n_channels // 2] = HISS[:200]
    assert not check_audio([write_audio(tmp_path / "a.wav", samples, 8000)]).cancels[0]


def test_channels_that_cancel_are_found_in_blocks_of_any_size_and_in_parts(tmp_path, monkeypatch):
    silence = np.zeros(8000)
    left = np.concatenate([HISS[:8000], silence, HISS])
    right = np.concatenate([HISS[:8000], silence, -HISS])
    path = stereo(tmp_path / "a.wav", left, right)
    clips = [Clip(path), Clip(path, 0, 0.5), Clip(path, 0.5, 1), Clip(path, 1)]
    assert list(check_audio(clips).cancels) == [False, False, False, True]
    monkeypatch.setattr("skdaf._audio.formats.audio_file.BLOCK_SAMPLES", 999)
    assert list(check_audio(clips).cancels) == [False, False, False, True]


def test_the_given_file_cancels():
    path = CASES / "audio" / "antiphase.wav"
    if not path.is_file():
        pytest.skip(f"there is no {path}")
    row = check_audio([path]).loc[0]
    assert row.ok
    assert row.cancels


def odd(folder, seconds):
    path = write_audio(folder / "long.wav", np.zeros(round(100 * max(seconds)) + 1), 100)
    return list(check_audio([Clip(path, 0, s) for s in seconds]).odd_duration)


@pytest.mark.parametrize("far", [0.01, 0.2, 5.0, 60.0])
@pytest.mark.parametrize("n", [3, 4, 10, 30])
def test_a_duration_far_from_the_others_is_flagged(tmp_path, far, n):
    seconds = [*np.random.default_rng(0).uniform(0.95, 1.05, n - 1), far]
    assert odd(tmp_path, seconds) == [False] * (n - 1) + [True]


def test_a_few_far_ones_do_not_hide_each_other(tmp_path):
    assert odd(tmp_path, [1.0] * 38 + [60.0, 70.0, 0.01, 0.02]) == [False] * 38 + [True] * 4


@pytest.mark.parametrize(
    "seconds",
    [
        [1.0] * 20,
        [1.0, 3.0] * 10,
        [5.0] * 19 + [2.0],  # cut short
        [1.0] * 12 + [10.0] * 4,  # two kinds
        [1.0, 60.0],
        np.exp(np.random.default_rng(0).normal(size=300)),
        np.random.default_rng(0).uniform(0.2, 2.0, 300),
        np.random.default_rng(0).exponential(5.0, 200) + 0.5,
    ],
)
def test_ordinary_durations_are_not_flagged(tmp_path, seconds):
    assert not any(odd(tmp_path, seconds))


def test_durations_of_parts_count_and_files_that_cannot_be_read_do_not(tmp_path):
    path = write_audio(tmp_path / "a.wav", np.zeros(80_000), 8000)
    clips = [Clip(path, i, i + 1) for i in range(9)]
    report = check_audio([*clips, Clip(path), "gone.wav"])
    assert list(report.odd_duration) == [False] * 9 + [True, False]


@pytest.mark.parametrize("name", ["fsdd", "esc10", "emodb4", "heart"])
def test_no_real_set_has_clips_that_cancel_or_more_than_a_few_odd_ones(name):
    folder = DATA / name
    if not folder.is_dir():
        pytest.skip(f"no recordings in {folder}")
    paths = sorted(path for path in folder.rglob("*") if path.suffix in (".wav", ".ogg", ".flac"))
    report = check_audio(paths[::7])
    assert not report.cancels.any()
    assert not report.odd_duration.any()

import io
import os
import sys
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
import soundfile as sf
import torch
from helpers import CASES, DATA

from skdaf import Clip, check_audio

pytestmark = pytest.mark.oldest

COLUMNS = [
    "path",
    "start",
    "end",
    "ok",
    "problem",
    "duration",
    "sampling_rate",
    "channels",
    "format",
    "subtype",
    "peak",
    "silent",
    "clipped",
    "cancels",
    "odd_duration",
    "duplicate_of",
]


def write(path, samples, rate=8000, **options):
    sf.write(path, samples, rate, **options)
    return str(path)


@pytest.fixture
def good(tmp_path):
    samples = np.zeros((4000, 2))
    samples[1000:3000, 1] = -0.5
    return write(tmp_path / "good.wav", samples, 16000, subtype="PCM_24")


@pytest.fixture
def bad(tmp_path):
    """One file of every sort that cannot be read, and a part of its problem."""
    files = {
        "gone.wav": "no such file",
        "empty.wav": "empty",
        "text.wav": "not readable as audio",
        "folder": "is a folder",
        "none.wav": "no samples",
        "nan.wav": "NaN",
        "cut.flac": "not readable as audio|truncated",
        "slow.wav": "50 Hz",
    }
    (tmp_path / "empty.wav").touch()
    (tmp_path / "text.wav").write_text("not a sound")
    (tmp_path / "folder").mkdir()
    write(tmp_path / "none.wav", np.zeros(0))
    write(tmp_path / "nan.wav", np.full(10, np.nan), subtype="FLOAT")
    noise = np.random.default_rng(0).uniform(-0.5, 0.5, 20000)
    content = (tmp_path / write(tmp_path / "cut.flac", noise)).read_bytes()
    (tmp_path / "cut.flac").write_bytes(content[: len(content) // 2])
    write(tmp_path / "slow.wav", np.zeros(10), 50)
    if sys.platform != "win32":
        os.mkfifo(tmp_path / "pipe.wav")
        files["pipe.wav"] = "not a regular file"
    return {str(tmp_path / name): problem for name, problem in files.items()}


def test_every_column_of_a_good_file(good):
    report = check_audio([good])
    assert list(report.columns) == COLUMNS
    row = report.loc[0]
    assert row["path"] == good
    assert row["start"] == 0
    assert np.isnan(row["end"])
    assert row["ok"]
    assert row["problem"] == ""
    assert row["duration"] == 0.25
    assert row["sampling_rate"] == 16000
    assert row["channels"] == 2
    assert (row["format"], row["subtype"]) == ("WAV", "PCM_24")
    # The loudest channel counts, not the mixture.
    assert row["peak"] == 0.5
    assert not row["silent"]
    assert not row["clipped"]
    assert row["duplicate_of"] == ""


def test_every_column_of_a_missing_file():
    row = check_audio([Clip("gone.wav", 1, 2)]).loc[0]
    assert (row["path"], row["start"], row["end"]) == ("gone.wav", 1, 2)
    assert not row["ok"]
    assert row["problem"] == "'gone.wav': no such file"
    assert row[["duration", "sampling_rate", "channels", "peak"]].isna().all()
    assert (row["format"], row["subtype"]) == ("", "")
    assert not row["silent"]
    assert not row["clipped"]
    assert row["duplicate_of"] == ""


def test_columns_have_the_same_types_whatever_the_files(good):
    dtypes = check_audio([good, "gone.wav"]).dtypes
    for X in ([good], ["gone.wav"], [Clip(good, 0.1)], [Clip(good, 0, 0.1)]):
        pd.testing.assert_series_equal(check_audio(X).dtypes, dtypes)
    assert set(dtypes[["ok", "silent", "clipped", "cancels", "odd_duration"]].astype(str)) == {
        "bool"
    }
    assert set(dtypes[["start", "end", "duration", "peak"]].astype(str)) == {"float64"}
    assert set(dtypes[["sampling_rate", "channels"]].astype(str)) == {"Int64"}


def test_every_problem_is_told_without_raising(bad):
    report = check_audio(list(bad))
    assert not report["ok"].any()
    for (path, problem), told in zip(bad.items(), report["problem"], strict=True):
        assert told.startswith(repr(path))
        assert any(part in told for part in problem.split("|")), told


def test_the_order_of_the_clips_is_kept(good, bad):
    paths = [good, *bad, good]
    order = np.random.default_rng(0).permutation(len(paths))
    X = [paths[i] for i in order]
    report = check_audio(X)
    assert list(report["path"]) == X
    assert list(report["ok"]) == [path == good for path in X]


def test_a_clip_is_told_as_its_own_part(good):
    first, rest = check_audio([Clip(good, 0, 0.0625), Clip(good, 0.0625, 99)]).to_dict("records")
    assert (first["end"], first["duration"], first["peak"], first["silent"]) == (
        0.0625,
        0.0625,
        0,
        True,
    )
    assert (rest["start"], rest["end"], rest["duration"], rest["peak"]) == (
        0.0625,
        99,
        0.1875,
        0.5,
    )


def test_a_clip_that_begins_behind_the_end_is_a_problem(good):
    report = check_audio([Clip(good, 3)])
    assert "starts at 3 s" in report.loc[0, "problem"]


def test_paths_are_strings_whatever_they_were(good, tmp_path):
    report = check_audio([good, tmp_path / "good.wav", Clip(tmp_path / "good.wav")])
    assert list(report["path"]) == [good] * 3
    assert {type(path) for path in report["path"]} == {str}


def test_a_report_can_be_checked_again(good):
    report = check_audio([Clip(good, 0.1), good, Clip("gone.wav", 0, 1)])
    pd.testing.assert_frame_equal(check_audio(report), report)
    labelled = check_audio(report, [1, 2, 1])
    pd.testing.assert_frame_equal(check_audio(labelled, labelled.label), labelled)


@pytest.mark.parametrize(("level", "silent"), [(0, True), (0.99e-4, True), (1.01e-4, False)])
def test_silent_is_a_peak_80_db_below_full_scale(tmp_path, level, silent):
    samples = np.zeros(100)
    samples[50] = -level
    report = check_audio([write(tmp_path / "a.wav", samples, subtype="FLOAT")])
    assert report.loc[0, "silent"] == silent
    assert report.loc[0, "peak"] == np.float32(level)


@pytest.mark.parametrize("sign", [1, -1])
@pytest.mark.parametrize(("n", "clipped"), [(0, False), (2, False), (3, True), (5, True)])
@pytest.mark.parametrize("place", ["start", "middle", "end"])
def test_clipped_is_three_samples_in_a_row_at_full_scale(tmp_path, sign, n, clipped, place):
    samples = np.full(50, 0.5)
    at = {"start": 0, "middle": 20, "end": 50 - n}[place]
    samples[at : at + n] = sign
    report = check_audio([write(tmp_path / "a.wav", samples, subtype="PCM_16")])
    assert report.loc[0, "clipped"] == clipped


def test_full_samples_that_are_no_neighbours_are_not_clipped(tmp_path):
    samples = np.zeros((60, 2))
    samples[::2, 0] = 1
    samples[10:12, 1] = 1
    samples[13:15, 1] = 1
    assert not check_audio([write(tmp_path / "a.wav", samples)]).loc[0, "clipped"]


def test_just_below_full_scale_is_not_clipped(tmp_path):
    path = write(tmp_path / "a.wav", np.full(50, 0.999), subtype="FLOAT")
    assert not check_audio([path]).loc[0, "clipped"]


def test_a_clipped_channel_is_enough(tmp_path):
    samples = np.zeros((50, 2))
    samples[10:13, 1] = 1
    assert check_audio([write(tmp_path / "a.wav", samples)]).loc[0, "clipped"]


def test_very_short_files_are_told(tmp_path):
    report = check_audio([write(tmp_path / f"{n}.wav", np.ones(n)) for n in (1, 2, 3)])
    assert report["ok"].all()
    assert list(report["clipped"]) == [False, False, True]


def test_two_workers_make_the_same_table(good, bad):
    X = [good, *bad] * 10
    pd.testing.assert_frame_equal(check_audio(X, n_jobs=2), check_audio(X))


# Copies, and labels that contradict each other.


# Whole numbers: formats round others in their own ways.
NOISE = np.random.default_rng(1).integers(-10_000, 10_000, (4000, 2), dtype=np.int16)


@pytest.fixture
def copies(tmp_path):
    """Return {name: path}: the same samples in many files, and some that differ by little."""
    other = NOISE.copy()
    other[-1, 1] += 1
    paths = {
        "first": write(tmp_path / "first.wav", NOISE, subtype="PCM_16"),
        "flac": write(tmp_path / "copy.flac", NOISE, subtype="PCM_16"),
        "chunks": write(tmp_path / "x.wav", NOISE, format="WAVEX", subtype="PCM_16"),
        "last sample": write(tmp_path / "other.wav", other, subtype="PCM_16"),
        "rate": write(tmp_path / "rate.wav", NOISE, 8001, subtype="PCM_16"),
        "swapped": write(tmp_path / "swapped.wav", NOISE[:, ::-1], subtype="PCM_16"),
        "shorter": write(tmp_path / "shorter.wav", NOISE[:-1], subtype="PCM_16"),
        "one channel": write(tmp_path / "flat.wav", NOISE.reshape(-1), subtype="PCM_16"),
    }
    return {name: str(path) for name, path in paths.items()}


def test_copies_are_told_whatever_file_they_lie_in(copies):
    report = check_audio(list(copies.values())).set_index(pd.Index(copies))
    assert list(report.index[report.duplicate_of != ""]) == ["flac", "chunks"]
    assert set(report.duplicate_of) == {"", copies["first"]}


def test_copies_point_to_the_first_of_them(copies):
    X = [copies["flac"], copies["rate"], copies["first"], copies["flac"]]
    assert list(check_audio(X).duplicate_of) == ["", "", copies["flac"], copies["flac"]]


def test_parts_are_copies_of_parts(copies):
    X = [Clip(copies["first"], 0, 0.25), copies["first"], Clip(copies["flac"], 0, 0.25)]
    assert list(check_audio(X).duplicate_of) == ["", "", copies["first"]]


def test_copies_are_found_in_blocks_of_any_size(copies, monkeypatch):
    expected = check_audio(list(copies.values()))
    monkeypatch.setattr("skdaf._audio.formats.audio_file.BLOCK_SAMPLES", 999)
    pd.testing.assert_frame_equal(check_audio(list(copies.values())), expected)


def test_what_cannot_be_read_is_no_copy(bad):
    report = check_audio([*bad, *bad], [*range(len(bad)), *range(1, len(bad) + 1)])
    assert (report.duplicate_of == "").all()
    assert not report.label_conflict.any()


@pytest.mark.parametrize("kind", [list, np.array, pd.Series, pd.Categorical])
@pytest.mark.parametrize("classes", [("dog", "rain"), (1, 2), (False, True)])
def test_one_sound_under_two_labels_is_a_conflict(copies, kind, classes):
    a, b = classes
    X = [copies[name] for name in ("first", "rate", "flac", "last sample", "chunks")]
    report = check_audio(X, kind([a, b, b, a, a]))
    assert list(report.columns) == [*COLUMNS, "label", "label_conflict"]
    assert list(report.label) == [a, b, b, a, a]
    # All that share the sound are named: which label is wrong is not known.
    assert list(report.label_conflict) == [True, False, True, False, True]
    assert report.label_conflict.dtype == bool
    assert not check_audio(X, kind([a, b, a, b, a])).label_conflict.any()


def test_labels_change_no_other_column(good, bad):
    X = [good, *bad, good]
    labelled = check_audio(X, range(len(X)))
    pd.testing.assert_frame_equal(labelled[COLUMNS], check_audio(X))


def test_labels_of_a_series_belong_to_the_clips_in_order(copies):
    y = pd.Series(["a", "b"], index=[7, 3])
    report = check_audio([copies["first"], copies["flac"]], y)
    assert list(report.label) == ["a", "b"]
    assert report.label_conflict.all()


def test_there_must_be_a_label_for_every_clip(good):
    with pytest.raises(ValueError, match="inconsistent numbers of samples"):
        check_audio([good, good], ["a"])


@pytest.mark.parametrize(
    "X", [np.zeros((3, 100)), [np.zeros(10), np.zeros(9)], np.zeros((2, 3, 4))]
)
def test_waveforms_are_refused(X):
    with pytest.raises(TypeError, match="check_audio looks at files"):
        check_audio(X)


def test_a_bare_path_is_refused(good):
    with pytest.raises(TypeError, match=r"pass \[path\]"):
        check_audio(good)


def test_the_progress_bar_is_asked_for(good, capfd):
    check_audio([good])
    assert capfd.readouterr() == ("", "")
    check_audio([good], verbose=1)
    assert "Checking" in capfd.readouterr().err


def test_sounds_in_memory_are_looked_at_like_files(good, bad):
    samples, rate = sf.read(good, dtype="float32")
    sounds = [good, (samples, rate), io.BytesIO(Path(good).read_bytes()), io.BytesIO(b"")]
    sounds += [(np.array([0.0, np.nan]), rate)]
    report = check_audio(sounds, torch.tensor([1, 2, 1, 1, 1]))
    assert report.path.tolist() == [good, "X[1]", "X[2]", "X[3]", "X[4]"]
    assert report.ok.tolist() == [True, True, True, False, False]
    assert report.duplicate_of.tolist()[1:3] == [good, good]
    assert report.label_conflict.tolist() == [True, True, True, False, False]
    assert report.channels.tolist()[:3] == [2, 2, 2]
    assert "the file is empty" in report.problem[3]
    assert "is NaN" in report.problem[4]


@pytest.mark.parametrize("n_channels", [1, 2, 3])
def test_channels_of_sounds_in_memory_may_come_first_or_last(n_channels):
    samples = np.random.default_rng(0).uniform(-0.5, 0.5, (n_channels, 800))
    report = check_audio([(samples, 8000), (samples.T, 8000)])
    assert report.channels.tolist() == [n_channels] * 2
    assert report.duplicate_of.tolist() == ["", "X[0]"]


def test_waveforms_without_a_rate_are_told_of_pairs():
    with pytest.raises(TypeError, match=r"\[\(samples, sampling_rate\), \.\.\.\]"):
        check_audio([np.zeros(100)])


# Channels that cancel each other out.


def stereo(path, left, right, **options):
    return write(path, np.column_stack([left, right]), 16_000, **options)


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
    assert not check_audio([write(tmp_path / "a.wav", samples)]).cancels[0]


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


# Durations.


def odd(folder, seconds):
    path = write(folder / "long.wav", np.zeros(round(100 * max(seconds)) + 1), 100)
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
    path = write(tmp_path / "a.wav", np.zeros(80_000), 8000)
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


def test_names_that_are_not_utf8_also_beside_pyarrow(good, tmp_path):
    pytest.importorskip("pyarrow")
    path = os.path.join(os.fsencode(tmp_path), b"\xff.wav")
    try:
        Path(os.fsdecode(path)).write_bytes(Path(good).read_bytes())
    except OSError:
        pytest.skip("this file system holds no such names")
    report = check_audio([os.fsdecode(path), good], ["\udcff", "a"])
    assert report.path[0] == os.fsdecode(path)
    assert report.ok.all()

"""check_audio reports what can be read."""

import io
import os
import sys
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
import soundfile as sf
import torch
from helpers import write_audio
from scipy.sparse import csr_matrix

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
    "cut_off",
    "odd_duration",
    "duplicate_of",
]


@pytest.fixture
def good(tmp_path):
    samples = np.zeros((4000, 2))
    samples[1000:3000, 1] = -0.5
    return write_audio(tmp_path / "good.wav", samples, 16000, subtype="PCM_24")


@pytest.fixture
def bad(tmp_path):
    """One file of each kind that cannot be read, and a part of its problem."""
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
    write_audio(tmp_path / "none.wav", np.zeros(0), 8000)
    write_audio(tmp_path / "nan.wav", np.full(10, np.nan), 8000, subtype="FLOAT")
    noise = np.random.default_rng(0).uniform(-0.5, 0.5, 20000)
    content = (tmp_path / write_audio(tmp_path / "cut.flac", noise, 8000)).read_bytes()
    (tmp_path / "cut.flac").write_bytes(content[: len(content) // 2])
    write_audio(tmp_path / "slow.wav", np.zeros(10), 50)
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
    assert row["problem"] == "no such file"
    assert row[["duration", "sampling_rate", "channels", "peak"]].isna().all()
    assert (row["format"], row["subtype"]) == ("", "")
    assert not row["silent"]
    assert not row["clipped"]
    assert row["duplicate_of"] == ""


def test_columns_have_the_same_types_for_all_files(good):
    dtypes = check_audio([good, "gone.wav"]).dtypes
    for X in ([good], ["gone.wav"], [Clip(good, 0.1)], [Clip(good, 0, 0.1)]):
        pd.testing.assert_series_equal(check_audio(X).dtypes, dtypes)
    assert set(
        dtypes[["ok", "silent", "clipped", "cancels", "cut_off", "odd_duration"]].astype(str)
    ) == {"bool"}
    assert set(dtypes[["start", "end", "duration", "peak"]].astype(str)) == {"float64"}
    assert set(dtypes[["sampling_rate", "channels"]].astype(str)) == {"Int64"}


def test_every_problem_is_reported_without_raising(bad):
    report = check_audio(list(bad))
    assert not report["ok"].any()
    for (path, problem), shown in zip(bad.items(), report["problem"], strict=True):
        assert repr(path) not in shown
        assert any(part in shown for part in problem.split("|")), shown


def test_the_order_of_the_clips_is_kept(good, bad):
    paths = [good, *bad, good]
    order = np.random.default_rng(0).permutation(len(paths))
    X = [paths[i] for i in order]
    report = check_audio(X)
    assert list(report["path"]) == X
    assert list(report["ok"]) == [path == good for path in X]


def test_a_clip_is_reported_with_its_times(good):
    first, rest = check_audio([Clip(good, 0, 0.0625), Clip(good, 0.0625, 0.5)]).to_dict("records")
    assert (first["end"], first["duration"], first["peak"], first["silent"]) == (
        0.0625,
        0.0625,
        0,
        True,
    )
    assert (rest["start"], rest["end"], rest["duration"], rest["peak"]) == (
        0.0625,
        0.5,
        0.1875,
        0.5,
    )


def test_a_clip_that_starts_after_the_end_is_a_problem(good):
    report = check_audio([Clip(good, 3)])
    assert "starts at 3 s" in report.loc[0, "problem"]


def test_a_clip_that_ends_far_after_the_end_is_a_problem(good):
    report = check_audio([Clip(good, 0, 250)])
    assert "ends at 250 s, but the file ends at 0.25 s" in report.loc[0, "problem"]


def test_paths_become_strings(good, tmp_path):
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
    report = check_audio([write_audio(tmp_path / "a.wav", samples, 8000, subtype="FLOAT")])
    assert report.loc[0, "silent"] == silent
    assert report.loc[0, "peak"] == np.float32(level)


@pytest.mark.parametrize("sign", [1, -1])
@pytest.mark.parametrize(("n", "clipped"), [(0, False), (2, False), (3, True), (5, True)])
@pytest.mark.parametrize("place", ["start", "middle", "end"])
def test_clipped_is_three_samples_in_a_row_at_full_scale(tmp_path, sign, n, clipped, place):
    samples = np.full(50, 0.5)
    at = {"start": 0, "middle": 20, "end": 50 - n}[place]
    samples[at : at + n] = sign
    report = check_audio([write_audio(tmp_path / "a.wav", samples, 8000, subtype="PCM_16")])
    assert report.loc[0, "clipped"] == clipped


def test_full_samples_that_are_not_successive_are_not_clipped(tmp_path):
    samples = np.zeros((60, 2))
    samples[::2, 0] = 1
    samples[10:12, 1] = 1
    samples[13:15, 1] = 1
    assert not check_audio([write_audio(tmp_path / "a.wav", samples, 8000)]).loc[0, "clipped"]


def test_just_below_full_scale_is_not_clipped(tmp_path):
    path = write_audio(tmp_path / "a.wav", np.full(50, 0.999), 8000, subtype="FLOAT")
    assert not check_audio([path]).loc[0, "clipped"]


def test_a_clipped_channel_is_enough(tmp_path):
    samples = np.zeros((50, 2))
    samples[10:13, 1] = 1
    assert check_audio([write_audio(tmp_path / "a.wav", samples, 8000)]).loc[0, "clipped"]


def test_very_short_files_are_reported(tmp_path):
    report = check_audio([write_audio(tmp_path / f"{n}.wav", np.ones(n), 8000) for n in (1, 2, 3)])
    assert report["ok"].all()
    assert list(report["clipped"]) == [False, False, True]


def test_two_workers_return_the_same_table(good, bad):
    X = [good, *bad] * 10
    pd.testing.assert_frame_equal(check_audio(X, n_jobs=2), check_audio(X))


def test_what_cannot_be_read_is_no_copy(bad):
    report = check_audio([*bad, *bad], [*range(len(bad)), *range(1, len(bad) + 1)])
    assert (report.duplicate_of == "").all()
    assert not report.label_conflict.any()


def test_labels_change_no_other_column(good, bad):
    X = [good, *bad, good]
    labelled = check_audio(X, range(len(X)))
    pd.testing.assert_frame_equal(labelled[COLUMNS], check_audio(X))


def test_there_must_be_a_label_for_every_clip(good):
    with pytest.raises(ValueError, match="inconsistent numbers of samples"):
        check_audio([good, good], ["a"])


@pytest.mark.parametrize(
    "X", [np.zeros((3, 100)), [np.zeros(10), np.zeros(9)], np.zeros((2, 3, 4))]
)
def test_waveforms_are_refused(X):
    with pytest.raises(TypeError, match="check_audio reads files"):
        check_audio(X)


def test_a_single_path_is_refused(good):
    with pytest.raises(TypeError, match=r"pass \[path\]"):
        check_audio(good)


def test_the_progress_bar_is_optional(good, capfd):
    check_audio([good])
    assert capfd.readouterr() == ("", "")
    check_audio([good], verbose=1)
    assert "Checking" in capfd.readouterr().err


def test_audio_in_memory_is_checked_like_files(good, bad):
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


def test_the_error_for_waveforms_without_a_rate_names_pairs():
    with pytest.raises(TypeError, match=r"\[\(samples, sampling_rate\), \.\.\.\]"):
        check_audio([np.zeros(100)])


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


def test_labels_of_an_indicator_are_compared_as_sets(sounds):
    files = [sounds.filenames[0], sounds.filenames[0], sounds.filenames[1], sounds.filenames[1]]
    y = pd.DataFrame({"rain": [1, 1, 1, 0], "dog": [1, 1, 0, 0]})
    for indicator in (y, csr_matrix(y), y.to_numpy().tolist()):
        report = check_audio(files, indicator)
        assert report.label_conflict.tolist() == [False, False, True, True]
    assert check_audio(files, y).label.tolist() == ["rain, dog", "rain, dog", "rain", ""]

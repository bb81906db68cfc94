"""check_audio finds copies, and labels that contradict each other."""

import numpy as np
import pandas as pd
import pytest
from helpers import write_audio

from skdaf import Clip, check_audio

pytestmark = pytest.mark.oldest


# Whole numbers: formats round others in their own ways.
NOISE = np.random.default_rng(1).integers(-10_000, 10_000, (4000, 2), dtype=np.int16)


@pytest.fixture
def copies(tmp_path):
    """Return {name: path}: the same samples in many files, and some that differ by little."""
    other = NOISE.copy()
    other[-1, 1] += 1
    paths = {
        "first": write_audio(tmp_path / "first.wav", NOISE, 8000, subtype="PCM_16"),
        "flac": write_audio(tmp_path / "copy.flac", NOISE, 8000, subtype="PCM_16"),
        "chunks": write_audio(tmp_path / "x.wav", NOISE, 8000, format="WAVEX", subtype="PCM_16"),
        "last sample": write_audio(tmp_path / "other.wav", other, 8000, subtype="PCM_16"),
        "rate": write_audio(tmp_path / "rate.wav", NOISE, 8001, subtype="PCM_16"),
        "swapped": write_audio(tmp_path / "swapped.wav", NOISE[:, ::-1], 8000, subtype="PCM_16"),
        "shorter": write_audio(tmp_path / "shorter.wav", NOISE[:-1], 8000, subtype="PCM_16"),
        "one channel": write_audio(
            tmp_path / "flat.wav", NOISE.reshape(-1), 8000, subtype="PCM_16"
        ),
    }
    return {name: str(path) for name, path in paths.items()}


def test_copies_are_found_in_files_of_any_format(copies):
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


@pytest.mark.parametrize("kind", [list, np.array, pd.Series, pd.Categorical])
@pytest.mark.parametrize("classes", [("dog", "rain"), (1, 2), (False, True)])
def test_one_sound_under_two_labels_is_a_conflict(copies, kind, classes):
    a, b = classes
    X = [copies[name] for name in ("first", "rate", "flac", "last sample", "chunks")]
    report = check_audio(X, kind([a, b, b, a, a]))
    assert list(report.columns) == [*check_audio(X).columns, "label", "label_conflict"]
    assert list(report.label) == [a, b, b, a, a]
    # All copies are flagged, because nobody knows which label is wrong.
    assert list(report.label_conflict) == [True, False, True, False, True]
    assert report.label_conflict.dtype == bool
    assert not check_audio(X, kind([a, b, a, b, a])).label_conflict.any()


def test_labels_of_a_series_belong_to_the_clips_in_order(copies):
    y = pd.Series(["a", "b"], index=[7, 3])
    report = check_audio([copies["first"], copies["flac"]], y)
    assert list(report.label) == ["a", "b"]
    assert report.label_conflict.all()

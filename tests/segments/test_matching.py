"""Tables that are named after another recording than the one that they are used for."""

import os

import pytest
import soundfile
from helpers import segment_table

from skdaf import clips_from_recordings, clips_from_segments, write_segments

NAMES = "SITE04_20260512.wav", "SITE05_20260513.wav", "yard.wav"


@pytest.fixture
def folder(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    for name in NAMES:
        soundfile.write(name, [0.0] * 1000, 1000)
    return tmp_path


def cut(recording, table):
    write_segments(segment_table((0, 1, "a")), table, format="raven")
    return clips_from_segments(recording, table)


@pytest.mark.parametrize(
    ("recording", "table", "other"),
    [
        (NAMES[1], "SITE04_20260512.Table.1.selections.txt", NAMES[0]),
        (NAMES[0], "yard.txt", "yard.wav"),
        # There is no such recording, but the name has the form of the other one.
        (NAMES[0], "SITE03_20260511.Table.1.selections.txt", "SITE03_20260511"),
    ],
)
def test_another_recording(folder, recording, table, other):
    with pytest.warns(UserWarning, match=f"{table}' is named after .* '{other}', but .*") as caught:
        cut(recording, table)
    assert caught[0].filename == __file__
    assert recording in str(caught[0].message)
    with pytest.warns(UserWarning, match="is named after") as caught:
        clips_from_recordings([recording], [table])
    assert caught[0].filename == __file__


def test_a_folder_is_listed_once(folder, monkeypatch):
    tables = [f"{number}_labels.csv" for number in range(len(NAMES))]
    for table in tables:
        write_segments(segment_table((0, 1, "a")), table)
    listed, list_folder = [], os.listdir

    def counting(path):
        listed.append(path)
        return list_folder(path)

    monkeypatch.setattr(os, "listdir", counting)
    clips_from_recordings([*NAMES], tables)
    assert listed == [str(folder)]


@pytest.mark.parametrize(
    ("recording", "table"),
    [
        (NAMES[0], "SITE04_20260512.Table.1.selections.txt"),
        (NAMES[0], "SITE04_20260512.wav.csv"),
        (NAMES[0], "truth.txt"),
        ("yard.wav", "annotations 2026.txt"),
    ],
)
def test_other_names_are_fine(folder, recording, table):
    cut(recording, table)  # pytest makes warnings errors

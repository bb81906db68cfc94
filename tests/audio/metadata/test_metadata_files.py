"""Files that a table names: where they are looked for, how they are spelled, and missing ones."""

import os
import re
import unicodedata
from pathlib import Path

import pandas as pd
import pytest
from helpers import naming, touch

from skdaf.datasets import load_audio_table


def frame(*paths):
    return pd.DataFrame({"path": paths, "label": "dog"})


def write_csv(path, *paths):
    path.parent.mkdir(parents=True, exist_ok=True)
    frame(*paths).to_csv(path, index=False)
    return path


def test_paths_start_from_the_folder_of_the_file(tmp_path, monkeypatch):
    touch(tmp_path / "set/audio/1.wav")
    table = write_csv(tmp_path / "set/meta.csv", "audio/1.wav")
    assert load_audio_table(table).filenames == [str(tmp_path / "set/audio/1.wav")]
    monkeypatch.chdir(tmp_path)
    # Relative paths stay relative.
    assert load_audio_table("set/meta.csv").filenames == [os.path.join("set", "audio", "1.wav")]
    monkeypatch.chdir(tmp_path / "set")
    assert load_audio_table("meta.csv").filenames == [os.path.join("audio", "1.wav")]


def test_paths_of_a_frame_start_from_the_current_folder(tmp_path, monkeypatch):
    touch(tmp_path / "audio/1.wav")
    monkeypatch.chdir(tmp_path)
    assert load_audio_table(frame("audio/1.wav")).filenames == [os.path.join("audio", "1.wav")]


@pytest.mark.parametrize("kind", [str, Path])
def test_root_changes_where_paths_start(tmp_path, kind):
    touch(tmp_path / "sounds/1.wav")
    expected = [str(tmp_path / "sounds/1.wav")]
    table = write_csv(tmp_path / "meta/meta.csv", "1.wav")
    for one in (table, frame("1.wav"), frame(Path("1.wav"))):
        assert load_audio_table(one, root=kind(tmp_path / "sounds")).filenames == expected


def test_absolute_paths_need_no_root(tmp_path):
    touch(tmp_path / "1.wav")
    (tmp_path / "other").mkdir()
    table = frame(str(tmp_path / "1.wav"))
    assert load_audio_table(table, root=tmp_path / "other").filenames == [str(tmp_path / "1.wav")]


def test_a_root_that_is_no_folder(tmp_path):
    touch(tmp_path / "1.wav")
    with pytest.raises(FileNotFoundError, match=naming(tmp_path / "no")):
        load_audio_table(frame("1.wav"), root=tmp_path / "no")
    with pytest.raises(NotADirectoryError, match=naming(tmp_path / "1.wav")):
        load_audio_table(frame("1.wav"), root=tmp_path / "1.wav")


@pytest.mark.parametrize("name", [r"audio\dog\1.wav", "./audio/dog/1.wav", " audio/dog/1.wav\t"])
def test_other_spellings_of_a_path(tmp_path, name):
    touch(tmp_path / "audio/dog/1.wav")
    assert load_audio_table(frame(name), root=tmp_path).filenames == [
        str(tmp_path / "audio/dog/1.wav")
    ]


@pytest.mark.parametrize("name", [" 1.wav", r"a\1.wav"])
@pytest.mark.skipif(os.sep == "\\", reason="Windows does not allow such names")
def test_a_file_that_is_really_called_so_comes_first(tmp_path, name):
    touch(tmp_path / name, tmp_path / "1.wav", tmp_path / "a/1.wav")
    assert load_audio_table(frame(name), root=tmp_path).filenames == [str(tmp_path / name)]


@pytest.mark.parametrize(("written", "stored"), [("NFC", "NFD"), ("NFD", "NFC")])
def test_names_in_another_unicode_form(tmp_path, written, stored):
    name = "h\u00f6ren.wav"
    touch(tmp_path / unicodedata.normalize(stored, name))
    found = load_audio_table(frame(unicodedata.normalize(written, name)), root=tmp_path)
    assert Path(found.filenames[0]).is_file()


def test_all_missing_files_are_in_one_error(tmp_path):
    touch(tmp_path / "0.wav")
    table = write_csv(tmp_path / "meta.csv", *(f"{n}.wav" for n in range(14)))
    with pytest.raises(FileNotFoundError) as raised:
        load_audio_table(table)
    message = str(raised.value)
    assert message.startswith(f"{str(table)!r}: 13 of 14 files not found: '1.wav' (line 3), ")
    assert "'10.wav' (line 12) and 3 more. " in message
    assert f"start from the folder {str(tmp_path)!r}" in message
    assert "'0.wav'" not in message
    assert "There is" not in message


def test_a_missing_file_of_a_frame_is_named_with_its_index(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    table = frame("a.wav", "b.wav").set_axis(["x", "y"])
    touch(tmp_path / "a.wav")
    with pytest.raises(FileNotFoundError, match=rf"'b\.wav' \(row y\).*{naming(tmp_path)}"):
        load_audio_table(table)


def test_a_folder_is_not_a_recording(tmp_path):
    (tmp_path / "1.wav").mkdir()
    with pytest.raises(FileNotFoundError, match=r"1 of 1 file not found: '1\.wav'"):
        load_audio_table(frame("1.wav"), root=tmp_path)


@pytest.mark.parametrize("name", ["x" * 5000, "a\0b.wav"])
def test_names_that_no_file_can_have_are_missing(tmp_path, name):
    with pytest.raises(FileNotFoundError, match="1 of 1 file not found"):
        load_audio_table(frame(name), root=tmp_path)


@pytest.mark.parametrize("place", ["audio", "meta/audio", "audio/fold1", "."])
def test_the_error_says_where_a_missing_file_is(tmp_path, place):
    table = write_csv(tmp_path / "meta/meta.csv", "1.wav", "2.wav")
    touch(tmp_path / place / "1.wav", tmp_path / ".hidden/1.wav")
    with pytest.raises(FileNotFoundError, match=r"There is .*1\.wav'") as raised:
        load_audio_table(table)
    root = re.search(r"pass root=('.*?') ", str(raised.value))[1]
    assert root == repr(str(tmp_path / place))
    touch(tmp_path / place / "2.wav")
    assert len(load_audio_table(table, root=root.strip("'")).filenames) == 2


def test_the_error_says_that_paths_start_from_the_current_folder(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    table = write_csv(tmp_path / "out/check.csv", "new/1.wav")
    touch(tmp_path / "new/1.wav")
    with pytest.raises(
        FileNotFoundError, match=r"There is 'new/1\.wav' .*: pass root='\.' to start"
    ):
        load_audio_table(table)
    assert load_audio_table(table, root=".").filenames == ["new/1.wav"]


def test_the_error_says_how_to_add_an_extension(tmp_path):
    table = pd.DataFrame({"path": ["1.5", "2"], "part": "a", "label": "dog"})
    touch(tmp_path / "a/1.5.flac")
    with pytest.raises(FileNotFoundError, match=r"path='a/\{path\}\.flac'\."):
        load_audio_table(table, path="a/{path}", root=tmp_path)
    with pytest.raises(FileNotFoundError, match=r"path='\{path\}\.flac'\."):
        load_audio_table(table, root=tmp_path / "a")


# Rows that name the same recording.


@pytest.mark.parametrize("again", ["a/1.wav", "./a/1.wav", "a/../a/1.wav", r"a\1.wav"])
def test_a_recording_in_two_rows(tmp_path, again):
    touch(tmp_path / "a/1.wav", tmp_path / "2.wav")
    table = write_csv(tmp_path / "meta.csv", "a/1.wav", "2.wav", again)
    with pytest.raises(ValueError, match=r"1 recording has .*1\.wav' in lines 2 and 4.*start="):
        load_audio_table(table)


def test_many_repeats_are_counted(tmp_path):
    names = [f"{n}.wav" for n in range(7)]
    touch(*(tmp_path / name for name in names))
    with pytest.raises(ValueError, match=r"7 recordings have several rows: .* and 2 more\."):
        load_audio_table(frame(*names, *names), root=tmp_path)


def test_a_recording_of_many_rows_is_listed_once(tmp_path):
    table = tmp_path / "a.csv"
    rows = [f"gone.wav,{i},{i + 1},x" for i in range(20)] + ["other.wav,0,1,x"]
    table.write_text("\n".join(["path,start,end,label", *rows]))
    expected = (
        r"2 of 2 files not found: 'gone\.wav' \(line 2 and 19 more\), 'other\.wav' \(line 22\)"
    )
    with pytest.raises(FileNotFoundError, match=expected):
        load_audio_table(table)

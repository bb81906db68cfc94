"""load_audio_folders finds the recordings of class folders."""

import os
import re
from pathlib import Path

import numpy as np
import pytest
import soundfile as sf
from helpers import naming, relative_names, touch
from sklearn.datasets import load_files

from skdaf.datasets import load_audio_folders


def test_root_gives_sorted_classes_and_files(tmp_path):
    touch(tmp_path / "dog/b.wav", tmp_path / "dog/a.wav", tmp_path / "cat/z.wav")
    bunch = load_audio_folders(tmp_path)
    assert relative_names(bunch, tmp_path) == ["cat/z.wav", "dog/a.wav", "dog/b.wav"]
    assert bunch.target_names == ["cat", "dog"]
    np.testing.assert_array_equal(bunch.target, [0, 1, 1])
    assert set(bunch) == {"filenames", "target", "target_names"}


def test_shape_is_that_of_load_files(tmp_path):
    touch(tmp_path / "b/1.wav", tmp_path / "b/2.wav", tmp_path / "a/1.wav")
    ours = load_audio_folders(tmp_path)
    theirs = load_files(tmp_path, load_content=False, shuffle=False)
    assert ours.target_names == theirs.target_names
    assert sorted(zip(ours.filenames, ours.target, strict=True)) == sorted(
        zip(theirs.filenames, theirs.target, strict=True)
    )
    assert ours.target.dtype == theirs.target.dtype
    assert all(type(filename) is str for filename in ours.filenames)


@pytest.mark.parametrize("kind", [str, Path, lambda path: f"{path}{os.sep}"])
def test_root_may_be_str_or_path(tmp_path, kind):
    touch(tmp_path / "a/1.wav")
    assert load_audio_folders(kind(tmp_path)).filenames == [str(tmp_path / "a/1.wav")]


def test_relative_root_gives_relative_names(tmp_path, monkeypatch):
    touch(tmp_path / "data/a/1.wav")
    monkeypatch.chdir(tmp_path)
    assert load_audio_folders("data").filenames == [os.path.join("data", "a", "1.wav")]


@pytest.mark.parametrize("container", [list, tuple, np.array])
def test_list_of_class_folders_is_sorted_by_name(tmp_path, container):
    touch(tmp_path / "x/dog/1.wav", tmp_path / "y/cat/1.wav", tmp_path / "y/bird/1.wav")
    bunch = load_audio_folders(container([str(tmp_path / "x/dog"), str(tmp_path / "y/cat")]))
    assert bunch.target_names == ["cat", "dog"]
    assert relative_names(bunch, tmp_path) == ["y/cat/1.wav", "x/dog/1.wav"]
    np.testing.assert_array_equal(bunch.target, [0, 1])


def test_list_and_root_agree(tmp_path):
    touch(tmp_path / "a/1.wav", tmp_path / "b/1.wav", tmp_path / "b/s/2.wav")
    from_root = load_audio_folders(tmp_path)
    from_list = load_audio_folders([tmp_path / "b", f"{tmp_path / 'a'}{os.sep}"])
    assert from_root.filenames == from_list.filenames
    assert from_root.target_names == from_list.target_names
    np.testing.assert_array_equal(from_root.target, from_list.target)


def test_current_folder_in_a_list_has_its_real_name(tmp_path, monkeypatch):
    touch(tmp_path / "dog/1.wav")
    monkeypatch.chdir(tmp_path / "dog")
    assert load_audio_folders(["."]).target_names == ["dog"]


def test_search_goes_down_and_sorts_by_path_parts(tmp_path):
    # "s-1" < "s/" as text, but the folder "s" comes before the folder "s-1".
    touch(tmp_path / "a/s-1/x.wav", tmp_path / "a/s/deep/er/x.wav", tmp_path / "a/z.wav")
    expected = ["a/s/deep/er/x.wav", "a/s-1/x.wav", "a/z.wav"]
    assert relative_names(load_audio_folders(tmp_path), tmp_path) == expected


def test_extensions_in_any_case_and_nothing_else(tmp_path):
    kept = ["1.wav", "2.WAV", "3.Flac", "4.OGG", "5.mp3", "6.aIFf", "7.b.wav"]
    dropped = ["a.txt", "b.csv", "c.png", "d.mat", "e.wav.txt", "f", "wav", "g.json"]
    touch(*(tmp_path / "a" / name for name in kept + dropped))
    assert relative_names(load_audio_folders(tmp_path), tmp_path) == [f"a/{name}" for name in kept]


@pytest.mark.parametrize(
    ("extension", "format_", "subtype"),
    [
        *((extension, "WAV", "PCM_16") for extension in ("wav", "wave", "bwf")),
        *((extension, "AIFF", "PCM_16") for extension in ("aif", "aiff", "aifc")),
        *((extension, "AU", "PCM_16") for extension in ("au", "snd")),
        *((extension, "OGG", "VORBIS") for extension in ("ogg", "oga")),
        *((extension, "NIST", "PCM_16") for extension in ("nist", "sph")),
        *((extension, "SVX", "PCM_16") for extension in ("8svx", "iff", "svx")),
        ("opus", "OGG", "OPUS"),
        ("flac", "FLAC", "PCM_16"),
        *((extension, "MP3", "MPEG_LAYER_III") for extension in ("mp3", "mpga", "mpa")),
        ("caf", "CAF", "PCM_16"),
        ("w64", "W64", "PCM_16"),
        ("rf64", "RF64", "PCM_16"),
        ("voc", "VOC", "PCM_16"),
        ("sf", "IRCAM", "PCM_16"),
    ],
)
def test_listed_extensions_are_readable(tmp_path, extension, format_, subtype):
    path = tmp_path / "a" / f"1.{extension}"
    path.parent.mkdir()
    with open(path, "wb") as file:
        sf.write(file, np.zeros(1600), 16000, format=format_, subtype=subtype)
    (filename,) = load_audio_folders(tmp_path).filenames
    assert sf.read(filename)[1] == 16000


def test_hidden_files_and_folders_are_skipped(tmp_path):
    touch(tmp_path / "a/1.wav", tmp_path / "a/._1.wav", tmp_path / "a/.cache/2.wav")
    touch(tmp_path / ".git/3.wav", tmp_path / "._4.wav")
    bunch = load_audio_folders(tmp_path)
    assert relative_names(bunch, tmp_path) == ["a/1.wav"]
    assert bunch.target_names == ["a"]


def test_a_root_below_a_hidden_folder_is_read(tmp_path):
    touch(tmp_path / ".data/a/1.wav")
    assert len(load_audio_folders(tmp_path / ".data").filenames) == 1


def link(path, target):
    try:
        path.symlink_to(target, target_is_directory=target.is_dir())
    except OSError:
        pytest.skip("no right to make links here")


def test_links_are_followed_and_loops_end(tmp_path):
    touch(tmp_path / "root/a/1.wav", tmp_path / "root/a/s/2.wav", tmp_path / "elsewhere/3.wav")
    link(tmp_path / "root/a/s/up", tmp_path / "root/a")
    link(tmp_path / "root/a/s/self", tmp_path / "root/a/s")
    link(tmp_path / "root/a/t", tmp_path / "elsewhere")
    link(tmp_path / "root/b", tmp_path / "elsewhere")
    bunch = load_audio_folders(tmp_path / "root")
    assert relative_names(bunch, tmp_path / "root") == [
        "a/1.wav",
        "a/s/2.wav",
        "a/t/3.wav",
        "b/3.wav",
    ]


def test_a_broken_link_is_listed_so_that_reading_reports_it(tmp_path):
    touch(tmp_path / "a/1.wav")
    link(tmp_path / "a/2.wav", tmp_path / "gone.wav")
    assert relative_names(load_audio_folders(tmp_path), tmp_path) == ["a/1.wav", "a/2.wav"]


def test_a_folder_that_may_not_be_listed_is_not_skipped(tmp_path, monkeypatch):
    touch(tmp_path / "a/1.wav", tmp_path / "a/locked/2.wav")

    def scandir(path, original=os.scandir):
        if str(path).endswith("locked"):
            raise PermissionError(13, "Permission denied", str(path))
        return original(path)

    monkeypatch.setattr(os, "scandir", scandir)
    with pytest.raises(PermissionError, match=naming(tmp_path / "a/locked")):
        load_audio_folders(tmp_path)


@pytest.fixture(params=["with PyAV", "without PyAV"])
def has_ffmpeg(request, monkeypatch):
    has_ffmpeg = request.param == "with PyAV"
    monkeypatch.setattr("skdaf._audio.formats.ffmpeg.files.is_available", lambda: has_ffmpeg)
    return has_ffmpeg


@pytest.fixture
def without_ffmpeg(monkeypatch):
    monkeypatch.setattr("skdaf._audio.formats.ffmpeg.files.is_available", lambda: False)


FOR_FFMPEG = [
    *["m4a", "m4b", "mp4", "mov", "3gp", "aac", "wma", "wmv", "asf", "webm", "weba", "mka", "mkv"],
    *["amr", "awb", "ac3", "eac3", "dts", "flv", "avi", "ts", "m2ts", "mpg", "vob", "ape", "wv"],
    *["tta", "mpc", "tak", "spx", "ogv"],
]
FOR_NOBODY = [
    *["mid", "midi", "ra", "rm", "m4p", "aax", "dff", "ofr", "gsm", "raw", "pcm", "vox", "shn"],
    *["dss", "swf", "at3", "mod", "xm", "sox", "adx", "mmf", "hcom", "aptx", "h264"],
]


def test_audio_for_ffmpeg_is_listed_if_pyav_is_installed(tmp_path, has_ffmpeg):
    names = ["1.wav", *(f"x.{extension}" for extension in FOR_FFMPEG), "Y.M4A"]
    touch(*(tmp_path / "a" / name for name in names))
    if has_ffmpeg:
        found = relative_names(load_audio_folders(tmp_path), tmp_path)
        assert found == sorted(f"a/{name}" for name in names)
        return
    with pytest.warns(UserWarning, match=re.escape('pip install av, or the extra "ffmpeg"')) as log:
        assert relative_names(load_audio_folders(tmp_path), tmp_path) == ["a/1.wav"]
    assert f"Left out {len(names) - 1} audio or video files ({len(names) - 1} in 'a')" in str(
        log[0].message
    )


@pytest.mark.parametrize("extension", FOR_NOBODY)
def test_audio_that_nothing_reads_is_named(tmp_path, has_ffmpeg, extension):
    touch(tmp_path / "a/1.wav", tmp_path / f"a/2.{extension.upper()}")
    with pytest.warns(UserWarning, match=naming(tmp_path / f"a/2.{extension.upper()}")) as log:
        assert relative_names(load_audio_folders(tmp_path), tmp_path) == ["a/1.wav"]
    assert str(log[0].message).endswith("Convert them to FLAC.")


@pytest.mark.usefixtures("without_ffmpeg")
def test_one_warning_counts_class_by_class_and_names_the_first_files(tmp_path):
    touch(*(tmp_path / "c" / f"{i:02}.m4a" for i in range(9)), tmp_path / "c/1.wav")
    touch(tmp_path / "a/1.wav", tmp_path / "a/deep/2.webm", tmp_path / "a/3.mid")
    touch(tmp_path / "b/1.wav")
    with pytest.warns(UserWarning, match="Left out") as log:
        load_audio_folders(tmp_path)
    (warning,) = log
    text = str(warning.message)
    assert text.startswith("Left out 11 audio or video files (2 in 'a', 9 in 'c'): ")
    for path in ("a/deep/2.webm", "a/3.mid", "c/00.m4a", "c/07.m4a"):
        assert repr(str(tmp_path / path)) in text
    assert "c/08.m4a" not in text
    assert text.endswith(
        ' and 1 more. To read 10 of them, install FFmpeg: pip install av, or the extra "ffmpeg" '
        "of skdaf. Convert the others to FLAC."
    )
    assert warning.filename == __file__


@pytest.mark.usefixtures("without_ffmpeg")
def test_a_class_of_left_out_files_only_says_how_to_read_them(tmp_path):
    touch(tmp_path / "a/1.wav", tmp_path / "b/1.m4a", tmp_path / "b/2.m4a")
    with pytest.raises(
        ValueError, match=rf"{naming(tmp_path / 'b', tmp_path / 'b/1.m4a')}"
    ) as info:
        load_audio_folders(tmp_path)
    assert 'pip install av, or the extra "ffmpeg"' in str(info.value)


COMPOSED, DECOMPOSED = "caf\u00e9", "cafe\u0301"


@pytest.fixture
def cafes(tmp_path):
    touch(tmp_path / COMPOSED / "b.wav", tmp_path / DECOMPOSED / "a.wav", tmp_path / "bar/1.wav")
    if len(os.listdir(tmp_path)) < 3:
        pytest.skip("this file system takes both forms for one")
    return tmp_path


@pytest.mark.parametrize("as_list", [False, True])
def test_two_unicode_forms_of_a_name_are_one_class(cafes, as_list):
    folders = [cafes / name for name in ("bar", COMPOSED, DECOMPOSED)] if as_list else cafes
    with pytest.warns(UserWarning, match="Unicode form") as log:
        bunch = load_audio_folders(folders)
    (warning,) = log
    for name in (COMPOSED, DECOMPOSED):
        assert repr(str(cafes / name)) in str(warning.message)
        assert ascii(name) in str(warning.message)
    assert warning.filename == __file__
    assert bunch.target_names == ["bar", COMPOSED]
    assert relative_names(bunch, cafes) == ["bar/1.wav", f"{DECOMPOSED}/a.wav", f"{COMPOSED}/b.wav"]
    np.testing.assert_array_equal(bunch.target, [0, 1, 1])


def test_a_class_has_the_same_name_whichever_form_its_folder_has(tmp_path):
    touch(tmp_path / "mac" / DECOMPOSED / "1.wav", tmp_path / "linux" / COMPOSED / "1.wav")
    for system in ("mac", "linux"):
        assert load_audio_folders(tmp_path / system).target_names == [COMPOSED]


def test_names_that_only_look_alike_stay_two_classes(tmp_path):
    touch(tmp_path / "\u00b2/1.wav", tmp_path / "2/1.wav")  # a superscript is no Unicode form
    assert load_audio_folders(tmp_path).target_names == ["2", "\u00b2"]


@pytest.mark.parametrize("as_list", [False, True])
def test_missing_folder(tmp_path, as_list):
    folder = tmp_path / "gone"
    with pytest.raises(FileNotFoundError, match=naming(folder)):
        load_audio_folders([folder] if as_list else folder)


@pytest.mark.parametrize("as_list", [False, True])
def test_file_for_a_folder(tmp_path, as_list):
    touch(tmp_path / "1.wav")
    with pytest.raises(NotADirectoryError, match=naming(tmp_path / "1.wav")):
        load_audio_folders([tmp_path / "1.wav"] if as_list else tmp_path / "1.wav")


@pytest.mark.parametrize("as_list", [False, True])
def test_class_without_audio(tmp_path, as_list):
    touch(tmp_path / "a/1.wav", tmp_path / "b/notes.txt", tmp_path / "b/.hidden.wav")
    folders = [tmp_path / "a", tmp_path / "b"] if as_list else tmp_path
    with pytest.raises(ValueError, match=rf"{naming(tmp_path / 'b')}.*\.flac.*\.wav"):
        load_audio_folders(folders)


def test_two_listed_folders_of_one_name(tmp_path):
    first, second = tmp_path / "x/dog", tmp_path / "y/dog"
    touch(first / "1.wav", second / "1.wav")
    with pytest.raises(ValueError, match=rf"'dog'.*{naming(first, second)}"):
        load_audio_folders([first, second])


def test_empty_list():
    with pytest.raises(ValueError, match="list of class folders is empty"):
        load_audio_folders([])


@pytest.mark.parametrize("with_class", [False, True])
@pytest.mark.parametrize("name", ["1.wav", "1.m4a"])
def test_recordings_directly_in_the_root(tmp_path, with_class, name):
    touch(tmp_path / name, tmp_path / "readme.txt", tmp_path / "z.wav")
    if with_class:
        touch(tmp_path / "a/1.wav")
    with pytest.raises(ValueError, match=rf"{naming(tmp_path / name)}.*one folder per class") as e:
        load_audio_folders(tmp_path)
    assert "skdaf.datasets.load_audio_table" in str(e.value)


def test_other_files_in_the_root_are_fine(tmp_path):
    touch(tmp_path / "readme.txt", tmp_path / "labels.csv", tmp_path / "a/1.wav")
    assert load_audio_folders(tmp_path).target_names == ["a"]


def test_empty_root(tmp_path):
    with pytest.raises(ValueError, match=rf"{naming(tmp_path)}.*one folder per class"):
        load_audio_folders(tmp_path)


@pytest.mark.parametrize("folders", [None, 3])
def test_not_a_folder_at_all(folders):
    with pytest.raises(ValueError, match="'folders' parameter"):
        load_audio_folders(folders)

"""Any name and any kind of path is read."""

import os
import sys
from pathlib import Path

import numpy as np
import pytest
from helpers import OwnPath, stereo_tones, write_format

from skdaf import AudioReadError, load_audio

pytestmark = pytest.mark.oldest

RATE = 16000


@pytest.mark.parametrize("name", ["ünï côdé 日本語.wav", "a  b c.wav", "no suffix", "x'\"y.wav"])
def test_any_name_is_read(tmp_path, name):
    if sys.platform == "win32" and '"' in name:
        pytest.skip("Windows forbids quotation marks in names")
    path = write_format(tmp_path / name, stereo_tones())
    assert len(load_audio(path)[0]) == RATE


@pytest.mark.skipif(sys.platform != "linux", reason="other systems hold names to Unicode")
def test_names_that_are_not_unicode_are_read(wav):
    path = os.fsdecode(os.fsencode(wav.parent) + b"/\xff.wav")
    try:
        os.rename(wav, path)
    except OSError:
        pytest.skip("this file system holds names to Unicode")
    assert len(load_audio(path)[0]) == RATE


@pytest.fixture
def deep_folder(tmp_path):
    """A folder with a path of more than 1,024 bytes."""
    folder = tmp_path
    while len(os.fsencode(folder)) <= 1024:
        folder = folder / ("d" * 150)
    try:
        folder.mkdir(parents=True)
    except OSError:
        pytest.skip("this system does not take paths that long")
    return folder


def test_long_paths_are_read(deep_folder, wav):
    path = deep_folder / "sound.wav"
    path.write_bytes(wav.read_bytes())
    np.testing.assert_array_equal(load_audio(path, start=0.5)[0], load_audio(wav, start=0.5)[0])


@pytest.mark.skipif(not os.path.isdir("/proc/self/fd"), reason="needs a list of open files")
def test_long_paths_leave_no_file_open(deep_folder, wav):
    good, bad = deep_folder / "good.wav", deep_folder / "bad.wav"
    good.write_bytes(wav.read_bytes())
    bad.write_text("not a sound")
    before = len(os.listdir("/proc/self/fd"))
    for _ in range(3):
        load_audio(good)
        with pytest.raises(AudioReadError):
            load_audio(bad)
    assert len(os.listdir("/proc/self/fd")) == before


@pytest.mark.parametrize("kind", [str, Path, OwnPath, np.str_])
def test_every_kind_of_path_is_accepted(wav, kind):
    np.testing.assert_array_equal(load_audio(kind(wav))[0], load_audio(wav)[0])


@pytest.mark.parametrize("kind", [str, Path, OwnPath, np.str_])
def test_every_kind_of_path_is_named_in_the_same_way(tmp_path, kind):
    path = tmp_path / "gone.wav"
    with pytest.raises(AudioReadError) as info:
        load_audio(kind(path))
    assert str(info.value) == f"{str(path)!r}: no such file"
    assert info.value.paths == [str(path)]


def test_read_only_files_are_read(wav):
    wav.chmod(0o444)
    assert len(load_audio(wav)[0]) == RATE

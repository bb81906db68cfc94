"""The warning about clips that are copies of training clips."""

import os
import warnings

import pytest

from skdaf import Clip
from skdaf.cli import _copies
from skdaf.cli._copies import warn_about_copies

START, END = bytes(5000) + b"a", b"b" + bytes(5000)


@pytest.fixture
def write(tmp_path):
    def write(name, content):
        (tmp_path / name).write_bytes(content)
        return str(tmp_path / name)

    return write


def test_copies_are_counted_and_one_is_named(write):
    training = [write("a.wav", START), write("b.wav", END)]
    test = [write("c.wav", START + b"x"), write("d.wav", END), write("e.wav", END)]
    with pytest.warns(UserWarning, match=r"^2 of the clips .*d\.wav'") as seen:
        warn_about_copies(training, test)
    assert len(seen) == 1


def test_other_files_and_parts_of_one_recording_are_no_copies(write, tmp_path):
    same_size_and_middle = [write("a.wav", START + b"x"), write("b.wav", START + b"y")]
    one = write("c.wav", START)
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        warn_about_copies(same_size_and_middle[:1], same_size_and_middle[1:])
        warn_about_copies([Clip(one, 0, 1)], [Clip(one, 1, 2)])
        warn_about_copies([*same_size_and_middle, write("d.wav", START), Clip(one, 0, 1), one[:-5]])
        warn_about_copies([one, str(tmp_path / "missing.wav")], [str(tmp_path / "missing.wav")])


def test_copies_among_training_clips_are_counted(write):
    paths = [write(name, START) for name in ("a.wav", "b.wav", "c.wav")]
    paths += [write("d.wav", END + b"x"), write("e.wav", END), write("f.wav", END)]
    expected = rf"^3 of 6 training clips are copies of others, such as '{paths[1]}' of '{paths[0]}'"
    with pytest.warns(UserWarning, match=expected) as seen:
        warn_about_copies(paths)
    assert "skdaf check" in str(seen[0].message)
    with pytest.warns(UserWarning, match="1 of 2 training clips is a copy of another"):
        warn_about_copies(paths[:2], paths[3:])
    # One warning is enough.
    with pytest.warns(UserWarning, match="--test-fraction") as seen:
        warn_about_copies(paths[:2], paths[2:])
    assert len(seen) == 1


def test_only_files_of_the_same_size_are_opened(write, monkeypatch):
    opened = []

    def identify(path):
        opened.append(os.path.basename(path))
        return path

    monkeypatch.setattr(_copies, "_STEPS", (os.path.getsize, identify))
    paths = [write("a.wav", START), write("b.wav", START + b"x"), write("c.wav", END)]
    warn_about_copies(paths)
    assert sorted(opened) == ["a.wav", "c.wav"]

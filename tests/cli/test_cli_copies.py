"""The warning about test clips that are copies of training clips."""

import warnings

import pytest

from skdaf import Clip
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
        warn_about_copies([one, str(tmp_path / "missing.wav")], [str(tmp_path / "missing.wav")])

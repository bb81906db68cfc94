"""Clip and AudioReadError are plain values."""

import pickle
from pathlib import Path

import numpy as np
import pytest

from skdaf import AudioReadError, Clip
from skdaf._audio.clips import error_of_times, with_rows

pytestmark = pytest.mark.oldest

RATE = 16000


def test_the_error_is_a_value_error():
    assert issubclass(AudioReadError, ValueError)


def test_the_error_pickles_with_message_and_paths():
    error = AudioReadError("two clips", ["a.wav", "b.wav"])
    copy = pickle.loads(pickle.dumps(error))
    assert type(copy) is AudioReadError
    assert (str(copy), copy.paths) == ("two clips", ["a.wav", "b.wav"])


def test_one_error_joins_to_itself():
    error = AudioReadError.of("a.wav", "no such file")
    assert AudioReadError.join([error]) is error


@pytest.mark.parametrize("n", [2, 10, 11, 30])
def test_joined_errors_list_the_first_ten_and_the_count(n):
    names = [f"{i}.wav" for i in range(n)]
    joined = AudioReadError.join([AudioReadError.of(name, "broken") for name in names])
    lines = str(joined).splitlines()
    assert lines[0] == f"{n} clips could not be read:"
    assert lines[1:11] == [f"  '{name}': broken" for name in names[:10]]
    assert lines[11:] == ([f"  ... and {n - 10} more"] if n > 10 else [])
    assert joined.paths == names


def test_a_recording_of_many_clips_is_listed_once():
    names = ["a.wav"] * 40 + ["b.wav"] + [f"{i}.wav" for i in range(10)]
    joined = AudioReadError.join([AudioReadError.of(name, "no such file") for name in names])
    lines = str(joined).splitlines()
    assert lines[0] == "51 clips could not be read:"
    assert lines[1:4] == [
        "  'a.wav': no such file (40 clips)",
        "  'b.wav': no such file",
        "  '0.wav': no such file",
    ]
    assert lines[-1] == "  ... and 2 more"
    assert joined.paths == names


def test_joined_errors_can_be_joined_again():
    errors = [AudioReadError.of(f"{i}.wav", "broken") for i in range(5)]
    again = AudioReadError.join([AudioReadError.join(errors[:2]), *errors[2:]])
    expected = AudioReadError.join(errors)
    assert str(again) == str(expected)
    assert again.paths == expected.paths
    assert str(pickle.loads(pickle.dumps(again))) == str(expected)


def test_rows_of_a_table_are_added_to_errors_about_times():
    rows = {("new.wav", 1.0, 2.0): "line 3"}
    late = error_of_times(Clip("a.wav", 1.0, 2.0), "late").renamed("a.wav", "new.wav")
    late = pickle.loads(pickle.dumps(late))  # as from a worker
    assert str(with_rows(late, lambda *clip: rows.get(clip))) == "line 3: 'new.wav': late"
    other = AudioReadError.of("b.wav", "broken")
    assert with_rows(other, lambda *clip: "line 4") is other
    both = AudioReadError.join([late, other])
    both.add_note("a note")
    found = with_rows(both, lambda *clip: rows.get(clip))
    assert str(found).splitlines()[1:] == ["  line 3: 'new.wav': late", "  'b.wav': broken"]
    assert found.paths == both.paths == ["new.wav", "b.wav"]
    assert found.__notes__ == ["a note"]


@pytest.mark.parametrize("path", [3, None, b"a.wav", ["a.wav"]])
def test_a_clip_needs_a_path(path):
    with pytest.raises(TypeError, match="Clip needs a path"):
        Clip(path)


@pytest.mark.parametrize("start", [-0.1, np.nan, np.inf])
def test_a_clip_starts_at_zero_or_later(start):
    with pytest.raises(ValueError, match=r"^'a\.wav': start=.* must be at least 0 \(seconds\)"):
        Clip("a.wav", start)


@pytest.mark.parametrize("end", [0.5, 1.0, -1, np.nan])
def test_a_clip_ends_after_its_start(end):
    with pytest.raises(ValueError, match=r"^'a\.wav': end=.* must be greater than start=1\.0"):
        Clip("a.wav", 1.0, end)


@pytest.mark.parametrize(("start", "end"), [("1", None), (0, "2"), (None, 2), (1j, None)])
def test_the_times_of_a_clip_are_numbers(start, end):
    with pytest.raises(TypeError, match=r"^'a\.wav': start and end must be numbers \(seconds\)"):
        Clip("a.wav", start, end)


@pytest.mark.parametrize("number", [int, float, np.float32, np.float64, np.int64])
def test_equal_clips_look_alike_whatever_kind_of_number_they_were_given(number):
    assert repr(Clip("a.wav", number(1), number(2))) == "Clip(path='a.wav', start=1.0, end=2.0)"


def test_a_clip_is_a_value():
    clip = Clip("a.wav", 1, 2)
    assert clip == Clip("a.wav", 1.0, 2.0)
    assert hash(clip) == hash(Clip("a.wav", 1.0, 2.0))
    assert clip not in [Clip("b.wav", 1, 2), Clip("a.wav", 1.5, 2), Clip("a.wav", 1), "a.wav"]
    assert {clip, Clip("a.wav", 1, 2)} == {clip}
    with pytest.raises(AttributeError):
        clip.start = 0.5


@pytest.mark.parametrize("clip", [Clip("a.wav"), Clip(Path("a.wav"), 1, 2.5)])
def test_a_clip_pickles(clip):
    copy = pickle.loads(pickle.dumps(clip))
    assert copy == clip
    assert type(copy.path) is type(clip.path)

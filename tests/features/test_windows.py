"""Sliding windows over clips."""

import numpy as np
import pytest

from skdaf import Clip
from skdaf._features.windows import Windows, cut_windows


def bounds(n_samples, length, step):
    """Return the first and last samples of the windows of a clip, at one sample per second."""
    windows = Windows(np.arange(n_samples), length, step, 1, n_samples)
    return [(w[0], w[-1] + 1) for w in windows]


@pytest.mark.parametrize(
    ("n_samples", "length", "step", "expected"),
    [
        (10, 10, 10, [(0, 10)]),
        (9, 10, 10, [(0, 9)]),
        (1, 10, 3, [(0, 1)]),
        (11, 10, 10, [(0, 10), (10, 11)]),
        (20, 10, 10, [(0, 10), (10, 20)]),
        (20, 10, 5, [(0, 10), (5, 15), (10, 20)]),
        (22, 10, 5, [(0, 10), (5, 15), (10, 20), (15, 22)]),
        (10, 2, 4, [(0, 2), (4, 6), (8, 10)]),
        (9, 2, 4, [(0, 2), (4, 6), (8, 9)]),
    ],
)
def test_bounds(n_samples, length, step, expected):
    assert bounds(n_samples, length, step) == expected


@pytest.mark.parametrize("length", [1, 3, 7, 50])
@pytest.mark.parametrize("n_samples", [1, 2, 10, 33])
def test_windows_without_gaps_cover_every_sample(n_samples, length):
    for step in range(1, length + 1):
        covered = np.zeros(n_samples, dtype=bool)
        for start, end in bounds(n_samples, length, step):
            assert 0 <= start < end <= n_samples
            covered[start:end] = True
        assert covered.all()


def test_windows_of_waveforms():
    windows, firsts = cut_windows([np.arange(5), np.arange(2)], 0.2, 0.2, 10)
    assert [w.tolist() for w in windows] == [[0, 1], [2, 3], [4], [0, 1]]
    assert firsts == [0, 3]


def test_windows_are_created_on_access():
    seconds = 1000 * 86_400
    windows = Windows(Clip("long.wav"), 1.0, 0.5, 96_000, seconds * 96_000)
    assert len(windows) == 2 * seconds - 1
    assert windows[1] == Clip("long.wav", 0.5, 1.5)
    assert windows[-1] == Clip("long.wav", seconds - 1, seconds)


def test_a_slice_of_windows_is_a_list():
    windows = Windows(Clip("a.wav"), 1.0, 1.0, 8000, 20_000)
    assert windows[1:9] == [Clip("a.wav", 1.0, 2.0), Clip("a.wav", 2.0, 2.5)]
    assert windows[3:] == []


def test_windows_count_from_the_start_of_the_clip():
    windows = Windows(Clip("a.wav", 1.0, 1.5), 0.2, 0.2, 1000, 500)
    assert list(windows) == [
        Clip("a.wav", 1.0, 1.2),
        Clip("a.wav", 1.2, 1.4),
        Clip("a.wav", 1.4, 1.5),
    ]


def test_windows_and_steps_have_at_least_one_sample():
    assert [len(w) for w in Windows(np.zeros(3), 1e-9, 1e-9, 8000, 3)] == [1, 1, 1]

import numpy as np
import pytest

from skdaf._windows import cut_windows, window_bounds


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
    assert window_bounds(n_samples, length, step) == expected


@pytest.mark.parametrize("length", [1, 3, 7, 50])
@pytest.mark.parametrize("n_samples", [1, 2, 10, 33])
def test_windows_without_gaps_cover_every_sample(n_samples, length):
    for step in range(1, length + 1):
        covered = np.zeros(n_samples, dtype=bool)
        for start, end in window_bounds(n_samples, length, step):
            assert 0 <= start < end <= n_samples
            covered[start:end] = True
        assert covered.all()


def test_windows_of_waveforms():
    windows, firsts = cut_windows([np.arange(5), np.arange(2)], 0.2, 0.2, 10)
    assert [w.tolist() for w in windows] == [[0, 1], [2, 3], [4], [0, 1]]
    assert firsts == [0, 3]

"""The median filter for numbers over time."""

import numpy as np
import pandas as pd
import pytest

from skdaf._segments.smoothing import smooth_stream, smooth_values


def curve(n=40, step=0.1, window=0.5, seed=0):
    rng = np.random.default_rng(seed)
    starts = step * np.arange(n)
    values = {"value_0": rng.standard_normal(n), "value_1": rng.standard_normal(n)}
    return pd.DataFrame({"start": starts, "end": starts + window, **values})


@pytest.mark.parametrize("n_windows", [1, 3, 5, 21])
def test_an_odd_multiple_of_the_step_is_a_centered_median(n_windows):
    table = curve()
    smoothed = smooth_values(table, 0.1 * n_windows)
    expected = table.rolling(n_windows, center=True, min_periods=1).median()
    for name in ("value_0", "value_1"):
        np.testing.assert_allclose(smoothed[name], expected[name])
    pd.testing.assert_frame_equal(smoothed[["start", "end"]], table[["start", "end"]])


def test_nothing_changes_without_smoothing_and_the_table_of_the_caller_never_does():
    table = curve()
    before = table.copy()
    pd.testing.assert_frame_equal(smooth_values(table, 0), table)
    assert not smooth_values(table, 0.5).equals(table)
    pd.testing.assert_frame_equal(table, before)


def test_the_order_of_the_rows_does_not_matter():
    table = curve()
    shuffled = table.sample(frac=1, random_state=0)
    pd.testing.assert_frame_equal(smooth_values(shuffled, 0.5), smooth_values(table, 0.5))


def test_windows_beyond_a_gap_do_not_count():
    table = curve()
    both = pd.concat([table, table.assign(start=table.start + 100, end=table.end + 100)])
    alone = smooth_values(table, 0.7)
    together = smooth_values(both, 0.7)
    np.testing.assert_array_equal(together.value_0, np.tile(alone.value_0, 2))


def test_an_empty_table():
    assert len(smooth_values(curve().iloc[:0], 0.5)) == 0


@pytest.mark.parametrize("smooth", [0.0, 0.1, 0.4, 0.5, 3.0, 100.0])
def test_a_stream_of_rows_is_smoothed_like_the_table(smooth):
    table = curve()
    # The last window ends with the recording, after all others.
    table.loc[len(table) - 1, "end"] -= 0.07
    found = pd.DataFrame(smooth_stream(iter(table.to_dict("records")), smooth))
    pd.testing.assert_frame_equal(found, smooth_values(table, smooth))


def test_a_smoothed_row_comes_when_those_around_it_are_there():
    rows, n_read = curve().to_dict("records"), 0

    def source():
        nonlocal n_read
        for row in rows:
            n_read += 1
            yield row

    counts = [n_read for _ in smooth_stream(source(), 0.5)]
    # Two windows on each side count, and the next one shows that there are no more.
    assert counts == [min(i + 4, 40) for i in range(40)]

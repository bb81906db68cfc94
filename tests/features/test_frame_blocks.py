"""Blocks of frames of several clips, and products that do not depend on other clips."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from skdaf._features.frame_blocks import frame_blocks, multiply_parts

clips = st.lists(st.tuples(st.integers(1, 30), st.integers(0, 5)), min_size=1, max_size=12)


def positions(clips):
    """Return first frames and numbers of frames of clips with gaps between them."""
    counts = [count for count, _ in clips]
    slots = np.array([count + gap for count, gap in clips])
    return list(np.cumsum(slots) - slots), counts


@given(clips, st.integers(1, 40))
def test_blocks_cover_each_frame_of_each_clip_once_and_in_order(clips, size):
    first_frames, counts = positions(clips)
    seen = []
    for frames, parts in frame_blocks(first_frames, counts, size):
        assert frames.stop - frames.start <= size
        for part in parts:
            assert 0 <= part.start < part.stop <= frames.stop - frames.start
            seen += range(frames.start + part.start, frames.start + part.stop)
    expected = [first + i for first, n in zip(first_frames, counts, strict=True) for i in range(n)]
    assert seen == expected


@given(clips, st.integers(1, 40))
def test_parts_of_a_clip_do_not_depend_on_the_clips_before(clips, size):
    first_frames, counts = positions(clips)

    def last_parts(first_frames, counts):
        blocks = frame_blocks(first_frames, counts, size)
        lengths = [part.stop - part.start for _, parts in blocks for part in parts]
        n_parts = (counts[-1] + size - 1) // size
        return lengths[-n_parts:]

    assert last_parts(first_frames, counts) == last_parts([0], counts[-1:])


@pytest.mark.parametrize("n_rows", [1, 2, 3, 17])
@pytest.mark.parametrize("n_columns", [1, 2, 12])
@pytest.mark.parametrize("dtype", [np.float32, np.float64])
def test_products_do_not_depend_on_the_position_of_rows(n_rows, n_columns, dtype):
    rng = np.random.default_rng(0)
    rows = rng.standard_normal((n_rows, 101)).astype(dtype)
    right = rng.standard_normal((101, n_columns)).astype(dtype)
    results = []
    for before in range(9):
        left = rng.standard_normal((before + n_rows + 3, 101)).astype(dtype)
        left[before : before + n_rows] = rows
        out = np.full((len(left), n_columns), np.nan, dtype)
        parts = [slice(before, before + n_rows), slice(before + n_rows, len(left))]
        multiply_parts(parts, left, right, out)
        results.append(out[before : before + n_rows].tobytes())
        assert np.isnan(out[:before]).all()
        np.testing.assert_allclose(out[before:], left[before:] @ right, rtol=1e-4, atol=1e-4)
    assert set(results) == {results[0]}

"""Frames of several clips in blocks, computed so that no clip's result depends on its neighbors.

A row of a matrix product may depend on its position in the matrix: BLAS kernels treat the rows at
the edges of their tiles differently. So clips share the operations that work row by row (windows,
Fourier transforms, squares), but the products use the frames of one clip only, in parts that are
counted from its first frame. The same clip then gives the same bytes with every kernel.
"""

from typing import NamedTuple

import numpy as np


class Block(NamedTuple):
    """Frames that are computed together, and the parts of them that belong to single clips."""

    frames: slice
    parts: list[slice]  # counted from the first frame of the block


def frame_blocks(first_frames, n_frames, size):
    """Yield Blocks of at most `size` frames that cover all frames of all clips, in order.

    Parameters
    ----------
    first_frames, n_frames : sequence of int
        The first frame of each clip in the common array of frames, and its number of frames.
        Frames between two clips belong to neither; blocks may contain them.
    size : int
        The largest number of frames in a block.
    """
    start, stop, parts = 0, 0, []
    for first, last in _clip_parts(first_frames, n_frames, size):
        if parts and last - start > size:
            yield Block(slice(start, stop), parts)
            parts = []
        if not parts:
            start = first
        parts.append(slice(first - start, last - start))
        stop = last
    if parts:
        yield Block(slice(start, stop), parts)


def _clip_parts(first_frames, n_frames, size):
    """Split each clip, starting at its first frame, so that parts do not depend on other clips."""
    for begin, n in zip(first_frames, n_frames, strict=True):
        for first in range(begin, begin + n, size):
            yield first, min(first + size, begin + n)


def multiply_parts(parts, left, right, out):
    """Multiply the rows of each part of `left` by `right`, part by part, into `out`."""
    if right.shape[1] == 1:
        for part in parts:
            _multiply_vector(left[part], right, out[part])
        return
    for part in parts:
        rows = left[part]
        if len(rows) == 1:
            _multiply_vector(rows, right, out[part])
        else:
            np.matmul(rows, right, out[part])


def _multiply_vector(left, right, out):
    """Multiply a single row, or by a single column, as if there were two equal ones.

    For a single row or column, BLAS uses a matrix-vector product. Some of its kernels sum in an
    order that depends on the addresses of the operands.
    """
    left = left[[0, 0]] if len(left) == 1 else left
    right = right[:, [0, 0]] if right.shape[1] == 1 else right
    out[...] = (left @ right)[: out.shape[0], : out.shape[1]]

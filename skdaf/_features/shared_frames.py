"""Frames that overlapping clips share, such as windows of a recording: one transform for each.

Clips share frames if their samples are the same memory and the distance between them is a whole
number of hops. Frames that reach beyond the ends of a clip contain silence there, so they belong to
this clip alone. Products are not shared, because they depend on the place of a frame in its clip
(see `frame_blocks`).
"""

from itertools import pairwise
from typing import NamedTuple

import numpy as np

from skdaf._features.frame_blocks import frame_blocks

# The squares of a clip are kept for the next one. Up to this many of them stay in the processor's
# caches.
_MAX_VALUES = 2**21

# For fewer shared squares than this, keeping them takes as much time as transforming them again.
_MIN_SHARED_VALUES = 2**14


class ClipFrames(NamedTuple):
    """The place of a clip's frames in an array of frames, and those that it may share."""

    first: int
    n_frames: int
    # The frames that lie within the clip, counted from its first one.
    inner_start: int
    inner_stop: int
    # How many frames the clip begins after the one before it; 0 if they do not share frames.
    shift: int


def frames_of_clips(waveforms, first_frames, settings):
    """Return the ClipFrames of each waveform; `first_frames` are their first frames."""
    hop, half = settings.hop_length, settings.n_fft // 2
    n_at_end = -(-half // hop)  # frames that reach beyond one end of a clip
    shifts = [0, *(_shift(*pair, n_at_end, settings) for pair in pairwise(waveforms))]
    return [
        ClipFrames(
            first,
            settings.n_frames(len(samples)),
            n_at_end,
            max(0, (len(samples) - half) // hop + 1),
            shift,
        )
        for first, samples, shift in zip(first_frames, waveforms, shifts, strict=True)
    ]


def _shift(previous, samples, n_at_end, settings):
    """Return by how many frames a clip begins after another one; 0 if they share too few."""
    # This takes no time for clips that are no parts of one array.
    if samples.base is None or samples.base is not previous.base:
        return 0
    if not (previous.flags.c_contiguous and samples.flags.c_contiguous):
        return 0
    distance = _address(samples) - _address(previous)
    shift, rest = divmod(distance, settings.hop_length * previous.itemsize)
    if rest or shift < 1 or previous.dtype != samples.dtype:
        return 0
    n_frames = settings.n_frames(len(previous))
    is_small = n_frames * settings.n_fft <= _MAX_VALUES
    n_shared = n_frames - shift - 2 * n_at_end
    is_worthwhile = n_shared * settings.n_fft >= _MIN_SHARED_VALUES
    return shift if is_small and is_worthwhile else 0


def _address(array):
    return array.__array_interface__["data"][0]


def blocks_of_squares(squares_of, clips, size):
    """Yield blocks of frames, their parts (as in `frame_blocks`), and their squares.

    Parameters
    ----------
    squares_of : callable
        Takes a slice of at most `size` frames; returns an array with one row of squares for each.
        The array may be overwritten by the next call.
    clips : list of ClipFrames
    size : int
        The largest number of frames in a part.
    """
    for chain in _chains(clips):
        if chain[-1].shift:
            yield from _chain_squares(squares_of, chain, size)
        else:
            firsts, counts = [clip.first for clip in chain], [clip.n_frames for clip in chain]
            for block, parts in frame_blocks(firsts, counts, size):
                yield block, parts, squares_of(block)


def _chains(clips):
    """Split a list of clips into lists of those that share frames, and of others."""
    shares = [bool(clip.shift or other.shift) for clip, other in pairwise([*clips, clips[0]])]
    first = 0
    for i in range(1, len(clips)):
        if not clips[i].shift and (shares[i - 1] or shares[i]):
            yield clips[first:i]
            first = i
    yield clips[first:]


def _chain_squares(squares_of, chain, size):
    """Yield the frames of each clip as a block; the inner ones are transformed only once.

    The squares of neighboring clips overlap in one array as their frames do. Frames at the ends of
    a clip are replaced before the next clip needs frames at the same place.
    """
    kept, position, stop = None, 0, 0
    for clip in chain:
        position += clip.shift
        if kept is not None and position + clip.n_frames > len(kept):
            n_known = max(0, stop - position)
            kept[:n_known] = kept[position : position + n_known]
            position, stop = 0, n_known
        head = min(clip.inner_start, clip.n_frames)
        first_unknown = max(head, min(stop - position, clip.inner_stop))
        for start, end in _ranges((0, head), (first_unknown, clip.n_frames), size=size):
            squares = squares_of(slice(clip.first + start, clip.first + end))
            if kept is None:
                n_rows = 2 * max(other.n_frames for other in chain)
                kept = np.empty((n_rows, squares.shape[1]), squares.dtype)
            kept[position + start : position + end] = squares
        stop = position + clip.inner_stop
        parts = [slice(start, end) for start, end in _ranges((0, clip.n_frames), size=size)]
        yield (
            slice(clip.first, clip.first + clip.n_frames),
            parts,
            kept[position : position + clip.n_frames],
        )


def _ranges(*ranges, size):
    """Split ranges into ranges of at most `size`."""
    for start, end in ranges:
        for first in range(start, end, size):
            yield first, min(first + size, end)

"""Bring spectrograms to their common length, as `_features.resizing` does."""

import numpy as np

from skdaf._estimators.export.fourier import add_range
from skdaf._estimators.export.graph import DOUBLE, FLOAT, INT64, integers


def add_common_length(graph, frames, length, padding=None):
    """Return spectrograms with `length.n_frames` frames.

    Parameters
    ----------
    graph : OnnxGraph
    frames : Frames
    length : CommonLength
    padding : str or ndarray, default=None
        The frame to append with "pad", of shape (1, 1, n_bins) or (n_clips, 1, n_bins).

    Returns
    -------
    spectrograms : str
        A tensor of shape (n_clips, n_frames, n_bins).
    """
    if length.method == "resize":
        return _resize(graph, frames.samples, frames.n_frames, integers(length.n_frames))
    if length.method == "pad":
        return _pad_or_cut(graph, frames.samples, length.n_frames, padding)
    spectrogram, count = frames
    if length.squeeze > 1:
        count = _squeezed(graph, count, length.squeeze)
        spectrogram = _resize(graph, spectrogram, frames.n_frames, count)
    return _tile_or_cut(graph, spectrogram, count, length.n_frames)


def _squeezed(graph, count, squeeze):
    rounded = graph.op("Round", graph.op("Div", _double(graph, count), np.float64(squeeze)))
    return _integer(graph, graph.op("Max", rounded, np.float64(1)))


def _tile_or_cut(graph, spectrogram, count, n_frames):
    surplus = graph.op("Max", graph.op("Sub", count, integers(n_frames)), integers(0))
    first = graph.op("Div", surplus, integers(2))
    index = graph.op("Mod", graph.op("Add", first, integers(*range(n_frames))), count)
    return graph.op("Gather", spectrogram, index, axis=1)


def _pad_or_cut(graph, spectrogram, n_frames, padding):
    n_clips = graph.op("Shape", spectrogram, start=0, end=1)
    shape = graph.op("Concat", n_clips, integers(n_frames, 1), axis=0)
    padded = graph.op("Concat", spectrogram, graph.op("Expand", padding, shape), axis=1)
    return graph.op("Slice", padded, integers(0), integers(n_frames), integers(1))


# --- resize ------------------------------------------------------------------------------------


def _resize(graph, spectrogram, n_in, n_out):
    """Stretch or squeeze spectrograms along time with a bicubic kernel.

    Positions and weights are computed in float64, as in `resizing.resize_matrix`. The operator
    Resize has such a kernel, too, but it computes them in float32, and not all runtimes have it.
    """
    index, weights = _kernels(graph, _double(graph, n_in), n_out)
    gathered = graph.op("Gather", spectrogram, index, axis=1)
    weights = graph.op("Unsqueeze", weights, integers(1))
    return graph.op("Squeeze", graph.op("MatMul", weights, gathered), integers(2))


def _kernels(graph, n_in, n_out):
    """Return which frames each output is computed from, and their weights: (n_out, width)."""
    scale = graph.op("Div", n_in, _double(graph, n_out))
    stretch = graph.op("Max", scale, np.float64(1))
    middle = graph.op("Add", _double(graph, add_range(graph, n_out)), np.float64(0.5))
    centers = graph.op("Unsqueeze", graph.op("Mul", middle, scale), integers(1))
    reach = graph.op("Mul", stretch, np.float64(2))
    first = graph.op("Add", graph.op("Sub", centers, reach), np.float64(0.5))
    first = graph.op("Floor", graph.op("Max", first, np.float64(0)))
    width = graph.op("Ceil", graph.op("Mul", stretch, np.float64(4)))
    width = _integer(graph, graph.op("Add", width, np.float64(1)))
    columns = graph.op("Add", first, _double(graph, add_range(graph, width)))
    offset = graph.op("Sub", graph.op("Add", columns, np.float64(0.5)), centers)
    weights = _bicubic(graph, graph.op("Abs", graph.op("Div", offset, stretch)))
    weights = graph.op("Where", graph.op("Less", columns, n_in), weights, np.float64(0))
    total = graph.op("ReduceSum", weights, integers(1), keepdims=1)
    weights = graph.op("Cast", graph.op("Div", weights, total), to=FLOAT)
    last = graph.op("Sub", n_in, np.float64(1))
    return _integer(graph, graph.op("Min", columns, last)), weights


def _bicubic(graph, distance):
    """Return Keys's cubic kernel with a = -0.5."""
    near = _polynomial(graph, distance, (1.5, -2.5, 0.0, 1.0))
    far = _polynomial(graph, distance, (-0.5, 2.5, -4.0, 2.0))
    is_far = graph.op("Less", distance, np.float64(2))
    far = graph.op("Where", is_far, far, np.float64(0))
    return graph.op("Where", graph.op("Less", distance, np.float64(1)), near, far)


def _polynomial(graph, x, coefficients):
    result = np.float64(coefficients[0])
    for coefficient in coefficients[1:]:
        result = graph.op("Mul", result, x)
        if coefficient:
            result = graph.op("Add", result, np.float64(coefficient))
    return result


def _double(graph, tensor):
    return graph.op("Cast", tensor, to=DOUBLE)


def _integer(graph, tensor):
    return graph.op("Cast", tensor, to=INT64)

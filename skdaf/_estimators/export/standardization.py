"""Standardize spectrograms and bring them to their common length, as `_features.standardizing`."""

import numpy as np

from skdaf._estimators.export.common_length import add_common_length
from skdaf._estimators.export.graph import DOUBLE, FLOAT, integers
from skdaf._features.standardizing import (
    MAX_DEVIATIONS,
    MIN_DEVIATION,
    SOFTENING_DEPTH,
    SOFTENING_SLOPE,
)


def add_finish(graph, frames, extraction):
    """Return spectrograms at the common length, standardized if `extraction` says so.

    Parameters
    ----------
    graph : OnnxGraph
    frames : Frames
    extraction : SpectrogramExtraction

    Returns
    -------
    spectrograms : str
        A tensor of shape (n_clips, n_frames, n_bins).
    """
    length, padding = extraction.length, None
    if length.method == "pad":
        padding = np.reshape(extraction.padding, (1, 1, -1)).astype(np.float32)
    if not extraction.standardize:
        return add_common_length(graph, frames, length, padding)
    if extraction.settings.features != "mfcc":
        frames = frames._replace(samples=_soften(graph, frames.samples))
        padding = None if padding is None else _soften(graph, padding)
    if extraction.mean_subtraction:
        offset = _offset(graph, frames.samples, extraction.mean_subtraction)
        frames = frames._replace(samples=graph.op("Sub", frames.samples, offset))
        padding = None if padding is None else graph.op("Sub", padding, offset)
    mean, scale = _standardization(graph, frames.samples)
    if padding is not None:
        distance = graph.op("Abs", graph.op("Sub", frames.samples, mean))
        farthest = graph.op("ReduceMax", distance, integers(1, 2), keepdims=1)
        scale = graph.op("Max", scale, graph.op("Div", farthest, MAX_DEVIATIONS))
    result = add_common_length(graph, frames, length, padding)
    result = graph.op("Div", graph.op("Sub", result, mean), scale)
    return result if padding is None else graph.op("Clip", result, -MAX_DEVIATIONS, MAX_DEVIATIONS)


def _soften(graph, levels):
    softened = graph.op("Mul", levels, SOFTENING_SLOPE)
    softened = graph.op("Sub", softened, (1 - SOFTENING_SLOPE) * SOFTENING_DEPTH)
    return graph.op("Max", levels, softened)


def _offset(graph, spectrogram, share):
    """Return the part of the mean spectrum to subtract."""
    mean = _mean(graph, spectrogram, integers(1))
    return graph.op("Cast", graph.op("Mul", mean, np.float64(share)), to=FLOAT)


def _standardization(graph, spectrogram):
    """Return the mean and the scale that give a clip zero mean and unit variance."""
    mean = graph.op("Cast", _mean(graph, spectrogram, integers(1, 2)), to=FLOAT)
    centered = graph.op("Sub", spectrogram, mean)
    variance = _mean(graph, graph.op("Mul", centered, centered), integers(1, 2))
    deviation = graph.op("Cast", graph.op("Sqrt", variance), to=FLOAT)
    is_large = graph.op("Greater", deviation, MIN_DEVIATION)
    return mean, graph.op("Where", is_large, deviation, np.float32(1))


def _mean(graph, tensor, axes):
    """Return a mean in float64, because onnxruntime adds the values one by one."""
    return graph.op("ReduceMean", graph.op("Cast", tensor, to=DOUBLE), axes, keepdims=1)

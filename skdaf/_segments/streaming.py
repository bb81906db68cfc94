"""predict_stream: predict the windows of a recording while it arrives."""

from collections.abc import Iterable, Iterator, Mapping
from typing import Any

import numpy as np
from numpy.typing import ArrayLike

from skdaf._audio.clips import AudioReadError, Clip
from skdaf._audio.sources import PATH_TYPES, is_pair
from skdaf._audio.stream import BlockReader, Buffer, PartSource, stream_rate
from skdaf._core.public import public
from skdaf._core.validation import validate_params
from skdaf._estimators.argument_order import check_not_swapped
from skdaf._features.windows import Windows, in_samples
from skdaf._segments.predict import PREDICTION_CONSTRAINTS, WindowPredictor
from skdaf._segments.window_lengths import (
    warn_about_step,
    warn_about_window,
    window_or_default,
)

_NAME = "the stream"


@public
@validate_params(PREDICTION_CONSTRAINTS)
def predict_stream(
    estimator: Any,
    blocks: Iterable[ArrayLike],
    sampling_rate: float,
    *,
    window: float | None = None,
    step: float | None = None,
    batch_size: int = 256,
    threshold: float | dict[Any, float] | None = None,
) -> Iterator[dict[str, Any]]:
    """Predict the class, or the numbers, of windows of live audio as soon as they are complete.

    The rows are those of `predict_segments` for the same samples, whatever the sizes of the blocks.
    Only the samples of the current window and block are kept, so a stream can run for days.

    Parameters
    ----------
    estimator : classifier, regressor, str or os.PathLike
        A fitted classifier or regressor that takes files, or the path of a saved one, as in
        `predict_segments`.
    blocks : iterable of arrays of shape (n_samples,) or (n_samples, n_channels)
        The samples, in blocks of any sizes, as arrays or tensors, usually from a generator. Empty
        blocks are skipped. All blocks have the same number of channels, which are mixed down as
        those of a file, and contain either floats (full scale is 1) or integers of one type. Those
        of 8, 16 and 32 bits are divided by their full scale. Blocks are copied, so the memory of a
        block can be used again when the next one is requested.
    sampling_rate : int
        The rate of the samples in Hz. If it differs from that of the estimator, each window is
        resampled, as in `predict_segments`.
    window : float, default=None
        Length of a window in seconds; if None, that of the training clips, as in
        `predict_segments`. The window and the step are rounded to whole samples.
    step : float, default=None
        Step from one window to the next in seconds. If None, `window`.
    batch_size : int, default=256
        The largest number of windows that are predicted together, if a block completes several. No
        window waits for others.
    threshold : float or dict, default=None
        The lowest probability of a detection, or one for each class, as in `predict_segments`.

    Returns
    -------
    rows : generator of dict
        For each window, `start` and `end` in seconds from the first sample; `label`; and, if the
        estimator has `predict_proba`, the probability of each class. The keys and values are those
        of a row of `predict_segments`: with a `threshold`, the label is None if no class reaches
        it; for a regressor, there are numbers in `value`, or in `value_0`, `value_1`, ... instead;
        with several labels per clip, there is a row for each label of a window. The last window is
        yielded when `blocks` ends, and may be shorter. The probabilities of a network can differ
        from those of `predict_segments` by rounding.

    Raises
    ------
    AudioReadError
        If a sample is NaN or infinite (the message names the block and the time), or if the stream
        ends without any samples.
    NotFittedError
        If the estimator is not fitted.
    TypeError
        If the estimator is neither a classifier nor a regressor, or a block is not an array of
        samples, for example because it contains raw bytes.
    ValueError
        If a parameter is out of range, as in `predict_segments`, or the blocks have different
        types or numbers of channels.

    Warns
    -----
    UserWarning
        If the window is much longer or shorter than the clips of the training, or shorter than
        the step, as in `predict_segments`.

    See Also
    --------
    predict_segments : The same for recordings that are complete.
    merge_stream : Join the rows to segments, with smoothing, while they arrive.

    Notes
    -----
    Parameters are checked and the model is loaded when the function is called. Blocks are requested
    one at a time when the next row is. Close the generator, or delete it, to stop early.

    Examples
    --------
    >>> import numpy as np
    >>> from sklearn.linear_model import LogisticRegression
    >>> from sklearn.pipeline import make_pipeline
    >>> from skdaf import PyAudioAnalysisTransformer, predict_stream
    >>> noise = np.random.default_rng(0).uniform(-0.5, 0.5, 22_000)
    >>> noise[12_000:] *= 0.01
    >>> clips = [(noise[:8000], 8000), (noise[12_000:20_000], 8000)]
    >>> model = make_pipeline(PyAudioAnalysisTransformer(), LogisticRegression())
    >>> model = model.fit(clips, ["loud", "quiet"])
    >>> for row in predict_stream(model, np.split(noise, 11), 8000):
    ...     print(row["start"], row["end"], row["label"])
    0.0 1.0 loud
    1.0 2.0 quiet
    2.0 2.75 quiet
    """
    check_not_swapped(estimator, blocks, "predict_stream(estimator, blocks, sampling_rate)")
    predictor = WindowPredictor(estimator, threshold)
    window = window_or_default(predictor.estimator, window)
    warn_about_window(predictor.estimator, window)
    warn_about_step(window, step, stacklevel=4)
    _check_blocks(blocks)
    rate = stream_rate(sampling_rate)
    batches = _batches(blocks, rate, window, step or window, batch_size)
    return (row for windows in batches for row in _rows(predictor, windows))


def _check_blocks(blocks):
    """Raise TypeError for samples, or a recording, in place of blocks of samples."""
    if isinstance(blocks, PATH_TYPES):
        raise TypeError(
            f"blocks is the path {blocks!r}: expected blocks of samples. For a file, use "
            "predict_segments."
        )
    if isinstance(blocks, (Mapping, Clip)):
        raise TypeError(
            f"blocks is a {type(blocks).__name__}: expected an iterable of arrays of samples. For a"
            " recording that is complete, use predict_segments."
        )
    if is_pair(blocks):
        raise TypeError(
            "blocks is a pair (samples, sampling_rate): pass [samples] as blocks, and the rate as "
            "sampling_rate."
        )
    if hasattr(blocks, "ndim") or isinstance(blocks, (bytes, bytearray)):
        raise TypeError(
            f"blocks is a single {type(blocks).__name__}: expected an iterable of arrays. Pass "
            "[samples] for one block of samples, and list(blocks) for rows that are blocks."
        )
    if not isinstance(blocks, Iterable):
        advice = " For a queue, pass a generator that yields what its `get` returns."
        raise TypeError(
            f"blocks is {blocks!r:.100}: expected an iterable of arrays of samples."
            f"{advice if hasattr(blocks, 'get') else ''}"
        )


def _batches(blocks, rate, window, step, batch_size):
    """Yield lists of windows, which are Clips, as soon as they are complete."""
    length, step_length = in_samples(window, step, rate)
    reader, buffer = BlockReader(rate), Buffer()
    n_done = 0
    # Long blocks are taken apart, so that memory does not depend on their length.
    longest = length + (batch_size - 1) * step_length
    for part in (part for block in blocks for part in reader.read(block, longest)):
        buffer.append(part)
        while (n_ready := (buffer.stop - n_done * step_length - length) // step_length + 1) > 0:
            n_ready = min(n_ready, batch_size)
            starts = [(n_done + i) * step_length for i in range(n_ready)]
            yield [_window(buffer, start, start + length, rate) for start in starts]
            n_done += n_ready
            buffer.drop_before(n_done * step_length)
    if not buffer.stop:
        raise AudioReadError.of(_NAME, "contains no samples")
    for start in Windows(None, window, step, rate, buffer.stop).starts[n_done:]:
        yield [_window(buffer, start, min(start + length, buffer.stop), rate)]


def _window(buffer, start, stop, rate):
    source = PartSource(buffer.get(start, stop), start, rate, _NAME)
    return Clip(source, start / rate, stop / rate)


def _rows(predictor, windows):
    """Yield the rows of some windows."""
    columns, present = predictor(windows)
    names = list(columns)
    if predictor.thresholds is not None and present is None:
        probabilities = np.column_stack([columns[name] for name in predictor.columns])
        columns["label"] = predictor.labels_above(probabilities, columns["label"])
    values = list(zip(*map(_plain, columns.values()), strict=True))
    for i, window in enumerate(windows):
        row = {"start": window.start, "end": window.end}
        if present is None:
            yield row | dict(zip(names, values[i], strict=True))
            continue
        labels = _plain(predictor.names[present[i].astype(bool)]) or [None]
        for label in labels:
            yield row | {"label": label} | dict(zip(names, values[i], strict=True))


def _plain(values):
    """Return an array as a list of Python's values, if these are as precise and as wide."""
    values = np.asarray(values)
    is_same = values.dtype.kind not in "iuf" or values.dtype in (np.float64, np.int64)
    return values.tolist() if is_same else list(values)

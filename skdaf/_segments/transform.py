"""transform_segments: features of a long recording over time."""

from functools import partial
from typing import Any

import numpy as np
import pandas as pd
from scipy.sparse import issparse

from skdaf._audio.unusual_clips import windows_of_recordings
from skdaf._core.public import public
from skdaf._core.validation import validate_params
from skdaf._estimators.argument_order import check_not_swapped
from skdaf._segments.batches import WINDOW_CONSTRAINTS, load_for_windows, map_windows
from skdaf._segments.tables import probability_columns

_TIMES = ["start", "end"]


@public
@validate_params(WINDOW_CONSTRAINTS)
def transform_segments(
    transformer: Any,
    path: Any,
    *,
    window: float,
    step: float | None = None,
    batch_size: int = 256,
    verbose: int = 0,
) -> pd.DataFrame:
    """Compute the features of a long recording window by window.

    The features of a window are what ``transformer.transform`` returns for it as a `Clip`. Windows
    are read in batches, so even a day of sound only needs memory for one batch and for the table.

    Parameters
    ----------
    transformer : transformer, str or os.PathLike
        A fitted transformer that takes files: a `CNNFeatureExtractor`, a `ConvAutoencoderEmbedder`,
        a `PyAudioAnalysisTransformer`, a pipeline or union that contains them, a
        ``FrozenEstimator``; or the path of a file written by `save_model`.
    path : str, os.PathLike, Clip, or a sound in memory
        One recording, as in `predict_segments`. For a Clip, only its interval is used; times refer
        to the whole recording.
    window : float
        Length of a window in seconds, ideally the length of the training clips. The window and the
        step are rounded to whole samples of the recording, so times do not drift.
    step : float, default=None
        Step from one window to the next in seconds. If None, `window`. With smaller steps, windows
        overlap; larger steps leave gaps, with a warning.
    batch_size : int, default=256
        Number of windows that are read and transformed together. Smaller batches need less memory.
    verbose : int, default=0
        If 1, show a progress bar.

    Returns
    -------
    features : pandas.DataFrame of n_windows rows
        `start` and `end` in seconds, with the same values as in `predict_segments`, and one column
        per feature. Columns are named by ``get_feature_names_out`` of the transformer, or
        ``feature_0``, ``feature_1``, ... if it does not name its features; ``_`` is appended to a
        feature called start or end. Features with several dimensions, such as spectrograms, are
        flattened. The last window ends with the recording and may be shorter; a recording shorter
        than a window is one row.

    Raises
    ------
    AudioReadError
        If the recording cannot be read.
    NotFittedError
        If the transformer is not fitted.
    TypeError
        If the transformer has no method `transform`, or `path` is not one recording.
    ValueError
        If a parameter is out of range, or the transformer does not return one row per window.

    Warns
    -----
    UserWarning
        If `window` exceeds 30 s and the recording, or `step` the window.

    See Also
    --------
    predict_segments : Classify the same windows.
    EmbeddingDisplay.from_segments : Show the features as a path in two dimensions.

    Notes
    -----
    Long recordings in a few old codecs take much time: see the notes of `predict_segments`.

    Examples
    --------
    >>> import numpy as np
    >>> from skdaf import PyAudioAnalysisTransformer, transform_segments
    >>> noise = np.random.default_rng(0).uniform(-0.5, 0.5, 16_000)
    >>> tone = np.sin(2 * np.pi * 200 / 8000 * np.arange(14_000))
    >>> recording = np.concatenate([noise, tone]), 8000
    >>> transformer = PyAudioAnalysisTransformer().fit([recording])
    >>> features = transform_segments(transformer, recording, window=1)
    >>> features[["start", "end", "zcr_mean"]].round(2)
       start   end  zcr_mean
    0    0.0  1.00      0.52
    1    1.0  2.00      0.50
    2    2.0  3.00      0.05
    3    3.0  3.75      0.05
    """
    check_not_swapped(transformer, path, "transform_segments(transformer, path, window=...)")
    transformer = load_transformer(transformer)
    outputs = window_outputs(
        transformer,
        path,
        window=window,
        step=step,
        batch_size=batch_size,
        verbose=verbose,
    )
    tables = [_table(transformer, *output) for output in outputs]
    return pd.concat(tables, ignore_index=True)


def load_transformer(transformer):
    """Return a fitted transformer, which may be saved in a file."""
    transformer = load_for_windows(transformer, "transformer", "transformer")
    if not hasattr(transformer, "transform"):
        raise TypeError(
            f"transformer must have a method `transform`, got {type(transformer).__name__}. For "
            "the layers of a network, pass CNNFeatureExtractor(FrozenEstimator(network)), fitted; "
            "for the steps of a pipeline before its classifier, pipeline[:-1]."
        )
    return transformer


def window_outputs(transformer, path, **options):
    """Return (starts, ends, output of the transformer) for each batch of windows.

    The output has one row per window. `options` are those of `map_windows`.
    """
    options = {"description": "Transforming", "stacklevel": 6, **options}
    found = map_windows(partial(_transform_windows, transformer), path, **options)
    shapes = {output.shape[1:] for _, _, output in found}
    if len(shapes) > 1:
        raise ValueError(
            f"{type(transformer).__name__}.transform must return the same number of features for "
            f"all windows, got rows of the shapes {sorted(shapes)}."
        )
    return found


def _transform_windows(transformer, windows):
    with windows_of_recordings():
        output = transformer.transform(windows)
    output = output if hasattr(output, "shape") else np.asarray(output)
    if output.shape[:1] != (len(windows),):
        raise ValueError(
            f"{type(transformer).__name__}.transform must return one row per window, got an output "
            f"of shape {output.shape} for {len(windows)} windows."
        )
    starts, ends = ([getattr(window, name) for window in windows] for name in _TIMES)
    return starts, ends, output


def _table(transformer, starts, ends, output):
    table = feature_table(transformer, output, _TIMES)
    table.insert(0, "start", starts)
    table.insert(1, "end", ends)
    return table


def feature_table(transformer, output, others):
    """Return a table of the output of a transformer, with one named column per feature.

    `others` are the names of columns that will be added; features get other names.
    """
    columns = getattr(output, "columns", None)
    names = _feature_names(transformer) if columns is None else list(columns)
    if not isinstance(output, pd.DataFrame):
        values = output.toarray() if issparse(output) else np.asarray(output)
        output = pd.DataFrame(values.reshape(len(values), -1))
    if names is None or len(names) != output.shape[1]:
        names = [f"feature_{index}" for index in range(output.shape[1])]
    return output.set_axis(probability_columns(names, others), axis="columns")


def _feature_names(transformer):
    """Return the names of the features; None if a transformer does not name them."""
    try:
        return list(transformer.get_feature_names_out())
    except (AttributeError, ValueError):
        return None

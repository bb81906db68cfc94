"""From long recordings to segments and back: predict_segments, clips_from_segments."""

from numbers import Integral, Real

import numpy as np
import pandas as pd
from sklearn.base import is_classifier
from sklearn.calibration import CalibratedClassifierCV
from sklearn.pipeline import Pipeline
from sklearn.utils._param_validation import Interval
from sklearn.utils.validation import check_is_fitted

from skdaf._audio.clips import Clip
from skdaf._audio.opening import on_disk
from skdaf._audio.reading import read_info
from skdaf._audio.sources import is_source
from skdaf._core.parallel import progress_bar
from skdaf._core.public import public
from skdaf._core.validation import validate_params
from skdaf._estimators.fitted import load_if_path, unwrap
from skdaf._features.windows import Windows, cut_windows
from skdaf._segments.merge import merge_segments
from skdaf._segments.report import segment_report
from skdaf._segments.tables import (
    check_segments,
    probability_columns,
    read_segments,
    write_segments,
)

__all__ = [
    "clips_from_segments",
    "merge_segments",
    "predict_segments",
    "read_segments",
    "segment_report",
    "write_segments",
]

_SECONDS = [Interval(Real, 0, None, closed="neither")]


@public
@validate_params(
    {
        "window": _SECONDS,
        "step": [*_SECONDS, None],
        "batch_size": [Interval(Integral, 1, None, closed="left")],
    }
)
def predict_segments(estimator, path, *, window=1.0, step=None, batch_size=256, verbose=0):
    """Classify a long recording window by window.

    Windows are parts of the file like any `Clip`: what a window gets is what
    ``estimator.predict`` says of it. They are read a batch at a time, so that an hour or a day of
    sound needs the memory of one batch, beside the table itself.

    Parameters
    ----------
    estimator : classifier, str or os.PathLike
        A fitted classifier that takes files: `CNNAudioClassifier`, the combiner, a pipeline or a
        search around them. A path is that of a file written by `save_model`.
    path : str, os.PathLike, Clip, or a sound in memory
        One recording, of any format and rate; also a file open for reading bytes, or the pair
        ``(samples, sampling_rate)``. Of a Clip only its own part is classified; times are those of
        the recording all the same.
    window : float, default=1.0
        Length of a window in seconds, about that of the clips trained on. It is taken as a whole
        number of samples of the recording, and so is `step`: nothing drifts over hours.
    step : float, default=None
        Step from window to window in seconds. None is `window`. A smaller one makes windows
        overlap (`merge_segments` resolves that); a larger one leaves gaps.
    batch_size : int, default=256
        Number of windows read and classified together. Smaller needs less memory; larger is
        hardly faster, unless the estimator's `n_jobs` has many workers to feed.
    verbose : int, default=0
        1 shows a progress bar.

    Returns
    -------
    segments : pandas.DataFrame of n_windows rows
        `start` and `end` in seconds, exact to the sample (``round(start * rate)`` is the first
        sample); `label` as `predict` gives it; and where the estimator has `predict_proba`, a
        column of probabilities a class, named by the class as text (classes called start, end or
        label get a ``_`` behind their name). The last window ends with the recording and may be
        shorter; a recording shorter than a window is one segment.

    Raises
    ------
    AudioReadError
        If the recording cannot be read.
    NotFittedError
        If the estimator is not fitted.
    TypeError
        If the estimator is no classifier, or `path` is not one path.
    ValueError
        If a parameter is out of range.

    See Also
    --------
    merge_segments : Join windows of one label, with smoothing.
    write_segments : Write them as labels for Audacity.
    segment_report : Compare them with true ones.

    Notes
    -----
    Every window opens the file and goes to its place, so the time grows with the length of the
    recording. A few old codecs cannot be searched (GSM 6.10, G.721, G.723 and NMS ADPCM, DWVW):
    there it grows with the square of the length, so convert long recordings of these kinds to FLAC
    first.

    Examples
    --------
    >>> import tempfile, pathlib, numpy as np, soundfile
    >>> from sklearn.linear_model import LogisticRegression
    >>> from sklearn.pipeline import make_pipeline
    >>> from sklearn.preprocessing import StandardScaler
    >>> from skdaf import Clip, PyAudioAnalysisTransformer, predict_segments
    >>> noise = np.random.default_rng(0).uniform(-0.5, 0.5, 30_000)
    >>> noise[16_000:] *= 0.01
    >>> model = make_pipeline(
    ...     PyAudioAnalysisTransformer(), StandardScaler(), LogisticRegression()
    ... )
    >>> with tempfile.TemporaryDirectory() as folder:
    ...     path = pathlib.Path(folder, "noise.wav")
    ...     soundfile.write(path, noise, 8000)
    ...     clips = [Clip(path, 0, 1), Clip(path, 1, 2), Clip(path, 2, 3), Clip(path, 3)]
    ...     model = model.fit(clips, ["loud", "loud", "quiet", "quiet"])
    ...     segments = predict_segments(model, path)
    >>> segments[["start", "end", "label"]]
       start   end  label
    0    0.0  1.00   loud
    1    1.0  2.00   loud
    2    2.0  3.00  quiet
    3    3.0  3.75  quiet
    >>> list(segments.columns)
    ['start', 'end', 'label', 'loud', 'quiet']
    """
    estimator = _fitted_classifier(estimator)
    with on_disk(_one_recording(path)) as clip:
        info = read_info(clip)
        windows = Windows(clip, window, step or window, info.sampling_rate, info.n_frames)
        tables = []
        with progress_bar(len(windows), "Predicting", "window", verbose) as advance:
            for first in range(0, len(windows), batch_size):
                tables.append(_predicted(estimator, windows[first : first + batch_size]))
                advance(len(tables[-1]))
    return pd.concat(tables, ignore_index=True)


def _fitted_classifier(estimator):
    estimator = load_if_path(estimator)
    if isinstance(estimator, type) or not hasattr(estimator, "fit"):
        raise TypeError(
            f"estimator must be a fitted classifier, or the path of a saved one, got {estimator!r}."
        )
    check_is_fitted(estimator)
    if not (is_classifier(estimator) and hasattr(estimator, "predict")):
        raise TypeError(
            f"estimator must be a classifier with `predict`, got {type(estimator).__name__}."
        )
    if isinstance(getattr(estimator, "classes_", None), list):
        raise ValueError("estimator must predict one label a clip, got one with several outputs.")
    return estimator


def _one_recording(path):
    """Return a Clip of one recording: a path, a Clip, or what a Clip takes."""
    if isinstance(path, Clip):
        return path
    if not is_source(path):
        raise TypeError(
            "path must be one recording (str, os.PathLike, Clip, (samples, sampling_rate) or an "
            f"open file), got a {type(path).__name__}: {path!r:.80}. Call it once for each "
            "recording."
        )
    return Clip(path)


def _predicted(estimator, windows):
    """Return the rows of some windows."""
    labels, probabilities = labels_and_probabilities(estimator, windows)
    rows = {
        "start": [window.start for window in windows],
        "end": [window.end for window in windows],
        "label": labels,
    }
    if probabilities is not None:
        rows |= zip(probability_columns(estimator.classes_), probabilities.T, strict=True)
    return pd.DataFrame(rows)


def labels_and_probabilities(estimator, X):
    """Predict both, computing what they share once; the second is None where there are none."""
    estimator = unwrap(estimator)
    if type(estimator) is Pipeline and len(estimator) > 1:
        return labels_and_probabilities(estimator[-1], estimator[:-1].transform(X))
    if not hasattr(estimator, "predict_proba"):
        return estimator.predict(X), None
    probabilities = estimator.predict_proba(X)
    # The label of these is that of their largest output; others have their own ways to decide.
    if hasattr(estimator, "layer_outputs") or type(estimator) is CalibratedClassifierCV:
        return estimator.classes_[probabilities.argmax(axis=1)], probabilities
    return estimator.predict(X), probabilities


@public
@validate_params({"window": [*_SECONDS, None], "step": [*_SECONDS, None]})
def clips_from_segments(path, segments, *, window=None, step=None):
    """Turn the annotated segments of a recording into clips and labels to train on.

    Parameters
    ----------
    path : str, os.PathLike, or a sound in memory
        The recording. It is not read, unless there is a `window`: then its header is. A file open
        for reading bytes and the pair ``(samples, sampling_rate)`` will do.
    segments : pandas.DataFrame
        With the columns `start`, `end` (s) and `label`, as `read_segments` gives it.
    window : float, default=None
        Length in seconds of the windows that each segment is cut into; as with
        `predict_segments`, the last one of a segment may be shorter. None leaves segments whole.
        Networks learn best from clips as long as the windows they will be asked about.
    step : float, default=None
        Step from window to window in seconds. None is `window`.

    Returns
    -------
    clips : list of Clip
        In the order of time.
    labels : ndarray of shape (n_clips,)
        Their labels.

    Raises
    ------
    AudioReadError
        If there is a `window` and the recording cannot be read, or ends before a segment starts.
    TypeError
        If `path` is not a path, or `segments` is not a table.
    ValueError
        If a column or a value is missing, a segment has no duration or an empty label, a parameter
        is out of range, or there is a `step` without a `window`.

    See Also
    --------
    read_segments : Read annotations.
    predict_segments : Classify recordings with what was trained.

    Notes
    -----
    Neighbouring windows sound alike. In cross-validation keep those of one recording together,
    with ``GroupKFold``.

    Examples
    --------
    >>> import pandas as pd
    >>> from skdaf import clips_from_segments
    >>> segments = pd.DataFrame({"start": [0, 2.5], "end": [2.5, 4], "label": ["cat", "dog"]})
    >>> clips, labels = clips_from_segments("yard.wav", segments)
    >>> clips[1], labels[1].item()
    (Clip(path='yard.wav', start=2.5, end=4.0), 'dog')
    """
    if step is not None and window is None:
        raise ValueError(f"step={step} is that of windows, but window is None.")
    table = check_segments(segments, "segments")
    # One source for all: a file that is open is read once.
    recording = Clip(path).path
    clips = [Clip(recording, *span) for span in zip(table.start, table.end, strict=True)]
    labels = np.array(table.label.tolist())
    if window is None or not clips:
        return clips, labels
    windows, firsts = cut_windows(clips, window, step or window, None)
    return windows, np.repeat(labels, np.diff([*firsts, len(windows)]))

"""predict_segments: classify a long recording, or predict numbers, window by window."""

from functools import partial
from numbers import Real
from typing import Any

import numpy as np
import pandas as pd
from scipy.sparse import issparse
from sklearn.base import is_classifier, is_regressor
from sklearn.pipeline import Pipeline
from sklearn.utils._param_validation import Hidden

from skdaf._audio.unusual_clips import windows_of_recordings
from skdaf._core.public import public
from skdaf._core.validation import StrictInterval, validate_params
from skdaf._estimators.argument_order import check_not_swapped
from skdaf._estimators.fitted import names_of_labels, unwrap
from skdaf._segments.batches import SECONDS, WINDOW_CONSTRAINTS, load_for_windows, map_windows
from skdaf._segments.multilabel import one_row_per_label
from skdaf._segments.tables import probability_columns, value_columns
from skdaf._segments.thresholds import check_threshold, winners
from skdaf._segments.window_lengths import warn_about_window, window_or_default

# The constraints of functions that predict windows.
PREDICTION_CONSTRAINTS = {
    **WINDOW_CONSTRAINTS,
    "window": [*SECONDS, None],
    # `_thresholds` explains tuples.
    "threshold": [StrictInterval(Real, 0, 1, closed="right"), dict, None, Hidden(tuple)],
}


@public
@validate_params(PREDICTION_CONSTRAINTS)
def predict_segments(
    estimator: Any,
    path: Any,
    *,
    window: float | None = None,
    step: float | None = None,
    batch_size: int = 256,
    verbose: int = 0,
    threshold: float | dict[Any, float] | None = None,
) -> pd.DataFrame:
    """Predict the class, or the numbers, of a long recording window by window.

    The label of a window is what ``estimator.predict`` returns for it as a `Clip`. Windows are read
    in batches, so even a day of sound only needs memory for one batch and for the table.

    Parameters
    ----------
    estimator : classifier, regressor, str or os.PathLike
        A fitted classifier or regressor that takes files: a `CNNAudioClassifier`, a
        `CNNAudioRegressor`, a combined classifier, a pipeline or a search that contains one; or the
        path of a file written by `save_model`.
    path : str, os.PathLike, Clip, or a sound in memory
        One recording, of any format and sampling rate; also a file opened for reading bytes, or a
        pair ``(samples, sampling_rate)``. For a Clip, only its interval is classified; times refer
        to the whole recording.
    window : float, default=None
        Length of a window in seconds. If None, the median length of the training clips, which the
        transformers of this package know (`clip_length_`), and otherwise 1. The window and the step
        are rounded to whole samples of the recording, so times do not drift.
    step : float, default=None
        Step from one window to the next in seconds. If None, `window`. With smaller steps, windows
        overlap (`merge_segments` resolves overlaps); larger steps leave gaps, with a warning.
    batch_size : int, default=256
        Number of windows that are read and classified together. Smaller batches need less memory;
        larger ones are hardly faster, unless the estimator's `n_jobs` is high.
    verbose : int, default=0
        If 1, show a progress bar.
    threshold : float or dict, default=None
        The lowest probability of a detection, above 0 and at most 1. A window in which no class
        reaches it has no label. A dict has one threshold per class (classes are compared as text).
        If several classes reach their thresholds, the one with the largest ratio of probability to
        threshold wins, and of equal ones the first. Classes that are not in the dict have no
        threshold: such a class wins if ``estimator.predict`` returns it and no other class reaches
        its threshold. If None, or an empty dict, the label is what ``estimator.predict`` returns;
        every window has one. Regressors have no thresholds. With several labels per clip, a window
        has each label whose probability reaches the threshold, and of the labels that are not in
        the dict those that ``estimator.predict`` returns.

    Returns
    -------
    segments : pandas.DataFrame with one row per window
        `start` and `end` in seconds, exact to the sample (``round(start * rate)`` is the first
        sample); `label` as returned by `predict`; and, if the estimator has `predict_proba`, one
        column of probabilities per class, named after the class (with a ``_`` appended if a class
        is called start, end or label). The last window ends with the recording and may be shorter;
        a recording shorter than a window is one segment. With a `threshold`, windows without a
        label keep their rows and probabilities; their `label` is missing, so ``label.isna()`` is
        true. `merge_segments`, `write_segments` and `segment_report` do not take such rows for
        segments. For a regressor, there are no labels and probabilities: the numbers of a window
        are in the column `value`, or in `value_0`, `value_1`, ... if there are several targets. If
        the classifier was fitted with several labels per clip, a window has a row for each of its
        labels, and one row with a missing label if it has none; pass ``multilabel=True`` to
        `merge_segments` and `segment_report`.

    Raises
    ------
    AudioReadError
        If the recording cannot be read.
    NotFittedError
        If the estimator is not fitted.
    TypeError
        If the estimator is neither a classifier nor a regressor, or `path` is not one recording.
    ValueError
        If a parameter is out of range, `window` is shorter than a frame of the front end,
        `threshold` has an unknown class, or there is a `threshold` but the estimator has no
        `predict_proba`.

    Warns
    -----
    UserWarning
        If `window` is more than about twice as long as the training clips, or shorter than half of
        them; or if it exceeds 30 s and the recording. Milliseconds are a common mistake. If `step`
        is longer than the window, so that there are gaps.

    See Also
    --------
    merge_segments : Join windows with the same label, with smoothing.
    tune_thresholds : Choose thresholds on annotated recordings.
    write_segments : Write segments as labels for Audacity, as a table for Raven, or as CSV.
    segment_report : Compare segments with the true ones.
    ValuesDisplay : Show the numbers of a regressor over time.

    Notes
    -----
    Windows that overlap or touch are cut out of samples that are decoded together, with the same
    results as for single clips. The time is proportional to the length of the recording. A few old
    codecs do not support seeking (GSM 6.10, G.721, G.723 and NMS ADPCM, DWVW): with these, the time
    to decode grows with the square of the length, so convert very long recordings to FLAC first.

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

    With a threshold, windows in which no class is probable enough have no label:

    >>> segments = predict_segments(model, (noise, 8000), threshold={"quiet": 0.5, "loud": 1.0})
    >>> segments.label.notna().tolist()
    [False, False, True, True]
    """
    check_not_swapped(estimator, path, "predict_segments(estimator, path)")
    predictor = WindowPredictor(estimator, threshold)
    may_be_long = window is None
    window = window_or_default(predictor.estimator, window)
    # A single warning about a window.
    may_be_long |= warn_about_window(predictor.estimator, window)
    tables = map_windows(
        partial(_table, predictor),
        path,
        window=window,
        may_be_long=may_be_long,
        step=step,
        batch_size=batch_size,
        verbose=verbose,
        description="Predicting",
    )
    table = pd.concat(tables, ignore_index=True)
    if predictor.is_multilabel:
        # Without missing labels, the column gets the type of the labels.
        return table.infer_objects() if table.label.notna().all() else table
    if predictor.thresholds is None:
        return table
    probabilities = table[predictor.columns].to_numpy()
    return table.assign(label=predictor.labels_above(probabilities, table.label))


class WindowPredictor:
    """Predicts windows; what does not change from window to window is found out once.

    Parameters
    ----------
    estimator, threshold
        As in `predict_segments`.
    """

    def __init__(self, estimator, threshold):
        self.estimator = estimator = _fitted_predictor(estimator)
        self.thresholds = _thresholds(estimator, threshold)
        self.is_regressor = is_regressor(estimator)
        self.is_multilabel = not self.is_regressor and is_multilabel(estimator)
        self.names, self.columns = None, []
        if self.is_multilabel or hasattr(estimator, "predict_proba"):
            self.names = names_of_labels(estimator)
            self.columns = probability_columns(self.names)

    def __call__(self, windows):
        """Return columns, as a dict of arrays, and which labels each window has.

        The latter is None unless there can be several labels per window. A `threshold` is already
        applied to these; for one label per window, call `labels_above`.
        """
        with windows_of_recordings():
            if self.is_regressor:
                return numbers_by_column(self.estimator, windows), None
            labels, probabilities = labels_and_probabilities(self.estimator, windows)
        columns = {}
        if probabilities is not None:
            columns = dict(zip(self.columns, probabilities.T, strict=True))
        if not self.is_multilabel:
            if np.ndim(labels) > 1:
                raise _unknown_outputs(self.estimator)
            return {"label": labels, **columns}, None
        if self.thresholds is not None:
            labels = np.where(
                np.isnan(self.thresholds), labels, probabilities >= self.thresholds
            ).astype(bool)
        return columns, labels

    def labels_above(self, probabilities, predicted):
        """Return the labels that the thresholds give; missing ones are None.

        `predicted` are the labels without thresholds.
        """
        classes = np.asarray(self.estimator.classes_)
        found = winners(probabilities, self.thresholds, pd.Index(classes).get_indexer(predicted))
        labels = pd.Series(classes[found])
        if (found < 0).any():
            labels = labels.astype(object).where(found >= 0, None)
        return labels


def _table(predictor, windows):
    """Return the rows of the table for some windows."""
    times = {name: [getattr(window, name) for window in windows] for name in ("start", "end")}
    columns, present = predictor(windows)
    table = pd.DataFrame(times | columns)
    return table if present is None else one_row_per_label(table, present, predictor.names)


def is_multilabel(estimator):
    """Return whether a fitted classifier predicts any number of labels."""
    estimator = unwrap(estimator)
    if isinstance(estimator, Pipeline):
        return is_multilabel(estimator[-1])
    return getattr(estimator, "multilabel_", False)


def _fitted_predictor(estimator):
    """Return a fitted classifier or regressor, which may be saved in a file."""
    estimator = load_for_windows(estimator, "estimator", "classifier or regressor")
    is_either = is_classifier(estimator) or is_regressor(estimator)
    if not (is_either and hasattr(estimator, "predict")):
        advice = " For its features, use transform_segments." * hasattr(estimator, "transform")
        raise TypeError(
            "estimator must be a classifier or a regressor with `predict`, got "
            f"{type(estimator).__name__}.{advice}"
        )
    if isinstance(getattr(estimator, "classes_", None), list):
        raise _unknown_outputs(estimator)
    return estimator


def _unknown_outputs(estimator):
    return ValueError(
        "estimator must predict one label per clip, or any number of labels and have the attribute "
        f"multilabel_, as CNNAudioClassifier and OneVsRestClassifier do; this "
        f"{type(unwrap(estimator)).__name__} predicts several outputs."
    )


def _thresholds(estimator, threshold):
    """Return one threshold per class, or None; raise if there are no probabilities."""
    if isinstance(threshold, tuple):
        raise TypeError(
            "threshold must be a number or a dict, got a tuple. With return_counts=True, "
            "tune_thresholds returns two things, so unpack them first: thresholds, counts = "
            "tune_thresholds(..., return_counts=True)."
        )
    if threshold is not None and is_regressor(estimator):
        raise ValueError(
            f"threshold={threshold!r} needs classes, but this {type(estimator).__name__} predicts "
            "numbers: omit threshold, and select rows of the table, as in table[table.value > 1]."
        )
    if threshold is not None and not hasattr(estimator, "predict_proba"):
        raise ValueError(
            f"threshold={threshold!r} needs probabilities, but this {type(estimator).__name__} has "
            "no `predict_proba`: omit threshold, or train a classifier that predicts "
            "probabilities, for example with CalibratedClassifierCV."
        )
    return None if threshold is None else check_threshold(threshold, names_of_labels(estimator))


def numbers_by_column(regressor, X):
    """Return the numbers that a regressor predicts, as a dict of columns."""
    numbers = np.asarray(regressor.predict(X)).reshape(len(X), -1)
    return dict(zip(value_columns(numbers.shape[1]), numbers.T, strict=True))


def labels_and_probabilities(estimator, X):
    """Return labels and probabilities (or None), and compute what they share only once.

    With any number of labels per clip, these are arrays of shape (n_clips, n_labels): which labels
    are present, and their probabilities.
    """
    estimator = unwrap(estimator)
    if type(estimator) is Pipeline and len(estimator) > 1:
        return labels_and_probabilities(estimator[-1], estimator[:-1].transform(X))
    if not hasattr(estimator, "predict_proba"):
        return _present(estimator, estimator.predict(X)), None
    probabilities = estimator.predict_proba(X)
    # These predict the label with the highest probability; other classifiers may not.
    if hasattr(estimator, "layer_outputs") or _is_calibrated(estimator):
        if is_multilabel(estimator):
            return probabilities > 0.5, probabilities
        return estimator.classes_[probabilities.argmax(axis=1)], probabilities
    return _present(estimator, estimator.predict(X)), probabilities


def _is_calibrated(estimator):
    from sklearn.calibration import CalibratedClassifierCV  # not at the top: few models need it

    return type(estimator) is CalibratedClassifierCV


def _present(estimator, labels):
    """Return an indicator as a dense array of booleans, and other labels unchanged."""
    if not is_multilabel(estimator):
        return labels
    return (labels.toarray() if issparse(labels) else np.asarray(labels)) == 1

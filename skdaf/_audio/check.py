"""check_audio: find bad recordings before training."""

from dataclasses import dataclass

import numpy as np
from numpy.typing import ArrayLike
from scipy.sparse import issparse
from sklearn.utils.validation import check_consistent_length, column_or_1d

from skdaf._audio.clips import AudioReadError
from skdaf._audio.columns import column_names, python_string_storage
from skdaf._audio.reading import has_cut_end
from skdaf._audio.recordings import as_clips
from skdaf._audio.samples import SILENT_PEAK
from skdaf._audio.statistics import read_statistics
from skdaf._audio.worker_paths import map_clips
from skdaf._core.arrays import as_array
from skdaf._core.public import public
from skdaf._core.typing import Clips, DataFrame

# Channels cancel each other out if the power of their mean is below this fraction (-40 dB) of what
# it would be for unrelated channels. Exact opposites stay below it even in lossy formats.
_CANCELED_FRACTION = 1e-4

# A duration is odd if it differs from those of nearly all clips by this factor. If these vary a
# lot, it must differ from them by this many times their range (both in logarithms).
_ODD_FACTOR, _ODD_RANGES = 4.0, 1.5
_MIN_CLIPS = 3


@public
def check_audio(
    X: Clips, y: ArrayLike | None = None, *, n_jobs: int | None = None, verbose: int = 0
) -> "DataFrame":
    """Read every clip and report its problems in a table.

    Clips that cannot be read have `ok=False`. You decide whether the other findings are problems:
    silence, clipping, channels that cancel each other out, unusual durations, and copies of other
    clips, which inflate test scores if one copy is in the training set and one in the test set.

    Parameters
    ----------
    X : files
        A sequence of paths or `Clip` objects, a table with a column `path`, or audio in memory
        with its sampling rate.
    y : array-like of shape (n_clips,) or indicator of shape (n_clips, n_labels), default=None
        The labels. If you pass them, the table shows which copies have different labels.
    n_jobs : int, default=None
        The number of joblib workers.
    verbose : int, default=0
        1 shows a progress bar.

    Returns
    -------
    report : pandas.DataFrame
        One row per clip, in the order of `X`: `path`, `start`, `end` (s), `ok` (the clip can be
        read in full), `problem` (the reason if it cannot, otherwise empty), `duration` (s),
        `sampling_rate` (Hz), `channels`, `format`, `subtype`, `peak` (full scale is 1), `silent`
        (the peak is more than 80 dB below full scale), `clipped` (three successive samples at full
        scale), `cancels` (the mean of the channels is silent although a channel is not: select one
        with the parameter `channel` of `SpectrogramTransformer`), `cut_off` (the MP3 file ends
        within a frame, and does not say how many there should be), `odd_duration` (far from the
        others; see Notes), `duplicate_of` (the path of the first clip with the same samples, rate
        and channels, in any format; empty for that first clip). With `y`, also `label` and
        `label_conflict` (a copy of the clip has a different label).

    Raises
    ------
    TypeError
        If `X` does not contain files.
    ValueError
        If `y` does not have one label per clip.

    Notes
    -----
    Channels cancel each other out if the power of their mean is less than a ten-thousandth (-40
    dB) of what it would be for unrelated channels, or if their mean is silent and a channel is
    not.

    A duration is odd if it is more than 4 times the 90th percentile of all durations, or less
    than a quarter of the 10th percentile. If durations vary a lot, the distance must be greater:
    1.5 times the distance between the two percentiles, both in logarithms. A duration that a tenth
    of the clips have is therefore never odd. Clips that cannot be read are ignored, and at least 3
    others are needed.

    Examples
    --------
    >>> import tempfile, pathlib, numpy, soundfile
    >>> from skdaf import check_audio
    >>> with tempfile.TemporaryDirectory() as folder:
    ...     paths = [pathlib.Path(folder, name) for name in ("notes.wav", "a.wav", "a.flac")]
    ...     _ = paths[0].write_text("not a sound")
    ...     soundfile.write(paths[1], numpy.full(8000, 0.5), 8000)
    ...     soundfile.write(paths[2], numpy.full(8000, 0.5), 8000)
    ...     report = check_audio(paths, ["dog", "dog", "rain"])
    >>> report.ok.tolist(), report.label_conflict.tolist()
    ([False, True, True], [False, True, True])
    >>> pathlib.Path(report.duplicate_of[2]).name
    'a.wav'
    """
    clips = as_clips(X)
    if clips is None:
        raise TypeError(
            "check_audio reads files: pass a list of paths or Clips, or waveforms with their "
            "rates, [(samples, sampling_rate), ...]."
        )
    if y is not None:
        y = _one_label_per_clip(y)
        check_consistent_length(clips, y)
    statistics, errors = [], []
    for chunk, chunk_errors in map_clips(
        _read_all, clips, n_jobs=n_jobs, verbose=verbose, description="Checking"
    ):
        statistics += chunk
        errors += chunk_errors
    rows = _rows(clips, statistics, errors)
    _find_duplicates(rows)
    _find_odd_durations(rows)
    with python_string_storage():
        return _report(rows, y)


def _one_label_per_clip(y):
    """Return labels as an array of shape (n_clips,); those in an indicator become one text."""
    if isinstance(y, (list, tuple)) and y and isinstance(y[0], (list, tuple, np.ndarray)):
        rows = np.array(y)
        y = rows if rows.dtype.kind in "biuf" else y
    shape = np.shape(y) if hasattr(y, "shape") else ()
    if len(shape) < 2 or shape[1] < 2:
        return column_or_1d(as_array(y))
    names = column_names(y) or range(shape[1])
    flags = y.toarray() if issparse(y) else np.asarray(as_array(y))
    sets = [[str(name) for name, flag in zip(names, row, strict=True) if flag] for row in flags]
    return np.array([", ".join(labels) for labels in sets], dtype=object)


def _report(rows, y):
    """Return the table."""
    import pandas as pd

    # Column by column, because rows as dicts would take several times the memory of the table.
    report = pd.DataFrame(
        {name: [getattr(row, name) for row in rows] for name in _Row.__dataclass_fields__}
    )
    # Nullable integers, because clips that cannot be read have no rate and no channels. Times are
    # always floats.
    report = report.astype(
        {"start": float, "end": float, "sampling_rate": "Int64", "channels": "Int64"}
    )
    contents = report.pop("content")
    if y is None:
        return report
    n_labels = pd.Series(y).groupby(contents).transform("nunique")
    return report.assign(label=y, label_conflict=n_labels.gt(1).to_numpy())


@dataclass(slots=True)
class _Row:
    """One row of the report, with defaults for a clip that cannot be read."""

    path: str
    start: float
    end: float | None
    ok: bool = False
    problem: str = ""
    duration: float = np.nan
    sampling_rate: int | None = None
    channels: int | None = None
    format: str = ""
    subtype: str = ""
    peak: float = np.nan
    silent: bool = False
    clipped: bool = False
    cancels: bool = False
    cut_off: bool = False
    odd_duration: bool = False
    duplicate_of: str = ""
    content: bytes | None = None


def _read_all(clips):
    """Return the Statistics of each clip and whether it is cut off, and a list of errors.

    Clips that cannot be read have None.
    """
    statistics, errors = [], []
    for clip in clips:
        try:
            statistics.append((read_statistics(clip), has_cut_end(clip)))
        except AudioReadError as error:
            statistics.append(None)
            errors.append(error)
    return statistics, errors


def _rows(clips, statistics, errors):
    problems = iter(errors)
    rows = []
    for clip, found in zip(clips, statistics, strict=True):
        row = _Row(clip.name, clip.start, clip.end)
        if found is None:
            # The row contains the path already.
            row.problem = str(next(problems)).removeprefix(f"{clip.name!r}: ")
        else:
            _describe(row, *found)
        rows.append(row)
    return rows


def _describe(row, found, is_cut_off):
    """Fill in the row of a clip that can be read."""
    info = found.info
    row.ok, row.cut_off = True, is_cut_off
    row.duration = info.n_frames / info.sampling_rate
    row.sampling_rate, row.channels = info.sampling_rate, info.channels
    row.format, row.subtype = info.format, info.subtype
    row.peak, row.silent, row.clipped = found.peak, found.peak < SILENT_PEAK, found.clipped
    row.cancels = not row.silent and (
        found.mixed_peak < SILENT_PEAK or found.mixed_fraction < _CANCELED_FRACTION
    )
    row.content = found.content


def _find_duplicates(rows):
    """Fill in the column `duplicate_of`."""
    firsts = {}
    for row in rows:
        if row.ok:
            first = firsts.setdefault(row.content, row)
            row.duplicate_of = "" if first is row else first.path


def _find_odd_durations(rows):
    """Fill in the column `odd_duration`."""
    rows = [row for row in rows if row.ok]
    if len(rows) < _MIN_CLIPS:
        return
    logs = np.log([row.duration for row in rows])
    # No interpolation between durations, so that a few odd ones do not move the limits.
    low, high = np.quantile(logs, 0.1, method="higher"), np.quantile(logs, 0.9, method="lower")
    distance = max(np.log(_ODD_FACTOR), _ODD_RANGES * (high - low))
    for row, log in zip(rows, logs, strict=True):
        row.odd_duration = bool(not low - distance <= log <= high + distance)

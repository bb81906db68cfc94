"""check_audio: find bad recordings before training."""

from dataclasses import asdict, dataclass

import numpy as np
from numpy.typing import ArrayLike
from sklearn.utils.validation import check_consistent_length, column_or_1d

from skdaf._audio.clips import AudioReadError
from skdaf._audio.columns import text_as_it_is
from skdaf._audio.recordings import as_clips
from skdaf._audio.statistics import read_statistics
from skdaf._audio.worker_paths import map_clips
from skdaf._core.arrays import as_array
from skdaf._core.public import public
from skdaf._core.typing import Clips, DataFrame

# A peak below this is silent: 80 dB below full scale, the last bits of 16.
_SILENT_PEAK = 1e-4

# Channels cancel each other out if the power of their mean is below this share of that of unrelated
# channels (40 dB). Lossy codecs leave less than this of exact opposites.
_CANCELLED_SHARE = 1e-4

# A duration is odd if it is beyond those of nearly all clips by this factor. If these differ a lot,
# it must be beyond them by this many times their range, in logarithms.
_ODD_FACTOR, _ODD_RANGES = 4.0, 1.5
_FEWEST_CLIPS = 3


@public
def check_audio(
    X: Clips, y: ArrayLike | None = None, *, n_jobs: int | None = None, verbose: int = 0
) -> "DataFrame":
    """Read every clip and report its problems in a table.

    Clips that cannot be read are not `ok`. The other columns are for you to decide on: silence,
    clipping, channels that cancel each other out, unusual durations, and copies of other clips,
    which make test scores too good if a split puts them into both parts.

    Parameters
    ----------
    X : files
        A sequence of paths or `Clip`, a table with a column `path`, or audio in memory with its
        sampling rate.
    y : array-like of shape (n_clips,), default=None
        The labels. If you pass them, the table shows which recordings have several labels.
    n_jobs : int, default=None
        The number of joblib workers.
    verbose : int, default=0
        1 shows a progress bar.

    Returns
    -------
    report : pandas.DataFrame
        One row per clip, in the order of `X`: `path`, `start`, `end` (s), `ok` (the clip can be
        read in full), `problem` (why it cannot; else empty), `duration` (s), `sampling_rate`
        (Hz), `channels`, `format`, `subtype`, `peak` (full scale is 1), `silent` (the peak is
        more than 80 dB below full scale), `clipped` (three successive samples at full scale),
        `cancels` (the mean of the channels is silent but a channel is not: choose one with
        `channel` of `SpectrogramTransformer`), `odd_duration` (far from the others; see Notes),
        `duplicate_of` (the path of the first clip with the same samples, rate and channels,
        whatever its format; empty for that first one). With `y`, also `label` and
        `label_conflict` (a copy of the clip has another label).

    Raises
    ------
    TypeError
        If `X` does not hold files.
    ValueError
        If `y` does not have one label per clip.

    Notes
    -----
    Channels cancel each other out if the power of their mean is less than a ten thousandth (40
    dB) of that of unrelated channels, or if the peak of the mean is silent and that of a channel
    is not.

    A duration is odd if it is more than 4 times the 90th percentile of all durations, or less
    than a quarter of the 10th. If durations vary a lot, the distance must be greater: 1.5 times
    the distance between the two percentiles, both in logarithms. So a duration that a tenth of
    the clips have is never odd. Clips that cannot be read do not count; at least 3 must remain.

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
            "check_audio reads files: pass a list of paths or of Clip, or waveforms with their "
            "rates, [(samples, sampling_rate), ...]."
        )
    if y is not None:
        y = column_or_1d(as_array(y))
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
    with text_as_it_is():
        return _report(rows, y)


def _report(rows, y):
    """Return the table."""
    import pandas as pd

    report = pd.DataFrame(map(asdict, rows))
    # Integers with missing values, for clips that cannot be read. Times are always floats.
    report = report.astype(
        {"start": float, "end": float, "sampling_rate": "Int64", "channels": "Int64"}
    )
    contents = report.pop("content")
    if y is None:
        return report
    n_labels = pd.Series(y).groupby(contents).transform("nunique")
    return report.assign(label=y, label_conflict=n_labels.gt(1).to_numpy())


@dataclass
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
    odd_duration: bool = False
    duplicate_of: str = ""
    content: bytes | None = None


def _read_all(clips):
    """Return the Statistics of each clip (None if it cannot be read), and the errors."""
    statistics, errors = [], []
    for clip in clips:
        try:
            statistics.append(read_statistics(clip))
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
            row.problem = str(next(problems))
        else:
            _describe(row, found)
        rows.append(row)
    return rows


def _describe(row, found):
    """Fill in the row of a clip that can be read."""
    info = found.info
    row.ok = True
    row.duration = info.n_frames / info.sampling_rate
    row.sampling_rate, row.channels = info.sampling_rate, info.channels
    row.format, row.subtype = info.format, info.subtype
    row.peak, row.silent, row.clipped = found.peak, found.peak < _SILENT_PEAK, found.clipped
    row.cancels = not row.silent and (
        found.mixed_peak < _SILENT_PEAK or found.mixed_share < _CANCELLED_SHARE
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
    if len(rows) < _FEWEST_CLIPS:
        return
    logs = np.log([row.duration for row in rows])
    # Durations of clips, not between them, so that a few odd ones do not move the limits.
    low, high = np.quantile(logs, 0.1, method="higher"), np.quantile(logs, 0.9, method="lower")
    distance = max(np.log(_ODD_FACTOR), _ODD_RANGES * (high - low))
    for row, log in zip(rows, logs, strict=True):
        row.odd_duration = bool(not low - distance <= log <= high + distance)

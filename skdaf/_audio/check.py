"""check_audio: look at recordings before hours are spent on them."""

from dataclasses import asdict, dataclass

import numpy as np
from sklearn.utils.validation import check_consistent_length, column_or_1d

from skdaf._audio.clips import AudioReadError
from skdaf._audio.columns import text_as_it_is
from skdaf._audio.recordings import as_clips
from skdaf._audio.statistics import read_statistics
from skdaf._audio.worker_paths import map_clips
from skdaf._core.arrays import as_array
from skdaf._core.public import public

# A peak below this is called silent: 80 dB under full scale, the last bits of 16.
_SILENT_PEAK = 1e-4

# Channels cancel each other out when the power of their mean is below this share of what unrelated
# channels would leave: 40 dB. Lossy codecs leave less than that of exact opposites.
_CANCELLED_SHARE = 1e-4

# A duration is odd when it is this many times beyond those of nearly all clips. Where these differ
# much it must be beyond them by this many times their range, in logarithms.
_ODD_FACTOR, _ODD_RANGES = 4.0, 1.5
_FEWEST_CLIPS = 3


@public
def check_audio(X, y=None, *, n_jobs=None, verbose=0):
    """Read every clip and report what is wrong with it, without raising.

    What cannot be read is not `ok`. The rest is for you to judge: silence and clipping, channels
    that cancel each other out, unusual durations, and copies of other clips, which make test scores
    too good when they fall into both parts of a split.

    Parameters
    ----------
    X : files
        A sequence of paths or `Clip`, a table with a column `path`, or sounds in memory, each with
        its rate.
    y : array-like of shape (n_clips,), default=None
        The labels. With them the table shows which sounds have several labels.
    n_jobs : int, default=None
        Number of workers, through joblib.
    verbose : int, default=0
        1 shows a progress bar.

    Returns
    -------
    report : pandas.DataFrame
        One row per clip, in the order of `X`: `path`, `start`, `end` (s), `ok` (it can be read in
        full), `problem` (why not; empty if it can), `duration` (s), `sampling_rate` (Hz),
        `channels`, `format`, `subtype`, `peak` (full scale is 1), `silent` (the peak is more
        than 80 dB below full scale), `clipped` (three samples in a row at full scale),
        `cancels` (the mean of the channels is silent though a channel is not: choose one with
        `channel` of `SpectrogramTransformer`), `odd_duration` (far from the others; see Notes),
        `duplicate_of` (the path of the first clip with the same samples, rate and channels,
        whatever its format; empty for that first one). With `y` also `label` and
        `label_conflict` (the same sound has another label elsewhere).

    Raises
    ------
    TypeError
        If `X` does not hold files.
    ValueError
        If `y` does not have one label per clip.

    Notes
    -----
    Channels cancel each other out when the power of their mean is less than a ten thousandth (40
    dB) of what unrelated channels would leave, or when the peak of the mean is silent and that of
    a channel is not.

    A duration is odd when it is more than 4 times the 90th percentile of all durations, or less
    than a quarter of the 10th. Where durations are spread widely the distance must be greater: 1.5
    times the distance between the two percentiles, both in logarithms. So a length that a tenth of
    the clips have is never odd. Clips that cannot be read do not count; at least 3 must be left.

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
            "check_audio looks at files: pass a list of paths or of Clip, or waveforms with their "
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
    """Make the table."""
    import pandas as pd

    report = pd.DataFrame(map(asdict, rows))
    # Whole numbers with gaps, for the rows that could not be read; times are always numbers.
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
    """One row of the report: what a clip is, as far as that could be found out."""

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
    firsts = {}
    for row in rows:
        if row.ok:
            first = firsts.setdefault(row.content, row)
            row.duplicate_of = "" if first is row else first.path


def _find_odd_durations(rows):
    rows = [row for row in rows if row.ok]
    if len(rows) < _FEWEST_CLIPS:
        return
    logs = np.log([row.duration for row in rows])
    # Of clips themselves, on the inner side: a few odd ones must not move the limits.
    low, high = np.quantile(logs, 0.1, method="higher"), np.quantile(logs, 0.9, method="lower")
    distance = max(np.log(_ODD_FACTOR), _ODD_RANGES * (high - low))
    for row, log in zip(rows, logs, strict=True):
        row.odd_duration = bool(not low - distance <= log <= high + distance)

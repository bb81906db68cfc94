"""check_audio: look at recordings before hours are spent on them."""

import os
from dataclasses import dataclass

import numpy as np

from skdaf._audio import AudioReadError, read_statistics
from skdaf._inputs import as_clips
from skdaf._parallel import map_chunks

# A peak below this is called silent: 80 dB under full scale, the last bits of 16.
_SILENT_PEAK = 1e-4


def check_audio(X, *, n_jobs=None, verbose=0):
    """Read every clip and tell what is wrong with it, without raising.

    Parameters
    ----------
    X : files
        A sequence of paths or `Clip`, or a table with a column `path`.
    n_jobs : int, default=None
        Number of workers, through joblib.
    verbose : int, default=0
        1 shows a progress bar.

    Returns
    -------
    report : pandas.DataFrame
        One row a clip, in the order of `X`: `path`, `start`, `end` (s), `ok` (it can be read in
        full), `problem` (why not; empty if it can), `duration` (s), `sampling_rate` (Hz),
        `channels`, `format`, `subtype`, `peak` (full scale is 1), `silent` (the peak is more
        than 80 dB below full scale), `clipped` (three samples in a row at full scale).

    Raises
    ------
    TypeError
        If `X` does not hold files.

    Examples
    --------
    >>> import tempfile, pathlib
    >>> from skdaf import check_audio
    >>> with tempfile.TemporaryDirectory() as folder:
    ...     path = pathlib.Path(folder, "notes.wav")
    ...     _ = path.write_text("not a sound")
    ...     report = check_audio([path])
    >>> bool(report.loc[0, "ok"])
    False
    """
    import pandas as pd

    clips = as_clips(X)
    if clips is None:
        raise TypeError("check_audio looks at files: pass a list of paths or of Clip.")
    rows = []
    for chunk in map_chunks(
        _describe, clips, n_jobs=n_jobs, verbose=verbose, description="Checking"
    ):
        rows += chunk
    report = pd.DataFrame(rows)
    # Whole numbers with gaps, for the rows that could not be read; times are always numbers.
    return report.astype(
        {"start": float, "end": float, "sampling_rate": "Int64", "channels": "Int64"}
    )


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


def _describe(clips):
    return [_describe_one(clip) for clip in clips]


def _describe_one(clip):
    row = _Row(os.fspath(clip.path), clip.start, clip.end)
    try:
        info, peak, clipped = read_statistics(clip)
    except AudioReadError as error:
        row.problem = str(error)
        return row
    row.ok = True
    row.duration = info.n_frames / info.sampling_rate
    row.sampling_rate, row.channels = info.sampling_rate, info.channels
    row.format, row.subtype = info.format, info.subtype
    row.peak, row.silent, row.clipped = peak, peak < _SILENT_PEAK, clipped
    return row

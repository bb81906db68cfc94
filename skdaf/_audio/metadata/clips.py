"""The parts of recordings that a metadata table names."""

import os

from skdaf._audio.clips import Clip
from skdaf._audio.metadata.columns import cells

# An error names at most this many recordings.
_MAX_NAMES = 5


def clips_of(metadata, paths, start, end, allow_repeats=False):
    """Return the paths, or Clips if `start` or `end` names a column of times."""
    if allow_repeats and start is None and end is None:
        return paths
    if start is None and end is None:
        times = " and ".join(map(metadata.spelling.named, ("start", "end")))
        advice = f" If the rows are parts of recordings, name the columns of times with {times}."
        _check_no_repeats(metadata, [(path,) for path in paths], advice)
        return paths
    starts, ends = (_times(metadata, name, len(paths)) for name in (start, end))
    rows = enumerate(zip(paths, starts, ends, strict=True))
    clips = [_clip(metadata, row, *parts) for row, parts in rows]
    if not allow_repeats:
        _check_no_repeats(metadata, [(clip.path, clip.start, clip.end) for clip in clips])
    return clips


def _times(metadata, name, n_rows):
    if name is None:
        return [None] * n_rows
    return [_time(metadata, row, name, cell) for row, cell in enumerate(cells(metadata, name))]


def _time(metadata, row, name, cell):
    """Return a cell as a number or a duration; text may have a decimal comma."""
    if not isinstance(cell, str):
        return cell
    try:
        return float(cell.replace(",", "."))
    except ValueError:
        raise ValueError(
            f"{metadata.title}, {metadata.at(row)}: expected a number of seconds in column "
            f"{name!r}, got {cell!r}."
        ) from None


def _clip(metadata, row, path, start, end):
    try:
        return Clip(path, 0.0 if start is None else start, end)
    except (TypeError, ValueError) as error:
        raise type(error)(f"{metadata.title}, {metadata.at(row)}: {error}") from None


def _check_no_repeats(metadata, clips, advice=""):
    """Raise if a recording, or the same part of one, has several rows."""
    rows = {}
    for row, (path, *times) in enumerate(clips):
        key = (os.path.normcase(os.path.abspath(path)), *times)
        rows.setdefault(key, []).append(row)
    repeated = [same for same in rows.values() if len(same) > 1]
    if not repeated:
        return
    shown = [f"{clips[same[0]][0]!r} in {metadata.at(*same)}" for same in repeated[:_MAX_NAMES]]
    rest = f" and {len(repeated) - _MAX_NAMES} more" if len(repeated) > _MAX_NAMES else ""
    what = "recording has" if len(repeated) == 1 else "recordings have"
    raise ValueError(
        f"{metadata.title}: {len(repeated)} {what} several rows: {'; '.join(shown)}{rest}. Keep "
        "one row of each, because the same clip must not be in a training and in a test set."
        f"{advice}"
    )

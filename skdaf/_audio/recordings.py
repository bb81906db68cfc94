"""Convert lists, arrays and tables of recordings to lists of Clips."""

import os
from collections.abc import Iterator, Mapping, Set

from skdaf._audio.clips import Clip
from skdaf._audio.columns import column_names, column_values, first_value, interval_problem, is_lazy
from skdaf._audio.sources import PATH_TYPES, Source, is_pair, is_source, source_of
from skdaf._audio.times import is_missing
from skdaf._core.arrays import as_array, is_array_like

_BYTES_TYPES = (bytes, bytearray, memoryview)

# The columns of a table of files that are used. Others are ignored.
_COLUMNS = ("path", "start", "end")

# How many columns of a table are searched for files. A table of samples has thousands of columns.
_MAX_SEARCHED_COLUMNS = 100


def plain_arrays(X):
    """Return X with tensors, even in a list, as NumPy arrays, and PyArrow columns as lists."""
    if hasattr(X, "to_pylist") and column_names(X) is None:  # a column of PyArrow
        X = X.to_pylist()
    is_list_of_objects = (
        getattr(X, "ndim", None) == 1 and getattr(getattr(X, "dtype", None), "kind", "") == "O"
    )
    if isinstance(X, (list, tuple)) or is_list_of_objects:
        return [as_array(x) for x in X]
    return as_array(X)


def as_clips(X):
    """Return a list of Clips if X contains recordings, and None otherwise.

    Recordings are files and everything else that `source_of` accepts, but not waveforms without a
    rate.
    """
    return clips_or_none(plain_arrays(X))


def clips_or_none(X):
    """Return the same as `as_clips`, given the result of `plain_arrays`."""
    if isinstance(X, (*PATH_TYPES, Clip)):
        raise TypeError(
            f"Expected a list of files, got the single {X!r}: pass [path], or for a folder "
            "skdaf.datasets.load_audio_folders(folder).filenames."
        )
    _reject_single_recording(X)
    # scikit-learn has a message for sparse arrays.
    is_unordered = isinstance(X, (bytes, bytearray, dict, Set, Iterator)) and not hasattr(
        X, "shape"
    )
    if X is None or is_unordered:
        raise TypeError(
            f"Expected a list, an array or a table of clips, got {_shown(X)}: {_advice(X)}."
        )
    if is_lazy(X):
        raise TypeError(
            f"X is a {type(X).__name__}, whose rows have not been computed yet: pass X.collect()."
        )
    names = column_names(X)
    if names is not None:
        return _clips_of_table(X, names)
    X = _remove_second_axis(X)
    if not _holds_recordings(X):
        return None
    return [_as_clip(position, item) for position, item in enumerate(X)]


def _shown(X):
    return "None" if X is None else f"a {type(X).__name__}"


def _advice(X):
    if X is None:
        return "pass a list of files or waveforms"
    if hasattr(X, "filenames"):  # the result of `load_audio_folders`
        return "pass X.filenames"
    what = "pandas.DataFrame(X) for a dict of columns" if isinstance(X, dict) else "list(X)"
    return f"X must have an order and a length. Pass {what}"


def _reject_single_recording(X):
    """Raise TypeError for a recording that should be in a list."""
    # Some sparse arrays are dicts too.
    is_dict = isinstance(X, Mapping) and not hasattr(X, "shape")
    is_row = is_dict and ("array" in X or "bytes" in X or isinstance(X.get("path"), PATH_TYPES))
    is_file = hasattr(X, "read") and hasattr(X, "seek")
    if is_pair(X) or is_row or is_file:
        kind = "pair (samples, sampling_rate)" if is_pair(X) else type(X).__name__
        raise TypeError(f"Expected a list of clips, got a single {kind}: pass [X] instead of X.")


def _clips_of_table(table, names):
    for name in names:
        lower = str(name).lower()
        if lower in _COLUMNS and name not in _COLUMNS:
            raise ValueError(f"The column {name!r} must be called {lower!r}.")
    recordings = _column_of_recordings(table, names)
    if recordings is None:
        _check_no_files(table, names)
        return None
    repeated = [name for name in (*_COLUMNS, "audio") if names.count(name) > 1]
    if repeated:
        raise ValueError(f"The table has several columns called {repeated[0]!r}.")
    problem = interval_problem(names, lambda name: first_value(table, name))
    if problem:
        raise ValueError(f"In the table of clips, {problem}.")
    items = column_values(table, recordings)
    if not items:
        _raise_no_clips()
    starts = column_values(table, "start") if "start" in names else [0.0] * len(items)
    ends = column_values(table, "end") if "end" in names else [None] * len(items)
    return [
        _as_clip(i, item, 0.0 if is_missing(start) else start, None if is_missing(end) else end)
        for i, (item, start, end) in enumerate(zip(items, starts, ends, strict=True))
    ]


def _column_of_recordings(table, names):
    """Return the column of recordings: "audio" if it has any, the only one, or "path"; or None."""
    if names.count("audio") == 1:
        value = first_value(table, "audio")
        # Hugging Face datasets often have a column of file names in addition to the audio.
        if is_source(value) and not (isinstance(value, PATH_TYPES) and "path" in names):
            return "audio"
    if len(names) == 1 and _is_recording(first_value(table, names[0])):
        return names[0]  # as ColumnTransformer passes the column of files, which has any name
    return "path" if "path" in names else None


def _is_recording(value):
    return isinstance(value, (Clip, *PATH_TYPES)) or is_source(value)


def _check_no_files(table, names):
    """Raise ValueError if a table contains recordings in a column with another name."""
    if "path" in getattr(getattr(table, "index", None), "names", ()):
        raise ValueError(
            "A table of files needs a column 'path', but 'path' is its index: pass X.reset_index()."
        )
    for name in names[:_MAX_SEARCHED_COLUMNS]:
        value = first_value(table, name) if names.count(name) == 1 else None
        if _is_recording(value):
            raise ValueError(
                f"A table of files needs a column 'path', got the columns {names[:20]}. Rename the "
                f"column of files, or pass only that column, as X[{name!r}]."
            )
        if is_array_like(value):
            raise ValueError(
                f"The column {name!r} contains arrays: pass a list of (samples, sampling_rate) or, "
                f"if all have the same sampling rate, only that column, as X[{name!r}]."
            )


def _remove_second_axis(X):
    """Return rows of one path each, as from a database cursor, as a list of paths."""
    if getattr(X, "ndim", 1) == 2 and getattr(X, "dtype", None) is not None:
        return _column_of_array(X)
    is_column = isinstance(X, (list, tuple)) and all(
        isinstance(row, (list, tuple)) and len(row) == 1 and isinstance(row[0], (str, os.PathLike))
        for row in X
    )
    return [row[0] for row in X] if is_column and len(X) else X


def _column_of_array(X):
    """Return an array of recordings of shape (n, 1) as (n,), and other arrays unchanged.

    Resamplers and ColumnTransformer return arrays of shape (n, 1).
    """
    kind, is_filled = getattr(X.dtype, "kind", ""), X.shape[0] and X.shape[1]
    is_recordings = kind == "O" and is_filled and (isinstance(X[0, 0], Clip) or is_source(X[0, 0]))
    if kind == "O" and is_filled and is_pair(list(X[0])):
        return [tuple(row) for row in X]
    if kind not in ("U", "T") and not is_recordings:
        return X
    if X.shape[1] != 1:
        raise ValueError(
            f"An array of files must have shape (n_clips,) or (n_clips, 1), got {X.shape}. Pass "
            "paths, starts and ends as a table: "
            "pandas.DataFrame(X, columns=['path', 'start', 'end'])."
        )
    return X[:, 0]


def _holds_recordings(X):
    """Return True if any item is a recording; raise TypeError if the first is not a number."""
    dtype_kind = getattr(getattr(X, "dtype", None), "kind", None)
    if dtype_kind in ("b", "i", "u", "f", "c") or not hasattr(X, "__len__"):
        return False
    if getattr(X, "ndim", 1) != 1:
        return False
    if len(X) == 0:
        _raise_no_clips()
    if any(isinstance(item, Clip) or is_source(item) for item in X):
        return True
    first = next(iter(X))
    if isinstance(first, _BYTES_TYPES):
        raise TypeError(
            "X contains bytes: expected paths as str or os.PathLike (use os.fsdecode). Pass the "
            "content of a file as io.BytesIO(content)."
        )
    if isinstance(first, (tuple, list)) and any(map(_is_part_of_row, first)):
        raise TypeError(_row_message(0, first))
    if not _is_numeric(first):
        raise TypeError(_item_message(0, first))
    return False


def _is_numeric(value):
    """Return True if a value may be a number or a row of numbers, as scikit-learn accepts."""
    if isinstance(value, (list, tuple)) or hasattr(value, "__float__"):
        return column_names(value) is None
    return hasattr(value, "__array__") and column_names(value) is None


def _is_part_of_row(value):
    """Return True if a tuple with this value cannot be a row of numbers."""
    is_array = is_array_like(value) and not isinstance(value, (list, tuple))
    return isinstance(value, (Clip, *_BYTES_TYPES)) or is_source(value) or is_array


def _row_message(position, row):
    of_path = any(isinstance(value, (Clip, *PATH_TYPES)) for value in row[:1])
    remedy = (
        "Convert rows (path, start, end) to clips with [Clip(*row) for row in X]"
        if of_path
        else "The sampling rate must be a number of Hz"
    )
    return (
        f"X[{position}] is a {type(row).__name__} of length {len(row)}: expected a path, or the "
        f"pair (samples, sampling_rate). {remedy}; pass labels as y."
    )


def _raise_no_clips():
    raise ValueError("Found array with 0 sample(s) (X is empty) while a minimum of 1 is required.")


def _as_clip(position, item, start=0.0, end=None):
    if isinstance(item, Clip):
        return item
    name = f"X[{position}]"
    if isinstance(item, Mapping) and item.keys() - {"path", "bytes", "array", "sampling_rate"}:
        start, end = _times_of_row(item, name, start, end)
    source = source_of(item, name)
    if source is None:
        raise TypeError(_item_message(position, item))
    # A plain str, because NumPy's strings have a different repr.
    return Clip(source if isinstance(source, Source) else str(os.fspath(source)), start, end)


def _times_of_row(row, name, start, end):
    """Return the start and the end in a dict with a path, or the defaults."""
    problem = interval_problem(list(row), row.get)
    if problem:
        raise ValueError(f"In {name}, {problem} (table = pandas.DataFrame(X)).")
    start = start if is_missing(row.get("start")) else row["start"]
    return start, end if is_missing(row.get("end")) else row["end"]


def _item_message(position, item):
    if isinstance(item, (tuple, list)) and any(map(_is_part_of_row, item)):
        return _row_message(position, item)
    problem = (
        f"X[{position}] is {item!r:.200}: expected a path (str or os.PathLike), a Clip, the pair "
        "(samples, sampling_rate) or an open file."
    )
    if is_array_like(item):
        problem += " In such a list, a waveform needs its sampling rate."
    return problem

"""X: what an estimator may be given, and its plain form.

Files, waveforms or spectrograms; nothing else in the package looks inside an X.
"""

import os
import warnings
from collections.abc import Iterator, Mapping, Set
from functools import partial
from weakref import WeakSet

import numpy as np
from sklearn.utils.validation import check_array, validate_data

from skdaf._arrays import as_array, is_array_like
from skdaf._audio import LOUDEST_SAMPLE, Clip
from skdaf._columns import column_names, column_values, first_value, interval_problem, is_lazy
from skdaf._sounds import Source, is_pair, is_source, source_of
from skdaf._times import is_missing

_PATH_TYPES = (str, os.PathLike)

# What a table of files may have; other columns are its user's own.
_COLUMNS = ("path", "start", "end")

# An array with at most so many "frames" of at least so many "bins" has channels and samples, unless
# the bins are as many as a Fourier transform or a network gives (see `_refuse_channels`).
_MOST_CHANNELS, _FEWEST_SAMPLES = 8, 600

# With samples before channels: so few channels, and more samples than a clip has frames.
_MOST_LAST_CHANNELS, _MOST_FRAMES = 2, 4000

# So many columns of a table are searched for files; one of samples has thousands.
_MOST_NAMED_COLUMNS = 100

# Front ends that have warned of waveforms without a rate: each does so once.
_warned = WeakSet()

# How much of an array of spectrograms is looked at at once.
_BYTES_PER_BLOCK = 2**24


class Float32Rows:
    """Spectrograms of another type of number, as float32 wherever rows of them are read.

    The array behind it may lie on disk and be larger than memory, so it is never converted whole:
    a slice is of this kind again, rows that are named one by one are an array.
    """

    dtype = np.dtype(np.float32)

    def __init__(self, array):
        self.array = array

    @property
    def shape(self):
        return self.array.shape

    @property
    def ndim(self):
        return self.array.ndim

    @property
    def nbytes(self):
        return self.array.size * self.dtype.itemsize

    def __len__(self):
        return len(self.array)

    def __getitem__(self, rows):
        part = self.array[rows]
        return Float32Rows(part) if isinstance(rows, slice) else part.astype(self.dtype)

    def __array__(self, dtype=None, copy=None):
        return self.array.astype(self.dtype)


def validate_clips(estimator, X, *, reset):
    """Tell what X is, and bring it into its plain form.

    Parameters
    ----------
    estimator : estimator
        Gets `n_features_in_` and `feature_names_in_` from two-dimensional input when `reset`.
    X : files, waveforms or spectrograms
    reset : bool
        True in fit.

    Returns
    -------
    kind : {"files", "waveforms", "spectrograms"}
    data : list of Clip, list of float32 arrays, 2-D or 3-D float32 array, Float32Rows
        Spectrograms that are an array already are not copied: it may be mapped from disk.
    """
    X = _plain_arrays(X.array if isinstance(X, Float32Rows) else X)
    clips = _as_clips(X)
    if clips is not None:
        if reset:
            _forget_features(estimator)
        return "files", clips
    if _is_list_of_arrays(X):
        if reset:
            _forget_features(estimator)
        return "waveforms", [_check_waveform(i, x) for i, x in enumerate(X)]
    n_dimensions = getattr(X, "ndim", 2)
    if n_dimensions == 3:
        _refuse_channels(X.shape)
        data = _check_spectrograms(estimator, X)
        if reset:
            _forget_features(estimator)
        return "spectrograms", data
    if n_dimensions > 3:
        raise ValueError(
            f"X has shape {X.shape}: expected waveforms (n_clips, n_samples) or spectrograms "
            "(n_clips, n_frames, n_bins)."
        )
    if isinstance(X, np.ndarray) and X.ndim == 1 and X.dtype.kind in "fiu":
        raise ValueError(
            "Expected 2D array, got 1D array instead: of a single waveform pass [waveform], or "
            "[(waveform, sampling_rate)]. Reshape your data otherwise."
        )
    # Python lists and numeric tables: scikit-learn's own rules and sentences.
    with np.errstate(over="ignore"):
        data = validate_data(estimator, X, dtype=np.float32, reset=reset, ensure_all_finite=False)
    return "waveforms", _refuse_absurd(_insist_on_numbers(data, "X"), "X")


def _plain_arrays(X):
    """Return X with NumPy arrays for tensors, also for those in a list, and lists for columns."""
    if hasattr(X, "to_pylist") and column_names(X) is None:  # a column of PyArrow
        X = X.to_pylist()
    is_list_of_objects = (
        getattr(X, "ndim", None) == 1 and getattr(getattr(X, "dtype", None), "kind", "") == "O"
    )
    if isinstance(X, (list, tuple)) or is_list_of_objects:
        return [as_array(x) for x in X]
    return as_array(X)


def _refuse_channels(shape):
    """Refuse an array of waveforms with channels, which would pass for spectrograms."""
    _, n_first, n_last = shape
    is_fourier = (n_last - 1).bit_count() == 1  # 513, 1025, 2049 ...
    is_embedding = n_last % 256 == 0 and n_last <= 2048  # 768, 1024, 1280 ...
    is_long = n_last >= _FEWEST_SAMPLES and not (is_fourier or is_embedding)
    if n_first <= _MOST_CHANNELS and is_long:
        found, axis = "(n_clips, n_channels, n_samples)", 1
    elif n_last <= _MOST_LAST_CHANNELS and n_first >= _MOST_FRAMES:
        found, axis = "(n_clips, n_samples, n_channels)", 2
    else:
        return
    raise ValueError(
        f"X has shape {shape}, which looks like {found}: expected waveforms (n_clips, n_samples) "
        f"or spectrograms (n_clips, n_frames, n_bins). Mix the channels down with "
        f"X.mean({axis}), or pass each clip with its rate, as [(samples, sampling_rate), ...]."
    )


def validate_sounds(estimator, X, *, reset):
    """Return what `validate_clips` does of files and waveforms; refuse spectrograms."""
    kind, clips = validate_clips(estimator, X, reset=reset)
    if kind == "spectrograms":
        raise ValueError(
            f"{type(estimator).__name__} takes files or waveforms, got an array with 3 dimensions "
            f"and shape {clips.shape}: these seem to be spectrograms already."
        )
    return clips


def validate_sounds_for(frontend, X):
    """Return what `validate_sounds` does of X for a fitted front end.

    Waveforms have no rate of their own. Where the rate was learned from files, nothing says that
    it is that of the waveforms: each front end warns of that once.
    """
    clips = validate_sounds(frontend, X, reset=False)
    was_fitted_on_files = getattr(frontend, "_rate_is_of_files", False)
    if was_fitted_on_files and not isinstance(clips[0], Clip) and frontend not in _warned:
        _warned.add(frontend)
        rate = frontend.sampling_rate_
        warnings.warn(
            f"These waveforms are taken to have {rate} Hz, the sampling rate of the files in fit. "
            f"Pass [(samples, sampling_rate), ...] to have them resampled; sampling_rate={rate} in "
            "the front end says that this is their rate.",
            UserWarning,
            stacklevel=3,
        )
    return clips


def as_clips(X):
    """Return a list of Clips if X is a collection of sounds, None if it is something else.

    Sounds are files, and whatever `source_of` takes. Waveforms without a rate are none.
    """
    return _as_clips(_plain_arrays(X))


def _as_clips(X):
    if isinstance(X, (*_PATH_TYPES, Clip)):
        raise TypeError(
            f"Expected a list of files, got the single {X!r}: pass [path], or for a folder what "
            "skdaf.datasets.load_audio_folders makes of it."
        )
    _refuse_one_sound(X)
    # Of sparse arrays scikit-learn has a sentence.
    is_unordered = isinstance(X, (bytes, dict, Set, Iterator)) and not hasattr(X, "shape")
    if X is None or is_unordered:
        raise TypeError(
            f"Expected a list, an array or a table of clips, got {_shown(X)}: clips need an order "
            "and a count."
        )
    if is_lazy(X):
        raise TypeError(
            f"X is a {type(X).__name__}, whose rows are still to be computed: pass X.collect()."
        )
    names = column_names(X)
    if names is not None:
        return _clips_of_table(X, names)
    X = _in_one_dimension(X)
    if not _holds_sounds(X):
        return None
    return [_as_clip(position, item) for position, item in enumerate(X)]


def _shown(X):
    return "None" if X is None else f"a {type(X).__name__}"


def _refuse_one_sound(X):
    """Refuse a sound that should be in a list; folders and paths have a sentence of their own."""
    # Some sparse arrays are dicts too.
    is_dict = isinstance(X, Mapping) and not hasattr(X, "shape")
    is_row = is_dict and not {"array", "bytes", "path"}.isdisjoint(X)
    is_file = hasattr(X, "read") and hasattr(X, "seek")
    if is_pair(X) or is_row or is_file:
        kind = "pair (samples, sampling_rate)" if is_pair(X) else type(X).__name__
        raise TypeError(f"Expected a list of clips, got a single {kind}: pass [X] instead of X.")


def _clips_of_table(table, names):
    for name in names:
        lower = str(name).lower()
        if lower in _COLUMNS and name not in _COLUMNS:
            raise ValueError(f"The column {name!r} must be called {lower!r}.")
    recordings = next((name for name in ("path", "audio") if name in names), None)
    if recordings == "audio" and not is_source(first_value(table, "audio")):
        recordings = None
    if recordings is None:
        return _refuse_files(table, names)
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


def _refuse_files(table, names):
    """Refuse a table that holds sounds, but not where they are looked for."""
    if "path" in getattr(getattr(table, "index", None), "names", ()):
        raise ValueError(
            "A table of files needs a column 'path', but that is its index: pass X.reset_index()."
        )
    for name in names[:_MOST_NAMED_COLUMNS]:
        value = first_value(table, name) if names.count(name) == 1 else None
        if isinstance(value, (Clip, *_PATH_TYPES)) or is_source(value):
            raise ValueError(
                f"A table of files needs a column 'path', got the columns {names}. Rename the "
                f"column of files, or pass it alone, as X[{name!r}]."
            )


def _in_one_dimension(X):
    """Return rows of one path each, in arrays or lists, as paths: database cursors give these."""
    if getattr(X, "ndim", 1) == 2 and getattr(X, "dtype", None) is not None:
        return _single_text_column(X)
    is_column = isinstance(X, (list, tuple)) and all(
        isinstance(row, (list, tuple)) and len(row) == 1 and isinstance(row[0], (str, os.PathLike))
        for row in X
    )
    return [row[0] for row in X] if is_column and len(X) else X


def _single_text_column(X):
    """Turn a text array of shape (n, 1), as resamplers and ColumnTransformer make, into (n,)."""
    kind, is_filled = getattr(X.dtype, "kind", ""), X.shape[0] and X.shape[1]
    is_sounds = kind == "O" and is_filled and (isinstance(X[0, 0], Clip) or is_source(X[0, 0]))
    if kind == "O" and is_filled and is_pair(list(X[0])):
        return [tuple(row) for row in X]
    if kind not in ("U", "T") and not is_sounds:
        return X
    if X.shape[1] != 1:
        raise ValueError(
            f"An array of files must have shape (n_clips,) or (n_clips, 1), got {X.shape}. Of "
            "columns with paths, starts and ends make a table: "
            "pandas.DataFrame(X, columns=['path', 'start', 'end'])."
        )
    return X[:, 0]


def _holds_sounds(X):
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
    if isinstance(first, bytes):
        raise TypeError(
            "X holds bytes: expected paths as str or os.PathLike (os.fsdecode helps). Pass the "
            "content of a file as io.BytesIO(content)."
        )
    if isinstance(first, (tuple, list)) and any(map(_is_part_of_row, first)):
        raise TypeError(_problem_of_row(0, first))
    return False


def _is_part_of_row(value):
    """Return whether a value, in a tuple, shows that this is more than a row of numbers."""
    is_array = is_array_like(value) and not isinstance(value, (list, tuple))
    return isinstance(value, Clip) or is_source(value) or is_array


def _problem_of_row(position, row):
    of_path = any(isinstance(value, (Clip, *_PATH_TYPES)) for value in row[:1])
    remedy = (
        "Make clips of rows (path, start, end), [Clip(*row) for row in X]"
        if of_path
        else "A sampling rate is a number of Hz"
    )
    return (
        f"X[{position}] is a {type(row).__name__} of {len(row)}: expected a path, or the pair "
        f"(samples, sampling_rate). {remedy}; labels go into y."
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
        raise TypeError(_problem_of_item(position, item))
    # A plain str: NumPy's own strings have another repr.
    return Clip(source if isinstance(source, Source) else str(os.fspath(source)), start, end)


def _times_of_row(row, name, start, end):
    """Return the times in a dict of a path and more; those given where it has none."""
    problem = interval_problem(list(row), row.get)
    if problem:
        raise ValueError(f"In {name}, {problem} (table = pandas.DataFrame(X)).")
    start = start if is_missing(row.get("start")) else row["start"]
    return start, end if is_missing(row.get("end")) else row["end"]


def _problem_of_item(position, item):
    if isinstance(item, (tuple, list)) and any(map(_is_part_of_row, item)):
        return _problem_of_row(position, item)
    problem = (
        f"X[{position}] is {item!r:.200}: expected a path (str or os.PathLike) or a Clip, "
        "as elsewhere in X."
    )
    if is_array_like(item):
        problem += " A waveform beside them needs its rate: (samples, sampling_rate)."
    return problem


def _is_list_of_arrays(X):
    if not isinstance(X, list) or not X:
        return False
    if isinstance(X[0], np.ndarray) and X[0].ndim >= 1:
        return True
    # Lists of numbers make a table when they are equally long, waveforms when they are not.
    is_rows = all(isinstance(x, (list, tuple)) or getattr(x, "ndim", 0) == 1 for x in X)
    return is_rows and len({len(x) for x in X}) > 1


def _check_waveform(position, samples):
    samples = np.asarray(samples)
    if samples.ndim != 1:
        raise ValueError(
            f"X[{position}] has shape {samples.shape}: a waveform is one-dimensional. "
            "Average the channels first; spectrograms go in one 3-D array."
        )
    if len(samples) == 0:
        raise ValueError(f"X[{position}] holds no samples.")
    name = f"X[{position}]"
    checked = check_array(
        samples, dtype=np.float32, ensure_2d=False, ensure_all_finite=False, input_name=name
    )
    return _refuse_absurd(_insist_on_numbers(checked, name), name)


def _insist_on_numbers(values, name, first_row=0):
    """Return an array without NaN and infinity; else say which clip has it, and where."""
    is_fine = np.isfinite(values)
    if is_fine.all():
        return values
    place = [int(index) for index in np.unravel_index(is_fine.argmin(), values.shape)]
    value = values[tuple(place)]
    found = "NaN" if np.isnan(value) else "infinity or a value too large for dtype('float32')"
    clip = f": X[{first_row + place.pop(0)}]" if values.ndim > 1 else ""
    where = f"sample {place[0]}" if len(place) == 1 else f"frame {place[0]}, bin {place[1]}"
    raise ValueError(f"Input {name} contains {found}{clip} at {where} (counted from 0).")


def _refuse_absurd(samples, name):
    """Return finite samples whose power float32 can hold."""
    loudest = max(samples.max(), -samples.min())
    if loudest >= LOUDEST_SAMPLE:
        raise ValueError(f"{name} holds a sample of {loudest:.3g}: full scale is 1.")
    return samples


def _check_spectrograms(estimator, X):
    """Return an array of finite spectrograms that reads as float32; an array is not copied."""
    check = partial(
        check_array,
        dtype=np.float32,
        allow_nd=True,
        ensure_all_finite=False,
        estimator=estimator,
        input_name="X",
    )
    is_numeric = isinstance(X, np.ndarray) and X.dtype.kind in "biuf"
    data = np.asarray(X) if is_numeric else check(X)
    n_checked = 0
    for block in blocks(data):
        _insist_on_numbers(check(block), "X", n_checked)
        n_checked += len(block)
    if data.size == 0:
        raise ValueError(f"X holds empty spectrograms: its shape is {data.shape}.")
    return data if data.dtype == np.float32 else Float32Rows(data)


def blocks(array):
    """Yield an array in blocks of rows, of bounded size; of one without rows itself."""
    n_rows = max(1, _BYTES_PER_BLOCK * len(array) // max(1, array.nbytes))
    for first in range(0, max(1, len(array)), n_rows):
        yield array[first : first + n_rows]


def _forget_features(estimator):
    """Files have no feature count: drop what an earlier fit on a table has left."""
    for name in ("n_features_in_", "feature_names_in_"):
        if hasattr(estimator, name):
            delattr(estimator, name)

"""X: what an estimator may be given, and its plain form.

Files, waveforms or spectrograms; nothing else in the package looks inside an X.
"""

import os
from collections.abc import Iterator, Set
from functools import partial

import numpy as np
from sklearn.utils.validation import check_array, validate_data

from skdaf._audio import LOUDEST_SAMPLE, Clip

_PATH_TYPES = (str, os.PathLike)

# What a table of files may have; other columns are its user's own.
_COLUMNS = ("path", "start", "end")

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
    if isinstance(X, Float32Rows):
        X = X.array
    clips = as_clips(X)
    if clips is not None:
        if reset:
            _forget_features(estimator)
        return "files", clips
    if _is_list_of_arrays(X):
        if reset:
            _forget_features(estimator)
        return "waveforms", [_check_waveform(i, x) for i, x in enumerate(X)]
    if getattr(X, "ndim", 2) == 3:
        data = _check_spectrograms(estimator, X)
        if reset:
            _forget_features(estimator)
        return "spectrograms", data
    if getattr(X, "ndim", 2) > 3:
        raise ValueError(
            f"X has shape {X.shape}: expected waveforms (n_clips, n_samples) or spectrograms "
            "(n_clips, n_frames, n_bins)."
        )
    if isinstance(X, np.ndarray) and X.ndim == 1 and X.dtype.kind in "fiu":
        raise ValueError(
            "Expected 2D array, got 1D array instead: of a single waveform pass [waveform]. "
            "Reshape your data otherwise."
        )
    # Python lists and numeric tables: scikit-learn's own rules and sentences.
    data = validate_data(estimator, X, dtype=np.float32, reset=reset)
    return "waveforms", _refuse_absurd(data, "X")


def validate_sounds(estimator, X, *, reset):
    """Return what `validate_clips` does of files and waveforms; refuse spectrograms."""
    kind, clips = validate_clips(estimator, X, reset=reset)
    if kind == "spectrograms":
        raise ValueError(
            f"{type(estimator).__name__} takes files or waveforms, got an array with 3 dimensions "
            f"and shape {clips.shape}: these seem to be spectrograms already."
        )
    return clips


def as_clips(X):
    """Return a list of Clips if X is a collection of files, None if it is something else."""
    if isinstance(X, (*_PATH_TYPES, Clip)):
        raise TypeError(
            f"Expected a list of files, got the single {X!r}: pass [path], or for a folder what "
            "skdaf.datasets.load_audio_folders makes of it."
        )
    # Some sparse arrays are dicts; they have a shape, and scikit-learn's sentence for them.
    is_unordered = isinstance(X, (bytes, dict, Set, Iterator)) and not hasattr(X, "shape")
    if X is None or is_unordered:
        raise TypeError(
            f"Expected a list, an array or a table of clips, got {_shown(X)}: clips need an order "
            "and a count."
        )
    if hasattr(X, "columns"):
        return _clips_of_table(X)
    if getattr(X, "ndim", 1) == 2 and getattr(X, "dtype", None) is not None:
        X = _single_text_column(X)
    if not _holds_files(X):
        return None
    return [_as_clip(position, item) for position, item in enumerate(X)]


def _shown(X):
    return "None" if X is None else f"a {type(X).__name__}"


def _clips_of_table(table):
    for name in table.columns:
        if str(name).lower() in _COLUMNS and name not in _COLUMNS:
            raise ValueError(f"The column {name!r} must be called {name.lower()!r}.")
    if "path" not in table.columns:
        first = table.iloc[0, 0] if hasattr(table, "iloc") and table.size else None
        if isinstance(first, (*_PATH_TYPES, Clip)):
            raise ValueError(
                f"A table of files needs a column 'path', got the columns {list(table.columns)}."
            )
        return None
    if len(table) == 0:
        _raise_no_clips()
    n = len(table)
    starts = list(table["start"]) if "start" in table.columns else [0.0] * n
    ends = list(table["end"]) if "end" in table.columns else [None] * n
    return [
        _as_clip(i, path, 0.0 if _is_missing(start) else start, None if _is_missing(end) else end)
        for i, (path, start, end) in enumerate(zip(table["path"], starts, ends, strict=True))
    ]


def _single_text_column(X):
    """Turn a text array of shape (n, 1), as resamplers and ColumnTransformer make, into (n,)."""
    is_text = X.dtype.kind in "UT" or (
        X.dtype == object and X.size and isinstance(X.flat[0], (*_PATH_TYPES, Clip))
    )
    if not is_text:
        return X
    if X.shape[1] != 1:
        raise ValueError(
            f"An array of files must have shape (n_clips,) or (n_clips, 1), got {X.shape}."
        )
    return X[:, 0]


def _holds_files(X):
    dtype_kind = getattr(getattr(X, "dtype", None), "kind", None)
    if dtype_kind in ("b", "i", "u", "f", "c") or not hasattr(X, "__len__"):
        return False
    if getattr(X, "ndim", 1) != 1:
        return False
    if len(X) == 0:
        _raise_no_clips()
    if any(isinstance(item, (*_PATH_TYPES, Clip)) for item in X):
        return True
    if isinstance(next(iter(X)), bytes):
        raise TypeError("X holds bytes: expected paths as str or os.PathLike (os.fsdecode helps).")
    return False


def _raise_no_clips():
    raise ValueError("Found array with 0 sample(s) (X is empty) while a minimum of 1 is required.")


def _as_clip(position, item, start=0.0, end=None):
    if isinstance(item, Clip):
        return item
    if not isinstance(item, _PATH_TYPES):
        raise TypeError(
            f"X[{position}] is {item!r}: expected a path (str or os.PathLike) or a Clip, "
            "as elsewhere in X."
        )
    # A plain str: NumPy's own strings have another repr.
    return Clip(str(os.fspath(item)), start, end)


def _is_missing(value):
    # pandas.NA knows no truth value, not even that of being unequal to itself.
    return value is None or type(value).__name__ == "NAType" or value != value


def _is_list_of_arrays(X):
    is_ragged_array = isinstance(X, np.ndarray) and X.dtype == object and X.ndim == 1
    if not (isinstance(X, (list, tuple)) or is_ragged_array) or len(X) == 0:
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
    checked = check_array(samples, dtype=np.float32, ensure_2d=False, input_name=name, copy=False)
    return _refuse_absurd(checked, name)


def _refuse_absurd(samples, name):
    """Return finite samples whose power float32 can hold."""
    loudest = max(samples.max(), -samples.min())
    if loudest >= LOUDEST_SAMPLE:
        raise ValueError(f"{name} holds a sample of {loudest:.3g}: full scale is 1.")
    return samples


def _check_spectrograms(estimator, X):
    """Return an array of finite spectrograms that reads as float32; an array is not copied."""
    check = partial(
        check_array, dtype=np.float32, allow_nd=True, estimator=estimator, input_name="X"
    )
    is_numeric = isinstance(X, np.ndarray) and X.dtype.kind in "biuf"
    data = np.asarray(X) if is_numeric else check(X)
    for block in blocks(data):
        check(block)
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

"""Validate X: files, waveforms or spectrograms.

`recordings` handles files and other audio that comes with its sampling rate. Only these two modules
determine what X is.
"""

import re
from contextlib import contextmanager
from contextvars import ContextVar
from functools import partial
from weakref import WeakSet

import numpy as np
from sklearn.utils.validation import check_array, validate_data

from skdaf._audio.clips import Clip
from skdaf._audio.columns import column_names
from skdaf._audio.levels import MAX_SCALED, loudest, warn_of_unscaled
from skdaf._audio.recordings import clips_or_none, plain_arrays
from skdaf._audio.samples import MAX_SAMPLE
from skdaf._audio.sources import ArraySource
from skdaf._audio.swapped_arguments import check_sounds_first
from skdaf._audio.unused_columns import warn_of_unused_numbers
from skdaf._core.arrays import blocks, is_scalar
from skdaf._core.user_warnings import warn_user

# A 3-D array with at most _MAX_CHANNELS "frames" and at least _MIN_SAMPLES "bins" contains channels
# and samples, unless the number of bins is typical of a Fourier transform or a network (see
# `_check_no_channels`).
_MAX_CHANNELS, _MIN_SAMPLES = 8, 600

# The same if samples come before channels: few channels, and more samples than a clip has frames.
_MAX_LAST_CHANNELS, _MAX_FRAMES = 2, 4000

# So many waveforms that all have so few samples are the samples of one recording, or measurements.
_MIN_SHORT, _MAX_SHORT_SAMPLES = 1000, 8

# The same for two samples: a block of live audio often has 512 rows.
_MIN_PAIRS = 500

_EXPECTED_COLUMN = (
    "Expected paths: a table with a column 'path' (rename the column of files), or only that "
    "column, as table['path'] or by its name as a string in a ColumnTransformer."
)

_FILES_FIRST = "If these are labels, pass the files first, as in fit(files, labels)."

# The kind and the plain form of an X that one estimator has validated and passes to another.
_validated = ContextVar("_validated", default=(None, None))

# Front ends that have warned about waveforms without a rate. Each one warns once.
_warned: WeakSet = WeakSet()

# Estimators that have warned about samples far above full scale. Each one warns once.
_warned_of_level: WeakSet = WeakSet()


class Float32Rows:
    """An array of spectrograms of another type, whose rows are converted to float32 when read.

    The array may be memory-mapped and larger than memory, so it is never converted as a whole. A
    slice is another Float32Rows; selecting rows by a list of indices returns an array.
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


def validate_clips(estimator, X, *, reset, y=None):
    """Validate X; return what it is, and its plain form.

    Parameters
    ----------
    estimator : estimator
        Gets `n_features_in_` and `feature_names_in_` from two-dimensional input when `reset`.
    X : files, waveforms or spectrograms
    reset : bool
        True in fit.
    y : any, default=None
        The targets that fit got, to find mistakes: waveforms in `y`, unused numbers in a table.

    Returns
    -------
    kind : {"files", "waveforms", "spectrograms"}
    data : list of Clip, list of float32 arrays, 2-D or 3-D float32 array, Float32Rows
        An array of spectrograms is not copied, because it may be memory-mapped.
    """
    known_kind, known = _validated.get()
    if X is known and X is not None:
        if known_kind == "waveforms" and isinstance(X, np.ndarray):
            validate_data(estimator, X, reset=reset, skip_check_array=True)
        elif reset:
            _reset_features(estimator)
        return known_kind, known
    return _validate(estimator, X, reset, y)


@contextmanager
def validated(estimator, kind, data):
    """Return a context in which `estimator` does not check the result of `validate_clips` again.

    An estimator passes its X to another one, such as its front end, in this context. Pipelines and
    estimators from other packages may change X in place, so their steps do check it.
    """
    is_of_this_package = type(estimator).__module__ == "skdaf"
    token = _validated.set((kind, data) if is_of_this_package else (None, None))
    try:
        yield
    finally:
        _validated.reset(token)


def _validate(estimator, X, reset, y):
    X = plain_arrays(X.array if isinstance(X, Float32Rows) else X)
    clips = clips_or_none(X)
    if clips is not None:
        if reset:
            _reset_features(estimator)
            check_sounds_first(clips, y)
            warn_of_unused_numbers(X, y)
        _check_sources(estimator, clips)
        return "files", clips
    if _is_list_of_arrays(X):
        _check_no_samples_in_rows(X)
        if reset:
            _reset_features(estimator)
        return "waveforms", [_check_waveform(estimator, i, x) for i, x in enumerate(X)]
    n_dimensions = getattr(X, "ndim", 2)
    if n_dimensions == 3:
        _check_no_channels(X.shape)
        data = _check_spectrograms(estimator, X)
        if reset:
            _reset_features(estimator)
        return "spectrograms", data
    if n_dimensions > 3:
        raise ValueError(
            f"X has shape {X.shape}: expected waveforms (n_clips, n_samples) or spectrograms "
            "(n_clips, n_frames, n_bins)."
        )
    _check_has_rows(X)
    # scikit-learn checks Python lists and numeric tables, with its own rules and messages.
    with np.errstate(over="ignore"):
        data = validate_data(estimator, X, dtype=np.float32, reset=reset, ensure_all_finite=False)
    _check_are_samples(X, data)
    return "waveforms", _check_level(estimator, _check_finite(data, "X"), "X")


def _check_has_rows(X):
    """Raise ValueError for numbers in one dimension, such as a column selected from a table."""
    if isinstance(X, np.ndarray) and X.ndim == 1 and X.dtype.kind in "fiu":
        raise ValueError(
            "Expected 2D array, got 1D array instead: pass a single waveform as [waveform] or "
            "[(waveform, sampling_rate)]. Reshape your data if it contains several waveforms. "
            f"{_FILES_FIRST}"
        )
    if isinstance(X, list) and X and is_scalar(X[0]):
        raise ValueError(
            f"Expected 2D array, got 1D array instead: X[0] is the number {X[0]!r}. Pass a list of "
            "paths (str or os.PathLike), or a single waveform as [waveform] or "
            f"[(waveform, sampling_rate)]. {_FILES_FIRST}"
        )
    is_column = len(getattr(X, "shape", ())) == 1 and not isinstance(X, np.ndarray)
    if is_column:
        raise ValueError(
            f"Expected 2D array, got a column of numbers instead ({type(X).__name__}, {X.dtype}). "
            f"{_EXPECTED_COLUMN} {_FILES_FIRST}"
        )


def _check_are_samples(X, data):
    """Raise ValueError for measurements, which would become waveforms of a few samples."""
    if data.shape[1] == 1:
        raise ValueError(
            f"Found array with 1 feature(s) (shape={data.shape}), a single number for each clip: "
            f"rows are clips (n_clips, n_samples). {_EXPECTED_COLUMN} If X is one recording, pass "
            "X.T, [(X, sampling_rate)], or the path of its file as [path]."
        )
    # Columns of samples are numbered, in any style.
    names = column_names(X) or ()
    unnumbered = [name for name in names if isinstance(name, str) and not re.search(r"\d", name)]
    if unnumbered:
        raise ValueError(
            f"X is a table of numbers with the columns {list(names)[:20]}. {_EXPECTED_COLUMN} If "
            "each row contains the samples of a waveform, pass an array (X.to_numpy())."
        )
    n_clips, n_samples = data.shape
    is_short = n_clips >= _MIN_SHORT and n_samples <= _MAX_SHORT_SAMPLES
    if is_short or (n_clips >= _MIN_PAIRS and n_samples <= 2):
        raise ValueError(
            f"X has shape {data.shape}, but rows are clips (n_clips, n_samples): {n_clips} clips "
            f"of {n_samples} samples. If X is one recording with {n_samples} channels, pass "
            "[(X, sampling_rate)], or the path of its file as [path]. If it has a column per clip, "
            "pass X.T."
        )


def _check_no_samples_in_rows(X):
    """Raise ValueError for a list of the samples of one recording, each with its channels."""
    if len(X) >= _MIN_SHORT and all(np.size(x) <= _MAX_SHORT_SAMPLES for x in X):
        raise ValueError(
            f"X is a list of {len(X)} waveforms of at most {_MAX_SHORT_SAMPLES} samples, but each "
            "item is a clip. If X is one recording, pass [(numpy.asarray(X), sampling_rate)], or "
            "the path of its file as [path]."
        )


def _check_no_channels(shape):
    """Raise ValueError for waveforms with several channels, which look like spectrograms."""
    _, n_first, n_last = shape
    is_fourier = (n_last - 1).bit_count() == 1  # 513, 1025, 2049 ...
    is_embedding = n_last % 256 == 0 and n_last <= 2048  # 768, 1024, 1280 ...
    is_long = n_last >= _MIN_SAMPLES and not (is_fourier or is_embedding)
    if n_first <= _MAX_CHANNELS and is_long:
        found, axis = "(n_clips, n_channels, n_samples)", 1
    elif n_last <= _MAX_LAST_CHANNELS and n_first >= _MAX_FRAMES:
        found, axis = "(n_clips, n_samples, n_channels)", 2
    else:
        return
    raise ValueError(
        f"X has shape {shape}, which looks like {found}: expected waveforms (n_clips, n_samples) "
        f"or spectrograms (n_clips, n_frames, n_bins). Mix the channels down with "
        f"X.mean({axis}), or pass each clip with its rate, as [(samples, sampling_rate), ...]."
    )


def validate_sounds(estimator, X, *, reset, y=None):
    """Return the clips from `validate_clips`; raise ValueError for spectrograms."""
    kind, clips = validate_clips(estimator, X, reset=reset, y=y)
    if kind == "spectrograms":
        raise ValueError(
            f"{type(estimator).__name__} requires files or waveforms, got an array with 3 "
            f"dimensions and shape {clips.shape}, which looks like spectrograms."
        )
    return clips


def validate_sounds_for(frontend, X):
    """Return the clips from `validate_sounds` for a fitted front end.

    Waveforms come without a rate. If `fit` took the rate from files, it may not be the rate of the
    waveforms, so each front end warns once.
    """
    clips = validate_sounds(frontend, X, reset=False)
    was_fitted_on_files = getattr(frontend, "_rate_is_of_files", False)
    if was_fitted_on_files and not isinstance(clips[0], Clip) and frontend not in _warned:
        _warned.add(frontend)
        rate = frontend.sampling_rate_
        warn_user(
            f"X contains waveforms without a sampling rate: {rate} Hz is assumed, the rate of the "
            "files passed to fit. If they have a different rate, pass "
            "[(samples, sampling_rate), ...] to resample them; otherwise, set "
            f"sampling_rate={rate} in the front end before fit."
        )
    return clips


def _is_list_of_arrays(X):
    if not isinstance(X, list) or not X:
        return False
    if isinstance(X[0], np.ndarray) and X[0].ndim >= 1:
        return True
    # Lists of numbers are a table if they have the same length, and waveforms otherwise.
    is_rows = all(isinstance(x, (list, tuple)) or getattr(x, "ndim", 0) == 1 for x in X)
    return is_rows and len({len(x) for x in X}) > 1


def _check_waveform(estimator, position, samples):
    samples = np.asarray(samples)
    if samples.ndim != 1:
        raise ValueError(
            f"X[{position}] has shape {samples.shape}: a waveform is one-dimensional. "
            "Pass several channels with their rate, as a pair (samples, sampling_rate), and "
            "spectrograms as one 3-D array."
        )
    if len(samples) == 0:
        raise ValueError(f"X[{position}] contains no samples.")
    name, checked = f"X[{position}]", samples
    if samples.dtype != np.float32:  # the checks of scikit-learn take as long as a short clip
        checked = check_array(
            samples, dtype=np.float32, ensure_2d=False, ensure_all_finite=False, input_name=name
        )
    return _check_level(estimator, _check_finite(checked, name), name)


def _check_finite(values, name, first_row=0):
    """Return the values; raise ValueError with the clip and position of NaN or infinity."""
    is_valid = np.isfinite(values)
    if is_valid.all():
        return values
    indices = [int(index) for index in np.unravel_index(is_valid.argmin(), values.shape)]
    value = values[tuple(indices)]
    found = "NaN" if np.isnan(value) else "infinity or a value too large for dtype('float32')"
    clip = f": X[{first_row + indices.pop(0)}]" if values.ndim > 1 else ""
    where = f"sample {indices[0]}" if len(indices) == 1 else f"frame {indices[0]}, bin {indices[1]}"
    raise ValueError(f"Input {name} contains {found}{clip} at {where} (counted from 0).")


def _check_level(estimator, samples, name):
    """Return finite samples; raise ValueError if their power overflows in float32."""
    level = loudest(samples)
    if level >= MAX_SAMPLE:
        raise ValueError(f"{name} contains a sample of {level:.3g}: full scale is 1.")
    _warn_once_of_level(estimator, level, name)
    return samples


def _check_sources(estimator, clips):
    """Warn of samples with a rate that are not scaled; files are read later, and not checked."""
    for clip in clips:
        # Not its subclasses: streams check their own blocks.
        if type(clip.path) is ArraySource:
            _warn_once_of_level(estimator, clip.path.level, clip.path.name)


def _warn_once_of_level(estimator, level, name):
    if level > MAX_SCALED and estimator not in _warned_of_level:
        _warned_of_level.add(estimator)
        warn_of_unscaled(level, name)


def _check_spectrograms(estimator, X):
    """Return finite spectrograms with float32 rows; an array is not copied."""
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
        _check_finite(check(block), "X", n_checked)
        n_checked += len(block)
    if data.size == 0:
        raise ValueError(f"X contains empty spectrograms: its shape is {data.shape}.")
    return data if data.dtype == np.float32 else Float32Rows(data)


def _reset_features(estimator):
    """Delete the attributes of an earlier fit on a table, because files have no features."""
    for name in ("n_features_in_", "feature_names_in_"):
        if hasattr(estimator, name):
            delattr(estimator, name)

"""X is recognized as files, waveforms or spectrograms."""

import re
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
import torch
from helpers import OwnPath
from sklearn.base import BaseEstimator

from skdaf import Clip
from skdaf._audio.inputs import validate_clips
from skdaf._audio.recordings import as_clips
from skdaf._core.arrays import blocks

pytestmark = pytest.mark.oldest


NAMES = ["b.wav", "a.wav", "c d.flac"]
CLIPS = [Clip(name) for name in NAMES]


class Estimator(BaseEstimator):
    """An estimator whose attributes validate_clips may set."""


def validate(X, estimator=None, reset=True):
    return validate_clips(estimator or Estimator(), X, reset=reset)


FILES = {
    "list": NAMES,
    "tuple": tuple(NAMES),
    "array of U": np.array(NAMES),
    "array of str objects": np.array(NAMES, dtype=object),
    "array of variable width": np.array(NAMES, dtype=np.dtypes.StringDType())
    if hasattr(np.dtypes, "StringDType")
    else NAMES,
    "column of U": np.array(NAMES)[:, None],
    "column of str objects": np.array(NAMES, dtype=object)[:, None],
    "column of paths": np.array([Path(name) for name in NAMES], dtype=object)[:, None],
    "column of clips": np.array(CLIPS, dtype=object)[:, None],
    "pathlib": [Path(name) for name in NAMES],
    "own paths": [OwnPath(name) for name in NAMES],
    "clips": CLIPS,
    "array of clips": np.array(CLIPS, dtype=object),
    "paths and clips": ["b.wav", Path("a.wav"), Clip("c d.flac")],
    "clip first": [Clip("b.wav"), "a.wav", OwnPath("c d.flac")],
    "Series": pd.Series(NAMES),
    "Series of objects": pd.Series(NAMES, dtype=object),
    "Series of strings": pd.Series(NAMES, dtype="string"),
    "Series of categories": pd.Series(NAMES, dtype="category"),
    "Series of clips": pd.Series(CLIPS),
    "Series, own index": pd.Series(NAMES, index=[7, 0, 7]),
    "Index": pd.Index(NAMES),
    "table": pd.DataFrame({"path": NAMES, "label": [1, 2, 3]}, index=["x", "y", "x"]),
    "table of clips": pd.DataFrame({"path": CLIPS}),
    "table of strings": pd.DataFrame({"path": pd.array(NAMES, dtype="string")}),
    "rows of a database": [(name,) for name in NAMES],
    "lists of one path": [[Path(name)] for name in NAMES],
    "dicts": [{"path": name, "label": 1} for name in NAMES],
    "records of NumPy": np.array([(name, 3) for name in NAMES], [("path", "U9"), ("label", int)]),
    "table of a Hugging Face data set": pd.DataFrame({"audio": [{"path": n} for n in NAMES]}),
}


@pytest.mark.parametrize("X", FILES.values(), ids=FILES.keys())
def test_every_form_of_files_is_the_same_list_of_clips(X):
    kind, clips = validate(X)
    assert kind == "files"
    assert clips == CLIPS
    # Plain strings look alike in messages and cache keys.
    assert [repr(clip) for clip in clips] == [repr(clip) for clip in CLIPS]
    assert as_clips(X) == CLIPS


def test_clips_are_passed_on_as_they_are():
    clips = [Clip("a.wav", 1, 2), Clip(Path("a.wav"))]
    assert all(given is got for given, got in zip(clips, as_clips(clips), strict=True))


@pytest.mark.parametrize("missing", [None, np.nan, pd.NA])
@pytest.mark.parametrize("dtype", [object, float, "Float64"])
def test_missing_times_of_a_table_mean_the_whole_file(missing, dtype):
    if dtype is float and missing is pd.NA:
        missing = np.nan
    table = pd.DataFrame(
        {
            "path": ["a.wav", "a.wav", "b.wav"],
            "start": pd.Series([1, missing, 0], dtype=dtype),
            "end": pd.Series([missing, 2.5, missing], dtype=dtype),
        }
    )
    assert as_clips(table) == [Clip("a.wav", 1), Clip("a.wav", 0, 2.5), Clip("b.wav")]


@pytest.mark.parametrize("column", ["start", "end"])
def test_a_table_may_have_one_of_the_times(column):
    table = pd.DataFrame({column: [1, 2], "path": ["a.wav", "b.wav"]})
    assert as_clips(table) == [Clip("a.wav", **{column: 1}), Clip("b.wav", **{column: 2})]


@pytest.mark.parametrize("X", [np.arange(6.0), np.eye(3), [[1, 2], [3, 4]], [np.zeros(2)]])
def test_what_is_not_files_is_not_clips(X):
    assert as_clips(X) is None


TABLE = np.arange(12, dtype=np.float64).reshape(3, 4)

TABLES = {
    "float64": TABLE,
    "float32": TABLE.astype(np.float32),
    "integers": TABLE.astype(int),
    "objects": TABLE.astype(object),
    "Fortran order": np.asfortranarray(TABLE),
    "every second": np.repeat(TABLE, 2, axis=1)[:, ::2],
    "list of lists": TABLE.tolist(),
    "list of tuples": [tuple(row) for row in TABLE.tolist()],
    "DataFrame": pd.DataFrame(TABLE),
    "DataFrame of integers": pd.DataFrame(TABLE.astype(int)),
}


@pytest.mark.parametrize("X", TABLES.values(), ids=TABLES.keys())
def test_every_table_of_numbers_is_a_float_array_of_waveforms(X):
    estimator = Estimator()
    kind, data = validate(X, estimator)
    assert kind == "waveforms"
    assert data.dtype == np.float32
    np.testing.assert_array_equal(data, TABLE)
    assert estimator.n_features_in_ == 4


def test_a_read_only_table_is_accepted():
    X = TABLE.copy()
    X.flags.writeable = False
    np.testing.assert_array_equal(validate(X)[1], TABLE)


ROWS = [np.array([0.0, 1.0, 2.0]), np.array([3.0]), np.array([4.0, 5.0])]


def ragged_array(rows):
    array = np.empty(len(rows), dtype=object)
    array[:] = rows
    return array


RAGGED = {
    "arrays": ROWS,
    "tuple of arrays": tuple(ROWS),
    "array of arrays": ragged_array(ROWS),
    "integers": [row.astype(int) for row in ROWS],
    "float32": [row.astype(np.float32) for row in ROWS],
    "lists": [row.tolist() for row in ROWS],
    "tuples": [tuple(row.tolist()) for row in ROWS],
    "lists and arrays": [ROWS[0].tolist(), ROWS[1], ROWS[2]],
    "array of lists": ragged_array([row.tolist() for row in ROWS]),
}


@pytest.mark.parametrize("X", RAGGED.values(), ids=RAGGED.keys())
def test_every_form_of_unequal_waveforms_is_a_list_of_float_arrays(X):
    estimator = Estimator()
    kind, data = validate(X, estimator)
    assert kind == "waveforms"
    assert isinstance(data, list)
    assert [samples.dtype for samples in data] == [np.float32] * 3
    for samples, row in zip(data, ROWS, strict=True):
        np.testing.assert_array_equal(samples, row)
    assert not hasattr(estimator, "n_features_in_")


def test_arrays_of_equal_length_in_a_list_have_no_feature_count():
    estimator = Estimator()
    kind, data = validate(list(TABLE), estimator)
    assert kind == "waveforms"
    assert isinstance(data, list)
    np.testing.assert_array_equal(np.stack(data), TABLE)
    assert not hasattr(estimator, "n_features_in_")


def test_read_only_waveforms_are_accepted():
    samples = np.arange(3, dtype=np.float32)
    samples.flags.writeable = False
    np.testing.assert_array_equal(validate([samples, samples[:2]])[1][0], [0, 1, 2])


@pytest.mark.parametrize("dtype", [np.float32, np.float64, int])
@pytest.mark.parametrize("order", ["C", "F"])
def test_three_dimensions_are_spectrograms(dtype, order):
    X = np.arange(24, dtype=dtype).reshape(2, 3, 4).copy(order=order)
    X.flags.writeable = False
    estimator = Estimator()
    kind, data = validate(X, estimator)
    assert kind == "spectrograms"
    assert data.dtype == np.float32
    np.testing.assert_array_equal(data, X)
    assert not hasattr(estimator, "n_features_in_")


@pytest.mark.parametrize("dtype", [np.float32, np.float64, np.float16, int])
def test_spectrograms_are_not_copied(dtype):
    X = np.arange(24, dtype=dtype).reshape(4, 3, 2)
    _, data = validate(X)
    assert np.shares_memory(getattr(data, "array", data), X)
    _, again = validate(data)
    assert type(again) is type(data)
    assert np.shares_memory(getattr(again, "array", again), X)
    assert data.shape == X.shape
    assert len(data) == 4


@pytest.mark.parametrize("rows", [slice(1, 3), np.array([2, 0]), [1], 3])
def test_rows_of_other_types_are_read_as_float32(rows):
    X = np.arange(24).reshape(4, 3, 2)
    part = np.asarray(validate(X)[1][rows])
    assert part.dtype == np.float32
    np.testing.assert_array_equal(part, X[rows])


@pytest.mark.parametrize("dtype", [np.float32, np.float16])
@pytest.mark.parametrize(("value", "name"), [(np.nan, "NaN"), (-np.inf, "infinity")])
def test_every_block_of_spectrograms_is_checked(dtype, value, name, monkeypatch):
    monkeypatch.setattr("skdaf._core.arrays._BYTES_PER_BLOCK", 30)
    for row in range(5):
        X = np.zeros((5, 3, 2), dtype)
        assert [len(block) for block in blocks(X)] == (
            [1] * 5 if dtype is np.float32 else [2, 2, 1]
        )
        X[row, 2, 1] = value
        with pytest.raises(ValueError, match=f"X contains {name}"):
            validate(X)


def test_numbers_beyond_float32_are_infinite():
    with (
        np.errstate(over="ignore"),
        pytest.raises(ValueError, match=r"infinity or a value too large for dtype\('float32'\)"),
    ):
        validate(np.full((1, 2, 3), 1e300))


NUMBERED = ["sample0", "sample1", "s.2", "3"]


def test_a_table_with_names_leaves_them_on_the_estimator():
    estimator = Estimator()
    validate(pd.DataFrame(TABLE, columns=NUMBERED), estimator)
    assert estimator.n_features_in_ == 4
    assert list(estimator.feature_names_in_) == NUMBERED


@pytest.mark.parametrize("X", [NAMES, ROWS, np.zeros((2, 3, 4))])
def test_a_fit_without_features_deletes_those_of_an_earlier_fit(X):
    estimator = Estimator()
    validate(pd.DataFrame(TABLE, columns=NUMBERED), estimator)
    validate(X, estimator)
    assert not hasattr(estimator, "n_features_in_")
    assert not hasattr(estimator, "feature_names_in_")


@pytest.mark.parametrize("X", [NAMES, ROWS, np.zeros((2, 3, 4)), TABLE])
def test_only_fit_changes_the_estimator(X):
    estimator = Estimator()
    validate(TABLE, estimator)
    validate(X, estimator, reset=False)
    assert vars(estimator) == {"n_features_in_": 4}


def test_a_table_must_have_the_feature_count_of_fit():
    estimator = Estimator()
    validate(TABLE, estimator)
    with pytest.raises(ValueError, match="X has 3 features, but Estimator is expecting 4"):
        validate(TABLE[:, :3], estimator, reset=False)


@pytest.mark.parametrize("name", ["float16", "bfloat16", "float32", "float64", "int16", "int64"])
def test_tensors_are_arrays(name):
    tensor = torch.arange(12).reshape(3, 4).to(getattr(torch, name))
    if tensor.is_floating_point():
        tensor.requires_grad_()
    kind, data = validate(tensor)
    assert kind == "waveforms"
    assert data.dtype == np.float32
    np.testing.assert_array_equal(data, TABLE)
    for X in (list(tensor), tuple(tensor)):
        kind, data = validate(X)
        assert kind == "waveforms"
        np.testing.assert_array_equal(np.stack(data), TABLE)
    kind, data = validate(tensor[None])
    assert kind == "spectrograms"
    np.testing.assert_array_equal(np.asarray(data), TABLE[None])


def test_tensors_of_unequal_lengths():
    kind, data = validate([torch.ones(3, requires_grad=True), np.ones(2), torch.ones(5)])
    assert kind == "waveforms"
    assert [len(samples) for samples in data] == [3, 2, 5]


def test_spectrograms_in_a_tensor_are_not_copied():
    tensor = torch.zeros(2, 3, 4)
    assert np.shares_memory(validate(tensor)[1], tensor.numpy())


@pytest.mark.parametrize("kind", [np.zeros, torch.zeros])
@pytest.mark.parametrize(
    ("shape", "found", "axis"),
    [
        ((4, 1, 8000), "(n_clips, n_channels, n_samples)", 1),
        ((4, 2, 16001), "(n_clips, n_channels, n_samples)", 1),
        ((1, 8, 1000), "(n_clips, n_channels, n_samples)", 1),
        ((4, 1, 800), "(n_clips, n_channels, n_samples)", 1),
        ((4, 16000, 1), "(n_clips, n_samples, n_channels)", 2),
        ((4, 8000, 2), "(n_clips, n_samples, n_channels)", 2),
    ],
)
def test_arrays_with_channels_are_not_taken_for_spectrograms(kind, shape, found, axis):
    expected = re.escape(f"X has shape {shape}, which looks like {found}")
    with pytest.raises(
        ValueError, match=rf"{expected}.*X\.mean\({axis}\).*\(samples, sampling_rate\)"
    ):
        validate(kind(shape))


@pytest.mark.parametrize(
    "shape",
    [
        *[(2, n_frames, n_bins) for n_frames in (1, 5, 101, 3000) for n_bins in (1, 12, 64, 128)],
        *[(2, n_frames, n_bins) for n_frames in (1, 4, 50) for n_bins in (513, 1025, 2049, 768)],
        *[(1, 2, 521), (1, 3, 1024), (1, 9, 2000), (1, 3000, 2), (1, 20000, 40)],
    ],
)
def test_spectrograms_of_every_usual_size_are_accepted(shape):
    assert validate(np.zeros(shape, dtype=np.float32))[0] == "spectrograms"
